"""What went wrong midway, was hidden for a while or looks like something else must not cost anybody's work."""

import pytest
from twinlog_process import SOON, on_sqlite, until
from two_clouds import ALICE, BOB, day

from connections.sandbox import Fault, FaultKind

pytestmark = on_sqlite
CLOSED = '{"errors":[{"message":"The period is closed"}]}'
RICH = {
    "type": "doc",
    "version": 1,
    "content": [
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": "see "},
                {"type": "text", "text": "the plan", "marks": [{"type": "strong"}]},
            ],
        },
        {
            "type": "bulletList",
            "content": [
                {
                    "type": "listItem",
                    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "a"}]}],
                }
            ],
        },
    ],
}  # fmt: skip


def work(pair, side):
    """What stands on one side, as (issue, hours, text)."""
    return [(row.issue, row.seconds / 3600, row.text) for row in pair.rows(side)]


def lose_answers(pair, side, times=1):
    """The next worklogs that are created on this side are kept, but nobody hears of it."""
    site = pair.clouds.sites[side].name
    pair.sandbox.faults.add(
        Fault(FaultKind.CUT_AFTER, site=site, method="POST", path="*/worklogs", times=times)
    )


def slow_searches(pair, side):
    """Whatever is written to this side waits for a look at what stands there."""
    site = pair.clouds.sites[side].name
    pair.sandbox.faults.add(
        Fault(FaultKind.DELAY, site=site, method="POST", path="*/worklogs/search", delay=2.0, times=2)
    )


def refuse(pair, side, method, status=400, path="*", body=CLOSED):
    site = pair.clouds.sites[side].name
    pair.sandbox.faults.add(
        Fault(FaultKind.STATUS, site=site, method=method, path=path, status=status, body=body)
    )


# --- moves


def test_a_recovered_move_deletes_nobody_elses_work(syncing):
    """Bob moves an entry on the right and the answer of the new copy is lost. Ids of both sides are alike: what has
    the old entry's id on the left is other work of his, and stays."""
    pair = syncing()
    unrelated = [pair.hands.log("left", BOB, "OWN-1", day(10 + n), text=f"unrelated {n}") for n in range(3)]
    moved = pair.hands.log("right", BOB, "EXT-1", day(1), text="moved")
    pair.sync()
    pair.hands.move("right", moved, "EXT-3")
    lose_answers(pair, "left")
    pair.sync(constants=SOON)
    pair.hands.change("right", pair.one("right", "EXT-3").id, length="2h")
    pair.sync()
    assert {row.id for row in pair.rows("left")} >= set(unrelated)
    assert [row[0] for row in work(pair, "left")].count("DEV-3") == 1
    assert work(pair, "right") == [("EXT-3", 2, "moved")]
    assert "DEV-1" not in {row.issue for row in pair.rows("left")}


def test_a_move_whose_answer_was_lost_leaves_no_old_copy(syncing):
    """The new copy is found again, the old one goes, and it is not carried back as if it were new."""
    pair = syncing()
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    pair.hands.move("left", entry, "DEV-3")
    lose_answers(pair, "right")
    pair.sync(constants=SOON)
    pair.sync("--full")
    assert work(pair, "right") == [("EXT-3", 1, "one")]
    assert work(pair, "left") == [("DEV-3", 1, "one")]
    assert pair.is_quiet()


def test_a_move_that_stopped_before_its_old_copy_was_deleted_is_ended_by_the_next_run(syncing):
    """The token is refused between the two; with a new one the old copy goes, and is not carried back."""
    pair = syncing()
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    pair.hands.move("left", entry, "DEV-3")
    refuse(pair, "right", "DELETE", status=401)
    pair.sync(status=3)
    assert {row.issue for row in pair.rows("right")} == {"EXT-1", "EXT-3"}
    pair.sandbox.faults.clear()
    pair.sync()
    assert work(pair, "right") == [("EXT-3", 1, "one")]
    pair.sync("--full")
    assert work(pair, "left") == [("DEV-3", 1, "one")]
    assert work(pair, "right") == [("EXT-3", 1, "one")]


# --- hidden, not deleted


def hide(pair, key, visible=False):
    pair.clouds.jiras["left"].issue(key).visible = visible


def test_a_failed_entry_that_is_hidden_later_is_not_deleted(syncing, twinlog):
    """Alice's edit was refused; a day later her project is hidden from our account. Her copy stands, and gets the
    edit once all can be seen again."""
    pair = syncing("jira", "tempo")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    refuse(pair, "right", "PUT")
    pair.hands.change("left", entry, length="2h")
    assert pair.sync(status=1)["failed"] == 1
    pair.sandbox.faults.clear()
    hide(pair, "DEV-1")
    twinlog.change("UPDATE worklogs_entry SET tried_at = '2026-01-01 00:00:00+00:00'")
    assert pair.sync(status=None)["deleted"] == 0
    assert work(pair, "right") == [("EXT-1", 1, "one")]
    hide(pair, "DEV-1", visible=True)
    twinlog.change("UPDATE worklogs_entry SET tried_at = '2026-01-01 00:00:00+00:00'")
    pair.sync()
    assert work(pair, "right") == [("EXT-1", 2, "one")]


def test_a_worklog_that_is_hidden_from_us_is_not_deleted_by_a_full_run(syncing):
    """Alice shows an entry to one group only. Its issue can be seen, it cannot, and no feed has called it deleted."""
    pair = syncing("jira", "tempo")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    row = pair.clouds.sites["left"].worklogs[entry]
    row.visibility = {"type": "group", "identifier": "secret", "value": "secret"}
    assert pair.sync("--full", status=None)["deleted"] == 0
    assert work(pair, "right") == [("EXT-1", 1, "one")]
    row.visibility = None
    assert pair.sync("--full")["written"] == 0
    assert (len(pair.rows("left")), len(pair.rows("right"))) == (1, 1)


def test_a_held_deletion_is_not_carried_out_once_the_original_stands_again(syncing):
    """An operator allows the deletions that wait; meanwhile one of the two entries has been restored."""
    pair = syncing(deletes="park")
    kept, gone = (pair.hands.log("left", ALICE, "DEV-1", day(n), text=f"entry {n}") for n in (1, 2))
    pair.sync()
    site = pair.clouds.sites["left"]
    row = site.worklogs[kept]
    for entry in (kept, gone):
        pair.hands.delete("left", entry)
    assert pair.sync(status=1)["parked"] == 2
    pair.clouds.world.later(3600)
    site.worklogs[kept] = row
    pair.sync("--allow-deletes", "2")
    assert [row.text for row in pair.rows("right")] == ["entry 1"]
    assert [row.text for row in pair.rows("left")] == ["entry 1"]
    assert pair.is_quiet()


@pytest.mark.parametrize("allowed", ["0", "1"])
def test_fewer_deletions_allowed_than_wait_are_none(syncing, allowed):
    """Two wait: neither 0 nor 1 covers them."""
    pair = syncing(deletes="park")
    for number in (1, 2):
        pair.hands.log("left", ALICE, "DEV-1", day(number))
    pair.sync()
    for row in pair.rows("left"):
        pair.hands.delete("left", row.id)
    pair.sync(status=1)
    run = pair.sync("--allow-deletes", allowed, status=1)
    assert (run["deleted"], run["parked"]) == (0, 2)
    assert len(pair.rows("right")) == 2


def test_allowing_no_deletion_holds_each_where_deletions_are_mirrored(syncing):
    """An operator wants to look first: 0 means none, however few there are."""
    pair = syncing()
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    pair.hands.delete("left", pair.one("left", "DEV-1").id)
    run = pair.sync("--allow-deletes", "0", status=1)
    assert (run["deleted"], run["parked"]) == (0, 1)
    assert len(pair.rows("right")) == 1


# --- what looks like something else


def test_a_marker_of_another_connection_links_nothing(syncing):
    """Into the right Jira a third cloud's Twinlog writes too. The entry its marker names has the number of one of
    Alice's, and is not hers."""
    pair = syncing("jira", "jira")
    alices = pair.hands.log("left", ALICE, "DEV-1", day(1), text="Alice's own")
    header = "[Jira — Somebody Else on 2026-03-05]"
    theirs = pair.hands.log(
        "right", BOB, "EXT-1", day(5), length="3h", text=f"{header}\n\nfrom a third cloud"
    )
    marker = {"source": "Jira", "site": "third-cloud", "entry": str(alices), "account": ""}
    pair.clouds.sites["right"].worklogs[theirs].properties["twinlog"] = marker
    pair.sync()
    left, right = ({row.id: row for row in pair.rows(side)} for side in ("left", "right"))
    assert (left[alices].seconds, left[alices].text) == (3600, "Alice's own")
    assert right.pop(theirs).seconds == 10800
    assert [(row.seconds, row.text.endswith("Alice's own")) for row in right.values()] == [(3600, True)]


# --- edits


def test_an_edit_of_the_hours_leaves_the_others_rich_text(syncing):
    """Alice's comment in Jira has bold words and a list, which Tempo cannot hold. The copy's hours are changed."""
    pair = syncing("jira", "tempo")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    row = pair.clouds.sites["left"].worklogs[entry]
    row.comment = RICH
    pair.sync()
    pair.hands.change("right", pair.one("right", "EXT-1").id, length="2h")
    assert pair.sync()["updated"] == 1
    now = pair.clouds.sites["left"].worklogs[entry]
    assert (now.seconds, now.comment) == (7200, RICH)
    assert pair.is_quiet()


def test_both_edits_arrive_although_jira_hides_its_last_minute(syncing):
    """Alice makes it longer on the left; Bob mends the text on the right a moment before the run, and Jira's feed does
    not tell of that yet."""
    pair = syncing("jira", "jira")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    pair.clouds.world.later(3600)
    pair.hands.change("left", entry, length="2h")
    copy = pair.one("right", "EXT-1")
    mended = copy.text.replace("one", "mended")
    pair.sandbox.by_hand("jcb", "change", number=str(copy.id), text=mended)
    pair.sync()
    pair.clouds.world.later(600)
    pair.sync()
    assert work(pair, "left") == [("DEV-1", 2, "mended")]
    assert work(pair, "right") == [("EXT-1", 2, mended)]
    assert pair.is_quiet()


@pytest.mark.parametrize(("verdict", "overruled"), [("left", "right"), ("right", "left")])
def test_a_verdict_for_either_side_is_carried_out(syncing, twinlog, verdict, overruled):
    """The same text was changed on both sides; Alice says whose counts. The lane that has to carry it is the slower
    one: the other finds nothing to do, and leaves her word to it."""
    pair = syncing(conflicts="park")
    pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    pair.sync()
    pair.hands.change("left", pair.one("left", "DEV-1").id, text="said left")
    pair.hands.change("right", pair.one("right", "EXT-1").id, text="said right")
    (open_,) = pair.sync(status=1)["failures"]
    pair.decide(open_["site"], int(open_["entry"]), verdict)
    slow_searches(pair, overruled)
    assert pair.sync()["updated"] == 1
    said = f"said {verdict}"
    assert (pair.clouds.texts("left"), pair.clouds.texts("right")) == ([said], [said])
    assert twinlog.rows("SELECT count(*) FROM worklogs_verdict") == [(0,)]
    assert pair.is_quiet()


def test_an_edit_between_a_lost_answer_and_its_recovery_arrives(syncing, twinlog):
    """The run is killed while its new copy is on its way, and Alice makes the entry longer. The next run reads her edit
    before it finds the copy."""
    pair = syncing()
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), text="one")
    right = pair.clouds.sites["right"].name
    sending = pair.sandbox.faults.add(
        Fault(FaultKind.DELAY, site=right, method="POST", path="*/worklogs", delay=0.5)
    )
    run = twinlog.begin("sync", pair.clouds.name, "--json")
    until(lambda: sending.hits)
    run.kill()
    until(lambda: pair.rows("right"))
    pair.sandbox.faults.clear()
    pair.hands.change("left", entry, length="2h")
    pair.clouds.world.later(1200)
    pair.hands.log("left", BOB, "DEV-2", day(2), text="later")
    slow_searches(pair, "right")
    pair.sync()
    pair.sandbox.faults.clear()
    pair.sync()
    assert work(pair, "right") == [("EXT-1", 2, "one"), ("EXT-2", 1, "later")]
    assert work(pair, "left") == [("DEV-1", 2, "one"), ("DEV-2", 1, "later")]


# --- issues that are paired late


@pytest.fixture
def paired_late(syncing, twinlog):
    """Alice's entry on DEV-9 was left out, until somebody gave that issue its counterpart EXT-9."""
    pair = syncing()
    pair.clouds.jiras["left"].add_issue("DEV-9")
    pair.hands.log("left", ALICE, "DEV-9", day(1), text="backlog")
    pair.sync()
    pair.clouds.world.later(3600)
    pair.hands.log("left", ALICE, "DEV-1", day(2), text="other")
    pair.sync()
    pair.clouds.world.later(3600)
    twinlog.change("UPDATE worklogs_outofscope SET look_after = '2000-01-01 00:00:00'")
    pair.clouds.jiras["right"].add_issue("EXT-9", labels=("twin-DEV-9",))
    return pair


def test_a_dry_run_leaves_the_backlog_of_a_new_pair_to_the_real_one(paired_late):
    """Whatever it has looked at, it has written nothing down; the run after it carries the entry."""
    paired_late.sync("--dry-run")
    assert paired_late.sync()["created"] == 1
    assert paired_late.one("right", "EXT-9").text == "backlog"


def test_a_dry_run_foresees_the_backlog_of_a_new_pair(paired_late):
    """What the real run would carry, it plans."""
    assert paired_late.sync("--dry-run")["created"] == 1


def test_a_stopped_run_leaves_the_backlog_of_a_new_pair_to_the_next(paired_late):
    """It has found the pair and read the entry when its token is refused; the next run carries it."""
    refuse(paired_late, "right", "POST", status=401, path="*/worklogs")
    assert paired_late.sync(status=None).get("created", 0) == 0
    paired_late.sandbox.faults.clear()
    assert paired_late.sync()["created"] == 1
    assert paired_late.one("right", "EXT-9").text == "backlog"


# --- in the queue

SLICES = {
    "worklogs.tasks.SLICE_SECONDS": 2.0,
    "worklogs.tasks.PATIENCE_SECONDS": 0.0,
    "worklogs.changes.IDS_A_PART": 4,
}
MOST = 40
CARRY_ON = f"""
from worklogs.models import Run
from worklogs.tasks import carry_on
run = Run.objects.latest("id").pk
slices = 0
while Run.objects.get(pk=run).state == "running" and slices < {MOST}:
    carry_on(run)
    slices += 1
print(slices)
"""


def test_many_deletions_are_read_in_short_slices(syncing, twinlog):
    """Each is read once more by its id, which takes longer than a slice for all of them: each slice gets further."""
    pair = syncing()
    for number in range(12):
        pair.sandbox.by_hand(
            "jca-tempo", "log", author=pair.clouds.account("left", ALICE), on="DEV-1",
            started=day(1 + number % 28, number % 20), length="1h", text=f"entry {number}",
        )  # fmt: skip
    pair.hands.settle()
    pair.sync()
    for row in pair.rows("left")[:10]:
        pair.sandbox.by_hand("jca-tempo", "delete", number=str(row.id))
    pair.hands.settle()
    slow = Fault(FaultKind.DELAY, site="jca-tempo", method="GET", path="*/worklogs/*", delay=0.1)
    pair.sandbox.faults.add(slow)
    twinlog.run("sync", pair.clouds.name, "--queue", "--json")
    done = twinlog.run("shell", "-v0", "-c", CARRY_ON, constants=SLICES)
    assert 1 < int(done.out.splitlines()[-1]) < MOST
    assert (len(pair.rows("left")), len(pair.rows("right"))) == (2, 2)


HEARD = """
from connections.models import Delivery, Site, Webhook
from django_q.models import OrmQ
from worklogs import tasks
hook = Webhook.objects.create(site=Site.objects.get(name="jcb-tempo"), key="k", event="worklog.created")
Delivery.objects.create(webhook=hook, key="d1", event="worklog.created", worklog="1")
tasks.tick()
heard = 0
while (row := OrmQ.objects.order_by("id").first()) and heard < 10:
    task = row.task
    row.delete()
    getattr(tasks, task["func"].rpartition(".")[2])(*task["args"])
    heard += 1
print(heard)
"""


def test_a_call_from_the_side_nothing_is_carried_from_starts_no_run_after_run(syncing, twinlog):
    """The right Tempo calls about the copy that a one-way sync has written there: the queue is empty soon."""
    pair = syncing(direction="left-to-right")
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    heard = int(twinlog.run("shell", "-v0", "-c", HEARD).out.splitlines()[-1])
    assert heard <= 4
