"""The target side of a connection: its worklogs read as Worklog, whichever vendor keeps them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import batched, groupby
from operator import attrgetter
from typing import Any, Protocol

from connections.clients.feeds import BEGINNING, Change, FeedPage, moment_of
from connections.clients.http import SiteError
from connections.clients.jira import JiraClient
from connections.clients.tempo import TempoClient
from connections.models import Site
from worklogs.dialects import jira as jira_dialect
from worklogs.dialects import tempo as tempo_dialect
from worklogs.rules import Target
from worklogs.worklog import Worklog

ISSUES_A_SEARCH = 50
IDS_A_CALL = 1000


class Copied(Protocol):
    """A worklog of the target, by its id and issue."""

    @property
    def copy(self) -> str: ...

    @property
    def issue(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Some worklogs of a feed; everything up to `until` has been given with it and the pages before."""

    rows: Sequence[Worklog]
    until: datetime


type Unless = Callable[[Sequence[Change]], Collection[str]]


class Side(Protocol):
    """A side as the engine sees it. `account` is the account that writes where the person has none, `own_account`
    the token owner's, `jira` the site that knows its issues and people."""

    name: str
    account: str
    own_account: str
    jira: JiraClient

    @property
    def target(self) -> Target: ...

    @property
    def has_markers(self) -> bool:
        """Whether a copy can bear its source's id."""

    def probe(self) -> None:
        """The cheapest call that needs an answer. Raises SiteError."""

    def standing(self, issue: str) -> list[Worklog]:
        """Every worklog of one issue, as it stands now."""

    def standing_on(self, issues: Sequence[str]) -> dict[str, list[Worklog]] | None:
        """The same of many issues in few calls; None where the vendor has no such call."""

    def by_id(self, ids: Iterable[str]) -> list[Worklog]:
        """These worklogs wherever they are; those that are gone or hidden are left out."""

    def changed(self, since: datetime | None, first_day: date | None, unless: Unless) -> Iterator[Page]:
        """Worklogs created or changed since then (None: all there are), by the vendor's own clock.

        Those of work days before `first_day` may be left out where all are asked for. `unless` names, of changes
        that a vendor tells by id alone, those that need not be read.
        """

    def deleted(self, since: datetime) -> Iterator[FeedPage]:
        """Deletions since then, each perhaps more than once. Raises SiteError where they cannot be seen."""

    def deleted_besides(self, since: datetime) -> Iterator[FeedPage]:
        """The same by another list, for ids of the first that are no worklog's known here. Raises SiteError."""

    def seconds_of[T: Copied](self, copies: Iterable[T]) -> Iterator[tuple[T, int | None]]:
        """Each with its seconds now, None where it is gone. Copies of one issue come one after the other.

        Reads in few calls, and one part at a time: there may be more than memory should hold.
        """


@dataclass
class JiraSide:
    name: str
    account: str
    jira: JiraClient
    people: dict[str, JiraClient] = field(default_factory=dict)
    own_account: str = ""
    target = Target.JIRA
    has_markers = True

    def probe(self) -> None:
        self.jira.myself()

    def standing(self, issue: str) -> list[Worklog]:
        return _addressable(map(jira_dialect.standing, self.jira.issue_worklogs(issue)))

    def standing_on(self, issues: Sequence[str]) -> None:  # noqa: ARG002
        return None

    def by_id(self, ids: Iterable[str]) -> list[Worklog]:
        found: list[Worklog] = []
        for part in batched(ids, IDS_A_CALL):
            found += _addressable(map(jira_dialect.standing, self.jira.worklogs([int(i) for i in part])))
        return found

    def changed(self, since: datetime | None, first_day: date | None, unless: Unless) -> Iterator[Page]:  # noqa: ARG002
        for page in self.jira.updated_worklogs(since):
            known = unless(page.changes)
            yield Page(
                self.by_id(one.worklog for one in page.changes if one.worklog not in known), page.until
            )

    def deleted(self, since: datetime) -> Iterator[FeedPage]:
        return self.jira.deleted_worklogs(since)

    def deleted_besides(self, since: datetime) -> Iterator[FeedPage]:  # noqa: ARG002
        return iter(())

    def seconds_of[T: Copied](self, copies: Iterable[T]) -> Iterator[tuple[T, int | None]]:
        for part in batched(copies, IDS_A_CALL):
            now = {row.entry: row.seconds for row in self.by_id(one.copy for one in part)}
            yield from ((one, now.get(one.copy)) for one in part)


@dataclass
class TempoSide:
    name: str
    account: str
    jira: JiraClient
    tempo: TempoClient
    marker_attribute: str = ""
    own_account: str = ""
    tells_instants: bool = False
    target = Target.TEMPO

    @property
    def has_markers(self) -> bool:
        return bool(self.marker_attribute)

    def probe(self) -> None:
        self.tempo.configuration()

    def standing(self, issue: str) -> list[Worklog]:
        return self.standing_on([issue])[issue]

    def standing_on(self, issues: Sequence[str]) -> dict[str, list[Worklog]]:
        found: dict[str, list[Worklog]] = defaultdict(list)
        for part in batched(issues, ISSUES_A_SEARCH):
            for row in self.tempo.search_worklogs(issue_ids=[int(issue) for issue in part]):
                stands = self._standing(row)
                found[stands.work].append(stands)
        return found

    def by_id(self, ids: Iterable[str]) -> list[Worklog]:
        return [found for one in ids if (found := self._one(one))]

    def _one(self, worklog: str) -> Worklog | None:
        try:
            return self._standing(self.tempo.worklog(int(worklog)))
        except SiteError as fault:
            if fault.status == 404:
                return None
            raise

    def changed(self, since: datetime | None, first_day: date | None, unless: Unless) -> Iterator[Page]:  # noqa: ARG002
        until = since or BEGINNING
        for rows in self.tempo.changed_worklogs(since, first_day):
            standing = _addressable(map(self._standing, rows))
            until = max([until, *(moment for row in standing if (moment := moment_of(row.updated)))])
            yield Page(standing, until)

    def deleted(self, since: datetime) -> Iterator[FeedPage]:
        return self.tempo.deleted_worklogs(since)

    def deleted_besides(self, since: datetime) -> Iterator[FeedPage]:
        """The audit log may tell Jira's ids: no page says whose they are."""
        return self.tempo.deleted_by_older_list(since)

    def seconds_of[T: Copied](self, copies: Iterable[T]) -> Iterator[tuple[T, int | None]]:
        by_issue = (list(group) for _, group in groupby(copies, attrgetter("issue")))
        for part in batched(by_issue, ISSUES_A_SEARCH):
            standing = self.standing_on([group[0].issue for group in part])
            now = {row.entry: row.seconds for rows in standing.values() for row in rows}
            yield from ((one, now.get(one.copy)) for group in part for one in group)

    def read(self, row: dict) -> Worklog:
        """What Tempo has just stored. Raises ValueError where that is no whole worklog."""
        return tempo_dialect.worklog(row, marker_attribute=self.marker_attribute)

    def _standing(self, row: dict) -> Worklog:
        return tempo_dialect.standing(
            row, marker_attribute=self.marker_attribute, with_instant=self.tells_instants
        )


def _addressable(rows: Iterable[Worklog]) -> list[Worklog]:
    """Without its id nothing can be said of a worklog, nor done to it."""
    return [row for row in rows if row.entry]


def open_side(site: Site, fallback: str, open_: Callable[[Site], Any], *, asks_tempo: bool = True) -> Side:
    """A site's worklogs; asks who we are there. `fallback` writes where the person has no account, "" for our own.

    Raises SiteError, TokenError.
    """
    jira: JiraClient = open_(site.jira or site)
    account = str(jira.myself()["accountId"])
    if site.kind != Site.Kind.TEMPO:
        return JiraSide(site.name, account, jira, own_account=account)
    tempo: TempoClient = open_(site)
    if asks_tempo:
        tempo.configuration()
    return TempoSide(site.name, fallback or account, jira, tempo, site.marker_attribute, own_account=account)
