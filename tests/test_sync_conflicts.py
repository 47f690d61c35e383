"""The same entry changed on both sides: who wins, who decides, and which entries were one all along."""

import pytest
from twinlog_process import DATABASES, on_sqlite
from two_clouds import ALICE, BOB, changes, day


def edited_on_both_sides(pair):
    """Three of Alice's entries: of the first the left was edited last, of the second the right, of the third too, and
    there only the left's length and the right's text."""
    left = [
        pair.hands.log("left", ALICE, f"DEV-{number}", day(number), text="agreed") for number in (1, 2, 3)
    ]
    pair.sync()
    right = [pair.one("right", f"EXT-{number}").id for number in (1, 2, 3)]
    pair.hands.change("right", right[0], text="by Bob", length="3h")
    pair.hands.change("left", left[0], text="by Alice", length="2h")
    pair.hands.change("left", left[1], text="by Alice", length="2h")
    pair.hands.change("right", right[1], text="by Bob", length="3h")
    pair.hands.change("left", left[2], length="4h")
    pair.hands.change("right", right[2], text="by both")
    return left


def standing(pair, side):
    return [(row.text, row.seconds // 3600) for row in sorted(pair.rows(side), key=lambda row: row.issue)]


LEFT_WINS, RIGHT_WINS, MERGED = ("by Alice", 2), ("by Bob", 3), ("by both", 4)


@pytest.mark.parametrize(
    ("conflicts", "first", "second"),
    [
        ("latest", LEFT_WINS, RIGHT_WINS),
        ("left", LEFT_WINS, LEFT_WINS),
        ("right", RIGHT_WINS, RIGHT_WINS),
    ],
)
@on_sqlite
def test_the_same_field_goes_by_the_rule(syncing, conflicts, first, second):
    """The latest edit by the vendors' own times, or always one side; fields that nobody else touched are merged."""
    pair = syncing(conflicts=conflicts)
    edited_on_both_sides(pair)
    assert pair.sync()["parked"] == 0
    assert standing(pair, "left") == standing(pair, "right") == [first, second, MERGED]
    assert pair.is_quiet()


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_parked_conflict_waits_for_a_person_and_goes_by_what_she_says(syncing, twinlog):
    """Nothing of it is written, run after run, and status 1 tells; then Alice decides, for either side."""
    pair = syncing(conflicts="park")
    first, second, _ = edited_on_both_sides(pair)
    run = pair.sync(status=1)
    assert (run["parked"], run["updated"]) == (2, 2)
    assert [(row["site"], row["entry"], row["code"], row["parked"]) for row in run["failures"]] == [
        ("jca-tempo", str(first), "conflict", True),
        ("jca-tempo", str(second), "conflict", True),
    ]
    assert standing(pair, "left") == [LEFT_WINS, LEFT_WINS, MERGED]
    assert standing(pair, "right") == [RIGHT_WINS, RIGHT_WINS, MERGED]
    pair.sandbox.calls.clear()
    assert pair.sync(status=1)["parked"] == 2
    assert changes(pair.sandbox) == []
    pair.decide("jca-tempo", first, "right")
    pair.decide("jca-tempo", second, "left")
    assert pair.sync()["updated"] == 2
    assert standing(pair, "left") == standing(pair, "right") == [RIGHT_WINS, LEFT_WINS, MERGED]
    assert twinlog.rows("SELECT count(*) FROM worklogs_verdict") == [(0,)]
    assert pair.is_quiet()


def deleted_and_edited(pair):
    """Of the first entry the right was edited after the left was deleted; of the second before. Of the third and
    fourth it is the other way round."""
    left = [pair.hands.log("left", ALICE, "DEV-1", day(number), text="agreed") for number in (1, 2, 3, 4)]
    pair.sync()
    right = [row.id for row in sorted(pair.rows("right"), key=lambda row: row.started)]
    pair.hands.delete("left", left[0])
    pair.hands.reword("right", right[0], "edited later")
    pair.hands.reword("right", right[1], "edited before")
    pair.hands.delete("left", left[1])
    pair.hands.delete("right", right[2])
    pair.hands.reword("left", left[2], "edited later")
    pair.hands.reword("left", left[3], "edited before")
    pair.hands.delete("right", right[3])
    return left, right


@pytest.mark.parametrize(
    ("conflicts", "days"),
    [("latest", {"01", "03"}), ("left", {"03", "04"}), ("right", {"01", "02"})],
)
@pytest.mark.parametrize(("left", "right"), [("tempo", "tempo"), ("jira", "jira")])
@on_sqlite
def test_deleted_here_and_edited_there(syncing, left, right, conflicts, days):
    """Whichever side wins, both end the same: the entry is deleted, or written anew with the edit."""
    pair = syncing(left, right, conflicts=conflicts)
    deleted_and_edited(pair)
    pair.sync()
    told = pair.clouds.told("left")
    assert told == pair.clouds.told("right")
    assert {one.when[8:10] for one in told} == days
    assert {one.text for one in told} <= {"edited later", "edited before"}
    assert pair.is_quiet()


@on_sqlite
def test_a_deletion_against_an_edit_can_wait_for_a_person(syncing):
    """Parked: what stands, stands. She decides for the edit of one and for the deletion of the other."""
    pair = syncing(conflicts="park")
    left, _ = deleted_and_edited(pair)
    run = pair.sync(status=1)
    assert (run["parked"], run["written"]) == (4, 0)
    assert {row["code"] for row in run["failures"]} == {"conflict"}
    assert (len(pair.rows("left")), len(pair.rows("right"))) == (2, 2)
    for entry, side in zip(left, ("right", "left", "left", "right"), strict=True):
        pair.decide("jca-tempo", entry, side)
    run = pair.sync()
    assert (run["parked"], run["created"], run["deleted"]) == (0, 2, 2)
    told = pair.clouds.told("left")
    assert told == pair.clouds.told("right")
    assert [one.text for one in told] == ["edited later", "edited later"]
    assert pair.is_quiet()


def logged_twice(pair):
    """Alice logged three identical hours on the left, and two of them on the right as well; Bob logged one hour on
    both sides, with other words."""
    for _ in range(3):
        pair.hands.log("left", ALICE, "DEV-1", day(1))
    for _ in range(2):
        pair.hands.log("right", ALICE, "EXT-1", day(1))
    bobs = pair.hands.log("left", BOB, "DEV-2", day(2), text="in these words")
    pair.hands.log("right", BOB, "EXT-2", day(2), text="in other words")
    return bobs


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_lookalikes_are_twins_by_count(syncing):
    """Three here and two there: two are linked and one is written; texts that differ go by the rule of conflicts."""
    pair = syncing(conflicts="left")
    logged_twice(pair)
    run = pair.sync()
    assert (run["created"], run["linked"] + run["updated"]) == (1, 3)
    assert (len(pair.rows("left")), len(pair.rows("right"))) == (4, 4)
    assert pair.clouds.told("left") == pair.clouds.told("right")
    assert pair.one("right", "EXT-2").text == "in these words"
    assert pair.is_quiet()


@on_sqlite
def test_linked_twins_are_kept_the_same_from_then_on(syncing):
    """Nothing is written to link them; a later edit of either one reaches the other."""
    pair = syncing("tempo", "jira")
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    theirs = pair.hands.log("right", ALICE, "EXT-1", day(1))
    pair.sandbox.calls.clear()
    assert pair.sync()["linked"] == 1
    assert changes(pair.sandbox) == []
    pair.hands.change("right", theirs, length="2h")
    assert pair.sync()["updated"] == 1
    assert pair.one("left", "DEV-1").seconds == 7200
    assert pair.is_quiet()


@on_sqlite
def test_lookalikes_are_doubled_where_told_so(syncing):
    """`create`: what looks alike is two entries, and each gets its copy."""
    pair = syncing(lookalikes="create")
    logged_twice(pair)
    assert pair.sync()["created"] == 7
    assert (len(pair.rows("left")), len(pair.rows("right"))) == (7, 7)
    assert pair.is_quiet()


@on_sqlite
def test_lookalikes_wait_for_a_person(syncing):
    """`park`: told once each; one turns out to be the same entry, the other to be two."""
    pair = syncing(lookalikes="park", conflicts="left")
    alices = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.hands.log("right", ALICE, "EXT-1", day(1))
    bobs = pair.hands.log("left", BOB, "DEV-2", day(2))
    pair.hands.log("right", BOB, "EXT-2", day(2))
    run = pair.sync(status=1)
    assert (run["parked"], run["written"]) == (2, 0)
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [
        (str(alices), "lookalike"), (str(bobs), "lookalike"),
    ]  # fmt: skip
    assert pair.sync(status=1)["parked"] == 2
    pair.decide("jca-tempo", alices, "link")
    pair.decide("jca-tempo", bobs, "create")
    run = pair.sync()
    assert (run["linked"], run["created"]) == (1, 2)
    assert sorted(row.issue for row in pair.rows("right")) == ["EXT-1", "EXT-2", "EXT-2"]
    assert sorted(row.issue for row in pair.rows("left")) == ["DEV-1", "DEV-2", "DEV-2"]
    assert pair.is_quiet()
