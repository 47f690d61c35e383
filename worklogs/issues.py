"""The target's issue for each work item, or a refusal. Issues are held by id; the key is for people."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
class LinkPage:
    """A page of a search whose issues were asked for their remote links: the issues by work item, and the token of
    the page after it, "" after the last."""

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
    keys = ", ".join(sorted(issue.key for issue in distinct.values()))
    return Refuse(
        "issue_ambiguous",
        f"{len(distinct)} issues claim work item {work}: {keys}.",
        "Take the mark off all but one of them, or pair the right one with the work item.",
        parked=True,
        kind="waiting",
    )


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
            jql = f"labels in ({', '.join(_quoted(label) for label in labels)}) ORDER BY id"
            for row in self._jira.search(jql, FIELDS):
                for label in set(row["fields"].get("labels") or []) & labels.keys():
                    found[labels[label]].append(_issue(row))
        return found


class ByField:
    """A number or text field, named by id or by name, that holds the work item's id."""

    def __init__(self, field: str, jira: JiraClient) -> None:
        self._jira = jira
        self._id, self._is_number = _field(field, jira)
        self.found_by = f"field {field}"

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        for jql in self._queries(works):
            for row in self._jira.search(jql, (*FIELDS, self._id)):
                if held := _number(row["fields"].get(self._id)):
                    found[held].append(_issue(row))
        return found

    def _queries(self, works: Sequence[str]) -> Iterator[str]:
        name = re.sub(r"^customfield_(\d+)$", r"cf[\1]", self._id)
        if self._is_number:
            for part in batched(works, LABELS_A_SEARCH):
                yield f"{name} in ({', '.join(part)}) ORDER BY id"
            return
        for part in batched(works, TEXTS_A_SEARCH):
            yield " OR ".join(f"{name} ~ {_quoted(work)}" for work in part) + " ORDER BY id"


class ByPairs:
    """Pairs written down by people: work item, issue key or id; several work items to one issue allowed."""

    found_by = "pairs"

    def __init__(self, pairs: Sequence[tuple[str, str]], jira: JiraClient) -> None:
        self._jira = jira
        self._keys: dict[str, list[str]] = defaultdict(list)
        for work, key in pairs:
            self._keys[_number(work) or work].append(key)

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        keys = sorted({key for work in works for key in self._keys.get(work, ())})
        known: dict[str, Issue] = {}
        for part in batched(keys, KEYS_A_SEARCH):
            known |= self._resolved(part)
        return {work: [known[key] for key in self._keys.get(work, ()) if key in known] for work in works}

    def _resolved(self, keys: Sequence[str]) -> dict[str, Issue]:
        """Issues by the key or id asked for. A moved issue answers under its new key alone: those are asked singly."""
        rows = [_issue(row) for row in self._jira.issues(keys, FIELDS)]
        found = {name: issue for issue in rows for name in (issue.id, issue.key) if name in keys}
        for key in set(keys) - found.keys():
            if rows_of_old_key := list(self._jira.issues([key], FIELDS)):
                found[key] = _issue(rows_of_old_key[0])
        return found


class ByLink:
    """A remote link on the issue that points at the work item (`…/_workitems/edit/123`).

    Jira cannot search by remote link: every issue is asked, once a run for all its threads. That may take longer
    than the time this process has: what was asked is kept page by page.
    """

    found_by = "remote link"

    def __init__(self, jira: JiraClient, keeper: LinkKeeper) -> None:
        self._jira = jira
        self._keeper = keeper
        self._found: dict[str, list[Issue]] | None = None
        self._lock = threading.Lock()

    def candidates(self, works: Sequence[str]) -> dict[str, list[Issue]]:
        with self._lock:
            if self._found is None:
                self._found = self._read_all()
        return {work: self._found.get(work, []) for work in works}

    def _read_all(self) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        kept = self._keeper.kept()
        reached = {page.query: page.following for page in kept}
        for page in chain(kept, self._pages(reached)):
            for work, issues in page.found.items():
                found[work] += issues
        return found

    def _pages(self, reached: Mapping[str, str]) -> Iterator[LinkPage]:
        """Every issue we may see that lies beyond the pages reached; Jira searches no site without a bound."""
        keys = [_quoted(str(project["key"])) for project in self._jira.projects()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for part in batched(keys, PROJECTS_A_SEARCH):
                query = f"project in ({', '.join(part)}) ORDER BY id"
                if reached.get(query) == "":
                    continue
                for rows, following in self._searched(query, reached.get(query, "")):
                    page = LinkPage(query, following, self._linked(rows, pool))
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

    def _linked(self, rows: list[dict[str, Any]], pool: ThreadPoolExecutor) -> dict[str, list[Issue]]:
        found: dict[str, list[Issue]] = defaultdict(list)
        for row, works in zip(rows, pool.map(self._works, rows), strict=True):
            for work in works:
                found[work].append(_issue(row))
        return found

    def _works(self, row: dict[str, Any]) -> set[str]:
        """The work items an issue links to; none where it was deleted meanwhile."""
        try:
            links = self._jira.remote_links(row["id"])
        except SiteError as fault:
            if fault.status == 404:
                return set()
            raise
        named = [(link.get("object") or {}).get("url") or "" for link in links]
        named += [link.get("globalId") or "" for link in links]
        return {match[1] for text in named if (match := _WORK_ITEM_URL.search(text))}


def _issue(row: dict[str, Any]) -> Issue:
    fields = row.get("fields") or {}
    remaining = fields.get("timeestimate")
    return Issue(
        id=str(row["id"]),
        key=str(row.get("key") or row["id"]),
        status=str((fields.get("status") or {}).get("id") or ""),
        remaining=None if remaining is None else int(remaining),
        updated=str(fields.get("updated") or ""),
    )


def _field(name: str, jira: JiraClient) -> tuple[str, bool]:
    """The field's id and whether it holds numbers."""
    fields = jira.fields()
    named = [field for field in fields if field["id"] == name] or [
        field for field in fields if str(field.get("name", "")).casefold() == name.casefold()
    ]
    if len(named) != 1:
        many = f"{len(named)} fields are" if named else "No field is"
        raise UnusableIssueRuleError(
            f'{many} named "{name}" on the target. Name it by its id, such as customfield_10010.'
        )
    return named[0]["id"], (named[0].get("schema") or {}).get("type") == "number"


def _number(value: Any) -> str:
    """The work item id a field or file holds: 123, 123.0, "123", " #123 "; "" for anything else."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    found = _NUMBER.fullmatch(str(value)) if value is not None and not isinstance(value, bool) else None
    return str(int(found[1])) if found else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
