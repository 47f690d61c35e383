"""Tempo Cloud REST v4: worklogs, written in the name of their true authors.

Sources: the Tempo v4 OpenAPI and the vendor's page on best practices.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from connections.clients.feeds import FeedPage, changes_of, newest
from connections.clients.http import (
    BACK_OFF,
    Address,
    Answer,
    FaultKind,
    Gate,
    Http,
    Rate,
    SiteError,
    anything,
    is_object,
)

type Row = dict[str, Any]
type Linked = tuple[list[Any], bool]
"""The rows of a page, and whether another one follows."""

API = "/4"
SUBSCRIPTIONS = "/webhooks/subscriptions"
AUDIT_LOG = f"{API}/papertrail/search"
OLDER_AUDIT_LOG = "/papertrail/1/events/deleted/types/worklog"
UNIVERSAL_HOST = "https://api.tempo.io"
SEARCH_PAGE = 1000
AUDIT_PAGE = 1000
AUDIT_REACH = timedelta(days=180) - timedelta(hours=1)
"""How far back the audit log may be asked, with room for clocks that differ."""
BULK_LIMIT = 50
READINGS = 6

LIMITS: dict[str, tuple[Rate, ...]] = {"site": (Rate(5, 1),)}
"""One limit for everything, at the vendor's gateway; passing it can get the address blocked."""


class TempoClient:
    """One Tempo site seen by one account. Errors are SiteError."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self._audit_log_refused = False

    @classmethod
    def open(cls, address: Address, token: str, gate: Gate) -> "TempoClient":
        """`address.url` is https://api.tempo.io or a regional host, with or without /4."""
        base = replace(address, url=re.sub(r"(/4)?/*$", "", address.url))
        return cls(Http(base, f"Bearer {token}", gate))

    def configuration(self) -> Row:
        return self._read("GET", "/globalconfiguration").data

    def work_attributes(self) -> list[Row]:
        return [row for rows in self._pages("GET", "/work-attributes", {}, None) for row in rows]

    def permission_roles(self) -> list[Row]:
        """Who may do what in which team, or GLOBAL: with everybody. Who may read them is not documented."""
        return [row for rows in self._pages("GET", "/permission-roles", {}, None) for row in rows]

    def search_worklogs(
        self,
        issue_ids: Iterable[int] | None = None,
        from_: date | None = None,
        to: date | None = None,
        updated_from: datetime | date | None = None,
        author_ids: Iterable[str] | None = None,
    ) -> Iterator[Row]:
        """Worklogs by issue, work days (both inclusive), change time and author, once each, by ascending id.

        Tempo leaves out what our account may not see. That it honours several filters together is not
        proven: check the rows against what was asked. An empty list of issues or authors finds nothing.
        """
        filters = {
            "issueIds": None if issue_ids is None else list(dict.fromkeys(map(int, issue_ids))),
            "authorIds": None if author_ids is None else list(dict.fromkeys(author_ids)),
            "from": from_ and from_.isoformat(),
            "to": to and to.isoformat(),
            "updatedFrom": updated_from and _moment(updated_from),
        }
        if [] in (filters["issueIds"], filters["authorIds"]):
            return
        body: Row = {name: value for name, value in filters.items() if value is not None}
        body["orderBy"] = [{"field": "ID", "order": "ASC"}]
        for rows in self._once_each(body, _identity):
            yield from rows

    def changed_worklogs(self, since: datetime | None, from_: date | None = None) -> Iterator[list[Row]]:
        """Pages of the worklogs created or changed from then on, by ascending time of their change.

        Each once, or again where it is changed while the pages are read. None: every worklog, or those worked on
        day `from_` or later: it is sent only there, since that Tempo honours both together is not proven.
        """
        body: Row = {"updatedFrom": _moment(since)} if since else {}
        if from_ and not since:
            body["from"] = from_.isoformat()
        body["orderBy"] = [{"field": field, "order": "ASC"} for field in ("UPDATED", "ID")]
        return self._once_each(body, lambda row: (_identity(row), row.get("updatedAt")))

    def deleted_worklogs(self, since: datetime) -> Iterator[FeedPage]:
        """Worklogs deleted from then on, but not earlier than 180 days ago: a deletion in Jira may be called
        "Synced", and so may a change that was made there.

        In what order Tempo gives them is not documented, so `until` stays at `since` until the last page. Nor is
        whether the audit log's ids are Tempo's own or Jira's: look before believing one. Where the site refuses the
        audit log, the older list is read; where that is refused too, SiteError "no_permission".
        """
        if not self._audit_log_refused:
            try:
                yield from self._audit_log(since)
            except SiteError as fault:
                if fault.status not in _REFUSED_AUDIT:
                    raise
                self._audit_log_refused = True
            else:
                return
        try:
            yield from self._older_audit_log(since)
        except SiteError as fault:
            raise _deletions_unseen(fault) from fault

    def deleted_by_older_list(self, since: datetime) -> Iterator[FeedPage]:
        """The same by the list that the audit log has replaced, whose ids are Tempo's for certain. SiteError where the
        site has it no more."""
        return self._older_audit_log(since)

    def worklog(self, worklog_id: int) -> Row:
        return self._read("GET", f"/worklogs/{worklog_id}", well_formed=_is_worklog).data

    def create_worklog(self, body: Row) -> Answer:
        """Add one worklog in the name of `authorAccountId`. `body` is Tempo's own WorklogInput.

        Raises `unknown_outcome` where it may have been added without a usable answer.
        """
        return self._write("POST", "/worklogs", body, ok=(200, 201))

    def create_bulk(self, issue_id: int, bodies: list[Row]) -> Answer:
        """Add up to 50 worklogs to one issue, all or none. `data` is the list of worklogs, in order.

        Tempo refuses with 409 while another bulk creation runs on this issue: nothing was done, so it is
        sent again after a while.
        """
        if not 1 <= len(bodies) <= BULK_LIMIT:
            raise ValueError(f"Tempo takes 1 to {BULK_LIMIT} worklogs at once, not {len(bodies)}.")
        path = f"/worklogs/issue/{issue_id}/bulk"
        for seconds in BACK_OFF:
            try:
                return self._write(
                    "POST", path, bodies, ok=(200, 201), well_formed=_are_worklogs(len(bodies))
                )
            except SiteError as fault:
                if fault.status != 409:
                    raise
                busy = fault
            self.http.gate.pause(seconds)
        message = f"{self.http.site}: another bulk creation on issue {issue_id} does not end."
        raise busy.refined(FaultKind.PASSING, "rate_limited", message)

    def update_worklog(self, worklog_id: int, body: Row) -> Answer:
        """Replace a worklog: whatever `body` leaves out is reset, so send everything that is to stay."""
        return self._write("PUT", f"/worklogs/{worklog_id}", body, ok=(200,))

    def delete_worklog(self, worklog_id: int) -> Answer:
        return self._write("DELETE", f"/worklogs/{worklog_id}", None, ok=(204, 200))

    def webhooks(self) -> list[Row]:
        """The subscriptions of this Tempo, with their secrets: 25 at most, one an event and address."""
        return [row for rows in self._pages("GET", SUBSCRIPTIONS, {}, None) for row in rows]

    def subscribe(self, event: str, url: str, name: str) -> Row:
        """Ask for an event to be told at `url`: inactive until Tempo's handshake there is answered.

        SiteError with status 409 where this event is told at this url already.
        """
        body = {"event": event, "url": url, "name": name}
        return self._write("POST", SUBSCRIPTIONS, body, ok=(200, 201), well_formed=_is_subscription).data

    def refresh_webhook(self, subscription: str) -> None:
        """Wake a subscription that went inactive after ten failed deliveries; what it missed is not told again."""
        self._read(
            "PATCH",
            f"{SUBSCRIPTIONS}/{quote(subscription, safe='')}/refresh",
            ok=(204, 200),
            well_formed=anything,
        )

    def unsubscribe(self, subscription: str) -> None:
        """A subscription that is gone already is no error."""
        try:
            self._read(
                "DELETE",
                f"{SUBSCRIPTIONS}/{quote(subscription, safe='')}",
                ok=(204, 200),
                well_formed=anything,
            )
        except SiteError as fault:
            if fault.status != 404:
                raise

    def _audit_log(self, since: datetime) -> Iterator[FeedPage]:
        body = {
            "from": _moment(max(since, datetime.now(UTC) - AUDIT_REACH)),
            "entityType": ["worklog", "bulkeditworklog"],
            "action": ["Deleted", "Synced"],
        }
        pages = self._chained("POST", AUDIT_LOG, {}, body, "nextPageToken")
        return _told(pages, "entityId", "timestamp", since)

    def _older_audit_log(self, since: datetime) -> Iterator[FeedPage]:
        """Deprecated by the vendor, and the only one with ids that are Tempo's for certain."""
        pages = self._chained(
            "GET", OLDER_AUDIT_LOG, {"updatedFrom": _moment(since)}, None, "lastEvaluatedKey"
        )
        return _told(pages, "tempoWorklogId", "deletedAt", since)

    def _chained(self, method: str, path: str, query: Row, body: Row | None, link: str) -> Iterator[Linked]:
        """All pages, each of which names in `metadata` what the next one is asked by."""
        query = {"limit": AUDIT_PAGE, **query}
        used: set[str] = set()
        while True:
            page = self._call(method, path, query=query, json=body, well_formed=_is_page).data
            following = str((page.get("metadata") or {}).get(link) or "")
            if following in used:
                raise self._incomplete("list of deleted worklogs")
            used.add(following)
            yield page["results"], bool(following)
            if not following:
                return
            query = query | {link: following}

    def _once_each(self, body: Row, identity: Callable[[Row], Any]) -> Iterator[list[Row]]:
        """Pages of a search, read anew from the start (a few times) where they shifted meanwhile."""
        seen: set[Any] = set()
        for _ in range(READINGS):
            try:
                for rows in self._pages("POST", "/worklogs/search", {"limit": SEARCH_PAGE}, body):
                    found = {identity(row): row for row in rows if row.get("tempoWorklogId") is not None}
                    yield [row for known, row in found.items() if known not in seen]
                    seen.update(found)
            except _ShiftedError:
                continue
            return
        raise self._incomplete("list of worklogs")

    def _incomplete(self, what: str) -> SiteError:
        message = f"{self.http.site} did not give a complete {what}. It will be read again."
        return SiteError(self.http.site, FaultKind.PASSING, "site_unavailable", message)

    def _pages(self, method: str, path: str, query: Row, body: Row | None) -> Iterator[list[Row]]:
        """Rows of all pages. Each following page begins with the last row of the one before it, as a proof
        that nothing was taken out of the list in between."""
        following: str = urlencode(query)
        last: Row | None = None
        while True:
            page = self._read(method, path, query=following, json=body, well_formed=_is_page).data
            rows = _after(last, page["results"])
            yield rows
            target = page.get("metadata", {}).get("next")
            if not target or not rows:
                return
            following, last = _following(urlsplit(target).query, rows)

    def _read(self, method: str, path: str, **request: Any) -> Answer:
        return self._call(method, API + path, **request)

    def _call(self, method: str, path: str, **request: Any) -> Answer:
        """A call that may be made again. `path` is whole: not everything stands below the fourth version."""
        request.setdefault("well_formed", is_object)
        try:
            return self.http.request(method, path, bucket="site", repeatable=True, **request)
        except SiteError as fault:
            raise refusal(fault) from fault

    def _write(
        self,
        method: str,
        path: str,
        body: Any,
        ok: tuple[int, ...],
        well_formed: Callable[[Any], bool] | None = None,
    ) -> Answer:
        try:
            return self.http.request(
                method,
                API + path,
                json=body,
                bucket="site",
                repeatable=False,
                ok=ok,
                well_formed=well_formed or _is_worklog,
            )
        except SiteError as fault:
            raise refusal(fault) from fault


_REFUSED_AUDIT = frozenset({400, 403, 404, 405, 410})
_AUDIT_REMEDY = (
    "Give our account the right to see Tempo's audit log (Tempo Administrator), and its token full access."
)


def _deletions_unseen(fault: SiteError) -> SiteError:
    if fault.status not in _REFUSED_AUDIT:
        return fault
    message = f"{fault.site} does not show which worklogs were deleted. {_AUDIT_REMEDY} {fault.message}"
    return fault.refined(FaultKind.WAITING, "no_permission", message)


def _told(pages: Iterable[Linked], id_key: str, time_key: str, since: datetime) -> Iterator[FeedPage]:
    latest = since
    for rows, more in pages:
        changes = changes_of(rows, id_key, time_key, since)
        latest = newest(changes, latest)
        yield FeedPage(changes, since if more else latest)


class _ShiftedError(Exception):
    """Rows were removed from a list while its pages were read."""


_NO_PERMISSION = ("no_permission", "Give our account and its token the right to read and manage worklogs.")
_REFUSALS: tuple[tuple[str, str, str], ...] = (
    (
        r"(period|timesheet|week|month).*(closed|locked|approved|submitted|in review)"
        r"|(closed|locked|approved|submitted) (period|timesheet)",
        "period_closed",
        "Reopen the period or the timesheet in Tempo.",
    ),
    (
        r"attribute.*(required|mandatory|missing)|(required|mandatory|missing).*attribute",
        "attribute_required",
        "Make the work attribute optional in Tempo.",
    ),
    (
        r"future|hours (per|a) day|max(imum)? (of \d+ )?hours",
        "entry_invalid",
        "Correct the entry's day or length.",
    ),
    (
        r"\b(worker|user|author)\b.*(inactive|not active|deactivated|disabled|unknown|deleted|not found|not exist)"
        r"|(inactive|unknown|deactivated|deleted) (worker|user|author)",
        "author_inactive",
        "Map the person to an active account.",
    ),
    (
        r"\bfor (other|another|this|the) (user|worker|people|person|author)|for others|on behalf"
        r"|^(?!.*\byou\b).*\b(worker|author|user)\b.*(permission|allowed)",
        "author_not_allowed",
        "Give our account Log Work For Others, and the person Work On Issues in that project.",
    ),
    (r"permission|not allowed|not authori[sz]ed|access|forbidden", *_NO_PERMISSION),
    (r"archived|editable|workflow state", "issue_not_editable", "Reopen or restore the issue."),
    (
        r"issue.*(not found|not exist|cannot be null|unknown|invalid)",
        "issue_not_found",
        "The issue is gone, or our account may not see it.",
    ),
    (
        r"\bdate\b|startDate|time|seconds|description|duration|must be|valid|too long",
        "entry_invalid",
        "Correct the entry's date, length or text.",
    ),
)
"""Tempo publishes neither codes nor texts: its words are matched loosely, the first match counts."""


def refusal(fault: SiteError) -> SiteError:
    """A refused call with the product's own code and what to do about it."""
    if fault.code == "auth_failed":
        remedy = f"If it is a regional address, try {UNIVERSAL_HOST}."
        return fault.refined(fault.kind, fault.code, f"{fault.message} {remedy}")
    if fault.code != "target_refused" or fault.kind is not FaultKind.WAITING or fault.status == 409:
        return fault
    code, remedy = _understood(fault)
    return fault.refined(FaultKind.WAITING, code, f"{fault.message} {remedy}".strip())


def _understood(fault: SiteError) -> tuple[str, str]:
    for pattern, code, remedy in _REFUSALS:
        if re.search(pattern, fault.words, re.IGNORECASE):
            return code, remedy
    return _NO_PERMISSION if fault.status == 403 else (fault.code, "")


def _moment(value: datetime | date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat()


def _following(query: str, rows: list[Row]) -> tuple[str, Row | None]:
    """The query of the following page and the row it must begin with.

    It begins one row earlier than the vendor's link says, where the link names an offset and that leaves
    room to go on; else the link is followed as it is.
    """
    parts = dict(parse_qsl(query))
    offset = parts.get("offset", "")
    if len(rows) < 2 or not offset.isdecimal():
        return query, None
    return urlencode(parts | {"offset": str(int(offset) - 1)}), rows[-1]


def _after(last: Row | None, rows: list[Row]) -> list[Row]:
    if last is None:
        return rows
    if not rows or _identity(rows[0]) != _identity(last):
        raise _ShiftedError
    return rows[1:]


def _identity(row: Row) -> Any:
    return row.get("tempoWorklogId") or row.get("key") or row.get("id")


def _is_page(data: Any) -> bool:
    return is_object(data) and isinstance(data.get("results"), list)


def _is_worklog(data: Any) -> bool:
    return is_object(data) and "tempoWorklogId" in data


def _is_subscription(data: Any) -> bool:
    return is_object(data) and "id" in data and "sharedSecret" in data


def _are_worklogs(count: int) -> Callable[[Any], bool]:
    return lambda data: isinstance(data, list) and len(data) == count and all(map(_is_worklog, data))
