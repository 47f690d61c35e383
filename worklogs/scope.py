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

from connections.options import Side
from worklogs.issue_twins import IssueTwins, TwinPair
from worklogs.models import IssuePair, OutOfScope, Run
from worklogs.rules import Refuse
from worklogs.worklog import Worklog

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

    def key_on(self, side: Side) -> str:
        return (self.left_key or self.left) if side is Side.LEFT else (self.right_key or self.right)


type Found = Pair | Refuse | None


class Scope:
    """The issue pairs of one connection, as a run comes to know them."""

    def __init__(self, run: Run, twins: IssueTwins) -> None:
        self._run = run
        self._connection = run.connection
        self._twins = twins
        self._left_out: list[tuple[Side, str]] = []

    def forget_other_rules(self) -> None:
        """Pairs found by another rule than today's are looked for anew; what is a twin already stays one."""
        others = IssuePair.objects.filter(connection=self._connection).exclude(found_by=self._twins.rule)
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
        return found

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
        return Side.RIGHT if self._holder is Side.LEFT else Side.LEFT

    def _paired(self) -> set[str]:
        pairs = IssuePair.objects.filter(connection=self._connection)
        return set(pairs.values_list(str(self._holder), flat=True))

    def _due(self, side: Side) -> list[str]:
        rows = OutOfScope.objects.filter(connection=self._connection, side=side)
        due = rows.filter(look_after__lte=timezone.now()).order_by("look_after", "id")
        return list(due.values_list("issue", flat=True)[:ISSUES_A_SLICE])

    def _put_off(self, side: Side, issues: Sequence[str]) -> None:
        rows = OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=issues)
        for row in rows:
            patience = min(FIRST_LOOK * 2 ** min(row.misses, 20), LONGEST_LOOK)
            OutOfScope.objects.filter(pk=row.pk).update(
                misses=F("misses") + 1, look_after=timezone.now() + patience
            )

    def _remember(self, twins: Iterable[TwinPair]) -> None:
        pairs = {(pair.left, pair.right): pair for pair in map(_pair, twins)}
        rows = [
            IssuePair(
                connection=self._connection,
                left=pair.left,
                left_key=pair.left_key,
                right=pair.right,
                right_key=pair.right_key,
                found_by=self._twins.rule[:200],
                seen_at=timezone.now(),
            )
            for pair in pairs.values()
        ]
        with transaction.atomic():
            IssuePair.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["connection", "left", "right"],
                update_fields=["left_key", "right_key", "found_by", "seen_at"],
            )
            for side in Side:
                issues = [pair.on(side) for pair in pairs.values()]
                out = OutOfScope.objects.filter(connection=self._connection, side=side, issue__in=issues)
                self._left_out += [(side, issue) for issue in out.values_list("issue", flat=True)]
                out.delete()

    def leave_out(self, side: Side, rows: Sequence[Worklog]) -> None:
        """Counts entries of issues without a counterpart: by issue, with their hours."""
        entries = Counter(row.work for row in rows)
        seconds: Counter[str] = Counter()
        for row in rows:
            seconds[row.work] += row.seconds
        with transaction.atomic():
            for issue, count in sorted(entries.items()):
                self._count(side, issue, count, seconds[issue])
            Run.objects.filter(pk=self._run.pk).update(passed_over=F("passed_over") + len(rows))

    def _count(self, side: Side, issue: str, entries: int, seconds: int) -> None:
        """A full run counts anew what it meets."""
        first = {"entries": entries, "seconds": seconds, "seen_by": self._run}
        row, made = OutOfScope.objects.get_or_create(
            connection=self._connection,
            side=side,
            issue=issue,
            defaults={**first, "look_after": timezone.now() + FIRST_LOOK},
        )
        if made:
            return
        begins_anew = self._run.full and row.seen_by_id != self._run.pk
        more = first | {"entries": F("entries") + entries, "seconds": F("seconds") + seconds}
        OutOfScope.objects.filter(pk=row.pk).update(**(first if begins_anew else more))


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
