"""Writes of unknown outcome: looked for on the target before anything else is done.

Nobody knows of an intent that is still `writing` whether its request arrived: the process died, the connection was
cut, the answer was broken. Found, it is settled; "not there" counts only once enough time has passed since it
went out, because the target may commit late.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from worklogs import plan
from worklogs.context import Context
from worklogs.ledger import Place, Result
from worklogs.models import AuditEntry, Fetched, TwinTrace
from worklogs.worklog import Worklog

# "Not there" counts only when seen this long after the request went out: the target may commit late.
LOOK_AGAIN = timedelta(seconds=30)
# So many requests for one entry that led to nothing are enough for one run.
TRIES = 5
FOUND = "The outcome was unknown; it was looked for and found on the target."


def unsettled(context: Context) -> QuerySet[AuditEntry]:
    """Every write of this connection whose outcome nobody knows, of whichever run."""
    return AuditEntry.objects.filter(
        connection=context.connection.name,
        target_site=context.side.name,
        outcome=AuditEntry.Outcome.WRITING,
    ).order_by("id")


def never_taken(context: Context, entries: Sequence[str]) -> dict[str, AuditEntry]:
    """Of these entries, those that the target did not take however often this run sent them: the last such try."""
    tries: dict[str, list[AuditEntry]] = defaultdict(list)
    rows = AuditEntry.objects.filter(run=context.run, outcome=AuditEntry.Outcome.NOT_WRITTEN)
    # Without an exchange nothing was heard: the process that sent it died.
    for row in rows.filter(entry__in=entries, exchange__isnull=False).order_by("id"):
        tries[row.entry].append(row)
    return {entry: tried[-1] for entry, tried in tries.items() if len(tried) >= TRIES}


@dataclass(frozen=True, slots=True)
class Look:
    """The target's worklogs of an issue; `at` is the moment before they were read."""

    at: datetime
    standing: Sequence[Worklog]


def look(context: Context, issue: str) -> Look:
    at = timezone.now()
    return Look(at, context.side.standing(issue))


def recover(context: Context, place: Place, intents: Sequence[AuditEntry], seen: Look) -> list[Result]:
    """What came of these intents, for those that are found; those that surely never arrived are given up."""
    traces = context.traces_of([intent.entry for intent in intents])
    found = _found(context, intents, seen.standing, traces)
    for intent in intents:
        if intent.pk not in found:
            _give_up_if_it_is_time(intent, seen.at)
    return [
        _result(place, intent, found[intent.pk], traces.get(intent.entry))
        for intent in intents
        if intent.pk in found
    ]


def owned(context: Context, standing: Sequence[Worklog], entries: set[str]) -> set[str]:
    """Worklogs that a trace claims; not those that bear the mark of these very entries."""
    ours = {row.entry for row in standing if row.marker in entries}
    return context.claimed([row.entry for row in standing]) - ours


def _found(
    context: Context,
    intents: Sequence[AuditEntry],
    standing: Sequence[Worklog],
    traces: Mapping[str, TwinTrace],
) -> dict[int, Worklog]:
    creates = [intent for intent in intents if intent.action == AuditEntry.Action.CREATE]
    copies = [intent.intended for intent in creates]
    taken = owned(context, standing, {intent.entry for intent in creates})
    written = plan.find_written(copies, standing, taken, context.policy)
    found = {intent.pk: written[intent.entry] for intent in creates if intent.entry in written}
    by_id = {row.entry: row for row in standing}
    for intent in intents:
        row, trace = by_id.get(intent.twin), traces.get(intent.entry)
        if row and intent.action == AuditEntry.Action.UPDATE:
            agreed = trace.agreed_digest if trace else row.digest
            if plan.is_updated(intent.intended, row, agreed, context.policy):
                found[intent.pk] = row
    return found


def _give_up_if_it_is_time(intent: AuditEntry, looked_at: datetime) -> None:
    """An update that is not there is simply planned again: to repeat it does no harm.

    An intent left by a dead process may have gone out a moment before: its time begins with the first look.
    """
    row = AuditEntry.objects.filter(pk=intent.pk, outcome=AuditEntry.Outcome.WRITING)
    if intent.action != AuditEntry.Action.UPDATE:
        if intent.look_until is None:
            row.update(look_until=looked_at + LOOK_AGAIN)
            return
        if looked_at < intent.look_until:
            return
    row.update(
        outcome=AuditEntry.Outcome.NOT_WRITTEN,
        settled_at=timezone.now(),
        code="unknown_outcome",
        reason=f"Looked for at {looked_at:%H:%M:%S} UTC and not found: it had not been carried out.",
    )


def close(intent: AuditEntry, arrived: bool) -> None:
    """Settles an update or deletion of unknown outcome by what a look has shown; a sync compares the entry anew."""
    outcome = AuditEntry.Outcome.WRITTEN if arrived else AuditEntry.Outcome.NOT_WRITTEN
    AuditEntry.objects.filter(pk=intent.pk, outcome=AuditEntry.Outcome.WRITING).update(
        outcome=outcome,
        settled_at=timezone.now(),
        code="unknown_outcome",
        reason=FOUND if arrived else "Looked for and not found: it had not been carried out.",
    )


def give_up(intents: Sequence[AuditEntry]) -> None:
    """Somebody who knows that these issues are gone for good asked for another try."""
    rows = AuditEntry.objects.filter(pk__in=[row.pk for row in intents], outcome=AuditEntry.Outcome.WRITING)
    rows.update(
        outcome=AuditEntry.Outcome.NOT_WRITTEN,
        settled_at=timezone.now(),
        code="unknown_outcome",
        reason="Its issue can no longer be found, and another try was asked for.",
    )


def _result(place: Place, intent: AuditEntry, stored: Worklog, trace: TwinTrace | None) -> Result:
    return Result(
        source=intent.source_worklog,
        place=place,
        outcome=Fetched.Outcome.UPDATED if trace else Fetched.Outcome.CREATED,
        action=AuditEntry.Action(intent.action),
        stored=stored,
        planned_seconds=intent.intended.seconds,
        reason=FOUND,
        before=Worklog.from_json(trace.agreed) if trace else None,
        exchange=intent.exchange,
        intent=intent,
    )
