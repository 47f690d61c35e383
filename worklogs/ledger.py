"""Puts down what was decided and what came of it: standings, traces and audit rows, each group in one commit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from worklogs.context import Context
from worklogs.issues import Issue
from worklogs.merge import Agreement
from worklogs.models import AuditEntry, CarriedHour, Entry, Fetched, Leftover, TwinTrace
from worklogs.plan import Mapped
from worklogs.rules import Refuse, Skip
from worklogs.worklog import Worklog, digest_of

type Json = dict[str, Any]

STANDING = {
    Fetched.Outcome.CREATED: Entry.Standing.WRITTEN,
    Fetched.Outcome.UPDATED: Entry.Standing.WRITTEN,
    Fetched.Outcome.LINKED: Entry.Standing.LINKED,
    Fetched.Outcome.SKIPPED: Entry.Standing.SKIPPED,
    Fetched.Outcome.PARKED: Entry.Standing.PARKED,
    Fetched.Outcome.FAILED: Entry.Standing.FAILED,
    Fetched.Outcome.DELETED: Entry.Standing.DELETED,
}
SETTLED = {
    Fetched.Outcome.CREATED: AuditEntry.Outcome.WRITTEN,
    Fetched.Outcome.UPDATED: AuditEntry.Outcome.WRITTEN,
    Fetched.Outcome.LINKED: AuditEntry.Outcome.LINKED,
    Fetched.Outcome.SKIPPED: AuditEntry.Outcome.SKIPPED,
    Fetched.Outcome.PARKED: AuditEntry.Outcome.PARKED,
    Fetched.Outcome.FAILED: AuditEntry.Outcome.FAILED,
    Fetched.Outcome.DELETED: AuditEntry.Outcome.WRITTEN,
}


@dataclass(frozen=True, slots=True)
class Place:
    """The target issue an entry goes to; empty where none was found."""

    issue: str = ""
    key: str = ""
    status: str = ""
    updated: str = ""

    @property
    def state(self) -> str:
        """What may make a target change its mind once it is another."""
        return f"{self.status} {self.updated}"[:100]


def place_of(issue: Issue) -> Place:
    return Place(issue.id, issue.key, issue.status, issue.updated)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a sync's trace remembers from now on; None for the agreement where the two are kept the same no more.

    `trace` is the one there is already, `linked` says that both were there before Twinlog.
    """

    agreement: Agreement | None
    trace: TwinTrace | None = None
    target_is_copy: bool = True
    linked: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one entry in this run.

    `stored` is the copy as the target keeps it, `why` the reason for a skip, a refusal or a parking, `intent` the
    audit row committed before the write (None where nothing was written), `cause` what a failure stood on. `twins`
    is a sync's: what both sides have come to; so is `hands_back`: the other lane has to carry something.
    """

    source: Worklog
    place: Place
    outcome: Fetched.Outcome
    action: AuditEntry.Action
    stored: Worklog | None = None
    planned_seconds: int | None = None
    why: Skip | Refuse | None = None
    reason: str = ""
    before: Worklog | None = None
    exchange: Json | None = None
    intent: AuditEntry | None = None
    cause: str = ""
    silent: bool = False
    twins: Agreed | None = None
    hands_back: bool = False


def cause_of(context: Context, source: Worklog, place: Place, account: str, code: str) -> str:
    """What a failure stood on, as a digest: the entry, the issue and its status, the author, the personal token
    that writes or is refused, the options. An issue that could not be edited may have been mended by any change."""
    token = context.token_behind(account, source.person.email)
    changed = place.updated if code == "issue_not_editable" else ""
    issue = [place.issue, place.status, changed]
    return digest_of([source.digest, issue, account, token, context.run.options_digest])


def intend(
    context: Context,
    mapped: Sequence[Mapped],
    place: Place,
    action: AuditEntry.Action,
    twins: Sequence[str] = (),
) -> list[AuditEntry]:
    """Commits, before anything is sent, that these entries are about to be written."""
    now = timezone.now()
    rows = []
    for number, one in enumerate(mapped):
        row = _audit(context, one.source, place, action, now)
        row.outcome = AuditEntry.Outcome.WRITING
        row.twin = twins[number] if twins else ""
        row.after = one.copy.to_json()
        rows.append(row)
    with transaction.atomic():
        return AuditEntry.objects.bulk_create(rows)


def withdraw(intents: Iterable[AuditEntry]) -> None:
    """Takes back intents whose request certainly never went out."""
    AuditEntry.objects.filter(pk__in=[row.pk for row in intents], outcome=AuditEntry.Outcome.WRITING).delete()


def settle(context: Context, results: Sequence[Result]) -> None:
    """Commits what became of these entries: audit, trace, standing and the run's own count, all or nothing."""
    if not results:
        return
    if context.run.is_dry:
        settle_plan(context, results)
        return
    now = timezone.now()
    with transaction.atomic():
        _settle_audit(context, results, now)
        book = context.book or book_copies
        book(context, results, now)
        _count(context, results)
        _add_carried(context, results, now)


def settle_plan(context: Context, results: Sequence[Result]) -> None:
    """A dry run's results: the plan as audit rows, and the run's count; nothing else changes."""
    now = timezone.now()
    told = [result for result in results if result.outcome != Fetched.Outcome.UNCHANGED]
    rows = [_described(context, result, now) for result in told]
    for row in rows:
        row.outcome = AuditEntry.Outcome.PLANNED
    with transaction.atomic():
        AuditEntry.objects.bulk_create(rows)
        _count(context, results)


def note_leftovers(context: Context, results: Iterable[Result]) -> None:
    """Keeps in mind, in the commit that settles a move, that the old copy is still to be deleted."""
    rows = [
        Leftover(
            connection=context.connection,
            site=context.source_site,
            entry=result.source.entry,
            source=result.source.to_json(),
            copy=result.before.entry,
            issue=result.before.work,
            values=result.before.to_json(),
        )
        for result in results
        if result.stored and result.before and result.before.entry != result.stored.entry
    ]
    Leftover.objects.bulk_create(rows, ignore_conflicts=True)


def settle_removal(context: Context, left: Leftover, source: Worklog, exchange: Json) -> None:
    """Commits that the old copy of a moved entry is gone."""
    now = timezone.now()
    row = _audit(context, source, Place(left.issue, left.issue), AuditEntry.Action.DELETE, now)
    row.outcome, row.settled_at = AuditEntry.Outcome.WRITTEN, now
    row.twin, row.before, row.exchange = left.copy, left.values, exchange
    row.reason = "The entry was moved and its new copy stands, so the old one had to go."
    with transaction.atomic():
        row.save()
        left.delete()


def mark_unchanged(context: Context, fetched: Sequence[Fetched]) -> None:
    """Entries found as they were: seen by this run, counted, no row of their own."""
    entries = [row.entry for row in fetched]
    with transaction.atomic():
        if not context.run.is_dry:
            _known(context, entries).update(seen_by=context.run)
        Fetched.objects.filter(pk__in=[row.pk for row in fetched]).update(
            outcome=Fetched.Outcome.UNCHANGED, mapped=True
        )


def leave_as_is(context: Context, fetched: Sequence[Fetched], outcome: Fetched.Outcome) -> None:
    """Entries that were skipped or failed before and whose cause has not changed: counted again, not tried."""
    with transaction.atomic():
        if not context.run.is_dry:
            _known(context, [row.entry for row in fetched]).update(seen_by=context.run)
        Fetched.objects.filter(pk__in=[row.pk for row in fetched]).update(outcome=outcome, mapped=True)


def _known(context: Context, entries: Sequence[str]):
    return Entry.objects.filter(connection=context.connection, site=context.source_site, entry__in=entries)


def _settle_audit(context: Context, results: Sequence[Result], now: datetime) -> None:
    intended: list[AuditEntry] = []
    new: list[AuditEntry] = []
    for result in results:
        if result.silent:
            continue
        row = _described(context, result, now)
        row.outcome = SETTLED[result.outcome]
        row.settled_at = now
        if result.intent:
            row.pk, row.at = result.intent.pk, result.intent.at
        (intended if result.intent else new).append(row)
    AuditEntry.objects.bulk_create(
        intended, update_conflicts=True, unique_fields=["id"], update_fields=SETTLING
    )
    AuditEntry.objects.bulk_create(new)


SETTLING = (
    "settled_at", "look_until", "outcome", "twin", "code", "message", "hint", "reason", "before", "after", "exchange",
)  # fmt: skip


def _described(context: Context, result: Result, now: datetime) -> AuditEntry:
    row = _audit(context, result.source, result.place, result.action, now)
    row.reason = _with_clock_change(result.reason, result.source)
    row.twin = result.stored.entry if result.stored else ""
    row.after = result.stored.to_json() if result.stored else None
    row.before = result.before.to_json() if result.before else None
    row.exchange = result.exchange
    if isinstance(result.why, Refuse):
        row.code, row.message, row.hint = result.why.code, result.why.message, result.why.hint
    elif isinstance(result.why, Skip):
        row.reason = _with_clock_change(result.why.reason, result.source)
    return row


def _with_clock_change(reason: str, source: Worklog) -> str:
    note = source.moment.note.in_words if source.moment else ""
    return " ".join(part for part in (reason, note) if part)


def _audit(
    context: Context, source: Worklog, place: Place, action: AuditEntry.Action, now: datetime
) -> AuditEntry:
    return AuditEntry(
        run=context.run,
        connection=context.connection.name,
        at=now,
        site=context.source_site,
        entry=source.entry,
        target_site=context.side.name,
        work=source.work,
        issue=place.issue,
        issue_key=place.key,
        person_name=source.person.name[:200],
        person_email=source.person.email[:254],
        day=source.moment.day if source.moment else None,
        start=source.moment.start if source.moment else None,
        seconds=source.seconds,
        action=action,
        source=source.to_json(),
    )


def book_copies(context: Context, results: Sequence[Result], now: datetime) -> None:
    """Traces and standings of a migration: every entry is the source's, every twin a copy."""
    _save_traces(context, results)
    save_entries([entry_of(context, result, now) for result in results if result.outcome in STANDING])
    for result in results:
        if result.outcome == Fetched.Outcome.UNCHANGED:
            keep_entry(context, result)


def _save_traces(context: Context, results: Sequence[Result]) -> None:
    traces = [
        TwinTrace(
            connection=context.connection,
            left_id=result.source.entry,
            right_id=result.stored.entry,
            right_site=context.side.name,
            right_issue=result.stored.work,
            origin=TwinTrace.Side.LEFT,
            source_digest=result.source.digest,
            agreed=result.stored.to_json(),
            agreed_digest=result.stored.digest,
            stored_seconds=result.stored.seconds,
            run=context.run,
            agreed_at=timezone.now(),
        )
        for result in results
        if result.stored and result.outcome in AGREEING
    ]
    TwinTrace.objects.bulk_create(
        traces,
        update_conflicts=True,
        unique_fields=["connection", "left_id"],
        update_fields=[
            "right_id", "right_site", "right_issue", "source_digest", "agreed", "agreed_digest",
            "stored_seconds", "run", "agreed_at",
        ],
    )  # fmt: skip


AGREEING = (
    Fetched.Outcome.CREATED,
    Fetched.Outcome.UPDATED,
    Fetched.Outcome.LINKED,
    Fetched.Outcome.UNCHANGED,
)


def keep_entry(context: Context, result: Result) -> None:
    """An entry that stands as it should: whatever was open about it is over."""
    _known(context, [result.source.entry]).update(
        digest=result.source.digest, values=result.source.to_json(), seen_by=context.run,
        seconds=result.source.seconds, planned_seconds=result.planned_seconds,
        standing=Entry.Standing.WRITTEN, kind="", code="", message="", hint="", cause="",
    )  # fmt: skip


def save_entries(rows: Sequence[Entry]) -> None:
    Entry.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "site", "entry"],
        update_fields=[
            "work", "issue", "issue_key", "issue_state", "person_name", "person_email", "day", "start", "seconds",
            "planned_seconds", "digest", "values", "standing", "is_copy", "kind", "code", "message", "hint", "cause",
            "tried_at", "settled_by", "seen_by",
        ],
    )  # fmt: skip


def entry_of(context: Context, result: Result, now: datetime) -> Entry:
    source, why = result.source, result.why
    refuse = why if isinstance(why, Refuse) else Refuse("", "", "", kind="")
    return Entry(
        connection=context.connection,
        site=context.source_site,
        entry=source.entry,
        work=source.work,
        issue=result.place.issue,
        issue_key=result.place.key,
        issue_state=_state(result),
        person_name=source.person.name[:200],
        person_email=source.person.email[:254],
        day=source.moment.day if source.moment else None,
        start=source.moment.start if source.moment else None,
        seconds=source.seconds,
        planned_seconds=result.planned_seconds,
        digest=source.digest,
        values=source.to_json(),
        standing=STANDING.get(result.outcome, Entry.Standing.WRITTEN),
        kind=refuse.kind,
        code=refuse.code,
        message=refuse.message,
        hint=refuse.hint,
        cause=result.cause,
        tried_at=now,
        settled_by=context.run,
        seen_by=context.run,
    )


def _state(result: Result) -> str:
    """Of an issue that could not be edited any change may help, of another its status."""
    editable = not isinstance(result.why, Refuse) or result.why.code != "issue_not_editable"
    return result.place.status[:100] if editable else result.place.state


def _count(context: Context, results: Sequence[Result]) -> None:
    by_outcome: dict[str, list[str]] = defaultdict(list)
    for result in results:
        by_outcome[result.outcome].append(result.source.entry)
    for outcome, entries in by_outcome.items():
        found = context.run.fetched.filter(site=context.source_site, entry__in=entries)
        found.update(outcome=outcome, mapped=True)


def _add_carried(context: Context, results: Sequence[Result], now: datetime) -> None:
    """Last in its transaction: the hour's row is one that all writers of the connection want."""
    created = _stored_seconds(results, Fetched.Outcome.CREATED)
    updated = _stored_seconds(results, Fetched.Outcome.UPDATED)
    if not created and not updated:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    kept = CarriedHour.objects.filter(connection=context.connection, hour=hour)
    more = {
        "created_seconds": F("created_seconds") + created,
        "updated_seconds": F("updated_seconds") + updated,
    }
    if not kept.update(**more):
        CarriedHour.objects.get_or_create(connection=context.connection, hour=hour)
        kept.update(**more)


def _stored_seconds(results: Sequence[Result], outcome: Fetched.Outcome) -> int:
    return sum(result.stored.seconds for result in results if result.stored and result.outcome == outcome)
