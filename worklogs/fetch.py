"""Reads the source: what to read, in which parts, and each part's rows kept as Fetched.

7pace promises no order, so that a place within a window is nothing to go on from, and a window counts as read only
once it was read in one piece. A step that the end of its slice cuts off is therefore split at what was seen of it:
each slice leaves smaller steps, and a row that is read twice is one row.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched, pairwise
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.options import EVERYTHING, Ids, ODataTimes, Projects, Read
from worklogs import clock, steps
from worklogs.clock import Moment
from worklogs.context import InterruptedRunError, MigrationContext
from worklogs.dialects.sevenpace import ODataDialect, RestDialect
from worklogs.models import Fetched, Run, Step
from worklogs.worklog import Person, Worklog

WORK_ITEMS_A_STEP = 200
ROWS_A_COMMIT = 500
LONGEST_LABEL = 254
SECOND = timedelta(seconds=1)
# Zones lie up to 26 hours apart: so far may the wall clock of a person with an own zone be from the window's.
ZONES_APART = timedelta(hours=27)
YEARS_APART = 3

type Wall = datetime | None


def plan_reading(context: MigrationContext) -> None:
    """Makes the first read steps. Made again, they are the same steps."""
    scope = context.options.scope
    if scope == EVERYTHING:
        for start, end in _windows(context):
            _plan_window(context.run, start, end)
    elif isinstance(scope, Ids):
        _plan_work_items(context.run, sorted(set(scope.ids)), WORK_ITEMS_A_STEP)
    else:
        steps.add(context.run, Step.Kind.READ, "projects")


def reads_first(context: MigrationContext) -> bool:
    """Whether all is read before anything is written.

    By windows an issue's entries are complete only at the end; OData's times are proven only by every row.
    """
    return context.options.scope == EVERYTHING or context.options.read is Read.ODATA


def read(context: MigrationContext, step: Step) -> None:
    """One read step: its rows as Fetched, each entry once a run. Raises SiteError, TimesMismatchError.

    One that has to stop in its midst becomes smaller steps, as soon as a page of it has been read.
    """
    if step.key == "projects":
        _list_work_items(context, step)
        return
    seen: list[Worklog] = []
    pages = 0
    try:
        for rows in _rows(context, step):
            seen += _keep(context, rows)
            pages += 1
            # The first page is most often the only one: to stop before that shows would have it read again.
            if pages > 1:
                context.halt.check()
    except InterruptedRunError:
        if pages:
            _split(context, step, seen)
        raise


def _split(context: MigrationContext, step: Step, seen: Iterable[Worklog]) -> None:
    """Smaller steps instead of this one, if it can be divided at all."""
    with transaction.atomic():
        if "ids" in step.spec:
            divided = _split_work_items(context.run, step.spec["ids"])
        else:
            divided = _split_window(context, step, seen)
        if divided:
            steps.done(step)


def _split_work_items(run: Run, ids: list[int]) -> bool:
    if len(ids) > 1:
        _plan_work_items(run, ids, (len(ids) + 1) // 2)
    return len(ids) > 1


def _split_window(context: MigrationContext, step: Step, seen: Iterable[Worklog]) -> bool:
    """In the middle of the rows seen, so that half of them can surely be read in one piece next time."""
    start, end = _bounds(step)
    walls = {_source_wall(context, worklog.moment) for worklog in seen if worklog.moment}
    between = sorted(
        wall
        for wall in walls | {wall + SECOND for wall in walls}
        if (start is None or wall > start) and (end is None or wall < end)
    )
    if not between:
        return False
    middle = between[len(between) // 2]
    _plan_window(context.run, start, middle)
    _plan_window(context.run, middle, end)
    return True


def _plan_window(run: Run, start: Wall, end: Wall) -> None:
    spec = {"start": _spell(start), "end": _spell(end)}
    steps.add(run, Step.Kind.READ, f"{start or 'begin'}..{end or 'now'}", spec=spec)


def _bounds(step: Step) -> tuple[Wall, Wall]:
    return _read_wall(step.spec["start"]), _read_wall(step.spec["end"])


def _windows(context: MigrationContext) -> Iterator[tuple[Wall, Wall]]:
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


def _list_work_items(context: MigrationContext, step: Step) -> None:
    """Goes on after the last work item listed, so that a long list need not fit into one slice."""
    scope = context.options.scope
    if not isinstance(scope, Projects) or context.azure is None:
        raise TypeError("only a scope of projects, with an azure site, is read by listing work items")
    for ids in context.azure.work_item_ids(scope.projects, step.spec.get("after", 0)):
        with transaction.atomic():
            _plan_work_items(context.run, ids, WORK_ITEMS_A_STEP)
            Step.objects.filter(pk=step.pk).update(spec={"after": ids[-1]})
        context.halt.check()


def _plan_work_items(run: Run, ids: Iterable[int], most: int) -> None:
    """Steps of at most so many of these ascending ids."""
    for part in batched(ids, most):
        steps.add(run, Step.Kind.READ, f"work items {part[0]}-{part[-1]}", spec={"ids": list(part)})


def _rows(context: MigrationContext, step: Step) -> Iterator[list[dict[str, Any]]]:
    odata = context.options.read is Read.ODATA
    if "ids" in step.spec:
        ids = step.spec["ids"]
        yield from context.pace.odata_of(ids) if odata else context.pace.worklogs_of(ids)
        return
    start, end = _bounds(step)
    if odata:
        yield from context.pace.odata_between(_stamp(context, start), _stamp(context, end))
    else:
        yield from context.pace.worklogs_between(start, end)


def _stamp(context: MigrationContext, wall: Wall) -> Wall:
    """A wall clock as OData's Timestamp spells it: the true instant, or the same figures called UTC."""
    if wall is None:
        return None
    if context.options.odata_times is ODataTimes.WALL:
        return wall.replace(tzinfo=UTC)
    return clock.from_wall(wall, _zone(context)).instant


def _keep(context: MigrationContext, rows: list[dict[str, Any]]) -> list[Worklog]:
    """Keeps what lies in the window; gives all rows as worklogs."""
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
                site=context.source_site,
                entry=worklog.entry,
                work=worklog.work,
                person=worklog.person.label[:LONGEST_LABEL],
                account=account.id if account else "",
                digest=worklog.digest,
                seconds=worklog.seconds,
                values=worklog.to_json(),
            )
        )
    for part in batched(fetched, ROWS_A_COMMIT):
        with transaction.atomic():
            Fetched.objects.bulk_create(part, ignore_conflicts=True)
    return worklogs


def _dialect(context: MigrationContext) -> RestDialect | ODataDialect:
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


def _zone(context: MigrationContext) -> str:
    return context.options.source_timezone or "UTC"


def _in_window(context: MigrationContext, worklog: Worklog) -> bool:
    window = context.options.window
    if worklog.moment is None:
        return True
    zone = _zone(context)
    same_zone = worklog.moment.zone == zone
    wall = worklog.moment.wall if same_zone else clock.from_instant(worklog.moment.instant, zone).wall
    return (window.start is None or wall >= window.start) and (window.end is None or wall < window.end)


def _source_wall(context: MigrationContext, moment: Moment) -> datetime:
    """The wall clock by which the source's own filter would find this moment: true instants it finds by the
    general zone, figures as they stand whatever zone their person is in."""
    options = context.options
    if options.read is Read.ODATA and options.odata_times is ODataTimes.UTC:
        return clock.from_instant(moment.instant, _zone(context)).wall
    return moment.wall


def _spell(wall: Wall) -> str | None:
    return wall.isoformat() if wall else None


def _read_wall(text: str | None) -> Wall:
    return datetime.fromisoformat(text) if text else None
