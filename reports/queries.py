"""What the dashboards read, each function a query or two, each over an index."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.utils import timezone

from connections.models import Connection, Site, Token
from reports.causes import Cause, Open
from worklogs.models import CarriedHour, Entry, Run, RunHours
from worklogs.reading import people

OPEN = (Entry.Standing.FAILED, Entry.Standing.PARKED)
DAYS = 30
ENDED_WELL = (Run.State.FINISHED, Run.State.PLANNED)
# Entries shown of each cause before one asks for all of them.
SAMPLES = 5
RUNS_LISTED = 12
UNSHOWN = ("values", "digest", "cause")


# --- connections and their newest runs


@dataclass(frozen=True, slots=True)
class Line:
    """A connection and its runs: the `last` that was to write, the `planned` dry run, the hours kept at the end of one,
    and whom the newest run that ended well found no account for."""

    connection: Connection
    last: Run | None
    planned: Run | None
    hours: RunHours | None
    missing: tuple[str, ...]


def lines() -> list[Line]:
    """Every connection, in five queries."""
    connections = list(
        _with_newest(Connection.objects.with_sites().select_related("last_check", "last_proof", "next_run"))
    )
    wanted = {number for row in connections for number in (row.last_run, row.last_plan) if number is not None}
    runs = {run.pk: run for run in Run.objects.filter(pk__in=wanted).defer("result")}
    missing = people.still_missing({row.pk: row.last_well for row in connections})
    hours = {row.pk: row for row in _hours(row.last_hours for row in connections)}
    return [
        Line(
            row,
            runs.get(row.last_run),
            runs.get(row.last_plan),
            hours.get(row.last_hours),
            missing[row.pk],
        )
        for row in connections
    ]


def _with_newest(connections: QuerySet[Connection]) -> QuerySet[Any]:
    runs = Run.objects.filter(connection=OuterRef("pk")).order_by("-id").values("pk")
    hours = RunHours.objects.filter(run__connection=OuterRef("pk")).order_by("-run_id").values("pk")
    return connections.annotate(
        last_run=Subquery(runs.exclude(kind=Run.Kind.DRY_RUN)[:1]),
        last_plan=Subquery(runs.filter(kind=Run.Kind.DRY_RUN)[:1]),
        last_well=Subquery(runs.filter(state__in=ENDED_WELL)[:1]),
        last_hours=Subquery(hours[:1]),
    )


def _hours(numbers: Iterable[int | None]) -> QuerySet[RunHours]:
    kept = RunHours.objects.filter(pk__in=[number for number in numbers if number is not None])
    return kept.defer("by_person", "by_issue", "by_month")


def tokens() -> list[Token]:
    return list(Token.objects.select_related("site").order_by("site__name", "email"))


def sites_of(connections: Iterable[Connection]) -> list[Site]:
    return list({site.pk: site for connection in connections for site in connection.sites}.values())


# --- hours carried


@dataclass(frozen=True, slots=True)
class Carried:
    """Seconds written by day of the reader's zone, oldest first: new copies, and copies brought up to date."""

    days: tuple[date, ...]
    created: tuple[int, ...]
    updated: tuple[int, ...]

    @property
    def totals(self) -> list[int]:
        return [new + again for new, again in zip(self.created, self.updated, strict=True)]

    @property
    def seconds(self) -> int:
        return sum(self.created) + sum(self.updated)


def carried(today: date) -> dict[int, Carried]:
    """The last 30 days of each connection that carried anything in them."""
    days = _days(today)
    sums: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([0] * DAYS, [0] * DAYS))
    rows = (
        CarriedHour.objects.filter(hour__gte=_midnight(days[0]))
        .order_by()
        .annotate(day=_place_of_day(days))
        .values_list("connection", "day")
        .annotate(Sum("created_seconds"), Sum("updated_seconds"))
    )
    for connection, day, created, updated in rows:
        sums[connection][0][day] += created
        sums[connection][1][day] += updated
    return {connection: Carried(days, tuple(new), tuple(again)) for connection, (new, again) in sums.items()}


def _place_of_day(days: Sequence[date]) -> Case:
    """Which of the days an hour falls on, told by the database: no row an hour has to be read."""
    ends = [_midnight(day + timedelta(days=1)) for day in days[:-1]]
    return Case(
        *(When(hour__lt=end, then=Value(place)) for place, end in enumerate(ends)),
        default=Value(len(ends)),
        output_field=IntegerField(),
    )


def _midnight(day: date) -> datetime:
    """When the day begins in the reader's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _days(today: date) -> tuple[date, ...]:
    return tuple(today - timedelta(days=back) for back in reversed(range(DAYS)))


def together(every: Iterable[Carried], today: date) -> Carried:
    """The sum over connections; days without anything stay in as nothing."""
    none = (0,) * DAYS
    created, updated = [none], [none]
    for one in every:
        created.append(one.created)
        updated.append(one.updated)
    return Carried(_days(today), _added(created), _added(updated))


def _added(columns: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(day) for day in zip(*columns, strict=True))


# --- what is open


def open_entries(connections: Iterable[int]) -> list[Open]:
    """How many entries of these connections are open, and their hours, by connection and cause."""
    rows = (
        Entry.objects.filter(connection__in=list(connections), standing__in=OPEN)
        .order_by()
        .values_list("connection", "standing", "code")
        .annotate(Count("id"), Sum("seconds"))
    )
    return [Open(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which open entries somebody wants to see; None and empty fields leave everything in."""

    connection: Connection | None = None
    outcome: str = ""
    code: str = ""

    @property
    def is_narrow(self) -> bool:
        return bool(self.connection or self.outcome or self.code)

    def covers(self, row: Open) -> bool:
        """Whether such an entry passes by its outcome and code."""
        return self.outcome in ("", row.standing) and self.code in ("", row.code)


def failures(wanted: Wanted) -> QuerySet[Entry]:
    rows = Entry.objects.filter(standing__in=[wanted.outcome] if wanted.outcome in OPEN else OPEN)
    rows = rows.filter(connection=wanted.connection) if wanted.connection else rows
    rows = rows.filter(code=wanted.code) if wanted.code else rows
    return rows.select_related("connection")


def samples(causes: Iterable[Cause], connection: Connection | None) -> dict[tuple[str, str], list[Entry]]:
    """The newest entries of each cause, a few each, in one query."""
    some = Q(pk__in=[])
    for cause in causes:
        rows = failures(Wanted(connection, cause.standing, cause.code)).select_related(None)
        some |= Q(pk__in=rows.order_by("-id").values("pk")[:SAMPLES])
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(some).select_related("connection").defer(*UNSHOWN).order_by("-id"):
        found[entry.standing, entry.code].append(entry)
    return found


# --- reports


def newest_runs(connection: Connection) -> list[Run]:
    return list(connection.runs.defer("result").order_by("-id")[:RUNS_LISTED])
