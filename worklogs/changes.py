"""Reads what changed on one side of a sync, by its feeds: each change that is news is kept as Fetched.

Feeds tell a little late and tell some things twice: each is asked again from a while before the newest change it has
told, and what is known already is no news. A cursor moves once the run it belongs to has settled everything.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from connections.clients.feeds import BEGINNING, Change, moment_of
from connections.clients.http import FaultKind, SiteError
from connections.models import Delivery
from connections.options import Side
from worklogs import ancestry, merge, scope, steps
from worklogs.context import InterruptedRunError
from worklogs.fetch import LONGEST_LABEL, ROWS_A_COMMIT
from worklogs.issues import FIELDS, issue_of
from worklogs.lanes import LaneContext, agreed_on, id_on, issue_on
from worklogs.ledger import Place, place_of
from worklogs.mapping import TRY_AGAIN_AFTER
from worklogs.models import (
    Cursor,
    Entry,
    Fetched,
    Leftover,
    OutOfScope,
    Run,
    RunLog,
    Step,
    TwinTrace,
    Verdict,
)
from worklogs.profiles import in_zone
from worklogs.rules import Target
from worklogs.sides import Page
from worklogs.worklog import Person, Worklog

# How long after a change a feed may still leave it out: Jira hides its last minute, Tempo's search may lag.
IDS_A_PART = 20
OVERLAP = {Target.JIRA: timedelta(minutes=3), Target.TEMPO: timedelta(minutes=5)}
# No clock is further off than this: what is older by our clock than a run's start need not be asked for again.
CLOCKS_APART = timedelta(hours=13)
OPEN_A_RUN = 100
HINTS_A_RUN = 100

CHANGES, DELETIONS, PAIRS, OPEN, HINTS = "changes", "deletions", "pairs", "open", "hints"


def plan_reading(lanes: Sequence[LaneContext]) -> None:
    """The first read steps: both feeds of each side that is carried from, what the vendors called about, what is still
    open, and new pairs."""
    run = lanes[0].run
    for context in lanes:
        for what in (CHANGES, DELETIONS, OPEN):
            _add(run, context.source_side, what)
        if hints := _take_hints(context):
            deleted = [hint.worklog for hint in hints if hint.event == Delivery.Event.DELETED]
            named = list(dict.fromkeys(hint.worklog for hint in hints))[-HINTS_A_RUN:]
            _add(run, context.source_side, HINTS, worklogs=named, deleted=deleted)
        for issue in context.scope.backlog(context.source_side):
            _add(run, context.source_side, "issue", issue)
    _let_hints_go(lanes)
    _add(run, lanes[0].source_side, PAIRS)


def leftovers_due(context: LaneContext) -> list[Leftover]:
    """Old copies that a move has left behind, whatever has ended the run that was to delete them."""
    if context.run.is_dry:
        return []
    tried = Entry.objects.filter(
        connection=context.connection,
        site=context.source_site,
        standing=Entry.Standing.FAILED,
        tried_at__gt=timezone.now() - TRY_AGAIN_AFTER,
    ).exclude(kind=FaultKind.PASSING)
    left = Leftover.objects.filter(connection=context.connection, site=context.source_site)
    if context.run.retry or context.run.full:
        return list(left)
    return list(left.exclude(entry__in=tried.values("entry")))


def _take_hints(context: LaneContext) -> list[Delivery]:
    """What the side's webhooks have named since the last run; the feeds may tell of it later only."""
    if context.run.is_dry:
        return []
    waiting = Delivery.objects.filter(webhook__site__name=context.source_site, taken_at=None).order_by("id")
    found = list(waiting)
    Delivery.objects.filter(pk__in=[hint.pk for hint in found]).update(taken_at=timezone.now())
    return found


def _let_hints_go(lanes: Sequence[LaneContext]) -> None:
    """A side that is written to only calls about what was written there: nobody waits for that."""
    read = {lane.source_site for lane in lanes}
    written = {lane.side.name for lane in lanes} - read
    if not lanes[0].run.is_dry:
        waiting = Delivery.objects.filter(webhook__site__name__in=written, taken_at=None)
        waiting.update(taken_at=timezone.now())


def _add(run: Run, side: Side, what: str, issue: str = "", **more: Any) -> None:
    spec = {"side": str(side), "what": what, "issue": issue, **more}
    steps.add(run, Step.Kind.READ, f"{side} {what} {issue}".strip(), spec=spec)


def read(context: LaneContext, step: Step) -> None:
    """One read step. Raises SiteError; InterruptedRunError where it has to go on in another slice."""
    what = step.spec["what"]
    if what == CHANGES:
        _read_changes(context, step)
    elif what == DELETIONS:
        _read_deletions(context, step)
    elif what == OPEN:
        _read_open(context, step)
    elif what == HINTS:
        _read_hints(context, step)
    elif step.spec["issue"]:
        keep(context, context.source.standing(step.spec["issue"]))
    else:
        _read_new_pairs(context)


def conclude(run: Run) -> None:
    """The run has settled all it has read: the cursors move on."""
    if run.is_dry:
        return
    scope.conclude(run)
    known_by_now = run.started_at - CLOCKS_APART
    for step in run.steps.filter(kind=Step.Kind.READ).exclude(spec__newest=None):
        feed = Cursor.Feed.CHANGED if step.spec["what"] == CHANGES else Cursor.Feed.DELETED
        newest = max(datetime.fromisoformat(step.spec["newest"]), known_by_now)
        Cursor.objects.update_or_create(
            connection=run.connection, side=step.spec["side"], feed=feed, defaults={"at": newest}
        )


def _cursor(context: LaneContext, feed: str) -> datetime | None:
    row = Cursor.objects.filter(connection=context.connection, side=context.source_side, feed=feed).first()
    return row.at if row else None


# --- changes


def _read_changes(context: LaneContext, step: Step) -> None:
    until = None if context.run.full else _cursor(context, Cursor.Feed.CHANGED)
    since = _reached(step) or (until and until - OVERLAP[context.source.target])
    first_day = _first_day(context)
    newest, in_order = _reached(step) or until or BEGINNING, True
    pages = 0
    try:
        for page in context.source.changed(since, first_day, _unless(context)):
            keep(context, page.rows, counted_until=until)
            in_order = in_order and _is_in_order(context, page, newest)
            newest = max(newest, page.until)
            pages += 1
            if pages > 1:
                context.halt.check()
    except InterruptedRunError:
        if pages and in_order:
            _note(step, reached=newest.isoformat())
        raise
    if context.run.full:
        _note_missing(context, step)
    _note(step, newest=newest.isoformat())


def _first_day(context: LaneContext) -> date | None:
    since = context.options.since
    return date.fromisoformat(since) if since else None


def _reached(step: Step) -> datetime | None:
    """Where an earlier slice had to let go of this step."""
    return datetime.fromisoformat(step.spec["reached"]) if "reached" in step.spec else None


def _note(step: Step, **told: Any) -> None:
    step.spec |= told
    Step.objects.filter(pk=step.pk).update(spec=step.spec)


def _is_in_order(context: LaneContext, page: Page, newest: datetime) -> bool:
    """Whether a feed that is broken off here can be gone on with: nothing older is still to come. Jira promises so;
    of Tempo it shows by its rows."""
    if context.source.target is Target.JIRA:
        return True
    moments = [moment for row in page.rows if (moment := moment_of(row.updated))]
    return moments == sorted(moments) and (not moments or moments[0] >= newest or newest == BEGINNING)


def _unless(context: LaneContext):
    def known(changes: Sequence[Change]) -> Collection[str]:
        """Changes that are our own writes, or those that both sides have agreed on."""
        traces = context.traces_on(context.source_side, [change.worklog for change in changes])
        agreed = {
            worklog: moment_of(agreed_on(trace, context.source_side).updated)
            for worklog, trace in traces.items()
            if not trace.unsettled
        }
        return {change.worklog for change in changes if agreed.get(change.worklog) == change.at}

    return known if not context.run.full else lambda _changes: ()


def _note_missing(context: LaneContext, step: Step) -> None:
    """Twins that a full listing has not met. A dry run has marked none as met."""
    if context.run.is_dry:
        return
    side = context.source_side
    twins = TwinTrace.objects.filter(connection=context.connection, ended=False)
    missed = list(twins.exclude(**{f"{side}_seen_by": context.run.pk}))
    _note_unseen(context, step, missed)


def _read_hints(context: LaneContext, step: Step) -> None:
    """A call of a vendor is a hint: what it named is read by its id."""
    rows = list(_by_id(context, step, step.spec["worklogs"]))
    keep(context, rows)
    missing = set(step.spec["worklogs"]) - {row.entry for row in rows}
    traces = context.traces_on(context.source_side, missing & set(step.spec["deleted"]))
    _note_gone(context, step, [trace for trace in traces.values() if not trace.ended], {})


def _by_id(context: LaneContext, step: Step, worklogs: Iterable[str]) -> Iterator[Worklog]:
    """These worklogs as they stand; part by part, since Tempo gives them one by one. What a part has shown to be
    missing is noted with the step, so that another slice goes on after it."""
    absent = set(step.spec.get("absent", ()))
    for part in batched([worklog for worklog in worklogs if worklog not in absent], IDS_A_PART):
        rows = context.source.by_id(part)
        absent |= set(part) - {row.entry for row in rows}
        _note(step, absent=sorted(absent))
        yield from rows
        context.halt.check()


# --- deletions


def _read_deletions(context: LaneContext, step: Step) -> None:
    """A run that reads its side for the first time knows of no twin that could have been deleted."""
    newest = _cursor(context, Cursor.Feed.DELETED)
    if newest is None:
        newest = context.run.started_at - CLOCKS_APART
        if not TwinTrace.objects.filter(connection=context.connection).exists():
            _note(step, newest=newest.isoformat())
            return
    since = newest - OVERLAP[context.source.target]
    try:
        told = _told_deleted(context, since)
    except SiteError as fault:
        if fault.kind is not FaultKind.WAITING:
            raise
        context.log(
            f"Deletions on {context.source_site} cannot be seen: {fault.message} A full run finds them.",
            RunLog.Level.WARNING,
        )
        return
    traces = context.traces_on(context.source_side, list(told.at))
    _note_gone(context, step, [trace for trace in traces.values() if not trace.ended], told.at)
    _note(step, newest=max(newest, told.until).isoformat())


@dataclass(frozen=True, slots=True)
class Told:
    """What a side has told of deletions: when, by worklog, and up to which moment it has told everything."""

    at: Mapping[str, datetime]
    until: datetime


def _told_deleted(context: LaneContext, since: datetime) -> Told:
    """Raises SiteError where deletions cannot be seen at all."""
    at: dict[str, datetime] = {}
    until = since
    for page in context.source.deleted(since):
        at |= {change.worklog: change.at for change in page.changes}
        until = max(until, page.until)
    if len(context.traces_on(context.source_side, list(at))) < len(at):
        at |= _told_besides(context, since)
    return Told(at, until)


def _told_besides(context: LaneContext, since: datetime) -> dict[str, datetime]:
    """Where ids are of no worklog that ever had a twin: they may be another vendor's."""
    try:
        pages = list(context.source.deleted_besides(since))
    except SiteError as fault:
        if fault.kind is not FaultKind.WAITING:
            raise
        return {}
    return {change.worklog: change.at for page in pages for change in page.changes}


def _note_unseen(context: LaneContext, step: Step, traces: Sequence[TwinTrace]) -> None:
    """Absent is not deleted: a worklog that we do not meet may be hidden. It is gone where the site has told so, or
    where it cannot tell of deletions at all and its issue is there to be seen."""
    if not traces:
        return
    try:
        told = _told_deleted(context, min(trace.agreed_at for trace in traces) - CLOCKS_APART)
    except SiteError as fault:
        if fault.kind is not FaultKind.WAITING:
            raise
        _note_gone(context, step, _on_seen_issues(context, traces), {})
        return
    side = context.source_side
    _note_gone(context, step, [trace for trace in traces if id_on(trace, side) in told.at], told.at)
    if hidden := sum(id_on(trace, side) not in told.at for trace in traces):
        context.log(
            f"{hidden:,} worklogs of {context.source_site} were not met, and nothing says that they were deleted: "
            "their twins stay. Look whether our account may see them.",
            RunLog.Level.WARNING,
        )


def _on_seen_issues(context: LaneContext, traces: Sequence[TwinTrace]) -> list[TwinTrace]:
    side = context.source_side
    issues = {issue_on(trace, side) for trace in traces}
    seen = {str(row["id"]) for row in context.source.jira.issues(issues)}
    return [trace for trace in traces if issue_on(trace, side) in seen]


def _note_gone(
    context: LaneContext, step: Step, traces: Sequence[TwinTrace], at: Mapping[str, datetime]
) -> None:
    """Each is read once more before it counts as deleted: what a feed names is a hint."""
    side = context.source_side
    last = {agreed_on(trace, side).entry: agreed_on(trace, side) for trace in traces}
    held = _held(context, last)
    last = {entry: row for entry, row in last.items() if entry not in held}
    still = {row.entry for row in _by_id(context, step, last)}
    note_gone(context, [row for entry, row in last.items() if entry not in still], at)


def _held(context: LaneContext, worklogs: Collection[str]) -> set[str]:
    """Those whose deletion waits for somebody's word: told again by a feed it waits on."""
    if context.run.allow_deletes is not None:
        return set()
    held = _open_entries(context).filter(code="deletes_held", entry__in=worklogs)
    return set(held.values_list("entry", flat=True)) - set(_verdicts(context, worklogs))


def note_gone(context: LaneContext, rows: Sequence[Worklog], at: Mapping[str, datetime]) -> None:
    """Keeps these worklogs of the source side, as both last agreed on them, as deleted."""
    fetched = [_fetched(context, row, "", gone=True, gone_at=at.get(row.entry)) for row in rows]
    with transaction.atomic():
        context.run.fetched.filter(
            site=context.source_site, entry__in=[row.entry for row in rows], outcome=Fetched.Outcome.PENDING
        ).delete()
        Fetched.objects.bulk_create(fetched, ignore_conflicts=True)


# --- what is open, and new pairs


def _read_open(context: LaneContext, step: Step) -> None:
    """Entries that failed or are parked, once there is a reason to try them again: what they waited for is past.

    Each is read as it stands. A deletion that was held back is one only as long as the worklog is gone; of any other
    that is not there its twin stays, until the site tells that it was deleted.
    """
    due = {entry.entry: entry for entry in _due(context)[:OPEN_A_RUN]}
    if not context.run.is_dry:
        tried = Entry.objects.filter(pk__in=[entry.pk for entry in due.values()])
        tried.update(cause="", tried_at=timezone.now())
    rows = list(_by_id(context, step, due))
    there = {row.entry for row in rows}
    gone = [entry for key, entry in due.items() if key not in there and entry.code == "deletes_held"]
    note_gone(context, [Worklog.from_json(entry.values) for entry in gone], {})
    _note_never_carried(context, [entry for entry in due.values() if entry.entry not in there])
    keep(context, rows, again=True)


def _note_never_carried(context: LaneContext, entries: Sequence[Entry]) -> None:
    """Of entries that never had a twin nothing can be deleted: those told to be gone are closed."""
    alone = {entry.entry: entry for entry in entries if entry.code != "deletes_held"}
    alone = {key: alone[key] for key in alone.keys() - context.traces_on(context.source_side, alone).keys()}
    if not alone:
        return
    oldest = min((entry.tried_at for entry in alone.values() if entry.tried_at), default=None)
    try:
        told = _told_deleted(context, (oldest or context.run.started_at) - CLOCKS_APART)
    except SiteError as fault:
        if fault.kind is not FaultKind.WAITING:
            raise
        return
    gone = [Worklog.from_json(entry.values) for key, entry in alone.items() if key in told.at]
    note_gone(context, gone, told.at)


def _due(context: LaneContext) -> list[Entry]:
    open_ = list(_open_entries(context).select_related("settled_by").order_by("tried_at", "id"))
    if not open_:
        return []
    asked = set(_verdicts(context, [entry.entry for entry in open_]))
    waiting = [entry for entry in open_ if entry.kind == FaultKind.WAITING and entry.issue]
    places = _places(context, {entry.issue for entry in waiting})
    return [entry for entry in open_ if entry.entry in asked or _is_due(context, entry, places)]


def _open_entries(context: LaneContext) -> QuerySet[Entry]:
    return Entry.objects.filter(
        connection=context.connection,
        site=context.source_site,
        standing__in=(Entry.Standing.FAILED, Entry.Standing.PARKED),
    )


def _verdicts(context: LaneContext, entries: Collection[str]) -> QuerySet:
    verdicts = Verdict.objects.filter(connection=context.connection, site=context.source_site)
    return verdicts.filter(entry__in=entries).values_list("entry", flat=True)


def _places(context: LaneContext, issues: Collection[str]) -> dict[str, Place]:
    """What each issue of the target is like now, as far as a read tells."""
    rows = context.side.jira.issues(sorted(issues), FIELDS) if issues else []
    return {issue.id: place_of(issue) for issue in map(issue_of, rows)}


def _is_due(context: LaneContext, entry: Entry, places: Mapping[str, Place]) -> bool:
    if entry.code == "deletes_held":
        return context.run.allow_deletes is not None
    if context.run.retry or context.run.full or entry.kind == FaultKind.PASSING:
        return True
    if entry.kind == FaultKind.FINAL:
        return False
    changed = entry.settled_by is None or entry.settled_by.options_digest != context.run.options_digest
    day_is_over = entry.tried_at is None or timezone.now() - entry.tried_at > TRY_AGAIN_AFTER
    if entry.code == "attribute_required":
        return changed or day_is_over or _has_what_is_required(context, entry)
    return changed or day_is_over or _has_moved_on(entry, places.get(entry.issue))


def _has_what_is_required(context: LaneContext, entry: Entry) -> bool:
    """Whether the target asks for no attribute any more that the entry cannot give."""
    known = context.attributes_there
    carried = context.carried_attributes(Worklog.from_json(entry.values))
    return known is not None and not known.missing(carried)


def _has_moved_on(entry: Entry, place: Place | None) -> bool:
    """Whether the target's issue is not any more what it was when it said no."""
    return place is not None and entry.issue_state not in (place.status[:100], place.state)


def _read_new_pairs(context: LaneContext) -> None:
    last = (
        context.connection.runs.filter(kind=Run.Kind.SYNC, state=Run.State.FINISHED).order_by("-id").first()
    )
    context.scope.look_around(last.started_at if last and not context.run.full else None)
    _read_left_out(context)


def _read_left_out(context: LaneContext) -> None:
    """Issues that have just found their counterpart are read whole, on each side that is carried from."""
    lanes = {lane.source_side for lane in (context, context.back) if lane}
    for side, issue in context.scope.take_left_out():
        if side in lanes:
            _add(context.run, side, "issue", issue)


# --- keeping


def keep(
    context: LaneContext,
    rows: Sequence[Worklog],
    *,
    counted_until: datetime | None = None,
    again: bool = False,
) -> None:
    """Keeps what is news among these worklogs of the source side, each once a run.

    Entries of issues without a counterpart are counted; those changed before `counted_until` were counted before.
    `again` keeps all of them, to be tried again.
    """
    rows = _without_leftovers(context, rows)
    traces = context.traces_on(context.source_side, [row.entry for row in rows])
    if context.run.full and not context.run.is_dry:
        _mark_seen(context, traces)
    news = [row for row in rows if again or _is_news(context, row, traces.get(row.entry))]
    fresh = [row for row in news if row.entry not in traces]
    known = [row for row in news if row.entry in traces]
    fresh = _wanted(context, fresh)
    placed = _in_scope(context, fresh, counted_until) + known
    context.scope.pairs(context.source_side, {row.work for row in known if _moved(context, row, traces)})
    for part in batched(placed, ROWS_A_COMMIT):
        _keep(context, list(part))
    _read_left_out(context)


def _without_leftovers(context: LaneContext, rows: Sequence[Worklog]) -> list[Worklog]:
    """Without old copies that are about to be deleted, because a move has written them anew elsewhere."""
    left = Leftover.objects.filter(
        connection=context.connection, site=context.side.name, copy__in=[row.entry for row in rows]
    )
    copies = set(left.values_list("copy", flat=True))
    return [row for row in rows if row.entry not in copies]


def _is_news(context: LaneContext, row: Worklog, trace: TwinTrace | None) -> bool:
    if trace is None:
        return True
    kind = context.source.target
    agreed = merge.facts(agreed_on(trace, context.source_side), kind)
    return not trace.ended and bool(trace.unsettled or merge.changed(agreed, merge.facts(row, kind)))


def _moved(context: LaneContext, row: Worklog, traces: Mapping[str, TwinTrace]) -> bool:
    return issue_on(traces[row.entry], context.source_side) != row.work


def _mark_seen(context: LaneContext, traces: Mapping[str, TwinTrace]) -> None:
    seen = TwinTrace.objects.filter(pk__in=[trace.pk for trace in traces.values()])
    seen.update(**{f"{context.source_side}_seen_by": context.run.pk})


def _wanted(context: LaneContext, rows: Sequence[Worklog]) -> list[Worklog]:
    """Without what is left alone on purpose: older than `since`, or written by another connection."""
    first = _first_day(context)
    recent = [row for row in rows if not (first and row.moment and row.moment.day < first)]
    kept = ancestry.to_carry(context, recent)
    if left := len(rows) - len(kept):
        Run.objects.filter(pk=context.run.pk).update(passed_over=F("passed_over") + left)
    return kept


def _in_scope(context: LaneContext, rows: Sequence[Worklog], counted_until: datetime | None) -> list[Worklog]:
    side = context.source_side
    asked = _not_counted_before(context, rows, counted_until) if counted_until else rows
    pairs = context.scope.pairs(side, {row.work for row in asked})
    inside = [row for row in asked if pairs.get(row.work) is not None]
    outside = [row for row in asked if pairs.get(row.work) is None]
    if outside:
        context.scope.leave_out(side, outside)
    return inside


def _not_counted_before(context: LaneContext, rows: Sequence[Worklog], until: datetime) -> list[Worklog]:
    """Without what an earlier run has met and counted on an issue that has no counterpart."""
    left_out = OutOfScope.objects.filter(
        connection=context.connection, side=context.source_side, issue__in={row.work for row in rows}
    )
    issues = set(left_out.values_list("issue", flat=True))
    return [row for row in rows if row.work not in issues or merge.moment_of(row.updated) > until]


def _keep(context: LaneContext, rows: Sequence[Worklog]) -> None:
    people = _people(context, rows)
    accounts = context.target_people.find(people.values())
    context.target_people.note(accounts)
    fetched = []
    for row in rows:
        person = people[row.entry]
        account = accounts[person]
        fetched.append(_fetched(context, _completed(context, row), account.id if account else "", person))
    with transaction.atomic():
        Fetched.objects.bulk_create(
            fetched,
            update_conflicts=True,
            unique_fields=["run", "site", "entry"],
            update_fields=["work", "person", "account", "digest", "seconds", "values"],
        )


def _people(context: LaneContext, rows: Sequence[Worklog]) -> dict[str, Person]:
    """Whose work each is: its author's, of a copy under our header whom that names."""
    named = {row.entry: merge.plain(row, context.lane.own_source).person for row in rows}
    profiles = context.profiles.of(person.account for person in named.values())
    return {
        entry: profiles[person.account].person if person.account else person
        for entry, person in named.items()
    }


def _completed(context: LaneContext, row: Worklog) -> Worklog:
    """With its author's name and e-mail, and the moment that it means to its author."""
    profile = context.profiles.of([row.person.account]).get(row.person.account)
    if profile is None:
        return row
    named = row.with_(person=profile.person)
    if context.source.target is context.side.target is Target.TEMPO:
        return named
    return in_zone(named, context.source.target, context.profiles.zone_of(profile))


def _fetched(
    context: LaneContext,
    row: Worklog,
    account: str,
    person: Person | None = None,
    *,
    gone: bool = False,
    gone_at: datetime | None = None,
) -> Fetched:
    return Fetched(
        run=context.run,
        site=context.source_site,
        entry=row.entry,
        work=row.work,
        person=(person or row.person).label[:LONGEST_LABEL],
        account=account,
        digest=row.digest,
        seconds=row.seconds,
        values=row.to_json(),
        gone=gone,
        gone_at=gone_at,
    )
