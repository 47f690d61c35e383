"""The target's issue for each work item, or a refusal. Issues are held by id; the key is for people."""

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched, chain
from typing import Any, Protocol

from connections.clients.http import SiteError
from connections.clients.jira import JiraClient
from connections.options import IssueOptions, Match
from worklogs.rules import Refuse

LABELS_A_SEARCH = 100
TEXTS_A_SEARCH = 40
KEYS_A_SEARCH = 100
PROJECTS_A_SEARCH = 100
AT_ONCE = 8
FIELDS = ("labels", "status", "timeestimate", "project", "updated")

_NUMBER = re.compile(r"\s*#?(\d+)(?:\.0+)?\s*")
_WORK_ITEM_URL = re.compile(r"/_workitems/edit/(\d+)(?:\D|\Z)", re.IGNORECASE)


class UnusableIssueRuleError(Exception):
    """The connection's issue rule cannot be asked of this site at all."""


@dataclass(frozen=True, slots=True)
class Issue:
    """`status`, when it was `updated`, and `remaining` (estimate, whole seconds, None where it has none), as Jira
    gave them."""

    id: str
    key: str
    status: str = ""
    remaining: int | None = None
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a Jira site that holds numbers or texts."""

    id: str
    is_number: bool

    @property
    def jql(self) -> str:
        """Its name in a query, which no other field has."""
        return re.sub(r"^customfield_(\d+)$", r"cf[\1]", self.id)

    def queries_for_numbers(self, numbers: Iterable[str]) -> Iterator[str]:
        for part in batched(numbers, LABELS_A_SEARCH):
            yield f"{self.jql} in ({', '.join(part)}) ORDER BY id"

    def queries_for_texts(self, texts: Iterable[str]) -> Iterator[str]:
        """They find more than they ask for: Jira looks for the words of each text."""
        for part in batched(texts, TEXTS_A_SEARCH):
            yield " OR ".join(f"{self.jql} ~ {quoted(text)}" for text in part) + " ORDER BY id"


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A page of a search whose issues were asked for their remote links: the issues by what they link to, and the
    token of the page after it, "" after the last."""

    query: str
    following: str
    found: dict[str, list[Issue]]


class LinkKeeper(Protocol):
    """Keeps pages of links for the part of the run that comes after this one."""

    def kept(self) -> list[LinkPage]:
        """In the order in which they were kept."""

    def keep(self, page: LinkPage) -> None:
        """May raise to end this part of the run."""


class IssueFinder(Protocol):
    """Finds, for work item ids, every issue that claims to be their counterpart."""

    found_by: str

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]: ...


def find_issues(finder: IssueFinder, works: Iterable[str]) -> dict[str, Issue | Refuse]:
    """The one issue of each work item; none or several make a refusal."""
    wanted = sorted({work for work in works if work})
    found = finder.candidates(wanted)
    return {work: _only(work, found.get(work, []), finder.found_by) for work in wanted}


def _only(work: str, candidates: list[Issue], found_by: str) -> Issue | Refuse:
    distinct = {issue.id: issue for issue in candidates}
    if len(distinct) == 1:
        return next(iter(distinct.values()))
    if not distinct:
        return Refuse(
            "issue_not_found",
            f"No issue was found for work item {work} (by {found_by}).",
            f"Create or mark the issue, or pair it with work item {work}; the next run carries the entry.",
        )
    claimed = claim([issue.key for issue in distinct.values()], f"work item {work}")
    return ambiguous(
        claimed, "Take the mark off all but one of them, or pair the right one with the work item."
    )


def claim(keys: Iterable[str], what: str) -> str:
    """The sentence that several issues claim one thing."""
    named = sorted(keys)
    return f"{len(named)} issues claim {what}: {', '.join(named)}."


def ambiguous(message: str, hint: str) -> Refuse:
    return Refuse("issue_ambiguous", message, hint, parked=True)


def open_finder(options: IssueOptions, jira: JiraClient, keeper: LinkKeeper) -> IssueFinder:
    """The finder that the connection's rule asks for. Raises UnusableIssueRuleError."""
    if options.match is Match.LABEL:
        return ByLabel(options.label, jira)
    if options.match is Match.FIELD:
        return ByField(options.field, jira)
    if options.match is Match.PAIRS:
        return ByPairs(options.pairs, jira)
    if options.match is Match.LINK:
        return ByLink(jira, keeper)
    raise UnusableIssueRuleError(f'issues.match = "{options.match}" cannot find issues for work items.')


class ByLabel:
    """A label such as `ado-id-{id}`, compared exactly."""

    def __init__(self, template: str, jira: JiraClient) -> None:
        self._template = template
        self._jira = jira
        self.found_by = f"label {template}"

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        for part in batched(works, LABELS_A_SEARCH):
            labels = {self._template.replace("{id}", work): work for work in part}
            for row in self._jira.search(query_for_labels(labels), FIELDS):
                for label in set(row["fields"].get("labels") or []) & labels.keys():
                    found[labels[label]].append(issue_of(row))
        return found


class ByField:
    """A number or text field, named by id or by name, that holds the work item's id."""

    def __init__(self, field: str, jira: JiraClient) -> None:
        self._jira = jira
        self._field = field_of(field, jira, "the target")
        self.found_by = f"field {field}"

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        for jql in self._queries(works):
            for row in self._jira.search(jql, (*FIELDS, self._field.id)):
                if held := number_in(row["fields"].get(self._field.id)):
                    found[held].append(issue_of(row))
        return found

    def _queries(self, works: Sequence[str]) -> Iterator[str]:
        if self._field.is_number:
            return self._field.queries_for_numbers(works)
        return self._field.queries_for_texts(works)


class ByPairs:
    """Pairs written down by people: work item, issue key or id; several work items to one issue allowed."""

    found_by = "pairs"

    def __init__(self, pairs: Sequence[tuple[str, str]], jira: JiraClient) -> None:
        self._jira = jira
        self._keys: dict[str, list[str]] = defaultdict(list)
        for work, key in pairs:
            self._keys[number_in(work) or work].append(key)

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        keys = sorted({key for work in works for key in self._keys.get(work, ())})
        known: dict[str, Issue] = {}
        for part in batched(keys, KEYS_A_SEARCH):
            known |= resolved(part, self._jira)
        return {work: [known[key] for key in self._keys.get(work, ()) if key in known] for work in works}


class ByLink:
    """A remote link on the issue that points at the work item (`…/_workitems/edit/123`)."""

    found_by = "remote link"

    def __init__(self, jira: JiraClient, keeper: LinkKeeper) -> None:
        self._scan = LinkScan(jira, keeper, _linked_works)

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        found = self._scan.found()
        return {work: found.get(work, []) for work in works}


class LinkScan:
    """What every issue of a site links to, as `linked` reads it out of the links of one.

    Jira cannot search by remote link: every issue is asked, once a run for all its threads. That may take longer
    than the time this process has: what was asked is kept page by page.
    """

    def __init__(
        self, jira: JiraClient, keeper: LinkKeeper, linked: Callable[[Iterable[dict[str, Any]]], set[str]]
    ) -> None:
        self._jira = jira
        self._keeper = keeper
        self._linked = linked
        self._found: dict[str, list[Issue]] | None = None
        self._lock = threading.Lock()

    def found(self) -> dict[str, list[Issue]]:
        """The issues by what they link to."""
        with self._lock:
            if self._found is None:
                self._found = self._read_all()
            return self._found

    def _read_all(self) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        kept = self._keeper.kept()
        reached = {page.query: page.following for page in kept}
        for page in chain(kept, self._pages(reached)):
            for target, issues in page.found.items():
                found[target] += issues
        return dict(found)

    def _pages(self, reached: Mapping[str, str]) -> Iterator[LinkPage]:
        """Every issue we may see that lies beyond the pages reached; Jira searches no site without a bound."""
        keys = [quoted(str(project["key"])) for project in self._jira.projects()]
        for part in batched(keys, PROJECTS_A_SEARCH):
            query = f"project in ({', '.join(part)}) ORDER BY id"
            if reached.get(query) == "":
                continue
            for rows, following in self._searched(query, reached.get(query, "")):
                page = LinkPage(query, following, self._found_in(rows))
                self._keeper.keep(page)
                yield page

    def _searched(self, query: str, token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """A token that Jira does not take any more costs a new beginning: an issue found twice is one issue."""
        try:
            yield from self._jira.search_pages(query, FIELDS, token)
        except SiteError as fault:
            if not token or fault.status != 400:
                raise
            yield from self._jira.search_pages(query, FIELDS)

    def _found_in(self, rows: list[dict[str, Any]]) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        for row, links in zip(rows, links_of(rows, self._jira), strict=True):
            for target in self._linked(links):
                found[target].append(issue_of(row))
        return found


def links_of(rows: Iterable[dict[str, Any]], jira: JiraClient) -> list[list[dict[str, Any]]]:
    """The remote links of each issue, several asked at once; none where one was deleted meanwhile."""

    def ask(row: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return jira.remote_links(row["id"])
        except SiteError as fault:
            if fault.status == 404:
                return []
            raise

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, rows))


def _linked_works(links: Iterable[dict[str, Any]]) -> set[str]:
    """The work items that links point at, by address or global id."""
    named = [text for link in links for text in ((link.get("object") or {}).get("url"), link.get("globalId"))]
    return {match[1] for text in named if text and (match := _WORK_ITEM_URL.search(text))}


def resolved(names: Sequence[str], jira: JiraClient, old_keys: bool = True) -> dict[str, Issue]:
    """The issues of up to 100 ids and keys, by the name asked for.

    A moved issue answers to an old key under its present one alone: which name it answered to is found out by
    asking for those left over, by halves.
    """
    rows = [issue_of(row) for row in jira.issues(names, FIELDS)]
    present = {name: issue for issue in rows for name in (issue.id, issue.key)}
    found = {name: present[name.upper()] for name in names if name.upper() in present}
    missing = [name for name in names if name not in found and not name.isdecimal()]
    if not rows or not missing or not old_keys:
        return found
    if len(names) == 1:
        return {names[0]: rows[0]}
    if found:
        return found | resolved(missing, jira)
    halves = batched(missing, (len(missing) + 1) // 2)
    return {name: issue for half in halves for name, issue in resolved(half, jira).items()}


def issue_of(row: dict[str, Any]) -> Issue:
    fields = row.get("fields") or {}
    remaining = fields.get("timeestimate")
    return Issue(
        id=str(row["id"]),
        key=str(row.get("key") or row["id"]),
        status=str((fields.get("status") or {}).get("id") or ""),
        remaining=None if remaining is None else int(remaining),
        updated=str(fields.get("updated") or ""),
    )


def field_of(name: str, jira: JiraClient, where: str) -> Field:
    """The one field of this id or name. Raises UnusableIssueRuleError."""
    fields = jira.fields()
    named = [field for field in fields if field["id"] == name] or [
        field for field in fields if str(field.get("name", "")).casefold() == name.casefold()
    ]
    if len(named) != 1:
        many = f"{len(named)} fields are" if named else "No field is"
        raise UnusableIssueRuleError(
            f'{many} named "{name}" on {where}. Name it by its id, such as customfield_10010.'
        )
    return Field(named[0]["id"], (named[0].get("schema") or {}).get("type") == "number")


def number_in(value: Any) -> str:
    """The work item id a field or file holds: 123, 123.0, "123", " #123 "; "" for anything else."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    found = _NUMBER.fullmatch(str(value)) if value is not None and not isinstance(value, bool) else None
    return str(int(found[1])) if found else ""


def query_for_labels(labels: Iterable[str]) -> str:
    return f"labels in ({', '.join(quoted(label) for label in labels)}) ORDER BY id"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
