"""A migration into Jira carries every kind of entry as promised, field by field, and a second one changes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from twinlog_process import DATABASES, marked

from connections.sandbox import Sandbox, World, adf, worlds
from connections.sandbox.worlds.small import (
    ALICE,
    BOB,
    EXAMPLES,
    FITTING,
    GRACE,
    HEIDI,
    IVAN,
    JUDY,
    LONG,
    entry_id,
)

BERLIN = ZoneInfo("Europe/Berlin")
FOUND = (ALICE, BOB, GRACE, HEIDI, IVAN, JUDY)
ISSUES = {101: "ABC-1", 102: "ABC-2", 109: "ABC-10", 201: "XYZ-1"}
WRITTEN = [example for example in EXAMPLES if example.outcome == "written"]
RUN_KEYS = {
    "run", "connection", "kind", "state", "fetched", "created", "updated", "deleted", "linked", "unchanged",
    "skipped", "parked", "failed", "written", "missing_people", "failures", "calls", "seconds",
}  # fmt: skip
FAILURE_KEYS = {
    "entry", "site", "work_item", "issue", "person", "date", "seconds", "code", "message", "hint", "parked",
}  # fmt: skip


@dataclass
class Migrated:
    world: World
    first: dict[str, Any]
    second: dict[str, Any]
    report: str
    balance: dict[str, Any]
    changes_of_second: list
    estimate_before: int | None

    @property
    def jira(self):
        return self.world.jira["jca"]


@pytest.fixture(scope="module", params=DATABASES)
def migrated(request, install):
    """An operator migrates the small world, twice."""
    world = worlds.small()
    with Sandbox(world) as sandbox, install(request.param) as twinlog:
        twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
        estimate = world.jira["jca"].issue("ABC-1").remaining_seconds
        first = twinlog.migrate(status=1)
        report = twinlog.run("report", "contoso-to-jca").out
        before = len(sandbox.calls)
        second = twinlog.migrate(status=1)
        changes = [call for call in sandbox.calls[before:] if is_change(call)]
        balance = twinlog.run("balance", "contoso-to-jca", "--json").data
        yield Migrated(world, first, second, report, balance, changes, estimate)


def is_change(call):
    return call.method in {"PUT", "DELETE"} or (call.method == "POST" and call.path.endswith("/worklog"))


@pytest.fixture
def copies(migrated):
    return dict(marked(migrated.jira))


def outcomes(run, copies):
    failed = {row["entry"]: row["code"] for row in run["failures"]}
    return failed | dict.fromkeys(copies, "written")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.why)
def test_each_entry_ends_as_it_must(migrated, copies, example):
    """Each kind of entry is written, skipped, linked, or fails with its own code."""
    came = outcomes(migrated.first, copies).get(entry_id(example), "left out")
    expected = {
        "skipped": {"left out"},
        "linked": {"left out"},
        "either": {"left out", "entry_invalid"},
    }
    assert came in expected.get(example.outcome, {example.outcome})


@pytest.mark.parametrize("example", WRITTEN, ids=lambda example: example.why)
def test_each_copy_is_right_field_by_field(migrated, copies, example):
    """Issue, author, start, seconds, text and marker of a copy follow from its entry alone."""
    copy, jira = copies[entry_id(example)], migrated.jira
    account = jira.account_of(example.human.email) if example.human in FOUND else None
    true_author = example.human is ALICE
    assert jira.issues[copy.issue_id].key == ISSUES[example.work_item]
    assert copy.author_id == (account.account_id if true_author else jira.tokens[0].account_id)
    wall = datetime.fromisoformat(example.start).replace(tzinfo=BERLIN, fold=0)
    assert copy.started == wall.astimezone(UTC)
    assert copy.seconds == example.seconds
    assert copy.text == expected_text(example, headed=not true_author)
    assert copy.visibility is None
    assert copy.properties == {
        "twinlog": {
            "source": "7pace",
            "site": "contoso-7pace",
            "entry": entry_id(example),
            "account": account.account_id if account else "",
        }
    }


def expected_text(example, headed):
    text = example.comment or ""
    if not headed:
        return text
    head = f"[7pace — {example.human.name} on {example.start[:10]}]"
    whole = f"{head}\n\n{text}" if text else head
    if len(whole) <= 32_767:
        return whole
    mark = f"\n[… cut: {len(whole):,} characters in all]"
    return whole[: 32_767 - len(mark)] + mark


def test_the_longest_text_fits_and_a_longer_one_is_cut_visibly(copies):
    """Jira takes 32,767 characters; what is more goes, and a mark says so."""
    texts = {example.why: copies[entry_id(example)].text for example in WRITTEN}
    assert texts["as long as Jira allows"] == FITTING
    cut = texts["longer than Jira allows"]
    assert len(cut) == 32_767
    assert cut.endswith(f"{len(LONG) + len('[7pace — Bob Jones on 2024-06-03]') + 2:,} characters in all]")


def test_an_empty_line_is_a_paragraph_and_a_line_break_is_a_hard_break(copies):
    """Jira's document keeps the shape of the text."""
    (example,) = [one for one in WRITTEN if one.why == "line breaks and an empty line"]
    assert copies[entry_id(example)].comment["content"] == [
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": "First"},
                {"type": "hardBreak"},
                {"type": "text", "text": "second"},
            ],
        },
        {"type": "paragraph", "content": [{"type": "text", "text": "next paragraph"}]},
    ]


def test_two_entries_that_look_the_same_become_two_worklogs(migrated):
    """Lookalikes are taken by count."""
    alike = [row for row in migrated.jira.worklogs_of("ABC-10") if adf.plain(row.comment) == "Stand-up"]
    assert len(alike) == 2


def test_what_stands_there_already_is_linked_and_stays_as_it_is(migrated):
    """A worklog of the same person, issue, start and seconds is taken for the copy: nothing is written."""
    (standing,) = [row for row in migrated.jira.worklogs_of("ABC-2") if row.text == "Done by hand"]
    assert standing.properties == {}
    assert migrated.first["linked"] == 1


def test_the_remaining_estimate_is_left_alone_and_totals_are_right(migrated):
    """Time that was worked long ago does not eat what is left to do; an issue is written to by one writer at a time."""
    issue = migrated.jira.issue("ABC-1")
    assert issue.remaining_seconds == migrated.estimate_before == 36_000
    assert issue.time_spent_seconds == sum(row.seconds for row in issue.worklogs.values())
    assert migrated.jira.corrupted_issues == set()


def test_the_run_tells_everything_it_did(migrated):
    """The JSON of a run has every key, and its figures add up."""
    run = migrated.first
    assert run.keys() >= RUN_KEYS
    assert all(row.keys() == FAILURE_KEYS for row in run["failures"])
    assert run["state"] == "finished"
    assert run["fetched"] == len(EXAMPLES)
    assert run["written"] == run["created"] == len(WRITTEN)
    assert (run["skipped"], run["linked"], run["parked"]) == (2, 1, 1)
    assert run["failed"] + run["parked"] == len(run["failures"])
    assert run["calls"]["jca"]["POST"] >= len(WRITTEN)


def test_a_failure_names_everything_a_person_needs(migrated):
    """Entry, work item, issue, person, day and length, what happened and what to do."""
    (example,) = [one for one in EXAMPLES if one.outcome == "issue_not_editable"]
    (row,) = [row for row in migrated.first["failures"] if row["code"] == "issue_not_editable"]
    assert row["entry"] == entry_id(example)
    assert (row["site"], row["work_item"], row["issue"]) == ("contoso-7pace", 103, "ABC-3")
    assert (row["person"], row["date"], row["seconds"]) == ("alice@example.com", "2024-05-06", 3600)
    assert "not in an editable workflow state" in row["message"]
    assert "Reopen the issue" in row["hint"]
    assert row["parked"] is False


def test_two_issues_for_one_work_item_are_parked_for_a_person(migrated):
    """Nobody guesses which of two issues was meant; both are named."""
    (row,) = [row for row in migrated.first["failures"] if row["parked"]]
    assert row["code"] == "issue_ambiguous"
    assert "ABC-5" in row["message"]
    assert "ABC-6" in row["message"]


def test_everybody_without_a_findable_active_account_is_listed_once(migrated):
    """Inactive, hidden, doubled and unknown people are missing; one of whom no e-mail is known goes by name."""
    assert migrated.first["missing_people"] == [
        "carol@example.com",
        "dan@example.com",
        "dora@example.com",
        "erin@example.com",
        "frank@example.com",
        "Mallory Unknown",
    ]


def test_the_report_begins_as_promised(migrated):
    """The figures stand at the top, to the letter."""
    failed = migrated.first["failed"]
    assert migrated.report.splitlines()[:7] == [
        "7pace Time Log Migration",
        "───────────────────────────────",
        f"Total entries fetched:       {len(EXAMPLES)}",
        f"Written to Jira:             {len(WRITTEN) + 1}",
        "Skipped (< 60s):              2",
        f"{'Failed:':24}{failed:>7}",
        "Missing user accounts:        6 emails",
    ]


def test_a_second_run_finds_everything_unchanged_and_writes_nothing(migrated):
    """No worklog is posted, put or deleted again; what failed stays listed with its cause."""
    first, second = migrated.first, migrated.second
    assert migrated.changes_of_second == []
    assert (second["written"], second["linked"]) == (0, 0)
    assert second["unchanged"] == first["written"] + first["linked"]
    assert second["failures"] == first["failures"]
    assert second["missing_people"] == first["missing_people"]
    assert second["run"] > first["run"]


def test_each_second_is_accounted_for(migrated):
    """Source = target + skipped + failed + parked + rounding."""
    hours = migrated.balance
    assert hours["balanced"] is True
    assert hours["source_seconds"] == sum(example.seconds or 0 for example in EXAMPLES)
    written = sum(example.seconds for example in EXAMPLES if example.outcome in ("written", "linked"))
    assert hours["target_seconds"] == written
    assert hours["rounding_seconds"] == 0
