"""People of a connection: who they are on the target and how that was found, and the entries of those who are nobody
there. Of the source as the newest run read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, Subquery, Sum
from django.db.models.fields.json import KeyTransform

from connections.models import Connection, Site, UserMapping
from connections.wording import counted
from worklogs.models import Entry, Fetched, Run

ENDED = (Run.State.FINISHED, Run.State.PLANNED)
CANDIDATES = 4
NOBODY = {"name": "", "email": "", "account": "", "guid": ""}
PAIR = (
    "left_account", "left_name", "left_email", "right_account", "right_name", "right_email", "found_by",
)  # fmt: skip
NOT_CARRIED = (Entry.Standing.FAILED, Entry.Standing.PARKED, Entry.Standing.SKIPPED)


@dataclass(frozen=True, slots=True)
class Amount:
    entries: int = 0
    seconds: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.entries + other.entries, self.seconds + other.seconds)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.entries - other.entries, self.seconds - other.seconds)


@dataclass(frozen=True, slots=True)
class Line:
    """One person of the source. `label` is the e-mail, else the name, else the id; `how` a UserMapping's way of being
    found, or "none". `used` is false for a pair that no run has gone by yet; `side` is where they logged, of a sync
    maybe the right."""

    label: str
    name: str = ""
    email: str = ""
    account: str = ""
    guid: str = ""
    side: str = "left"
    how: str = "none"
    target: str = ""
    target_name: str = ""
    used: bool = True
    has_token: bool = False
    every: Amount = Amount()
    waiting: Amount = Amount()
    carried: Amount = Amount()

    @property
    def key(self) -> str:
        """What a pair names them by on the source's side."""
        return self.email or self.account or self.label

    @property
    def can_be_paired(self) -> bool:
        """A pair needs an e-mail address or an id; a bare name may be two people's."""
        return self.side == "left" and bool(self.email or self.account)

    @property
    def named(self) -> dict[str, str]:
        return {"person": self.key}

    @property
    def is_missing(self) -> bool:
        return self.how == "none"

    @property
    def by_hand(self) -> bool:
        return self.how in (UserMapping.FoundBy.MANUAL, UserMapping.FoundBy.FILE)


@dataclass(frozen=True, slots=True)
class People:
    """Everybody, those without an account first, then by name. `run` is what they were read from."""

    connection: Connection
    run: Run | None
    lines: list[Line]

    @property
    def missing(self) -> list[Line]:
        return [line for line in self.lines if line.is_missing]

    @property
    def waiting(self) -> Amount:
        return sum((line.waiting for line in self.missing), Amount())

    @property
    def carried(self) -> Amount:
        return sum((line.carried for line in self.missing), Amount())

    @property
    def every(self) -> Amount:
        return sum((line.every for line in self.missing), Amount())

    @property
    def tokens(self) -> int:
        return sum(line.has_token for line in self.lines)

    @property
    def into_jira(self) -> bool:
        return self.connection.right.kind == Site.Kind.JIRA

    def named(self, key: str) -> Line | None:
        return next((line for line in self.lines if key.casefold() in _names(line)), None)


def of(connection: Connection) -> People:
    run = _newest_with_entries(connection)
    pairs = _Pairs(connection)
    held = _held_back(connection)
    tokens = _token_holders(connection)
    everybody = _found_in(run) if run else []
    told = [(found, pairs.of(found.names, found.account)) for found in everybody]
    told += pairs.unseen(everybody, every=not connection.is_migration)
    lines = [
        Line(
            found.label,
            side=found.side,
            **found.who,
            **pair,
            **_weights(found, held),
            has_token=found.who["email"].casefold() in tokens,
        )
        for found, pair in told
    ]
    return People(connection, run, sorted(lines, key=_order))


def _order(line: Line) -> tuple[Any, ...]:
    return (
        not line.is_missing,
        -line.every.entries if line.is_missing else 0,
        (line.name or line.label).casefold(),
    )


def _names(line: Line) -> set[str]:
    return {name.casefold() for name in (line.label, line.email, line.account, line.guid) if name}


def _newest_with_entries(connection: Connection) -> Run | None:
    """The newest run that read to its end and whose reading is kept, else the newest that has read anything."""
    read = Exists(Fetched.objects.filter(run=OuterRef("pk")))
    runs = list(connection.runs.filter(read).defer("result").order_by("-id")[:CANDIDATES])
    return next((run for run in runs if run.state in ENDED), runs[0] if runs else None)


@dataclass(frozen=True, slots=True)
class _Found:
    """One person by the run's entries: who they are, and the account it wrote for, empty where it found none."""

    label: str
    account: str
    every: Amount
    who: Mapping[str, Any]
    side: str = "left"

    @property
    def names(self) -> list[str]:
        return [name.casefold() for name in (self.label, *self.who.values()) if name]


def _found_in(run: Run) -> Sequence[_Found]:
    """Everybody whose entries the run fetched."""
    if not run.connection.is_migration:
        return _found_in_sync(run)
    if _has_read(run):
        return _found_in_all(run.pk, run.started_at)
    return _found_now(run.pk)


def _has_read(run: Run) -> bool:
    """Whether it fetches nothing any more: a sync may, as long as it goes on."""
    if run.state in ENDED:
        return True
    return run.is_live and run.phase == Run.Phase.CARRYING and run.connection.is_migration


@lru_cache(maxsize=8)
def _found_in_all(run: int, _started_at: datetime) -> Sequence[_Found]:
    """What has been read stays as it is; to add it up takes long where it is much."""
    return _found_now(run)


def _found_in_sync(run: Run) -> Sequence[_Found]:
    """Of both sides, whoever logged on both once; who only deleted something there is nobody to look for."""
    rows = run.fetched.filter(gone=False).exclude(person="").order_by()
    groups = rows.values_list("site", "person", "account").annotate(Count("id"), Sum("seconds"), Min("id"))
    left = run.connection.left.name
    merged: dict[str, tuple[str, str, str, Amount, int]] = {}
    for site, label, account, entries, seconds, sample in sorted(groups, key=lambda row: row[0] != left):
        first = (label, account, "left" if site == left else "right", Amount(), sample)
        name, before, side, already, oldest = merged.get(label.casefold(), first)
        merged[label.casefold()] = (name, before or account, side, already + Amount(entries, seconds), oldest)
    persons = _persons(sample for *_, sample in merged.values())
    return [
        _Found(label, account, every, persons.get(sample, NOBODY), side)
        for label, account, side, every, sample in merged.values()
    ]


def _found_now(run: int) -> Sequence[_Found]:
    # Those of nobody are left out afterwards: without a condition the index is added up sooner.
    groups = Fetched.objects.filter(run=run).order_by().values_list("person", "account")
    merged: dict[str, tuple[str, str, Amount, int]] = {}
    for label, account, entries, seconds, sample in groups.annotate(Count("id"), Sum("seconds"), Min("id")):
        _, before, already, _ = merged.get(label.casefold(), ("", "", Amount(), 0))
        every = Amount(entries, seconds) + already
        merged[label.casefold()] = (label, account or before, every, sample)
    persons = _persons(sample for *_, sample in merged.values())
    return [
        _Found(label, account, every, persons.get(sample, NOBODY))
        for key, (label, account, every, sample) in merged.items()
        if key
    ]


def _persons(samples: Iterable[int]) -> dict[int, dict[str, str]]:
    """Who the entries of these numbers name."""
    rows = Fetched.objects.filter(pk__in=list(samples)).order_by()
    named = rows.annotate(who=KeyTransform("person", "values")).values_list("pk", "who")
    return {number: {name: (who or {}).get(name, "") for name in NOBODY} for number, who in named}


class _Pairs:
    """Who is known to be whom, those set by people before those found."""

    def __init__(self, connection: Connection) -> None:
        rows = list(connection.user_mappings.values_list(*PAIR, named=True))
        self._by_hand = [row for row in rows if row.found_by != UserMapping.FoundBy.EMAIL]
        self._found = found = [row for row in rows if row.found_by == UserMapping.FoundBy.EMAIL]
        self._by_name = {
            name.casefold(): row
            for row in (*found, *self._by_hand)
            for name in (row.left_account, row.left_email)
            if name
        }

    def of(self, names: Iterable[str], used: str) -> dict[str, Any]:
        """Who that is on the target. `used` is the account the run wrote for: it knows better than a row of an
        earlier one."""
        row = next((self._by_name[name] for name in names if name in self._by_name), None)
        if row is None or (row.found_by == UserMapping.FoundBy.EMAIL and not used):
            return {"how": UserMapping.FoundBy.EMAIL if used else "none", "target": used}
        return _told(row) | {"used": bool(used) and row.right_account in ("", used)}

    def unseen(self, everybody: Sequence[_Found], *, every: bool) -> Iterator[tuple[_Found, dict[str, Any]]]:
        """Pairs that people made for somebody who has no entries yet; `every` pair where a run reads changes only."""
        known = {name for found in everybody for name in found.names}
        for row in [*self._found, *self._by_hand] if every else self._by_hand:
            names = {row.left_email.casefold(), row.left_account.casefold()}
            if every:
                names |= {row.right_email.casefold(), row.right_account.casefold()}
            if not (names - {""}) & known:
                known |= names - {""}
                who = {
                    "name": row.left_name,
                    "email": row.left_email,
                    "account": row.left_account,
                    "guid": "",
                }
                yield _Found(row.left_email or row.left_account, "", Amount(), who), _told(row)


def _told(row: Any) -> dict[str, Any]:
    target = row.right_account or row.right_email
    return {"how": row.found_by, "target": target, "target_name": row.right_name}


def _held_back(connection: Connection) -> dict[str, dict[str, Amount]]:
    """What is not carried, by the person's label and how it stands."""
    rows = (
        Entry.objects.filter(connection=connection, standing__in=NOT_CARRIED)
        .order_by()
        .values_list("person_email", "person_name", "standing")
        .annotate(Count("id"), Sum("seconds"))
    )
    found: dict[str, dict[str, Amount]] = {}
    for email, name, standing, entries, seconds in rows:
        by_standing = found.setdefault((email or name).casefold(), {})
        by_standing[standing] = by_standing.get(standing, Amount()) + Amount(entries, seconds)
    return found


def _weights(found: _Found, held: Mapping[str, Mapping[str, Amount]]) -> dict[str, Any]:
    mine = held.get(found.label.casefold(), {})
    nothing = Amount()
    waiting = mine.get(Entry.Standing.FAILED, nothing) + mine.get(Entry.Standing.PARKED, nothing)
    skipped = mine.get(Entry.Standing.SKIPPED, nothing)
    return {"every": found.every, "waiting": waiting, "carried": found.every - waiting - skipped}


def _token_holders(connection: Connection) -> set[str]:
    """E-mails of those in whose own name a jira target can be written to."""
    if connection.right.kind != Site.Kind.JIRA:
        return set()
    return {
        email.casefold()
        for email in connection.right.tokens.exclude(email="").values_list("email", flat=True)
    }


# --- all connections


@dataclass(frozen=True, slots=True)
class Summary:
    """One connection's people: those without an account in its last run who have not been paired since."""

    connection: Connection
    run: Run | None
    missing: list[str]
    found: dict[str, int]

    @property
    def words(self) -> str:
        return counted(len(self.missing), "person", "people")

    @property
    def by_hand(self) -> int:
        return sum(count for found_by, count in self.found.items() if found_by != UserMapping.FoundBy.EMAIL)


def of_all() -> list[Summary]:
    last = Run.objects.filter(connection=OuterRef("pk"), state__in=ENDED).order_by("-id").values("pk")[:1]
    connections = list(Connection.objects.with_sites().annotate(last_run=Subquery(last)))
    missing = still_missing({row.pk: row.last_run for row in connections})
    numbers = [row.last_run for row in connections if row.last_run]
    runs = Run.objects.filter(pk__in=numbers).defer("result").in_bulk()
    counts: dict[int, dict[str, int]] = {}
    rows = UserMapping.objects.order_by().values_list("connection", "found_by").annotate(Count("id"))
    for connection, found_by, count in rows:
        counts.setdefault(connection, {})[found_by] = count
    summaries = [
        Summary(row, runs.get(row.last_run), list(missing[row.pk]), counts.get(row.pk, {}))
        for row in connections
    ]
    return sorted(summaries, key=lambda summary: -len(summary.missing))


def still_missing(last: Mapping[int, int | None]) -> dict[int, tuple[str, ...]]:
    """Whom each connection's `last` run found no account for, but for those whom somebody has paired since."""
    runs = Run.objects.filter(pk__in=[number for number in last.values() if number]).order_by()
    # The names alone, without the long list of failures beside them.
    names = dict(runs.values_list("pk", KeyTransform("missing_people", "result")))
    paired = _paired_by_hand()
    return {
        connection: tuple(
            name for name in names.get(number) or () if (connection, name.casefold()) not in paired
        )
        for connection, number in last.items()
    }


def _paired_by_hand() -> set[tuple[int, str]]:
    rows = UserMapping.objects.exclude(found_by=UserMapping.FoundBy.EMAIL).order_by()
    named = rows.values_list("connection", "left_email", "left_account")
    return {(connection, name.casefold()) for connection, *names in named for name in names if name}


# --- pairs somebody hands in


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pair that is not yet so. `line` is the person it is about, None where nobody of that name has entries."""

    left: str
    right: str
    line: Line | None

    @property
    def is_change(self) -> bool:
        return self.line is not None and not self.line.is_missing


def proposals(people: People, pairs: Iterable[tuple[str, str]]) -> list[Proposal]:
    """The pairs that would change something, each person's last one counts."""
    last = {left.casefold(): (left, right) for left, right in pairs}
    found = [Proposal(left, right, people.named(left)) for left, right in last.values()]
    return [one for one in found if not (one.line and _is_so(one.line, one.right))]


def _is_so(line: Line, right: str) -> bool:
    return right.casefold() == line.target.casefold() and bool(right)


def affected(found: Sequence[Proposal]) -> tuple[Amount, Amount]:
    """Entries that wait and that are carried already, of everybody the pairs are about."""
    about = {one.line.label: one.line for one in found if one.line}.values()
    return sum((line.waiting for line in about), Amount()), sum((line.carried for line in about), Amount())
