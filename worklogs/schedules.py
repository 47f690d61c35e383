"""Runs by the clock: which connection is due, and that each of its times starts one run and no more.

Whoever looks at the clock calls `tick`: the watchdog, and the queue's own schedule in case there is no watchdog. Both
at once do no harm, since a time is taken by one conditional UPDATE, together with the start of its run. A time that
passed without a run (the machine was off, another run was under way) is made up for once, however many there were.
"""

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db import connection as database
from django.utils import timezone
from django_q.models import Schedule

from connections.cron import next_time
from connections.models import Connection
from worklogs import run as runs
from worklogs.context import NotReadyError
from worklogs.models import NextRun, Run

logger = logging.getLogger(__name__)

TICK = "worklogs.tasks.tick"
WHOLE_AFTER = timedelta(days=1)
KEEP_ALIVE = "worklogs.tasks.keep_webhooks_alive"


def let_the_queue_look() -> None:
    """The schedules that the queue itself keeps: a look at the clock each minute, and at the webhooks each hour."""
    if Schedule._meta.db_table not in database.introspection.table_names():
        return
    for func, name, minutes in ((TICK, "runs by schedule", 1), (KEEP_ALIVE, "webhooks kept alive", 60)):
        if not Schedule.objects.filter(func=func).exists():
            Schedule.objects.create(name=name, func=func, schedule_type=Schedule.MINUTES, minutes=minutes)


def tick() -> list[Run]:
    """Starts a queued run of every connection that is due; a worker is still to be called for each."""
    scheduled = Connection.objects.filter(options__has_key="schedule").with_sites()
    NextRun.objects.exclude(connection__in=scheduled.values("pk")).delete()
    started = [_started(connection) for connection in scheduled.select_related("next_run")]
    return [run for run in started if run]


def upcoming(connection: Connection) -> datetime | None:
    """When it runs next, in UTC; in the past where it is overdue, None where it does not run by itself."""
    if connection.paused:
        return None
    planned = getattr(connection, "next_run", None)
    schedule = _schedule(connection)
    if planned and planned.expression == schedule and planned.next_at:
        return planned.missed_at or planned.next_at
    return _following(connection, timezone.now())


def _started(connection: Connection) -> Run | None:
    """A connection that cannot be understood must not keep the others from running."""
    try:
        planned = _planned(connection, timezone.now())
        return _begun(planned) if planned.missed_at else None
    except DatabaseError:
        raise
    except Exception:
        logger.exception("the schedule of %s cannot be kept", connection)
        return None


def _planned(connection: Connection, now: datetime) -> NextRun:
    """The row as it should be now. A time that has come is noted as missed until its run is begun."""
    planned = _row_of(connection)
    known = NextRun.objects.filter(
        pk=planned.pk,
        expression=planned.expression,
        next_at=planned.next_at,
        missed_at=planned.missed_at,
    )
    if changes := _changes(planned, connection, now):
        known.update(**changes)
        planned.refresh_from_db()
    return planned


def _row_of(connection: Connection) -> NextRun:
    planned = getattr(connection, "next_run", None)
    return planned or NextRun.objects.get_or_create(connection=connection)[0]


def _changes(planned: NextRun, connection: Connection, now: datetime) -> dict[str, object]:
    """What the row has to become: another schedule or a pause begins anew, nothing is owed for the time before."""
    schedule = _schedule(connection)
    if connection.paused or planned.expression != schedule or planned.next_at is None:
        next_at = _following(connection, now)
        found = {"expression": schedule, "next_at": next_at, "missed_at": None, "refusal": ""}
        return {name: value for name, value in found.items() if getattr(planned, name) != value}
    if planned.next_at > now:
        return {}
    return {"next_at": _following(connection, now), "missed_at": planned.missed_at or planned.next_at}


def _schedule(connection: Connection) -> str:
    """The five fields, "" for none."""
    return str(connection.options.get("schedule") or "")


def _following(connection: Connection, now: datetime) -> datetime | None:
    """Times are those of this installation's own zone."""
    schedule = _schedule(connection)
    if connection.paused or not schedule:
        return None
    return next_time(schedule, now, timezone.get_default_timezone())


def _begun(planned: NextRun) -> Run | None:
    """The run that makes up for what was missed; None where another is under way, or somebody was quicker."""
    if is_under_way(planned.connection):
        return None
    owed = NextRun.objects.filter(pk=planned.pk, expression=planned.expression, missed_at=planned.missed_at)
    try:
        with transaction.atomic():
            if not owed.update(missed_at=None, last_started_at=timezone.now(), refusal=""):
                return None
            return runs.start(
                planned.connection, runs.Asked(queued=True, full=_owes_full(planned.connection))
            )
    except runs.RunActiveError:
        return None
    except NotReadyError as fault:
        owed.update(missed_at=None, refusal=fault.message)
        return None


def _owes_full(connection: Connection) -> bool:
    """Feeds miss what a vendor tells nobody, such as a move within Jira: once a day everything is compared."""
    ended = connection.runs.filter(kind=Run.Kind.SYNC, state=Run.State.FINISHED)
    first = ended.order_by("id").first()
    if first is None or first.ended_at is None or timezone.now() - first.ended_at < WHOLE_AFTER:
        return False
    return not ended.filter(full=True, ended_at__gt=timezone.now() - WHOLE_AFTER).exists()


def is_under_way(connection: Connection) -> bool:
    """A queued run counts as long as it is not ended, also while it is paused or between two workers."""
    run = connection.runs.filter(state=Run.State.RUNNING).first()
    return run is not None and (run.queued or runs.is_worked_on(run))
