"""The two directions of a sync. A lane carries from its source side to its target side; both share everything else."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from connections.models import Connection, Site
from connections.options import Direction, Side
from worklogs import merge
from worklogs.attributes import AttributeMap, read_attributes
from worklogs.context import (
    Context,
    Halt,
    KeptLinks,
    Opener,
    open_personal_tokens,
    policy_of,
    refuse_without_time_tracking,
)
from worklogs.issue_twins import IssueTwins, open_issue_twins
from worklogs.merge import Lane
from worklogs.models import Run, TwinTrace
from worklogs.people import TargetPeople
from worklogs.profiles import Profiles
from worklogs.rules import Target
from worklogs.scope import Pair, Scope
from worklogs.sides import Side as OpenSide
from worklogs.sides import TempoSide, open_side
from worklogs.worklog import Worklog
from worklogs.write import Manner

VENDORS = {Target.JIRA: "Jira", Target.TEMPO: "Tempo"}


class Readiness:
    """What has to be true of a target before the first write, asked once a process: a quiet run writes nothing."""

    def __init__(self, opener: Opener, site: Site) -> None:
        self._opener = opener
        self._site = site
        self._lock = threading.Lock()
        self._is_ready = False

    def ensure(self, context: Context) -> None:
        """Raises NotReadyError, SiteError, TokenError."""
        with self._lock:
            if not self._is_ready:
                refuse_without_time_tracking(context.side.jira, self._site)
                open_personal_tokens(context, self._site, self._opener)
                self._is_ready = True


@dataclass(kw_only=True)
class LaneContext(Context):
    """One direction. `source` is the side it reads, `back` the opposite direction (None where only one is open)."""

    lane: Lane
    source: OpenSide
    profiles: Profiles
    scope: Scope
    readiness: Readiness
    back: "LaneContext | None" = None
    _attributes: threading.Lock = field(default_factory=threading.Lock)

    @property
    def source_side(self) -> Side:
        return self.lane.source

    @property
    def target_side(self) -> Side:
        return self.lane.target

    def key_of(self, issue: str) -> str:
        return f"{self.target_side}:{issue}"

    def spec_of(self, issue: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"issue": issue, "to": str(self.target_side), **more}

    def step_before(self, issue: str) -> str:
        """What the lane from the left does to a pair of issues comes first: two that look alike are taken once."""
        if self.back is None or self.source_side is Side.LEFT:
            return ""
        pair = self.scope.known(self.target_side, [issue]).get(issue)
        return self.back.key_of(pair.on(self.source_side)) if isinstance(pair, Pair) else ""

    def token_behind(self, account: str, email: str) -> str:  # noqa: ARG002
        """Tokens are opened where something is written only: they say nothing of why an entry waits."""
        return ""

    def traces_of(self, entries: Collection[str]) -> dict[str, TwinTrace]:
        return self.traces_on(self.source_side, entries)

    def traces_on(self, side: Side, worklogs: Collection[str]) -> dict[str, TwinTrace]:
        """This connection's traces by the ids of one side's worklogs."""
        traces = TwinTrace.objects.filter(connection=self.connection, **{f"{side}_id__in": worklogs})
        return {id_on(trace, side): trace for trace in traces}

    def claimed(self, copies: Collection[str]) -> set[str]:
        """A worklog may have a twin in each of several connections: only this one's count."""
        return set(self.traces_on(self.target_side, copies))

    @cached_property
    def attributes_there(self) -> AttributeMap | None:
        """How the source's attributes are called on the target, which asks for some; None where it has none."""
        if not isinstance(self.side, TempoSide):
            return None
        source = self.source if isinstance(self.source, TempoSide) else None
        with self._attributes:
            return AttributeMap(
                read_attributes(source.tempo.work_attributes() if source else ()),
                read_attributes(self.side.tempo.work_attributes()),
                source.marker_attribute if source else "",
                self.side.marker_attribute,
            )

    def carried_attributes(self, row: Worklog) -> tuple[tuple[str, str], ...]:
        """A source worklog's attributes in the target's keys and values."""
        if not row.attributes or self.attributes_there is None:
            return ()
        return tuple(sorted(self.attributes_there.carried(row.attributes).values))


def id_on(trace: TwinTrace, side: Side) -> str:
    return trace.left_id if side is Side.LEFT else trace.right_id


def issue_on(trace: TwinTrace, side: Side) -> str:
    return trace.left_issue if side is Side.LEFT else trace.right_issue


def agreed_on(trace: TwinTrace, side: Side) -> Worklog:
    """The worklog of one side as it was when both last agreed."""
    return Worklog.from_json((trace.left_agreed if side is Side.LEFT else trace.agreed) or {})


def twin_of(context: LaneContext, trace: TwinTrace) -> merge.Twin:
    source = agreed_on(trace, context.source_side)
    return merge.Twin(
        source=source,
        copy=agreed_on(trace, context.target_side),
        carried=context.carried_attributes(source),
        unsettled=frozenset(trace.unsettled),
        target_is_copy=trace.origin == context.source_side,
        ended=trace.ended,
    )


def open_lanes(run: Run, halt: Halt) -> list[LaneContext]:
    """The open directions, that from the left first. Raises SiteError, UnusableIssueRuleError, TokenError."""
    connection = Connection.objects.with_sites().get(pk=run.connection_id)
    opener = Opener(run, halt)
    fallback = connection.get_options().people.fallback
    sides = {
        Side.LEFT: open_side(connection.left, fallback.left, opener.open, asks_tempo=False),
        Side.RIGHT: open_side(connection.right, fallback.right, opener.open, asks_tempo=False),
    }
    _tell_instants(sides)
    twins = open_issue_twins(
        connection.get_options().issues,
        sides[Side.LEFT].jira,
        sides[Side.RIGHT].jira,
        KeptLinks(run, halt),
        scan=run.full or not connection.cursors.exists(),
    )
    directions = _directions(connection)
    lanes = [_lane(run, connection, opener, sides, twins, source, halt) for source in directions]
    if len(lanes) > 1:
        lanes[0].back, lanes[1].back = lanes[1], lanes[0]
    return lanes


def _directions(connection: Connection) -> list[Side]:
    """The sides that are carried from."""
    direction = connection.get_options().direction
    sources = {
        Direction.BOTH: [Side.LEFT, Side.RIGHT],
        Direction.LEFT_TO_RIGHT: [Side.LEFT],
        Direction.RIGHT_TO_LEFT: [Side.RIGHT],
    }
    return sources[direction]


def _tell_instants(sides: dict[Side, OpenSide]) -> None:
    """Beside a Jira, which holds instants alone, Tempo's own word on its instants counts."""
    left, right = sides[Side.LEFT], sides[Side.RIGHT]
    for one, other in ((left, right), (right, left)):
        if isinstance(one, TempoSide) and other.target is Target.JIRA:
            one.tells_instants = True


def _lane(
    run: Run,
    connection: Connection,
    opener: Opener,
    sides: dict[Side, OpenSide],
    twins: IssueTwins,
    source_side: Side,
    halt: Halt,
) -> LaneContext:
    target_side = source_side.other
    sites = {Side.LEFT: connection.left, Side.RIGHT: connection.right}
    source, target = sides[source_side], sides[target_side]
    options, vendor, site = connection.get_options(), VENDORS[source.target], sites[target_side]
    return LaneContext(
        run=run,
        connection=connection,
        options=options,
        policy=policy_of(connection, site, vendor),
        manner=Manner(str(connection.estimate_on(site)), {"source": vendor, "site": source.name}),
        halt=halt,
        calls=opener.calls,
        waits=opener.waits,
        source_site=source.name,
        jira_site=(site.jira or site).name,
        target_people=TargetPeople(connection, target.jira, target_side),
        side=target,
        lane=_terms(connection, sides, source_side),
        source=source,
        profiles=Profiles(source.jira, options.people.timezones),
        scope=Scope(run, twins),
        readiness=Readiness(opener, site),
    )


def _terms(connection: Connection, sides: dict[Side, OpenSide], source_side: Side) -> Lane:
    target_side = source_side.other
    options = connection.get_options()
    return Lane(
        source=source_side,
        source_kind=sides[source_side].target,
        target_kind=sides[target_side].target,
        own_source=_own(sides[source_side], connection, source_side),
        own_target=_own(sides[target_side], connection, target_side),
        conflicts=options.conflicts,
        goes_back=options.direction is Direction.BOTH,
    )


def _own(side: OpenSide, connection: Connection, which: Side) -> merge.Accounts:
    """The accounts that write for others on this side: whoever the token belongs to, and the fallback."""
    fallback = getattr(connection.get_options().people.fallback, str(which))
    return frozenset(account for account in (side.account, side.own_account, fallback) if account)
