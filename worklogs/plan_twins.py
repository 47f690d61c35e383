"""left + right + trace -> what one lane of a sync does with each entry of one issue. Pure: no database, no network.

Both lanes go by the same facts, so that each comes to its own half of one decision: what one takes over, the other
leaves; a conflict that only a person can decide is told by the lane on whose source side the entry began.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connections.options import Conflicts, Deletes, Lookalikes, Side
from worklogs import merge, texts
from worklogs.merge import Lane, Merge, Present, Twin
from worklogs.plan import Create, Decline, Link, Mapped, Move, Update, lookalike, recognised
from worklogs.rules import Policy, Refuse, Skip
from worklogs.worklog import Worklog


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of the lane's source side: `row` as it stands there, or as both last agreed where it is `gone`.

    `mapped` holds it without our header, and the copy as it would be written anew; `verdict` is what a person has
    decided about it.
    """

    row: Worklog
    mapped: Mapped
    twin: Twin | None = None
    gone: bool = False
    gone_at: datetime | None = None
    verdict: str = ""

    @property
    def present(self) -> Present:
        return Present(self.row, self.mapped.source, self.mapped.copy, self.mapped.account)


@dataclass(frozen=True, slots=True)
class Delete:
    """`before` is deleted: its twin was."""

    found: Found
    before: Worklog


@dataclass(frozen=True, slots=True)
class End:
    """Nothing is left to be kept the same: both are gone, or the one that stands is to stay by itself."""

    found: Found
    reason: str
    both_gone: bool = True


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing for this lane to write. `merge` is what both sides have come to, `standing` the target's worklog;
    `back` says that the other lane has to carry something."""

    found: Found
    standing: Worklog | None = None
    merge: Merge | None = None
    back: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """`standing` is taken for the twin from now on; `unsettled` are the fields in which they differ."""

    found: Found
    standing: Worklog
    unsettled: frozenset[str]
    reason: str
    target_is_copy: bool = True
    bears_marker: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A write of this lane, and the merge it comes from (None for a new copy)."""

    found: Found
    action: Create | Update | Move
    merge: Merge | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    found: Found
    why: Skip | Refuse


type Action = Write | Delete | End | Leave | Join | Refusal


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the target side: `standing` worklogs that may be twins, ids that a trace `owned` claims, and
    when those that are `gone` were deleted (None: not known when)."""

    standing: Sequence[Worklog]
    owned: Collection[str] = ()
    gone: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the connection says about conflicts, deletions and lookalikes on this lane, and the sites by which a marker
    is known. `holds_deletes` holds back every deletion, because there are more than go without a question."""

    lane: Lane
    policy: Policy
    deletes: Deletes = Deletes.MIRROR
    holds_deletes: bool = False
    source_site: str = ""
    target_site: str = ""


def plan_lane(entries: Sequence[Found], target: Target, terms: Terms) -> list[Action]:
    """What to do with each entry, in the order given."""
    by_id = {row.entry: row for row in target.standing}
    taken = {*target.owned, *(found.twin.copy.entry for found in entries if found.twin)}
    fresh = [found for found in entries if not found.twin and not found.gone]
    joined = _joins(fresh, [row for row in target.standing if row.entry not in taken], terms)
    actions: list[Action] = []
    for found in entries:
        if found.twin:
            actions.append(_again(found, found.twin, by_id.get(found.twin.copy.entry), target, terms))
        elif found.gone:
            actions.append(End(found, "It was deleted before it was ever carried."))
        else:
            actions.append(joined.get(found.row.entry) or Write(found, Create(found.mapped)))
    return actions


# --- entries without a trace


def _joins(fresh: Sequence[Found], free: Sequence[Worklog], terms: Terms) -> dict[str, Action]:
    """Entries whose twin stands there already: by a marker of either side, else by its look."""
    origins = _origins(fresh, free, terms)
    taken = {row.entry for row in origins.values()}
    rest = [found for found in fresh if found.row.entry not in origins]
    named = {found.row.entry: found for found in rest}
    candidates = [_with_own_marker(row, named, terms) for row in free if row.entry not in taken]
    forced = {found.row.entry for found in rest if found.verdict == "create"}
    lookers = [found for found in rest if found.row.entry not in forced]
    rows = recognised([found.mapped for found in lookers], candidates, _looking(terms.policy))
    actions: dict[str, Action] = {
        entry: _join(found, origins[entry], "it bears the marker of the entry it is a copy of", terms, False)
        for found in fresh
        if (entry := found.row.entry) in origins
    }
    originals = {row.entry: row for row in free}
    for found in lookers:
        if action := rows.get(found.row.entry):
            actions[found.row.entry] = _recognised(found, action, originals, terms)
    return actions


def _origins(fresh: Iterable[Found], free: Iterable[Worklog], terms: Terms) -> dict[str, Worklog]:
    """By entry the target's worklog whose marker it bears: it is itself the copy, and its trace was lost."""
    by_id = {row.entry: row for row in free}
    found: dict[str, Worklog] = {}
    for one in fresh:
        origin = by_id.get(one.row.marker) if one.row.marker else None
        if origin is None or origin in found.values():
            continue
        if _is_meant(one.row, one.mapped.copy, origin, terms.target_site, terms):
            found[one.row.entry] = origin
    return found


def _is_meant(marked: Worklog, one: Worklog, other: Worklog, site: str, terms: Terms) -> bool:
    """Whether a marker speaks of this very site. Where its vendor has no room to name one, both must look the same:
    ids of several sites are alike."""
    if not site:
        return marked is other or one.seconds == other.seconds
    if marked.marked_site:
        return marked.marked_site == site
    one_start = merge.facts(one, terms.lane.target_kind)[merge.START]
    return (
        one.seconds == other.seconds and one_start == merge.facts(other, terms.lane.target_kind)[merge.START]
    )


def _with_own_marker(row: Worklog, entries: Mapping[str, Found], terms: Terms) -> Worklog:
    """A marker that names none of these entries was left by another connection: here it says nothing."""
    found = entries.get(row.marker) if row.marker else None
    if found and _is_meant(row, found.mapped.copy, row, terms.source_site, terms):
        return row
    return row.with_(marker="")


def _looking(policy: Policy) -> Policy:
    """Which entries look alike is found out the same way where a person decides what to make of it."""
    parks = policy.lookalikes is Lookalikes.PARK
    return replace(policy, lookalikes=Lookalikes.LINK) if parks else policy


def _recognised(found: Found, action: Link | Decline, rows: Mapping[str, Worklog], terms: Terms) -> Action:
    """What waits for a person is told once, by the lane from the left, where both go."""
    if isinstance(action, Decline):
        return Refusal(found, action.why)
    standing = rows[action.standing.entry]
    waits = terms.policy.lookalikes is Lookalikes.PARK and not action.standing.marker
    if not waits or found.verdict == "link":
        return _join(found, standing, action.reason, terms)
    if terms.lane.source is Side.RIGHT and terms.lane.goes_back:
        return Leave(found, standing, back=True)
    return Refusal(found, lookalike(standing))


def _join(found: Found, standing: Worklog, reason: str, terms: Terms, target_is_copy: bool = True) -> Join:
    """A marker says that Twinlog wrote one of the two; without it both were there before."""
    lane = terms.lane
    fresh = merge.facts(found.mapped.copy, lane.target_kind, lane.own_target)
    there = merge.facts(standing, lane.target_kind, lane.own_target)
    differing = merge.changed(fresh, there) - {merge.ISSUE, merge.AUTHOR, merge.START, merge.SECONDS}
    marked = bool(standing.marker) or not target_is_copy
    return Join(found, standing, merge.holdable(differing, lane), reason, target_is_copy, marked)


# --- entries with a trace


def _again(found: Found, twin: Twin, now: Worklog | None, target: Target, terms: Terms) -> Action:
    if twin.ended:
        return Leave(found)
    if found.gone:
        return _after_deletion(found, twin, now, terms)
    if now is None:
        return _without_twin(found, twin, target, terms)
    return _merged(found, twin, now, terms)


def _merged(found: Found, twin: Twin, now: Worklog, terms: Terms) -> Action:
    lane = terms.lane
    result = merge.merge(found.present, twin, now, lane, _chosen(found))
    if result.contested:
        return _conflict(found, twin, _edits_in_words(result.contested), terms)
    if not result.taken or result.wanted == now:
        return Leave(found, now, result, back=bool(result.back) and lane.goes_back)
    mapped = replace(found.mapped, copy=result.wanted, token=_token(found, result.wanted, now))
    if merge.ISSUE in result.taken:
        return Write(found, Move(mapped, now), result)
    return Write(found, Update(mapped, now, tuple(sorted(result.taken))), result)


def _token(found: Found, wanted: Worklog, now: Worklog) -> str:
    """A person's own token changes her own worklogs only."""
    return found.mapped.token if wanted.person.account == now.person.account == found.mapped.account else ""


def _after_deletion(found: Found, twin: Twin, now: Worklog | None, terms: Terms) -> Action:
    """Deleted on the source side: so there, unless somebody edited it there meanwhile."""
    if now is None:
        return End(found, "It was deleted on both sides.")
    if found.verdict == "keep" or terms.deletes is Deletes.KEEP:
        return End(found, "It was deleted on one side; the other keeps its own.", both_gone=False)
    edited = merge.edited_at_target(twin, now, terms.lane)
    if edited and found.verdict != "delete":
        winner = _winner_of_deletion(found.gone_at, now, terms.lane.source, terms, _chosen(found))
        if winner is None:
            return _conflict(found, twin, "It was deleted on one side and edited on the other.", terms)
        if winner is terms.lane.target:
            return Leave(found, now, back=terms.lane.goes_back)
    if (terms.holds_deletes or terms.deletes is Deletes.PARK) and found.verdict != "delete":
        return Refusal(found, held(terms))
    return Delete(found, now)


def _without_twin(found: Found, twin: Twin, target: Target, terms: Terms) -> Action:
    """Deleted on the target side: the other lane carries that back, unless it was edited here meanwhile."""
    lane = terms.lane
    edited = merge.edited_at_source(found.present, twin, lane)
    if not edited:
        return Leave(found, back=lane.goes_back)
    if twin.copy.entry not in target.gone:
        return _refused(found, "It was edited, and its twin cannot be found on the other side.")
    if terms.deletes is Deletes.KEEP or found.verdict in ("keep", "delete"):
        return Leave(found, back=lane.goes_back)
    deleted_at = target.gone[twin.copy.entry]
    winner = _winner_of_deletion(deleted_at, found.row, lane.target, terms, _chosen(found))
    if winner is None:
        return _conflict(found, twin, "It was deleted on one side and edited on the other.", terms)
    if winner is lane.target:
        return Leave(found, back=lane.goes_back)
    return Write(found, Create(replace(found.mapped, copy=merge.revived(found.present, twin, lane))))


def _winner_of_deletion(
    deleted_at: datetime | None, edited: Worklog, deleted_on: Side, terms: Terms, verdict: Side | None
) -> Side | None:
    conflicts = terms.lane.conflicts
    edited_on = deleted_on.other
    if verdict:
        return verdict
    if conflicts is Conflicts.PARK:
        return None
    if conflicts is not Conflicts.LATEST:
        return Side(conflicts.value)
    if deleted_at is None or (edited_at := merge.moment_of(edited.updated)) == deleted_at:
        return Side.LEFT if deleted_at is not None else deleted_on
    return edited_on if edited_at > deleted_at else deleted_on


def _chosen(found: Found) -> Side | None:
    return Side(found.verdict) if found.verdict in (Side.LEFT, Side.RIGHT) else None


def _conflict(found: Found, twin: Twin, what: str, terms: Terms) -> Action:
    """Told once: by the lane from where it began, or by the only one there is."""
    if not twin.target_is_copy and terms.lane.goes_back:
        return Leave(found, back=True)
    return _refused(found, what)


def _refused(found: Found, what: str) -> Refusal:
    return Refusal(found, Refuse("conflict", what, "Decide which side is right.", parked=True, kind="parked"))


def _edits_in_words(fields: Collection[str]) -> str:
    names = ", ".join(sorted(texts.on_one_line(name) for name in fields))
    return f"It was edited on both sides since they last agreed: {names}."


def held(terms: Terms) -> Refuse:
    """A deletion that somebody has to allow."""
    why = (
        "Its twin was deleted, as were more entries than this run may delete without a question."
        if terms.holds_deletes
        else "Its twin was deleted, and deletions wait for a person here."
    )
    return Refuse(
        "deletes_held",
        why,
        "Look whether they were meant, then allow them (`sync --allow-deletes N`, or the button of the run).",
        parked=True,
        kind="parked",
    )
