"""Entries that a person moved to another issue where a vendor can only delete and create: one entry, not two.

Source: Tempo REST v4 has no issue in the body of a PUT; a move gives a worklog another id.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from worklogs import merge
from worklogs.lanes import LaneContext
from worklogs.models import Entry, Fetched, TwinTrace
from worklogs.worklog import Worklog

type Looks = tuple[object, ...]


def recognise(context: LaneContext) -> int:
    """Takes a new worklog of the source side for the one that was deleted, where but for its issue they are the same:
    its trace goes on under the new id. Gives how many there were. A dry run keeps the trace, and plans the move by
    the old id."""
    fetched = context.run.fetched.filter(site=context.source_site, mapped=False)
    gone = list(fetched.filter(gone=True))
    if not gone:
        return 0
    traces = context.traces_on(context.source_side, [row.entry for row in gone])
    new = _without_trace(context, fetched.filter(gone=False))
    pairs = _pairs(context, [row for row in gone if row.entry in traces], new)
    with transaction.atomic():
        for old, moved in pairs:
            if context.run.is_dry:
                _plan_under_old_id(old, moved)
            else:
                _rename(context, traces[old.entry], old, moved)
    return len(pairs)


def _without_trace(context: LaneContext, rows: Iterable[Fetched]) -> list[Fetched]:
    found = list(rows)
    known = context.traces_on(context.source_side, [row.entry for row in found])
    return [row for row in found if row.entry not in known]


def _pairs(
    context: LaneContext, gone: Sequence[Fetched], new: Sequence[Fetched]
) -> list[tuple[Fetched, Fetched]]:
    """Each by count: two that look alike own two."""
    by_looks: Mapping[Looks, list[Fetched]] = defaultdict(list)
    for row in new:
        by_looks[_looks(context, row)].append(row)
    pairs = []
    for old in gone:
        others = [row for row in by_looks[_looks(context, old)] if row.work != old.work]
        if others:
            by_looks[_looks(context, old)].remove(others[0])
            pairs.append((old, others[0]))
    return pairs


def _looks(context: LaneContext, row: Fetched) -> Looks:
    facts = merge.facts(Worklog.from_json(row.values), context.source.target)
    return tuple(sorted((name, str(value)) for name, value in facts.items() if name != merge.ISSUE))


def _rename(context: LaneContext, trace: TwinTrace, old: Fetched, moved: Fetched) -> None:
    side = context.source_side
    agreed = "left_agreed" if side == "left" else "agreed"
    values = {**getattr(trace, agreed), "entry": moved.entry}
    TwinTrace.objects.filter(pk=trace.pk).update(**{f"{side}_id": moved.entry, agreed: values})
    entries = Entry.objects.filter(connection=context.connection, site=context.source_site)
    entries.filter(entry=moved.entry).delete()
    entries.filter(entry=old.entry).update(entry=moved.entry)
    old.delete()


def _plan_under_old_id(old: Fetched, moved: Fetched) -> None:
    old.delete()
    values = {**moved.values, "entry": old.entry}
    Fetched.objects.filter(pk=moved.pk).update(entry=old.entry, values=values)
