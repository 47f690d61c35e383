"""What the commands have in common: `--json`, the error object and the exit status."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, ProgrammingError

from connections.models import Connection
from connections.problems import close_to


class RefusedError(Exception):
    """A command that ends before it began: a code for machines, a message for people, the exit status."""

    def __init__(self, code: str, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class ProductCommand(BaseCommand):
    """A command with `--json`: `act()` returns the exit status (nothing: 0) or raises `RefusedError`."""

    requires_system_checks = []
    as_json = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self._called_from_command_line and "--json" in sys.argv:  # type: ignore[attr-defined]
            parser.error = self._refuse_arguments  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="one JSON object on standard output"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        self.as_json = options["as_json"]
        try:
            status = self.act(**options)
        except RefusedError as refusal:
            self.fail(refusal.code, refusal.message, refusal.status)
        if status:
            sys.exit(status)

    def act(self, *args: Any, **options: Any) -> int | None:
        raise NotImplementedError

    def emit(self, data: dict[str, Any], text: str) -> None:
        """Write `data` as one JSON object where `--json` was given, else `text`."""
        self.stdout.write(json.dumps(data, ensure_ascii=False) if self.as_json else text)

    def fail(self, code: str, message: str, status: int = 2) -> NoReturn:
        """Say why nothing was begun and leave with `status`."""
        if self.as_json:
            self.stdout.write(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
        else:
            self.stderr.write(self.style.ERROR(message))
        sys.exit(status)

    def _refuse_arguments(self, message: str) -> NoReturn:
        self.as_json = True
        self.fail("bad_arguments", message)


@contextmanager
def usable_database() -> Iterator[None]:
    """Raises `RefusedError` ("database_unavailable") where the database is away or was never migrated."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        raise RefusedError(
            "database_unavailable",
            f"The database cannot be used ({error}). Run `manage.py migrate`, or check DATABASE_URL.",
        ) from error


def find_connection(name: str) -> Connection:
    """The connection of this name, with its sites loaded. Raises `RefusedError` ("unknown_name")."""
    with usable_database():
        known = {connection.name: connection for connection in Connection.objects.with_sites()}
    if name in known:
        return known[name]
    hint = close_to(name, list(known), f" (known: {', '.join(known) or 'none'})")
    raise RefusedError("unknown_name", f'There is no connection named "{name}"{hint}.')
