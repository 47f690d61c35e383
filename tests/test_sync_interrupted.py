"""A sync that was killed, cut off or refused goes on where it was; nothing stands twice, nothing is lost."""

from datetime import UTC, date, datetime, timedelta

import pytest
from twinlog_process import DATABASES, IMPATIENT, SOON, on_sqlite, until
from two_clouds import ALICE, BOB, TwoClouds, changes, day

from connections.sandbox import Fault, FaultKind
from connections.sandbox.world import TempoAttribute

EACH = 30
FIRST_HOUR = datetime(2026, 3, 1, 8, tzinfo=UTC)
COMMAND = ("sync", TwoClouds.name, "--json")


@pytest.fixture
def busy(syncing):
    """A Jira and a Tempo. Alice has logged thirty entries there and Bob thirty here, on three issues each."""
    clouds = TwoClouds("jira", "tempo")
    jira = clouds.jiras["left"]
    for number in range(EACH):
        issue = jira.issue(f"DEV-{number % 3 + 1}")
        start = FIRST_HOUR + timedelta(hours=number)
        jira.add_worklog(issue, jira.account_of(ALICE.email), start, 3600, f"Alice {number}")
    pair = syncing(clouds=clouds)
    for number in range(EACH):
        started = (FIRST_HOUR + timedelta(hours=number)).replace(tzinfo=None).isoformat()
        issue = f"EXT-{number % 3 + 1}"
        pair.sandbox.by_hand(
            "jcb-tempo",
            "log",
            author=BOB.email,
            on=issue,
            started=started,
            length="30m",
            text=f"Bob {number}",
        )
    pair.hands.settle()
    return pair


def each_once(pair):
    """Both sides tell the same, and every entry of either once."""
    left, right = pair.clouds.told("left"), pair.clouds.told("right")
    assert left == right
    texts = [f"{who} {number}" for who in ("Alice", "Bob") for number in range(EACH)]
    assert sorted(one.text for one in left) == sorted(texts)


def written(pair):
    """How many copies stand."""
    return len(pair.rows("left")) + len(pair.rows("right")) - 2 * EACH


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_sync_that_is_killed_carries_each_entry_once(busy, twinlog):
    """Killed while it writes, twice, on both sides; then it is let go on, and the next one has nothing to do."""
    busy.clouds.world.set_latency(0.02)
    for enough in (5, 25):
        running = twinlog.begin(*COMMAND, constants=SOON)
        until(lambda enough=enough, running=running: written(busy) >= enough or running.ended)
        assert not running.ended
        running.kill()
        running.wait()
    busy.clouds.world.set_latency(0)
    run = busy.sync(constants=SOON)
    assert (run["failed"], run["parked"]) == (0, 0)
    each_once(busy)
    assert busy.is_quiet()


@on_sqlite
def test_a_killed_sync_leaves_edits_and_deletions_to_be_done(busy, twinlog):
    """Every entry was changed on one side or deleted there when the run was killed: all of it arrives."""
    busy.sync()
    jira, tempo = busy.clouds.sites["left"], busy.clouds.sites["right"]
    for row in list(jira.worklogs.values()):
        if row.author_id == busy.clouds.account("left", ALICE):
            number = int(row.text.split()[1])
            values = {"action": "delete"} if number % 3 == 0 else {"action": "change", "length": "2h"}
            busy.sandbox.by_hand("jca", number=str(row.id), **values)
    busy.hands.settle()
    busy.clouds.world.set_latency(0.05)
    running = twinlog.begin(*COMMAND, constants=SOON)
    until(lambda: any(row.seconds == 7200 for row in tempo.worklogs.values()) or running.ended)
    assert not running.ended
    running.kill()
    running.wait()
    busy.clouds.world.set_latency(0)
    run = busy.sync(constants=SOON)
    assert (run["failed"], run["parked"]) == (0, 0)
    left, right = busy.clouds.told("left"), busy.clouds.told("right")
    assert left == right
    assert [one.seconds for one in left if one.who == "Alice Smith"] == [7200] * 20
    assert busy.is_quiet()


@on_sqlite
@pytest.mark.parametrize("what", [FaultKind.CUT_AFTER, FaultKind.BROKEN_BODY, FaultKind.CUT_BEFORE])
def test_a_write_without_an_answer_is_looked_for(busy, what):
    """The connection breaks on either site after or before the work was done: nobody knows, so it is looked for by
    its marker or by its look, and written again only where it is not there."""
    for site, path in (("jca", "*/worklog"), ("jcb-tempo", "*/worklogs*")):
        fault = Fault(what, site=site, method="POST", path=path, after=3, every=5, times=3)
        busy.sandbox.faults.add(fault)
    run = busy.sync(constants=SOON | IMPATIENT)
    assert (run["created"], run["failed"], run["parked"]) == (2 * EACH, 0, 0)
    each_once(busy)
    assert busy.is_quiet()


@on_sqlite
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_edit_or_a_deletion_without_an_answer_happens_once(syncing, method):
    """Whether it happened shows by what stands there; the run ends well, and the next one has nothing to do."""
    pair = syncing("jira", "tempo")
    here = pair.hands.log("left", ALICE, "DEV-1", day(1))
    there = pair.hands.log("right", BOB, "EXT-2", day(2))
    pair.sync()
    for side, entry in (("left", here), ("right", there)):
        pair.hands.change(side, entry, length="2h") if method == "PUT" else pair.hands.delete(side, entry)
    pair.sandbox.faults.add(Fault(FaultKind.CUT_AFTER, method=method, times=2))
    run = pair.sync(status=None, constants=SOON | IMPATIENT)
    if run["failed"]:
        run = pair.sync(constants=SOON)
    assert run["failures"] == []
    left, right = pair.clouds.told("left"), pair.clouds.told("right")
    assert left == right
    assert [one.seconds for one in left] == ([7200, 7200] if method == "PUT" else [])
    assert pair.is_quiet()


@on_sqlite
def test_single_errors_pass(busy):
    """Every fourth call ends with 500, some after the work was done: nobody notices."""
    busy.sandbox.faults.add(Fault(FaultKind.STATUS, status=500, every=4, times=20))
    busy.sandbox.faults.add(
        Fault(FaultKind.STATUS, status=502, method="POST", path="*/worklog*", every=5, done=True, times=5)
    )
    run = busy.sync(constants=SOON | IMPATIENT)
    assert (run["created"], run["failed"]) == (2 * EACH, 0)
    each_once(busy)


@on_sqlite
@pytest.mark.parametrize(("site", "after"), [("jca", 20), ("jcb-tempo", 3)])
def test_a_token_refused_meanwhile_stops_the_run(busy, site, after):
    """Status 3 and the reason; with the token back the rest is carried."""
    refusal = Fault(FaultKind.STATUS, site=site, status=401, after=after)
    busy.sandbox.faults.add(refusal)
    run = busy.sync(status=3)
    assert (run["state"], run["code"]) == ("stopped", "auth_failed")
    busy.sandbox.faults.clear()
    again = busy.sync(constants=SOON)
    assert again["failed"] == 0
    each_once(busy)


@on_sqlite
def test_a_site_that_is_down_stops_the_run(busy):
    """Ten failed calls in a row (here over two seconds): status 3; nothing was deleted for it, and it goes on later."""
    busy.sandbox.faults.add(Fault(FaultKind.STATUS, site="jcb-tempo", status=503, after=3))
    run = busy.sync(status=3, constants=IMPATIENT | SOON)
    assert (run["state"], run["code"]) == ("stopped", "site_unavailable")
    busy.sandbox.faults.clear()
    assert busy.sync(constants=SOON)["deleted"] == 0
    each_once(busy)


# --- entries that wait


def closed_issue(pair):
    pair.clouds.jiras["right"].issue("EXT-1").editable = False


def open_issue(pair):
    pair.clouds.jiras["right"].issue("EXT-1").editable = True


def closed_period(pair):
    pair.clouds.sites["right"].closed_periods.append((date(2026, 3, 1), date(2026, 3, 31)))


def open_period(pair):
    pair.clouds.sites["right"].closed_periods.clear()


def required_attribute(pair):
    attributes = pair.clouds.sites["right"].attributes
    attributes["_Cost_"] = TempoAttribute("_Cost_", "Cost centre", required=True)


def free_attribute(pair):
    del pair.clouds.sites["right"].attributes["_Cost_"]


def inactive_author(pair):
    pair.clouds.jiras["right"].account_of(ALICE.email).active = False


def active_author(pair):
    pair.clouds.jiras["right"].account_of(ALICE.email).active = True


@pytest.mark.parametrize(
    ("right", "code", "close", "reopen", "flags"),
    [
        ("jira", "issue_not_editable", closed_issue, open_issue, ()),
        ("tempo", "period_closed", closed_period, open_period, ("--retry",)),
        ("tempo", "attribute_required", required_attribute, free_attribute, ()),
        ("tempo", "author_inactive", inactive_author, active_author, ("--retry",)),
    ],
    ids=["issue closed", "period closed", "attribute required", "author inactive"],
)
@on_sqlite
def test_a_refused_edit_waits_and_is_not_posted_again(syncing, right, code, close, reopen, flags):
    """Alice's edit is refused over there: it fails with its reason, everything else goes on, no run posts it again;
    once the cause is gone it arrives, and what happened here meanwhile with it."""
    pair = syncing("tempo", right)
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    close(pair)
    pair.hands.change("left", entry, length="2h")
    run = pair.sync(status=1)
    assert (run["failed"], run["updated"]) == (1, 0)
    (row,) = run["failures"]
    assert (row["entry"], row["code"], row["issue"], row["parked"]) == (str(entry), code, "EXT-1", False)
    pair.sandbox.calls.clear()
    assert pair.sync(status=1)["failed"] == 1
    assert changes(pair.sandbox) == []
    pair.hands.change("left", entry, text="meanwhile", length="3h") if code == "issue_not_editable" else None
    reopen(pair)
    assert pair.sync(*flags)["updated"] == 1
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert pair.is_quiet()


@on_sqlite
def test_a_refused_copy_waits_and_an_edited_entry_is_tried_at_once(syncing):
    """A new entry in a closed period: it waits. Alice moves it to an open day: that is another entry to Tempo."""
    pair = syncing()
    closed_period(pair)
    entry = pair.hands.log("left", ALICE, "DEV-1", day(5))
    assert pair.sync(status=1)["failures"][0]["code"] == "period_closed"
    pair.hands.change("left", entry, started="2026-04-02T09:00:00")
    assert pair.sync()["created"] == 1
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert pair.is_quiet()


@on_sqlite
def test_a_refused_deletion_waits(syncing):
    """Nobody may delete over there: the copy stands and the deletion waits, not posted again; then it is allowed."""
    pair = syncing("tempo", "jira")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    issue = pair.clouds.jiras["right"].issue("EXT-1")
    issue.denied |= {"DELETE_OWN_WORKLOGS", "DELETE_ALL_WORKLOGS"}
    pair.hands.delete("left", entry)
    run = pair.sync(status=1)
    assert (run["failed"], run["failures"][0]["code"]) == (1, "no_permission")
    assert len(pair.rows("right")) == 1
    issue.denied.clear()
    assert pair.sync("--retry")["deleted"] == 1
    assert pair.is_quiet()
