"""The failures page: what is open over all connections, by cause, with the way to mend each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from connections.models import Connection
from reports import causes, queries
from reports.causes import Cause, Open
from reports.queries import UNSHOWN, Wanted
from worklogs.models import Entry
from worklogs.reading import scope
from worklogs.reading.paging import Page, page

PLACES = {
    causes.PEOPLE: ("Map people", "worklogs:people"),
    causes.CHECK: ("See the check", "connections:check"),
    causes.SETTINGS: ("Change the connection", "connections:edit"),
}
LINKED = 3


@dataclass(frozen=True, slots=True)
class Way:
    """A page on which the cause can be mended for one connection."""

    label: str
    connection: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """A cause with some of its entries; `is_whole` where there are no more."""

    cause: Cause
    entries: Sequence[Entry]
    ways: list[Way]
    is_open: bool

    @property
    def is_whole(self) -> bool:
        return len(self.entries) == self.cause.entries


@dataclass(frozen=True, slots=True)
class Held:
    """What is open of one connection."""

    connection: Connection
    failed: int
    parked: int
    seconds: int

    @property
    def entries(self) -> int:
        return self.failed + self.parked

    @property
    def retry(self) -> dict[str, str]:
        """What the button sends that tries them all again."""
        return {"connection": self.connection.name, "retry": "1"}


def shown(wanted: Wanted, after: int | None) -> dict[str, Any]:
    """What the page shows. With a cause chosen its entries page by page, else a few of each."""
    connections = {row.pk: row for row in Connection.objects.select_related("left", "right")}
    everything = queries.open_entries(connections)
    mine = [row for row in everything if _fits(row, wanted.connection)]
    found = causes.grouped(row for row in mine if wanted.covers(row))
    held = _held(mine, connections)
    older = _page(wanted, after) if wanted.code and found else None
    groups = list(_groups(found, connections, wanted, older))
    scope.name_issues(entry for group in groups for entry in group.entries)
    return {
        "groups": groups,
        "older": older.older if older else None,
        "paged": older is not None,
        "shown": len(older.rows) if older else 0,
        "counts": _counts(mine),
        "held": held if len(held) > 1 else [],
        "entries": sum(cause.entries for cause in found),
        "seconds": sum(cause.seconds for cause in found),
        "hidden": sum(row.entries for row in everything) - sum(cause.entries for cause in found),
        "first": found[:2],
        "freed": sum(cause.entries for cause in found[:2]),
        "retry": held[0].retry if len(held) == 1 else None,
        "connections": len(connections),
    }


def _fits(row: Open, connection: Connection | None) -> bool:
    return connection is None or row.connection == connection.pk


def _page(wanted: Wanted, after: int | None) -> Page[Entry]:
    rows: Page[Entry] = page(queries.failures(wanted).defer(*UNSHOWN), after)
    return rows


def _groups(
    found: Sequence[Cause], connections: dict[int, Connection], wanted: Wanted, older: Page[Entry] | None
) -> Iterable[Group]:
    some = {} if older else queries.samples(found, wanted.connection)
    for place, cause in enumerate(found):
        if older:
            rows = [entry for entry in older.rows if entry.standing == cause.standing]
        else:
            rows = some.get((cause.standing, cause.code), [])
        ways = _ways(cause, [connections[pk] for pk in cause.connections if pk in connections])
        yield Group(cause, rows, ways, is_open=older is not None or place == 0)


def _ways(cause: Cause, connections: Iterable[Connection]) -> list[Way]:
    if cause.remedy.place not in PLACES:
        return []
    label, page_name = PLACES[cause.remedy.place]
    return [Way(label, row.name, reverse(page_name, args=[row.name])) for row in connections][:LINKED]


def _counts(rows: Iterable[Open]) -> dict[str, int]:
    counts = dict.fromkeys(queries.OPEN, 0)
    for row in rows:
        counts[Entry.Standing(row.standing)] += row.entries
    return {str(standing): count for standing, count in counts.items()}


def _held(rows: Sequence[Open], connections: dict[int, Connection]) -> list[Held]:
    """Connections with anything open, those with the most first."""
    held = []
    for pk, connection in connections.items():
        mine = [row for row in rows if row.connection == pk]
        counts = _counts(mine)
        if mine:
            held.append(
                Held(connection, counts["failed"], counts["parked"], sum(row.seconds for row in mine))
            )
    return sorted(held, key=lambda one: -one.entries)
