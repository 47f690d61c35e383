"""What a run does that is a sync: read what changed on both sides, place it, and carry it both ways."""

from worklogs import carry, carry_twins, changes, ledger_twins, mapping_twins, moves, recover, steps
from worklogs.context import Halt
from worklogs.lanes import LaneContext, open_lanes
from worklogs.mapping import lock_of
from worklogs.models import Run, Step

SOON = 0.2


class Sync:
    """One process's share in a run of a sync."""

    def __init__(self, run: Run, halt: Halt) -> None:
        self.lanes = open_lanes(run, halt)
        for lane in self.lanes:
            lane.book = ledger_twins.book

    @property
    def context(self) -> LaneContext:
        return self.lanes[0]

    def context_of(self, step: Step) -> LaneContext:
        """A carry step names the side it writes to, every other one the side it reads."""
        to, side = step.spec.get("to"), step.spec.get("side")
        return next(lane for lane in self.lanes if to == lane.target_side or side == lane.source_side)

    def begin(self) -> None:
        """What to read, and the issues where an earlier run left a write of unknown outcome."""
        self.context.scope.forget_other_rules()
        changes.plan_reading(self.lanes)
        for lane in self.lanes:
            for leftover in changes.leftovers_due(lane):
                carry.queue_removal(lane, leftover)
            left = recover.unsettled(lane).exclude(run=lane.run).order_by()
            for issue, key in left.values_list("issue", "issue_key").distinct():
                spec = lane.spec_of({"id": issue, "key": key})
                steps.add(lane.run, Step.Kind.CARRY, lane.key_of(issue), lock=lock_of(lane, issue), spec=spec)

    def do(self, step: Step) -> float | None:
        context = self.context_of(step)
        if step.kind == Step.Kind.CARRY:
            return carry_twins.carry(context, step)
        if step.kind == Step.Kind.READ:
            changes.read(context, step)
            return None
        if self._has_lane_before(context):
            return SOON
        mapping_twins.map_entries(context, step)
        return None

    def _has_lane_before(self, context: LaneContext) -> bool:
        """A carry step of the second lane waits for the first lane's of its pair, which must be known by then."""
        first = self.lanes[0]
        if context is first:
            return False
        maps = context.run.steps.filter(kind=Step.Kind.MAP, spec__side=str(first.source_side))
        return maps.exclude(state=Step.State.DONE).exists()

    def all_is_read(self) -> None:
        self.context.log(f"Read {self.context.run.fetched.count():,} changes.")
        for lane in self.lanes:
            if moved := moves.recognise(lane):
                lane.log(f"{moved:,} entries were moved on {lane.source_site}, and have other ids there now.")
        mapping_twins.guard_deletions(self.context)
        self.plan_forgotten()

    def plan_forgotten(self) -> bool:
        planned = [mapping_twins.plan_mapping(lane) for lane in self.lanes]
        return any(planned)

    def tell(self) -> None:
        """Feeds keep to what they were asked for; what else there is to say is said where it happens."""

    def conclude(self, run: Run) -> None:
        changes.conclude(run)
