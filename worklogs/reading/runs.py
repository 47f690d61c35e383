"""Runs as people watch them: how each stands, how far it is, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from connections.models import Site
from connections.wording import span_text
from worklogs.figures import COUNTED
from worklogs.models import AuditEntry, Fetched, Run, RunLog, Step, TwinTrace
from worklogs.owners import is_attended
from worklogs.reading.entries import UNSHOWN_OF_LOG

NEWEST = 12
LOG_LINES = 40
# Pace is measured over what was settled in the last minute.
MEASURED = timedelta(seconds=60)
SETTLED_ROWS = 400
FEW = 5
# So long nobody may be on a run before that is worth telling: between two slices there is nobody either.
UNATTENDED = timedelta(seconds=40)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many entries a run fetched, and what became of them so far.

    Of a sync that has ended `failed` and `parked` count all that is open on either side, met in it or not;
    `left_alone` are entries it met and passed over, counted as neither.
    """

    fetched: int
    counts: dict[str, int]
    left_alone: int = 0

    @property
    def decided(self) -> int:
        return sum(self.counts.values())

    @property
    def written(self) -> int:
        return self.counts["created"] + self.counts["updated"] + self.counts["deleted"]

    @property
    def good(self) -> int:
        return self.written + self.counts["linked"]

    @property
    def rest(self) -> int:
        return self.counts["unchanged"] + self.counts["skipped"]

    @property
    def failed(self) -> int:
        return self.counts["failed"]

    @property
    def parked(self) -> int:
        return self.counts["parked"]


@dataclass(frozen=True, slots=True)
class Line:
    """One run of a list."""

    run: Run
    figures: Figures

    @property
    def took(self) -> str:
        return took(self.run)


@dataclass(frozen=True, slots=True)
class Pace:
    """Entries a second over the last minute, and how long the rest will take at that."""

    a_second: float
    seconds_left: int
    ready_at: datetime

    @property
    def words(self) -> str:
        if self.a_second < 1:
            return f"{self.a_second * 60:.0f} a minute"
        return f"{self.a_second:.1f} a second" if self.a_second < 10 else f"{self.a_second:.0f} a second"

    @property
    def left(self) -> str:
        return span_text(self.seconds_left)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls by site, one column a method."""

    methods: list[str]
    sites: list[tuple[str, list[int]]]


# --- lists


def filtered(*, connection: str = "", kind: str = "", state: str = "") -> QuerySet[Run]:
    """Runs with what a list shows of them. `state` may also be "queued" or "paused"."""
    runs = with_figures(Run.objects.select_related("connection__left", "connection__right"))
    if connection:
        runs = runs.filter(connection__name=connection)
    if kind:
        runs = runs.filter(kind=kind)
    return _in_state(runs, state) if state else runs


def _in_state(runs: QuerySet[Run], state: str) -> QuerySet[Run]:
    live = runs.filter(state=Run.State.RUNNING)
    paused, queued = Q(wish=Run.Wish.PAUSE), Q(queued=True, owner="")
    if state == "paused":
        return live.filter(paused)
    if state == "queued":
        return live.filter(queued).exclude(paused)
    if state == "running":
        return live.exclude(paused).exclude(queued)
    return runs.filter(state=state)


def with_figures(runs: QuerySet[Run]) -> QuerySet[Run]:
    """With what `lines` and `figures_of` need, without the result, whose list of failures may be very long."""
    return runs.defer("result")


def lines(runs: Sequence[Run]) -> list[Line]:
    """Each with its figures: as they were kept at its end, else as they stand now."""
    counted = _counted([run for run in runs if _kept(run) is None])
    return [Line(run, _kept(run) or counted[run.pk]) for run in runs]


def figures_of(run: Run) -> Figures:
    return lines([run])[0].figures


def _kept(run: Run) -> Figures | None:
    if run.is_live or not run.counts:
        return None
    counts = {name: run.counts.get(name, 0) for name in COUNTED}
    # The contract's figures add what was passed over to what was skipped; people are told them apart.
    counts["skipped"] = max(counts["skipped"] - run.passed_over, 0)
    return Figures(run.counts["fetched"], counts, run.passed_over)


def _counted(runs: Sequence[Run]) -> dict[int, Figures]:
    counts: dict[int, dict[str, int]] = {run.pk: {} for run in runs}
    if runs:
        rows = Fetched.objects.filter(run__in=[run.pk for run in runs]).order_by()
        for run, outcome, count in rows.values_list("run", "outcome").annotate(Count("id")):
            counts[run][outcome] = count
    passed_over = {run.pk: run.passed_over for run in runs}
    return {
        run: Figures(sum(found.values()), {name: found.get(name, 0) for name in COUNTED}, passed_over[run])
        for run, found in counts.items()
    }


# --- one run


def took(run: Run) -> str:
    """How long it was worked on, all its parts together; empty while it goes on, or where nobody knows."""
    if run.is_live or not run.ended_at or not run.busy_seconds:
        return ""
    return f"{run.busy_seconds:.1f} s" if run.busy_seconds < 10 else span_text(run.busy_seconds)


def pace(run: Run, figures: Figures) -> Pace | None:
    """None where too little happened in the last minute to tell."""
    now = timezone.now()
    settled = [at for at in _settled(run) if at]
    recent = [at for at in settled if now - at <= MEASURED]
    if len(recent) < FEW:
        return None
    span = MEASURED if len(recent) < len(settled) else now - min(recent)
    a_second = len(recent) / max(span.total_seconds(), 1)
    seconds = round((figures.fetched - figures.decided) / a_second)
    return Pace(a_second, seconds, now + timedelta(seconds=seconds))


def _settled(run: Run) -> list[datetime | None]:
    column = "at" if run.is_dry else "settled_at"
    return list(run.audit.order_by("-id").values_list(column, flat=True)[:SETTLED_ROWS])


def is_unattended(run: Run, last_sign: datetime) -> bool:
    """Whether a run under way has been in nobody's hands for longer than the pause between two slices."""
    if run.standing not in ("running", "queued") or is_attended(run.owner, run.lease_until):
        return False
    return timezone.now() - last_sign > UNATTENDED


def last_sign(run: Run, log: Sequence[RunLog], newest: Sequence[AuditEntry]) -> datetime:
    """When it was last seen to do anything."""
    signs = [
        run.started_at,
        *(line.at for line in log[:1]),
        *(row.when for row in newest[:1]),
    ]
    return max([*signs, run.waiting_until] if run.waiting_until else signs)


def steps(run: Run) -> dict[str, int]:
    """Steps by how they stand; empty where nothing is known of them any more."""
    waiting, later = Q(state=Step.State.WAITING), Q(not_before__gt=timezone.now())
    found = run.steps.order_by().aggregate(
        done=Count("pk", filter=Q(state=Step.State.DONE)),
        running=Count("pk", filter=Q(state=Step.State.CLAIMED)),
        waiting=Count("pk", filter=waiting & later),
        open=Count("pk", filter=waiting & (Q(not_before=None) | ~later)),
    )
    return found if any(found.values()) else {}


def calls(run: Run) -> Calls:
    counted = {(row.site, row.method): row.count for row in run.calls.all()}
    methods = sorted({method for _, method in counted}, key=lambda name: (name != "GET", name))
    sites = sorted({site for site, _ in counted})
    return Calls(methods, [(site, [counted.get((site, name), 0) for name in methods]) for site in sites])


def log(run: Run) -> list[RunLog]:
    """The newest lines first."""
    return list(run.log.order_by("-id")[:LOG_LINES])


def newest(run: Run) -> list[AuditEntry]:
    """What it did last; what is being written just now may be very much and has nothing to tell yet."""
    settled = run.audit.exclude(outcome=AuditEntry.Outcome.WRITING)
    return list(settled.order_by("-id").defer(*UNSHOWN_OF_LOG)[:NEWEST])


def being_written(run: Run) -> int:
    return run.audit.filter(outcome=AuditEntry.Outcome.WRITING).count() if run.is_live else 0


def held_deletions(run: Run) -> int:
    """How many deletions a run holds back until somebody allows them: twins of which one is gone, the other not."""
    if not run.holds_deletes:
        return 0
    twins = TwinTrace.objects.filter(connection=run.connection)
    left, right = (_gone_on(run, site) for site in (run.connection.left, run.connection.right))
    left_only = twins.filter(left_id__in=left).exclude(right_id__in=right)
    right_only = twins.filter(right_id__in=right).exclude(left_id__in=left)
    return left_only.count() + right_only.count()


def _gone_on(run: Run, site: Site) -> QuerySet[Any, Any]:
    return run.fetched.filter(site=site.name, gone=True).order_by().values("entry")


def is_newest(run: Run) -> bool:
    """Whether no later run of its connection that writes has begun: then each entry's standing is this run's."""
    return not Run.objects.filter(connection=run.connection, kind=run.kind, pk__gt=run.pk).exists()
