"""`watch_queue`: the watchdog's eyes. `serve` and `demo` run it and act on what it says."""

import logging
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection

from worklogs.watchdog import Watch

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Watches the queues: one line a look, the names of the queues that do not answer, or nothing."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--period", type=float, default=30.0, help="seconds between two looks (default 30)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        watch = Watch(options["period"])
        while True:
            self.stdout.write(" ".join(look(watch)))
            self.stdout.flush()
            time.sleep(options["period"])


def look(watch: Watch) -> list[str]:
    """What does not answer; nothing is known while the database is away."""
    try:
        return watch.look()
    except DatabaseError:
        logger.warning("the watchdog cannot see: the database is away", exc_info=True)
        connection.close()
        return []
