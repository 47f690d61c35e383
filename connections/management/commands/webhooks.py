"""`webhooks ACTION NAME`: asks the sites of a sync to call us when a worklog changes, or to stop."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from connections import hooks
from connections.clients.http import SiteError
from connections.commanding import ProductCommand, RefusedError, find_connection
from connections.hooks import Finding
from connections.models import Connection, Site
from connections.tokens import TokenError

ACTIONS: dict[str, Callable[[Site, Connection], list[Finding]]] = {
    "register": lambda site, _: hooks.register(site),
    "check": lambda site, _: hooks.keep_alive(site),
    "remove": hooks.remove,
}
UNREACHED = {"auth_failed", "site_unavailable", "rate_limited"}


class Command(ProductCommand):
    help = "Have the sites of a sync call this installation when a worklog changes; see that they do; or stop it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("name", metavar="CONNECTION")

    def act(self, action: str, name: str, **_options: Any) -> int:
        connection = find_connection(name)
        if connection.is_migration:
            raise RefusedError("not_a_sync", f"{name} is a migration: webhooks are for syncs.")
        try:
            findings = [
                finding for site in hooks.sites_of(connection) for finding in _of(site, action, connection)
            ]
        except hooks.AddressError as error:
            raise RefusedError("bad_public_url", str(error)) from error
        self.emit({"webhooks": [asdict(finding) for finding in findings]}, _text(findings))
        return _status(findings)


def _of(site: Site, action: str, connection: Connection) -> list[Finding]:
    """One site that fails keeps no other from its turn."""
    try:
        return ACTIONS[action](site, connection)
    except TokenError as error:
        return [Finding(site.name, "", hooks.State.FAILED, str(error), "auth_failed")]
    except SiteError as error:
        return [Finding(site.name, "", hooks.State.FAILED, error.message, error.code)]


def _status(findings: list[Finding]) -> int:
    """0 all well, 1 something is not as it should be, 2 a site was not reached or refused its token."""
    if any(finding.code in UNREACHED for finding in findings):
        return 2
    return int(any(finding.state not in hooks.GOOD for finding in findings))


def _text(findings: list[Finding]) -> str:
    return "\n".join(map(_line, findings)) or "No webhooks are registered."


def _line(finding: Finding) -> str:
    line = f"{finding.state:8}  {finding.site} {finding.event}".rstrip()
    return f"{line}\n          {finding.message}" if finding.message else line
