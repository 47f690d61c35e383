"""The life of one entry over all runs and both sides: what it was, what changed, who or what caused it."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import quote, urlsplit

from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.models import Connection, Site
from connections.options import Side
from connections.wording import day_text, duration_text, short_day_text, wall_clock_text
from worklogs.clock import Note
from worklogs.models import AuditEntry, Entry, Run, TwinTrace
from worklogs.reading.gone import gone as not_found
from worklogs.reading.gone import newest_finished
from worklogs.reading.scope import names_on

type Json = Mapping[str, Any]

SITES = ("connection__left__azure", "connection__left__jira", "connection__right__jira")
# So many rows of one entry are shown at a time, each with all it wrote.
ROWS = 25
VENDORS = {
    Site.Kind.JIRA: "Jira", Site.Kind.TEMPO: "Tempo", Site.Kind.SEVENPACE: "7pace", Site.Kind.AZURE: "Azure DevOps",
}  # fmt: skip
LONGEST_DIFF = 4_000


@dataclass(frozen=True, slots=True)
class When:
    """A start of work as its own side had it, and the instant; `note` is a sentence about a clock change."""

    day: date
    start: time
    zone: str
    instant: datetime | None
    end: time
    note: str = ""

    def is_same(self, other: Self) -> bool:
        """Whether both mean one time: some is told in another zone."""
        same_clock = (self.day, self.start) == (other.day, other.start)
        return same_clock or (self.instant is not None and self.instant == other.instant)

    @property
    def yours(self) -> str:
        """The instant on the reader's clock, where that shows something else."""
        if self.instant is None:
            return ""
        here = timezone.localtime(self.instant)
        if (here.date(), here.time()) == (self.day, self.start):
            return ""
        day = "" if here.date() == self.day else f"{short_day_text(here.date())}, "
        return f"{day}{wall_clock_text(here.time())} on your clock"


@dataclass(frozen=True, slots=True)
class Values:
    """One side's values as they are shown. Made to read rows of any age: what is not there is empty."""

    entry: str = ""
    work: str = ""
    person: str = ""
    email: str = ""
    account: str = ""
    when: When | None = None
    seconds: int | None = None
    billable: int | None = None
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    updated: datetime | None = None
    defect: str = ""

    @classmethod
    def read(cls, kept: Json | None) -> Self | None:
        if not kept:
            return None
        person = kept.get("person") or {}
        has_length = kept.get("has_length", True)
        return cls(
            entry=str(kept.get("entry") or ""),
            work=str(kept.get("work") or ""),
            person=str(person.get("name") or ""),
            email=str(person.get("email") or ""),
            account=str(person.get("account") or ""),
            when=_when(kept),
            seconds=kept.get("seconds") if has_length else None,
            billable=kept.get("billable"),
            text=str(kept.get("text") or ""),
            attributes=tuple((str(key), str(value)) for key, value in _pairs(kept.get("attributes"))),
            updated=_instant(kept.get("updated")),
            defect=str(kept.get("defect") or ""),
        )

    @property
    def who(self) -> str:
        return self.person or self.email or self.account


def _pairs(attributes: Any) -> Sequence[Sequence[Any]]:
    return list(attributes.items()) if isinstance(attributes, dict) else attributes or []


def _when(kept: Json) -> When | None:
    moment = kept.get("moment")
    if not moment:
        return None
    day, start = date.fromisoformat(moment["day"]), time.fromisoformat(moment["start"])
    end = datetime.combine(day, start) + timedelta(seconds=max(0, kept.get("seconds") or 0))
    return When(
        day,
        start,
        str(moment.get("zone") or ""),
        _instant(moment.get("instant")),
        end.time(),
        Note(moment.get("note") or "").in_words,
    )


def _instant(spelled: Any) -> datetime | None:
    """An ISO date-time as an instant; one without an offset is UTC, as 7pace's edit times are."""
    try:
        found = datetime.fromisoformat(str(spelled))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- where it happened


@dataclass(frozen=True, slots=True)
class Place:
    """A site of the connection: which side it is, whose product, and what it calls the pieces of work there.

    `names` and `people` are what issues and accounts are called, of which some rows hold the site's own id alone.
    """

    side: str
    vendor: str
    work: str
    names: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)

    def person_of(self, values: "Values") -> str:
        return values.person or values.email or self.people.get(values.account, values.account)


SOURCE, TARGET = Place("left", "the source", "Work item"), Place("right", "the target", "Issue id")
type Places = Mapping[str, Place]


def places_of_migration(connection: Connection) -> Places:
    left, right = (VENDORS.get(Site.Kind(site.kind), "") for site in (connection.left, connection.right))
    return {
        connection.left.name: Place("left", left, "Work item"),
        connection.right.name: Place("right", right, "Issue id"),
    }


def places_of_sync(connection: Connection, kept: Iterable[Json | None], issues: Iterable[str] = ()) -> Places:
    """Both sites by name, with what the issues and people of these kept worklogs, and further `issues`, are called."""
    worklogs = [worklog for worklog in kept if worklog]
    names = names_on(connection, {str(worklog.get("work") or "") for worklog in worklogs} | {*issues} - {""})
    people = _people_in(connection, worklogs)
    sites = ((Side.LEFT, connection.left), (Side.RIGHT, connection.right))
    return {
        site.name: Place(side, VENDORS.get(Site.Kind(site.kind), ""), "Issue", names[side], people)
        for side, site in sites
    }


def _people_in(connection: Connection, worklogs: Sequence[Json]) -> dict[str, str]:
    """Names by account: as the pairs have them, else as another of the worklogs does."""
    persons = [worklog.get("person") or {} for worklog in worklogs]
    named = {
        person["account"]: person["name"]
        for person in persons
        if person.get("account") and person.get("name")
    }
    nameless = {person.get("account") for person in persons} - {*named, "", None}
    if nameless:
        wanted = Q(left_account__in=nameless) | Q(right_account__in=nameless)
        for row in connection.user_mappings.filter(wanted):
            named |= {row.left_account: row.left_name, row.right_account: row.right_name or row.left_name}
    return {account: name for account, name in named.items() if account and name}


# --- what changed


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text that was kept (""), removed ("del") or added ("ins")."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its pieces, word by word where it is a text."""

    field: str
    pieces: tuple[Piece, ...]
    is_text: bool = False


def shown(values: Values, place: Place) -> dict[str, str]:
    """Each field as people read it."""
    when = values.when
    worked = f"{day_text(when.day)}, {wall_clock_text(when.start)} {when.zone}".strip() if when else ""
    return {
        "Person": place.person_of(values),
        place.work: place.names.get(values.work, values.work),
        "Worked": worked,
        "Time": "" if values.seconds is None else duration_text(values.seconds),
        "Billable": "" if values.billable is None else duration_text(values.billable),
        "Text": values.text,
        "Attributes": ", ".join(f"{key}: {value}" for key, value in values.attributes),
    }


def differing(before: Values, after: Values, place: Place) -> list[str]:
    """The names of the fields that are not the same. Of some people only the account is known."""
    old, new = shown(before, place), shown(after, place)
    same = {"Person"} if before.account and before.account == after.account else set()
    if before.when and after.when and before.when.is_same(after.when):
        same.add("Worked")
    return [name for name in new if new[name] != old[name] and name not in same]


def changes(before: Values | None, after: Values, place: Place) -> list[Change]:
    """What is different, field by field; without a before everything there is."""
    new = shown(after, place)
    if before is None:
        return [Change(name, (Piece("", value),), name == "Text") for name, value in new.items() if value]
    old = shown(before, place)
    return [
        Change(name, _compared(name, old[name], new[name]), name == "Text")
        for name in differing(before, after, place)
    ]


def gone(before: Values | None, place: Place) -> list[Change]:
    """What was there before it was deleted."""
    old = shown(before, place) if before else {}
    return [Change(name, (Piece("del", value),), name == "Text") for name, value in old.items() if value]


def unchanged(before: Values, after: Values, place: Place) -> list[str]:
    """The names of the fields that stayed as they were, for one line."""
    changed = differing(before, after, place)
    return [name.lower() for name, value in shown(after, place).items() if value and name not in changed]


def _compared(name: str, old: str, new: str) -> tuple[Piece, ...]:
    if name == "Text" and len(old) + len(new) < LONGEST_DIFF:
        return tuple(_by_word(old, new))
    return tuple(Piece(kind, text) for kind, text in (("del", old), ("ins", new)) if text)


def _by_word(old: str, new: str) -> Iterator[Piece]:
    left, right = re.findall(r"\s+|\S+", old), re.findall(r"\s+|\S+", new)
    for kind, a, b, c, d in difflib.SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("", "".join(left[a:b]))
            continue
        if b > a:
            yield Piece("del", "".join(left[a:b]))
        if d > c:
            yield Piece("ins", "".join(right[c:d]))


# --- what happened


@dataclass(frozen=True, slots=True)
class Wire:
    """A request and its answer, as they were kept: without secrets."""

    method: str
    url: str
    status: int | None
    milliseconds: int | None
    request: Any
    response: Any
    bulk: int = 0

    @classmethod
    def read(cls, kept: Json | None) -> Self | None:
        if not kept:
            return None
        seconds = kept.get("seconds")
        return cls(
            method=str(kept.get("method") or ""),
            url=str(kept.get("url") or ""),
            status=kept.get("status"),
            milliseconds=None if seconds is None else round(1000 * seconds),
            request=kept.get("request_body"),
            response=kept.get("response_body"),
            bulk=int(kept.get("bulk") or 0),
        )

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on one side. `row` is Twinlog's own act, None what people did."""

    side: str
    at: datetime | None
    icon: str
    tone: str = ""
    row: AuditEntry | None = None
    title: str = ""
    author: str = ""
    changes: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    wire: Wire | None = None
    single: bool = False
    """Whether there was no copy yet: the second rail begins later."""


NODES = {
    "created": ("arrow-right", "go"),
    "updated": ("arrow-right", "go"),
    "deleted": ("trash", "go"),
    "linked": ("link", "go"),
    "writing": ("hourglass", "warn"),
    "not_written": ("minus", ""),
    "skipped": ("minus", ""),
    "parked": ("hand-stop", "warn"),
    "failed": ("x", "bad"),
    "planned": ("list-details", ""),
}
MAKING = ("created", "linked")
WROTE = ("created", "updated", "linked")


@dataclass(frozen=True, slots=True)
class Acts:
    """Some audit rows of one entry, the newest first, the one `earlier` than these, and how many it has in `all`."""

    rows: Sequence[AuditEntry]
    earlier: AuditEntry | None
    all: int

    @property
    def older(self) -> int | None:
        """The number that the older ones come after."""
        return self.rows[-1].pk if self.earlier else None


def events(acts: Acts, places: Places) -> list[Event]:
    """The newest first. What people did is seen by its effect: a worklog that is not as Twinlog last knew it."""
    found: list[Event] = []
    before = acts.earlier
    known = _known_after(before, {}) if before else {}
    has_copy = bool(before and (before.twin or before.became in MAKING))
    for row in reversed(acts.rows):
        source, target = places.get(row.site, SOURCE), places.get(row.target_site, TARGET)
        found += _done_by_people(row, known.get(row.site), source, single=not has_copy)
        single = not has_copy and row.became not in MAKING
        found.append(_act(row, source, target, single=single))
        has_copy = has_copy or row.became in MAKING
        known = _known_after(row, known)
    return found[::-1]


def _known_after(row: AuditEntry, known: Mapping[str, Values]) -> dict[str, Values]:
    """Both worklogs by site, as they were once this was done."""
    source, copy = Values.read(row.source), Values.read(row.after)
    now = {**known, **({row.site: source} if source else {})}
    return {**now, row.target_site: copy} if copy and row.became in WROTE else now


def _done_by_people(row: AuditEntry, known: Values | None, place: Place, *, single: bool) -> list[Event]:
    values = Values.read(row.source)
    # A deletion that names a worklog of its own took away what a move had left behind.
    if row.became == "deleted" and not row.twin:
        return [Event(place.side, None, "trash", title=f"deleted in {place.vendor}", single=single)]
    if values and (known is None or differing(known, values, place)):
        return [_edit(known, values, place, single=single)]
    return []


def _edit(before: Values | None, now: Values, place: Place, *, single: bool) -> Event:
    """What people did on a side, dated by it where it says when."""
    return Event(
        side=place.side,
        at=now.updated,
        icon="pencil" if before else "plus",
        title=f"changed in {place.vendor}" if before else f"logged it in {place.vendor}",
        author="" if before else place.person_of(now),
        changes=changes(before, now, place),
        kept=unchanged(before, now, place) if before else [],
        single=single,
    )


def _act(row: AuditEntry, source: Place, target: Place, *, single: bool) -> Event:
    before, after = Values.read(row.before), Values.read(row.after)
    lost = gone(before, target) if row.became == "deleted" else []
    icon, tone = _node(row, source)
    return Event(
        side=target.side,
        at=row.when,
        icon=icon,
        tone=tone,
        row=row,
        changes=changes(before, after, target) if after else lost,
        kept=unchanged(before, after, target) if before and after else [],
        wire=Wire.read(row.exchange),
        single=single,
    )


def _node(row: AuditEntry, source: Place) -> tuple[str, str]:
    icon, tone = NODES.get(row.became, ("minus", ""))
    return ("arrow-left" if icon == "arrow-right" and source.side == "right" else icon), tone


# --- links to the vendors' own pages


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    id: str
    url: str


def work_item_link(source: Site | None, work: str) -> Link | None:
    """The work item's page in Azure DevOps."""
    azure = source.azure if source else None
    if not (azure and work.isdecimal()):
        return None
    return Link("Azure DevOps", work, f"{azure.url.rstrip('/')}/_workitems/edit/{work}")


def copy_link(target: Site | None, issue: str, worklog: str) -> Link | None:
    """The issue's page in Jira, opened at the worklog where Jira knows it by this id."""
    jira = (target.jira or target) if target else None
    if not (jira and issue and jira.kind == Site.Kind.JIRA) or "/ex/jira/" in jira.url:
        return None
    address = f"{jira.url.rstrip('/')}/browse/{quote(issue, safe='')}"
    if target and target.kind == Site.Kind.JIRA and worklog.isdecimal():
        address += f"?focusedWorklogId={worklog}"
    return Link("Jira", issue, address)


# --- one entry


@dataclass(frozen=True, slots=True)
class Face:
    """One side of an entry: its worklog there (`id` "" for none), `work` as people call it, the `values` as far as
    they are known, and the vendor's own page. `word` is what the connection calls the side."""

    side: str
    site: str
    word: str
    id: str = ""
    work: str = ""
    values: Values | None = None
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """Everything the page of one entry shows. `entry` is None where only its audit is left, or only a plan; it
    `began` on the left, of a sync maybe on the right."""

    entry: Entry | None
    connection: Connection | None
    name: str
    id: str
    left: Face
    right: Face
    began: str
    trace: TwinTrace | None
    events: list[Event]
    acts: int
    older: int | None
    gone_since: Run | None = None

    @property
    def is_sync(self) -> bool:
        return self.connection is not None and not self.connection.is_migration

    @property
    def faces(self) -> tuple[Face, Face]:
        return self.left, self.right

    @property
    def source(self) -> Values | None:
        """The worklog as it is where it began."""
        return (self.left if self.began == "left" else self.right).values

    @property
    def other(self) -> Face:
        """The side that it is carried to."""
        return self.right if self.began == "left" else self.left

    @property
    def work(self) -> str:
        """The piece of work by the name that most people know: of a migration the issue's."""
        return self.left.work if self.is_sync and self.began == "left" else self.right.work

    @property
    def last(self) -> AuditEntry | None:
        return next((event.row for event in self.events if event.row), None)

    @property
    def shown(self) -> int:
        """How many of its acts."""
        return sum(event.row is not None for event in self.events)

    @property
    def versions(self) -> int:
        """How many versions of it people have made, as far as runs have seen."""
        return sum(event.row is None for event in self.events)


def of_entry(entry: Entry, after: int | None) -> Life:
    """With its newest acts, or those older than the number `after`."""
    return _of_migration(entry, after) if entry.connection.is_migration else _of_sync(entry, after)


def _of_migration(entry: Entry, after: int | None) -> Life:
    connection = entry.connection
    acts = _acts(_rows(connection.name, {entry.site: {entry.entry}}), after)
    trace = TwinTrace.objects.filter(connection=connection, left_id=entry.entry).first()
    key = entry.issue_key or next((row.issue_key for row in acts.rows if row.issue_key), "")
    copy = trace.right_id if trace else ""
    link = work_item_link(connection.left, entry.work)
    return Life(
        entry=entry,
        connection=connection,
        name=connection.name,
        id=entry.entry,
        left=Face("left", entry.site, "Source", entry.entry, entry.work, Values.read(entry.values), link),
        right=Face(
            "right",
            trace.right_site if trace else connection.right.name,
            "Target",
            copy,
            key,
            Values.read(trace.agreed) if trace else None,
            copy_link(connection.right, key, copy),
        ),
        began="left",
        trace=trace,
        events=_told(acts, entry, places_of_migration(connection), is_newest=after is None),
        acts=acts.all,
        older=acts.older,
        gone_since=_gone_since(entry),
    )


def _of_sync(entry: Entry, after: int | None) -> Life:
    connection = entry.connection
    side = side_of(connection, entry.site)
    trace = trace_of(connection, side, entry.entry)
    acts = _acts(_rows(connection.name, _worklogs(entry, side, trace)), after)
    places = places_of_sync(connection, _kept(entry, trace, acts), _issues(entry, trace))
    left, right = (_face(entry, which, side, trace, places) for which in Side)
    return Life(
        entry=entry,
        connection=connection,
        name=connection.name,
        id=entry.entry,
        left=left,
        right=right,
        began=trace.origin if trace else str(side),
        trace=trace,
        events=_told(acts, entry, places, is_newest=after is None),
        acts=acts.all,
        older=acts.older,
    )


def side_of(connection: Connection, site: str) -> Side:
    return Side.RIGHT if site == connection.right.name else Side.LEFT


def trace_of(connection: Connection, side: Side, worklog: str) -> TwinTrace | None:
    return TwinTrace.objects.filter(connection=connection, **{f"{side}_id": worklog}).first()


def _worklogs(entry: Entry, side: Side, trace: TwinTrace | None) -> dict[str, set[str]]:
    """By site every worklog that the entry is or was: what moves to another issue becomes another worklog."""
    name = entry.connection.name
    other = (entry.connection.right if side is Side.LEFT else entry.connection.left).name
    copies = _twins_of(name, entry.site, {entry.entry})
    if trace:
        copies.add(trace.right_id if side is Side.LEFT else trace.left_id)
    return {entry.site: {entry.entry} | _twins_of(name, other, copies), other: copies}


def _twins_of(connection: str, site: str, worklogs: set[str]) -> set[str]:
    rows = AuditEntry.objects.filter(entry__in=worklogs, connection=connection, site=site).exclude(twin="")
    return set(rows.order_by().values_list("twin", flat=True).distinct())


def _kept(entry: Entry, trace: TwinTrace | None, acts: Acts) -> list[Json | None]:
    """Every worklog the page speaks of."""
    told = [value for row in acts.rows for value in (row.source, row.before, row.after)]
    return [entry.values, *told, *((trace.left_agreed, trace.agreed) if trace else ())]


def _issues(entry: Entry, trace: TwinTrace | None) -> tuple[str, ...]:
    return (entry.work, entry.issue, *((trace.left_issue, trace.right_issue) if trace else ()))


def _face(entry: Entry, which: Side, own: Side, trace: TwinTrace | None, places: Places) -> Face:
    """The entry's own side as it was last met, the other one as both last agreed."""
    site = entry.connection.left if which is Side.LEFT else entry.connection.right
    if which is own:
        worklog, issue, kept = entry.entry, entry.work, entry.values
    elif trace is None:
        worklog, issue, kept = "", entry.issue, None
    elif which is Side.LEFT:
        worklog, issue, kept = trace.left_id, trace.left_issue, trace.left_agreed
    else:
        worklog, issue, kept = trace.right_id, trace.right_issue, trace.agreed
    place = places[site.name]
    key = place.names.get(issue, "") or (entry.issue_key if which is not own else "")
    link = copy_link(site, key, worklog)
    return Face(which, site.name, which.capitalize(), worklog, key or issue, _named(kept, place), link)


def _named(kept: Json | None, place: Place) -> Values | None:
    values = Values.read(kept)
    return values and replace(values, person=values.person or place.people.get(values.account, ""))


def of_audit(row: AuditEntry, after: int | None) -> Life:
    """Where no entry is kept: its rows alone tell."""
    connection = Connection.objects.filter(name=row.connection).select_related(*_of(SITES)).first()
    acts = _acts(_rows(row.connection, {row.site: {row.entry}}), after)
    last = acts.rows[0] if acts.rows else row
    is_sync = connection is not None and not connection.is_migration
    places: Places = {row.site: SOURCE, row.target_site: TARGET}
    if connection and is_sync:
        kept = [value for each in acts.rows for value in (each.source, each.before, each.after)]
        places = places_of_sync(connection, kept, (last.work, last.issue))
    elif connection:
        places = places_of_migration(connection)
    source, target = _faces_of_audit(last, connection, places)
    left, right = (target, source) if source.side == "right" else (source, target)
    return Life(
        entry=None,
        connection=connection,
        name=row.connection,
        id=row.entry,
        left=left,
        right=right,
        began=source.side,
        trace=None,
        events=events(acts, places),
        acts=acts.all,
        older=acts.older,
    )


def _faces_of_audit(last: AuditEntry, connection: Connection | None, places: Places) -> tuple[Face, Face]:
    """The side it came from and the one it went, or was to go, to."""
    from_, to = places.get(last.site, SOURCE), places.get(last.target_site, TARGET)
    sites = {"left": connection.left, "right": connection.right} if connection else {}
    is_sync = connection is not None and not connection.is_migration
    work, key = from_.names.get(last.work, last.work), to.names.get(last.issue, "") or last.issue_key
    own = (
        copy_link(sites.get(from_.side), work, "") if is_sync else work_item_link(sites.get(from_.side), work)
    )
    words = (from_.side.capitalize(), to.side.capitalize()) if is_sync else ("Source", "Target")
    return (
        Face(from_.side, last.site, words[0], last.entry, work, Values.read(last.source), own),
        Face(to.side, last.target_site, words[1], work=key, link=copy_link(sites.get(to.side), key, "")),
    )


def _of(paths: Sequence[str]) -> list[str]:
    return [path.removeprefix("connection__") for path in paths]


def entry_with(row: AuditEntry) -> Entry | None:
    """The entry that an act is told with: of an edit of a copy the one it is the copy of."""
    entries = Entry.objects.filter(connection__name=row.connection).select_related(*SITES)
    own = entries.filter(site=row.site, entry=row.entry).first()
    connection = Connection.objects.filter(name=row.connection).select_related("left", "right").first()
    if own or connection is None or connection.is_migration:
        return own
    side = side_of(connection, row.site)
    trace = trace_of(connection, side, row.entry)
    if trace is None:
        return None
    twin = trace.right_id if side is Side.LEFT else trace.left_id
    return entries.filter(site=row.target_site, entry=twin).first()


def page_with(entry: Entry, row: AuditEntry) -> int | None:
    """The number that the page of this entry which shows the row comes after; None where the newest page does."""
    worklogs = {entry.site: {entry.entry}}
    if not entry.connection.is_migration:
        side = side_of(entry.connection, entry.site)
        worklogs = _worklogs(entry, side, trace_of(entry.connection, side, entry.entry))
    newer = _rows(row.connection, worklogs).filter(pk__gt=row.pk).count()
    return row.pk + 1 if newer >= ROWS else None


def _rows(connection: str, worklogs: Mapping[str, set[str]]) -> QuerySet[AuditEntry]:
    """What was done to these worklogs, by site."""
    every = {worklog for found in worklogs.values() for worklog in found}
    places = Q(pk__in=[])
    for site, found in worklogs.items():
        places |= Q(site=site, entry__in=found)
    return AuditEntry.objects.filter(places, entry__in=every, connection=connection)


def _acts(every: QuerySet[AuditEntry], after: int | None) -> Acts:
    rows = every if after is None else every.filter(pk__lt=after)
    found = list(rows.order_by("-id")[: ROWS + 1])
    is_whole = after is None and len(found) <= ROWS
    earlier = found[ROWS] if len(found) > ROWS else None
    return Acts(found[:ROWS], earlier, len(found) if is_whole else every.count())


def _told(acts: Acts, entry: Entry, places: Places, *, is_newest: bool) -> list[Event]:
    """Rows as events, and an edit that no row tells of because it changed nothing on the other side."""
    found = events(acts, places)
    if not is_newest:
        return found
    now, last = Values.read(entry.values), _last_known(acts, entry.site)
    place = places.get(entry.site, SOURCE)
    if now and last and differing(last, now, place):
        found.insert(0, _edit(last, now, place, single=False))
    return found


def _last_known(acts: Acts, site: str) -> Values | None:
    known: dict[str, Values] = {}
    for row in reversed(acts.rows):
        known = _known_after(row, known)
    return known.get(site)


def _gone_since(entry: Entry) -> Run | None:
    """The newest finished run, where it no longer found the entry at its source."""
    newest = newest_finished(entry.connection, Run.Kind.MIGRATION)
    return newest if newest and not_found(newest).filter(pk=entry.pk).exists() else None
