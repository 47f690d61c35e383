"""Entries over all runs: how each stands now, and everything that runs did, in the same filters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from django.db.models import Count, QuerySet

from connections.models import Connection
from worklogs.models import AuditEntry, Entry, Run
from worklogs.reading import searching
from worklogs.reading.paging import Page, page
from worklogs.reading.searching import Like, Wish

type Lookups = dict[str, Any]

OPEN = (Entry.Standing.FAILED, Entry.Standing.PARKED)
CARRIED = (Entry.Standing.WRITTEN, Entry.Standing.LINKED)
STANDINGS: dict[str, Lookups] = {
    "open": {"standing__in": OPEN},
    **{str(standing): {"standing": standing} for standing in Entry.Standing},
}
OUTCOMES: dict[str, Lookups] = {
    "created": {"outcome": AuditEntry.Outcome.WRITTEN, "action": AuditEntry.Action.CREATE},
    "updated": {"outcome": AuditEntry.Outcome.WRITTEN, "action": AuditEntry.Action.UPDATE},
    "deleted": {"outcome": AuditEntry.Outcome.WRITTEN, "action": AuditEntry.Action.DELETE},
    "open": {"outcome__in": (AuditEntry.Outcome.FAILED, AuditEntry.Outcome.PARKED)},
    **{str(outcome): {"outcome": outcome} for outcome in AuditEntry.Outcome},
    **{
        f"plan-{action}": {"outcome": AuditEntry.Outcome.PLANNED, "action": action}
        for action in AuditEntry.Action
    },
}
NOBODY = 0
"""The number of no row."""
UNSHOWN = ("values", "digest", "cause", "hint")
UNSHOWN_OF_LOG = ("source", "before", "after", "exchange", "hint")
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody wants to see; empty fields leave everything in. Days are the source's own."""

    outcome: str = ""
    q: str = ""
    connection: str = ""
    run: int | None = None
    person: str = ""
    code: str = ""
    issue: str = ""
    work: str = ""
    entry: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def chosen(self) -> list[str]:
        """The names of the filters that leave something out."""
        return [field.name for field in fields(self) if getattr(self, field.name)]


def standing(filters: Filters) -> QuerySet[Entry]:
    """Entries as they stand now; of a run those that it found, as they stand since."""
    rows = Entry.objects.select_related("connection").defer(*UNSHOWN)
    place: Lookups = {}
    if filters.connection:
        numbers = Connection.objects.filter(name=filters.connection).values_list("pk", flat=True)
        place = {"connection": numbers.first() or NOBODY}
    if filters.run:
        return _found_by(rows, place, filters)
    return _alike(rows, Entry, [place | _named(STANDINGS, filters.outcome)], filters)


def _found_by(rows: QuerySet[Entry], place: Lookups, filters: Filters) -> QuerySet[Entry]:
    """By the run that last found them; `unchanged` are those that it left as they stood."""
    run = Run.objects.filter(pk=filters.run or NOBODY).only("connection", "counts").first()
    if run is None or place.get("connection", run.connection_id) != run.connection_id:
        return rows.none()
    place = {"connection": run.connection_id, "seen_by": run.pk}
    if filters.outcome != "unchanged":
        return _alike(rows, Entry, [place | _named(STANDINGS, filters.outcome)], filters)
    if run.counts and not run.counts.get("unchanged"):
        # Or else all that it found would be looked through for none.
        return rows.none()
    return _alike(rows.exclude(settled_by=run), Entry, [place, {"standing__in": CARRIED}], filters)


def log(filters: Filters) -> QuerySet[AuditEntry]:
    """What runs did or refused to do, one row each time."""
    rows = AuditEntry.objects.defer(*UNSHOWN_OF_LOG)
    place: Lookups = {"connection": filters.connection} if filters.connection else {}
    outcome = _named(OUTCOMES, filters.outcome)
    # A run's outcomes have an index of their own, a connection's have none.
    wanted = [place, {"run": filters.run} | outcome] if filters.run else [place, outcome]
    return _alike(rows, AuditEntry, wanted, filters)


def _named(names: Mapping[str, Lookups], outcome: str) -> Lookups:
    return names.get(outcome, {"id": NOBODY}) if outcome else {}


def _alike[Rows: QuerySet[Any]](
    rows: Rows, model: searching.Searched, wanted: Sequence[Lookups], filters: Filters
) -> Rows:
    """With what both lists are filtered by alike."""
    columns = {"code": filters.code, "work": filters.work, "entry": filters.entry}
    equal = [{column: value} for column, value in columns.items() if value]
    issue = {"issue_key": filters.issue.upper()} if filters.issue else {}
    days = {f"day__{name}": day for name, day in (("gte", filters.since), ("lte", filters.until)) if day}
    wishes = [Wish([Like(lookups)]) for lookups in (*wanted, *equal, issue, days) if lookups]
    if filters.person:
        wishes.append(Wish([Like({"person_email": filters.person}), Like({"person_name": filters.person})]))
    if filters.q:
        wishes.append(searching.fitting(model, filters.q))
    return searching.narrowed(rows, model, wishes)


def need_a_person(filters: Filters) -> dict[str, int]:
    """How many entries failed or are parked and open, as far as the connection filter goes."""
    rows = Entry.objects.filter(**STANDINGS["open"])
    if filters.connection:
        rows = rows.filter(connection__name=filters.connection)
    counts = dict(rows.order_by().values_list("standing").annotate(Count("pk")))
    return {str(standing): counts.get(standing, 0) for standing in OPEN}


def in_chunks(rows: QuerySet[Any]) -> Iterator[Any]:
    """Every row, newest first, read key by key: no transaction stays open while somebody downloads."""
    after: int | None = None
    while True:
        part: Page[Any] = page(rows, after, CHUNK)
        yield from part.rows
        if part.older is None:
            return
        after = part.older
