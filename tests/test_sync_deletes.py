"""What was deleted on one side of a sync, and what only seems to be."""

from datetime import UTC, datetime, timedelta

import pytest
from twinlog_process import DATABASES, on_sqlite
from two_clouds import ALICE, BOB, TwoClouds, changes, day

from connections.sandbox import Fault, FaultKind

LATEST_ENTRY = datetime(2026, 3, 1, 8, tzinfo=UTC)
PAPERTRAIL = "*/papertrail/search"
OLDER_LIST = "*/papertrail/1/events/deleted/types/worklog"


def much(count):
    """Two Jiras; Alice has logged so many entries on DEV-1."""
    clouds = TwoClouds("jira", "jira")
    jira = clouds.jiras["left"]
    issue, alice = jira.issue("DEV-1"), jira.account_of(ALICE.email)
    for number in range(count):
        jira.add_worklog(issue, alice, LATEST_ENTRY - timedelta(hours=number), 3600, f"Entry {number}")
    return clouds


def delete_in_jira(pair, side, count):
    """Somebody deletes the first so many worklogs of a Jira, all at once."""
    jira = pair.clouds.jiras[side]
    for row in sorted(jira.worklogs.values(), key=lambda row: row.id)[:count]:
        jira.drop_worklog(jira.issues[row.issue_id], row, jira.tick(pair.clouds.world.clock()))
    pair.hands.settle()


def count(pair):
    return len(pair.rows("left")), len(pair.rows("right"))


@pytest.fixture
def twins(syncing):
    """Alice's entry from the left and Bob's from the right, each with its copy."""

    def begun(left="tempo", right="tempo", **options):
        pair = syncing(left, right, **options)
        pair.hands.log("left", ALICE, "DEV-1", day(1))
        pair.hands.log("right", BOB, "EXT-2", day(2))
        pair.sync()
        return pair

    return begun


@pytest.mark.parametrize(("left", "right"), [("tempo", "jira"), ("jira", "tempo")])
@on_sqlite
def test_a_deleted_copy_takes_its_original_along(twins, left, right):
    """Whichever of the two is deleted, on either side, the other one goes; nobody's other work does."""
    pair = twins(left, right)
    pair.hands.log("right", BOB, "EXT-1", day(5), text="stays")
    pair.hands.delete("right", next(row.id for row in pair.rows("right") if "stays" not in row.text
                                    and row.issue == "EXT-1"))  # fmt: skip
    pair.hands.delete("left", pair.one("left", "DEV-2").id)
    run = pair.sync()
    assert (run["deleted"], run["created"]) == (2, 1)
    assert [one.text for one in pair.clouds.told("left")] == ["stays"]
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert pair.is_quiet()


@on_sqlite
def test_deleted_on_both_sides_is_over(twins):
    """Nothing is left to do, and nothing is asked of anybody."""
    pair = twins()
    pair.hands.delete("left", pair.one("left", "DEV-1").id)
    pair.hands.delete("right", pair.one("right", "EXT-1").id)
    run = pair.sync()
    assert (run["written"], run["failed"], run["parked"]) == (0, 0, 0)
    assert pair.is_quiet()


@on_sqlite
def test_kept_is_what_one_side_deleted_where_told_so(twins):
    """`keep`: the other one stays by itself; a later edit of it goes nowhere, and it is never written back."""
    pair = twins(deletes="keep")
    pair.hands.delete("left", pair.one("left", "DEV-1").id)
    pair.hands.delete("left", pair.one("left", "DEV-2").id)
    assert pair.sync()["written"] == 0
    assert count(pair) == (0, 2)
    pair.hands.change("right", pair.one("right", "EXT-1").id, length="2h")
    assert pair.sync("--full")["written"] == 0
    assert count(pair) == (0, 2)
    assert pair.is_quiet()


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_parked_deletions_wait_until_somebody_allows_them(twins):
    """`park`: each is told once and stands as long as nobody decides: one is kept by name, the rest is allowed."""
    pair = twins(deletes="park")
    first, second = pair.one("left", "DEV-1").id, pair.one("left", "DEV-2").id
    pair.hands.delete("left", first)
    pair.hands.delete("left", second)
    run = pair.sync(status=1)
    assert (run["parked"], run["deleted"]) == (2, 0)
    assert {(row["entry"], row["code"], row["parked"]) for row in run["failures"]} == {
        (str(first), "deletes_held", True), (str(second), "deletes_held", True),
    }  # fmt: skip
    assert pair.sync(status=1)["parked"] == 2
    pair.decide("jca-tempo", first, "keep")
    run = pair.sync(status=1)
    assert (run["parked"], run["deleted"]) == (1, 0)
    assert pair.sync("--allow-deletes", "1")["deleted"] == 1
    assert [row.issue for row in pair.rows("right")] == ["EXT-1"]
    assert pair.is_quiet()


@on_sqlite
def test_one_parked_deletion_is_carried_out_by_name(twins):
    """She says delete about one of them: that one goes."""
    pair = twins(deletes="park")
    entry = pair.one("left", "DEV-1").id
    pair.hands.delete("left", entry)
    pair.sync(status=1)
    pair.decide("jca-tempo", entry, "delete")
    assert pair.sync()["deleted"] == 1
    assert [row.issue for row in pair.rows("right")] == ["EXT-2"]


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_mass_deletion_is_held_until_it_is_allowed(syncing):
    """More than 50 and more than 5 % of the known twins: none of them, whichever side they are of, but new work goes
    on; what is allowed must cover them all."""
    pair = syncing(clouds=much(60))
    assert pair.sync()["created"] == 60
    delete_in_jira(pair, "left", 50)
    delete_in_jira(pair, "right", 0)
    pair.hands.log("left", BOB, "DEV-2", day(5), text="new")
    last = pair.rows("left")[0].id
    pair.hands.delete("left", last)
    run = pair.sync(status=1)
    assert (run["parked"], run["deleted"], run["created"]) == (51, 0, 1)
    assert {row["code"] for row in run["failures"]} == {"deletes_held"}
    assert count(pair) == (10, 61)
    assert pair.sync("--allow-deletes", "50", status=1)["deleted"] == 0
    run = pair.sync("--allow-deletes", "51")
    assert (run["deleted"], run["parked"]) == (51, 0)
    assert count(pair) == (10, 10)
    assert pair.is_quiet()


@on_sqlite
def test_fifty_deletions_are_no_mass(syncing):
    """Fifty of sixty go without a question."""
    pair = syncing(clouds=much(60))
    pair.sync()
    delete_in_jira(pair, "right", 50)
    assert pair.sync()["deleted"] == 50
    assert count(pair) == (10, 10)


@on_sqlite
def test_moved_entries_are_no_deletions(syncing):
    """Jira's bulk move keeps their ids: sixty updates, which a full run finds, and nothing for the guard. The copies
    are written anew and deleted, which does not come back either."""
    pair = syncing(clouds=much(60))
    pair.sync()
    for row in pair.rows("left"):
        pair.sandbox.by_hand("jca", "move", number=str(row.id), on="DEV-3")
    run = pair.sync("--full")
    assert (run["updated"], run["deleted"], run["created"], run["parked"]) == (60, 0, 0, 0)
    assert {row.issue for row in pair.rows("right")} == {"EXT-3"}
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert pair.sync()["written"] == 0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("left", "right"), [("tempo", "jira"), ("jira", "tempo")])
@on_sqlite
def test_what_cannot_be_seen_is_not_deleted(twins, left, right, side):
    """Somebody hides the issue from our account: nothing is deleted on either side, and once it is back nothing is
    written."""
    pair = twins(left, right)
    for number in (1, 2):
        pair.clouds.jiras[side].issue(f"{'DEV' if side == 'left' else 'EXT'}-{number}").visible = False
    pair.sandbox.calls.clear()
    pair.sync(status=None)
    pair.sync("--full", status=None)
    assert changes(pair.sandbox) == []
    assert count(pair) == (2, 2)
    for issue in pair.clouds.jiras[side].issues.values():
        issue.visible = True
    assert pair.sync("--full")["written"] == 0
    assert count(pair) == (2, 2)


@on_sqlite
def test_a_refused_audit_log_is_asked_by_its_older_name(twins):
    """Tempo refuses the audit log: the list of deleted worklogs tells the same."""
    pair = twins()
    pair.sandbox.faults.add(Fault(FaultKind.STATUS, path=PAPERTRAIL, status=403))
    pair.hands.delete("left", pair.one("left", "DEV-1").id)
    assert pair.sync()["deleted"] == 1
    assert [row.issue for row in pair.rows("right")] == ["EXT-2"]


@on_sqlite
def test_deletions_that_no_list_tells_are_found_by_a_full_run(twins):
    """Both lists are refused: runs go on and say nothing of it in their status; the full run misses what is gone."""
    pair = twins()
    for path in (PAPERTRAIL, OLDER_LIST):
        pair.sandbox.faults.add(Fault(FaultKind.STATUS, path=path, status=403))
    pair.hands.delete("left", pair.one("left", "DEV-1").id)
    pair.hands.delete("right", pair.one("right", "EXT-2").id)
    pair.hands.log("left", ALICE, "DEV-3", day(4), text="new")
    run = pair.sync()
    assert (run["deleted"], run["created"]) == (0, 1)
    assert pair.sync("--full")["deleted"] == 2
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert [row.text for row in pair.rows("right")] == ["new"]


@on_sqlite
def test_ids_of_jira_in_the_audit_log_delete_nothing(syncing):
    """Tempo's audit log may tell Jira's id of a deleted worklog: the one that has this id in Tempo still stands."""
    clouds = TwoClouds()
    clouds.sites["left"].audit_ids = "jira"
    clouds.jiras["left"].next_worklog_id = 0
    pair = syncing(clouds=clouds)
    first, second = (pair.hands.log("left", ALICE, "DEV-1", day(number)) for number in (1, 2))
    pair.sync()
    assert {clouds.sites["left"].worklogs[one].jira_worklog_id for one in (first, second)} == {1, 2}
    pair.hands.delete("left", second)
    pair.hands.log("left", ALICE, "DEV-2", day(3))
    pair.sync("--full")
    assert first in {row.id for row in pair.rows("left")}
    assert pair.clouds.told("left") == pair.clouds.told("right")
