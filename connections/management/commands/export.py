"""`export [NAME]`: the file that `apply` reads, without secrets."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, find_connection, usable_database
from connections.exporting import export


class Command(ProductCommand):
    help = "Write the file that `apply` reads from the database, without secrets."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "name", nargs="?", metavar="NAME", help="one connection with its sites; absent: all"
        )

    def act(self, name: str | None, **_options: Any) -> None:
        with usable_database():
            text = export(find_connection(name) if name else None)
        self.emit({"toml": text}, text.rstrip("\n"))
