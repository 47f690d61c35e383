"""How far a sync has come: what it has seen of either side, and which issues have no counterpart on the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum

from connections.models import Connection, Site
from connections.option_words import issues_in_words
from connections.options import Side
from worklogs.models import AuditEntry, Cursor, Entry, IssuePair, OutOfScope

ROWS = 50


@dataclass(frozen=True, slots=True)
class Reached:
    """One side: up to when its changes and its deletions have been seen, by its vendor's clock (None: never yet), and
    its issues without a counterpart, with their entries and seconds."""

    side: str
    site: Site
    changes: datetime | None
    deletions: datetime | None
    issues: int
    entries: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Reach:
    connection: Connection
    sides: list[Reached]
    pairs: int

    @property
    def has_run(self) -> bool:
        return any(side.changes for side in self.sides)

    @property
    def issues(self) -> int:
        return sum(side.issues for side in self.sides)

    @property
    def entries(self) -> int:
        return sum(side.entries for side in self.sides)

    @property
    def seconds(self) -> int:
        return sum(side.seconds for side in self.sides)

    @property
    def rule(self) -> str:
        return issues_in_words(self.connection.get_options().issues, migration=False)


def reach(connection: Connection) -> Reach:
    cursors = {(row.side, row.feed): row.at for row in connection.cursors.all()}
    rows = OutOfScope.objects.filter(connection=connection, entries__gt=0).order_by()
    sums = rows.values_list("side").annotate(Count("id"), Sum("entries"), Sum("seconds"))
    outside = {side: (issues, entries, seconds) for side, issues, entries, seconds in sums}
    sides = [
        Reached(
            str(side),
            site,
            cursors.get((side, Cursor.Feed.CHANGED)),
            cursors.get((side, Cursor.Feed.DELETED)),
            *outside.get(side, (0, 0, 0)),
        )
        for side, site in ((Side.LEFT, connection.left), (Side.RIGHT, connection.right))
    ]
    return Reach(connection, sides, connection.issue_pairs.count())


# --- issues without a counterpart


@dataclass(frozen=True, slots=True)
class Outside:
    """Some of them, those with the most hours first; `older` is the key that the next ones come after."""

    rows: list[OutOfScope]
    older: str


def outside(connection: Connection, side: str, after: str) -> Outside:
    rows = OutOfScope.objects.filter(connection=connection, entries__gt=0)
    if side in Side:
        rows = rows.filter(side=side)
    if place := _place(after):
        seconds, number = place
        rows = rows.filter(Q(seconds__lt=seconds) | Q(seconds=seconds, id__gt=number))
    found = list(rows.order_by("-seconds", "id")[: ROWS + 1])
    last = found[ROWS - 1] if len(found) > ROWS else None
    return Outside(found[:ROWS], f"{last.seconds}-{last.pk}" if last else "")


def _place(after: str) -> tuple[int, int] | None:
    """Seconds and number of the last row shown; anything else means the beginning."""
    seconds, _, number = after.partition("-")
    numbers = [
        int(text) for text in (seconds, number) if text.isascii() and text.isdecimal() and len(text) < 19
    ]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def looked_for(connection: Connection) -> Side:
    """The side whose issues without a counterpart are looked for by themselves: the one that bears no mark. On the
    other a new mark is seen when it is set."""
    return (connection.get_options().issues.on or Side.LEFT).other


# --- what issues are called


type Kept = Entry | AuditEntry


def name_issues(rows: Iterable[Kept]) -> None:
    """Gives entries and audit rows of syncs what people call their issues: sides know issues by id, and two sides may
    use the same ids."""
    known = list(rows)
    names = _names(known)
    for row in known:
        place = (_name_of(row), row.site)
        row.work_key = names.get((*place, "own", row.work), "")
        row.issue_name = names.get((*place, "other", row.issue), "") or row.issue_key


def names_on(connection: Connection, ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Keys of issues by side and id, as far as they are known."""
    pairs = list(_pairs([connection.name], list(ids)))
    return {
        Side.LEFT: {pair.left: pair.left_key for pair in pairs if pair.left_key},
        Side.RIGHT: {pair.right: pair.right_key for pair in pairs if pair.right_key},
    }


def _name_of(row: Kept) -> str:
    return row.connection if isinstance(row, AuditEntry) else row.connection.name


def _names(rows: Iterable[Kept]) -> dict[tuple[str, str, str, str], str]:
    """By connection, site, whether the issue is that site's own or the other's, and its id."""
    ids = {issue for row in rows for issue in (row.work, row.issue) if issue}
    connections = {_name_of(row) for row in rows}
    found: dict[tuple[str, str, str, str], str] = {}
    for pair in _pairs(connections, ids):
        name, left, right = pair.connection.name, pair.connection.left.name, pair.connection.right.name
        found[name, left, "own", pair.left] = found[name, right, "other", pair.left] = pair.left_key
        found[name, right, "own", pair.right] = found[name, left, "other", pair.right] = pair.right_key
    return found


def _pairs(connections: Iterable[str], ids: Iterable[str]) -> QuerySet[IssuePair]:
    pairs = IssuePair.objects.filter(connection__name__in=connections, connection__kind=Connection.Kind.SYNC)
    wanted = pairs.filter(Q(left__in=ids) | Q(right__in=ids)).order_by()
    return wanted.select_related("connection__left", "connection__right")
