"""What a run does that is a migration: read the source, find people and issues, write issue by issue."""

from worklogs import carry, fetch, mapping, recover, steps
from worklogs.context import Halt, MigrationContext, open_migration
from worklogs.models import Run, RunLog, Step


class Migration:
    """One process's share in a migration run."""

    def __init__(self, run: Run, halt: Halt) -> None:
        self.context: MigrationContext = open_migration(run, halt)

    def context_of(self, _step: Step) -> MigrationContext:
        return self.context

    def begin(self) -> None:
        """What to read, and the issues where an earlier run left a write of unknown outcome."""
        run = self.context.run
        left = recover.unsettled(self.context).exclude(run=run).order_by()
        fetch.plan_reading(self.context)
        for issue, key in left.values_list("issue", "issue_key").distinct():
            spec = {"issue": {"id": issue, "key": key}}
            steps.add(run, Step.Kind.CARRY, issue, lock=mapping.lock_of(self.context, issue), spec=spec)

    def do(self, step: Step) -> float | None:
        if step.kind == Step.Kind.CARRY:
            return carry.carry(self.context, step)
        if step.kind == Step.Kind.READ:
            self._read(step)
        else:
            mapping.map_entries(self.context, step)
        return None

    def _read(self, step: Step) -> None:
        fetch.read(self.context, step)
        if not fetch.reads_first(self.context) and "ids" in step.spec:
            mapping.plan_mapping(self.context.run, [str(work) for work in step.spec["ids"]])

    def all_is_read(self) -> None:
        """Mapping begins, where it could not before."""
        run = self.context.run
        self.context.log(f"Read {run.fetched.count():,} entries.")
        if fetch.reads_first(self.context):
            mapping.plan_mapping(run, mapping.unmapped_works(run))

    def plan_forgotten(self) -> bool:
        """Steps for entries that none of the steps so far has come to; False where there are none."""
        forgotten = mapping.unmapped_works(self.context.run)
        mapping.plan_mapping(self.context.run, forgotten)
        return bool(forgotten)

    def tell(self) -> None:
        """A source that does not keep to what it was asked for may not understand the question."""
        if ignored := self.context.pace.take_ignored():
            self.context.log(
                f"{self.context.source_site} gave {ignored:,} entries that were not asked for. They were left out.",
                RunLog.Level.WARNING,
            )

    def conclude(self, run: Run) -> None:
        """Nothing more: where it stands is kept with every entry."""
