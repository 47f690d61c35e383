"""`failures (NAME | --run N)`: what is still open, as the CSV that people correct and hand back."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand
from reports import downloads
from reports.finding import add_subject, find_subject
from worklogs.models import Run


class Command(ProductCommand):
    help = "CSV of what failed or was parked and is still open."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_subject(parser)

    def act(self, name: str | None, run: int | None, **_options: Any) -> None:
        subject = find_subject(name, run)
        rows = (
            downloads.open_failures_of(subject)
            if isinstance(subject, Run)
            else downloads.open_failures(subject).select_related("connection").iterator()
        )
        if self.as_json:
            self.emit({"failures": [downloads.row(entry) for entry in rows]}, "")
            return
        for line in downloads.csv_lines(rows):
            self.stdout.write(line, ending="")
