"""`sync NAME`: one run of a sync, both ways."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import RefusedError, find_connection
from connections.models import Connection
from reports import syncing
from worklogs.management.running import RunCommand, refuse_kind
from worklogs.run import Asked


class Command(RunCommand):
    help = "Bring the worklogs of both sides together: what was recorded, changed, moved or deleted since."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--full", action="store_true", help="compare everything in scope")
        parser.add_argument(
            "--allow-deletes", type=int, metavar="N", help="carry out up to so many deletions unasked"
        )

    def act(
        self,
        name: str,
        dry_run: bool,
        queue: bool,
        retry: bool,
        full: bool,
        allow_deletes: int | None,
        **_options: Any,
    ) -> int:
        connection = find_connection(name)
        refuse_kind(connection, Connection.Kind.SYNC, "migrate_worklogs")
        if allow_deletes is not None and allow_deletes < 0:
            raise RefusedError("bad_arguments", "--allow-deletes takes a number of 0 or more.")
        asked = Asked(dry_run=dry_run, queued=queue, retry=retry, full=full, allow_deletes=allow_deletes)
        return self.carry_out(connection, asked, syncing.text)
