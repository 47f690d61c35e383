"""Azure DevOps 7.1: the work items of projects, and the people behind 7pace's `vstsId`.

Sources: Microsoft's published OpenAPI for work item tracking and identities 7.1, and its page "Rate and usage limits".
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import batched
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from connections.clients.http import (
    Address,
    Answer,
    FaultKind,
    Gate,
    Http,
    Rate,
    SiteError,
    is_object,
    retry_after,
    words_of,
)

type Row = dict[str, Any]

LIMITS = {"site": (Rate(10, 1),)}

API = "api-version=7.1"
IDS_QUERY = "Select [System.Id] From WorkItems Where {scope} And [System.Id] > {last} order by [System.Id]"
QUERY_PAGE = 19_000
PEOPLE_PER_CALL = 100
PROJECTS_PER_CALL = 200

SIGN_IN_REMEDY = (
    "Azure DevOps does not accept the personal access token: it has expired, was revoked, or belongs to another "
    "organisation. Make a new one with the scopes Work Items (read) and Identity (read): vso.work, vso.identity."
)


@dataclass(frozen=True)
class Identity:
    """One person in Azure DevOps; `email` is None where it gives none."""

    email: str | None
    name: str
    active: bool


class AzureClient:
    """Reads one Azure DevOps organisation or collection. Safe to share between threads."""

    def __init__(self, http: Http, identities: Http) -> None:
        self._http = http
        self._identities = identities

    @classmethod
    def open(
        cls, address: Address, token: str, gate: Gate, identities_url: str | None = None
    ) -> "AzureClient":
        """`address.url` is the organisation's or collection's, e.g. https://dev.azure.com/contoso."""
        auth = "Basic " + b64encode(f":{token}".encode()).decode()
        people = replace(address, url=identities_url or default_identities_url(address.url))
        refusal = partial(recognise, address.site)
        return cls(Http(address, auth, gate, recognise=refusal), Http(people, auth, gate, recognise=refusal))

    def connection_data(self) -> Row:
        """Who the token belongs to: `authenticatedUser`. The cheapest check of a token."""
        return self._call(self._http, "GET", "connectionData", "api-version=7.1-preview").data

    def projects(self) -> list[Row]:
        """The projects the token can see, each with `id` and `name`."""
        found: dict[str, Row] = {}
        token = ""
        while True:
            answer = self._call(self._http, "GET", "projects", f"{API}&$top={PROJECTS_PER_CALL}{token}")
            page = _values(answer)
            found.update((row["id"], row) for row in page)
            following = answer.headers.get("x-ms-continuationtoken")
            if not following or not page:
                return list(found.values())
            token = f"&continuationToken={quote(following)}"

    def work_item_ids(self, project_names: Iterable[str], after: int = 0) -> Iterator[list[int]]:
        """Pages of ascending ids above `after`. A query has no continuation and fails over 20,000 results: it goes
        on by id."""
        names = list(project_names)
        last, more = after, bool(names)
        while more:
            page = self._ids_after(last, _in_projects(names))
            more = len(page) >= QUERY_PAGE
            if page:
                yield page
                last = page[-1]

    def identities(self, ids: Iterable[str]) -> dict[str, Identity]:
        """People by the id asked for (7pace's `vstsId`). Unknown ids, groups and what is no id are left out."""
        asked = {text: guid for text in ids if (guid := _guid(text))}
        found: dict[str, Identity] = {}
        for some in batched(dict.fromkeys(asked.values()), PEOPLE_PER_CALL):
            query = f"identityIds={','.join(some)}&queryMembership=None&{API}"
            for row in _values(self._call(self._identities, "GET", "identities", query)):
                if not row.get("isContainer"):
                    found[_guid(row.get("id"))] = _identity(row)
        return {text: found[guid] for text, guid in asked.items() if guid in found}

    def _ids_after(self, last: int, scope: str) -> list[int]:
        wiql = IDS_QUERY.format(scope=scope, last=last)
        answer = self._call(self._http, "POST", "wit/wiql", f"{API}&$top={QUERY_PAGE}", {"query": wiql})
        ids = [row["id"] for row in answer.data.get("workItems") or []]
        if ids != sorted(ids) or (ids and ids[0] <= last):
            site = self._http.site
            message = f"{site} (Azure DevOps) listed work items out of order, so that their end is unknown."
            raise SiteError(site, FaultKind.PASSING, "site_unavailable", message, answer.exchange)
        return ids

    def _call(self, http: Http, method: str, path: str, query: str, body: Row | None = None) -> Answer:
        """Azure DevOps says Retry-After on good answers too, while it delays: the next call waits for it."""
        answer = http.request(
            method,
            f"/_apis/{path}",
            query=query,
            json=body,
            bucket="site",
            repeatable=True,
            well_formed=is_object,
        )
        if seconds := retry_after(answer.headers):
            http.gate.budget.hold(None, seconds)
        return answer


def recognise(site: str, answer: Answer) -> SiteError | None:
    """Refusals that do not look like one: Azure DevOps answers a bad token with its sign-in page (203 or 302)."""
    html = "html" in answer.headers.get("Content-Type", "").lower() and answer.data is None
    if answer.status in (203, 401) or 300 <= answer.status < 400 or (answer.status == 200 and html):
        message = f"{site}: {SIGN_IN_REMEDY}"
        return SiteError(site, FaultKind.STOPS, "auth_failed", message, answer.exchange)
    if answer.status == 403:
        message = f"{site} does not let the token's user see this: {words_of(answer.exchange.response_body)}"
        return SiteError(site, FaultKind.WAITING, "no_permission", message, answer.exchange)
    return None


def default_identities_url(url: str) -> str:
    """Where people are asked for: the vssps host of an organisation in the cloud, else the collection itself."""
    parts = urlsplit(url)
    if parts.hostname == "dev.azure.com":
        return f"https://vssps.dev.azure.com/{parts.path.strip('/').split('/')[0]}"
    return url


def _values(answer: Answer) -> list[Row]:
    """The rows of a list; entries are null for what is unknown or may not be seen."""
    rows = answer.data.get("value") if isinstance(answer.data, dict) else None
    return [row for row in rows or [] if isinstance(row, dict)]


def _in_projects(names: list[str]) -> str:
    quoted = ["'" + name.replace("'", "''") + "'" for name in names]
    if len(quoted) == 1:
        return f"[System.TeamProject] = {quoted[0]}"
    return f"[System.TeamProject] in ({', '.join(quoted)})"


def _identity(row: Row) -> Identity:
    mail = _property(row, "Mail")
    account = _property(row, "Account")
    return Identity(
        email=mail or (account if "@" in account else None),
        name=row.get("customDisplayName") or row.get("providerDisplayName") or "",
        active=bool(row.get("isActive", True)),
    )


def _property(row: Row, name: str) -> str:
    value = (row.get("properties") or {}).get(name)
    text = value.get("$value") if isinstance(value, dict) else value
    return text.strip() if isinstance(text, str) else ""


def _guid(value: Any) -> str:
    """The id in its one spelling; "" for what Azure DevOps would refuse a whole batch for."""
    try:
        return str(UUID(str(value)))
    except ValueError:
        return ""
