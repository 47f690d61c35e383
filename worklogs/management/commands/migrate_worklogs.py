"""`migrate_worklogs NAME`: one migration run, or the rest of one that was stopped."""

from typing import Any

from connections.commanding import find_connection
from connections.models import Connection
from reports import migration
from worklogs.management.running import RunCommand, refuse_kind
from worklogs.run import Asked


class Command(RunCommand):
    help = "Carry a 7pace history into Jira or Tempo. Started again it goes on, or carries only what changed."

    def act(self, name: str, dry_run: bool, queue: bool, retry: bool, **_options: Any) -> int:
        connection = find_connection(name)
        refuse_kind(connection, Connection.Kind.MIGRATION, "sync")
        return self.carry_out(connection, Asked(dry_run=dry_run, queued=queue, retry=retry), migration.text)
