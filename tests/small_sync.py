"""A sync without network and database: two vendors as dictionaries, and an engine that does with the pure steps what
the real one does. Time goes in whole minutes; each vendor goes by its own clock.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from two_sides import DAWN, JIRA, LEFT, RIGHT, TASK, carried, other, shown

from connections.options import Deletes, Side
from worklogs import merge, plan
from worklogs.merge import ATTRIBUTE, Merge, Twin
from worklogs.plan_twins import Delete, End, Found, Join, Leave, Refusal, Target, Terms, Write, plan_lane
from worklogs.worklog import Worklog

OVERLAP = 5
# "Not there" counts this long after the request went out.
LOOK_AGAIN = 30


class CrashError(Exception):
    """The process died."""


@dataclass
class Clock:
    minute: int = 0

    def tick(self, minutes=1):
        self.minute += minutes


@dataclass
class Vendor:
    """One side. Its clock is `ahead` of ours, its feeds hide what happened in the last `lag` minutes, and a write
    that is `under_way` arrives when it is due. Jira keeps whole minutes and trims texts."""

    side: Side
    kind: str
    clock: Clock
    ahead: int = 0
    lag: int = 0
    rows: dict = field(default_factory=dict)
    deleted: dict = field(default_factory=dict)
    under_way: list = field(default_factory=list)
    numbered: int = 0

    @property
    def minute(self):
        return self.clock.minute + self.ahead

    @property
    def time(self):
        return DAWN + timedelta(minutes=self.minute)

    def keep(self, row):
        kept = shown(row, self.kind)
        if self.kind is JIRA:
            kept = kept.with_(seconds=row.seconds // 60 * 60, text=row.text.strip())
        elif row.billable is None:
            kept = kept.with_(billable=row.seconds)
        self.rows[row.entry] = kept.with_(updated=self.time.isoformat())
        return self.rows[row.entry]

    def create(self, row):
        self.numbered += 1
        return self.keep(row.with_(entry=f"{self.side[0]}{self.numbered}"))

    def create_late(self, row, minutes):
        self.under_way.append((self.clock.minute + minutes, row))

    def update(self, row):
        assert row.entry in self.rows
        if self.kind is JIRA:
            row = row.with_(marker=self.rows[row.entry].marker)
            assert row.person.account == self.rows[row.entry].person.account, "Jira never changes an author"
        return self.keep(row)

    def delete(self, entry):
        del self.rows[entry]
        self.deleted[entry] = self.time

    def arrive(self):
        due = [row for minute, row in self.under_way if minute <= self.clock.minute]
        self.under_way = [(minute, row) for minute, row in self.under_way if minute > self.clock.minute]
        for row in due:
            self.create(row)

    def touched(self, since):
        last = DAWN + timedelta(minutes=self.minute - self.lag)
        first = DAWN + timedelta(minutes=since)
        return {entry for entry, row in self.rows.items() if first <= merge.moment_of(row.updated) <= last}

    def gone(self, since):
        last = DAWN + timedelta(minutes=self.minute - self.lag)
        first = DAWN + timedelta(minutes=since)
        return {entry: at for entry, at in self.deleted.items() if first <= at <= last}


@dataclass
class Trace:
    """Two worklogs that are the same entry, as both last agreed; open attributes go by the right side's keys."""

    agreed: dict
    began: Side
    unsettled: frozenset = frozenset()
    ended: bool = False

    def twin(self, source):
        return Twin(
            self.agreed[source],
            self.agreed[other(source)],
            carried(self.agreed[source].attributes, source),
            renamed(self.unsettled, other(source)),
            source is self.began,
            self.ended,
        )


def renamed(fields, side):
    """Open attributes by the keys of this side."""
    keys = {ATTRIBUTE + key for key in TASK.values()}
    return frozenset(ATTRIBUTE + TASK[side] if name in keys else name for name in fields)


@dataclass(frozen=True)
class Intent:
    """A write that was about to go out: what it wants, and what is to be agreed on when it has happened."""

    source: Side
    found: Found
    wanted: Worklog
    before: Worklog | None
    merge: Merge | None
    deletes: bool
    minute: int

    @property
    def creates(self):
        return not self.deletes and (self.before is None or self.before.work != self.wanted.work)


@dataclass
class Fault:
    """What goes wrong at the n-th write of a run: "before" and "after" the process dies around it, "late" nobody
    hears of it and it arrives some minutes later, "never" it does not."""

    at: int = 0
    how: str = ""
    minutes: int = 0


class Engine:
    """Everything but `seen` outlives a crash."""

    def __init__(self, sync, vendors, clock, deletes=Deletes.MIRROR):
        self.sync, self.vendors, self.clock, self.deletes = sync, vendors, clock, deletes
        self.traces, self.intents, self.leftovers = [], [], []
        self.cursors = {LEFT: 0, RIGHT: 0}
        self.gone = {LEFT: {}, RIGHT: {}}
        self.waiting = {LEFT: set(), RIGHT: set()}
        self.parked = {LEFT: set(), RIGHT: set()}
        self.verdicts = {}
        self.writes = 0
        self.fault = Fault()
        self.meanwhile = None

    def run(self, hints=(), full=False, fault=None, meanwhile=None):
        """One run; gives the number of its writes. `hints` alone (side, entry) leave the cursors as they are;
        `meanwhile` is called once, when a lane was planned and nothing of it written yet."""
        self.writes, self.fault, self.meanwhile = 0, fault or Fault(), meanwhile
        starts = {side: vendor.minute for side, vendor in self.vendors.items()}
        before = self.parked
        try:
            seen = self._read(hints, full)
            self._recover()
            self._clean_up()
            self._sync(seen)
        except CrashError:
            self.parked = {side: before[side] | self.parked[side] for side in (LEFT, RIGHT)}
            return self.writes
        if not hints:
            self.cursors = starts
        self.verdicts.clear()
        return self.writes

    @property
    def lanes(self):
        return (LEFT, RIGHT) if self.sync.goes_back else (LEFT,)

    def trace_of(self, side, entry):
        return next((trace for trace in self.traces if trace.agreed[side].entry == entry), None)

    def owned(self, side):
        return {trace.agreed[side].entry for trace in self.traces}

    # --- reading

    def _read(self, hints, full):
        seen = {LEFT: set(self.parked[LEFT]), RIGHT: set(self.parked[RIGHT])}
        for side, entry in hints:
            seen[side].add(entry)
        for side, vendor in self.vendors.items():
            vendor.arrive()
            if hints:
                continue
            since = 0 if full else self.cursors[side] - OVERLAP
            fresh = vendor.gone(since)
            self.gone[side] |= fresh
            seen[side] |= vendor.touched(since) | set(fresh) | (set(vendor.rows) if full else set())
        return seen

    # --- writes of unknown outcome

    def _recover(self):
        self.waiting = {LEFT: set(), RIGHT: set()}
        for source in (LEFT, RIGHT):
            intents = [intent for intent in self.intents if intent.source is source]
            found = self._written(source, intents)
            for intent in intents:
                self._recover_one(intent, found.get(intent.found.row.entry))

    def _written(self, source, intents):
        rows = self.vendors[other(source)].rows.values()
        copies = [intent.wanted for intent in intents if intent.creates]
        return plan.find_written(copies, rows, self._taken(other(source)), self.sync.policy(source))

    def _taken(self, side):
        """What is nobody's twin: twins of others, what a move has left behind, what is being carried just now."""
        left = {entry for leftover, entry in self.leftovers if leftover is side}
        under_way = {intent.found.row.entry for intent in self.intents if intent.source is side}
        return self.owned(side) | left | under_way

    def _recover_one(self, intent, created):
        row = created or (self._updated(intent) if not intent.deletes and not intent.creates else None)
        if row:
            self._settle(intent, self._as_it_was_stored(intent, row))
        elif intent.creates and self.clock.minute - intent.minute < LOOK_AGAIN:
            self.waiting[intent.source].add(intent.found.row.entry)
        else:
            self.intents.remove(intent)

    def _updated(self, intent):
        row = self.vendors[other(intent.source)].rows.get(intent.wanted.entry)
        if row is None:
            return None
        sent = plan.as_stored(intent.wanted, row, self.sync.policy(intent.source))
        kind = self.vendors[other(intent.source)].kind
        return row if merge.has_arrived(sent, intent.before, row, kind) else None

    def _as_it_was_stored(self, intent, row):
        """Somebody may have edited it since: agreed is what was sent, with what the vendor makes of it."""
        sent = plan.as_stored(intent.wanted, row, self.sync.policy(intent.source))
        billable = row.billable if sent.billable is None else sent.billable
        return row.with_(
            work=sent.work, moment=sent.moment, seconds=sent.seconds, text=sent.text, billable=billable,
            attributes=sent.attributes if self.vendors[other(intent.source)].kind is not JIRA else (),
        )  # fmt: skip

    def _clean_up(self):
        """What moves have left behind."""
        for side, entry in list(self.leftovers):
            if entry in self.vendors[side].rows:
                self._die_if("before")
                self.vendors[side].delete(entry)
                self._count()
            self.leftovers.remove((side, entry))

    # --- lanes

    def _sync(self, seen):
        self.parked = {side: set(self.waiting[side]) for side in (LEFT, RIGHT)}
        for source in self.lanes:
            joined = self._lane(source, self._found(source, seen))
            self._lane(source, [self._traced(trace, source) for trace in joined])

    def _found(self, source, seen):
        """What a lane goes by: twins of which either side was touched, and entries that were never carried."""
        touched = [trace for trace in self.traces if self._is_touched(trace, seen)]
        found = [found for trace in touched if (found := self._traced(trace, source))]
        known = self.owned(source) | {entry for side, entry in self.leftovers if side is source}
        rows = self.vendors[source].rows
        fresh = [rows[entry] for entry in sorted(seen[source] - known) if entry in rows]
        return found + [
            self.sync.found(row, source) for row in fresh if row.entry not in self.waiting[source]
        ]

    def _is_touched(self, trace, seen):
        if any(trace.agreed[side].entry in self.waiting[side] for side in (LEFT, RIGHT)):
            return False
        return any(trace.agreed[side].entry in seen[side] for side in (LEFT, RIGHT))

    def _traced(self, trace, source):
        entry = trace.agreed[source].entry
        row = self.vendors[source].rows.get(entry)
        if row is None and entry not in self.gone[source]:
            return None
        verdict = self.verdicts.get(id(trace), "")
        twin = trace.twin(source)
        if row:
            return self.sync.found(row, source, twin, verdict=verdict)
        at = self.gone[source][entry]
        return self.sync.found(trace.agreed[source], source, twin, gone=True, gone_at=at, verdict=verdict)

    def _lane(self, source, found):
        found = [one for one in found if one]
        side = other(source)
        target = Target(list(self.vendors[side].rows.values()), self._taken(side), self.gone[side])
        terms = Terms(self.sync.lane(source), self.sync.policy(source), self.deletes)
        actions = plan_lane(found, target, terms)
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        joined = [self._carry_out(action, source) for action in actions]
        return [trace for trace in joined if trace]

    def _carry_out(self, action, source):
        """Gives the trace of two that were joined just now."""
        found, twin = action.found, action.found.twin
        match action:
            case Write(action=plan.Create(mapped), merge=result):
                self._write(Intent(source, found, mapped.copy, None, result, False, self.clock.minute))
            case Write(action=plan.Update(mapped, before) | plan.Move(mapped, before), merge=result):
                self._write(Intent(source, found, mapped.copy, before, result, False, self.clock.minute))
            case Delete(before=before):
                self._write(Intent(source, found, before, before, None, True, self.clock.minute))
            case Join(standing=standing, unsettled=unsettled, target_is_copy=is_copy):
                began = source if is_copy else other(source)
                agreed = {source: found.row, other(source): standing}
                self.traces.append(Trace(agreed, began, renamed(unsettled, RIGHT)))
                return self.traces[-1]
            case End():
                self._end(source, found)
            case Leave(standing=standing, merge=result) if result:
                self._agree(source, found, twin, standing, result)
            case Refusal():
                self.parked[source].add(found.row.entry)
        return None

    def _write(self, intent):
        side = other(intent.source)
        vendor, before = self.vendors[side], intent.before
        if before and vendor.rows.get(before.entry) != before:
            self.parked[side].add(before.entry)
            return
        self.intents.append(intent)
        self._die_if("before")
        if intent.creates and self._is_fault("late", "never"):
            if self.fault.how == "late":
                vendor.create_late(intent.wanted, self.fault.minutes)
            self.waiting[intent.source].add(intent.found.row.entry)
            self.parked[intent.source].add(intent.found.row.entry)
            self._count()
            return
        stored = self._send(intent, vendor)
        self._die_if("after")
        self._count()
        self._settle(intent, stored)

    def _send(self, intent, vendor):
        if intent.deletes:
            vendor.delete(intent.before.entry)
            return intent.before
        return vendor.create(intent.wanted) if intent.creates else vendor.update(intent.wanted)

    def _count(self):
        self.writes += 1
        self.clock.tick()

    def _is_fault(self, *hows):
        return self.fault.how in hows and self.fault.at == self.writes

    def _die_if(self, how):
        if self._is_fault(how):
            self.clock.tick()
            raise CrashError

    # --- agreements

    def _settle(self, intent, stored):
        found, source = intent.found, intent.source
        self.intents.remove(intent)
        if intent.deletes:
            self._end(source, found)
        elif found.twin and intent.merge:
            self._agree(source, found, found.twin, stored, intent.merge)
            if intent.creates:
                self.leftovers.append((other(source), intent.before.entry))
                self._clean_up()
        elif found.twin:
            trace = self.trace_of(source, found.row.entry)
            trace.agreed, trace.unsettled = {source: found.row, other(source): stored}, frozenset()
        else:
            self.traces.append(Trace({source: found.row, other(source): stored}, source))

    def _agree(self, source, found, twin, stored, result):
        agreed = merge.agreement(found.present, twin, stored, result)
        trace = self.trace_of(source, found.row.entry)
        trace.agreed = {source: agreed.source, other(source): agreed.copy}
        trace.unsettled = renamed(agreed.unsettled, RIGHT)

    def _end(self, source, found):
        if trace := self.trace_of(source, found.row.entry):
            trace.ended = True

    # --- people

    def decide_all(self, verdict):
        for trace in self.traces:
            if any(trace.agreed[side].entry in self.parked[side] for side in (LEFT, RIGHT)):
                self.verdicts[id(trace)] = verdict

    def in_doubt(self, side):
        """Worklogs that we wrote and do not know of yet, and copies that a move is about to leave behind."""
        intents = [intent for intent in self.intents if other(intent.source) is side]
        moved = {intent.before.entry for intent in intents if intent.creates and intent.before}
        left = {entry for leftover, entry in self.leftovers if leftover is side}
        return moved | left
