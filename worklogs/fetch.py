"""Reads the source: what to read, in which parts, and each part's rows kept as Fetched."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched, pairwise
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.options import EVERYTHING, Ids, ODataTimes, Projects, Read
from worklogs import clock, steps
from worklogs.context import Context
from worklogs.dialects.sevenpace import ODataDialect, RestDialect
from worklogs.models import Fetched, Run, Step
from worklogs.worklog import Person, Worklog

WORK_ITEMS_A_STEP = 200
ROWS_A_COMMIT = 500
# Zones lie up to 26 hours apart: so far may the wall clock of a person with an own zone be from the window's.
ZONES_APART = timedelta(hours=27)
YEARS_APART = 3

type Wall = datetime | None


def plan_reading(context: Context) -> None:
    """Makes the first read steps. Made again, they are the same steps."""
    scope = context.options.scope
    if scope == EVERYTHING:
        for start, end in _windows(context):
            key = f"{start or 'begin'}..{end or 'now'}"
            spec = {"start": _spell(start), "end": _spell(end)}
            steps.add(context.run, Step.Kind.READ, key, spec=spec)
    elif isinstance(scope, Ids):
        _plan_work_items(context.run, scope.ids)
    else:
        steps.add(context.run, Step.Kind.READ, "projects")


def reads_first(context: Context) -> bool:
    """Whether all is read before anything is written.

    By windows an issue's entries are complete only at the end; OData's times are proven only by every row.
    """
    return context.options.scope == EVERYTHING or context.options.read is Read.ODATA


def read(context: Context, step: Step) -> None:
    """One read step: its rows as Fetched, each entry once a run. Raises SiteError, TimesMismatchError."""
    if step.key == "projects":
        _list_work_items(context)
        return
    for rows in _rows(context, step):
        context.halt.check()
        _keep(context, rows)


def _windows(context: Context) -> Iterator[tuple[Wall, Wall]]:
    """The window asked for, cut at the turns of the last years so that a part can be read again by itself."""
    window = context.options.window
    margin = ZONES_APART if context.options.people.timezones else timedelta(0)
    start = window.start - margin if window.start else None
    end = window.end + margin if window.end else None
    this_year = timezone.now().year
    turns = [
        datetime.fromisoformat(f"{year}-01-01") for year in range(this_year - YEARS_APART, this_year + 1)
    ]
    inner = [turn for turn in turns if (start is None or turn > start) and (end is None or turn < end)]
    bounds: list[Wall] = [start, *inner, end]
    yield from pairwise(bounds)


def _list_work_items(context: Context) -> None:
    scope = context.options.scope
    if not isinstance(scope, Projects) or context.azure is None:
        raise TypeError("only a scope of projects, with an azure site, is read by listing work items")
    for ids in context.azure.work_item_ids(scope.projects):
        _plan_work_items(context.run, ids)


def _plan_work_items(run: Run, ids: Iterable[int]) -> None:
    for part in batched(sorted(set(ids)), WORK_ITEMS_A_STEP):
        steps.add(run, Step.Kind.READ, f"work items {part[0]}-{part[-1]}", spec={"ids": list(part)})


def _rows(context: Context, step: Step) -> Iterator[list[dict[str, Any]]]:
    odata = context.options.read is Read.ODATA
    if "ids" in step.spec:
        ids = step.spec["ids"]
        yield context.pace.odata_of(ids) if odata else context.pace.worklogs_of(ids)
        return
    start, end = _read_wall(step.spec["start"]), _read_wall(step.spec["end"])
    if odata:
        yield from context.pace.odata_between(_stamp(context, start), _stamp(context, end))
    else:
        yield from context.pace.worklogs_between(start, end)


def _stamp(context: Context, wall: Wall) -> Wall:
    """A wall clock as OData's Timestamp spells it: the true instant, or the same figures called UTC."""
    if wall is None:
        return None
    if context.options.odata_times is ODataTimes.WALL:
        return wall.replace(tzinfo=UTC)
    return clock.from_wall(wall, _zone(context)).instant


def _keep(context: Context, rows: list[dict[str, Any]]) -> None:
    dialect = _dialect(context)
    people = context.source_people.complete(dialect.person(row) for row in rows)
    worklogs = [dialect.worklog(row, people[dialect.person(row)]) for row in rows]
    wanted = [worklog for worklog in worklogs if _in_window(context, worklog)]
    accounts = context.target_people.find(worklog.person for worklog in wanted)
    context.target_people.note(accounts)
    fetched = []
    for worklog in wanted:
        account = accounts[worklog.person]
        fetched.append(
            Fetched(
                run=context.run,
                entry=worklog.entry,
                work=worklog.work,
                person=worklog.person.label,
                account=account.id if account else "",
                digest=worklog.digest,
                seconds=worklog.seconds,
                values=worklog.to_json(),
            )
        )
    for part in batched(fetched, ROWS_A_COMMIT):
        with transaction.atomic():
            Fetched.objects.bulk_create(part, ignore_conflicts=True)


def _dialect(context: Context) -> RestDialect | ODataDialect:
    timezones = {name.casefold(): zone for name, zone in context.options.people.timezones.items()}
    general = _zone(context)

    def zone_of(person: Person) -> str:
        for name in (person.email, person.account, person.name):
            if name and (own := timezones.get(name.casefold())):
                return own
        return general

    if context.options.read is Read.ODATA:
        return ODataDialect(zone_of, wall=context.options.odata_times is ODataTimes.WALL)
    return RestDialect(zone_of)


def _zone(context: Context) -> str:
    return context.options.source_timezone or "UTC"


def _in_window(context: Context, worklog: Worklog) -> bool:
    window = context.options.window
    if worklog.moment is None:
        return True
    zone = _zone(context)
    same_zone = worklog.moment.zone == zone
    wall = worklog.moment.wall if same_zone else clock.from_instant(worklog.moment.instant, zone).wall
    return (window.start is None or wall >= window.start) and (window.end is None or wall < window.end)


def _spell(wall: Wall) -> str | None:
    return wall.isoformat() if wall else None


def _read_wall(text: str | None) -> Wall:
    return datetime.fromisoformat(text) if text else None
