"""The life of one entry over all runs and both sides: what it was, what changed, who or what caused it."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import quote, urlsplit

from django.db.models import QuerySet
from django.utils import timezone

from connections.models import Connection, Site
from connections.wording import day_text, duration_text, short_day_text, wall_clock_text
from worklogs.clock import Note
from worklogs.models import AuditEntry, Entry, Run, TwinTrace
from worklogs.reading.gone import gone as not_found
from worklogs.reading.gone import newest_finished

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


def shown(values: Values, work: str) -> dict[str, str]:
    """Each field as people read it; `work` says what the side calls the piece of work."""
    when = values.when
    worked = f"{day_text(when.day)}, {wall_clock_text(when.start)} {when.zone}".strip() if when else ""
    return {
        "Person": values.who,
        work: values.work,
        "Worked": worked,
        "Time": "" if values.seconds is None else duration_text(values.seconds),
        "Billable": "" if values.billable is None else duration_text(values.billable),
        "Text": values.text,
        "Attributes": ", ".join(f"{key}: {value}" for key, value in values.attributes),
    }


def changes(before: Values | None, after: Values, work: str) -> list[Change]:
    """What is different, field by field; without a before everything there is."""
    new = shown(after, work)
    if before is None:
        return [Change(name, (Piece("", value),), name == "Text") for name, value in new.items() if value]
    old = shown(before, work)
    return [
        Change(name, _compared(name, old[name], value), name == "Text")
        for name, value in new.items()
        if value != old[name]
    ]


def gone(before: Values | None, work: str) -> list[Change]:
    """What was there before it was deleted."""
    old = shown(before, work) if before else {}
    return [Change(name, (Piece("del", value),), name == "Text") for name, value in old.items() if value]


def unchanged(before: Values, after: Values, work: str) -> list[str]:
    """The names of the fields that stayed as they were, for one line."""
    old, new = shown(before, work), shown(after, work)
    return [name.lower() for name, value in new.items() if value and value == old[name]]


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


def events(acts: Acts, source: str) -> list[Event]:
    """The newest first. `source` is that vendor's name."""
    found: list[Event] = []
    before = acts.earlier
    known = Values.read(before.source) if before else None
    has_copy = bool(before and (before.twin or before.became in MAKING))
    for row in reversed(acts.rows):
        values = Values.read(row.source)
        if values and (known is None or changes(known, values, "Work item")):
            found.append(_edit(known, values, source, single=not has_copy))
            known = values
        single = not has_copy and row.became not in MAKING
        found.append(_act(row, single=single))
        has_copy = has_copy or row.became in MAKING
    return found[::-1]


def _edit(before: Values | None, now: Values, source: str, *, single: bool) -> Event:
    """What people did at the source: seen by its effect, dated by the source where it says when."""
    return Event(
        side="left",
        at=now.updated,
        icon="pencil" if before else "plus",
        title=f"changed in {source}" if before else f"logged it in {source}",
        author="" if before else now.who,
        changes=changes(before, now, "Work item"),
        kept=unchanged(before, now, "Work item") if before else [],
        single=single,
    )


def _act(row: AuditEntry, *, single: bool) -> Event:
    before, after = Values.read(row.before), Values.read(row.after)
    lost = gone(before, "Issue id") if row.became == "deleted" else []
    icon, tone = NODES.get(row.became, ("minus", ""))
    return Event(
        side="right",
        at=row.when,
        icon=icon,
        tone=tone,
        row=row,
        changes=changes(before, after, "Issue id") if after else lost,
        kept=unchanged(before, after, "Issue id") if before and after else [],
        wire=Wire.read(row.exchange),
        single=single,
    )


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
class Life:
    """Everything the page of one entry shows. `entry` is None where only its audit is left, or only a plan."""

    entry: Entry | None
    connection: Connection | None
    name: str
    id: str
    source_site: str
    target_site: str
    source: Values | None
    copy: Values | None
    trace: TwinTrace | None
    issue_key: str
    events: list[Event]
    acts: int
    older: int | None
    gone_since: Run | None
    work_item: Link | None
    issue: Link | None

    @property
    def last(self) -> AuditEntry | None:
        return next((event.row for event in self.events if event.row), None)

    @property
    def shown(self) -> int:
        """How many of its acts."""
        return sum(event.row is not None for event in self.events)

    @property
    def versions(self) -> int:
        """How many versions of it the source has had, as far as runs have seen."""
        return sum(event.row is None for event in self.events)


def of_entry(entry: Entry, after: int | None) -> Life:
    """With its newest acts, or those older than the number `after`."""
    connection = entry.connection
    acts = _acts(_rows(connection.name, entry.site, entry.entry), after)
    trace = TwinTrace.objects.filter(connection=connection, left_id=entry.entry).first()
    key = entry.issue_key or next((row.issue_key for row in acts.rows if row.issue_key), "")
    return Life(
        entry=entry,
        connection=connection,
        name=connection.name,
        id=entry.entry,
        source_site=entry.site,
        target_site=trace.right_site if trace else connection.right.name,
        source=Values.read(entry.values),
        copy=Values.read(trace.agreed) if trace else None,
        trace=trace,
        issue_key=key,
        events=_told(acts, entry, connection.left, is_newest=after is None),
        acts=acts.all,
        older=acts.older,
        gone_since=_gone_since(entry),
        work_item=work_item_link(connection.left, entry.work),
        issue=copy_link(connection.right, key, trace.right_id if trace else ""),
    )


def of_audit(row: AuditEntry, after: int | None) -> Life:
    """Where no entry is kept: its rows alone tell."""
    connection = Connection.objects.filter(name=row.connection).select_related(*_of(SITES)).first()
    acts = _acts(_rows(row.connection, row.site, row.entry), after)
    left = connection.left if connection else None
    last = acts.rows[0] if acts.rows else row
    return Life(
        entry=None,
        connection=connection,
        name=row.connection,
        id=row.entry,
        source_site=row.site,
        target_site=row.target_site,
        source=Values.read(last.source),
        copy=None,
        trace=None,
        issue_key=last.issue_key,
        events=events(acts, VENDORS.get(Site.Kind(left.kind), "") if left else "the source"),
        acts=acts.all,
        older=acts.older,
        gone_since=None,
        work_item=work_item_link(left, last.work),
        issue=copy_link(connection.right if connection else None, last.issue_key, ""),
    )


def _of(paths: Sequence[str]) -> list[str]:
    return [path.removeprefix("connection__") for path in paths]


def page_with(row: AuditEntry) -> int | None:
    """The number that the page which shows this row comes after; None where the newest page does."""
    newer = _rows(row.connection, row.site, row.entry).filter(pk__gt=row.pk).count()
    return row.pk + 1 if newer >= ROWS else None


def _rows(connection: str, site: str, entry: str) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(entry=entry, connection=connection, site=site)


def _acts(every: QuerySet[AuditEntry], after: int | None) -> Acts:
    rows = every if after is None else every.filter(pk__lt=after)
    found = list(rows.order_by("-id")[: ROWS + 1])
    is_whole = after is None and len(found) <= ROWS
    earlier = found[ROWS] if len(found) > ROWS else None
    return Acts(found[:ROWS], earlier, len(found) if is_whole else every.count())


def _told(acts: Acts, entry: Entry, source: Site, *, is_newest: bool) -> list[Event]:
    """Rows as events, and an edit that no row tells of because it changed nothing on the other side."""
    vendor = VENDORS[Site.Kind(source.kind)]
    found = events(acts, vendor)
    if not is_newest:
        return found
    now, last = Values.read(entry.values), Values.read(acts.rows[0].source) if acts.rows else None
    if now and last and changes(last, now, "Work item"):
        found.insert(0, _edit(last, now, vendor, single=False))
    return found


def _gone_since(entry: Entry) -> Run | None:
    """The newest finished run, where it no longer found the entry at its source."""
    newest = newest_finished(entry.connection, Run.Kind.MIGRATION)
    return newest if newest and not_found(newest).filter(pk=entry.pk).exists() else None
