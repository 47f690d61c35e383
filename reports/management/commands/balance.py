"""`balance NAME`: the hours proof, with the target read now."""

from typing import Any

from django.core.management.base import CommandParser

from connections.clients.http import SiteError
from connections.commanding import ProductCommand, RefusedError, find_connection
from connections.tokens import TokenError
from reports import balance


class Command(ProductCommand):
    help = "Prove that source = target + skipped + failed + parked + rounding, to the second."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")

    def act(self, name: str, **_options: Any) -> int:
        connection = find_connection(name)
        try:
            if connection.is_migration:
                hours = balance.proved(connection)
                self.emit(hours.as_json(), balance.text(hours))
                return 0 if hours.balanced else 1
            both = balance.proved_both_ways(connection)
        except (SiteError, TokenError) as fault:
            raise RefusedError(getattr(fault, "code", "auth_failed"), str(fault)) from fault
        self.emit(both.as_json(), balance.text_both_ways(both, connection))
        return 0 if both.balanced else 1
