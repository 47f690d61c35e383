"""Entries over all runs: how each stands now, and everything that runs did, in the same filters."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet

from worklogs.models import AuditEntry, Entry, Run
from worklogs.reading import searching
from worklogs.reading.paging import Page, page
from worklogs.reading.searching import Like

OPEN = (Entry.Standing.FAILED, Entry.Standing.PARKED)
STANDINGS = {
    "open": Q(standing__in=OPEN),
    **{str(standing): Q(standing=standing) for standing in Entry.Standing},
}
OUTCOMES = {
    "created": Q(outcome=AuditEntry.Outcome.WRITTEN, action=AuditEntry.Action.CREATE),
    "updated": Q(outcome=AuditEntry.Outcome.WRITTEN, action=AuditEntry.Action.UPDATE),
    "deleted": Q(outcome=AuditEntry.Outcome.WRITTEN, action=AuditEntry.Action.DELETE),
    "open": Q(outcome__in=(AuditEntry.Outcome.FAILED, AuditEntry.Outcome.PARKED)),
    **{str(outcome): Q(outcome=outcome) for outcome in AuditEntry.Outcome},
    **{
        f"plan-{action}": Q(outcome=AuditEntry.Outcome.PLANNED, action=action) for action in AuditEntry.Action
    },
}
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
    if filters.connection:
        rows = rows.filter(connection__name=filters.connection)
    if filters.run:
        rows = _found_by(rows, filters)
    elif filters.outcome:
        rows = rows.filter(STANDINGS.get(filters.outcome, Q(pk__in=[])))
    return _alike(rows, Entry, filters)


def _found_by(rows: QuerySet[Entry], filters: Filters) -> QuerySet[Entry]:
    """By the run that last found them; `unchanged` are those that it left as they stood."""
    connections = Run.objects.filter(pk=filters.run or 0).values("connection")
    rows = rows.filter(connection__in=connections, seen_by=filters.run)
    if filters.outcome == "unchanged":
        carried = (Entry.Standing.WRITTEN, Entry.Standing.LINKED)
        return rows.filter(standing__in=carried).exclude(settled_by=filters.run)
    return rows.filter(STANDINGS.get(filters.outcome, Q(pk__in=[]))) if filters.outcome else rows


def log(filters: Filters) -> QuerySet[AuditEntry]:
    """What runs did or refused to do, one row each time."""
    rows = AuditEntry.objects.defer(*UNSHOWN_OF_LOG)
    if filters.connection:
        rows = rows.filter(connection=filters.connection)
    if filters.run:
        rows = rows.filter(run=filters.run)
    if filters.outcome:
        rows = rows.filter(OUTCOMES.get(filters.outcome, Q(pk__in=[])))
    return _alike(rows, AuditEntry, filters)


def _alike[Rows: QuerySet[Any]](rows: Rows, model: searching.Searched, filters: Filters) -> Rows:
    """What both lists are filtered by."""
    equal = {"code": filters.code, "work": filters.work, "entry": filters.entry}
    rows = rows.filter(**{column: wanted for column, wanted in equal.items() if wanted})
    if filters.issue:
        rows = rows.filter(issue_key=filters.issue.upper())
    if filters.person:
        rows = rows.filter(Q(person_email=filters.person) | Q(person_name=filters.person))
    if days := {name: day for name, day in (("gte", filters.since), ("lte", filters.until)) if day}:
        rows = searching.narrowed(rows, model, [Like("day", days)])
    return searching.found(rows, model, filters.q) if filters.q else rows


def need_a_person(filters: Filters) -> dict[str, int]:
    """How many entries failed or are parked and open, as far as the connection filter goes."""
    rows = Entry.objects.filter(STANDINGS["open"])
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
