"""`migrate_worklogs NAME`: one migration run, or the rest of one that was stopped."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, RefusedError, find_connection
from connections.models import Connection
from reports import migration
from worklogs import figures, tasks
from worklogs import run as runs
from worklogs.context import NotReadyError
from worklogs.models import Run
from worklogs.owners import at_work

STATUS = {Run.State.FINISHED: 0, Run.State.PLANNED: 0}


class Command(ProductCommand):
    help = "Carry a 7pace history into Jira or Tempo. Started again it goes on, or carries only what changed."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--dry-run", action="store_true", help="plan every entry, write nothing")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")
        parser.add_argument(
            "--retry", action="store_true", help="also try failures whose cause has not changed"
        )

    def act(self, name: str, dry_run: bool, queue: bool, retry: bool, **_options: Any) -> int:
        connection = find_connection(name)
        asked = runs.Asked(dry_run=dry_run, queued=queue, retry=retry)
        if queue:
            run = _started(connection, asked, owner="")
            tasks.ring(run.pk)
            self.emit(figures.now(run), f"Run {run.pk} is queued.")
            return 0
        run = _run_here(connection, asked, runs.Shift(tell=self.stderr.write))
        result = figures.of(run)
        self.emit(result, migration.text(run))
        return exit_status(run, result)


def exit_status(run: Run, result: dict[str, Any]) -> int:
    """0 all well, 1 something failed or is parked, 3 stopped early."""
    if run.state not in STATUS:
        return 3
    return 1 if result["failed"] or result["parked"] else 0


def _run_here(connection: Connection, asked: runs.Asked, shift: runs.Shift) -> Run:
    with at_work() as owner:
        run = _started(connection, asked, owner)
        try:
            return runs.work(run, owner, shift)
        except runs.CANNOT_BEGIN as fault:
            raise RefusedError(getattr(fault, "code", "not_ready"), str(fault)) from fault
        except KeyboardInterrupt:
            raise RefusedError("interrupted", "Stopped before it began.", status=3) from None


def _started(connection: Connection, asked: runs.Asked, owner: str) -> Run:
    try:
        return runs.start(connection, asked, owner)
    except runs.RunActiveError as active:
        raise RefusedError("run_active", str(active)) from active
    except NotReadyError as fault:
        raise RefusedError(fault.code, fault.message) from fault
