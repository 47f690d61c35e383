"""Entries that Twinlog wrote through another connection: which of them travel on, and that none comes round."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from connections.models import Site
from connections.options import CarryOn
from worklogs.lanes import LaneContext
from worklogs.models import TwinTrace
from worklogs.worklog import Worklog

LONGEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A worklog on a site."""

    site: str
    worklog: str


def to_carry(context: LaneContext, rows: Sequence[Worklog]) -> list[Worklog]:
    """Without the copies that `carry_on` leaves where they are, and those that come from the target's site."""
    copies = _copies(context, [row.entry for row in rows])
    home = _home(context.side.name)
    kept = []
    for row in rows:
        traces = copies.get(row.entry, [])
        is_wanted = all(_travels_on(context.options.carry_on, trace) for trace in traces)
        if is_wanted and not (traces and _has_been_at(home, traces)):
            kept.append(row)
    return kept


def _copies(context: LaneContext, worklogs: Collection[str]) -> dict[str, list[TwinTrace]]:
    """Traces of other connections that these worklogs of the source side are copies in."""
    found: dict[str, list[TwinTrace]] = defaultdict(list)
    traces = _as_copies(context.source_site, worklogs).exclude(connection=context.connection)
    for trace in traces.select_related("connection"):
        found[_copy(trace).worklog].append(trace)
    return found


def _as_copies(site: str, worklogs: Collection[str]):
    return TwinTrace.objects.filter(
        Q(origin="left", right_site=site, right_id__in=worklogs)
        | Q(origin="right", left_site=site, left_id__in=worklogs),
        linked=False,
        ended=False,
    )


def _travels_on(carry_on: CarryOn, trace: TwinTrace) -> bool:
    if carry_on is CarryOn.ALL:
        return True
    return carry_on is CarryOn.MIGRATED and trace.connection.is_migration


def _has_been_at(home: str, traces: Iterable[TwinTrace]) -> bool:
    """Whether the entry, followed back from copy to origin, has a worklog on this Jira already."""
    open_ = list(traces)
    for _ in range(LONGEST_CHAIN):
        origins = [_origin(trace) for trace in open_]
        if any(_home(place.site) == home for place in origins):
            return True
        open_ = [earlier for place in origins for earlier in _as_copies(place.site, [place.worklog])]
        if not open_:
            return False
    return True


def _copy(trace: TwinTrace) -> Place:
    left = Place(trace.left_site, trace.left_id)
    return Place(trace.right_site, trace.right_id) if trace.origin == "left" else left


def _origin(trace: TwinTrace) -> Place:
    right = Place(trace.right_site, trace.right_id)
    return _left(trace) if trace.origin == "left" else right


def _left(trace: TwinTrace) -> Place:
    """A migration's traces do not name the site they come from: it is the connection's."""
    return Place(trace.left_site or trace.connection.left.name, trace.left_id)


def _home(site: str) -> str:
    """The Jira that a site's worklogs belong to: its own, else the site itself."""
    found = Site.objects.filter(name=site).select_related("jira").first()
    return found.jira.name if found and found.jira else site
