"""Puts down what the two sides of a sync have agreed on: their traces, and how each entry stands where it began."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from connections.options import Side
from worklogs import ledger
from worklogs.lanes import LaneContext, id_on
from worklogs.ledger import Agreed, Result
from worklogs.merge import Agreement
from worklogs.models import Entry, Fetched, TwinTrace, Verdict
from worklogs.worklog import Worklog


def book(context: LaneContext, results: Sequence[Result], now: datetime) -> None:
    _save_traces(context, results)
    ledger.save_entries(_once_each(_standings(context, results, now)))
    _close(context, results)


def close_vanished(context: LaneContext, fetched: Sequence[Fetched]) -> None:
    """Entries that were deleted before they were ever carried: nothing is open about them any more."""
    if not context.run.is_dry:
        entries = Entry.objects.filter(connection=context.connection, site=context.source_site)
        entries.filter(entry__in=[row.entry for row in fetched]).update(
            standing=Entry.Standing.DELETED,
            kind="",
            code="",
            message="",
            hint="",
            cause="",
            settled_by=context.run,
        )
    ledger.leave_as_is(context, fetched, Fetched.Outcome.UNCHANGED)


# --- traces


def _save_traces(context: LaneContext, results: Sequence[Result]) -> None:
    agreed = [(result, result.twins) for result in results if result.twins]
    new = [
        TwinTrace(connection=context.connection, **_values(context, result, twins, twins.agreement))
        for result, twins in agreed
        if twins.agreement and not twins.trace
    ]
    TwinTrace.objects.bulk_create(new)
    for result, twins in agreed:
        if twins.trace and twins.agreement:
            values = _values(context, result, twins, twins.agreement)
            values.pop("linked")
            TwinTrace.objects.filter(pk=twins.trace.pk).update(**values)
        elif twins.trace:
            TwinTrace.objects.filter(pk=twins.trace.pk).update(ended=True, agreed_at=timezone.now())


def _values(context: LaneContext, result: Result, twins: Agreed, agreement: Agreement) -> dict[str, Any]:
    source, target = context.source_side, context.target_side
    stored = result.stored or agreement.copy
    rows = {source: (agreement.source, result.source, context.source_site),
            target: (agreement.copy, stored, context.side.name)}  # fmt: skip
    left, right = rows[Side.LEFT], rows[Side.RIGHT]
    copy = stored if twins.target_is_copy else result.source
    return {
        "left_id": left[1].entry,
        "left_site": left[2],
        "left_issue": left[1].work,
        "left_agreed": left[0].to_json(),
        "source_digest": left[0].digest,
        "right_id": right[1].entry,
        "right_site": right[2],
        "right_issue": right[1].work,
        "agreed": right[0].to_json(),
        "agreed_digest": right[0].digest,
        "unsettled": sorted(agreement.unsettled),
        "origin": str(source if twins.target_is_copy else target),
        "linked": twins.linked,
        "ended": False,
        "stored_seconds": copy.seconds,
        "run": context.run,
        "agreed_at": timezone.now(),
    }


# --- how entries stand


def _once_each(entries: Sequence[Entry]) -> list[Entry]:
    return list({(entry.site, entry.entry): entry for entry in entries}.values())


def _standings(context: LaneContext, results: Sequence[Result], now: datetime) -> list[Entry]:
    traces = context.traces_of([result.source.entry for result in results if result.why])
    found = (_standing(context, result, now, traces.get(result.source.entry)) for result in results)
    return [entry for entry in found if entry]


def _standing(context: LaneContext, result: Result, now: datetime, trace: TwinTrace | None) -> Entry | None:
    """The entry's row: on the side where it began, unless it is an edit of a copy that could not be carried back."""
    twins = result.twins
    if result.outcome == Fetched.Outcome.UNCHANGED and twins is None:
        return None
    entry = ledger.entry_of(context, result, now)
    if result.why:
        entry.is_copy = trace is not None and trace.origin != context.source_side
        return entry
    if twins and twins.agreement is None:
        return _ended(context, twins, entry)
    if twins is None or twins.target_is_copy:
        entry.standing = _well(twins)
        return entry
    return _of_origin(context, result, entry)


def _well(twins: Agreed | None) -> str:
    linked = twins is not None and (twins.linked or (twins.trace is not None and twins.trace.linked))
    return Entry.Standing.LINKED if linked else Entry.Standing.WRITTEN


def _ended(context: LaneContext, twins: Agreed, entry: Entry) -> Entry | None:
    """Both gone: deleted. Where one stays by itself, it is an entry that is left out from now on."""
    standing = Entry.Standing.DELETED
    if twins.stays and not twins.target_is_copy:
        standing = Entry.Standing.SKIPPED
    if twins.target_is_copy or twins.trace is None:
        entry.standing = standing
        return entry
    Entry.objects.filter(
        connection=context.connection,
        site=context.side.name,
        entry=id_on(twins.trace, context.target_side),
    ).update(standing=standing, code="", kind="", message="", hint="", cause="", settled_by=context.run)
    return None


def _of_origin(context: LaneContext, result: Result, entry: Entry) -> Entry | None:
    """An edit of the copy has arrived where the entry began: that is how it stands there now."""
    stored: Worklog | None = result.stored
    if stored is None:
        return None
    _forget_old_id(context, result, stored.entry)
    entry.site, entry.entry, entry.work = context.side.name, stored.entry, stored.work
    entry.issue, entry.issue_key = result.source.work, ""
    entry.seconds, entry.planned_seconds = stored.seconds, result.source.seconds
    entry.day = stored.moment.day if stored.moment else None
    entry.start = stored.moment.start if stored.moment else None
    entry.digest, entry.values = stored.digest, stored.to_json()
    entry.standing = Entry.Standing.WRITTEN
    return entry


def _forget_old_id(context: LaneContext, result: Result, stored: str) -> None:
    """What was moved, or written anew after a deletion, goes on under another id."""
    trace = result.twins.trace if result.twins else None
    if trace and (old := id_on(trace, context.target_side)) != stored:
        entries = Entry.objects.filter(connection=context.connection, site=context.side.name)
        entries.filter(entry=old).delete()


def _close(context: LaneContext, results: Sequence[Result]) -> None:
    """What was open about the edit of a copy is over once it has arrived; a verdict is used up by who goes by it."""
    done = [result for result in results if not result.why]
    copies = Entry.objects.filter(
        connection=context.connection,
        site=context.source_site,
        entry__in=[result.source.entry for result in done],
        is_copy=True,
    )
    copies.delete()
    settled = [result for result in done if not result.hands_back]
    traces = [result.twins.trace for result in settled if result.twins and result.twins.trace]
    twins = [id_on(trace, context.target_side) for trace in traces]
    verdicts = Verdict.objects.filter(connection=context.connection)
    verdicts.filter(site=context.source_site, entry__in=[result.source.entry for result in settled]).delete()
    verdicts.filter(site=context.side.name, entry__in=twins).delete()
