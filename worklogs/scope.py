"""Which issues of a sync have a counterpart on the other side: remembered, looked for, and told where there is none.

Most issues of a real site have none. They are counted, and looked for again with growing patience.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connections.models import Connection
from connections.options import Side
from worklogs.issue_twins import IssueTwins, TwinPair
from worklogs.models import IssuePair, OutOfScope, Run, Step
from worklogs.rules import Refuse
from worklogs.worklog import Worklog, digest_of

FIRST_LOOK, LONGEST_LOOK = timedelta(minutes=1), timedelta(days=1)
ISSUES_A_SLICE = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """The ids and keys of one piece of work on both sides."""

    left: str
    right: str
    left_key: str = ""
    right_key: str = ""

    def on(self, side: Side) -> str:
        return self.left if side is Side.LEFT else self.right


type Found = Pair | Refuse | None


class Scope:
    """The issue pairs of one connection, as a run comes to know them."""

    def __init__(self, run: Run, twins: IssueTwins) -> None:
        self._run = run
        self._connection = run.connection
        self._twins = twins
        self._rule = _spelled(twins.rule, self._connection)
        self._left_out: list[tuple[Side, str]] = []
        self._foreseen: dict[tuple[Side, str], Pair] = {}

    def forget_other_rules(self) -> None:
        """Pairs found by another rule than today's are looked for anew; what is a twin already stays one."""
        if self._run.is_dry:
            return
        others = IssuePair.objects.filter(connection=self._connection).exclude(found_by=self._rule)
        if others.exists():
            others.delete()
            OutOfScope.objects.filter(connection=self._connection).delete()

    def known(self, side: Side, issues: Iterable[str]) -> dict[str, Found]:
        """Of these issues of one side those whose counterpart is known; several make a refusal."""
        wanted = list(issues)
        pairs = IssuePair.objects.filter(connection=self._connection, **{f"{side}__in": wanted})
        found: dict[str, Found] = {}
        for row in pairs.order_by("id"):
            pair = Pair(row.left, row.right, row.left_key, row.right_key)
            issue = pair.on(side)
            found[issue] = _several(issue) if issue in found else pair
        foreseen = {issue: self._foreseen[side, issue] for issue in wanted if (side, issue) in self._foreseen}
        return found | foreseen

    def pairs(self, side: Side, issues: Iterable[str]) -> dict[str, Found]:
        """The counterpart of each issue, looked for where it is not known. Raises SiteError."""
        wanted = sorted({issue for issue in issues if issue})
        found = self.known(side, wanted)
        missing = [issue for issue in wanted if issue not in found]
        if missing:
            looked = self._twins.find(side, missing)
            self._remember(twin for twin in looked.values() if isinstance(twin, TwinPair))
            for issue in missing:
                twin = looked.get(issue)
                found[issue] = _pair(twin) if isinstance(twin, TwinPair) else twin
        return found

    def look_around(self, since: datetime | None) -> None:
        """Looks for pairs not known before: among what changed since then, and a slice of the issues without one."""
        if since is None:
            return
        minutes = int((timezone.now() - since).total_seconds() // 60) + 3
        named = self._twins.named_since(minutes, self._paired())
        side = self._markless
        looked = self._twins.find(side, due := self._due(side))
        self._remember(twin for twin in (*named, *looked.values()) if isinstance(twin, TwinPair))
        self._put_off(side, [issue for issue in due if not isinstance(looked.get(issue), TwinPair)])

    def take_left_out(self) -> list[tuple[Side, str]]:
        """Issues whose entries were left alone until now, because only now a counterpart was found."""
        found, self._left_out = self._left_out, []
        return found

    @property
    def _holder(self) -> Side:
        """The side that the rule is read from."""
        return self._connection.get_options().issues.on or Side.LEFT

    @property
    def _markless(self) -> Side:
        """The side whose issues bear no mark: a counterpart that was marked in silence is found from there."""
        return self._holder.other

    def _paired(self) -> set[str]:
        pairs = IssuePair.objects.filter(connection=self._connection)
        return set(pairs.values_list(str(self._holder), flat=True))

    def _due(self, side: Side) -> list[str]:
        rows = OutOfScope.objects.filter(connection=self._connection, side=side)
        due = rows.filter(look_after__lte=timezone.now()).order_by("look_after", "id")
        return list(due.values_list("issue", flat=True)[:ISSUES_A_SLICE])

    def _put_off(self, side: Side, issues: Sequence[str]) -> None:
        if self._run.is_dry:
            return
        rows = OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=issues)
        for row in rows:
            patience = min(FIRST_LOOK * 2 ** min(row.misses, 20), LONGEST_LOOK)
            OutOfScope.objects.filter(pk=row.pk).update(
                misses=F("misses") + 1, look_after=timezone.now() + patience
            )

    def backlog(self, side: Side) -> list[str]:
        """Issues whose entries were left alone before, and that no run has read whole since."""
        pairs = IssuePair.objects.filter(connection=self._connection, **{f"{side}_backlog": True})
        return list(pairs.values_list(str(side), flat=True))

    def _remember(self, twins: Iterable[TwinPair]) -> None:
        pairs = list({(pair.left, pair.right): pair for pair in map(_pair, twins)}.values())
        if self._run.is_dry:
            self._foreseen |= {(side, pair.on(side)): pair for pair in pairs for side in Side}
            for side in Side:
                self._left_out += [
                    (side, issue) for issue in self._out(side, [pair.on(side) for pair in pairs])
                ]
            return
        with transaction.atomic():
            self._save(pairs)
            for side in Side:
                self._take_back(side, [pair.on(side) for pair in pairs])

    def _save(self, pairs: Sequence[Pair]) -> None:
        rows = [
            IssuePair(
                connection=self._connection,
                left=pair.left,
                left_key=pair.left_key,
                right=pair.right,
                right_key=pair.right_key,
                found_by=self._rule,
                seen_at=timezone.now(),
            )
            for pair in pairs
        ]
        IssuePair.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "left", "right"],
            update_fields=["left_key", "right_key", "found_by", "seen_at"],
        )

    def _take_back(self, side: Side, issues: Sequence[str]) -> None:
        """What was left alone is a backlog now, until a run has read it and come to its end."""
        found = self._out(side, issues)
        pairs = IssuePair.objects.filter(connection=self._connection, **{f"{side}__in": found})
        pairs.update(**{f"{side}_backlog": True})
        OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=found).delete()
        self._left_out += [(side, issue) for issue in found]

    def _out(self, side: Side, issues: Sequence[str]) -> list[str]:
        out = OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=issues)
        return list(out.values_list("issue", flat=True))

    def leave_out(self, side: Side, rows: Sequence[Worklog]) -> None:
        """Counts entries of issues without a counterpart: by issue, with their hours."""
        Run.objects.filter(pk=self._run.pk).update(passed_over=F("passed_over") + len(rows))
        if self._run.is_dry:
            return
        entries = Counter(row.work for row in rows)
        seconds: Counter[str] = Counter()
        for row in rows:
            seconds[row.work] += row.seconds
        found = OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=entries)
        known = {out.issue: out for out in found}
        for issue, out in known.items():
            begins_anew = self._run.full and out.seen_by_id != self._run.pk
            out.entries = entries[issue] + (0 if begins_anew else out.entries)
            out.seconds = seconds[issue] + (0 if begins_anew else out.seconds)
            out.seen_by = self._run
        new = [
            OutOfScope(
                connection=self._connection,
                side=side,
                issue=issue,
                entries=count,
                seconds=seconds[issue],
                look_after=timezone.now() + FIRST_LOOK,
                seen_by=self._run,
            )
            for issue, count in sorted(entries.items())
            if issue not in known
        ]
        with transaction.atomic():
            OutOfScope.objects.bulk_update(known.values(), ["entries", "seconds", "seen_by"])
            OutOfScope.objects.bulk_create(new, ignore_conflicts=True)


def conclude(run: Run) -> None:
    """What was still to be read of newly paired issues has been."""
    for side in Side:
        read = run.steps.filter(kind=Step.Kind.READ, state=Step.State.DONE, spec__side=str(side))
        issues = [spec["issue"] for spec in read.values_list("spec", flat=True) if spec.get("issue")]
        pairs = IssuePair.objects.filter(connection=run.connection, **{f"{side}__in": issues})
        pairs.update(**{f"{side}_backlog": False})


def _spelled(rule: str, connection: Connection) -> str:
    """The rule as a pair remembers it; pairs written down by people are another rule once they are others."""
    pairs = connection.get_options().issues.pairs
    return f"{rule} {digest_of([list(pair) for pair in pairs])[:8]}"[:200] if pairs else rule[:200]


def _pair(twin: TwinPair) -> Pair:
    return Pair(twin.left.id, twin.right.id, twin.left.key, twin.right.key)


def _several(issue: str) -> Refuse:
    return Refuse(
        "issue_ambiguous",
        f"Several issues of the other side are paired with issue {issue}.",
        "Leave one of the pairs, so that it is clear where a new entry belongs.",
        parked=True,
        kind="waiting",
    )
