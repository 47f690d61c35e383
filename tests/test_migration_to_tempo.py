"""A migration into Tempo writes in the name of the true authors, many entries in one call."""

from datetime import date

import pytest
from contoso import ALICE, BOB, CAROL, with_marker
from twinlog_process import DATABASES, on_sqlite

from connections.sandbox import Sandbox, worlds
from connections.sandbox.world import TempoAttribute
from connections.sandbox.worlds.small import ALICE as SMALL_ALICE
from connections.sandbox.worlds.small import BOB as SMALL_BOB
from connections.sandbox.worlds.small import EXAMPLES, GRACE, HEIDI, IVAN, JUDY, entry_id

NAME = "contoso-to-jca-tempo"
FOUND = (SMALL_ALICE, SMALL_BOB, GRACE, HEIDI, IVAN, JUDY)
# Tempo knows no limit of worklogs on an issue, and says of the person what Jira says of the caller.
OUTCOMES = {"issue_limit": "written", "no_permission": "author_not_allowed"}


def posts(sandbox):
    return [call for call in sandbox.calls_to("jca-tempo", "POST") if not call.path.endswith("/search")]


@pytest.fixture(scope="module", params=DATABASES)
def migrated(request, install):
    """An operator migrates the small world into Tempo, each copy with its marker."""
    world = worlds.small()
    with Sandbox(world) as sandbox, install(request.param) as twinlog:
        twinlog.set_up(sandbox, with_marker(sandbox.toml("contoso-to-jcb-tempo")))
        run = twinlog.migrate("contoso-to-jcb-tempo", status=1)
        report = twinlog.run("report", "contoso-to-jcb-tempo").out
        hours = twinlog.run("balance", "contoso-to-jcb-tempo", "--json").data
        tempo = world.tempo["jcb-tempo"]
        copies = {row.attributes["_Twinlog_"]: row for row in tempo.worklogs.values() if row.attributes}
        second = twinlog.migrate("contoso-to-jcb-tempo", status=1)
        yield world, run, copies, report, hours, second


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.why)
def test_each_entry_ends_as_it_must(migrated, example):
    """Author, wall clock, seconds, billable seconds and text of each copy are those of its entry."""
    world, run, copies, *_ = migrated
    outcome = OUTCOMES.get(example.outcome, example.outcome)
    if outcome != "written":
        codes = {row["entry"]: row["code"] for row in run["failures"]}
        came = codes.get(entry_id(example), outcome if outcome in ("skipped", "linked") else "left out")
        assert came in ({"skipped", "entry_invalid", "left out"} if outcome == "either" else {outcome})
        assert entry_id(example) not in copies
        return
    copy, jira = copies[entry_id(example)], world.jira["jcb"]
    found = jira.account_of(example.human.email) if example.human in FOUND else None
    assert copy.author_id == (found or jira.accounts[jira.tokens[0].account_id]).account_id
    assert copy.started.isoformat() == example.start
    assert copy.seconds == example.seconds
    assert copy.billable_seconds == (example.seconds if example.billable is None else example.billable)
    head = f"[7pace — {example.human.name} on {example.start[:10]}]"
    text = (example.comment or "") if found else "\n\n".join(filter(None, [head, example.comment]))
    assert copy.description[:32_000] == text[:32_000]
    assert len(copy.description) == min(len(text), 32_767)


def test_the_report_says_written_to_tempo(migrated):
    """The same report, with the target's name."""
    _, run, copies, report, hours, second = migrated
    assert report.splitlines()[3] == f"Written to Tempo:{len(copies) + run['linked']:>14}"
    assert run["written"] == len(copies)
    assert run["linked"] == 1
    assert hours["balanced"] is True
    assert (second["written"], second["unchanged"]) == (0, run["written"] + run["linked"])


@pytest.mark.parametrize("marker", [False, True], ids=["without a marker", "with a marker"])
def test_twenty_entries_an_issue_cost_few_calls(twinlog, contoso, serve, marker):
    """Bulk creation: at twenty entries an issue at most 0.15 calls an entry, and nothing the second time."""
    entries = contoso.log_many(60)
    sandbox = serve(contoso.world)
    toml = sandbox.toml(NAME)
    twinlog.set_up(sandbox, with_marker(toml) if marker else toml)
    run = twinlog.migrate(NAME)
    assert run["created"] == len(contoso.tempo.worklogs) == 60
    assert len(sandbox.calls_to("jca-tempo")) <= 0.15 * 60
    for entry in entries:
        copy = contoso.tempo_copy(entry)
        assert (copy.seconds, copy.description) == (entry.seconds, entry.comment)
        assert copy.attributes == ({"_Twinlog_": entry.id} if marker else {})
    assert twinlog.migrate(NAME)["unchanged"] == 60
    assert len(contoso.tempo.worklogs) == 60


@on_sqlite
def test_a_refused_bulk_is_narrowed_to_the_entries_that_are_bad(twinlog, contoso, serve):
    """Entries of a closed period fail by themselves; the ones beside them are written, each once."""
    closed = [contoso.log(ALICE, 1, f"2024-02-01T{hour:02}:00:00") for hour in (9, 15)]
    good = [contoso.log(BOB, 1, f"2024-03-{day:02}T10:00:00") for day in range(1, 11)]
    contoso.tempo.closed_periods = [(date(2024, 2, 1), date(2024, 2, 29))]
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(NAME))
    run = twinlog.migrate(NAME, status=1)
    assert {row["entry"]: row["code"] for row in run["failures"]} == {
        entry.id: "period_closed" for entry in closed
    }
    assert sorted(row.started for row in contoso.tempo.worklogs.values()) == [
        entry.timestamp for entry in good
    ]
    before = len(posts(sandbox))
    assert twinlog.migrate(NAME, status=1)["unchanged"] == 10
    assert len(posts(sandbox)) == before


@on_sqlite
def test_somebody_without_an_account_is_named_in_a_header_under_the_fallback_author(twinlog, contoso, serve):
    """Carol has no account: Bob, the fallback, stands as author, and the header tells whose work it was."""
    carols = contoso.log(CAROL, 1, "2024-03-15T09:00:00", text="Handed over")
    alices = contoso.log(ALICE, 1, "2024-03-15T10:00:00", text="Reviewed", billable=0)
    people = {"match": "email", "fallback": {"right": contoso.account(BOB)}}
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(NAME, {"people": people}))
    assert twinlog.migrate(NAME)["missing_people"] == ["carol@example.com"]
    copy = contoso.tempo_copy(carols)
    assert copy.author_id == contoso.account(BOB)
    assert copy.description == "[7pace — Carol White on 2024-03-15]\n\nHanded over"
    own = contoso.tempo_copy(alices)
    assert (own.author_id, own.description) == (contoso.account(ALICE), "Reviewed")
    assert own.billable_seconds == 0


@on_sqlite
@pytest.mark.parametrize(
    ("estimate", "left"), [(None, 36_000 - 2 * 3600), ("leave", 36_000)], ids=["auto by default", "leave"]
)
def test_the_remaining_estimate_is_what_the_connection_says(twinlog, contoso, serve, estimate, left):
    """Tempo takes the time off the estimate by itself; `leave` keeps the estimate as it was."""
    contoso.issue(1).remaining_seconds = 36_000
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    contoso.log(BOB, 1, "2024-03-15T10:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(NAME, {"estimate": estimate}))
    assert twinlog.migrate(NAME)["created"] == 2
    assert contoso.issue(1).remaining_seconds == left


@on_sqlite
def test_a_required_attribute_is_said_by_name(twinlog, contoso, serve):
    """Where Tempo demands an attribute that nobody named, every entry says so and nothing is written."""
    contoso.tempo.attributes["_Activity_"] = TempoAttribute("_Activity_", "Activity", required=True)
    contoso.log_many(3, issues=1)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(NAME))
    run = twinlog.migrate(NAME, status=1)
    assert {row["code"] for row in run["failures"]} == {"attribute_required"}
    assert "_Activity_" in run["failures"][0]["message"]
    assert contoso.tempo.worklogs == {}


@on_sqlite
def test_the_target_refuses_a_person_and_says_why(twinlog, contoso, serve):
    """Where our account may not log work for others, their entries wait; our own are written."""
    owner = contoso.jira.accounts[contoso.own_account]
    owner.permissions -= {"io.tempo.jira__log-work-for-others"}
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    carols = contoso.log(CAROL, 1, "2024-03-15T10:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(NAME))
    run = twinlog.migrate(NAME, status=1)
    assert [(row["person"], row["code"]) for row in run["failures"]] == [
        ("alice@example.com", "author_not_allowed")
    ]
    assert contoso.tempo_copy(carols).author_id == contoso.own_account
