"""Finds each changed entry's place on the other side of a sync, and makes the carry steps of both lanes."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import batched

from connections.options import Deletes, Side
from worklogs import ledger_twins, mapping, rules, steps
from worklogs.issues import FIELDS, Issue, issue_of
from worklogs.lanes import LaneContext, agreed_on, issue_on
from worklogs.ledger import Place
from worklogs.models import Fetched, Run, RunLog, Step, TwinTrace
from worklogs.rules import Refuse, Skip
from worklogs.scope import Found, Pair
from worklogs.worklog import Worklog, digest_of

WORKS_A_STEP = 200
FEW_DELETIONS, FEW_PERCENT = 50, 5


def plan_mapping(context: LaneContext) -> bool:
    """Map steps for what was read and has no place yet; False where there is nothing."""
    rows = context.run.fetched.filter(site=context.source_site, mapped=False)
    works = sorted(set(rows.values_list("work", flat=True)))
    for part in batched(works, WORKS_A_STEP):
        key = f"{context.source_side} {part[0]}-{part[-1]} {digest_of(part)[:8]}"
        spec = {"side": str(context.source_side), "works": list(part)}
        steps.add(context.run, Step.Kind.MAP, key, spec=spec)
    return bool(works)


def map_entries(context: LaneContext, step: Step) -> None:
    """One map step: what cannot be carried is settled, the rest becomes one carry step an issue of the target."""
    found = context.run.fetched.filter(site=context.source_site, mapped=False, work__in=step.spec["works"])
    place(context, list(found))


def place(context: LaneContext, rows: Sequence[Fetched]) -> None:
    traces = context.traces_on(context.source_side, [row.entry for row in rows])
    ledger_twins.close_vanished(context, [row for row in rows if row.gone and row.entry not in traces])
    fit = _settle_unfit(context, [row for row in rows if not row.gone or row.entry in traces], traces)
    moving = [row for row in fit if not _stays(context, row, traces.get(row.entry))]
    pairs = context.scope.pairs(context.source_side, {row.work for row in moving})
    wanted = {row.pk: _issue(context, row, traces.get(row.entry), pairs) for row in fit}
    issues = _read_issues(context, [issue for issue in wanted.values() if isinstance(issue, str)])
    placed: list[tuple[Fetched, Issue]] = []
    refused: list[tuple[Fetched, Place, Skip | Refuse]] = []
    for row in fit:
        issue = wanted[row.pk]
        if isinstance(issue, Refuse):
            refused.append((row, Place(), issue))
        elif issue in issues:
            placed.append((row, issues[issue]))
        elif row.gone:
            placed.append((row, Issue(issue, issue)))
        else:
            refused.append((row, Place(issue, issue), _unseen(context, issue)))
    mapping.settle_declined(context, refused)
    mapping.hand_on(context, _worth_trying(context, placed))


def _settle_unfit(
    context: LaneContext, rows: Sequence[Fetched], traces: Mapping[str, TwinTrace]
) -> list[Fetched]:
    unfit: list[tuple[Fetched, Place, Skip | Refuse]] = []
    fit: list[Fetched] = []
    for row in rows:
        why = None if row.gone else rules.unfit(Worklog.from_json(row.values), context.policy)
        if why is None:
            fit.append(row)
        else:
            unfit.append((row, Place(), mapping.outgrown(why) if row.entry in traces else why))
    mapping.settle_declined(context, unfit)
    return fit


def _stays(context: LaneContext, row: Fetched, trace: TwinTrace | None) -> bool:
    """Whether it is where it was when both sides last agreed."""
    return trace is not None and (row.gone or row.work == agreed_on(trace, context.source_side).work)


def _issue(
    context: LaneContext, row: Fetched, trace: TwinTrace | None, pairs: Mapping[str, Found]
) -> str | Refuse:
    """The target's issue an entry belongs to: its twin's, unless it was moved to another issue."""
    if trace and _stays(context, row, trace):
        return issue_on(trace, context.target_side)
    pair = pairs.get(row.work)
    if isinstance(pair, Pair):
        return pair.on(context.target_side)
    return pair if isinstance(pair, Refuse) else _without_twin(row)


def _without_twin(row: Fetched) -> Refuse:
    return Refuse(
        "issue_not_found",
        f"The entry was moved to issue {row.work}, which has no counterpart; its twin stands where it stood.",
        "Pair the issue, or move the entry back; the next run carries it.",
    )


def _unseen(context: LaneContext, issue: str) -> Refuse:
    return Refuse(
        "issue_not_found",
        f"Issue {issue} of {context.side.name} is gone, or our account may not see it.",
        "Check that the issue still exists and that the token's owner may see it, or pair another one.",
    )


def _read_issues(context: LaneContext, issues: Iterable[str]) -> dict[str, Issue]:
    """The target's issues as they are now, by id. Raises SiteError."""
    wanted = sorted(set(issues))
    rows = context.side.jira.issues(wanted, FIELDS) if wanted else []
    return {issue.id: issue for issue in map(issue_of, rows)}


def _worth_trying(
    context: LaneContext, placed: Sequence[tuple[Fetched, Issue]]
) -> list[tuple[Fetched, Issue]]:
    """A deletion is looked at whenever it is met; of the rest what waits for a cause waits on."""
    gone = [(row, issue) for row, issue in placed if row.gone]
    return gone + mapping.worth_trying(context, [(row, issue) for row, issue in placed if not row.gone])


def guard_deletions(context: LaneContext) -> None:
    """A run that would delete more than 50 entries and more than 5 % of the known twins holds all deletions back; one
    that was told how many may be deleted holds all back where there are more."""
    run = context.run
    mirrors = context.options.deletes is Deletes.MIRROR
    if context.options.deletes is Deletes.KEEP or not (run.allow_deletes is not None or mirrors):
        return
    twins = TwinTrace.objects.filter(connection=context.connection, ended=False).count()
    deleted = _deletions(context)
    many = deleted > FEW_DELETIONS and deleted * 100 > twins * FEW_PERCENT
    if many if run.allow_deletes is None else deleted > run.allow_deletes:
        Run.objects.filter(pk=run.pk).update(holds_deletes=True)
        context.log(
            f"{deleted:,} of {twins:,} entries would be deleted. None is, until somebody allows it.",
            RunLog.Level.WARNING,
        )


def _deletions(context: LaneContext) -> int:
    """Twins of which one is gone and the other not."""
    gone: set[int] = set()
    for side, site in ((Side.LEFT, context.connection.left), (Side.RIGHT, context.connection.right)):
        rows = context.run.fetched.filter(site=site.name, gone=True).values_list("entry", flat=True)
        for part in batched(rows, WORKS_A_STEP):
            gone ^= {trace.pk for trace in context.traces_on(side, part).values()}
    return len(gone)
