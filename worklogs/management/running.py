"""What the commands that carry out a run have in common."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, RefusedError
from connections.models import Connection
from worklogs import figures, tasks
from worklogs import run as runs
from worklogs.context import NotReadyError
from worklogs.models import Run
from worklogs.owners import at_work

WELL = (Run.State.FINISHED, Run.State.PLANNED)


class RunCommand(ProductCommand):
    """A command that runs a connection here and now, or with `--queue` leaves it to the workers."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--dry-run", action="store_true", help="plan every entry, write nothing")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")
        parser.add_argument(
            "--retry", action="store_true", help="also try failures whose cause has not changed"
        )

    def carry_out(self, connection: Connection, asked: runs.Asked, tell: Callable[[Run], str]) -> int:
        """The exit status; `tell` gives the report as people read it."""
        if asked.queued:
            run = _started(connection, asked, owner="")
            tasks.ring(run.pk)
            self.emit(figures.now(run), f"Run {run.pk} is queued.")
            return 0
        run = _run_here(connection, asked, runs.Shift(tell=self.stderr.write))
        result = figures.of(run)
        self.emit(result, tell(run))
        return exit_status(run, result)


def exit_status(run: Run, result: dict[str, Any]) -> int:
    """0 all well, 1 something failed or is parked, 3 stopped early."""
    if run.state not in WELL:
        return 3
    return 1 if result["failed"] or result["parked"] else 0


def refuse_kind(connection: Connection, wanted: str, command: str) -> None:
    """Raises RefusedError where the connection is not of the kind that a command runs."""
    if connection.kind != wanted:
        raise RefusedError(
            "wrong_kind", f'"{connection.name}" is a {connection.kind}. Use `{command} {connection.name}`.'
        )


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
