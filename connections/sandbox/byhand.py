"""What people do on a site themselves: log, change, move and delete worklogs.

Jira's and Tempo's own routes carry it out, with their refusals, in the name of the person whose worklog it is. That
person may do everything on that site: who is allowed to click where is not what one wants to try out here.
"""

import json
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from connections.sandbox import adf
from connections.sandbox.jira.door import API as JIRA_API
from connections.sandbox.jira.door import ROUTES as JIRA_ROUTES
from connections.sandbox.routes import RefusalError, Request, Routes
from connections.sandbox.tempo.door import API as TEMPO_API
from connections.sandbox.tempo.door import ROUTES as TEMPO_ROUTES
from connections.sandbox.world import (
    EVERYTHING,
    JiraAccount,
    JiraSite,
    JiraWorklog,
    PaceWorklog,
    SevenPaceOrg,
    TempoSite,
    TempoWorklog,
)

if TYPE_CHECKING:
    from connections.sandbox.server import Sandbox

_LENGTH = re.compile(r"(\d+)\s*([hms])")
_UNITS = {"h": 3600, "m": 60, "s": 1}


class ByHandError(Exception):
    """It cannot be done; the text says why, in the vendor's words where it was the vendor who refused."""


@dataclass(frozen=True)
class Entry:
    """What a person fills in. `on` is an issue's key or a work item's number, `started` their own wall clock."""

    author: str
    on: str
    started: datetime
    seconds: int
    text: str = ""


@dataclass(frozen=True)
class Row:
    """A worklog as a person sees it; `twin` is its id on the other side of Tempo's mirror."""

    number: str
    entry: Entry
    author_name: str
    updated: datetime
    twin: str = ""


def entry_of(fields: Mapping[str, Any]) -> Entry:
    """From a form's texts; ByHandError for what is none."""
    missing = [name for name in ("author", "on", "started", "length") if not fields.get(name)]
    if missing:
        raise ByHandError(f"Fill in: {', '.join(missing)}.")
    try:
        started = datetime.fromisoformat(fields["started"])
    except (TypeError, ValueError):
        raise ByHandError(f"{fields['started']!r} is no date with a time.") from None
    text = str(fields.get("text") or "").replace("\r\n", "\n")
    return Entry(fields["author"], str(fields["on"]), started, seconds_of(str(fields["length"])), text)


def fields_of_entry(entry: Entry) -> dict[str, str]:
    """The other way round."""
    return {
        "author": entry.author,
        "on": entry.on,
        "started": entry.started.isoformat(timespec="seconds"),
        "length": length_of(entry.seconds),
        "text": entry.text,
    }


def seconds_of(text: str) -> int:
    """1h 30m 5s, or seconds alone."""
    if text.strip().isdecimal():
        return int(text)
    if not re.fullmatch(rf"(\s*{_LENGTH.pattern}\s*)+", text):
        raise ByHandError(f"{text!r} is no length such as 1h 30m.")
    return sum(int(count) * _UNITS[unit] for count, unit in _LENGTH.findall(text))


def length_of(seconds: int | None) -> str:
    parts, rest = [], seconds or 0
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"


class Hand(ABC):
    """A person's hand on one site. Every deed raises ByHandError where it cannot be done."""

    place = "Issue’s key"
    """What time is logged on."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox

    @property
    @abstractmethod
    def time_zone(self) -> str: ...

    @abstractmethod
    def people(self) -> list[tuple[str, str]]:
        """Id and name of everybody who can log time."""

    @abstractmethod
    def rows(self) -> list[Row]: ...

    @abstractmethod
    def log(self, entry: Entry) -> None: ...

    @abstractmethod
    def change(self, number: str, entry: Entry) -> None:
        """Sets start, length and text; author and issue stay."""

    @abstractmethod
    def move(self, number: str, on: str) -> None: ...

    @abstractmethod
    def delete(self, number: str) -> None: ...

    def row(self, number: str) -> Row:
        found = next((row for row in self.rows() if row.number == number), None)
        if found is None:
            raise ByHandError(f"There is no worklog {number} here.")
        return found

    def now(self) -> str:
        """The full minute, where most of these people are."""
        moment = datetime.fromtimestamp(self.sandbox.world.clock(), ZoneInfo(self.time_zone))
        return moment.replace(second=0, tzinfo=None).isoformat(timespec="seconds")

    def newest(self, count: int) -> list[Row]:
        """The last changed ones, newest first."""
        return sorted(self.rows(), key=lambda row: row.updated, reverse=True)[:count]

    def do(self, fields: Mapping[str, Any]) -> None:
        """What `action` says: log, change, move or delete. What a change does not name stays."""
        number, action = str(fields.get("number", "")), fields.get("action")
        if action == "log":
            self.log(entry_of(fields))
        elif action == "change":
            self.change(number, entry_of(fields_of_entry(self.row(number).entry) | dict(fields)))
        elif action == "move":
            self.move(number, str(fields.get("on", "")))
        elif action == "delete":
            self.delete(number)
        else:
            raise ByHandError(f"{action!r} is neither log, change, move nor delete.")


def hand_on(sandbox: "Sandbox", name: str) -> Hand | None:
    """On the site of that name; None where there is none that holds worklogs."""
    for site in sandbox.world.sites():
        if site.name == name:
            match site:
                case JiraSite():
                    return JiraHand(sandbox, site)
                case TempoSite():
                    return TempoHand(sandbox, site)
                case SevenPaceOrg():
                    return PaceHand(sandbox, site)
    return None


class AtlassianHand[SiteT: (JiraSite, TempoSite)](Hand):
    """What Jira and Tempo have in common: the people, and routes that do the work."""

    routes: Routes

    def __init__(self, sandbox: "Sandbox", site: SiteT) -> None:
        super().__init__(sandbox)
        self.site: SiteT = site
        self.jira: JiraSite = site if isinstance(site, JiraSite) else site.jira

    @property
    def time_zone(self) -> str:
        return self.jira.time_zone

    def people(self) -> list[tuple[str, str]]:
        accounts = [account for account in self.jira.accounts.values() if account.kind == "atlassian"]
        return sorted(((account.account_id, account.name) for account in accounts), key=lambda pair: pair[1])

    def account(self, author: str) -> JiraAccount:
        """By id or e-mail address."""
        found = self.jira.accounts.get(author) or self.jira.account_of(author)
        if found is None:
            raise ByHandError(f"Nobody here is {author}.")
        return found

    def issue_id(self, key: str) -> int:
        issue = self.jira.issue(key)
        if issue is None:
            raise ByHandError(f"There is no issue {key} here.")
        return issue.id

    def call(self, by: str, method: str, path: str, body: Any = None) -> None:
        request: Request[SiteT, JiraAccount] = Request(
            method,
            path,
            "",
            {},
            json.dumps(body).encode(),
            self.site,
            self.site.home,
            self.sandbox.world.clock,
        )
        request.called_by(replace(self.account(by), permissions=EVERYTHING))
        found = self.routes.find(method, path)
        if found is None:
            raise LookupError(path)
        route, values = found
        try:
            route.function(request, **values)
        except RefusalError as refusal:
            raise ByHandError(refusal.reply.payload().decode()) from None


class JiraHand(AtlassianHand[JiraSite]):
    routes = JIRA_ROUTES

    def rows(self) -> list[Row]:
        return [self._row(row) for row in list(self.site.worklogs.values())]

    def _row(self, row: JiraWorklog) -> Row:
        author = self.site.accounts[row.author_id]
        wall = row.started.astimezone(ZoneInfo(author.time_zone)).replace(tzinfo=None)
        entry = Entry(author.account_id, self.site.issues[row.issue_id].key, wall, row.seconds, row.text)
        twin = self.site.tempo.twin_of(row.id) if self.site.tempo else None
        return Row(str(row.id), entry, author.name, row.updated, str(twin.id) if twin else "")

    def log(self, entry: Entry) -> None:
        self.call(
            entry.author, "POST", f"{JIRA_API}/issue/{self.issue_id(entry.on)}/worklog", self._body(entry)
        )

    def change(self, number: str, entry: Entry) -> None:
        self.call(self._actor(number), "PUT", self._path(number), self._body(entry))

    def move(self, number: str, on: str) -> None:
        """Jira's own bulk move of one: the id stays, and nobody is told."""
        body = {"ids": [int(number)], "issueIdOrKey": str(self.issue_id(on))}
        path = f"{self._path(number).rpartition('/')[0]}/move"
        self.call(self._actor(number), "POST", path, body)

    def delete(self, number: str) -> None:
        self.call(self._actor(number), "DELETE", self._path(number))

    def _path(self, number: str) -> str:
        return f"{JIRA_API}/issue/{self.issue_id(self.row(number).entry.on)}/worklog/{number}"

    def _actor(self, number: str) -> str:
        """Its author; of what Tempo wrote, the person it wrote it for."""
        author = self.row(number).entry.author
        twin = self.site.tempo.twin_of(int(number)) if self.site.tempo else None
        return twin.author_id if twin else author

    def _body(self, entry: Entry) -> dict[str, Any]:
        zone = ZoneInfo(self.account(entry.author).time_zone)
        started = entry.started.replace(tzinfo=zone).strftime("%Y-%m-%dT%H:%M:%S.000%z")
        return {
            "started": started, "timeSpentSeconds": entry.seconds, "comment": adf.document(entry.text),
        }  # fmt: skip


class TempoHand(AtlassianHand[TempoSite]):
    routes = TEMPO_ROUTES

    def rows(self) -> list[Row]:
        return [self._row(row) for row in list(self.site.worklogs.values())]

    def _row(self, row: TempoWorklog) -> Row:
        author = self.jira.accounts[row.author_id]
        entry = Entry(
            author.account_id, self.jira.issues[row.issue_id].key, row.started, row.seconds, row.description
        )
        return Row(str(row.id), entry, author.name, row.updated, str(row.jira_worklog_id or ""))

    def log(self, entry: Entry) -> None:
        body = self._body(entry) | {"issueId": self.issue_id(entry.on)}
        self.call(entry.author, "POST", f"{TEMPO_API}/worklogs", body)

    def change(self, number: str, entry: Entry) -> None:
        self.call(
            entry.author, "PUT", self._path(number), self._body(entry) | self._kept(number, entry.seconds)
        )

    def move(self, number: str, on: str) -> None:
        """Tempo cannot: it is written anew on the other issue, under a new id on both sides, and deleted here."""
        entry = self.row(number).entry
        body = self._body(entry) | self._kept(number, entry.seconds) | {"issueId": self.issue_id(on)}
        self.call(entry.author, "POST", f"{TEMPO_API}/worklogs", body)
        self.delete(number)

    def delete(self, number: str) -> None:
        self.call(self.row(number).entry.author, "DELETE", self._path(number))

    def _path(self, number: str) -> str:
        return f"{TEMPO_API}/worklogs/{number}"

    def _kept(self, number: str, seconds: int) -> dict[str, Any]:
        """Attributes, and billable time that is not simply all of it."""
        row = self.site.worklogs[int(number)]
        billable = seconds if row.billable_seconds == row.seconds else row.billable_seconds
        attributes = [{"key": key, "value": value} for key, value in row.attributes.items()]
        return {"attributes": attributes, "billableSeconds": billable}

    def _body(self, entry: Entry) -> dict[str, Any]:
        return {
            "authorAccountId": self.account(entry.author).account_id,
            "startDate": entry.started.date().isoformat(),
            "startTime": entry.started.strftime("%H:%M:%S"),
            "timeSpentSeconds": entry.seconds,
            "description": entry.text,
        }


class PaceHand(Hand):
    """7pace takes no worklogs by the routes the sandbox has; they are put in place directly."""

    place = "Work item’s number"

    def __init__(self, sandbox: "Sandbox", site: SevenPaceOrg) -> None:
        super().__init__(sandbox)
        self.site = site

    @property
    def time_zone(self) -> str:
        return self.site.time_zone

    def people(self) -> list[tuple[str, str]]:
        return sorted(((user.id, user.name) for user in self.site.users.values()), key=lambda pair: pair[1])

    def rows(self) -> list[Row]:
        return [self._row(row) for row in list(self.site.worklogs.values())]

    def _row(self, row: PaceWorklog) -> Row:
        on = str(row.work_item_id or "")
        entry = Entry(row.user_id, on, row.timestamp, row.seconds or 0, row.comment or "")
        return Row(row.id, entry, self.site.users[row.user_id].name, row.edited)

    def log(self, entry: Entry) -> None:
        if entry.author not in self.site.users:
            raise ByHandError(f"Nobody here is {entry.author}.")
        now = self._now()
        number, item = str(uuid.uuid4()), self._work_item(entry.on)
        self.site.put(
            PaceWorklog(
                number, entry.author, entry.started, entry.seconds, item, entry.text, created=now, edited=now
            )
        )

    def change(self, number: str, entry: Entry) -> None:
        self._put(number, timestamp=entry.started, seconds=entry.seconds, comment=entry.text)

    def move(self, number: str, on: str) -> None:
        self._put(number, work_item_id=self._work_item(on))

    def delete(self, number: str) -> None:
        del self.site.worklogs[self.row(number).number]

    def _put(self, number: str, **changes: Any) -> None:
        old = self.site.worklogs[self.row(number).number]
        self.site.put(replace(old, edited=self._now(), **changes))

    def _work_item(self, text: str) -> int:
        if not text.isdecimal():
            raise ByHandError(f"{text!r} is no work item's number.")
        return int(text)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.sandbox.world.clock(), UTC).replace(tzinfo=None, microsecond=0)
