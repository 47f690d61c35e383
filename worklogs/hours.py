"""Working time as the records have it: the terms of the hours proof, and sums by person, issue and month.

Counted when a run ends and kept with it: the report of an earlier run stays what it was, and no page adds up what may
be millions of rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from operator import attrgetter

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.utils import timezone

from connections.models import Connection
from connections.options import Side
from worklogs.models import Entry, Fetched, Run, RunHours, TwinTrace

CARRIED = (Entry.Standing.WRITTEN, Entry.Standing.LINKED)
# By name, not as "all others": an index has the few there are.
NOT_CARRIED = (Entry.Standing.SKIPPED, Entry.Standing.PARKED, Entry.Standing.FAILED)
ISSUES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Row:
    """Entries of one person, issue or month, and the seconds of those that stand in the target."""

    name: str
    detail: str
    entries: int
    seconds: int
    carried_seconds: int

    def __add__(self, other: "Row") -> "Row":
        return replace(
            self,
            entries=self.entries + other.entries,
            seconds=self.seconds + other.seconds,
            carried_seconds=self.carried_seconds + other.carried_seconds,
        )


def keep(run: Run) -> None:
    """Keeps what the records say now as the hours at the end of this run."""
    RunHours.objects.filter(run=run).delete()
    counted(run).save()


def counted(run: Run) -> RunHours:
    """What the records of the run's connection say now; not kept."""
    issues = by_issue(run.connection)
    return RunHours(
        run=run,
        counted_at=timezone.now(),
        by_person=_as_json(by_person(run.connection)),
        by_issue=_as_json(issues[:ISSUES_KEPT]),
        by_month=_as_json(by_month(run.connection)),
        issues=len(issues),
        **terms(run.connection),
    )


def _as_json(rows: Iterable[Row]) -> list[dict[str, object]]:
    return [asdict(row) for row in rows]


def terms(connection: Connection, origin: Side | None = None) -> dict[str, int]:
    """Seconds of the source, of the target as last written or linked, and of what lies between; of a sync those of
    entries that began on the side `origin`, else on either."""
    standing = _entries(connection, origin).values_list("standing").annotate(Sum("seconds"))
    sums: dict[str, int] = dict(standing)
    sides = (origin,) if origin or connection.is_migration else tuple(Side)
    target = sum(_stored(connection, side or Side.LEFT) for side in sides)
    return {
        "source_seconds": sum(sums.values()) + (_undecided(connection) if connection.is_migration else 0),
        "target_seconds": target,
        "skipped_seconds": sums.get(Entry.Standing.SKIPPED, 0),
        "failed_seconds": sums.get(Entry.Standing.FAILED, 0),
        "parked_seconds": sums.get(Entry.Standing.PARKED, 0),
        "rounding_seconds": sum(sums.get(standing, 0) for standing in CARRIED) - target,
    }


def _undecided(connection: Connection) -> int:
    """Of entries that the newest run read and had not come to when it stopped: the proof must not hold without them."""
    last = connection.runs.exclude(kind=Run.Kind.DRY_RUN).order_by("-id").first()
    if last is None or last.state == Run.State.FINISHED:
        return 0
    pending = last.fetched.filter(outcome=Fetched.Outcome.PENDING).order_by()
    new = pending.exclude(entry__in=_entries(connection).values("entry"))
    total: int | None = new.aggregate(total=Sum("seconds"))["total"]
    return total or 0


def _stored(connection: Connection, origin: Side) -> int:
    """Twins of carried entries: all twins, which an index adds up, less the few of entries that failed since."""
    twins = TwinTrace.objects.filter(connection=connection).order_by()
    if not connection.is_migration:
        twins = twins.filter(origin=origin, ended=False)
    others = _entries(connection, origin).filter(standing__in=NOT_CARRIED).values("entry")
    return _seconds(twins) - _seconds(twins.filter(**{f"{origin}_id__in": others}))


def _seconds(twins: QuerySet[TwinTrace]) -> int:
    total: int | None = twins.aggregate(total=Sum("stored_seconds"))["total"]
    return total or 0


def by_person(connection: Connection) -> list[Row]:
    """People by hours, most first. One e-mail is one person, whatever its case."""
    people: dict[str, Row] = {}
    for email, name, *sums in _summed(_entries(connection), "person_email", "person_name"):
        row = Row(name or email, email if name else "", *sums)
        key = (email or name).casefold()
        people[key] = people[key] + row if key in people else row
    return sorted(people.values(), key=attrgetter("seconds"), reverse=True)


def by_issue(connection: Connection) -> list[Row]:
    """Issues by hours, most first; work items without an issue by their own number."""
    placed = _entries(connection).annotate(
        item=Case(When(issue_key="", then=F("work")), default=Value("")),
    )
    rows = [Row(key, item, *sums) for key, item, *sums in _summed(placed, "issue_key", "item")]
    return sorted(rows, key=attrgetter("seconds"), reverse=True)


def by_month(connection: Connection) -> list[Row]:
    """Months as "2026-03", newest first; "" for entries without a day."""
    months: dict[str, Row] = {}
    for day, *sums in _summed(_entries(connection), "day"):
        month = _month(day)
        row = Row(month, "", *sums)
        months[month] = months[month] + row if month in months else row
    return sorted(months.values(), key=attrgetter("name"), reverse=True)


def _month(day: date | None) -> str:
    return f"{day:%Y-%m}" if day else ""


def _entries(connection: Connection, origin: Side | None = None) -> QuerySet[Entry]:
    """Each where it began. An edit of a copy and what is gone on both sides have no hours of their own."""
    entries = Entry.objects.filter(connection=connection).order_by()
    if connection.is_migration:
        return entries
    entries = entries.filter(is_copy=False).exclude(standing=Entry.Standing.DELETED)
    return entries.filter(site=getattr(connection, str(origin)).name) if origin else entries


def _summed(entries: QuerySet[Entry], *by: str) -> Iterator[tuple]:
    carried = Sum("seconds", filter=Q(standing__in=CARRIED), default=0)
    yield from entries.values_list(*by).annotate(Count("id"), Sum("seconds"), carried=carried)
