"""What people record, change, move and delete on one side of a sync happens on the other one too."""

import pytest
from twinlog_process import on_sqlite
from two_clouds import ALICE, BOB, Told, TwoClouds, changes, day

from connections.sandbox.world import TempoAttribute

KINDS = [("tempo", "tempo"), ("jira", "jira"), ("tempo", "jira"), ("jira", "tempo")]
RUNS = [("sqlite", *kinds) for kinds in KINDS] + [("postgresql", "tempo", "jira")]

HOSTILE = [
    "First line\nsecond line\n\nNew paragraph\n\n\nafter two empty lines",
    "👩‍👩‍👧‍👦 Ärger über ﷽ — 日本語",
    "\u202bשלום\u202c and \u200f back \u200e",
    "\ttabbed\twithin  and   blanks",
    "[Tempo — Nobody on 2026-03-01] is only how it begins",
]


def both(pair):
    """What the two sides tell, which is the same."""
    left, right = pair.clouds.told("left"), pair.clouds.told("right")
    assert left == right
    return left


@pytest.mark.parametrize(("database", "left", "right"), RUNS, indirect=["database"])
def test_whatever_alice_and_bob_do_happens_on_the_other_side(syncing, left, right):
    """They record on either side; then each original and each copy is changed, moved or deleted by somebody; and
    a run in between or afterwards finds nothing to do."""
    pair = syncing(left, right)
    hands = pair.hands
    kept = hands.log("left", ALICE, "DEV-1", day(1), text="begun left")
    moved = hands.log("left", ALICE, "DEV-1", day(2), text="moved left")
    gone = hands.log("left", BOB, "DEV-2", day(3), text="deleted left")
    hands.log("left", ALICE, "OWN-1", day(3), text="nobody's")
    other = hands.log("right", BOB, "EXT-2", day(4), text="begun right")
    away = hands.log("right", BOB, "EXT-1", day(5), text="deleted right")
    hands.log("right", ALICE, "EXT-3", day(6), text="copy changed")
    run = pair.sync()
    assert (run["created"], run["written"], run["skipped"]) == (6, 6, 1)
    assert [one.text for one in both(pair)] == [
        "begun left", "moved left", "deleted right", "deleted left", "begun right", "copy changed",
    ]  # fmt: skip
    assert pair.is_quiet()

    hands.change("left", kept, length="2h", text="changed left")
    hands.change("right", other, started=day(7, 14), text="changed right")
    hands.change("left", pair.one("left", "DEV-3").id, length="30m")
    hands.delete("left", gone)
    hands.delete("right", away)
    run = pair.sync()
    assert (run["created"], run["updated"], run["deleted"], run["failed"]) == (0, 3, 2, 0)
    assert [(one.work, one.who, one.when, one.seconds, one.text) for one in both(pair)] == [
        ("1", "Alice Smith", "2026-03-01T08:00:00+00:00", 7200, "changed left"),
        ("1", "Alice Smith", "2026-03-02T08:00:00+00:00", 3600, "moved left"),
        ("2", "Bob Jones", "2026-03-07T19:00:00+00:00", 3600, "changed right"),
        ("3", "Alice Smith", "2026-03-06T08:00:00+00:00", 1800, "copy changed"),
    ]
    hands.move("left", moved, "DEV-3")
    run = pair.sync("--full")
    assert (run["created"], run["updated"], run["deleted"]) == (0, 1, 0)
    assert [one.text for one in both(pair)] == [
        "changed left", "changed right", "moved left", "copy changed",
    ]  # fmt: skip
    assert pair.is_quiet()


@pytest.mark.parametrize(("left", "right"), KINDS)
@on_sqlite
def test_edits_of_different_fields_meet(syncing, left, right):
    """Alice makes it longer on the left while Bob mends the text on the right: both have both; nobody is asked."""
    pair = syncing(left, right, conflicts="park")
    here = pair.hands.log("left", ALICE, "DEV-1", day(1), text="work")
    there = pair.hands.log("right", BOB, "EXT-2", day(2), text="work")
    pair.sync()
    pair.hands.change("left", here, length="2h")
    pair.hands.reword("right", pair.one("right", "EXT-1").id, "mended")
    pair.hands.change("right", there, started=day(2, 15))
    pair.hands.reword("left", pair.one("left", "DEV-2").id, "told better")
    run = pair.sync()
    assert (run["parked"], run["failed"]) == (0, 0)
    assert both(pair) == [
        Told("1", "Alice Smith", "2026-03-01T08:00:00+00:00", 7200, "mended"),
        Told("2", "Bob Jones", "2026-03-02T20:00:00+00:00", 3600, "told better"),
    ]
    assert pair.is_quiet()


@on_sqlite
def test_both_make_the_same_correction(syncing):
    """Nothing is left to carry: the two agree again, and nothing is written."""
    pair = syncing()
    here = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    pair.hands.change("left", here, length="2h")
    pair.hands.change("right", pair.one("right", "EXT-1").id, length="2h")
    pair.sandbox.calls.clear()
    assert pair.sync()["written"] == 0
    assert changes(pair.sandbox) == []
    assert pair.is_quiet()


@on_sqlite
def test_billable_time_and_attributes_travel_between_two_tempos(syncing):
    """Billable 0 stays 0. Attributes go by key, else by name; a static list by value, else by label; one that the
    other Tempo lacks stays where it is and is no failure."""
    clouds = TwoClouds()
    left, right = clouds.sites["left"], clouds.sites["right"]
    left.attributes |= {
        "_Phase_": TempoAttribute("_Phase_", "Phase"),
        "_Place_": TempoAttribute("_Place_", "Place of work"),
        "_Kind_": TempoAttribute(
            "_Kind_", "Kind", "STATIC_LIST", names={"dev": "Development", "t": "Testing"}
        ),
        "_Ours_": TempoAttribute("_Ours_", "Only ours"),
    }
    right.attributes |= {
        "_Phase_": TempoAttribute("_Phase_", "Stage"),
        "_Location_": TempoAttribute("_Location_", "Place of work"),
        "_Kind_": TempoAttribute(
            "_Kind_", "Kind", "STATIC_LIST", names={"dev": "Programming", "x": "Testing"}
        ),
    }
    pair = syncing(clouds=clouds)
    first = pair.hands.log("left", ALICE, "DEV-1", day(1))
    second = pair.hands.log("left", ALICE, "DEV-2", day(2))
    row = left.worklogs[first]
    row.attributes = {"_Phase_": "design", "_Place_": "home", "_Kind_": "dev", "_Ours_": "secret"}
    row.billable_seconds = 0
    left.worklogs[second].attributes = {"_Kind_": "t"}
    assert pair.sync()["failed"] == 0
    copy = pair.one("right", "EXT-1")
    assert (copy.seconds, copy.billable) == (3600, 0)
    assert copy.attributes == (("_Kind_", "dev"), ("_Location_", "home"), ("_Phase_", "design"))
    assert pair.one("right", "EXT-2").attributes == (("_Kind_", "x"),)
    assert pair.is_quiet()

    right.worklogs[copy.id].attributes["_Phase_"] = "build"
    right.worklogs[copy.id].billable_seconds = 1800
    pair.hands.change("right", copy.id, text="touched")
    assert pair.sync()["updated"] == 1
    mine = pair.one("left", "DEV-1")
    assert (mine.text, mine.billable) == ("touched", 1800)
    assert dict(mine.attributes) == {
        "_Phase_": "build", "_Place_": "home", "_Kind_": "dev", "_Ours_": "secret",
    }  # fmt: skip
    assert pair.is_quiet()


@on_sqlite
def test_what_jira_cannot_hold_stays_in_tempo(syncing):
    """Bob edits Jira's copy: the length follows, billable time and attributes of Tempo's entry stay."""
    clouds = TwoClouds("tempo", "jira")
    tempo = clouds.sites["left"]
    tempo.attributes["_Phase_"] = TempoAttribute("_Phase_", "Phase")
    pair = syncing(clouds=clouds)
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    tempo.worklogs[entry].billable_seconds = 600
    tempo.worklogs[entry].attributes = {"_Phase_": "design"}
    pair.sync()
    pair.hands.change("right", pair.one("right", "EXT-1").id, length="2h")
    assert pair.sync()["updated"] == 1
    mine = pair.one("left", "DEV-1")
    assert (mine.seconds, mine.billable, mine.attributes) == (7200, 600, (("_Phase_", "design"),))


@pytest.mark.parametrize("rounding", ["nearest", "down", "up"])
@on_sqlite
def test_whole_minutes_are_no_edit(syncing, rounding):
    """Jira keeps whole minutes of 100 seconds; an edit of the text there does not bring them back to Tempo."""
    clouds = TwoClouds("tempo", "jira")
    clouds.jiras["right"].rounding = rounding
    pair = syncing(clouds=clouds)
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1), length="100s")
    pair.sync()
    assert pair.one("right", "EXT-1").seconds == (60 if rounding == "down" else 120)
    assert pair.is_quiet()
    pair.hands.reword("right", pair.one("right", "EXT-1").id, "Told better")
    assert pair.sync()["updated"] == 1
    mine = pair.one("left", "DEV-1")
    assert (mine.id, mine.seconds, mine.text) == (entry, 100, "Told better")
    assert pair.is_quiet()


@pytest.mark.parametrize(("left", "right"), KINDS)
@on_sqlite
def test_texts_arrive_to_the_character_both_ways(syncing, left, right):
    """Line breaks, paragraphs, emoji, right-to-left marks and blanks; and none of it comes back as an edit."""
    pair = syncing(left, right)
    for place, text in enumerate(HOSTILE, 1):
        pair.hands.log("left", ALICE, "DEV-1", day(place), text=text)
        pair.hands.log("right", BOB, "EXT-2", day(place), text=text)
    pair.hands.log("left", ALICE, "DEV-3", day(1), text="")
    assert pair.sync()["created"] == 2 * len(HOSTILE) + 1
    assert [one.text for one in both(pair)] == [*HOSTILE, *HOSTILE, ""]
    assert pair.is_quiet()
