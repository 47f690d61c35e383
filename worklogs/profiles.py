"""Who the accounts of a Jira are, and by which zone each of them sees its wall clock."""

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from connections.clients.http import SiteError
from connections.clients.jira import JiraClient
from worklogs import clock
from worklogs.clock import Moment
from worklogs.rules import Target
from worklogs.worklog import Person, Worklog

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Profile:
    """An account's person and zone; "" where the zone is hidden."""

    person: Person
    zone: str = ""


class Profiles:
    """Profiles by account id, each asked for once. `zones` are those that an operator has set for people."""

    def __init__(self, jira: JiraClient, zones: Mapping[str, str]) -> None:
        self._jira = jira
        self._zones = {name.casefold(): zone for name, zone in zones.items()}
        self._known: dict[str, Profile] = {}
        self._site_zone: str | None = None
        self._lock = threading.Lock()

    def of(self, accounts: Iterable[str]) -> dict[str, Profile]:
        """Raises SiteError. Whom Jira does not show is known by the account id alone."""
        with self._lock:
            wanted = {account for account in accounts if account}
            self._ask(wanted - self._known.keys())
            return {account: self._known[account] for account in wanted}

    def zone_of(self, profile: Profile) -> str:
        """The zone set for the person, else the profile's, else the site's."""
        names = (profile.person.email, profile.person.account, profile.person.name)
        own = next((self._zones[name.casefold()] for name in names if name.casefold() in self._zones), "")
        return own or _usable(profile.zone) or self._zone_of_site()

    def _ask(self, accounts: Collection[str]) -> None:
        found = {account: Profile(Person(account=account)) for account in accounts}
        for row in self._jira.users(sorted(accounts)) if accounts else ():
            account = str(row.get("accountId") or "")
            person = Person(
                name=str(row.get("displayName") or ""),
                email=str(row.get("emailAddress") or ""),
                account=account,
            )
            found[account] = Profile(person, str(row.get("timeZone") or ""))
        self._known |= found

    def _zone_of_site(self) -> str:
        with self._lock:
            if self._site_zone is None:
                self._site_zone = _usable(self._asked_zone()) or UTC
            return self._site_zone

    def _asked_zone(self) -> str:
        try:
            return self._jira.server_zone() or str(self._jira.myself().get("timeZone") or "")
        except SiteError:
            return ""


def _usable(zone: str) -> str:
    """The zone, "" where nobody knows it."""
    try:
        return str(clock.zone_named(zone)) if zone else ""
    except (KeyError, ValueError, OSError):
        return ""


def in_zone(row: Worklog, kind: Target, zone: str) -> Worklog:
    """The row with the moment that it means to its person: Jira gives the instant, Tempo the wall clock and, where
    it could tell, the instant too."""
    moment = row.moment
    if moment is None:
        return row
    if kind is Target.JIRA:
        return row.with_(moment=clock.from_instant(moment.instant, zone))
    if moment.is_told:
        return row.with_(moment=Moment(moment.day, moment.start, zone, moment.instant))
    return row.with_(moment=clock.from_wall(moment.wall, zone))
