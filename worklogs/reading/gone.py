"""Entries that their source no longer has, though their copies stay: told as far as the newest run looked for them."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from connections.models import Connection
from connections.options import EVERYTHING
from worklogs.models import Entry, Run, Step, TwinTrace

# Beside a person's own zone the window's wall clock may be so far off: near its ends nothing is sure.
ZONES_APART = timedelta(hours=27)


def newest_finished(connection: Connection, kind: str) -> Run | None:
    ended = connection.runs.filter(state=Run.State.FINISHED, kind=kind).defer("result")
    return ended.order_by("-id").first()


def gone(run: Run) -> QuerySet[Entry]:
    """Entries with a copy that the connection's newest run should have met and did not. Of an earlier run nobody can
    tell any more."""
    newest = newest_finished(run.connection, run.kind)
    if newest is None or newest.pk != run.pk:
        return Entry.objects.none()
    twins = TwinTrace.objects.filter(connection=OuterRef("connection"), left_id=OuterRef("entry"))
    missed = Entry.objects.filter(Exists(twins), connection=run.connection, seen_by__lt=run.pk)
    return _looked_for(run, missed).order_by("id")


def _looked_for(run: Run, missed: QuerySet[Entry]) -> QuerySet[Entry]:
    """Those inside the scope: the options' window, and what the run's own steps read."""
    options = run.connection.get_options()
    specs = list(run.steps.filter(kind=Step.Kind.READ).values_list("spec", flat=True))
    margin = ZONES_APART if options.people.timezones else timedelta(0)
    inside = missed.filter(_within(options.window.start, options.window.end, margin))
    windows = [spec for spec in specs if "start" in spec]
    if windows:
        inside = inside.filter(_within(_first(windows), _last(windows), margin))
    read = {str(work) for spec in specs for work in spec.get("ids", ())}
    if options.scope == EVERYTHING and not read:
        return inside
    works = set(inside.order_by().values_list("work", flat=True).distinct())
    return inside.filter(work__in=works & read)


def _first(windows: list[dict[str, Any]]) -> datetime | None:
    starts = [spec["start"] for spec in windows]
    return None if None in starts else min(map(datetime.fromisoformat, starts))


def _last(windows: list[dict[str, Any]]) -> datetime | None:
    ends = [spec["end"] for spec in windows]
    return None if None in ends else max(map(datetime.fromisoformat, ends))


def _within(start: datetime | None, end: datetime | None, margin: timedelta) -> Q:
    """By the entry's wall clock; one without a start is inside only where both ends are open."""
    inside = Q()
    if start:
        start += margin
        inside &= Q(day__gt=start.date()) | Q(day=start.date(), start__gte=start.time())
    if end:
        end -= margin
        inside &= Q(day__lt=end.date()) | Q(day=end.date(), start__lt=end.time())
    return inside
