"""Whether the queue's workers still take up work, and whether each queued run is in somebody's hands.

django-q2 can stop for good without a word: an idle worker that dies while it holds the queue's lock leaves the others
waiting for ever. And the bell of a worker that died is rung again only after minutes. So each queue is asked for a
sign of life now and then, by a task that does nothing, and runs that nobody works on are called back.
"""

import logging
import os
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_spawn, pre_execute
from django_q.tasks import async_task

from connections.leash import keep_children, name_process
from connections.serving import queues
from connections.supervising import WORKER
from worklogs import steps, tasks
from worklogs.models import Pulse, Run
from worklogs.owners import is_attended

logger = logging.getLogger(__name__)

PERIODS_OF_PATIENCE = 3


# --- in a cluster


def watch_this_cluster() -> None:
    """Workers say what they are and that they live, and no process of the cluster outlives its parent."""
    keep_children()
    post_spawn.connect(introduce)
    pre_execute.connect(note_sign_of_life)


def introduce(**_: object) -> None:
    """A worker says in the list of processes what it is: the supervisor leaves its replacement to django-q2."""
    name_process(WORKER)


def note_sign_of_life(**_: object) -> None:
    """A worker begins a task. An exception here would end the worker."""
    try:
        Pulse.objects.filter(cluster=Conf.CLUSTER_NAME).update(heard_at=timezone.now())
    except DatabaseError:
        logger.warning("worker %s could not leave its sign of life", os.getpid(), exc_info=True)


# --- in the process that watches


class Watch:
    """Looks at the queues every `period` seconds."""

    def __init__(self, period: float) -> None:
        self._period = timedelta(seconds=period)
        self._looked_at: datetime | None = None
        self._lonely: set[int] = set()

    def look(self) -> list[str]:
        """Asks the queues, calls lost runs back, starts what is due by its schedule, and names the queues that have
        not answered for three periods.

        Where nobody looked for a while (the machine slept, the database was away) silence proves nothing.
        """
        now = timezone.now()
        if self._looked_at is None or now - self._looked_at > 2 * self._period:
            Pulse.objects.update(asked_at=None)
        stuck = [queue for queue in queues() if self._is_stuck(queue, now)]
        self._lonely = call_back(self._lonely)
        tasks.tick()
        self._looked_at = timezone.now()
        return stuck

    def _is_stuck(self, queue: str, now: datetime) -> bool:
        pulse, _ = Pulse.objects.get_or_create(cluster=queue)
        if pulse.is_answered or not OrmQ.objects.filter(key=queue).exists():
            _ask(pulse)
            return False
        if now - pulse.newest <= PERIODS_OF_PATIENCE * self._period:
            return False
        # The next look asks again: a question put now might be lost with the workers that are about to be killed.
        Pulse.objects.filter(pk=pulse.pk).update(asked_at=None)
        return True


def _ask(pulse: Pulse) -> None:
    """Whatever waits in the queue already is question enough."""
    now = timezone.now()
    Pulse.objects.filter(pk=pulse.pk).update(asked_at=now)
    if not OrmQ.objects.filter(key=pulse.cluster, lock__lte=now).exists():
        async_task("worklogs.tasks.answer", cluster=pulse.cluster)


def call_back(lonely: set[int]) -> set[int]:
    """Rings for every queued run that nobody works on: at once where its worker died, else where it was among the
    `lonely` of the last look already, for a bell may be on its way. Gives those that were found lonely now.
    """
    steps.take_over_from_the_dead()
    running = Run.objects.filter(state=Run.State.RUNNING, queued=True).exclude(wish=Run.Wish.PAUSE)
    unattended = [run for run in running if not is_attended(run.owner, run.lease_until)]
    if not unattended:
        return set()
    awaited = _awaited()
    for run in unattended:
        died = bool(run.owner and run.lease_until)
        if died or (run.pk in lonely and run.pk not in awaited):
            _hand_back(run)
            tasks.ring(run.pk)
            logger.warning("run %s was in nobody's hands: called back", run.pk)
    return {run.pk for run in unattended} - awaited


def _hand_back(run: Run) -> None:
    Run.objects.filter(pk=run.pk, owner=run.owner).update(lease_until=None)


def _awaited() -> set[int]:
    """The runs whose bell is still to be heard."""
    waiting = OrmQ.objects.filter(key=tasks.CLUSTER, lock__lte=timezone.now())
    return {row.task["args"][0] for row in waiting if row.task.get("func") == tasks.BELL}
