"""left + right + trace -> what is to be done with each entry of one issue. Pure: no database, no network."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connections.options import Lookalikes
from worklogs import texts
from worklogs.rules import Author, Policy, Refuse, Skip, Target, copy_of
from worklogs.worklog import Worklog


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a trace remembers: the copy's id and issue, and the digests of both sides when they last agreed."""

    twin: str
    issue: str
    source_digest: str
    copy_digest: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """An entry with its author and issue found: the `source`, the `copy` as it should stand on the target, the
    `account` found for the person ("" for none), the personal `token` to write with, and what was agreed before."""

    source: Worklog
    copy: Worklog
    account: str = ""
    token: str = ""
    agreed: Agreed | None = None


@dataclass(frozen=True, slots=True)
class Create:
    mapped: Mapped


@dataclass(frozen=True, slots=True)
class Update:
    """`before` is the copy as it stands now; `changed` names the fields that will differ."""

    mapped: Mapped
    before: Worklog
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """To another issue: created there, then `before` is deleted where it stands."""

    mapped: Mapped
    before: Worklog


@dataclass(frozen=True, slots=True)
class Link:
    """`standing` is taken for the copy; nothing is written."""

    mapped: Mapped
    standing: Worklog
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Both sides are as they should be; `standing` is the copy."""

    mapped: Mapped
    standing: Worklog


@dataclass(frozen=True, slots=True)
class Decline:
    """Not carried: skipped, refused or parked."""

    mapped: Mapped
    why: Skip | Refuse


Action = Create | Update | Move | Link | Keep | Decline
type Looks = tuple[str, int, datetime | None]

MINUTE = 60
FIELDS = ("issue", "author", "start", "seconds", "billable", "text")


def plan_issue(
    entries: Sequence[Mapped], standing: Sequence[Worklog], owned: Collection[str], policy: Policy
) -> list[Action]:
    """What to do with each entry, in the order given.

    `standing` are the target's worklogs that may be copies: all of the issue, and the present copies of these
    entries wherever they are. `owned` are ids of those that a trace claims already.
    """
    by_id = {row.entry: row for row in standing}
    taken = {*owned, *(mapped.agreed.twin for mapped in entries if mapped.agreed)}
    free = [row for row in standing if row.entry not in taken]
    found = recognised([mapped for mapped in entries if not mapped.agreed], free, policy)
    return [
        _again(mapped, mapped.agreed, by_id.get(mapped.agreed.twin), policy)
        if mapped.agreed
        else found.get(mapped.source.entry) or Create(mapped)
        for mapped in entries
    ]


def find_written(
    copies: Sequence[Worklog], standing: Iterable[Worklog], owned: Collection[str], policy: Policy
) -> dict[str, Worklog]:
    """Which writes of unknown outcome did happen: by source entry, the worklog that stands on the target.

    By marker where the target keeps markers; else the same author, issue, start, seconds and text, taken by count
    among those that no trace owns.
    """
    free = [row for row in standing if row.entry not in owned]
    found: dict[str, Worklog] = {}
    for copy in copies:
        if row := next((row for row in free if _is_written(copy, row, policy)), None):
            free.remove(row)
            found[copy.marker] = row
    return found


def is_updated(copy: Worklog, standing: Worklog, agreed_digest: str, policy: Policy) -> bool:
    """Whether an update of unknown outcome did happen to a copy whose digest was `agreed_digest` before it."""
    touched = standing.digest != agreed_digest
    return not differences(as_stored(copy, standing, policy) if touched else copy, standing, policy)


def as_stored(copy: Worklog, standing: Worklog, policy: Policy) -> Worklog:
    """The copy with what a target may make of it by itself: Jira seems to keep whole minutes, any may trim texts."""
    is_rounded = policy.target is Target.JIRA and abs(copy.seconds - standing.seconds) < MINUTE
    is_trimmed = _folded(copy.text) == _folded(standing.text)
    return copy.with_(
        seconds=standing.seconds if is_rounded else copy.seconds,
        text=standing.text if is_trimmed else copy.text,
    )


def differences(wanted: Worklog, standing: Worklog, policy: Policy) -> tuple[str, ...]:
    """Names of the fields in which a standing copy is not what it should be."""
    same = {
        "issue": wanted.work == standing.work,
        "author": wanted.person.account == standing.person.account,
        "start": _start(wanted, policy) == _start(standing, policy),
        "seconds": wanted.seconds == standing.seconds,
        "billable": wanted.billable is None or wanted.billable == standing.billable,
        "text": wanted.text == standing.text,
    }
    return tuple(name for name in FIELDS if not same[name])


def _start(worklog: Worklog, policy: Policy) -> datetime | None:
    """Jira holds instants, Tempo wall clocks."""
    if worklog.moment is None:
        return None
    return worklog.moment.instant if policy.target is Target.JIRA else worklog.moment.wall


class _Free:
    """The target's worklogs that no trace owns, taken one by one."""

    def __init__(self, rows: Iterable[Worklog], policy: Policy) -> None:
        self._policy = policy
        self._taken: set[str] = set()
        self._marked: dict[str, list[Worklog]] = defaultdict(list)
        self._unmarked: dict[Looks, list[Worklog]] = defaultdict(list)
        for row in rows:
            if row.marker:
                self._marked[row.marker].append(row)
            else:
                self._unmarked[self._looks(row)].append(row)

    def take_marked(self, mapped: Mapped) -> Worklog | None:
        return self._take(self._marked.get(mapped.source.entry, ()))

    def take_same(self, mapped: Mapped) -> Worklog | None:
        """A lookalike with the same text."""
        return self._take(row for row in self._alike(mapped) if _is_text(mapped, row))

    def take_lookalike(self, mapped: Mapped) -> Worklog | None:
        """Same person, issue, day, start and seconds."""
        return self._take(self._alike(mapped))

    def _alike(self, mapped: Mapped) -> Iterator[Worklog]:
        rows = self._unmarked.get(self._looks(mapped.copy), ())
        return (row for row in rows if _is_person(mapped, row))

    def _looks(self, worklog: Worklog) -> Looks:
        return worklog.work, worklog.seconds, _start(worklog, self._policy)

    def _take(self, rows: Iterable[Worklog]) -> Worklog | None:
        row = next((row for row in rows if row.entry not in self._taken), None)
        if row is not None:
            self._taken.add(row.entry)
        return row


def _is_text(mapped: Mapped, row: Worklog) -> bool:
    headed = texts.read_header(row.text)
    return row.text == mapped.copy.text or (headed.text if headed else row.text) == mapped.source.text


def _is_person(mapped: Mapped, row: Worklog) -> bool:
    """A copy under a header is the person's whom the header names, else its author's."""
    if headed := texts.read_header(row.text):
        return headed.name == texts.on_one_line(mapped.source.person.name or mapped.source.person.label)
    return bool(mapped.account) and row.person.account == mapped.account


def recognised(fresh: Sequence[Mapped], rows: Iterable[Worklog], policy: Policy) -> dict[str, Link | Decline]:
    """What stands there already among rows that no trace owns, by source entry. Each of these ways has gone through
    all entries before the next begins, so that none takes a copy that is more surely another's, and no text is lost."""
    free = _Free(rows, policy)
    found: dict[str, Link | Decline] = {}
    by_looks = () if policy.lookalikes is Lookalikes.CREATE else (free.take_same, free.take_lookalike)
    for take in (free.take_marked, *by_looks):
        for mapped in fresh:
            if mapped.source.entry not in found and (row := take(mapped)):
                found[mapped.source.entry] = _taken(mapped, row, policy)
    return found


def _taken(mapped: Mapped, row: Worklog, policy: Policy) -> Link | Decline:
    if row.marker:
        return Link(mapped, row, "the copy bears this entry's marker")
    if policy.lookalikes is Lookalikes.LINK:
        return Link(mapped, row, "the same person, issue, start and seconds stood there already")
    return Decline(mapped, lookalike(row))


def lookalike(row: Worklog) -> Refuse:
    return Refuse(
        "lookalike",
        f"Worklog {row.entry} on the target has the same person, issue, start and seconds.",
        "Say whether the two are the same entry (link) or not (create).",
        parked=True,
        kind="parked",
    )


def _again(mapped: Mapped, agreed: Agreed, now: Worklog | None, policy: Policy) -> Action:
    """An entry that has a copy already and was edited at its source since."""
    if now is None:
        return _conflict(mapped, "was edited at its source, but its copy was deleted on the target")
    copy = mapped.copy if mapped.copy.work != now.work else _by_its_author(mapped, now, policy)
    if isinstance(copy, Refuse):
        return Decline(mapped, copy)
    wanted = mapped if copy is mapped.copy else replace(mapped, copy=copy, token="")
    changed = differences(copy, now, policy)
    if not changed:
        return Keep(wanted, now)
    if now.digest != agreed.copy_digest:
        return _conflict(mapped, "was edited at its source, and its copy was edited on the target")
    return Move(wanted, now) if "issue" in changed else Update(wanted, now, changed)


def _by_its_author(mapped: Mapped, now: Worklog, policy: Policy) -> Worklog | Refuse:
    """The copy as it should stand under the author it has: Jira never changes who wrote a worklog, and a header
    is owed wherever that is not the person who worked."""
    author = now.person.account
    if policy.target is Target.TEMPO or author == mapped.copy.person.account:
        return mapped.copy
    return copy_of(mapped.source, now.work, Author(author, true=author == mapped.account), policy)


def _conflict(mapped: Mapped, what: str) -> Decline:
    return Decline(mapped, conflict(what))


def conflict(what: str) -> Refuse:
    """Two things happened to one entry; `what` they were follows "The entry"."""
    return Refuse(
        "conflict",
        f"The entry {what}.",
        "Decide which of the two is right and correct the other by hand.",
        parked=True,
        kind="parked",
    )


def _is_written(copy: Worklog, row: Worklog, policy: Policy) -> bool:
    if policy.has_markers:
        is_other = copy.marked_site and row.marked_site and copy.marked_site != row.marked_site
        return row.marker == copy.marker and not is_other
    wanted = copy.with_(billable=None, text=_folded(copy.text))
    return not differences(wanted, row.with_(text=_folded(row.text)), policy)


def _folded(text: str) -> str:
    """The words alone: a vendor may trim what it stores, and that makes it no other entry."""
    return " ".join(text.split())
