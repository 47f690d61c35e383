"""`report (NAME | --run N)`: what came of a run."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand
from reports import balance, migration, reporting
from reports.finding import add_subject, find_run
from worklogs import figures


class Command(ProductCommand):
    help = "The report of a connection's newest run, or of the run with this number."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_subject(parser)
        parser.add_argument("--csv", action="store_true", help="the failures as CSV")

    def act(self, name: str | None, run: int | None, csv: bool, **_options: Any) -> None:
        found = find_run(name, run)
        if csv and not self.as_json:
            self.stdout.write(migration.as_csv(found), ending="")
            return
        hours = balance.recorded(found.connection)
        data = {**figures.of(found), "balance": hours.as_json()}
        self.emit(data, reporting.text_of(found))
