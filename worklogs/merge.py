"""What was agreed + what stands on both sides now -> what one side has to take over from the other. Pure.

Each side is compared with itself, as it was when both last agreed, so that what a vendor rounds or rewrites is no
edit; field by field, so that edits of different fields meet without a conflict.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connections.options import Conflicts, Side
from worklogs import rules, texts
from worklogs.rules import Target
from worklogs.worklog import Person, Worklog

ISSUE, AUTHOR, START, SECONDS, BILLABLE, TEXT = "issue", "author", "start", "seconds", "billable", "text"
ATTRIBUTE = "attribute "
NEVER = datetime.min.replace(tzinfo=UTC)

type Facts = dict[str, object]
type Accounts = frozenset[str]


@dataclass(frozen=True, slots=True)
class Lane:
    """One direction of a sync. `source` is the side it carries from; `own_source` and `own_target` are the accounts
    whose worklogs may be another's under a header on either side: the site's own, the fallback, and in Jira whoever's
    token is held; `goes_back` says whether the other direction is open as well."""

    source: Side
    source_kind: Target
    target_kind: Target
    own_source: Accounts = frozenset()
    own_target: Accounts = frozenset()
    conflicts: Conflicts = Conflicts.LATEST
    goes_back: bool = True

    @property
    def target(self) -> Side:
        return self.source.other

    @property
    def source_name(self) -> str:
        """What a header calls the source side."""
        return "Jira" if self.source_kind is Target.JIRA else "Tempo"


@dataclass(frozen=True, slots=True)
class Twin:
    """What a trace remembers, as its lane sees it: both worklogs when they last agreed.

    `carried` are the source's attributes then, in the target's keys; `unsettled` the fields on which the two have
    not agreed yet; `target_is_copy` tells where the entry began. One that is `ended` is kept the same no more.
    """

    source: Worklog
    copy: Worklog
    carried: tuple[tuple[str, str], ...] = ()
    unsettled: frozenset[str] = frozenset()
    target_is_copy: bool = True
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """An entry as its lane finds it: the `row` of the source side, the `source` it is without our header, `fresh` as
    a new copy of it would be written (attributes in the target's keys), the `account` of its person on the target
    ("" for none)."""

    row: Worklog
    source: Worklog
    fresh: Worklog
    account: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """`taken` fields the target takes over, `back` those the other lane has to carry, `contested` those that only a
    person can decide, `equal` those in which both sides were changed to the same; `edited` are all that changed on
    the source side. `wanted` is the target's worklog as it should stand."""

    edited: frozenset[str]
    taken: frozenset[str]
    back: frozenset[str]
    contested: frozenset[str]
    equal: frozenset[str]
    wanted: Worklog


def plain(row: Worklog, own: Accounts) -> Worklog:
    """The worklog without the header line that one of these accounts wrote above it: its person is whom it names."""
    headed = texts.read_header(row.text) if row.person.account in own else None
    if headed is None:
        return row
    return row.with_(person=Person(name=headed.name, account=row.marked_account), text=headed.text)


def facts(row: Worklog, kind: Target, own: Accounts = frozenset()) -> Facts:
    """What people can change of a worklog, by field: Jira holds instants, Tempo wall clocks, billable seconds and
    attributes."""
    moment = row.moment
    found: Facts = {
        ISSUE: row.work,
        AUTHOR: row.person.account,
        START: moment and (moment.instant if kind is Target.JIRA else moment.wall),
        SECONDS: row.seconds,
        TEXT: plain(row, own).text,
    }
    if kind is Target.TEMPO:
        found[BILLABLE] = row.billable
        found |= {ATTRIBUTE + key: value for key, value in row.attributes}
    return found


def changed(before: Facts, after: Facts) -> frozenset[str]:
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def edited_at_source(present: Present, twin: Twin, lane: Lane) -> frozenset[str]:
    """The fields changed on the source side since both agreed, attributes by the target's keys."""
    now = _own_facts(present.row, present.fresh.attributes, lane)
    then = _own_facts(twin.source, twin.carried, lane)
    return changed(then, now)


def _own_facts(row: Worklog, carried: tuple[tuple[str, str], ...], lane: Lane) -> Facts:
    return facts(row.with_(attributes=carried), lane.source_kind, lane.own_source)


def edited_at_target(twin: Twin, now: Worklog, lane: Lane) -> frozenset[str]:
    return changed(facts(twin.copy, lane.target_kind, lane.own_target), _target_facts(now, lane))


def _target_facts(row: Worklog, lane: Lane) -> Facts:
    return facts(row, lane.target_kind, lane.own_target)


def merge(present: Present, twin: Twin, now: Worklog, lane: Lane, verdict: Side | None = None) -> Merge:
    """What the target's worklog, which stands as `now`, takes over. `verdict` is the side a person has chosen."""
    here = holdable(edited_at_source(present, twin, lane) | twin.unsettled, lane)
    there = holdable(edited_at_target(twin, now, lane) | twin.unsettled, lane)
    equal = here - _differing(present.fresh, now, lane)
    contested = (here & there) - equal
    winner = _winner(present.row, now, lane, verdict) if contested else None
    taken = (here - there - equal) | (contested if winner is lane.source else set())
    back = (there - here) | (contested if winner is lane.target else set())
    return Merge(
        edited=here,
        taken=frozenset(taken),
        back=frozenset(back),
        contested=frozenset(contested if winner is None else ()),
        equal=frozenset(equal),
        wanted=_wanted(present, twin, now, frozenset(taken), lane),
    )


def has_arrived(sent: Worklog, before: Worklog, now: Worklog, kind: Target) -> bool:
    """Whether an update of unknown outcome did happen to what stood as `before`, whatever somebody edited since: it
    was stored whole or not at all, so one field that stands as it was sent tells."""
    wanted, then, standing = facts(sent, kind), facts(before, kind), facts(now, kind)
    return any(
        wanted.get(name) == standing.get(name) for name in changed(then, wanted) & changed(then, standing)
    )


def holdable(names: frozenset[str], lane: Lane) -> frozenset[str]:
    """What one side cannot hold stays as it is on the other: a change of it is no edit of the entry."""
    if lane.source_kind is lane.target_kind is Target.TEMPO:
        return names
    return frozenset(name for name in names if name != BILLABLE and not name.startswith(ATTRIBUTE))


def _differing(fresh: Worklog, now: Worklog, lane: Lane) -> frozenset[str]:
    """The fields in which the target is not as a new copy would be. Of the author that says the header too, where the
    account writes for others; Jira never changes who wrote a worklog: another author is another header there."""
    fields = changed(_target_facts(fresh, lane), _target_facts(now, lane))
    is_author = lane.target_kind is Target.TEMPO and _named(fresh, lane) == _named(now, lane)
    return fields if is_author else fields | {AUTHOR}


def _named(row: Worklog, lane: Lane) -> str:
    """Who is named above the text, "" where nobody is."""
    below = plain(row, lane.own_target)
    return "" if below is row else below.person.name


def _winner(row: Worklog, now: Worklog, lane: Lane, verdict: Side | None) -> Side | None:
    """The side whose edit stands; None where a person decides. By time, of two equally late edits the left one."""
    if verdict:
        return verdict
    if lane.conflicts is Conflicts.PARK:
        return None
    if lane.conflicts is not Conflicts.LATEST:
        return Side(lane.conflicts.value)
    here, there = moment_of(row.updated), moment_of(now.updated)
    if here == there:
        return Side.LEFT
    return lane.source if here > there else lane.target


def moment_of(spelled: str) -> datetime:
    """A vendor's own time of an update; long ago where it gives none that can be read."""
    try:
        moment = datetime.fromisoformat(spelled)
    except ValueError:
        return NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def revived(present: Present, twin: Twin, lane: Lane) -> Worklog:
    """The target's worklog to be written anew after it was deleted there: as it was agreed, with what was edited on
    the source side since."""
    edited = holdable(edited_at_source(present, twin, lane) | twin.unsettled, lane)
    return _wanted(present, twin, twin.copy, edited | {ISSUE}, lane, anew=True)


def _wanted(
    present: Present, twin: Twin, now: Worklog, taken: frozenset[str], lane: Lane, *, anew: bool = False
) -> Worklog:
    writer = _writer(present, now, taken, lane, anew)
    text = _text(present, twin, now, writer, taken, lane)
    return overlaid(now, present.fresh, taken - {TEXT}).with_(
        person=writer,
        text=text if text == now.text else texts.cut(text),
        marker=present.fresh.marker if ISSUE in taken else now.marker,
    )


def _writer(present: Present, now: Worklog, taken: frozenset[str], lane: Lane, anew: bool) -> Person:
    """The author that the target will show. Jira never changes it, but what is written anew is whoever's writes it."""
    changes = anew if lane.target_kind is Target.JIRA else AUTHOR in taken
    return present.fresh.person if changes else now.person


def _text(
    present: Present, twin: Twin, now: Worklog, writer: Person, taken: frozenset[str], lane: Lane
) -> str:
    """The text as it should stand. Above what began on this side stays what stands there, until it is another's; above
    a copy stands the header that is owed, and one that a person has removed comes back with the next text or author
    only."""
    below = plain(now, lane.own_target)
    is_headed = below is not now
    text = plain(present.fresh, lane.own_target).text if TEXT in taken else below.text
    is_anothers = AUTHOR in taken or writer.account != now.person.account
    if is_anothers or (twin.target_is_copy and (TEXT in taken or (START in taken and is_headed))):
        whose, account = _whose(present, twin, now, taken, lane)
        is_owed = writer.account in lane.own_target and writer.account != account
        return rules.under_header(whose, lane.source_name, text) if is_owed else text
    if TEXT not in taken:
        return now.text
    return _joined(now.text, text) if is_headed else text


def _whose(
    present: Present, twin: Twin, now: Worklog, taken: frozenset[str], lane: Lane
) -> tuple[Worklog, str]:
    """The entry with the person it is to be told for, and her account: of what began on this side the one it has
    here, which a copy that lost its header does not say."""
    person = plain(now, lane.own_target).person
    is_told = twin.target_is_copy or AUTHOR in taken or not person.name
    if is_told or person.name == present.source.person.name:
        return present.source, present.account
    return present.source.with_(person=person), person.account


def _joined(headed: str, text: str) -> str:
    """The text under the header line of another."""
    line = headed.split("\n", 1)[0]
    return f"{line}\n\n{text}" if text else line


def overlaid(base: Worklog, other: Worklog, fields: Collection[str]) -> Worklog:
    """`base` with these fields as they are in `other`."""
    changes: dict[str, Any] = {}
    plain_fields: Mapping[str, str] = {
        ISSUE: "work", AUTHOR: "person", START: "moment", SECONDS: "seconds", BILLABLE: "billable", TEXT: "text",
    }  # fmt: skip
    for name in fields:
        if name in plain_fields:
            changes[plain_fields[name]] = getattr(other, plain_fields[name])
    return base.with_(**changes, attributes=_overlaid_attributes(base, other, fields))


def _overlaid_attributes(
    base: Worklog, other: Worklog, fields: Collection[str]
) -> tuple[tuple[str, str], ...]:
    keys = {name.removeprefix(ATTRIBUTE) for name in fields if name.startswith(ATTRIBUTE)}
    kept = {key: value for key, value in base.attributes if key not in keys}
    taken = {key: value for key, value in other.attributes if key in keys}
    return tuple(sorted((kept | taken).items()))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a trace remembers from now on, as its lane sees it."""

    source: Worklog
    copy: Worklog
    unsettled: frozenset[str] = frozenset()


def agreement(present: Present, twin: Twin, stored: Worklog, found: Merge) -> Agreement:
    """After the target has stored what it took over. What is still to go back stays as it was agreed before, so that
    it shows as an edit; and when each was changed is left open, so that no feed's word of it passes for known."""
    open_ = found.back | found.contested
    told = {"updated": ""} if open_ else {}
    return Agreement(
        source=overlaid(present.row, twin.source, _source_fields(present, twin, open_ & found.edited)).with_(
            **told
        ),
        copy=overlaid(stored, twin.copy, open_).with_(**told),
        unsettled=twin.unsettled & open_,
    )


def _source_fields(present: Present, twin: Twin, fields: Collection[str]) -> set[str]:
    """Attributes of the source have keys of their own: where one is open they all stay as they were agreed."""
    names = {name for name in fields if not name.startswith(ATTRIBUTE)}
    if len(names) < len(set(fields)):
        names |= {ATTRIBUTE + key for key, _ in (*present.row.attributes, *twin.source.attributes)}
    return names
