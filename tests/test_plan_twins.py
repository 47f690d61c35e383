"""What one lane of a sync does with each entry of one issue: every line of the plan.

Alice's work began on the left and has its twin on the right, both in Tempo where nothing else is said.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from two_sides import (
    ALICE,
    BOB,
    DAWN,
    DORA,
    JIRA,
    LEFT,
    NINE,
    RIGHT,
    TEMPO,
    Sync,
    by_hand,
    clock,
    other,
    person,
    twin,
)

from connections.options import Conflicts, Deletes, Lookalikes
from worklogs import plan
from worklogs.merge import BILLABLE, TEXT
from worklogs.plan_twins import Delete, End, Found, Join, Leave, Refusal, Target, Terms, Write, plan_lane

TEMPOS, INTO_JIRA, JIRAS = Sync(TEMPO, TEMPO), Sync(TEMPO, JIRA), Sync(JIRA, JIRA)
LINK, PARK, CREATE = Lookalikes.LINK, Lookalikes.PARK, Lookalikes.CREATE
SIDES = pytest.mark.parametrize("source", [LEFT, RIGHT])


def said(action):
    """An action in words: what, to which worklog, and which fields or code."""
    match action:
        case Write(action=plan.Update(before=before, changed=changed)):
            return f"update {before.entry}: {', '.join(changed)}"
        case Write(action=plan.Move(before=before)):
            return f"move {before.entry}"
        case Write():
            return "create"
        case Delete(before=before):
            return f"delete {before.entry}"
        case Join(standing=standing, unsettled=unsettled):
            return f"join {standing.entry}" + (f", open: {', '.join(sorted(unsettled))}" if unsettled else "")
        case Refusal(why=why):
            return f"{'park' if why.parked else 'refuse'}: {why.code}"
        case Leave(back=back):
            return "leave to the other lane" if back else "leave"
        case End():
            return "end"
    raise AssertionError(action)


def terms(sync, source, deletes=Deletes.MIRROR, holds=False):
    return Terms(sync.lane(source), sync.policy(source), deletes, holds)


# --- entries without a trace


def fresh(sync, rows, standing=(), owned=(), source=LEFT, verdicts=None):
    """The actions for rows that were never carried; `verdicts` by entry."""
    found = [sync.found(row, source, verdict=(verdicts or {}).get(row.entry, "")) for row in rows]
    return plan_lane(found, Target(standing, owned), terms(sync, source))


def planned(*args, **more):
    return [said(action) for action in fresh(*args, **more)]


def hers(side=LEFT, entry="", kind=TEMPO, **more):
    """Alice's worklog as she entered it on this side."""
    return by_hand(side, kind, entry or f"{side[0]}1", **more)


def bots(source, entry, sync=INTO_JIRA, **more):
    """The copy that this connection wrote of an entry."""
    return sync.copy(source, LEFT, entry, **more)


ONE, TWO, THREE = hers(), hers(entry="l2"), hers(entry="l3")
R1, R2 = hers(RIGHT), hers(RIGHT, "r2")
LATER = NINE + timedelta(hours=1)


@pytest.mark.parametrize(
    ("sync", "rows", "standing", "owned", "expected"),
    [
        pytest.param(TEMPOS, [ONE], [], [], ["create"], id="nothing there"),
        pytest.param(INTO_JIRA, [ONE], [], [], ["create"], id="nothing there, in Jira"),
        pytest.param(TEMPOS, [ONE], [R1], [], ["join r1"], id="the same work was entered on both sides"),
        pytest.param(TEMPOS, [ONE], [R1], ["r1"], ["create"], id="a trace owns it"),
        pytest.param(TEMPOS, [ONE], [hers(RIGHT, at=LATER)], [], ["create"], id="another start"),
        pytest.param(TEMPOS, [ONE], [hers(RIGHT, seconds=60)], [], ["create"], id="another length"),
        pytest.param(TEMPOS, [ONE], [hers(RIGHT, name=DORA)], [], ["create"], id="another person"),
        pytest.param(TEMPOS, [ONE], [hers(RIGHT, work="R2")], [], ["create"], id="another issue"),
        pytest.param(
            TEMPOS, [ONE], [hers(RIGHT, text="?")], [], ["join r1, open: text"], id="another text is open"
        ),
        pytest.param(
            TEMPOS, [ONE], [hers(RIGHT, billable=0)], [], ["join r1, open: billable"], id="so is billable time"
        ),
        pytest.param(
            TEMPOS,
            [hers(attributes=(("_Task_", "Repair"), ("_Left_", "1")))],
            [hers(RIGHT, attributes=(("_Aufgabe_", "Travel"),))],
            [],
            ["join r1, open: attribute _Aufgabe_"],
            id="so is an attribute that both sides hold",
        ),
        pytest.param(
            INTO_JIRA,
            [hers(billable=0, attributes=(("_Task_", "Repair"),))],
            [hers(RIGHT, kind=JIRA)],
            [],
            ["join r1"],
            id="what Jira cannot hold is not open",
        ),
        pytest.param(
            INTO_JIRA, [ONE], [bots(ONE, "r1", marker="")], [], ["join r1"], id="a header is no difference"
        ),
        pytest.param(TEMPOS, [ONE, TWO], [R1], [], ["join r1", "create"], id="two entries own but one"),
        pytest.param(TEMPOS, [ONE], [R1, R2], [], ["join r1"], id="one entry owns but one of two"),
        pytest.param(TEMPOS, [ONE, TWO], [R1, R2], [], ["join r1", "join r2"], id="two own two"),
        pytest.param(
            TEMPOS,
            [ONE, hers(entry="l2", text="?")],
            [hers(RIGHT, text="?"), R2],
            [],
            ["join r2", "join r1"],
            id="each takes the one with its own text",
        ),
        pytest.param(
            INTO_JIRA, [ONE], [bots(ONE, "r1", text="?", seconds=60)], [], ["join r1, open: text"], id="its marker"
        ),
        pytest.param(
            INTO_JIRA,
            [ONE, TWO],
            [bots(TWO, "r1")],
            [],
            ["create", "join r1"],
            id="a marker names the one it is a copy of",
        ),
        pytest.param(
            INTO_JIRA,
            [ONE],
            [bots(ONE, "r1", marker="77")],
            [],
            ["join r1"],
            id="the marker of another connection says nothing here",
        ),
        pytest.param(
            replace(TEMPOS, lookalikes=PARK), [ONE], [R1], [], ["park: lookalike"], id="a person decides"
        ),
        pytest.param(
            replace(TEMPOS, lookalikes=PARK),
            [ONE, TWO],
            [R1],
            [],
            ["park: lookalike", "create"],
            id="a person decides about as many as there are",
        ),
        pytest.param(
            replace(INTO_JIRA, lookalikes=PARK), [ONE], [bots(ONE, "r1")], [], ["join r1"], id="not about a marker"
        ),
        pytest.param(replace(TEMPOS, lookalikes=CREATE), [ONE], [R1], [], ["create"], id="lookalikes are others"),
        pytest.param(
            replace(INTO_JIRA, lookalikes=CREATE), [ONE], [bots(ONE, "r1")], [], ["join r1"], id="a marked one is not"
        ),
    ],
)  # fmt: skip
def test_an_entry_seen_for_the_first_time(sync, rows, standing, owned, expected):
    assert planned(sync, rows, standing, owned) == expected


@pytest.mark.parametrize(
    ("lookalikes", "verdict", "expected"),
    [
        (PARK, "link", "join r1"),
        (PARK, "create", "create"),
        (LINK, "create", "create"),
        (PARK, "", "park: lookalike"),
    ],
)
def test_what_a_person_has_decided_about_a_lookalike(lookalikes, verdict, expected):
    sync = replace(TEMPOS, lookalikes=lookalikes)
    assert planned(sync, [ONE], [R1], verdicts={"l1": verdict}) == [expected]


def test_a_lookalike_that_one_entry_does_not_want_is_free_for_the_next():
    sync = replace(TEMPOS, lookalikes=PARK)
    assert planned(sync, [ONE, TWO], [R1], verdicts={"l1": "create"}) == ["create", "park: lookalike"]


def test_a_parked_lookalike_is_told_by_the_lane_from_the_left():
    sync = replace(TEMPOS, lookalikes=PARK)
    assert planned(sync, [R1], [ONE], source=RIGHT) == ["leave to the other lane"]
    assert planned(replace(sync, goes_back=False), [R1], [ONE], source=RIGHT) == ["park: lookalike"]


@pytest.mark.parametrize("sync", [TEMPOS, INTO_JIRA, JIRAS])
def test_what_nobody_wrote_yet_is_written_whole(sync):
    (action,) = fresh(sync, [hers(kind=sync.left)])
    copy = action.action.mapped.copy
    assert (copy.work, copy.seconds, copy.marker) == ("R1", 3600, "l1")
    assert action.merge is None


def test_a_copy_whose_trace_was_lost_is_no_new_entry():
    """The lane back finds the copy as if somebody had entered it: its marker names the original."""
    original, copy = hers(kind=JIRA), bots(hers(kind=JIRA), "r1", JIRAS)
    (action,) = fresh(JIRAS, [copy], [original], source=RIGHT)
    assert said(action) == "join l1"
    assert action.target_is_copy is False
    (action,) = fresh(JIRAS, [original], [copy])
    assert action.target_is_copy is True


def test_an_original_has_one_copy_only():
    copies = [bots(hers(kind=JIRA), entry, JIRAS) for entry in ("r1", "r2")]
    assert planned(JIRAS, copies, [hers(kind=JIRA)], source=RIGHT) == ["join l1", "create"]


def test_a_marker_with_the_number_of_another_entry_says_nothing():
    """It was left by another connection: what bears it is another length."""
    copy = bots(hers(kind=JIRA), "r1", JIRAS, seconds=60)
    assert planned(JIRAS, [copy], [hers(kind=JIRA)], source=RIGHT) == ["create"]


def test_an_entry_that_was_deleted_before_it_was_carried_is_done_with():
    found = replace(TEMPOS.found(ONE, LEFT), gone=True)
    assert said(plan_lane([found], Target([R1]), terms(TEMPOS, LEFT))[0]) == "end"


def test_a_deleted_entry_takes_no_lookalike():
    found = [replace(TEMPOS.found(ONE, LEFT), gone=True), TEMPOS.found(TWO, LEFT)]
    actions = plan_lane(found, Target([R1]), terms(TEMPOS, LEFT))
    assert [said(action) for action in actions] == ["end", "join r1"]


# --- entries with a trace

GONE_AT = {"earlier": 5, "with it": 10, "later": 20}


@dataclass
class Twins:
    """Alice's entry `l1` and its twin `r1`: what was agreed, what happened since on either side."""

    sync: Sync = TEMPOS
    deletes: Deletes = Deletes.MIRROR
    holds: bool = False
    verdict: str = ""
    ended: bool = False
    rows: dict = field(default_factory=dict)
    gone: dict = field(default_factory=dict)
    began: object = LEFT

    def __post_init__(self):
        left = hers(kind=self.sync.left)
        self.agreed = {LEFT: left, RIGHT: self.sync.copy(left, LEFT, "r1", updated=clock(1))}
        self.rows = dict(self.agreed)

    def edit(self, side, at=10, **changes):
        self.rows[side] = self.rows[side].with_(**{"updated": clock(at), **changes})
        return self

    def delete(self, side, at=10):
        """`at` None: seen to be gone, nobody knows since when."""
        self.rows[side] = None
        self.gone[side] = None if at is None else DAWN + timedelta(minutes=at)
        return self

    def lose(self, side):
        """It cannot be found any more, and nothing says that it was deleted."""
        self.rows[side] = None
        return self

    def action(self, source):
        target = other(source)
        held = twin(self.agreed[source], self.agreed[target], source)
        held = replace(held, target_is_copy=source is self.began, ended=self.ended)
        row, gone = self.rows[source] or self.agreed[source], source in self.gone
        found = Found(row, self.sync.mapped(row, source), held, gone, self.gone.get(source), self.verdict)
        standing = [row for row in [self.rows[target]] if row]
        there = {self.agreed[side].entry: at for side, at in self.gone.items() if side is target}
        ours = Target(standing, ["l1", "r1"], there)
        return plan_lane([found], ours, terms(self.sync, source, self.deletes, self.holds))[0]

    @property
    def lanes(self):
        """What either lane does: from the left, from the right (None where it has nothing to go by)."""
        known = {side for side in (LEFT, RIGHT) if self.rows[side] or side in self.gone}
        return tuple(said(self.action(side)) if side in known else None for side in (LEFT, RIGHT))


BACK = "leave to the other lane"


def test_what_nobody_touched_is_left():
    assert Twins().lanes == ("leave", "leave")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"seconds": 7200}, "seconds"),
        ({"text": "Fixed it", "billable": 0}, "billable, text"),
        ({"person": person(DORA, LEFT)}, "author"),
        ({"person": person(BOB, LEFT)}, "author"),
        ({"attributes": (("_Task_", "Repair"),)}, "attribute _Aufgabe_"),
        ({"moment": hers(at=LATER).moment}, "start"),
    ],
)
def test_an_edit_updates_the_twin_and_the_lane_back_leaves_it(changes, fields):
    assert Twins().edit(LEFT, **changes).lanes == (f"update r1: {fields}", BACK)


def test_an_edit_of_the_copy_goes_back():
    assert Twins().edit(RIGHT, seconds=7200).lanes == (BACK, "update l1: seconds")


def test_what_moved_to_another_issue_moves_there_too():
    assert Twins().edit(LEFT, work="L2", seconds=7200).lanes == ("move r1", BACK)
    assert Twins().edit(RIGHT, work="R2").lanes == (BACK, "move l1")


def test_different_edits_are_written_by_both_lanes():
    pair = Twins().edit(LEFT, seconds=7200).edit(RIGHT, text="Fixed it")
    assert pair.lanes == ("update r1: seconds", "update l1: text")


def test_the_same_edit_on_both_sides_is_settled_without_a_write():
    pair = Twins().edit(LEFT, seconds=7200).edit(RIGHT, seconds=7200)
    assert pair.lanes == ("leave", "leave")
    assert pair.action(LEFT).merge.equal == {"seconds"}


@pytest.mark.parametrize(
    ("conflicts", "verdict", "expected"),
    [
        (Conflicts.LATEST, "", (BACK, "update l1: text")),
        (Conflicts.LEFT, "", ("update r1: text", BACK)),
        (Conflicts.RIGHT, "", (BACK, "update l1: text")),
        (Conflicts.PARK, "", ("park: conflict", BACK)),
        (Conflicts.PARK, "left", ("update r1: text", BACK)),
        (Conflicts.PARK, "right", (BACK, "update l1: text")),
        (Conflicts.RIGHT, "left", ("update r1: text", BACK)),
    ],
)
def test_a_conflict_is_decided_alike_by_both_lanes(conflicts, verdict, expected):
    pair = Twins(replace(TEMPOS, conflicts=conflicts), verdict=verdict)
    assert pair.edit(LEFT, 10, text="Fixed it").edit(RIGHT, 20, text="Wrote it down").lanes == expected


@pytest.mark.parametrize(
    ("began", "expected"), [(LEFT, ("park: conflict", BACK)), (RIGHT, (BACK, "park: conflict"))]
)
def test_a_conflict_is_told_once_by_the_lane_from_where_the_entry_began(began, expected):
    pair = Twins(replace(TEMPOS, conflicts=Conflicts.PARK), began=began)
    assert pair.edit(LEFT, text="Fixed it").edit(RIGHT, text="Wrote it down").lanes == expected


def test_the_only_lane_there_is_tells_every_conflict():
    pair = Twins(replace(TEMPOS, conflicts=Conflicts.PARK, goes_back=False))
    pair.edit(LEFT, text="Fixed it").edit(RIGHT, text="Wrote it down")
    assert said(pair.action(LEFT)) == said(pair.action(RIGHT)) == "park: conflict"


def test_a_conflict_names_the_fields():
    pair = Twins(replace(TEMPOS, conflicts=Conflicts.PARK))
    why = pair.edit(LEFT, text="1", seconds=60).edit(RIGHT, text="2", seconds=61).action(LEFT).why
    assert "seconds, text" in why.message
    assert why.kind == "parked"


def test_what_jira_cannot_take_over_is_settled_without_a_write():
    """On the right, in Tempo, the work becomes Dora's: in Jira Alice wrote it herself, and Jira never changes that."""
    pair = Twins(Sync(JIRA, TEMPO)).edit(RIGHT, person=person(DORA, RIGHT))
    assert pair.lanes == (BACK, "leave")
    assert pair.action(RIGHT).merge.taken == {"author"}


# Personal tokens.


def jira_copy(before, after, **changes):
    """What is written with Alice's token or without it, after she edited her entry whose copy in Jira was written
    with it (`before`) or without it."""
    pair = Twins(replace(INTO_JIRA, tokens=(ALICE,) if before else ()))
    pair.sync = replace(INTO_JIRA, tokens=(ALICE,) if after else ())
    return pair.edit(LEFT, **changes).action(LEFT).action.mapped


@pytest.mark.parametrize(
    ("before", "after", "changes", "token"),
    [
        (True, True, {"seconds": 7200}, ALICE),
        (False, True, {"seconds": 7200}, ""),
        (True, False, {"seconds": 7200}, ""),
        (True, True, {"person": person(DORA, LEFT)}, ""),
        (True, True, {"work": "L2"}, ALICE),
        (False, True, {"work": "L2"}, ""),
        (True, False, {"work": "L2"}, ""),
    ],
)
def test_a_persons_token_writes_her_own_worklogs_only(before, after, changes, token):
    mapped = jira_copy(before, after, **changes)
    assert mapped.token == token
    if "work" in changes:
        assert mapped.copy.person.account == ("r-alice" if before else "r-bot")
        assert mapped.copy.text.startswith("[Tempo — Alice") is not before


# --- deletions


@pytest.mark.parametrize(("gone", "expected"), [(LEFT, ("delete r1", BACK)), (RIGHT, (BACK, "delete l1"))])
def test_what_was_deleted_on_one_side_is_deleted_on_the_other(gone, expected):
    assert Twins().delete(gone).lanes == expected
    assert Twins().delete(gone, at=None).lanes == expected


def test_what_was_deleted_on_both_sides_is_done_with():
    assert Twins().delete(LEFT).delete(RIGHT).lanes == ("end", "end")


def lanes_after(gone, stands):
    """What the lanes do where one side was deleted and the other edited, by what stands of the two."""
    if stands == "edit":
        return (BACK, "create") if gone is LEFT else ("create", BACK)
    if stands == "deletion":
        return ("delete r1", BACK) if gone is LEFT else (BACK, "delete l1")
    return ("park: conflict", BACK)


@pytest.mark.parametrize("gone", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("conflicts", "verdict", "when", "stands"),
    [
        (Conflicts.LATEST, "", "earlier", {LEFT: "edit", RIGHT: "edit"}),
        (Conflicts.LATEST, "", "later", {LEFT: "deletion", RIGHT: "deletion"}),
        (Conflicts.LATEST, "", "with it", {LEFT: "deletion", RIGHT: "edit"}),
        (Conflicts.LATEST, "", None, {LEFT: "deletion", RIGHT: "deletion"}),
        (Conflicts.LEFT, "", "later", {LEFT: "deletion", RIGHT: "edit"}),
        (Conflicts.RIGHT, "", "earlier", {LEFT: "edit", RIGHT: "deletion"}),
        (Conflicts.PARK, "", "later", {LEFT: "nothing", RIGHT: "nothing"}),
        (Conflicts.PARK, "left", "later", {LEFT: "deletion", RIGHT: "edit"}),
        (Conflicts.PARK, "right", "later", {LEFT: "edit", RIGHT: "deletion"}),
        (Conflicts.PARK, "delete", "earlier", {LEFT: "deletion", RIGHT: "deletion"}),
        (Conflicts.LATEST, "delete", "earlier", {LEFT: "deletion", RIGHT: "deletion"}),
    ],
)
def test_deleted_here_and_edited_there_is_a_conflict(gone, conflicts, verdict, when, stands):
    """The edit is of minute 10; both lanes come to the same."""
    pair = Twins(replace(TEMPOS, conflicts=conflicts), verdict=verdict)
    pair.delete(gone, GONE_AT.get(when)).edit(other(gone), 10, seconds=7200)
    assert pair.lanes == lanes_after(gone, stands[gone])


@pytest.mark.parametrize("gone", [LEFT, RIGHT])
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize(
    ("deletes", "verdict"), [(Deletes.KEEP, ""), (Deletes.MIRROR, "keep"), (Deletes.PARK, "keep")]
)
def test_what_is_to_be_kept_stays_by_itself(gone, edited, deletes, verdict):
    """Even one that is edited: the two are no twins any more."""
    pair = Twins(deletes=deletes, verdict=verdict).delete(gone, at=5)
    if edited:
        pair.edit(other(gone), 10, seconds=7200)
    assert pair.lanes == (("end", BACK) if gone is LEFT else (BACK, "end"))


@pytest.mark.parametrize("gone", [LEFT, RIGHT])
@pytest.mark.parametrize(("deletes", "holds"), [(Deletes.PARK, False), (Deletes.MIRROR, True)])
def test_a_deletion_that_waits_for_a_person(gone, deletes, holds):
    pair = Twins(deletes=deletes, holds=holds).delete(gone)
    parked = "park: deletes_held"
    assert pair.lanes == ((parked, BACK) if gone is LEFT else (BACK, parked))
    pair.verdict = "delete"
    assert pair.lanes == lanes_after(gone, "deletion")
    pair.verdict = ""
    pair.edit(other(gone), 20, seconds=7200)
    assert pair.lanes == lanes_after(gone, "edit")


@pytest.mark.parametrize("gone", [LEFT, RIGHT])
def test_a_deletion_that_wins_over_an_edit_is_held_as_well(gone):
    pair = Twins(holds=True).delete(gone, 20).edit(other(gone), 10, seconds=7200)
    assert said(pair.action(gone)) == "park: deletes_held"


def test_the_two_ways_of_holding_a_deletion_say_why():
    many, always = (
        Twins(deletes=deletes, holds=holds).delete(LEFT).action(LEFT).why.message
        for deletes, holds in ((Deletes.MIRROR, True), (Deletes.PARK, False))
    )
    assert "more entries" in many
    assert "wait for a person" in always


def test_what_is_written_anew_is_the_agreed_entry_with_the_edit():
    pair = Twins().edit(RIGHT, seconds=7200).delete(LEFT, 5)
    copy = pair.action(RIGHT).action.mapped.copy
    assert (copy.seconds, copy.billable, copy.text, copy.marker) == (7200, 3600, "Fixed the pump", "r1")


@pytest.mark.parametrize("began", [LEFT, RIGHT])
def test_a_twin_that_cannot_be_found_is_no_deletion(began):
    """Only the lane that sees the one that stands can tell, wherever the entry began."""
    assert Twins(began=began).lose(RIGHT).lanes == (BACK, None)
    assert Twins(began=began).lose(RIGHT).edit(LEFT, seconds=7200).lanes == ("park: conflict", None)
    assert Twins(began=began).lose(LEFT).edit(RIGHT, seconds=7200).lanes == (None, "park: conflict")


def test_twins_that_were_parted_are_left_alone():
    assert Twins(ended=True).edit(LEFT, seconds=7200).delete(RIGHT).lanes == ("leave", "leave")
    assert Twins(ended=True).delete(LEFT).lanes == ("leave", "leave")


# --- one way


ONE_WAY = replace(TEMPOS, goes_back=False)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (Twins(ONE_WAY).edit(LEFT, seconds=7200), "update r1: seconds"),
        (Twins(ONE_WAY).edit(RIGHT, seconds=7200), "leave"),
        (Twins(ONE_WAY).edit(LEFT, seconds=7200).edit(RIGHT, text="?"), "update r1: seconds"),
        (Twins(ONE_WAY).edit(LEFT, 10, text="!").edit(RIGHT, 20, text="?"), "leave"),
        (Twins(ONE_WAY).edit(LEFT, 20, text="!").edit(RIGHT, 10, text="?"), "update r1: text"),
        (Twins(ONE_WAY).delete(LEFT), "delete r1"),
        (Twins(ONE_WAY).delete(LEFT, 5).edit(RIGHT, 10, text="?"), "leave"),
        (Twins(ONE_WAY).delete(LEFT, 20).edit(RIGHT, 10, text="?"), "delete r1"),
        (Twins(ONE_WAY).delete(RIGHT), "leave"),
        (Twins(ONE_WAY).delete(RIGHT, 5).edit(LEFT, 10, text="?"), "create"),
        (Twins(ONE_WAY, Deletes.KEEP).delete(RIGHT, 5).edit(LEFT, 10, text="?"), "leave"),
        (Twins(ONE_WAY, Deletes.KEEP).delete(LEFT), "end"),
    ],
)
def test_one_way(pair, expected):
    assert said(pair.action(LEFT)) == expected


# --- an issue as a whole


def test_each_entry_gets_one_action_in_the_order_given():
    twins = Twins().edit(LEFT, seconds=7200)
    traced = twins.action(LEFT).found
    found = [TEMPOS.found(THREE, LEFT), traced, TEMPOS.found(TWO, LEFT)]
    actions = plan_lane(found, Target([twins.rows[RIGHT], R2]), terms(TEMPOS, LEFT))
    assert [said(action) for action in actions] == ["join r2", "update r1: seconds", "create"]
    assert [action.found for action in actions] == found


def test_a_twin_is_no_lookalike_of_another_entry():
    """Alice enters the same work once more: the copy of the first stays the first's."""
    traced = Twins().action(LEFT).found
    actions = plan_lane([TEMPOS.found(TWO, LEFT), traced], Target([Twins().rows[RIGHT]]), terms(TEMPOS, LEFT))
    assert [said(action) for action in actions] == ["create", "leave"]


def test_what_was_joined_is_merged_like_any_conflict():
    """Unsettled fields follow the connection's rule at once."""
    (action,) = fresh(TEMPOS, [ONE], [hers(RIGHT, text="?", billable=0, updated=clock(9))])
    assert action.unsettled == {TEXT, BILLABLE}
    joined = twin(ONE, action.standing, LEFT, unsettled=action.unsettled)
    (merged,) = plan_lane([TEMPOS.found(ONE, LEFT, joined)], Target([action.standing]), terms(TEMPOS, LEFT))
    assert said(merged) == BACK
    joined = twin(action.standing, ONE, RIGHT, unsettled=action.unsettled)
    found = TEMPOS.found(action.standing, RIGHT, joined)
    (merged,) = plan_lane([found], Target([ONE]), terms(TEMPOS, RIGHT))
    assert said(merged) == "update l1: billable, text"
