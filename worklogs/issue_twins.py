"""The same issue on both sides of a sync, by the connection's rule. Issues are held by id; the key is for people.

One side, the holder, bears marks (a field, a label, a remote link) that name issues of the other. Two issues are
twins where each claims nobody but the other, whichever of them is asked about.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, Protocol
from urllib.parse import urlsplit

from connections.clients.http import SiteError
from connections.clients.jira import JiraClient, Row
from connections.options import IssueOptions, Match, Side
from worklogs.issues import (
    FIELDS,
    KEYS_A_SEARCH,
    LABELS_A_SEARCH,
    Issue,
    LinkKeeper,
    LinkScan,
    ambiguous,
    claim,
    field_of,
    issue_of,
    links_of,
    number_in,
    query_for_labels,
    resolved,
)
from worklogs.rules import Refuse

KEY = r"[A-Z][A-Z0-9_]*-[1-9][0-9]*"
GATEWAY = "api.atlassian.com"
NOT_TOLD = (400, 403, 404)

_KEY = re.compile(rf"\s*({KEY})\s*", re.IGNORECASE)
_BROWSE = re.compile(rf"https?://([^?#]+)/browse/({KEY})/?(?:[?#].*)?", re.IGNORECASE)
_LINKED_ID = re.compile(r"(?:\A|&)issueId=(\d+)(?:&|\Z)")

_HINT = "Take the marks off all but one pair of them; the next run carries their entries."


@dataclass(frozen=True, slots=True)
class TwinPair:
    left: Issue
    right: Issue


type Verdict = TwinPair | Refuse | None


class IssueTwins(Protocol):
    """Finds the counterparts of issues, for all threads of a run. Errors are SiteError.

    `rule` says in words what they are found by.
    """

    rule: str

    def find(self, side: Side, issues: Sequence[str]) -> dict[str, Verdict]:
        """For issue ids of one side the pair; None where there is no counterpart, a refusal where several claim it."""

    def named_since(self, minutes: int, paired: Collection[str] = ()) -> list[TwinPair]:
        """The pairs of issues that were updated in the last so many minutes, but for those `paired` already.

        Looks at the side that holds the mark (same key: at the left), whose ids `paired` holds, and reads one page.
        Empty where the site does not answer such a query.
        """


def open_issue_twins(
    options: IssueOptions, left: JiraClient, right: JiraClient, keeper: LinkKeeper, scan: bool = False
) -> IssueTwins:
    """What finds counterparts by the connection's rule. Raises UnusableIssueRuleError, SiteError.

    `scan`: read the remote links of every issue once, which is the only way to find them from the other side.
    """
    sites = {Side.LEFT: left, Side.RIGHT: right}
    if options.match is Match.KEY:
        return TwinsByKey(sites)
    if options.match is Match.PAIRS:
        return TwinsByPairs(options.pairs, sites)
    holder = options.on or Side.RIGHT
    return TwinsByMark(_open_marks(options, sites, holder, keeper if scan else None), sites, holder)


def _open_marks(
    options: IssueOptions, sites: Mapping[Side, JiraClient], holder: Side, keeper: LinkKeeper | None
) -> "Marks":
    jira = sites[holder]
    if options.match is Match.LABEL:
        return Labels(options.label, jira)
    if options.match is Match.FIELD:
        return FieldValues(options.field, jira, f"the {holder}")
    return Links(jira, addresses_of(sites[holder.other]), keeper)


def _pair(side: Side, issue: Issue, other: Issue) -> TwinPair:
    return TwinPair(issue, other) if side is Side.LEFT else TwinPair(other, issue)


class Known:
    """Issues of one site by id or key; each name is asked for once.

    With `old_keys` a moved issue is found by a key it once had.
    """

    def __init__(self, jira: JiraClient, old_keys: bool = True) -> None:
        self._jira = jira
        self._old_keys = old_keys
        self._found: dict[str, Issue | None] = {}

    def of(self, names: Iterable[str]) -> dict[str, Issue]:
        wanted = list(dict.fromkeys(names))
        for part in batched([name for name in wanted if name not in self._found], KEYS_A_SEARCH):
            found = resolved(part, self._jira, self._old_keys)
            self._found |= {name: found.get(name) for name in part}
            self.add(found.values())
        return {name: issue for name in wanted if (issue := self._found[name])}

    def add(self, issues: Iterable[Issue]) -> None:
        self._found |= {name: issue for issue in issues for name in (issue.id, issue.key)}


class Recent:
    """Issues of one site that changed lately, until the site says that it does not answer such a query."""

    def __init__(self, jira: JiraClient, bound: str, fields: Iterable[str]) -> None:
        self._jira = jira
        self._bound = f"{bound} AND " if bound else ""
        self._fields = tuple(fields)
        self._refused = False

    def rows(self, minutes: int) -> list[Row]:
        """Of the last so many minutes, the latest first; one page."""
        if self._refused:
            return []
        query = f"{self._bound}updated >= -{minutes}m ORDER BY updated DESC"
        try:
            rows, _ = next(self._jira.search_pages(query, self._fields))
        except SiteError as fault:
            if fault.status != 400:
                raise
            self._refused = True
            return []
        return rows


class TwinsByKey:
    """The same present key on both sides. A key that an issue had before it was moved is none."""

    rule = "same key"

    def __init__(self, sites: Mapping[Side, JiraClient]) -> None:
        self._known = {side: Known(jira, old_keys=False) for side, jira in sites.items()}
        self._recent = Recent(sites[Side.LEFT], "", FIELDS)
        self._lock = threading.RLock()

    def find(self, side: Side, issues: Sequence[str]) -> dict[str, Verdict]:
        with self._lock:
            own = self._known[side].of(issues)
            others = self._known[side.other].of(issue.key for issue in own.values())
        found = {id_: _pair(side, own[id_], others[own[id_].key]) for id_ in own if own[id_].key in others}
        return {id_: found.get(id_) for id_ in issues}

    def named_since(self, minutes: int, paired: Collection[str] = ()) -> list[TwinPair]:
        with self._lock:
            changed = [issue_of(row) for row in self._recent.rows(minutes) if row["id"] not in paired]
            self._known[Side.LEFT].add(changed)
            return _pairs_in(self.find(Side.LEFT, [issue.id for issue in changed]))


class TwinsByPairs:
    """Pairs written down by people, keys or ids. An issue may have several counterparts: then each of those has its
    own, and it has none for sure."""

    rule = "pairs"

    def __init__(self, pairs: Sequence[tuple[str, str]], sites: Mapping[Side, JiraClient]) -> None:
        self._pairs = [{Side.LEFT: left.strip(), Side.RIGHT: right.strip()} for left, right in pairs]
        self._known = {side: Known(jira) for side, jira in sites.items()}
        self._lock = threading.Lock()

    def find(self, side: Side, issues: Sequence[str]) -> dict[str, Verdict]:
        with self._lock:
            own = self._known[side].of(pair[side] for pair in self._pairs)
            named = self._named(side, own, set(issues))
            there = self._known[side.other].of(name for names in named.values() for name in names)
        held = {issue.id: issue for issue in own.values()}
        others = {id_: {there[name].id: there[name] for name in named[id_] if name in there} for id_ in named}
        return {id_: _one_of(side, held.get(id_), others.get(id_, {})) for id_ in issues}

    def _named(self, side: Side, own: Mapping[str, Issue], wanted: set[str]) -> dict[str, list[str]]:
        """The names written beside each wanted issue."""
        named: dict[str, list[str]] = defaultdict(list)
        for pair in self._pairs:
            issue = own.get(pair[side])
            if issue and issue.id in wanted:
                named[issue.id].append(pair[side.other])
        return named

    def named_since(self, minutes: int, paired: Collection[str] = ()) -> list[TwinPair]:  # noqa: ARG002
        """People write pairs, not sites: nothing that changed there can name one."""
        return []


def _one_of(side: Side, issue: Issue | None, others: Mapping[str, Issue]) -> Verdict:
    if issue is None or not others:
        return None
    if len(others) == 1:
        return _pair(side, issue, next(iter(others.values())))
    message = claim([other.key for other in others.values()], f"{issue.key} of the {side}")
    return ambiguous(message, "Take all pairs but one of this issue out; the next run carries its entries.")


def _pairs_in(found: Mapping[str, Verdict]) -> list[TwinPair]:
    return [verdict for verdict in found.values() if isinstance(verdict, TwinPair)]


@dataclass(frozen=True, slots=True)
class Bearer:
    """An issue of the holder's side, and the ids and keys of the other side that its marks name."""

    issue: Issue
    names: frozenset[str]


class Marks(Protocol):
    """How issues of the holder's side name issues of the other.

    `fields` are read of them, and `bound` is the JQL that all with a mark fulfil, "" where there is none.
    """

    rule: str
    fields: tuple[str, ...]
    bound: str

    def read(self, rows: Sequence[Row]) -> list[Bearer]:
        """What each of these issues bears."""

    def search(self, others: Sequence[Issue]) -> list[Bearer]:
        """Everybody who bears the mark of one of these, as far as the site can be searched for it."""


class Labels:
    """A label such as `twin-{key}` or `twin-{id}`, compared exactly."""

    fields: tuple[str, ...] = FIELDS
    bound = "labels is not EMPTY"

    def __init__(self, template: str, jira: JiraClient) -> None:
        self.rule = f"label {template}"
        self._template = template
        self._jira = jira
        before, name, after = re.split(r"(\{key\}|\{id\})", template, maxsplit=1)
        held = KEY if name == "{key}" else "[1-9][0-9]*"
        self._pattern = re.compile(f"{re.escape(before)}({held}){re.escape(after)}")

    def read(self, rows: Sequence[Row]) -> list[Bearer]:
        return [Bearer(issue_of(row), self._names(row)) for row in rows]

    def search(self, others: Sequence[Issue]) -> list[Bearer]:
        labels = [self._template.replace("{key}", each.key).replace("{id}", each.id) for each in others]
        parts = batched(labels, LABELS_A_SEARCH)
        return self.read([row for part in parts for row in self._jira.search(query_for_labels(part), FIELDS)])

    def _names(self, row: Row) -> frozenset[str]:
        labels = row["fields"].get("labels") or []
        return frozenset(match[1] for label in labels if (match := self._pattern.fullmatch(label)))


class FieldValues:
    """A number or text field, named by id or name, that holds the key or id of the other side's issue."""

    def __init__(self, field: str, jira: JiraClient, where: str) -> None:
        self.rule = f"field {field}"
        self._jira = jira
        self._field = field_of(field, jira, where)
        self.fields: tuple[str, ...] = (*FIELDS, self._field.id)
        self.bound = f"{self._field.jql} is not EMPTY"

    def read(self, rows: Sequence[Row]) -> list[Bearer]:
        return [Bearer(issue_of(row), _names_in(row["fields"].get(self._field.id))) for row in rows]

    def search(self, others: Sequence[Issue]) -> list[Bearer]:
        wanted = {name for issue in others for name in (issue.id, issue.key)}
        rows = [row for query in self._queries(others) for row in self._jira.search(query, self.fields)]
        return [bearer for bearer in self.read(rows) if bearer.names & wanted]

    def _queries(self, others: Sequence[Issue]) -> Iterator[str]:
        if self._field.is_number:
            return self._field.queries_for_numbers(issue.id for issue in others)
        return self._field.queries_for_texts(name for issue in others for name in (issue.key, issue.id))


def _names_in(value: Any) -> frozenset[str]:
    """The keys and ids a field holds; a text that merely contains one holds none."""
    values = value if isinstance(value, list) else [value]
    return frozenset(name for each in values if (name := number_in(each) or _key_in(each)))


def _key_in(value: Any) -> str:
    found = _KEY.fullmatch(value) if isinstance(value, str) else None
    return found[1].upper() if found else ""


class Links:
    """A remote link that points at the other side's issue, by address (`…/browse/ABC-1`) or by global id.

    Jira cannot search by remote link. Without a `keeper` for a scan nobody can be found but those read.
    """

    rule = "remote link"
    fields: tuple[str, ...] = FIELDS
    bound = ""

    def __init__(self, jira: JiraClient, addresses: frozenset[str], keeper: LinkKeeper | None) -> None:
        self._jira = jira
        self._addresses = addresses
        self._scan = LinkScan(jira, keeper, self._linked) if keeper else None
        self._scanned: dict[str, Bearer] | None = None

    def read(self, rows: Sequence[Row]) -> list[Bearer]:
        if self._scan:
            scanned = self._by_scan()
            return [scanned.get(row["id"]) or Bearer(issue_of(row), frozenset()) for row in rows]
        links = links_of(rows, self._jira)
        return [
            Bearer(issue_of(row), frozenset(self._linked(each)))
            for row, each in zip(rows, links, strict=True)
        ]

    def search(self, others: Sequence[Issue]) -> list[Bearer]:  # noqa: ARG002
        """Everybody whom the scan found: it is not made for single issues."""
        return list(self._by_scan().values())

    def _by_scan(self) -> dict[str, Bearer]:
        if self._scanned is None:
            self._scanned = _by_bearer(self._scan.found()) if self._scan else {}
        return self._scanned

    def _linked(self, links: Iterable[Row]) -> set[str]:
        return {name for link in links if (name := linked_issue(link, self._addresses))}


def _by_bearer(found: Mapping[str, Iterable[Issue]]) -> dict[str, Bearer]:
    issues: dict[str, Issue] = {}
    names: dict[str, set[str]] = defaultdict(set)
    for name, bearers in found.items():
        for issue in bearers:
            issues[issue.id] = issue
            names[issue.id].add(name)
    return {id_: Bearer(issue, frozenset(names[id_])) for id_, issue in issues.items()}


def linked_issue(link: Row, addresses: Collection[str]) -> str:
    """The key or id of the issue a remote link points at, "" where it points at none of the site's.

    `addresses` are host and path of the site as people open it; where none is known every host will do. The global
    id of a link between two Jira sites is `appId=…&issueId=…`; a link with the address of another site is not ours,
    whatever id it bears.
    """
    url = str((link.get("object") or {}).get("url") or "")
    page = _BROWSE.fullmatch(url)
    if page and (not addresses or page[1].casefold() in addresses):
        return page[2].upper()
    named = _LINKED_ID.search(str(link.get("globalId") or ""))
    return named[1] if named and (not url or _is_below(url, addresses)) else ""


def _is_below(url: str, addresses: Collection[str]) -> bool:
    place = f"{url.partition('://')[2].casefold()}/"
    return not addresses or any(place.startswith(f"{address}/") for address in addresses)


def addresses_of(jira: JiraClient) -> frozenset[str]:
    """Host and path of a site as people open it; empty where that is not known.

    The API may be called by another address (the vendor's gateway, a number): it counts beside the one that the
    site gives, and alone only where people might use it.
    """
    base, called = str(_server_info(jira).get("baseUrl") or ""), jira.http.address.url
    urls = ([base] if base else []) + ([called] if base or _is_a_name(called) else [])
    parts = [urlsplit(url) for url in urls]
    return frozenset(f"{part.netloc}{part.path.rstrip('/')}".casefold() for part in parts)


def _server_info(jira: JiraClient) -> Row:
    try:
        return jira.server_info()
    except SiteError as fault:
        if fault.status not in NOT_TOLD:
            raise
        return {}


def _is_a_name(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host not in (GATEWAY, "localhost") and not re.fullmatch(r"[\d.]+|[\da-f:]+", host)


class TwinsByMark:
    """Issues whose marks name those of the other side.

    A mark with the key its issue had before it was moved counts where no issue bears the present one.
    """

    def __init__(self, marks: Marks, sites: Mapping[Side, JiraClient], holder: Side) -> None:
        self.rule = marks.rule
        self._marks = marks
        self._holder = holder
        self._jira = sites[holder]
        self._others = Known(sites[holder.other])
        self._recent = Recent(self._jira, marks.bound, marks.fields)
        self._claims = Claims()
        self._searched: set[str] = set()
        self._lock = threading.RLock()

    def find(self, side: Side, issues: Sequence[str]) -> dict[str, Verdict]:
        with self._lock:
            if side is self._holder:
                self._read(issues)
                self._search(issue for id_ in issues for issue in self._claims.claimed_by(id_))
                return {id_: self._of_bearer(id_) for id_ in issues}
            known = self._others.of(issues)
            self._search(known.values())
            return {id_: self._of_claimed(known[id_]) if id_ in known else None for id_ in issues}

    def named_since(self, minutes: int, paired: Collection[str] = ()) -> list[TwinPair]:
        with self._lock:
            rows = [row for row in self._recent.rows(minutes) if row["id"] not in paired]
            self._take(self._marks.read(rows))
            return _pairs_in(self.find(self._holder, [row["id"] for row in rows]))

    def _read(self, ids: Iterable[str]) -> None:
        """What these issues of the holder claim, asked once."""
        for part in batched(self._claims.unread(ids), KEYS_A_SEARCH):
            self._take(self._marks.read(self._jira.issues(part, self._marks.fields)))
            self._claims.note_absent(self._claims.unread(part))

    def _search(self, others: Iterable[Issue]) -> None:
        """Who else claims these issues, asked once."""
        new = {other.id: other for other in others if other.id not in self._searched}
        if new:
            found = {bearer.issue.id: bearer for bearer in self._marks.search(list(new.values()))}
            self._take([found[id_] for id_ in self._claims.unread(found)])
            self._searched |= new.keys()

    def _take(self, bearers: Sequence[Bearer]) -> None:
        there = self._others.of(sorted({name for bearer in bearers for name in bearer.names}))
        for bearer in bearers:
            self._claims.note(
                bearer.issue, {name: there[name] for name in sorted(bearer.names) if name in there}
            )

    def _of_bearer(self, id_: str) -> Verdict:
        claimed = self._claims.claimed_by(id_)
        if len(claimed) != 1:
            return self._torn(self._claims.bearer(id_), claimed) if claimed else None
        verdict = self._of_claimed(claimed[0])
        if isinstance(verdict, TwinPair):
            return verdict if self._held(verdict).id == id_ else None
        return verdict

    def _of_claimed(self, other: Issue) -> Verdict:
        bearers = self._claims.bearers_of(other)
        if not bearers:
            return None
        if len(bearers) > 1:
            message = claim([each.key for each in bearers], f"{other.key} of the {self._holder.other}")
            return ambiguous(message, _HINT)
        claimed = self._claims.claimed_by(bearers[0].id)
        if len(claimed) > 1:
            return self._torn(bearers[0], claimed)
        return _pair(self._holder, bearers[0], other)

    def _torn(self, bearer: Issue, claimed: Sequence[Issue]) -> Refuse:
        message = claim([each.key for each in claimed], f"{bearer.key} of the {self._holder} by its marks")
        return ambiguous(message, _HINT)

    def _held(self, pair: TwinPair) -> Issue:
        return pair.left if self._holder is Side.LEFT else pair.right


class Claims:
    """Who claims whom, as far as it was read: issues of the holder's side, and those of the other that they name."""

    def __init__(self) -> None:
        self._issues: dict[str, Issue] = {}
        self._named: dict[str, dict[str, Issue]] = {}
        self._bearers: dict[str, set[str]] = defaultdict(set)

    def note(self, bearer: Issue, named: dict[str, Issue]) -> None:
        """What an issue bears now: the names in its marks, and what they lead to."""
        for other in self._named.get(bearer.id, {}).values():
            self._bearers[other.id].discard(bearer.id)
        self._issues[bearer.id] = bearer
        self._named[bearer.id] = named
        for other in named.values():
            self._bearers[other.id].add(bearer.id)

    def note_absent(self, ids: Iterable[str]) -> None:
        self._named |= {id_: {} for id_ in ids}

    def unread(self, ids: Iterable[str]) -> list[str]:
        return [id_ for id_ in dict.fromkeys(ids) if id_ not in self._named]

    def bearer(self, id_: str) -> Issue:
        return self._issues[id_]

    def claimed_by(self, id_: str) -> list[Issue]:
        return list({other.id: other for other in self._named.get(id_, {}).values()}.values())

    def bearers_of(self, other: Issue) -> list[Issue]:
        """Those who name it as it is called now; where there are none, those who name it by an old key."""
        bearers = sorted(self._bearers.get(other.id, ()))
        present = [id_ for id_ in bearers if self._named[id_].keys() & {other.id, other.key}]
        return [self._issues[id_] for id_ in present or bearers]
