"""The conductor. A run reads its source, maps, and carries issue by issue; every part of that is a step that one
thread of one process claims, and that another takes over should this one die.

    start   the run's row, taken over from a dead owner or made new
    work    steps, until none is left, the run is called to a halt, or this process's time is up
    finish  what came of it
"""

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.db import DatabaseError, IntegrityError, connections, transaction
from django.utils import timezone

from connections.clients.http import FaultKind, SiteError
from connections.models import Connection
from connections.tokens import TokenError
from worklogs import carry, figures, hours, steps
from worklogs.context import (
    HALF,
    Context,
    Halt,
    InterruptedRunError,
    NotReadyError,
    forget_healths,
    has_other_settings,
    options_digest,
)
from worklogs.dialects.sevenpace import TimesMismatchError
from worklogs.issues import UnusableIssueRuleError
from worklogs.migrating import Migration
from worklogs.models import Fetched, LinksRead, Run, RunLog, Step
from worklogs.owners import is_alive, is_elsewhere
from worklogs.rules import Target
from worklogs.syncing import Sync

logger = logging.getLogger(__name__)

READERS = 2
# Enough to use up Jira's 100 writes a second at its usual latency, and where every issue is at its own limit of
# 100 in 30 seconds; Tempo allows 5 requests a second in all.
WRITERS = {Target.JIRA: 32, Target.TEMPO: 6}
# A stopped run is gone on with for so long; after that its source is read anew.
GO_ON_WITHIN = timedelta(hours=12)
HEARTBEAT_SECONDS = 1.0
LEASE_EXTENSION_SECONDS = 10.0
TELL_SECONDS = 5.0
IDLE_SECONDS = 0.25
PASSING_SECONDS = 5.0
# A step that a passing fault ended so often ends the run: somebody has to look.
FAILED_ATTEMPTS = 20

# Why a run cannot begin, or be taken up again: nothing has been sent to the target.
CANNOT_BEGIN = (SiteError, TokenError, NotReadyError, UnusableIssueRuleError)

CANCELLED = "Somebody cancelled it. Start it again to carry the rest."
UNFINISHED = (Step.State.WAITING, Step.State.CLAIMED)


class RunActiveError(Exception):
    """Another run of this connection is under way, and its owner lives."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"Run {run.pk} of this connection is under way. Wait for it, or cancel it.")
        self.run = run


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of a run. `retry` also tries failures whose cause has not changed; of a sync `full` compares
    everything in scope, and `allow_deletes` so many deletions without a question."""

    dry_run: bool = False
    queued: bool = False
    retry: bool = False
    full: bool = False
    allow_deletes: int | None = None

    def kind_for(self, connection: Connection) -> Run.Kind:
        if self.dry_run:
            return Run.Kind.DRY_RUN
        return Run.Kind.MIGRATION if connection.is_migration else Run.Kind.SYNC


class Job(Protocol):
    """What one kind of run does, opened by each process that works on one."""

    @property
    def context(self) -> Context:
        """The direction it carries in; of two the first."""

    def context_of(self, step: Step) -> Context:
        """The direction a step belongs to."""

    def begin(self) -> None:
        """The first steps of a new run, within a transaction."""

    def do(self, step: Step) -> float | None:
        """One step; seconds after which it must be looked at again, None where it is done."""

    def all_is_read(self) -> None:
        """What follows the last read step, within a transaction, once a run."""

    def plan_forgotten(self) -> bool:
        """Steps for entries that no step has come to; False where there are none."""

    def tell(self) -> None:
        """What this process's share of the run gave reason to say."""

    def conclude(self, run: Run) -> None:
        """The run has come to its end with nothing left over."""


def open_job(run: Run, halt: Halt) -> Job:
    """Raises SiteError, UnusableIssueRuleError, TokenError, NotReadyError."""
    return Migration(run, halt) if run.connection.is_migration else Sync(run, halt)


# --- start


def start(connection: Connection, asked: Asked, owner: str = "") -> Run:
    """The run to work on: one that was left unfinished, else a new one. Raises RunActiveError, NotReadyError."""
    _refuse_unready(connection)
    _release_the_dead(connection)
    digest = options_digest(connection)
    changes = {
        "state": Run.State.RUNNING,
        "owner": owner,
        "lease_until": timezone.now() + steps.lease(),
        "queued": asked.queued,
        "retry": asked.retry,
        "wish": Run.Wish.NONE,
        "code": "",
        "message": "",
        "result": {},
        "counts": {},
        "ended_at": None,
    }
    try:
        with transaction.atomic():
            if left := _unfinished(connection, asked, digest):
                return _taken_up(left, changes)
            return Run.objects.create(
                connection=connection,
                kind=asked.kind_for(connection),
                options_digest=digest,
                full=asked.full or _is_told_otherwise(connection, digest),
                allow_deletes=asked.allow_deletes,
                **changes,
            )
    except IntegrityError:
        raise RunActiveError(connection.runs.get(state=Run.State.RUNNING)) from None


def _is_told_otherwise(connection: Connection, digest: str) -> bool:
    """Whether a sync has other settings than when it last ran: what it left alone then may be wanted now."""
    last = connection.runs.filter(kind=Run.Kind.SYNC, state=Run.State.FINISHED).order_by("-id").first()
    return last is not None and last.options_digest[:HALF] != digest[:HALF]


def _taken_up(left: Run, changes: dict[str, Any]) -> Run:
    """The stopped run, running again. Raises RunActiveError where another process was quicker."""
    taken = Run.objects.filter(pk=left.pk, state=Run.State.STOPPED).update(**changes)
    left.refresh_from_db()
    if not taken:
        raise RunActiveError(left)
    return left


def _refuse_unready(connection: Connection) -> None:
    """What cannot be run, whoever asks for it. Raises NotReadyError."""
    name = connection.name
    if connection.options.get("rules") or connection.options.get("scripts"):
        raise NotReadyError(
            "not_supported",
            f'"{name}" has rules or scripts, which this version does not carry out yet. Take them out.',
        )
    if connection.paused:
        raise NotReadyError("paused", f'"{name}" is paused. Resume it, then start again.')


def _release_the_dead(connection: Connection) -> None:
    """A running run whose owner is dead becomes a stopped one. Raises RunActiveError where he lives."""
    run = connection.runs.filter(state=Run.State.RUNNING).first()
    if run is None:
        return
    if _lives(run):
        raise RunActiveError(run)
    stopped = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, owner=run.owner).update(
        state=Run.State.STOPPED, ended_at=timezone.now(), message="Its process ended without a word."
    )
    if not stopped:
        raise RunActiveError(run)
    steps.take_over_from_the_dead()


def _lives(run: Run) -> bool:
    """Of an owner on another machine only the lease can tell: it is waited for."""
    while is_elsewhere(run.owner) and run.lease_until and run.lease_until > timezone.now():
        before = run.lease_until
        time.sleep(max(0.0, (before - timezone.now()).total_seconds()) + 0.1)
        run.refresh_from_db()
        if run.lease_until and run.lease_until > before:
            return True
    return is_worked_on(run)


def is_worked_on(run: Run) -> bool:
    """Whether a living owner holds the run or one of its steps, by the lease where he is on another machine."""
    if is_alive(run.owner, run.lease_until):
        return True
    claimed = run.steps.filter(state=Step.State.CLAIMED)
    return any(is_alive(step.owner, step.lease_until) for step in claimed)


def _unfinished(connection: Connection, asked: Asked, digest: str) -> Run | None:
    """The connection's last run, where it stopped early and would do the same thing today. A sync begins anew: its
    feeds still tell what has not been settled, and what is true by now."""
    if not connection.is_migration:
        return None
    last = connection.runs.filter(kind=asked.kind_for(connection)).order_by("-id").first()
    if last is None or last.state != Run.State.STOPPED or last.options_digest != digest:
        return None
    recent = last.ended_at and timezone.now() - last.ended_at < GO_ON_WITHIN
    return last if recent and last.phase != Run.Phase.ENDED else None


# --- work


@dataclass(frozen=True, slots=True)
class Shift:
    """How one process works on a run: `seconds` it has for it (None: as long as it takes), its number of writing
    threads (None: as the target allows), and whom to `tell` now and then how far it is."""

    seconds: float | None = None
    writers: int | None = None
    tell: Callable[[str], None] | None = None


def work(run: Run, owner: str, shift: Shift = Shift()) -> Run:
    """Works on the run with the threads of this process until it is done, stopped, or the seconds are up.

    A run that cannot begin at all (credentials refused, time tracking off) raises SiteError, NotReadyError,
    UnusableIssueRuleError or TokenError, and a new one leaves nothing behind.
    """
    began = time.monotonic()
    halt = Halt(None if shift.seconds is None else began + shift.seconds)
    fresh = not run.steps.exists()
    try:
        _refuse_changed(run)
        job = open_job(run, halt)
        if fresh:
            _begin(job)
    except InterruptedRunError:
        raise
    except BaseException as fault:
        if fresh and not run.queued:
            run.delete()
        else:
            stop(run.pk, fault)
        raise
    crew = Crew(job, owner)
    with _heartbeat(crew, shift), _signals(halt):
        crew.work(shift.writers or WRITERS[job.context.side.target])
    if fresh and not run.queued and (refused := _refused_at_the_door(job)):
        run.delete()
        raise refused
    job.tell()
    Run.objects.filter(pk=run.pk).update(busy_seconds=run.busy_seconds + time.monotonic() - began)
    run.refresh_from_db()
    return finish(job)


def _refused_at_the_door(job: Job) -> SiteError | None:
    """A site's refusal of our token before anything was done: then the run has not begun."""
    reason = job.context.halt.reason
    if not isinstance(reason, SiteError) or reason.code != "auth_failed" or job.context.run.audit.exists():
        return None
    return reason


def _refuse_changed(run: Run) -> None:
    """A run keeps to the settings it began with. Raises NotReadyError where they are others by now."""
    if has_other_settings(run, Connection.objects.with_sites().get(pk=run.connection_id)):
        raise NotReadyError(
            "changed_meanwhile",
            "The settings of the connection or of its sites were changed while this run was under way. "
            "What it has written stands. Start again to go on with the new settings.",
        )


def _begin(job: Job) -> None:
    with transaction.atomic():
        job.begin()
    job.context.log(f"Run {job.context.run.pk} begins.")


def stop(run_id: int, fault: BaseException) -> None:
    """Ends a run that could not go on, in words; started again it goes on where it stopped."""
    forget_healths(run_id)
    code = getattr(fault, "code", "not_ready")
    ended = Run.objects.filter(pk=run_id, state=Run.State.RUNNING)
    ended.update(state=Run.State.STOPPED, code=code, message=str(fault), ended_at=timezone.now())


def cancel(run: Run) -> None:
    """Ends a run between two entries; one that nobody works on ends here and now."""
    Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(wish=Run.Wish.CANCEL)
    if not is_worked_on(run):
        ended = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
        ended.update(state=Run.State.CANCELLED, code="cancelled", message=CANCELLED, ended_at=timezone.now())


class Crew:
    """The threads of one process that work on one run, called up as there is work for them: each has a connection to
    the database of its own, and a small run is over before 30 of them are up."""

    def __init__(self, job: Job, owner: str) -> None:
        self.job = job
        self.context = job.context
        self.owner = owner
        self._changed = threading.Event()
        self._counting = threading.Lock()
        self._busy: Counter[tuple[str, ...]] = Counter()

    def work(self, writers: int) -> None:
        with ThreadPoolExecutor(READERS + writers, "crew") as pool:
            try:
                while not self.context.halt.called:
                    self._changed.clear()
                    self.context.halt.check()
                    self._call_up(pool, READER, READERS)
                    self._call_up(pool, WRITER, writers)
                    if not self._more_to_come():
                        break
            except InterruptedRunError:
                return
            except Exception as fault:
                self._break(fault)

    def _call_up(self, pool: ThreadPoolExecutor, kinds: tuple[str, ...], most: int) -> None:
        """A thread for each step that waits for these, up to as many as may work side by side."""
        free = most - self._busy[kinds]
        for _ in range(steps.ready(self.context.run, kinds, free) if free else 0):
            self._count(kinds, 1)
            pool.submit(self._work, kinds)

    def _count(self, kinds: tuple[str, ...], change: int) -> None:
        with self._counting:
            self._busy[kinds] += change

    def _work(self, kinds: tuple[str, ...]) -> None:
        done = 0
        try:
            while not self.context.halt.called:
                self.context.halt.check()
                step = steps.claim(self.context.run, kinds, self.owner)
                if not step:
                    return
                self._do(step)
                done += 1
        except InterruptedRunError:
            return
        except Exception as fault:
            self._break(fault)
        finally:
            connections.close_all()
            self._count(kinds, -1)
            # A step that another run's lock withholds is looked at again in its time, not at once.
            if done or self.context.halt.called:
                self._changed.set()

    def _break(self, fault: Exception) -> None:
        logger.error("run %s broke", self.context.run.pk, exc_info=fault)
        self.context.halt.call(fault)

    def _do(self, step: Step) -> None:
        """One step. Whatever happens it is given back or done: a step that stays claimed is a process that died."""
        try:
            again_in = self.job.do(step)
        except InterruptedRunError:
            steps.give_back(step)
            raise
        except (SiteError, TimesMismatchError) as fault:
            self._after_fault(step, fault)
        except BaseException:
            steps.give_back(step)
            raise
        else:
            steps.done(step) if again_in is None else steps.give_back(step, again_in)
        if step.kind != Step.Kind.CARRY:
            self._changed.set()

    def _after_fault(self, step: Step, fault: SiteError | TimesMismatchError) -> None:
        passing = isinstance(fault, SiteError) and fault.kind is FaultKind.PASSING
        if passing and step.failed_attempts + 1 < FAILED_ATTEMPTS:
            steps.give_back_failed(step, getattr(fault, "retry_after", None) or PASSING_SECONDS)
            return
        context = self.job.context_of(step)
        if step.kind == Step.Kind.CARRY and isinstance(fault, SiteError) and _is_alone(context, fault):
            self._after_lonely_fault(step, fault)
            return
        steps.give_back_failed(step)
        self.context.halt.call(fault)

    def _after_lonely_fault(self, step: Step, fault: SiteError) -> None:
        """Nobody knows whether it was this issue that made its site seem down: only the second time it is."""
        if not step.failed_attempts or not fault.exchange:
            steps.give_back_failed(step, PASSING_SECONDS)
            return
        carry.Carriage(self.job.context_of(step), step).give_up(fault)
        steps.done(step)

    def _more_to_come(self) -> bool:
        """Whether there is or will be something to do; waits a little for it."""
        if _advance(self.job):
            return True
        if not self._busy.total() and not self.context.run.steps.filter(state__in=UNFINISHED).exists():
            # The last read step may have been done since the look above.
            return _advance(self.job) or self.job.plan_forgotten()
        self._changed.wait(IDLE_SECONDS)
        return True


def _is_alone(context: Context, fault: SiteError) -> bool:
    """Whether one issue was taken for the whole target: the site counts as down, yet says who we are."""
    if fault.code != "site_unavailable":
        return False
    try:
        context.side.probe()
    except SiteError:
        return False
    return True


READER = (Step.Kind.READ, Step.Kind.MAP, Step.Kind.CARRY)
WRITER = (Step.Kind.MAP, Step.Kind.CARRY)


def _advance(job: Job) -> bool:
    """Once everything is read, mapping begins; True where that has just been set going."""
    run = job.context.run
    if run.steps.filter(kind=Step.Kind.READ, state__in=UNFINISHED).exists():
        return False
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, phase=Run.Phase.READING).update(phase=Run.Phase.CARRYING):
            return False
        job.all_is_read()
    return True


# --- while it works


@contextmanager
def _heartbeat(crew: Crew, shift: Shift) -> Iterator[None]:
    """Extends leases, saves counts, and hears what people wish, as long as the block runs."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(crew, shift, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        crew.context.calls.save()


def _beat(crew: Crew, shift: Shift, over: threading.Event) -> None:
    extended = told = time.monotonic()
    try:
        while not over.wait(HEARTBEAT_SECONDS):
            try:
                _save_state(crew)
                _hear(crew)
                if shift.tell and time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    shift.tell(progress(crew.context.run))
                if time.monotonic() - extended > LEASE_EXTENSION_SECONDS:
                    extended = time.monotonic()
                    steps.extend_leases(crew.owner)
                    steps.take_over_from_the_dead()
            except DatabaseError:
                logger.warning(
                    "the heartbeat of run %s could not be saved", crew.context.run.pk, exc_info=True
                )
    finally:
        connections.close_all()


def progress(run: Run) -> str:
    """How far a run is, in words."""
    fetched = run.fetched.count()
    if run.steps.filter(kind=Step.Kind.READ, state__in=UNFINISHED).exists():
        return f"Reading: {fetched:,} entries so far."
    decided = run.fetched.exclude(outcome=Fetched.Outcome.PENDING).count()
    return f"{decided:,} of {fetched:,} entries decided."


def _save_state(crew: Crew) -> None:
    context = crew.context
    context.calls.save()
    Run.objects.filter(pk=context.run.pk, owner=crew.owner).update(
        lease_until=timezone.now() + steps.lease(),
        waiting_for=context.waits.reason,
        waiting_until=context.waits.until,
    )


def _hear(crew: Crew) -> None:
    run = Run.objects.only("wish", "state").get(pk=crew.context.run.pk)
    if run.wish == Run.Wish.CANCEL:
        crew.context.halt.call(Run.Wish.CANCEL)
    if run.state != Run.State.RUNNING:
        crew.context.halt.call("ended by somebody else")
    paused = run.wish == Run.Wish.PAUSE
    if paused and crew.context.halt.deadline is not None:
        crew.context.halt.deadline = time.monotonic()
    else:
        crew.context.halt.hold(paused)


@contextmanager
def _signals(halt: Halt) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run between two entries; it goes on when it is started again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        halt.call(signal.Signals(number).name)

    held = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


# --- finish


def finish(job: Job) -> Run:
    """The run's end state and figures; a run with steps left goes on being `running` where nobody stopped it."""
    context = job.context
    run, reason = context.run, context.halt.reason
    # A slice may end when all is read and nothing has been planned yet: then there is no step, and all is left.
    left = run.phase == Run.Phase.READING or run.steps.filter(state__in=UNFINISHED).exists()
    if not reason and left:
        return run
    forget_healths(run.pk)
    run.state, run.code, run.message = _ending(run, reason)
    if not reason:
        run.phase = Run.Phase.ENDED
    run.ended_at = timezone.now()
    result = figures.now(run)
    ending = {
        "state": run.state,
        "phase": run.phase,
        "code": run.code,
        "message": run.message,
        "ended_at": run.ended_at,
        "wish": Run.Wish.NONE,
        "waiting_for": "",
        "waiting_until": None,
        "result": result,
        "counts": figures.counts_of(result),
    }
    if Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(**ending):
        if not run.is_dry:
            hours.keep(run)
        if not reason:
            job.conclude(run)
        _tell(context, run)
    run.refresh_from_db()
    return run


def _tell(context: Context, run: Run) -> None:
    well = run.state in (Run.State.FINISHED, Run.State.PLANNED)
    text = f"Run {run.pk} {run.get_state_display().lower()}. {run.message}".strip()
    context.log(text, RunLog.Level.INFO if well else RunLog.Level.ERROR)
    if well:
        _forget_earlier(run)


def _ending(run: Run, reason: BaseException | str) -> tuple[str, str, str]:
    """State, code and message."""
    if not reason:
        return (Run.State.PLANNED if run.is_dry else Run.State.FINISHED), "", ""
    if reason == Run.Wish.CANCEL:
        return Run.State.CANCELLED, "cancelled", CANCELLED
    if isinstance(reason, SiteError):
        return Run.State.STOPPED, reason.code, reason.message
    if isinstance(reason, TimesMismatchError):
        return Run.State.STOPPED, "odata_times_mismatch", str(reason)
    if isinstance(reason, str):
        return Run.State.STOPPED, "interrupted", f"It was stopped ({reason}). Start it again to go on."
    return (
        Run.State.BROKEN,
        "broken",
        f"{type(reason).__name__}. Nothing is lost; start it again. The log has more.",
    )


def _forget_earlier(run: Run) -> None:
    """What earlier runs fetched is of no more use: entries, traces and audit hold what became of it."""
    kinds = [Run.Kind.DRY_RUN] if run.is_dry else list(Run.Kind)
    ended = run.connection.runs.filter(pk__lt=run.pk, kind__in=kinds)
    Fetched.objects.filter(run__in=ended).delete()
    Step.objects.filter(run__in=ended).delete()
    LinksRead.objects.filter(run__in=ended).delete()
