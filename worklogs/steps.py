"""Steps of a run: claimed one by one with a lease, given back, taken over from the dead."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from worklogs.models import Fetched, Run, Step
from worklogs.owners import LEASE_SECONDS, is_alive

CANDIDATES = 20

_claiming = threading.Lock()


def lease() -> timedelta:
    return timedelta(seconds=LEASE_SECONDS)


def claim(run: Run, kinds: Sequence[str], owner: str) -> Step | None:
    """The next step of these kinds, now this owner's: the kind named first before others, the largest first."""
    with _claiming:
        for kind in kinds:
            ready = _ready(run).filter(kind=kind).order_by("-entries", "id")
            for number in ready.values_list("pk", flat=True)[:CANDIDATES]:
                if _claimed(number, owner):
                    return Step.objects.get(pk=number)
    return None


def ready(run: Run, kinds: Sequence[str], most: int) -> int:
    """How many steps of these kinds wait to be claimed, counted no further than `most`."""
    return _ready(run).filter(kind__in=kinds).order_by()[:most].count()


def _ready(run: Run) -> QuerySet[Step]:
    now = timezone.now()
    waiting = run.steps.filter(state=Step.State.WAITING).filter(Q(not_before=None) | Q(not_before__lte=now))
    before = Step.objects.filter(run=run, kind=Step.Kind.CARRY, key=OuterRef("after"))
    return waiting.exclude(Exists(before.exclude(state=Step.State.DONE)))


def _claimed(number: int, owner: str) -> bool:
    """False where somebody else was quicker, or holds the same lock in another run."""
    changes = {
        "state": Step.State.CLAIMED,
        "owner": owner,
        "lease_until": timezone.now() + lease(),
    }
    try:
        with transaction.atomic():
            return bool(Step.objects.filter(pk=number, state=Step.State.WAITING).update(**changes))
    except IntegrityError:
        return False


def give_back(step: Step, after_seconds: float = 0) -> None:
    """The step is anybody's again, not before so many seconds have passed."""
    not_before = timezone.now() + timedelta(seconds=after_seconds) if after_seconds else None
    _mine(step).update(state=Step.State.WAITING, owner="", lease_until=None, not_before=not_before)


def give_back_failed(step: Step, after_seconds: float = 0) -> None:
    """The same after a fault: unlike the end of a slice or a wait it counts as a failed attempt."""
    _mine(step).update(failed_attempts=F("failed_attempts") + 1)
    give_back(step, after_seconds)


def done(step: Step) -> None:
    """The step is done, unless entries were added to it meanwhile."""
    with transaction.atomic():
        _mine(step).update(state=Step.State.DONE, owner="", lease_until=None, not_before=None)
        if step.kind == Step.Kind.CARRY and _undecided(step).exists():
            Step.objects.filter(pk=step.pk, state=Step.State.DONE).update(state=Step.State.WAITING)


def _undecided(step: Step) -> QuerySet[Fetched]:
    return Fetched.objects.filter(run_id=step.run_id, issue=step.key, outcome=Fetched.Outcome.PENDING)


def _mine(step: Step) -> QuerySet[Step]:
    return Step.objects.filter(pk=step.pk, state=Step.State.CLAIMED, owner=step.owner)


def add(run: Run, kind: str, key: str, *, lock: str = "", spec: dict | None = None, entries: int = 0) -> Step:
    """The run's step of this kind and key, made where there is none; one that was done is opened again."""
    step, made = Step.objects.get_or_create(
        run=run,
        kind=kind,
        key=key,
        defaults={"lock": lock or f"{run.pk}:{kind}:{key}", "spec": spec or {}, "entries": entries},
    )
    if not made:
        Step.objects.filter(pk=step.pk).update(entries=F("entries") + entries)
        Step.objects.filter(pk=step.pk, state=Step.State.DONE).update(state=Step.State.WAITING)
    return step


def add_carrying(run: Run, wanted: Sequence[Step]) -> None:
    """Carry steps of many issues at once; what an issue's step holds already is kept."""
    with transaction.atomic():
        keys = [step.key for step in wanted]
        held = set(run.steps.filter(kind=Step.Kind.CARRY, key__in=keys).values_list("key", flat=True))
        Step.objects.bulk_create([step for step in wanted if step.key not in held])
        for step in wanted:
            if step.key in held:
                add(run, step.kind, step.key, entries=step.entries)


@contextmanager
def also_holding(step: Step, lock: str) -> Iterator[bool]:
    """Holds a second lock while the block runs; False, and nothing held, where another step has it."""
    held = Step(
        run_id=step.run_id,
        kind=Step.Kind.HOLD,
        key=f"{lock} for {step.pk}",
        lock=lock,
        state=Step.State.CLAIMED,
        owner=step.owner,
        lease_until=timezone.now() + lease(),
    )
    try:
        with transaction.atomic():
            held.save()
    except IntegrityError:
        yield False
        return
    try:
        yield True
    finally:
        Step.objects.filter(pk=held.pk).delete()


def extend_leases(owner: str) -> None:
    Step.objects.filter(owner=owner, state=Step.State.CLAIMED).update(lease_until=timezone.now() + lease())


def take_over_from_the_dead() -> int:
    """Frees every step whose owner is dead, of whichever run, and returns how many. What it only held is let go."""
    freed = 0
    for step in Step.objects.filter(state=Step.State.CLAIMED):
        if is_alive(step.owner, step.lease_until):
            continue
        if step.kind == Step.Kind.HOLD:
            _mine(step).delete()
        else:
            freed += _mine(step).update(state=Step.State.WAITING, owner="", lease_until=None)
    return freed
