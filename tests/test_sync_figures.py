"""What a run of a sync says of itself: its JSON, its exit status, its report."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from twinlog_process import DATABASES, on_sqlite, until
from two_clouds import ALICE, BOB, TwoClouds, changes, day

from connections.sandbox import Fault, FaultKind

NAMES = (
    "run", "connection", "kind", "state", "fetched", "created", "updated", "deleted", "linked", "unchanged", "skipped",
    "parked", "failed", "written", "missing_people", "failures", "calls", "seconds",
)  # fmt: skip
FIGURES = ("fetched", "created", "updated", "deleted", "linked", "skipped", "parked", "failed", "written")


@pytest.fixture
def eventful(syncing):
    """Everything at once: something new, edited, moved and deleted, a lookalike, an issue without a twin, and a
    conflict. The moved one has another id since: Tempo cannot do otherwise."""
    pair = syncing(conflicts="park")
    hands = pair.hands
    edited, moved, gone, contested, shortened = (
        hands.log("left", ALICE, issue, day(number))
        for number, issue in enumerate(("DEV-1", "DEV-1", "DEV-1", "DEV-2", "DEV-3"), 1)
    )
    pair.sync()
    hands.change("left", edited, length="2h")
    hands.move("left", moved, "DEV-2")
    hands.delete("left", gone)
    copy = pair.one("right", "EXT-2")
    hands.change("left", contested, length="3h")
    hands.change("right", copy.id, length="4h")
    hands.change("left", shortened, length="5h")
    hands.log("right", BOB, "EXT-1", day(10))
    hands.log("right", BOB, "OWN-1", day(11))
    for side, issue in (("left", "DEV-1"), ("right", "EXT-1")):
        hands.log(side, BOB, issue, day(12))
    return pair, contested, shortened


@pytest.fixture
def refused(eventful):
    """The same, and the last edit's issue is closed over there."""
    pair, contested, shortened = eventful
    pair.clouds.jiras["right"].issue("EXT-3").editable = False
    return pair, contested, shortened


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_run_tells_what_it_did(refused, twinlog):
    """Every name of the contract; a move is an update; both sides' skipped are counted; what is open is named."""
    pair, contested, closed = refused
    run = pair.sync(status=1)
    assert set(NAMES) <= run.keys()
    assert (run["connection"], run["kind"], run["state"]) == (pair.clouds.name, "sync", "finished")
    assert {name: run[name] for name in FIGURES[1:]} == {
        "created": 1, "updated": 2, "deleted": 1, "linked": 1, "skipped": 1, "parked": 1, "failed": 1, "written": 4,
    }  # fmt: skip
    assert [
        (row["entry"], row["site"], row["issue"], row["code"], row["parked"]) for row in run["failures"]
    ] == [
        (str(contested), "jca-tempo", "EXT-2", "conflict", True),
        (str(closed), "jca-tempo", "EXT-3", "issue_not_editable", False),
    ]
    (row,) = [row for row in run["failures"] if not row["parked"]]
    assert (row["person"], row["date"], row["seconds"]) == ("alice@example.com", "2026-03-05", 18000)
    assert row["hint"]
    assert run["calls"].keys() == {"jca", "jca-tempo", "jcb", "jcb-tempo"}
    # One of these was refused.
    assert run["calls"]["jcb-tempo"]["PUT"] == 2
    told = twinlog.run("failures", pair.clouds.name, "--json").data["failures"]
    assert {(row["entry"], row["code"]) for row in told} == {
        (str(contested), "conflict"), (str(closed), "issue_not_editable"),
    }  # fmt: skip


@on_sqlite
def test_the_table_of_failures_names_both_issues(refused, twinlog):
    """One row each, with the side it began on and the issue over there."""
    pair, contested, closed = refused
    pair.sync(status=1)
    out = twinlog.run("failures", pair.clouds.name).out.removeprefix("\ufeff")
    rows = {row["entry"]: row for row in csv.DictReader(io.StringIO(out))}
    assert rows.keys() == {str(contested), str(closed)}
    row = rows[str(closed)]
    assert (row["connection"], row["source_site"], row["target_issue"]) == (
        pair.clouds.name,
        "jca-tempo",
        "EXT-3",
    )
    assert (row["person_email"], row["date"], row["seconds"]) == ("alice@example.com", "2026-03-05", "18000")


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_dry_run_plans_what_the_run_does_and_writes_nothing(eventful, twinlog):
    """Its figures and its failures are those of the run that follows; no side changes, and no cursor moves."""
    pair, _, _ = eventful
    before = pair.rows("left"), pair.rows("right")
    cursors = twinlog.rows("SELECT side, feed, at FROM worklogs_cursor ORDER BY side, feed")
    pair.sandbox.calls.clear()
    planned = pair.sync("--dry-run", status=1)
    assert planned["state"] == "planned"
    assert changes(pair.sandbox) == []
    assert (pair.rows("left"), pair.rows("right")) == before
    assert twinlog.rows("SELECT side, feed, at FROM worklogs_cursor ORDER BY side, feed") == cursors
    done = pair.sync(status=1)
    assert {name: planned[name] for name in FIGURES} == {name: done[name] for name in FIGURES}
    told = [[(row["entry"], row["code"]) for row in run["failures"]] for run in (planned, done)]
    assert told[0] == told[1]


@on_sqlite
def test_a_first_dry_run_plans_everything_once(syncing):
    """Nothing is known yet: new entries of both sides, and a pair that looks alike, which either lane sees."""
    pair = syncing()
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.hands.log("right", BOB, "EXT-1", day(2))
    for side, issue in (("left", "DEV-2"), ("right", "EXT-2")):
        pair.hands.log(side, ALICE, issue, day(3))
    pair.hands.log("left", ALICE, "OWN-1", day(4))
    planned = pair.sync("--dry-run")
    assert (planned["created"], planned["linked"], planned["skipped"]) == (2, 1, 1)
    done = pair.sync()
    assert (done["created"], done["linked"], done["skipped"]) == (2, 1, 1)
    again = pair.sync("--dry-run")
    assert again["written"] == again["linked"] == again["failed"] == 0


@on_sqlite
def test_a_full_run_of_an_unchanged_world_writes_nothing(syncing):
    """It compares everything in scope, on both sides."""
    pair = syncing("tempo", "jira")
    pair.hands.log("left", ALICE, "DEV-1", day(1), length="90s")
    pair.hands.log("right", BOB, "EXT-2", day(2))
    pair.hands.log("left", BOB, "OWN-1", day(2))
    pair.sync()
    pair.sandbox.calls.clear()
    run = pair.sync("--full")
    assert (run["written"], run["failed"], run["skipped"]) == (0, 0, 1)
    assert changes(pair.sandbox) == []


@on_sqlite
def test_status_2_did_not_start(syncing, twinlog):
    """An unknown name, a wrong kind, a refused token, a run that is active already: one JSON object with the code."""
    pair = syncing()

    def code(*command):
        done = twinlog.run(*command, "--json", status=2)
        return done.data["error"]["code"]

    assert code("sync", "nobody") == "unknown_name"
    assert code("migrate_worklogs", pair.clouds.name)
    assert code("sync", pair.clouds.name, "--allow-deletes", "-1") == "bad_arguments"
    pair.sandbox.faults.add(Fault(FaultKind.STATUS, site="jcb", status=401))
    assert code("sync", pair.clouds.name) == "auth_failed"
    pair.sandbox.faults.clear()
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    slow = pair.sandbox.faults.add(Fault(FaultKind.DELAY, site="jcb-tempo", method="POST", delay=30, times=1))
    running = twinlog.begin("sync", pair.clouds.name, "--json")
    until(lambda: slow.hits)
    assert code("sync", pair.clouds.name) == "run_active"
    running.kill()
    running.wait()


@on_sqlite
def test_what_has_failed_stays_told_until_it_is_mended(syncing, twinlog):
    """Runs that do not try it again still count it and end with status 1, and so does the report."""
    pair = syncing("tempo", "jira")
    pair.clouds.jiras["right"].issue("EXT-1").editable = False
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    assert pair.sync(status=1)["failed"] == 1
    again = pair.sync(status=1)
    assert (again["failed"], [row["entry"] for row in again["failures"]]) == (1, [str(entry)])
    assert "issue_not_editable" in twinlog.run("report", pair.clouds.name).out
    pair.hands.delete("left", entry)
    assert pair.sync("--retry")["failed"] == 0
    assert twinlog.run("failures", pair.clouds.name, "--json").data["failures"] == []


@on_sqlite
def test_a_large_pair_is_quiet_with_as_few_calls(syncing):
    """Hundreds of twins on either side: the run after asks no more than for two."""
    clouds = TwoClouds("jira", "jira")
    jira = clouds.jiras["left"]
    for number in range(300):
        begin = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(hours=number)
        jira.add_worklog(
            jira.issue(f"DEV-{number % 3 + 1}"), jira.account_of(ALICE.email), begin, 3600, f"{number}"
        )
    pair = syncing(clouds=clouds)
    assert pair.sync()["created"] == 300
    assert pair.is_quiet()
