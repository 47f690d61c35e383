"""What django-q2 may call: a run's number in, `run.work` called for one slice, the bell rung again if more is left;
and the look at the clock that begins runs by schedule.

A delivery that comes twice does no harm: what is to be done stands in the run's steps.
"""

import logging
import time

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from connections import hooks
from connections.clients.http import SiteError
from connections.models import Connection, Delivery, Site
from connections.tokens import TokenError
from worklogs import run as runs
from worklogs import schedules, steps, webhooks
from worklogs.context import InterruptedRunError, NotReadyError
from worklogs.models import Run
from worklogs.owners import at_work, is_attended

logger = logging.getLogger(__name__)

SLICE_SECONDS = 25.0
WRITERS_A_WORKER = 16
# While a site has asked for patience there is nothing to do; the bell is not rung again at once.
PATIENCE_SECONDS = 5.0
CLUSTER = settings.Q_CLUSTER["name"]
BELL = "worklogs.tasks.carry_on"


def ring(run_id: int) -> None:
    """Asks a worker to carry on with the run."""
    async_task(BELL, run_id)


def carry_on(run_id: int) -> None:
    """One slice of a run. A run that is paused, has ended or is in another worker's hands needs none."""
    with at_work() as owner:
        run = _taken(run_id, owner)
        if run is None:
            return
        try:
            worked = runs.work(run, owner, runs.Shift(SLICE_SECONDS, WRITERS_A_WORKER))
        except runs.CANNOT_BEGIN:
            logger.warning("run %s could not go on", run_id, exc_info=True)
            return
        except InterruptedRunError:
            time.sleep(PATIENCE_SECONDS)
            worked = run
        finally:
            _hand_back(run_id, owner)
    if worked.state == Run.State.RUNNING:
        ring(run_id)
    else:
        _heed_waiting_calls()


def tick() -> None:
    """Starts what is due by its schedule. The queue calls this each minute, the watchdog whenever it looks."""
    for run in schedules.tick():
        ring(run.pk)
    _heed_waiting_calls()


def sync_after_hook(site_id: int) -> None:
    """A vendor has called: the connections that read this site look what is new. One that is under way takes up what
    it was too late for when it has ended."""
    read = Q(left=site_id) | Q(right=site_id)
    for connection in Connection.objects.with_sites().filter(read, kind=Connection.Kind.SYNC, paused=False):
        if schedules.is_under_way(connection):
            continue
        try:
            ring(runs.start(connection, runs.Asked(queued=True)).pk)
        except runs.RunActiveError:
            logger.info("%s is under way; what a vendor called about waits for its end", connection)
        except NotReadyError:
            logger.warning("%s could not be started", connection, exc_info=True)


def keep_webhooks_alive() -> None:
    """A vendor that could not reach us stops calling, until it is asked to go on."""
    for site in Site.objects.filter(webhooks__isnull=False).distinct():
        try:
            hooks.keep_alive(site)
        except (SiteError, TokenError):
            logger.warning("the webhooks of %s could not be looked at", site, exc_info=True)


def _heed_waiting_calls() -> None:
    waiting = Delivery.objects.filter(taken_at=None).values("webhook__site")
    for site in Site.objects.filter(pk__in=waiting):
        webhooks.ring_for(site)


def answer() -> None:
    """What the watchdog asks for: that a worker takes it up is all there is to it."""


def _taken(run_id: int, owner: str) -> Run | None:
    """The run, now this owner's; None where it is not to be worked on, or another is quicker."""
    run = Run.objects.filter(pk=run_id, state=Run.State.RUNNING).exclude(wish=Run.Wish.PAUSE).first()
    if run is None or is_attended(run.owner, run.lease_until):
        return None
    found = Run.objects.filter(pk=run_id, owner=run.owner, lease_until=run.lease_until)
    return run if found.update(owner=owner, lease_until=timezone.now() + steps.lease()) else None


def _hand_back(run_id: int, owner: str) -> None:
    """The next worker need not wait for the lease to run out."""
    Run.objects.filter(pk=run_id, owner=owner).update(lease_until=None)
