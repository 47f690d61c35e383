"""What one side of a sync takes over from the other, field by field against what both last agreed on.

Alice's work began on the left; its copy stands on the right, in Jira under a header. "here" is the side a lane
carries from, "there" the side it carries to.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from two_sides import (
    ACCOUNTS,
    ALICE,
    BERLIN,
    BOB,
    BOT,
    CAROL,
    DORA,
    JIRA,
    LEFT,
    NINE,
    RIGHT,
    TASK,
    TEMPO,
    Sync,
    by_hand,
    carried,
    clock,
    other,
    person,
    twin,
)

from connections.options import Conflicts
from worklogs import merge, texts
from worklogs.clock import from_instant, from_wall
from worklogs.merge import ATTRIBUTE, AUTHOR, BILLABLE, ISSUE, NEVER, SECONDS, START, TEXT, moment_of

TEMPOS, INTO_JIRA, JIRAS = Sync(TEMPO, TEMPO), Sync(TEMPO, JIRA), Sync(JIRA, JIRA)
SYNCS = (TEMPOS, INTO_JIRA, JIRAS)
TASK_FIELD = "the task"
FIELDS = (ISSUE, AUTHOR, START, SECONDS, BILLABLE, TEXT, TASK_FIELD)


def edited(row, sync, side, field, choice=0):
    """The worklog after somebody changed one field of it; the choices differ."""
    if field == TEXT:
        return reworded(row, sync, side, ("Fixed it", "Wrote it down")[choice])
    name, value = {
        ISSUE: ("work", f"{side[0].upper()}{2 + choice}"),
        AUTHOR: ("person", person((DORA, BOB if side is LEFT else CAROL)[choice], side)),
        START: ("moment", from_wall(NINE + timedelta(hours=1 + choice), BERLIN)),
        SECONDS: ("seconds", (7200, 1800)[choice]),
        BILLABLE: ("billable", (0, 900)[choice]),
        TASK_FIELD: ("attributes", ((TASK[side], ("Repair", "Travel")[choice]),)),
    }[field]
    return row.with_(**{name: value})


def reworded(row, sync, side, text):
    """Another text below the header, where there is one."""
    headed = merge.plain(row, sync.own(side)) is not row
    return row.with_(text=f"{row.text.splitlines()[0]}\n\n{text}" if headed else text)


@dataclass
class Pair:
    """Alice's entry on the left and its copy on the right, as agreed and as they stand."""

    sync: Sync
    left: object = None
    right: object = None
    unsettled: frozenset = frozenset()

    def __post_init__(self):
        self.left = self.left or by_hand(LEFT, self.sync.left, "l1")
        self.right = self.right or self.sync.copy(self.left, LEFT, "r1", updated=clock(1))
        self.agreed = {LEFT: self.left, RIGHT: self.right}

    def row(self, side):
        return self.left if side is LEFT else self.right

    def change(self, side, field=None, choice=0, at=10, **changes):
        """Somebody edits one side."""
        row = self.row(side)
        row = edited(row, self.sync, side, field, choice) if field else row
        setattr(self, side.value, row.with_(**{"updated": clock(at), **changes}))
        return self

    def write(self, side, text, at=10):
        return self.change(side, at=at, text=reworded(self.row(side), self.sync, side, text).text)

    def twin(self, source):
        return twin(self.agreed[source], self.agreed[other(source)], source, unsettled=self.unsettled)

    def present(self, source):
        return self.sync.found(self.row(source), source).present

    def merge(self, source=LEFT, verdict=None, **options):
        now = self.row(other(source))
        lane = replace(self.sync.lane(source), **options)
        return merge.merge(self.present(source), self.twin(source), now, lane, verdict)

    def agree(self, source, found, stored=None):
        """The target has stored what it took over."""
        target = other(source)
        stored = stored or found.wanted
        agreed = merge.agreement(self.present(source), self.twin(source), stored, found)
        setattr(self, target.value, stored)
        self.agreed = {source: agreed.source, target: agreed.copy}
        self.unsettled = agreed.unsettled
        return agreed


def name_in(sync, field, source):
    """A field as the lane calls it: attributes by the target's keys."""
    return ATTRIBUTE + TASK[other(source)] if field == TASK_FIELD else field


def can_change(sync, side, field):
    """Jira holds no billable time and no attributes, and never changes an author."""
    return sync.kind(side) is TEMPO or field not in (BILLABLE, TASK_FIELD, AUTHOR)


def can_carry(sync, field):
    return sync in (TEMPOS,) or field not in (BILLABLE, TASK_FIELD)


CASES = [
    pytest.param(sync, source, field, id=f"{sync.left}-{sync.right} from the {source}: {field}")
    for sync in SYNCS
    for source in (LEFT, RIGHT)
    for field in FIELDS
]
EVERY_FIELD = pytest.mark.parametrize(("sync", "source", "field"), CASES)


def outcome(found):
    return found.taken, found.back, found.contested, found.equal


NOTHING = frozenset()


# --- one field, in every lane


@pytest.mark.parametrize("source", [LEFT, RIGHT])
@pytest.mark.parametrize("sync", SYNCS)
def test_what_nobody_changed_stays(sync, source):
    pair = Pair(sync)
    found = pair.merge(source)
    assert outcome(found) == (NOTHING, NOTHING, NOTHING, NOTHING)
    assert found.wanted == pair.row(other(source))


@EVERY_FIELD
def test_a_field_changed_here_only_is_taken_over_there(sync, source, field):
    if not can_change(sync, source, field):
        return
    pair = Pair(sync).change(source, field)
    found, name = pair.merge(source), name_in(sync, field, source)
    taken = {name} if can_carry(sync, field) else set()
    assert outcome(found) == (taken, NOTHING, NOTHING, NOTHING)
    lane, fresh = sync.lane(source), pair.present(source).fresh
    wanted, before = (merge.facts(row, lane.target_kind) for row in (found.wanted, pair.row(other(source))))
    if sync.kind(other(source)) is TEMPO:
        assert merge.changed(before, wanted) == taken
        assert all(wanted[name] == merge.facts(fresh, TEMPO)[name] for name in taken)


@EVERY_FIELD
def test_a_field_changed_there_only_is_left_to_the_other_lane(sync, source, field):
    target = other(source)
    if not can_change(sync, target, field):
        return
    pair = Pair(sync).change(target, field)
    found = pair.merge(source)
    back = {name_in(sync, field, source)} if can_carry(sync, field) else set()
    assert outcome(found) == (NOTHING, back, NOTHING, NOTHING)
    assert found.wanted == pair.row(target)


@EVERY_FIELD
def test_a_field_changed_alike_on_both_sides_is_no_conflict(sync, source, field):
    if not (can_change(sync, LEFT, field) and can_change(sync, RIGHT, field)):
        return
    pair = Pair(sync).change(LEFT, field).change(RIGHT, field)
    found = pair.merge(source, conflicts=Conflicts.PARK)
    assert outcome(found) == (NOTHING, NOTHING, NOTHING, {name_in(sync, field, source)})
    assert found.wanted == pair.row(other(source))


@EVERY_FIELD
@pytest.mark.parametrize(
    ("conflicts", "left_at", "right_at", "winner"),
    [
        (Conflicts.LATEST, 10, 20, RIGHT),
        (Conflicts.LATEST, 20, 10, LEFT),
        (Conflicts.LATEST, 10, 10, LEFT),
        (Conflicts.LEFT, 10, 20, LEFT),
        (Conflicts.RIGHT, 20, 10, RIGHT),
        (Conflicts.PARK, 10, 20, None),
    ],
)
def test_a_field_changed_differently_is_a_conflict(sync, source, field, conflicts, left_at, right_at, winner):
    if not (can_change(sync, LEFT, field) and can_change(sync, RIGHT, field)):
        return
    pair = Pair(sync).change(LEFT, field, 0, left_at).change(RIGHT, field, 1, right_at)
    found, name = pair.merge(source, conflicts=conflicts), name_in(sync, field, source)
    sets = {source: found.taken, other(source): found.back, None: found.contested}
    assert sets[winner] == {name}
    assert sum(map(len, sets.values())) == 1


@pytest.mark.parametrize("source", [LEFT, RIGHT])
@pytest.mark.parametrize("verdict", [LEFT, RIGHT])
@pytest.mark.parametrize("conflicts", Conflicts)
def test_what_a_person_has_chosen_stands_whatever_the_rule(source, verdict, conflicts):
    pair = Pair(TEMPOS).change(LEFT, SECONDS, 0, 10).change(RIGHT, SECONDS, 1, 20)
    found = pair.merge(source, verdict, conflicts=conflicts)
    assert (found.taken if verdict is source else found.back) == {SECONDS}
    assert not found.contested


@pytest.mark.parametrize("sync", SYNCS)
@pytest.mark.parametrize("one", [ISSUE, START, SECONDS, TEXT])
@pytest.mark.parametrize("another", [ISSUE, START, SECONDS, TEXT])
def test_different_fields_merge_without_a_conflict(sync, one, another):
    if one == another:
        return
    pair = Pair(replace(sync, conflicts=Conflicts.PARK)).change(LEFT, one).change(RIGHT, another)
    onwards, back = pair.merge(LEFT), pair.merge(RIGHT)
    assert (onwards.taken, onwards.back, onwards.contested) == ({one}, {another}, NOTHING)
    assert (back.taken, back.back, back.contested) == ({another}, {one}, NOTHING)


@pytest.mark.parametrize("sync", SYNCS)
@pytest.mark.parametrize("conflicts", Conflicts)
def test_both_lanes_come_to_their_own_half_of_one_decision(sync, conflicts):
    pair = Pair(replace(sync, conflicts=conflicts)).change(LEFT, START, 0, 10).change(RIGHT, START, 1, 10)
    pair.change(LEFT, SECONDS, 1, 10).change(RIGHT, TEXT, 1, 10)
    onwards, back = pair.merge(LEFT), pair.merge(RIGHT)
    assert onwards.taken == back.back
    assert onwards.back == back.taken
    assert onwards.contested == back.contested


@pytest.mark.parametrize(
    ("spelled", "moment"),
    [
        ("2026-03-02T09:00:00Z", datetime.fromisoformat("2026-03-02T09:00:00+00:00")),
        ("2026-03-02T10:00:00.000+0100", datetime.fromisoformat("2026-03-02T09:00:00+00:00")),
        ("2026-03-02T09:00:00", datetime.fromisoformat("2026-03-02T09:00:00+00:00")),
        ("", NEVER),
        ("yesterday", NEVER),
    ],
)
def test_a_vendors_time_is_an_instant_however_it_is_spelled(spelled, moment):
    assert moment_of(spelled) == moment


# --- what sides can hold


def test_no_billable_seconds_at_all_are_a_value():
    pair = Pair(TEMPOS).change(LEFT, billable=0)
    assert pair.merge().wanted.billable == 0


def test_longer_work_leaves_the_billable_time_as_it_is():
    assert Pair(TEMPOS).change(LEFT, SECONDS).merge().wanted.billable == 3600
    assert Pair(INTO_JIRA).change(RIGHT, SECONDS).merge(RIGHT).wanted.billable == 3600


def test_an_edit_from_jira_leaves_attributes_and_billable_time_of_tempo():
    left = by_hand(LEFT, TEMPO, "l1", billable=0, attributes=((TASK[LEFT], "Repair"),))
    pair = Pair(INTO_JIRA, left).change(RIGHT, SECONDS)
    wanted = pair.merge(RIGHT).wanted
    assert (wanted.seconds, wanted.billable, wanted.attributes) == (7200, 0, left.attributes)


def test_each_attribute_goes_its_own_way():
    """Of what both hold, Alice changes one on the left, another on the right; what only the right holds stays."""
    before = ((TASK[LEFT], "Repair"), ("_Left_", "1"))
    after = ((TASK[LEFT], "Travel"), ("_Left_", "2"))
    pair = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", attributes=before))
    assert pair.right.attributes == ((TASK[RIGHT], "Repair"),)
    pair.change(RIGHT, attributes=((TASK[RIGHT], "Repair"), ("_Right_", "3")))
    pair.change(LEFT, attributes=after)
    found = pair.merge()
    assert found.taken == {ATTRIBUTE + TASK[RIGHT]}
    assert found.wanted.attributes == (("_Aufgabe_", "Travel"), ("_Right_", "3"))
    assert pair.merge(RIGHT).taken == NOTHING


def test_an_attribute_that_was_taken_away_goes_there_too():
    pair = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", attributes=((TASK[LEFT], "Repair"),)))
    assert pair.change(LEFT, attributes=()).merge().wanted.attributes == ()


def test_an_attribute_that_was_taken_away_on_both_sides_is_settled():
    pair = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", attributes=((TASK[LEFT], "Repair"),)))
    found = pair.change(LEFT, attributes=()).change(RIGHT, attributes=()).merge(conflicts=Conflicts.PARK)
    assert outcome(found) == (NOTHING, NOTHING, NOTHING, {ATTRIBUTE + TASK[RIGHT]})


def test_jira_keeps_instants_so_another_zone_is_no_edit():
    pair = Pair(JIRAS)
    for side in (LEFT, RIGHT):
        row = pair.row(side)
        pair.change(side, moment=from_instant(row.moment.instant, "Asia/Kolkata"))
    assert outcome(pair.merge()) == (NOTHING, NOTHING, NOTHING, NOTHING)


# --- what vendors make of it


@pytest.mark.parametrize("source", [LEFT, RIGHT])
def test_what_the_vendor_rounded_when_it_stored_it_is_no_edit(source):
    left = by_hand(LEFT, TEMPO, "l1", seconds=3630)
    pair = Pair(INTO_JIRA, left, Sync(TEMPO, JIRA).copy(left, LEFT, "r1", seconds=3600, text="x"))
    assert outcome(pair.merge(source)) == (NOTHING, NOTHING, NOTHING, NOTHING)


def test_what_it_rounds_again_is_no_edit_either():
    pair = Pair(INTO_JIRA).change(LEFT, seconds=3690)
    found = pair.merge()
    assert found.wanted.seconds == 3690
    pair.agree(LEFT, found, found.wanted.with_(seconds=3660))
    assert [outcome(pair.merge(side)) for side in (LEFT, RIGHT)] == [(NOTHING,) * 4] * 2


# --- headers


HEADER = "[Tempo — Alice Smith on 2026-03-02]"
NEXT_DAY = from_wall(NINE + timedelta(days=1), BERLIN)


def test_the_copy_stands_under_a_header():
    assert Pair(INTO_JIRA).right.text == f"{HEADER}\n\nFixed the pump"


def test_the_text_of_a_copy_is_what_stands_below_its_header():
    pair = Pair(INTO_JIRA).write(RIGHT, "Wrote it down")
    assert pair.right.text == f"{HEADER}\n\nWrote it down"
    assert pair.merge(RIGHT).wanted.text == "Wrote it down"


def test_a_new_text_keeps_the_copys_header():
    assert Pair(INTO_JIRA).change(LEFT, TEXT).merge().wanted.text == f"{HEADER}\n\nFixed it"


def test_a_text_that_was_taken_away_leaves_the_header_alone():
    pair = Pair(INTO_JIRA).change(LEFT, text="")
    assert pair.merge().wanted.text == HEADER
    pair = Pair(INTO_JIRA).change(RIGHT, text=HEADER)
    assert pair.merge(RIGHT).wanted.text == ""


def test_the_day_of_the_header_follows_the_start():
    found = Pair(INTO_JIRA).change(LEFT, moment=NEXT_DAY).merge()
    assert found.taken == {START}
    assert found.wanted.text == "[Tempo — Alice Smith on 2026-03-03]\n\nFixed the pump"


def test_another_author_is_another_header_in_jira():
    found = Pair(INTO_JIRA).change(LEFT, AUTHOR).merge()
    assert found.wanted.text == "[Tempo — Dora Lee on 2026-03-02]\n\nFixed the pump"
    assert found.wanted.person.account == ACCOUNTS[RIGHT][BOT]


def test_another_length_leaves_the_header_alone_whatever_it_says():
    pair = Pair(INTO_JIRA)
    pair = Pair(INTO_JIRA, right=pair.right.with_(text="[Tempo — Alice S. on 2026-03-02]\n\nFixed the pump"))
    assert pair.change(LEFT, SECONDS).merge().wanted.text == pair.right.text


def test_a_copy_whose_header_was_removed_is_an_edited_text():
    """What stands there now is the text, to the character; nothing but the header left with it."""
    pair = Pair(INTO_JIRA).change(RIGHT, text="Fixed the pump")
    assert outcome(pair.merge(RIGHT)) == (NOTHING, NOTHING, NOTHING, NOTHING)
    pair = Pair(INTO_JIRA).change(RIGHT, text="Alice fixed the pump")
    assert pair.merge(RIGHT).wanted.text == "Alice fixed the pump"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (SECONDS, "Fixed the pump"),
        (START, "Fixed the pump"),
        (TEXT, f"{HEADER}\n\nFixed it"),
        (AUTHOR, "[Tempo — Dora Lee on 2026-03-02]\n\nFixed the pump"),
    ],
)
def test_a_header_that_was_removed_comes_back_with_a_text_or_an_author_only(field, text):
    pair = Pair(INTO_JIRA).change(RIGHT, text="Fixed the pump")
    assert pair.change(LEFT, field).merge().wanted.text == text


def test_a_spoilt_header_is_text():
    spoilt = "[Tempo — Alice Smith on 2026-03-02] Fixed the pump"
    assert Pair(INTO_JIRA).change(RIGHT, text=spoilt).merge(RIGHT).wanted.text == spoilt


def test_a_header_that_somebody_else_typed_is_text():
    typed = "[Tempo — Bob Jones on 2026-03-02]\n\nFixed it"
    found = Pair(TEMPOS).change(LEFT, text=typed).merge()
    assert found.wanted.text == typed


def test_who_has_no_account_there_keeps_the_header_in_tempo_too():
    pair = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", BOB))
    assert pair.right.text == "[Tempo — Bob Jones on 2026-03-02]\n\nFixed the pump"
    assert pair.change(LEFT, TEXT).merge().wanted.text == "[Tempo — Bob Jones on 2026-03-02]\n\nFixed it"


def test_in_tempo_the_header_goes_when_the_author_is_there_herself():
    found = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", BOB)).change(LEFT, AUTHOR).merge()
    assert (found.wanted.person.account, found.wanted.text) == ("r-dora", "Fixed the pump")


def test_in_tempo_a_header_comes_when_the_author_has_no_account_there():
    found = Pair(TEMPOS).change(LEFT, person=person(BOB, LEFT)).merge()
    assert found.wanted.person.account == "r-bot"
    assert found.wanted.text == "[Tempo — Bob Jones on 2026-03-02]\n\nFixed the pump"


def test_a_cut_copy_is_no_edit_and_a_longer_text_is_cut_once():
    pair = Pair(INTO_JIRA, by_hand(LEFT, TEMPO, "l1", text="x" * 40_000))
    assert outcome(pair.merge()) == (NOTHING,) * 4
    wanted = pair.change(LEFT, text="y" * 50_000).merge().wanted.text
    assert texts.length(wanted) == texts.LIMIT
    assert wanted.count("cut:") == 1


# Who came by a token, an account or a header that is not ours.

WITH_TOKEN = Sync(TEMPO, JIRA, tokens=(ALICE,))


def test_with_her_token_alices_copy_has_no_header():
    pair = Pair(WITH_TOKEN)
    assert (pair.right.person.account, pair.right.text) == ("r-alice", "Fixed the pump")
    assert pair.change(LEFT, TEXT).merge().wanted.text == "Fixed it"


def test_the_bots_copy_keeps_its_header_when_alices_token_comes_later():
    """Jira never changes who wrote a worklog: without its header it would be nobody's."""
    pair = Pair(WITH_TOKEN, right=Pair(INTO_JIRA).right)
    assert pair.change(LEFT, TEXT).merge().wanted.text == f"{HEADER}\n\nFixed it"
    assert (
        pair.change(LEFT, moment=NEXT_DAY)
        .merge()
        .wanted.text.startswith("[Tempo — Alice Smith on 2026-03-03]")
    )


def test_the_bots_copy_in_tempo_keeps_its_header_when_an_account_comes_later():
    bots = Pair(TEMPOS).right.with_(person=person(BOT, RIGHT), text=f"{HEADER}\n\nFixed the pump")
    assert Pair(TEMPOS, right=bots).change(LEFT, TEXT).merge().wanted.text == f"{HEADER}\n\nFixed it"


def test_alices_own_copy_gets_a_header_when_the_work_becomes_doras():
    found = Pair(WITH_TOKEN).change(LEFT, AUTHOR).merge()
    assert found.wanted.person.account == "r-alice"
    assert found.wanted.text == "[Tempo — Dora Lee on 2026-03-02]\n\nFixed the pump"


# What began under the header of an earlier migration.

EARLIER = "[7pace — Alice Smith on 2026-03-02]"


def migrated(sync, name=BOT):
    return Pair(sync, by_hand(LEFT, sync.left, "l1", name, text=f"{EARLIER}\n\nFixed the pump"))


@pytest.mark.parametrize("sync", SYNCS)
def test_what_began_under_an_older_header_keeps_it(sync):
    pair = migrated(sync).change(RIGHT, TEXT)
    assert pair.merge(RIGHT).wanted.text == f"{EARLIER}\n\nFixed it"
    assert (
        pair.write(RIGHT, "").change(RIGHT, text=pair.right.text.rstrip()).merge(RIGHT).wanted.text == EARLIER
    )


def test_what_began_under_an_older_header_is_cut_with_it():
    pair = migrated(INTO_JIRA)
    pair.write(RIGHT, "x" * 32_750)
    assert texts.length(pair.merge(RIGHT).wanted.text) <= texts.LIMIT


def test_the_older_header_does_not_travel():
    assert migrated(INTO_JIRA).right.text == f"{HEADER}\n\nFixed the pump"
    assert migrated(TEMPOS).right.text == "Fixed the pump"


def test_an_older_header_goes_when_the_work_becomes_another_persons():
    """Alice's name must stand neither above the work of Dora, who has an account on the left, nor of Carol."""
    found = migrated(TEMPOS).change(RIGHT, AUTHOR).merge(RIGHT)
    assert (found.wanted.person.account, found.wanted.text) == ("l-dora", "Fixed the pump")
    found = migrated(TEMPOS).change(RIGHT, AUTHOR, 1).merge(RIGHT)
    assert (found.wanted.person.account, found.wanted.text) == (
        "l-bot",
        "[Tempo — Carol White on 2026-03-02]\n\nFixed the pump",
    )


def test_in_jira_the_older_header_is_replaced_when_the_work_becomes_another_persons():
    found = migrated(Sync(JIRA, TEMPO)).change(RIGHT, AUTHOR).merge(RIGHT)
    assert found.wanted.text == "[Tempo — Dora Lee on 2026-03-02]\n\nFixed the pump"


def test_whose_own_worklog_stands_in_jira_stays_its_author():
    pair = Pair(Sync(JIRA, TEMPO)).change(RIGHT, AUTHOR)
    found = pair.merge(RIGHT)
    assert found.taken == {AUTHOR}
    assert found.wanted == pair.left


# Jira moves a worklog to another issue as it is: its author stays.


def test_what_alice_began_in_jira_stays_hers_when_it_is_moved_for_her():
    wanted = Pair(JIRAS).change(RIGHT, ISSUE).merge(RIGHT).wanted
    assert (wanted.work, wanted.person.account) == ("L2", "l-alice")
    assert wanted.text == "Fixed the pump"


def test_with_her_token_it_stays_her_own():
    pair = Pair(Sync(JIRA, JIRA, tokens=(ALICE,)))
    assert pair.change(RIGHT, ISSUE).merge(RIGHT).wanted.text == "Fixed the pump"


def test_the_bots_copy_stays_the_bots_when_it_is_moved_though_her_token_is_held_by_now():
    pair = Pair(WITH_TOKEN, right=Pair(INTO_JIRA).right)
    before = pair.right
    wanted = pair.change(LEFT, ISSUE).merge().wanted
    assert (wanted.person.account, wanted.text) == ("r-bot", before.text)


def test_a_move_keeps_the_text_of_the_copy_where_its_author_stays():
    pair = Pair(INTO_JIRA).change(RIGHT, text="Alice fixed it").change(LEFT, ISSUE)
    assert pair.merge().wanted.text == "Alice fixed it"
    assert migrated(JIRAS).change(RIGHT, ISSUE).merge(RIGHT).wanted.text == f"{EARLIER}\n\nFixed the pump"


def test_what_alice_began_stays_hers_even_when_the_copy_names_nobody_any_more():
    pair = Pair(JIRAS).change(RIGHT, text="Fixed the pump").change(RIGHT, ISSUE)
    assert pair.merge(RIGHT).wanted.text == "Fixed the pump"


def test_what_stood_under_an_older_header_keeps_it_when_it_is_moved():
    pair = migrated(Sync(JIRA, JIRA, tokens=(ALICE,))).change(RIGHT, ISSUE)
    assert pair.merge(RIGHT).wanted.text == f"{EARLIER}\n\nFixed the pump"


@pytest.mark.parametrize("sync", SYNCS)
@pytest.mark.parametrize("source", [LEFT, RIGHT])
def test_what_is_moved_bears_the_marker_of_its_source(sync, source):
    pair = Pair(sync).change(source, ISSUE)
    assert pair.merge(source).wanted.marker == pair.row(source).entry


@pytest.mark.parametrize("source", [LEFT, RIGHT])
def test_what_stays_bears_the_marker_it_bore(source):
    pair = Pair(JIRAS).change(source, SECONDS)
    assert pair.merge(source).wanted.marker == pair.row(other(source)).marker


# --- written anew after a deletion


def test_what_is_written_anew_is_as_it_was_agreed_with_what_was_edited_since():
    """Alice's entry in Tempo was deleted; its copy in Jira, which holds no billable time, lives on."""
    left = by_hand(LEFT, TEMPO, "l1", BOB, billable=0, attributes=((TASK[LEFT], "Repair"),))
    pair = Pair(INTO_JIRA, left).change(RIGHT, SECONDS)
    anew = merge.revived(pair.present(RIGHT), pair.twin(RIGHT), INTO_JIRA.lane(RIGHT))
    assert (anew.seconds, anew.billable, anew.attributes) == (7200, 0, left.attributes)
    assert (anew.person.account, anew.text, anew.marker) == ("l-bob", "Fixed the pump", "r1")


def test_in_jira_it_is_written_anew_under_a_header():
    pair = Pair(Sync(JIRA, TEMPO)).change(RIGHT, SECONDS)
    anew = merge.revived(pair.present(RIGHT), pair.twin(RIGHT), Sync(JIRA, TEMPO).lane(RIGHT))
    assert (anew.seconds, anew.person.account) == (7200, "l-bot")
    assert anew.text == "[Tempo — Alice Smith on 2026-03-02]\n\nFixed the pump"


# --- what both have agreed on


@pytest.mark.parametrize("sync", SYNCS)
def test_what_is_still_to_go_back_remains_an_edit(sync):
    pair = Pair(sync).change(LEFT, SECONDS).change(RIGHT, TEXT)
    pair.agree(LEFT, pair.merge())
    assert outcome(pair.merge()) == (NOTHING, {TEXT}, NOTHING, NOTHING)
    found = pair.merge(RIGHT)
    assert found.taken == {TEXT}
    pair.agree(RIGHT, found)
    assert [outcome(pair.merge(side)) for side in (LEFT, RIGHT)] == [(NOTHING,) * 4] * 2
    assert merge.plain(pair.left, sync.own(LEFT)).text == merge.plain(pair.right, sync.own(RIGHT)).text


@EVERY_FIELD
def test_what_was_written_is_settled(sync, source, field):
    if not can_change(sync, source, field):
        return
    pair = Pair(sync).change(source, field)
    pair.agree(source, pair.merge(source))
    assert [outcome(pair.merge(side)) for side in (LEFT, RIGHT)] == [(NOTHING,) * 4] * 2


def test_what_was_changed_alike_is_settled_without_a_write():
    pair = Pair(TEMPOS).change(LEFT, SECONDS).change(RIGHT, SECONDS)
    pair.agree(LEFT, pair.merge())
    assert [outcome(pair.merge(side)) for side in (LEFT, RIGHT)] == [(NOTHING,) * 4] * 2


def test_who_loses_a_conflict_is_told_by_the_other_lane():
    pair = Pair(TEMPOS).change(LEFT, SECONDS, 0, 10).change(RIGHT, SECONDS, 1, 20).change(LEFT, TEXT, at=10)
    pair.agree(LEFT, pair.merge())
    pair.agree(RIGHT, pair.merge(RIGHT))
    assert (pair.left.seconds, pair.right.seconds) == (1800, 1800)
    assert (pair.left.text, pair.right.text) == ("Fixed it", "Fixed it")


def test_a_conflict_that_is_parked_stays_one():
    pair = Pair(replace(TEMPOS, conflicts=Conflicts.PARK)).change(LEFT, SECONDS).change(RIGHT, SECONDS, 1)
    found = pair.merge()
    pair.agree(LEFT, found)
    assert pair.merge().contested == {SECONDS}
    assert pair.merge(RIGHT).contested == {SECONDS}


def test_an_attribute_that_is_still_to_go_back_remains_an_edit():
    pair = Pair(TEMPOS, by_hand(LEFT, TEMPO, "l1", attributes=((TASK[LEFT], "Repair"),)))
    pair.change(RIGHT, TASK_FIELD, 1).change(LEFT, SECONDS)
    pair.agree(LEFT, pair.merge())
    found = pair.merge(RIGHT)
    assert found.taken == {ATTRIBUTE + TASK[LEFT]}
    assert found.wanted.attributes == ((TASK[LEFT], "Travel"),)


def test_an_author_who_takes_her_work_from_under_a_header_has_not_edited_its_text():
    """Alice's account came later: on the left she takes over what the bot wrote for her, while on the right somebody
    writes another text. That text is the only one."""
    pair = migrated(replace(TEMPOS, conflicts=Conflicts.LEFT))
    pair = Pair(pair.sync, pair.left, pair.right.with_(person=person(BOT, RIGHT), text=pair.right.text))
    pair.change(LEFT, person=person(DORA, LEFT), text="Fixed the pump").write(RIGHT, "Wrote it down")
    onwards = pair.merge()
    assert (onwards.taken, onwards.back) == ({AUTHOR}, {TEXT})
    pair.agree(LEFT, onwards)
    assert pair.merge(RIGHT).taken == {TEXT}


# --- joined, and not agreed in everything


@pytest.mark.parametrize("source", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("conflicts", "winner"), [(Conflicts.LEFT, LEFT), (Conflicts.RIGHT, RIGHT), (Conflicts.PARK, None)]
)
def test_a_field_never_agreed_on_is_a_conflict(source, conflicts, winner):
    right = by_hand(RIGHT, TEMPO, "r1", text="Wrote it down")
    pair = Pair(replace(TEMPOS, conflicts=conflicts), right=right, unsettled=frozenset({TEXT}))
    found = pair.merge(source)
    assert {source: found.taken, other(source): found.back, None: found.contested}[winner] == {TEXT}


def test_a_field_never_agreed_on_is_settled_once_both_are_the_same():
    right = by_hand(RIGHT, TEMPO, "r1", text="Wrote it down")
    pair = Pair(replace(TEMPOS, conflicts=Conflicts.PARK), right=right, unsettled=frozenset({TEXT, BILLABLE}))
    pair.change(LEFT, text="Wrote it down", billable=0)
    agreed = pair.agree(LEFT, pair.merge())
    assert agreed.unsettled == {BILLABLE}
    assert pair.merge().contested == {BILLABLE}


def test_what_the_other_side_cannot_hold_is_never_unsettled():
    pair = Pair(INTO_JIRA, unsettled=frozenset({BILLABLE, ATTRIBUTE + "_Task_"}))
    assert outcome(pair.merge()) == (NOTHING,) * 4


def test_carried_attributes_are_in_the_targets_keys():
    assert carried(((TASK[LEFT], "Repair"), ("_Left_", "1")), LEFT) == ((TASK[RIGHT], "Repair"),)


@pytest.mark.parametrize(
    ("now", "arrived"),
    [
        ({}, False),
        ({"seconds": 7200}, True),
        ({"seconds": 7200, "work": "R2"}, True),
        ({"work": "R2"}, False),
    ],
)
def test_an_update_of_unknown_outcome_is_known_by_what_it_changed(now, arrived):
    """Somebody may have edited another field since."""
    before = Pair(TEMPOS).right
    sent = before.with_(seconds=7200)
    assert merge.has_arrived(sent, before, before.with_(**now), TEMPO) is arrived
