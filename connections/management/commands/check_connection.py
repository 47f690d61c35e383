"""`check_connection NAME`: asks both sides for everything the connection needs."""

from typing import Any

from django.core.management.base import CommandParser

from connections.checks import Check, Checkup, check
from connections.commanding import ProductCommand, find_connection

MARKS = {"ok": "ok     ", "missing": "MISSING", "unknown": "unknown"}


class Command(ProductCommand):
    help = "Reach both sides and check every permission and setting the connection needs."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")

    def act(self, name: str, **_options: Any) -> int:
        checkup = check(find_connection(name))
        self.emit(_data(checkup), "\n".join(map(_line, checkup.checks)))
        return checkup.status


def _data(checkup: Checkup) -> dict[str, Any]:
    data = checkup.as_json()
    if checkup.lost:
        code, message = checkup.lost[0]
        data["error"] = {"code": code, "message": message}
    return data


def _line(check: Check) -> str:
    line = f"{MARKS[check.state]}  {check.site}: {check.what} (for {check.needed_for})"
    return f"{line}\n         {check.remedy}" if check.remedy else line
