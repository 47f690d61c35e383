"""Jira Cloud REST v3: worklogs, and what is needed to place them.

Sources: the Jira Cloud platform v3 OpenAPI and the vendor's page "Rate limiting".
"""

import re
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import batched
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connections.clients.feeds import (
    BEGINNING,
    FeedPage,
    changes_of,
    milliseconds,
    moment_of,
    newest,
)
from connections.clients.http import (
    Address,
    Answer,
    FaultKind,
    Gate,
    Http,
    Rate,
    Scope,
    SiteError,
    anything,
    is_list,
    is_object,
)

type Row = dict[str, Any]

API = "/rest/api/3"
WEBHOOKS = "/rest/webhooks/1.0/webhook"
SEARCH_PAGE = 5000
ISSUES_PER_CALL = 100
WORKLOGS_PER_PAGE = 5000
WORKLOGS_PER_CALL = 1000
USERS_PER_CALL = 50
PROJECTS_PER_PAGE = 50
READINGS = 6

_READ = (Rate(100, 1),)
_CHANGE = (Rate(50, 1),)
LIMITS: dict[str, tuple[Rate, ...]] = {
    "GET other": _READ,
    "GET user": _READ,
    "GET user/search": _READ,
    "GET worklogs": _READ,
    "GET worklog/updated": _READ,
    "GET worklog/deleted": _READ,
    "POST search": _READ,
    "POST issues": _READ,
    "POST worklog/list": _READ,
    "POST worklog": _READ,
    "PUT worklog": _CHANGE,
    "DELETE worklog": _CHANGE,
    "GET webhook": _READ,
    "POST webhook": _READ,
    "DELETE webhook": _CHANGE,
}
"""Burst limits, which count by method and endpoint (vendor page "Rate limiting")."""

ISSUE_WRITES = (Rate(20, 2), Rate(100, 30))


class JiraClient:
    """One Jira site seen by one account. Errors are SiteError."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @classmethod
    def open(cls, address: Address, email: str, token: str, gate: Gate) -> "JiraClient":
        """`address.url` is https://{site}.atlassian.net or https://api.atlassian.com/ex/jira/{cloudId}."""
        return cls(Http(address, _basic(email, token), gate, throttled=throttled_scope))

    def as_person(self, email: str, token: str) -> "JiraClient":
        """The same site with a person's own token: what it writes has that person as author."""
        return JiraClient(self.http.as_other(_basic(email, token)))

    def myself(self) -> Row:
        return self._get("/myself", well_formed=_has("accountId"))

    def server_info(self) -> Row:
        """`baseUrl` is where people open the site, whatever address its API is called by."""
        return self._get("/serverInfo")

    def configuration(self) -> Row:
        return self._get("/configuration")

    def all_permissions(self) -> list[str]:
        """The keys of every permission the site knows, Tempo's among them."""
        return list(self._get("/permissions", well_formed=_has("permissions"))["permissions"])

    def my_permissions(self, keys: Iterable[str], project_key: str | None = None) -> dict[str, bool]:
        """Whether we hold each permission; without a project, true may mean "in some project"."""
        query = {"permissions": ",".join(keys)} | ({"projectKey": project_key} if project_key else {})
        found = self._get("/mypermissions", query, well_formed=_has("permissions"))["permissions"]
        return {key: bool(row.get("havePermission")) for key, row in found.items()}

    def projects(self) -> list[Row]:
        found: list[Row] = []
        while True:
            query = {"startAt": len(found), "maxResults": PROJECTS_PER_PAGE}
            page = self._get("/project/search", query, well_formed=_has("values"))
            found += page["values"]
            if page.get("isLast", True) or not page["values"]:
                return found

    def fields(self) -> list[Row]:
        return self._get("/field", well_formed=is_list)

    def remote_links(self, issue: str | int) -> list[Row]:
        return self._get(f"{_issue(issue)}/remotelink", well_formed=is_list)

    def search(self, jql: str, fields: Iterable[str] = ("id",)) -> Iterator[Row]:
        """Issues a bounded JQL finds, once each. The index lags some seconds behind writes."""
        seen: set[str] = set()
        for rows, _ in self.search_pages(jql, fields):
            yield from (row for row in rows if row["id"] not in seen)
            seen.update(row["id"] for row in rows)

    def search_pages(
        self, jql: str, fields: Iterable[str] = ("id",), token: str = "", most: int = SEARCH_PAGE
    ) -> Iterator[tuple[list[Row], str]]:
        """The same by pages, each with the token that the next one is asked for by, "" after the last.

        Begins with the page of `token`; a page has at most so many issues, and may repeat some of another.
        """
        body: Row = {"jql": jql, "fields": list(fields), "maxResults": most}
        while True:
            if token:
                body["nextPageToken"] = token
            page = self._read("POST", "/search/jql", "POST search", json=body, well_formed=_has("issues"))
            following = page.get("nextPageToken") or ""
            if page.get("isLast", not following):
                yield page["issues"], ""
                return
            if following in ("", token):
                raise self._incomplete("search result")
            token = following
            yield page["issues"], token

    def issues(self, ids_or_keys: Iterable[str | int], fields: Iterable[str] = ("id",)) -> list[Row]:
        """Issues by id or key, old keys of moved issues included. Unknown and invisible ones are absent."""
        names = list(fields)
        found: dict[str, Row] = {}
        for some in batched(dict.fromkeys(map(str, ids_or_keys)), ISSUES_PER_CALL):
            body = {"issueIdsOrKeys": list(some), "fields": names}
            page = self._read(
                "POST", "/issue/bulkfetch", "POST issues", json=body, well_formed=_has("issues")
            )
            found.update((row["id"], row) for row in page["issues"])
        return list(found.values())

    def issue_worklogs(
        self,
        issue_id: str | int,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
    ) -> list[Row]:
        """All worklogs of an issue, with their properties, once each.

        Pages are asked for by position and shift when a worklog is deleted meanwhile: where they do not fit
        together the whole set is read again, until they do or two readings agree.
        """
        window = _window(started_after, started_before)
        before: set[str] = set()
        for _ in range(READINGS):
            rows, is_whole = self._reading(issue_id, window)
            if is_whole or (before and set(rows) == before):
                return list(rows.values())
            before = set(rows)
        raise self._incomplete(f"list of worklogs of issue {issue_id}")

    def worklogs(self, ids: Iterable[str | int]) -> list[Row]:
        """Worklogs by id, with their properties. Missing and invisible ones are absent."""
        found: list[Row] = []
        for some in batched(dict.fromkeys(map(int, ids)), WORKLOGS_PER_CALL):
            found += self._read(
                "POST",
                "/worklog/list",
                "POST worklog/list",
                query="expand=properties",
                json={"ids": list(some)},
                well_formed=is_list,
            )
        return found

    def updated_worklogs(self, since: datetime | None = None) -> Iterator[FeedPage]:
        """Worklogs created or changed from then on (None: ever), oldest first, each with its newest change.

        Jira keeps the last minute back, and leaves out what our account may not see.
        """
        return self._feed("updated", since)

    def deleted_worklogs(self, since: datetime | None = None) -> Iterator[FeedPage]:
        """Worklogs deleted from then on (None: ever), oldest first. Jira keeps the last minute back."""
        return self._feed("deleted", since)

    def server_zone(self) -> str:
        """The IANA name of the site's own time zone; "" where it says none that is known."""
        try:
            name = self._get("/serverInfo").get("serverTimeZone")
            return ZoneInfo(name).key if isinstance(name, str) and name else ""
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ""
        except SiteError as fault:
            if fault.kind is not FaultKind.WAITING:
                raise
            return ""

    def admin_webhooks(self) -> list[Row]:
        """The webhooks administrators registered, without their secrets. `webhook_id` tells a row's id."""
        return self._administer("GET", well_formed=is_list)

    def register_admin_webhook(self, body: Row) -> Row:
        """Register a webhook; the only kind that hears of worklogs. `body` is Jira's own: name, url, events, secret."""
        return self._administer("POST", json=body, ok=(201, 200), well_formed=_has("self"))

    def delete_admin_webhook(self, webhook: str | int) -> None:
        """A webhook that is gone already is no error."""
        try:
            self._administer("DELETE", f"/{webhook}", ok=(204, 200), well_formed=anything)
        except SiteError as fault:
            if fault.status != 404:
                raise

    def create_worklog(self, issue_id: str | int, body: Row, adjust_estimate: str = "leave") -> Answer:
        """Add one worklog; its author is this client's account. Nobody is notified.

        `body` is Jira's own: comment (ADF), started, timeSpentSeconds, properties. Raises `unknown_outcome`
        where it may have been added without a usable answer.
        """
        return self._write("POST", issue_id, "", body, adjust_estimate, ok=(201, 200))

    def update_worklog(
        self, issue_id: str | int, worklog_id: str | int, body: Row, adjust_estimate: str = "leave"
    ) -> Answer:
        """Change a worklog; fields that are not sent stay."""
        return self._write("PUT", issue_id, f"/{worklog_id}", body, adjust_estimate, ok=(200,))

    def delete_worklog(
        self, issue_id: str | int, worklog_id: str | int, adjust_estimate: str = "leave"
    ) -> Answer:
        return self._write("DELETE", issue_id, f"/{worklog_id}", None, adjust_estimate, ok=(204,))

    def move_worklog(
        self, issue_id: str | int, worklog_id: str | int, to_issue: str | int, adjust_estimate: str = "leave"
    ) -> Answer:
        """Move a worklog to another issue: its id and author stay. Jira tells nobody, neither by its feed.

        An experimental call; a 200 instead of a 204 means that it was not moved.
        """
        body = {"ids": [int(worklog_id)], "issueIdOrKey": str(to_issue)}
        return self._write("POST", issue_id, "/move", body, adjust_estimate, ok=(204,), tells=False)

    def user(self, account_id: str) -> Row:
        return self._get("/user", {"accountId": account_id}, bucket="GET user")

    def users(self, account_ids: Iterable[str]) -> list[Row]:
        """People by account id; unknown ones are absent."""
        found: list[Row] = []
        for some in batched(dict.fromkeys(account_ids), USERS_PER_CALL):
            query = {"accountId": some, "maxResults": USERS_PER_CALL}
            found += self._get("/user/bulk", query, bucket="GET user", well_formed=_has("values"))["values"]
        return found

    def users_by_email(self, email: str) -> list[Row]:
        """Active people whose e-mail is exactly this one (without case); prefix matches are no matches.

        An account that hides its e-mail cannot be found. Without the permission Browse users and groups
        Jira answers with nothing.
        """
        wanted = email.strip().casefold()
        rows = self._users_like(email.strip()) if wanted else []
        return [row for row in rows if _is_active_person(row) and _email(row) == wanted]

    def _feed(self, name: str, since: datetime | None) -> Iterator[FeedPage]:
        """Pages until the last: the vendor's example carries `nextPage` together with `lastPage`, which counts."""
        reached = since or BEGINNING
        query = urlencode({"since": milliseconds(reached)})
        asked: set[str] = set()
        while query and query not in asked:
            asked.add(query)
            answer = self._get(
                f"/worklog/{name}", query, bucket=f"GET worklog/{name}", well_formed=_is_feed_page
            )
            page = _feed_page(answer, reached)
            yield page
            if answer.get("lastPage", not answer.get("nextPage")):
                return
            query, reached = _after(answer, page, reached), page.until
        raise self._incomplete(f"feed of {name} worklogs")

    def _administer(self, method: str, tail: str = "", **request: Any) -> Any:
        try:
            return self.http.request(
                method,
                WEBHOOKS + tail,
                bucket=f"{method} webhook",
                repeatable=method != "POST",
                **request,
            ).data
        except SiteError as fault:
            if fault.status != 403:
                raise
            message = f"{fault.message} {_NOT_ADMINISTRATOR}"
            raise fault.refined(FaultKind.WAITING, "no_permission", message) from fault

    def _users_like(self, text: str) -> list[Row]:
        found: dict[str, Row] = {}
        start = 0
        while True:
            query = {"query": text, "startAt": start, "maxResults": USERS_PER_CALL}
            page = self._get("/user/search", query, bucket="GET user/search", well_formed=is_list)
            found.update((row["accountId"], row) for row in page)
            start += len(page)
            if len(page) < USERS_PER_CALL:
                return list(found.values())

    def _reading(self, issue_id: str | int, window: Row) -> tuple[dict[str, Row], bool]:
        """One walk over the pages: worklogs by id, and whether the pages fit together.

        Each following page begins with the last row of the one before it.
        """
        rows: dict[str, Row] = {}
        totals: set[int] = set()
        last: Row | None = None
        start, fits = 0, True
        while True:
            page = self._worklog_page(issue_id, start, window)
            found = page["worklogs"]
            fits = fits and (last is None or found[:1] == [last])
            rows.update((row.get("id"), row) for row in found)
            totals.add(page["total"])
            start += len(found)
            if start >= page["total"] or len(found) <= (1 if last else 0):
                return rows, fits and totals == {len(rows)}
            last = found[-1] if len(found) > 1 else None
            start -= 1 if last else 0

    def _worklog_page(self, issue_id: str | int, start: int, window: Row) -> Row:
        query = {"startAt": start, "maxResults": WORKLOGS_PER_PAGE, "expand": "properties", **window}
        path = f"{_issue(issue_id)}/worklog"
        return self._get(path, query, bucket="GET worklogs", well_formed=_has("worklogs", "total"))

    def _write(
        self,
        method: str,
        issue_id: str | int,
        tail: str,
        body: Row | None,
        adjust_estimate: str,
        ok: tuple[int, ...],
        *,
        tells: bool = True,
    ) -> Answer:
        """`tells`: the call would mail the watchers where it is not told otherwise."""
        quiet = {"notifyUsers": "false"} if tells else {}
        try:
            return self.http.request(
                method,
                f"{API}{_issue(issue_id)}/worklog{tail}",
                query={**quiet, "adjustEstimate": adjust_estimate},
                json=body,
                bucket=f"{method} worklog",
                repeatable=False,
                ok=ok,
                well_formed=_has("id"),
            )
        except SiteError as fault:
            raise refusal(fault, issue_id) from fault

    def _get(
        self,
        path: str,
        query: Row | str | None = None,
        bucket: str = "GET other",
        well_formed: Callable[[Any], bool] = is_object,
    ) -> Any:
        return self._read("GET", path, bucket, query=query or "", well_formed=well_formed)

    def _read(self, method: str, path: str, bucket: str, **request: Any) -> Any:
        try:
            return self.http.request(method, API + path, bucket=bucket, repeatable=True, **request).data
        except SiteError as fault:
            raise (_read_refusal(fault) if path.startswith("/issue/") else fault) from fault

    def _incomplete(self, what: str) -> SiteError:
        message = f"{self.http.site} did not give a complete {what}. It will be read again."
        return SiteError(self.http.site, FaultKind.PASSING, "site_unavailable", message)


class IssuePace:
    """How fast one issue may be written to: 20 writes in 2 s, 100 in 30 s (vendor page "Rate limiting").

    For the issue's single writer. Call `sent` when the answer is there: Jira counts a write when it
    arrives, which is never later than that.
    """

    _MARGIN = 1.02

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=max(rate.limit for rate in ISSUE_WRITES))

    def wait_before_next(self) -> float:
        """Seconds until the next write may be sent."""
        now = self._clock()
        free = [
            self._sent[-rate.limit] + rate.window * self._MARGIN
            for rate in ISSUE_WRITES
            if len(self._sent) >= rate.limit
        ]
        return max(0.0, max(free, default=now) - now)

    def sent(self) -> None:
        self._sent.append(self._clock())


def throttled_scope(answer: Answer) -> Scope:
    """What a 429 of Jira throttles, by its RateLimit-Reason."""
    reason = answer.headers.get("RateLimit-Reason", "")
    if "per-issue" in reason:
        return Scope.CALL
    return Scope.SITE if "quota" in reason else Scope.BUCKET


_NOT_ADMINISTRATOR = (
    "Only a Jira administrator may register webhooks: give the account Administer Jira, or do without them."
)


def webhook_id(row: Row) -> str:
    """The id of an administrator's webhook: the end of its own address."""
    return str(row["self"]).rstrip("/").rpartition("/")[2]


type Verdict = tuple[FaultKind, str, str]

_LIMIT: Verdict = (
    FaultKind.FINAL,
    "issue_limit",
    "The issue holds as many worklogs as Jira allows: name another one for this entry.",
)
_NO_PERMISSION: Verdict = (
    FaultKind.WAITING,
    "no_permission",
    "Give the account Browse Projects and Work On Issues there (to change or delete: Edit and Delete Worklogs).",
)
_NOT_FOUND: Verdict = (
    FaultKind.WAITING,
    "issue_not_found",
    "The issue or worklog is gone, or the account may not see it.",
)
_NOT_EDITABLE: Verdict = (
    FaultKind.WAITING,
    "issue_not_editable",
    "Reopen or restore the issue, or name another one for this entry.",
)
_INVALID: Verdict = (FaultKind.WAITING, "entry_invalid", "Correct the entry's length, date or text.")
_MUST_NOTIFY: Verdict = (
    FaultKind.STOPS,
    "target_refused",
    "Make the account an administrator of the project, so that it may write without mailing the watchers.",
)
_SWITCHED_OFF: Verdict = (FaultKind.STOPS, "target_refused", "Switch time tracking on in Jira's settings.")

_REFUSALS: tuple[tuple[str, Verdict], ...] = (
    (r"discard the user notification", _MUST_NOTIFY),
    (r"editable|workflow state|archived|(logging|log work).*(disabled|not enabled)", _NOT_EDITABLE),
    (
        r"^(?!.*\b(this|project)\b).*time.?tracking.*(disabled|not enabled|(switched|turned) off)",
        _SWITCHED_OFF,
    ),
    (r"does not exist|can ?not find|not found|could not be found", _NOT_FOUND),
    (r"permission|not allowed|not authori[sz]ed|forbidden", _NO_PERMISSION),
    (
        r"duration|time ?spent|spent working|timeLogged|must not be null|\bdate\b|too long|atlassian document",
        _INVALID,
    ),
)
"""Jira publishes no codes and few texts: its words are matched loosely, the first match counts."""

_BY_STATUS = {403: _NO_PERMISSION, 404: _NOT_FOUND}


def refusal(fault: SiteError, issue: str | int) -> SiteError:
    """A refused worklog write with the product's own code and what to do about it."""
    if fault.code != "target_refused" or fault.kind is not FaultKind.WAITING:
        return fault
    kind, code, remedy = _understood(fault)
    said = fault.words or "no reason given"
    return fault.refined(
        kind,
        code,
        f"{fault.site} refused the worklog on issue {issue} ({fault.status}): {said} {remedy}".strip(),
    )


def _understood(fault: SiteError) -> Verdict:
    if fault.status == 413:
        return _LIMIT
    for pattern, verdict in _REFUSALS:
        if re.search(pattern, fault.words, re.IGNORECASE):
            return verdict
    return _BY_STATUS.get(fault.status or 0, (fault.kind, fault.code, ""))


def _read_refusal(fault: SiteError) -> SiteError:
    if fault.code != "target_refused" or fault.status not in _BY_STATUS:
        return fault
    kind, code, remedy = _BY_STATUS[fault.status]
    return fault.refined(kind, code, f"{fault.message} {remedy}")


def _basic(email: str, token: str) -> str:
    return "Basic " + b64encode(f"{email}:{token}".encode()).decode()


def _issue(issue: str | int) -> str:
    return f"/issue/{quote(str(issue), safe='')}"


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda data: isinstance(data, dict) and all(key in data for key in keys)


def _is_feed_page(data: Any) -> bool:
    return is_object(data) and isinstance(data.get("values"), list)


def _feed_page(answer: Row, since: datetime) -> FeedPage:
    changes = changes_of(answer["values"], "worklogId", "updatedTime", since)
    return FeedPage(changes, max(moment_of(answer.get("until")) or since, newest(changes, since)))


def _after(answer: Row, page: FeedPage, since: datetime) -> str:
    """The query of the following page: from `until` on, or what `nextPage` says where that leads no further."""
    if page.until > since:
        return urlencode({"since": milliseconds(page.until)})
    return urlsplit(str(answer.get("nextPage") or "")).query


def _window(after: datetime | None, before: datetime | None) -> dict[str, int]:
    bounds = {"startedAfter": after, "startedBefore": before}
    return {name: milliseconds(moment) for name, moment in bounds.items() if moment}


def _is_active_person(row: Row) -> bool:
    return bool(row.get("active")) and row.get("accountType", "atlassian") == "atlassian"


def _email(row: Row) -> str:
    return (row.get("emailAddress") or "").strip().casefold()
