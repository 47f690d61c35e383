"""`follow (NAME | --run N)`: tells how far a run is until it has ended, then its report."""

import time
from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand
from reports import balance, reporting
from reports.finding import add_subject, find_run
from worklogs import figures
from worklogs import run as runs
from worklogs.management.running import exit_status
from worklogs.models import Run

LOOK_SECONDS = 1.0


class Command(ProductCommand):
    help = "Follow a connection's newest run, or the run with this number, to its end; then its report and status."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_subject(parser)

    def act(self, name: str | None, run: int | None, **_options: Any) -> int:
        found = find_run(name, run)
        self._follow(found)
        result = figures.of(found)
        hours = balance.recorded(found.connection)
        self.emit({**result, "balance": hours.as_json()}, reporting.text_of(found))
        return exit_status(found, result)

    def _follow(self, run: Run) -> None:
        told, told_at = "", 0.0
        while run.state == Run.State.RUNNING:
            if time.monotonic() - told_at > runs.TELL_SECONDS and (words := runs.progress(run)) != told:
                told, told_at = words, time.monotonic()
                self.stderr.write(words)
            time.sleep(LOOK_SECONDS)
            run.refresh_from_db()
