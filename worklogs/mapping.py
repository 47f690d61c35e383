"""Finds each fetched entry's issue, settles what cannot or need not be carried, and makes the carry steps."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import batched

from django.db import transaction
from django.utils import timezone

from connections.clients.http import FaultKind
from worklogs import issues, ledger, rules, steps
from worklogs.context import Context, MigrationContext
from worklogs.issues import Issue
from worklogs.ledger import Place, Result, place_of
from worklogs.models import AuditEntry, Entry, Fetched, IssuePair, Run, Step, TwinTrace
from worklogs.rules import Refuse, Skip
from worklogs.worklog import Worklog, digest_of

WORKS_A_STEP = 200
ROWS_A_COMMIT = 500
# A failure whose cause has not changed is tried again this long after the last try.
TRY_AGAIN_AFTER = timedelta(days=1)
# What is parked is looked at anew: a person may have decided it on either side.
TRIED_IN_EVERY_RUN = (FaultKind.PASSING, "parked")


def plan_mapping(run: Run, works: Iterable[str]) -> None:
    """Map steps for these work items, "" for entries that have none. Other works make another step."""
    for part in batched(sorted(set(works)), WORKS_A_STEP):
        key = f"{part[0] or 'none'}-{part[-1]} {digest_of(part)[:8]}"
        steps.add(run, Step.Kind.MAP, key, spec={"works": list(part)})


def unmapped_works(run: Run) -> list[str]:
    return list(run.fetched.filter(mapped=False).values_list("work", flat=True).distinct())


def map_entries(context: MigrationContext, step: Step) -> None:
    """One map step. What is settled needs no call to the target; the rest becomes one carry step an issue."""
    rows = list(context.run.fetched.filter(mapped=False, work__in=step.spec["works"]))
    fresh = _settle_known(context, rows)
    fit = _settle_unfit(context, fresh)
    found = issues.find_issues(context.finder, [row.work for row in fit])
    _remember_pairs(context, found)
    _settle_without_issue(context, fit, found)
    placed = [(row, issue) for row in fit if isinstance(issue := found[row.work], Issue)]
    hand_on(context, worth_trying(context, placed))


def _settle_known(context: Context, rows: Sequence[Fetched]) -> list[Fetched]:
    """Leaves out entries that stand at the target as they are at the source."""
    known = _entries(context, rows)
    same = [row for row in rows if _stands(known.get(row.entry), row)]
    for part in batched(same, ROWS_A_COMMIT):
        ledger.mark_unchanged(context, part)
    standing = {row.pk for row in same}
    return [row for row in rows if row.pk not in standing]


def _stands(entry: Entry | None, row: Fetched) -> bool:
    return (
        entry is not None
        and entry.standing in (Entry.Standing.WRITTEN, Entry.Standing.LINKED)
        and entry.digest == row.digest
    )


def _settle_unfit(context: Context, rows: Sequence[Fetched]) -> list[Fetched]:
    """Settles what is skipped or defective whatever its issue is; gives the rest."""
    unfit: list[tuple[Fetched, Skip | Refuse]] = []
    fit: list[Fetched] = []
    for row in rows:
        why = rules.unfit(Worklog.from_json(row.values), context.policy)
        unfit.append((row, why)) if why else fit.append(row)
    carried = _carried(context, [row for row, _ in unfit])
    settle_declined(
        context, [(row, Place(), outgrown(why) if row.entry in carried else why) for row, why in unfit]
    )
    return fit


def _carried(context: Context, rows: Sequence[Fetched]) -> set[str]:
    """Those of these entries that have a copy on the target."""
    traces = TwinTrace.objects.filter(connection=context.connection)
    found: set[str] = set()
    for part in batched([row.entry for row in rows], ROWS_A_COMMIT):
        found |= set(traces.filter(left_id__in=part).values_list("left_id", flat=True))
    return found


def outgrown(why: Skip | Refuse) -> Refuse:
    what = why.reason if isinstance(why, Skip) else why.message
    return Refuse(
        "conflict",
        f"The entry was edited at its source so that it could not be carried any more ({what}); its copy still stands.",
        "Correct the entry, or delete its copy by hand.",
        parked=True,
        kind="parked",
    )


def _settle_without_issue(
    context: Context, rows: Sequence[Fetched], found: dict[str, Issue | Refuse]
) -> None:
    refused = [(row, Place(), why) for row in rows if isinstance(why := found[row.work], Refuse)]
    settle_declined(context, refused)


def settle_declined(context: Context, declined: Sequence[tuple[Fetched, Place, Skip | Refuse]]) -> None:
    """A refusal that repeats the last one to the letter gets no second audit row."""
    known = _entries(context, [row for row, _, _ in declined])
    results = []
    for row, place, why in declined:
        source = Worklog.from_json(row.values)
        code = why.code if isinstance(why, Refuse) else ""
        cause = ledger.cause_of(context, source, place, row.account, code)
        results.append(
            Result(
                source=source,
                place=place,
                outcome=_outcome(why),
                action=AuditEntry.Action.SKIP if isinstance(why, Skip) else _action(why),
                why=why,
                cause=cause,
                silent=_is_said(known.get(row.entry), why, row.digest),
            )
        )
    for part in batched(results, ROWS_A_COMMIT):
        ledger.settle(context, part)


def _outcome(why: Skip | Refuse) -> Fetched.Outcome:
    if isinstance(why, Skip):
        return Fetched.Outcome.SKIPPED
    return Fetched.Outcome.PARKED if why.parked else Fetched.Outcome.FAILED


def _action(why: Refuse) -> AuditEntry.Action:
    return AuditEntry.Action.PARK if why.parked else AuditEntry.Action.REFUSE


def _is_said(entry: Entry | None, why: Skip | Refuse, digest: str) -> bool:
    if entry is None or entry.digest != digest:
        return False
    if isinstance(why, Skip):
        return entry.standing == Entry.Standing.SKIPPED
    return (entry.code, entry.message) == (why.code, why.message)


def worth_trying(context: Context, placed: Sequence[tuple[Fetched, Issue]]) -> list[tuple[Fetched, Issue]]:
    """Leaves out failures whose cause has not changed and whose day is not over."""
    known = _entries(context, [row for row, _ in placed])
    asleep: dict[Fetched.Outcome, list[Fetched]] = defaultdict(list)
    awake = []
    for row, issue in placed:
        entry = known.get(row.entry)
        if entry and _sleeps(context, entry, row, issue):
            outcome = Fetched.Outcome.PARKED if entry.standing == "parked" else Fetched.Outcome.FAILED
            asleep[outcome].append(row)
        else:
            awake.append((row, issue))
    for outcome, rows in asleep.items():
        ledger.leave_as_is(context, rows, outcome)
    return awake


def _sleeps(context: Context, entry: Entry, row: Fetched, issue: Issue) -> bool:
    if entry.standing not in (Entry.Standing.FAILED, Entry.Standing.PARKED) or context.run.retry:
        return False
    if entry.kind in TRIED_IN_EVERY_RUN:
        return False
    source = Worklog.from_json(row.values)
    if entry.cause != ledger.cause_of(context, source, place_of(issue), row.account, entry.code):
        return False
    if entry.kind == FaultKind.FINAL:
        return True
    return entry.tried_at is not None and timezone.now() - entry.tried_at < TRY_AGAIN_AFTER


def hand_on(context: Context, placed: Sequence[tuple[Fetched, Issue]]) -> None:
    """One carry step an issue. Where the vendor gives many issues in one call, what stands there goes along."""
    by_issue: dict[str, list[Fetched]] = defaultdict(list)
    held: dict[str, Issue] = {}
    for row, issue in placed:
        by_issue[issue.id].append(row)
        held[issue.id] = issue
    seen_at = time.time()
    standing = context.side.standing_on(sorted(by_issue)) if by_issue else {}
    wanted = []
    for issue_id, rows in by_issue.items():
        spec = context.spec_of(asdict(held[issue_id]))
        if standing is not None:
            spec["standing"] = [row.to_json() for row in standing.get(issue_id, [])]
            spec["standing_at"] = seen_at
        wanted.append(
            Step(
                run=context.run,
                kind=Step.Kind.CARRY,
                key=context.key_of(issue_id),
                lock=lock_of(context, issue_id),
                after=context.step_before(issue_id),
                spec=spec,
                entries=len(rows),
            )
        )
    for row, issue in placed:
        row.issue, row.mapped = context.key_of(issue.id), True
    with transaction.atomic():
        steps.add_carrying(context.run, wanted)
        Fetched.objects.bulk_update([row for row, _ in placed], ["issue", "mapped"], ROWS_A_COMMIT)


def lock_of(context: Context, issue: str) -> str:
    """One writer an issue, whichever connection it writes for, through Jira or through Tempo."""
    return f"{context.jira_site}:{issue}"


def _remember_pairs(context: MigrationContext, found: dict[str, Issue | Refuse]) -> None:
    pairs = [
        IssuePair(
            connection=context.connection,
            left=work,
            right=issue.id,
            right_key=issue.key,
            found_by=context.options.issues.match,
            seen_at=timezone.now(),
        )
        for work, issue in found.items()
        if isinstance(issue, Issue)
    ]
    IssuePair.objects.bulk_create(
        pairs,
        update_conflicts=True,
        unique_fields=["connection", "left", "right"],
        update_fields=["right_key", "found_by", "seen_at"],
    )


def _entries(context: Context, rows: Sequence[Fetched]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for part in batched([row.entry for row in rows], ROWS_A_COMMIT):
        known = Entry.objects.filter(connection=context.connection, site=context.source_site, entry__in=part)
        found |= {entry.entry: entry for entry in known}
    return found
