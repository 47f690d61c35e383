"""Whatever people do on two sides, and whatever goes wrong in between: after quiet both sides are the same, nothing
stands there twice, nothing is lost, and one more run writes nothing.

Every text begins with the number of its entry, by which the test alone tells what belongs together.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from small_sync import LOOK_AGAIN, Clock, Engine, Fault, Vendor
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
    NAME_OF,
    NINE,
    RIGHT,
    TASK,
    TEMPO,
    Sync,
    other,
    person,
)

from connections.options import Conflicts, Deletes
from worklogs import merge
from worklogs.clock import from_wall
from worklogs.worklog import Worklog

SIDES = st.sampled_from([LEFT, RIGHT])
PEOPLE = {LEFT: (ALICE, BOB, DORA, BOT), RIGHT: (ALICE, CAROL, DORA, BOT)}
SECONDS = (3600, 5400, 90, 150, 7230)
WORDS = ("Fixed the pump", "Wrote it\n\ndown", "", "Ärger 🙂 mit\tdem Tor", " late ")
TASKS = ("Repair", "Travel", "")
FIELDS = ("issue", "start", "seconds", "text", "billable", "task", "author")
PICK = st.integers(0, 40)


@dataclass
class Entry:
    """What people did with the entry of one number since the last quiet, and how often it was `made`.

    `edits` are by field the side and the value, in the order they were made.
    """

    side: object
    made: int = 1
    twofold: bool = False
    edits: dict = field(default_factory=dict)
    deleted: set = field(default_factory=set)
    parted: bool = False
    quiet: int | None = None

    @property
    def is_touched(self):
        return bool(self.edits or self.deleted)


def number_of(row):
    return int(re.search(r"#(\d+)", row.text)[1])


class TwoSides(RuleBasedStateMachine):
    @initialize(
        kinds=st.sampled_from([(TEMPO, TEMPO), (TEMPO, JIRA), (JIRA, TEMPO), (JIRA, JIRA)]),
        conflicts=st.sampled_from(Conflicts),
        deletes=st.sampled_from([Deletes.MIRROR, Deletes.MIRROR, Deletes.KEEP]),
        goes_back=st.sampled_from([True, True, True, False]),
        tokens=st.sampled_from([(), (ALICE,)]),
        ahead=st.sampled_from([0, -9, 7]),
        lag=st.integers(0, 3),
    )
    def begin(self, kinds, conflicts, deletes, goes_back, tokens, ahead, lag):
        self.sync = Sync(*kinds, conflicts, goes_back=goes_back, tokens=tokens)
        self.clock = Clock(60)
        self.sides = {
            LEFT: Vendor(LEFT, kinds[0], self.clock, 0, lag),
            RIGHT: Vendor(RIGHT, kinds[1], self.clock, ahead, 0),
        }
        self.engine = Engine(self.sync, self.sides, self.clock, deletes)
        self.deletes = deletes
        self.entries = {}
        self.starts = 0

    # --- what people do

    @rule(
        side=SIDES,
        who=PICK,
        issue=st.booleans(),
        seconds=st.sampled_from(SECONDS),
        words=st.sampled_from(WORDS),
    )
    def enter(self, side, who, issue, seconds, words):
        names = PEOPLE[side]
        number = self._number(Entry(side))
        self._enter(side, names[who % len(names)], f"#{number} {words}", seconds, issue)

    @rule(side=SIDES, seconds=st.sampled_from(SECONDS), times=st.integers(2, 3))
    def enter_the_same_several_times(self, side, seconds, times):
        number = self._number(Entry(side, times))
        at = self._next_start()
        for _ in range(times):
            self._enter(side, ALICE, f"#{number} once more", seconds, at=at)

    @rule(left=st.sampled_from(WORDS), right=st.sampled_from(WORDS), seconds=st.sampled_from([3600, 5400]))
    def enter_the_same_on_both_sides(self, left, right, seconds):
        if not self.sync.goes_back:
            return
        number, at = self._number(Entry(LEFT, 2, twofold=True)), self._next_start()
        self._enter(LEFT, ALICE, f"#{number} {left}", seconds, at=at)
        self._enter(RIGHT, ALICE, f"#{number} {right}", seconds, at=at)

    @rule(side=SIDES)
    def find_what_another_migration_wrote(self, side):
        number = self._number(Entry(side))
        self._enter(side, BOT, f"[7pace — {ALICE} on 2026-03-02]\n\n#{number} long ago", 3600)

    @rule(side=SIDES, which=PICK, field=st.sampled_from(FIELDS), choice=PICK)
    def edit(self, side, which, field, choice):
        if row := self._pick(side, which):
            self._edit(side, row, field, choice)

    @rule(which=PICK, fields=st.tuples(st.sampled_from(FIELDS), st.sampled_from(FIELDS)), choice=PICK)
    def edit_both_twins(self, which, fields, choice):
        row = self._pick(LEFT, which)
        trace = row and self.engine.trace_of(LEFT, row.entry)
        twin = trace and self.sides[RIGHT].rows.get(trace.agreed[RIGHT].entry)
        if twin and twin in self._free(RIGHT):
            self._edit(LEFT, row, fields[0], choice)
            self._edit(RIGHT, twin, fields[1], choice + 1)

    @rule(side=SIDES, which=PICK)
    def take_the_header_away(self, side, which):
        row = self._pick(side, which)
        if row and merge.plain(row, self.sync.own(side)) is not row:
            below = merge.plain(row, self.sync.own(side)).text
            self.sides[side].keep(row.with_(text=below))
            self.clock.tick()

    @rule(side=SIDES, which=PICK)
    def delete(self, side, which):
        if row := self._pick(side, which, may_be_new=False):
            self._delete(side, row)

    @rule(minutes=st.integers(1, 20))
    def wait(self, minutes):
        self.clock.tick(minutes)

    # --- what we do, and what goes wrong

    @rule()
    def run(self):
        self.engine.run()
        self.clock.tick()

    @rule(
        at=st.integers(0, 3),
        how=st.sampled_from(["before", "after", "late", "never"]),
        minutes=st.integers(1, 29),
    )
    def run_with_a_fault(self, at, how, minutes):
        self.engine.run(fault=Fault(at, how, minutes))
        self.clock.tick()

    @rule(side=SIDES, which=PICK, field=st.sampled_from(FIELDS), choice=PICK)
    def run_while_somebody_edits(self, side, which, field, choice):
        self.engine.run(meanwhile=lambda: self.edit(side, which, field, choice))
        self.clock.tick()

    @rule(
        side=SIDES,
        which=PICK,
        field=st.sampled_from(["issue", "issue", "seconds", "text"]),
        choice=PICK,
        how=st.sampled_from(["before", "after", "late", "never"]),
    )
    def edit_what_is_then_written_with_a_fault(self, side, which, field, choice, how):
        self.engine.run()
        if (twins := self._standing_twins()) and self.sync.goes_back:
            self._edit(side, twins[which % len(twins)][side], field, choice)
        self.run_with_a_fault(0, how, 3)

    @rule(side=SIDES, which=PICK, fields=st.permutations(["issue", "start", "seconds", "text"]), choice=PICK)
    def edit_a_twin_while_it_is_written(self, side, which, fields, choice):
        twins = self._standing_twins()
        if not twins or not self.sync.goes_back:
            return
        pair = twins[which % len(twins)]
        self._edit(side, pair[side], fields[0], choice)
        target = other(side)
        self.engine.run(meanwhile=lambda: self._edit_what_stands(target, pair[target], fields[1], choice))
        self.clock.tick()

    @rule(
        side=SIDES,
        which=PICK,
        field=st.sampled_from(["start", "seconds", "text"]),
        choice=PICK,
        first=st.booleans(),
    )
    def delete_one_twin_and_edit_the_other(self, side, which, field, choice, first):
        """The rule of conflicts says what stands, by the vendors' own times where it is "latest"."""
        self.be_quiet()
        twins = self._standing_twins()
        if not twins or not self.sync.goes_back:
            return
        pair = twins[which % len(twins)]
        entry, edited = self.entries[number_of(pair[side])], other(side)
        steps = [
            lambda: self._delete(side, pair[side]),
            lambda: self._edit(edited, pair[edited], field, choice),
        ]
        for step in steps if first else reversed(steps):
            step()
        stands = self._winner(side, pair) is edited
        value = self._value(edited, self.sides[edited].rows[pair[edited].entry], field)
        if self.sides[edited].rows[pair[edited].entry].with_(updated="") == pair[edited].with_(updated=""):
            stands = False
        self._settle()
        self._check_what_stands(entry, pair, side, stands, (field, value))

    def _winner(self, deleted_on, pair):
        if self.sync.conflicts is not Conflicts.LATEST:
            return RIGHT if self.sync.conflicts is Conflicts.RIGHT else LEFT
        edited_on = other(deleted_on)
        deleted_at = self.sides[deleted_on].deleted[pair[deleted_on].entry]
        edited_at = merge.moment_of(self.sides[edited_on].rows[pair[edited_on].entry].updated)
        if deleted_at == edited_at:
            return LEFT
        return deleted_on if deleted_at > edited_at else edited_on

    def _check_what_stands(self, entry, pair, deleted_on, stands, edit):
        number, edited_on = number_of(pair[LEFT]), other(deleted_on)
        here, there = (self._rows_of(side, number) for side in (deleted_on, edited_on))
        if entry.parted:
            assert pair[edited_on].entry in {row.entry for row in there}
            assert entry.made > 1 or not here
            return
        assert len(here) == len(there) == entry.made - (not stands)
        if stands:
            assert any(self._value(deleted_on, row, edit[0]) == edit[1] for row in here)
            expected = self._expected(entry, pair, deleted_on, edit[0])
            assert expected in [self._unedited(deleted_on, row) for row in here]

    def _expected(self, entry, pair, deleted_on, field):
        """What was there before; but with another text a header that somebody took away is above a copy again."""
        billable, attributes, author = self._unedited(deleted_on, pair[deleted_on])
        is_copy, is_bots = entry.side is other(deleted_on), author == BOT
        if is_copy and is_bots and field == "text" and self.sync.kind(deleted_on) is JIRA:
            author = self._who(other(deleted_on), pair[other(deleted_on)])
        return billable, attributes, author

    def _unedited(self, side, row):
        """What an edit on the other side leaves as it is; in Jira whoever writes it anew does so for its author."""
        author = self._who(side, row) if self.sync.kind(side) is JIRA else row.person.account
        return row.billable, row.attributes, author

    def _standing_twins(self):
        traces = [trace for trace in self.engine.traces if not trace.ended]
        pairs = [
            {side: self.sides[side].rows.get(t.agreed[side].entry) for side in (LEFT, RIGHT)} for t in traces
        ]
        return [pair for pair in pairs if all(row and row in self._free(side) for side, row in pair.items())]

    def _edit_what_stands(self, side, row, name, choice):
        if row := self.sides[side].rows.get(row.entry):
            self._edit(side, row, name, choice)

    @rule(side=SIDES, number=st.integers(1, 12), times=st.integers(1, 2))
    def hear_of_an_entry_early_or_late_or_twice(self, side, number, times):
        for _ in range(times):
            self.engine.run(hints=[(side, f"{side[0]}{number}")])
            self.clock.tick()

    # --- what must hold

    @invariant()
    def no_worklog_has_two_twins(self):
        for side in (LEFT, RIGHT) if hasattr(self, "engine") else ():
            ids = Counter(trace.agreed[side].entry for trace in self.engine.traces)
            assert all(count == 1 for count in ids.values()), ids

    @invariant()
    def nothing_that_nobody_deleted_is_ever_gone(self):
        if hasattr(self, "engine"):
            standing = Counter(number_of(row) for side in self.sides.values() for row in side.rows.values())
            for number, entry in self.entries.items():
                assert standing[number] or entry.deleted or entry.quiet == 0, number

    @rule()
    def be_quiet(self):
        self._settle()
        assert self.engine.run() == 0, "one more run writes nothing"
        assert self.engine.run(full=True) == 0, "nor does one that compares everything"
        for number, entry in self.entries.items():
            rows = {side: self._rows_of(side, number) for side in (LEFT, RIGHT)}
            self._check_count(entry, rows)
            self._check_twins(entry, rows)
            entry.edits, entry.deleted, entry.quiet = {}, set(), max(map(len, rows.values()))
            entry.made, entry.twofold = entry.quiet, False

    def teardown(self):
        if hasattr(self, "engine"):
            self.be_quiet()

    def _settle(self):
        """What was under way has arrived, feeds tell everything, and a person has decided what was parked."""
        self.clock.tick(LOOK_AGAIN)
        self.engine.run()
        self.clock.tick(LOOK_AGAIN)
        self.engine.run()
        if any(self.engine.parked.values()):
            self.engine.decide_all("left")
            self.engine.run()
        assert not any(self.engine.parked.values())
        assert not self.engine.intents

    def _check_count(self, entry, rows):
        """Each entry that a person made and nobody deleted stands on both sides exactly once."""
        here, there = len(rows[entry.side]), len(rows[other(entry.side)])
        if entry.parted:
            assert max(here, there) <= entry.made
            return
        if not self.sync.goes_back and entry.side is RIGHT:
            assert there == 0
            return
        assert here == there
        if entry.quiet is not None and not entry.deleted:
            assert here == entry.quiet
        elif entry.twofold:
            assert here <= (2 if entry.is_touched else 1)
            assert here or entry.deleted
        elif not entry.deleted:
            assert here == entry.made
        elif entry.made == 1 and not entry.edits:
            assert here == 0
        else:
            assert here <= entry.made

    def _check_twins(self, entry, rows):
        if entry.parted or len(rows[LEFT]) != len(rows[RIGHT]):
            return
        for left in rows[LEFT]:
            trace = self.engine.trace_of(LEFT, left.entry)
            right = self.sides[RIGHT].rows[trace.agreed[RIGHT].entry]
            assert right in rows[RIGHT]
            assert self._values(LEFT, left) == self._values(RIGHT, right)
            self._check_authors(left, right)
            if entry.made == 1 and not entry.twofold and not entry.deleted:
                self._check_edits(entry, {LEFT: left, RIGHT: right})

    def _check_edits(self, entry, rows):
        """An edit that no edit on the other side competes with has come through."""
        for name, edits in entry.edits.items():
            sides = {side for side, _ in edits}
            side, last = edits[-1]
            value = self._value(side, rows[side], name)
            if len(sides) == 1:
                assert value == last, (name, value, last)
            else:
                assert value in [made for _, made in edits], (name, value, edits)

    # --- in the terms of both sides

    def _values(self, side, row):
        """What both sides can hold of a worklog."""
        both = {self.sync.left, self.sync.right} == {TEMPO}
        names = ("issue", "start", "seconds", "text", *(("billable", "task") if both else ()))
        return {name: self._value(side, row, name) for name in names}

    def _value(self, side, row, name):
        minutes = JIRA in (self.sync.left, self.sync.right)
        return {
            "issue": row.work[1:],
            "start": row.moment.instant,
            "seconds": row.seconds // 60 if minutes else row.seconds,
            "text": merge.plain(row, self.sync.own(side)).text.strip(),
            "billable": row.billable,
            "task": dict(row.attributes).get(TASK[side], ""),
            "author": self._who(side, row),
        }[name]

    def _who(self, side, row):
        headed = merge.plain(row, self.sync.own(side))
        return NAME_OF[row.person.account] if headed is row else headed.person.name

    def _check_authors(self, left, right):
        """The same person, but where Jira holds whose own worklog it is, or the header was taken away."""
        names = {LEFT: self._who(LEFT, left), RIGHT: self._who(RIGHT, right)}
        fixed = any(
            self.sync.kind(side) is JIRA and row.person.account not in self.sync.own(side)
            for side, row in ((LEFT, left), (RIGHT, right))
        )
        assert fixed or BOT in names.values() or names[LEFT] == names[RIGHT], names

    # --- what people may do

    def _number(self, entry):
        self.entries[len(self.entries) + 1] = entry
        return len(self.entries)

    def _next_start(self):
        """No two entries look alike by chance."""
        self.starts += 1
        return NINE + timedelta(minutes=7 * self.starts)

    def _enter(self, side, name, text, seconds, second_issue=False, at=None):
        work = f"{side[0].upper()}{1 + second_issue}"
        moment = from_wall(at or self._next_start(), BERLIN)
        self.sides[side].create(Worklog("", work, person(name, side), moment, seconds, text))
        self.clock.tick()

    def _rows_of(self, side, number):
        return [row for row in self.sides[side].rows.values() if number_of(row) == number]

    def _free(self, side):
        """What people may touch. Of what we wrote and do not know of yet nothing could tell an edit from a stranger's
        entry in Tempo, nor that it was deleted in either; one-way nobody works on the copies."""
        doubtful = self.engine.in_doubt(side)
        rows = [row for row in self.sides[side].rows.values() if row.entry not in doubtful]
        if self.sync.goes_back or side is LEFT:
            return rows
        return [row for row in rows if self.entries[number_of(row)].side is side]

    def _pick(self, side, which, may_be_new=True):
        rows = [row for row in self._free(side) if not self._is_unknown_copy(side, row, may_be_new)]
        return rows[which % len(rows)] if rows else None

    def _is_unknown_copy(self, side, row, may_be_new):
        if self.engine.trace_of(side, row.entry) or (may_be_new and self.sync.kind(side) is JIRA):
            return False
        wrote = [i for i in self.engine.intents if i.creates and other(i.source) is side]
        return any(number_of(intent.wanted) == number_of(row) for intent in wrote)

    def _delete(self, side, row):
        entry = self.entries[number_of(row)]
        entry.deleted.add(side)
        entry.parted = entry.parted or self.deletes is Deletes.KEEP
        self.sides[side].delete(row.entry)
        self.clock.tick()

    def _edit(self, side, row, name, choice):
        changes = self._changes(side, row, name, choice)
        if not changes:
            return
        kept = self.sides[side].keep(row.with_(**changes))
        value = self._value(side, kept, name)
        self.entries[number_of(row)].edits.setdefault(name, []).append((side, value))
        self.clock.tick()

    def _changes(self, side, row, name, choice):
        """What a person changes; nothing where her vendor has no such field."""
        if name in ("billable", "task", "author") and self.sync.kind(side) is JIRA:
            return {}
        if name == "text":
            return {"text": self._reworded(side, row, WORDS[choice % len(WORDS)])}
        if name == "author":
            return self._reassigned(side, row, choice)
        return {
            "issue": {"work": f"{side[0].upper()}{'21'[int(row.work[1]) - 1]}"},
            "start": {"moment": from_wall(self._next_start(), BERLIN)},
            "seconds": {"seconds": SECONDS[choice % len(SECONDS)]},
            "billable": {"billable": (0, 1800)[choice % 2]},
            "task": {"attributes": ((TASK[side], TASKS[choice % 3]),) if TASKS[choice % 3] else ()},
        }[name]

    def _reworded(self, side, row, words):
        below = merge.plain(row, self.sync.own(side)).text
        return row.text[: len(row.text) - len(below)] + f"#{number_of(row)} {words}"

    def _reassigned(self, side, row, choice):
        names = [name for name in ACCOUNTS[side] if name != BOT]
        text = merge.plain(row, self.sync.own(side)).text
        return {"person": person(names[choice % len(names)], side), "text": text}


TwoSides.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestTwoSidesConverge = TwoSides.TestCase
