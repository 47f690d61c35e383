"""Minimum, rounding, long texts and lookalikes are treated as the connection says, and every second is booked."""

from datetime import UTC, datetime, timedelta

import pytest
from contoso import ALICE, BOB
from twinlog_process import on_sqlite

pytestmark = on_sqlite
SECONDS = [30, 59, 60, 61, 90, 3600, 3725, 100_000]
STORED = {
    ("none", 1): [None, None, 60, 61, 90, 3600, 3725, 100_000],
    ("up", 15): [None, None, 900, 900, 900, 3600, 4500, 100_800],
    ("down", 15): [None, None, None, None, None, 3600, 3600, 99_900],
    ("nearest", 1): [None, None, 60, 60, 120, 3600, 3720, 100_020],
    ("nearest", 6): [None, None, None, None, None, 3600, 3600, 100_080],
}


@pytest.mark.parametrize(("rounding", "minutes"), STORED)
def test_rounding_is_applied_and_booked(twinlog, contoso, serve, rounding, minutes):
    """What rounding adds or takes stands in the balance; what it makes too short is skipped."""
    entries = [
        contoso.log(ALICE, 1, f"2024-03-15T{hour:02}:00:00", seconds) for hour, seconds in enumerate(SECONDS)
    ]
    sandbox = serve(contoso.world)
    changes = {"rounding": rounding, "rounding_minutes": minutes}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", changes))
    run = twinlog.migrate()
    stored = [copies[0].seconds if (copies := contoso.copies(entry)) else None for entry in entries]
    assert stored == STORED[rounding, minutes]
    assert run["skipped"] == stored.count(None)
    hours = twinlog.run("balance", "contoso-to-jca", "--json").data
    carried = [(was, now) for was, now in zip(SECONDS, stored, strict=True) if now is not None]
    assert hours["balanced"]
    assert hours["rounding_seconds"] == sum(was - now for was, now in carried)
    assert hours["skipped_seconds"] == sum(SECONDS) - sum(was for was, _ in carried)
    assert twinlog.migrate()["unchanged"] == len(carried)


@pytest.mark.parametrize("site_rounds", ["down", "up", "nearest"])
def test_what_jira_itself_rounds_is_booked_and_is_no_edit(twinlog, contoso, serve, site_rounds):
    """A Jira that keeps whole minutes stores other seconds than were sent: the difference is rounding."""
    contoso.jira.rounding = site_rounds
    contoso.log(ALICE, 1, "2024-03-15T09:00:00", 3725)
    entry = contoso.log(BOB, 1, "2024-03-15T12:00:00", 3695)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
    twinlog.migrate()
    stored = sum(row.seconds for row in contoso.jira.worklogs.values())
    hours = twinlog.run("balance", "contoso-to-jca", "--json").data
    assert (hours["target_seconds"], hours["rounding_seconds"]) == (stored, 3725 + 3695 - stored)
    entry.comment = "Work, corrected"
    run = twinlog.migrate()
    assert (run["updated"], run["unchanged"]) == (1, 1)
    assert twinlog.run("balance", "contoso-to-jca", "--json").data["balanced"]


@pytest.mark.parametrize(
    ("target", "minimum", "skipped"),
    [
        ("contoso-to-jca", None, 3),
        ("contoso-to-jca", 0, 3),
        ("contoso-to-jca", 900, 4),
        ("contoso-to-jca-tempo", None, 3),
        ("contoso-to-jca-tempo", 0, 0),
        ("contoso-to-jca-tempo", 30, 1),
    ],
)
def test_entries_under_the_minimum_are_skipped(twinlog, contoso, serve, target, minimum, skipped):
    """60 s by default; into Jira nothing under 60 s is ever written, Tempo takes a second."""
    for hour, seconds in enumerate((1, 30, 59, 60, 900)):
        contoso.log(ALICE, 1, f"2024-03-15T{hour:02}:00:00", seconds)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(target, {"minimum_seconds": minimum}))
    run = twinlog.migrate(target)
    assert (run["skipped"], run["created"], run["failed"]) == (skipped, 5 - skipped, 0)
    line = twinlog.run("report", target).out.splitlines()[4]
    assert line.startswith(f"Skipped (< {60 if minimum is None else minimum}s):")


@pytest.mark.parametrize("target", ["contoso-to-jca", "contoso-to-jca-tempo"])
def test_a_text_that_is_too_long_is_cut_or_refused(twinlog, contoso, serve, target):
    """`refuse` fails the entry; cutting keeps whole characters and what was cut stands in the audit."""
    entry = contoso.log(ALICE, 1, "2024-03-15T09:00:00", text="🚀" * 20_000)
    fits = contoso.log(ALICE, 2, "2024-03-15T09:00:00", text="x" * 32_000)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(target, {"long_text": "refuse"}))
    run = twinlog.migrate(target, status=1)
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [(entry.id, "text_too_long")]
    assert run["created"] == 1
    twinlog.set_up(sandbox, sandbox.toml(target, {"long_text": "cut"}))
    assert twinlog.migrate(target)["created"] == 1
    texts = [row.text for row in contoso.jira.worklogs.values()]
    texts += [row.description for row in contoso.tempo.worklogs.values()]
    assert all(len(text.encode("utf-16-le")) // 2 <= 32_767 for text in texts)
    assert any("40," in text and text.rstrip("]").endswith("characters in all") for text in texts)
    kept = twinlog.rows(f"SELECT source FROM worklogs_auditentry WHERE entry = '{entry.id}'")
    assert any(len(str(source)) > 20_000 for (source,) in kept)
    assert fits.comment in "".join(texts)


@pytest.mark.parametrize(
    ("lookalikes", "expected"),
    [
        ("link", {"linked": 2, "created": 1, "parked": 0}),
        ("park", {"linked": 0, "created": 1, "parked": 2}),
        ("create", {"linked": 0, "created": 3, "parked": 0}),
    ],
)
def test_lookalikes_are_taken_by_count(twinlog, contoso, serve, lookalikes, expected):
    """Alice worked three times at one start; two such worklogs stand in Jira already, and one of Bob that is none."""
    start = datetime(2024, 3, 15, 8, 0, tzinfo=UTC)
    alice, bob = (contoso.jira.accounts[contoso.account(who)] for who in (ALICE, BOB))
    issue = contoso.issue(1)
    for author in (alice, alice, bob):
        contoso.jira.add_worklog(issue, author, start, 3600, "By hand")
    contoso.jira.add_worklog(issue, alice, start + timedelta(seconds=1), 3600, "A second later")
    for text in ("One", "Two", "Three"):
        contoso.log(ALICE, 1, "2024-03-15T09:00:00", 3600, text)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"lookalikes": lookalikes}))
    run = twinlog.migrate(status=None)
    assert {name: run[name] for name in expected} == expected
    assert {row["code"] for row in run["failures"]} == ({"lookalike"} if expected["parked"] else set())
    assert len(contoso.jira.worklogs) == 4 + expected["created"]
    again = twinlog.migrate(status=None)
    assert (again["written"], again["linked"], again["parked"]) == (0, 0, expected["parked"])
    assert twinlog.run("balance", "contoso-to-jca", "--json").data["balanced"]
