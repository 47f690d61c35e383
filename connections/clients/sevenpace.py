"""7pace Timetracker (Azure DevOps edition): reading worklogs through REST 3.x and OData 3.x.

Rows are handed on as the vendor sends them. Lengths are seconds; REST times are wall clock without an offset.
Sources: the vendor's pages "REST CRUD API v3", "Reporting (OData) v3", "API important information".
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from connections.clients.http import Address, Answer, FaultKind, Gate, Http, Rate, SiteError

type Row = dict[str, Any]

LIMITS = {"site": (Rate(10, 1), Rate(100, 60))}

DEFAULT_VERSION = "3.2"
OTHER_PRODUCTS = ("timehubmdy.7pace.com", "timehubjra.7pace.com")
REST_PAGE = 500
IDS_PER_CALL = 100
IDS_PER_ALTERNATIVE = 10
ROUND_LENGTH = 50
READINGS = 6
SECOND = timedelta(seconds=1)
WHOLE_NUMBERS = (
    "workItemId",
    "length",
    "billableLength",
    "WorkItemId",
    "PeriodLength",
    "BillablePeriodLength",
)
WHOLE = re.compile(r"\s*(-?\d{1,18})(?:\.0+)?\s*", re.ASCII)

VERSION = re.compile(r"(?:^|/)v(\d+\.\d+(?:-beta)?)(?=/|$)", re.IGNORECASE)
API_PATH = re.compile(
    r"(?P<prefix>.*?)/api(?:/(?P<collection>(?!rest(?:/|$)|odata(?:/|$)|v\d)[^/]+))?"
    r"(?:/(?P<kind>rest|odata)(?:/.*)?|/v\d[^/]*|)$",
    re.IGNORECASE,
)
ODATA_TAIL = re.compile(r"/odata/v[^/]+/(.*)$", re.IGNORECASE)


class PaceAddressError(ValueError):
    """An address that is not one of 7pace Timetracker for Azure DevOps; the text is for a person."""


@dataclass(frozen=True)
class PaceAddress:
    """Where one 7pace installation answers. `base` is scheme, host, port and any path before `/api`."""

    base: str
    version: str = DEFAULT_VERSION
    odata: bool = False
    collection: str = ""

    @property
    def _api(self) -> str:
        return f"/api/{self.collection}" if self.collection else "/api"

    def rest_path(self, path: str) -> str:
        return f"{self._api}/rest/{path}"

    def odata_path(self, path: str) -> str:
        return f"{self._api}/odata/v{self.version}/{path}"

    def rest_url(self, path: str) -> str:
        return self.base + self.rest_path(path)

    def odata_url(self, path: str) -> str:
        return self.base + self.odata_path(path)

    @property
    def shown(self) -> str:
        """The address in full, for people and for storing: normalising it again gives the same."""
        if self.odata:
            return self.odata_url("").rstrip("/")
        return f"{self.rest_url('').rstrip('/')}?api-version={self.version}"


def normalise_url(text: str) -> PaceAddress:
    """Any known form of a 7pace address: bare host, REST or OData URL, with or without a version or collection.

    REST takes its version as `api-version=`, OData as a path segment; both are read, the parameter first.
    Raises PaceAddressError.
    """
    parts = _split(text)
    path = parts.path.rstrip("/")
    found = API_PATH.fullmatch(path)
    prefix = found["prefix"] if found else path
    if not found and (parts.hostname or "").endswith(".7pace.com"):
        prefix = ""
    return PaceAddress(
        base=f"{parts.scheme}://{parts.netloc.lower()}{prefix}",
        version=_version(path, parts.query),
        odata=bool(found and (found["kind"] or "").lower() == "odata"),
        collection=(found and found["collection"]) or "",
    )


def _split(text: str) -> SplitResult:
    stripped = text.strip()
    if not stripped:
        raise PaceAddressError(
            "The 7pace address is empty: give it as https://{organisation}.timehub.7pace.com."
        )
    try:
        parts = urlsplit(stripped if "://" in stripped else f"https://{stripped}")
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise PaceAddressError(f"{stripped!r} is not an address: {error}.") from error
    _refuse_foreign(stripped, parts)
    return parts


def _refuse_foreign(text: str, parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https"):
        raise PaceAddressError(f"{text!r} does not begin with https://.")
    if parts.username or parts.password:
        raise PaceAddressError(
            "The 7pace address holds a user or password: take it out, the token is given apart."
        )
    host = parts.hostname
    if not host or not re.fullmatch(r"[a-z0-9._:\-]+", host):
        raise PaceAddressError(
            f"{text!r} names no host: give it as https://{{organisation}}.timehub.7pace.com."
        )
    if any(host == other or host.endswith(f".{other}") for other in OTHER_PRODUCTS):
        raise PaceAddressError(
            f"{host} belongs to 7pace for monday.com or Jira, another product with another API. "
            "Give the address of 7pace Timetracker for Azure DevOps: https://{organisation}.timehub.7pace.com."
        )


def _version(path: str, query: str) -> str:
    asked = {name.lower(): value for name, value in parse_qsl(query)}.get("api-version", "")
    found = VERSION.search(f"v{asked.lower().lstrip('v')}") or VERSION.search(path)
    version = found[1].lower() if found else DEFAULT_VERSION
    if int(version.split(".")[0]) < 3:
        raise PaceAddressError(f"Version {version} of the 7pace API is retired: use {DEFAULT_VERSION}.")
    return version


@dataclass
class Reading:
    """One window read by `$skip`, while rows may come and go: REST promises no order and gives no total.

    `take` is fed each page as it comes and moves `skip` to where the next one begins: one row before the end
    of what was seen, so that a shift shows. A window whose rows moved is read again, by page, until as many
    different rows were seen as stand there.
    """

    skip: int = 0
    settled: bool = False
    passes: int = 1
    _handed_out: set[str] = field(default_factory=set)
    _found: set[str] = field(default_factory=set)
    _this_pass: set[str] = field(default_factory=set)
    _news: bool = False
    _overlap: str = ""
    _standing: int | None = None

    def take(self, rows: list[Row]) -> list[Row]:
        """The rows of this page that were not handed out before."""
        ids = [row["id"] for row in rows]
        fresh = list({row["id"]: row for row in rows if row["id"] not in self._handed_out}.values())
        self._handed_out.update(ids)
        if self._moved(ids):
            self._found.clear()
            self._read_again(standing=None)
            return fresh
        self._news = self._news or not self._found.issuperset(ids)
        self._found.update(ids)
        self._this_pass.update(ids)
        self._step(ids)
        return fresh

    def _moved(self, ids: list[str]) -> bool:
        if not self._overlap:
            return False
        return self._overlap not in ids or (len(ids) > 1 and self._this_pass.issuperset(ids))

    def _step(self, ids: list[str]) -> None:
        seen = self.skip + len(ids)
        if self._standing is not None and len(self._found) >= self._standing:
            self.settled = True
        elif not _is_last(len(ids)):
            self._overlap = ids[-1]
            self.skip = seen - 1
        elif len(self._found) >= seen or (self.passes > 1 and not self._news):
            self.settled = True
        else:
            self._read_again(standing=seen)

    def _read_again(self, standing: int | None) -> None:
        self._standing = standing
        self._this_pass.clear()
        self._news = False
        self._overlap = ""
        self.skip = 0
        self.passes += 1


def _is_last(length: int) -> bool:
    """A short page ends a window, but a round length may be the server's own, lower cap."""
    return length < REST_PAGE and (length == 0 or length % ROUND_LENGTH != 0)


class SevenPaceClient:
    """Reads one 7pace organisation. Safe to share between threads."""

    def __init__(self, http: Http, pace: PaceAddress) -> None:
        self.pace = pace
        self.ignored_rows = 0
        self._http = http
        self._in_refused = False
        self._lock = Lock()

    @classmethod
    def open(cls, address: Address, token: str, gate: Gate) -> "SevenPaceClient":
        """`address.url` in any form `normalise_url` takes."""
        pace = normalise_url(address.url)
        return cls(Http(replace(address, url=pace.base), f"Bearer {token}", gate), pace)

    def me(self) -> Row:
        """`user`, `account`, `timeZone` of the token's owner."""
        return self._rest("me")

    def users(self) -> list[Row]:
        """Everybody 7pace knows, with 7pace's own `id`, `uniqueName`, `vstsId` and, on newer versions, `email`."""
        found: dict[str, Row] = {}
        while True:
            page = self._rows(self._rest("users", f"&$count={REST_PAGE}&$skip={len(found)}"), "id")
            fresh = {row["id"]: row for row in page if row["id"] not in found}
            found.update(fresh)
            if not fresh or _is_last(len(page)):
                return list(found.values())

    def worklogs_between(self, after: datetime | None, before: datetime | None) -> Iterator[list[Row]]:
        """Pages of the whole organisation's rows with after <= timestamp < before, in naive wall clock times.

        The window is complete only when the iterator ends by itself: a page that fails raises SiteError.
        """
        first = after and _whole_second(after)
        end = before and _next_second(before)
        filters = f"&$fromTimestamp={(first - SECOND).isoformat()}" if first else ""
        filters += f"&$toTimestamp={end.isoformat()}" if end else ""
        for page in self._pages(
            "workLogs/all", filters, lambda row: _within(_wall(row), first and first - SECOND, end)
        ):
            yield [row for row in page if _within(_wall(row), after, before)]

    def worklogs_of(self, work_item_ids: Iterable[int]) -> Iterator[list[Row]]:
        """Pages of all rows on these work items, in calls of 100 ids, the most REST takes.

        Complete only when the iterator ends by itself, like a window.
        """
        for ids in batched(dict.fromkeys(work_item_ids), IDS_PER_CALL):
            filters = f"&$workItemIds={','.join(map(str, ids))}"
            yield from self._pages("workLogs/all", filters, _among("workItemId", ids))

    def odata_between(self, start: datetime | None, end: datetime | None) -> Iterator[list[Row]]:
        """Pages of workLogsOnly rows with start <= Timestamp < end, in aware UTC times."""
        bounds = []
        if start is not None:
            bounds.append(f"Timestamp ge {_zulu(_whole_second(start))}")
        if end is not None:
            bounds.append(f"Timestamp lt {_zulu(_next_second(end))}")
        options = f"$filter={quote(' and '.join(bounds), safe=':')}" if bounds else ""
        answer = self._odata("GET", "workLogsOnly", options)
        yield from self._linked(answer, options, lambda row: _within(_instant(row), start, end))

    def odata_of(self, work_item_ids: Iterable[int]) -> Iterator[list[Row]]:
        """Pages of all workLogsOnly rows on up to 200 work items, by one long query."""
        ids = list(dict.fromkeys(work_item_ids))
        if not ids:
            return
        if not self._in_refused:
            try:
                yield from self._queried(f"$filter=WorkItemId in ({','.join(map(str, ids))})", ids)
            except SiteError as error:
                if error.status != 400 or _code(error):
                    raise
            else:
                return
        yield from self._by_alternatives(ids)
        self._in_refused = True

    def try_worklogs(self) -> None:
        """Asks for one row of the whole organisation; SiteError says what is missing."""
        self._rest("workLogs/all", "&$count=1")

    def try_odata(self) -> None:
        """Asks for one row of the reporting API; SiteError says what is missing."""
        self._odata("GET", "workLogsOnly", "$top=1")

    def _pages(self, path: str, filters: str, wanted: Callable[[Row], bool]) -> Iterator[list[Row]]:
        reading = Reading()
        while not reading.settled:
            if reading.passes > READINGS:
                raise self._broken("the rows of one window kept moving while they were read; try again later")
            rows = self._rest(path, f"&$count={REST_PAGE}&$skip={reading.skip}{filters}")
            yield self._only(reading.take(self._rows(rows, "id")), wanted)

    def _by_alternatives(self, ids: list[int]) -> Iterator[list[Row]]:
        for some in batched(ids, IDS_PER_ALTERNATIVE):
            either = " or ".join(f"WorkItemId eq {number}" for number in some)
            yield from self._queried(f"$filter={either}", some)

    def _queried(self, options: str, ids: Iterable[int]) -> Iterator[list[Row]]:
        first = self._odata("POST", "workLogsOnly/$query", options)
        yield from self._linked(first, options, _among("WorkItemId", ids))

    def _linked(self, answer: Answer, options: str, wanted: Callable[[Row], bool]) -> Iterator[list[Row]]:
        seen: set[str] = set()
        links: set[str] = set()
        while True:
            rows = {row["Id"]: row for row in self._rows(answer.data["value"], "Id") if row["Id"] not in seen}
            seen.update(rows)
            yield self._only(list(rows.values()), wanted)
            link = answer.data.get("@odata.nextLink")
            if not link:
                return
            if link in links:
                raise self._broken("the reporting API names the same next page again and again")
            links.add(link)
            answer = self._follow(link, options)

    def _follow(self, link: str, options: str) -> Answer:
        """The next page at our own address: behind a proxy the link may name another host."""
        parts = urlsplit(link)
        inside = ODATA_TAIL.search(parts.path)
        path = (inside[1] if inside else parts.path.lstrip("/")) or "workLogsOnly"
        query = parts.query.replace("%24", "$")
        if options and "$filter=" not in query and "$skiptoken=" not in query:
            query = f"{options}&{query}"
        return self._odata("POST" if path.endswith("$query") else "GET", path, query)

    def _rest(self, path: str, options: str = "") -> Any:
        """The parameters keep their `$` as it is: an encoded one is not recognised, and then silently ignored."""
        query = f"api-version={self.pace.version}{options}"
        return self._send("GET", self.pace.rest_path(path), query=query, well_formed=_has_data).data["data"]

    def _odata(self, method: str, path: str, options: str) -> Answer:
        form = {"text": options, "content_type": "text/plain"} if method == "POST" else {"query": options}
        return self._send(method, self.pace.odata_path(path), well_formed=_has_value, **form)

    def _send(self, method: str, path: str, **form: Any) -> Answer:
        try:
            return self._http.request(method, path, bucket="site", repeatable=True, **form)
        except SiteError as error:
            raise _explained(error, path) from error

    def _rows(self, rows: Any, key: str) -> list[Row]:
        if not isinstance(rows, list) or any(not isinstance(row, dict) or not row.get(key) for row in rows):
            raise self._broken("a page came without rows, or with rows that carry no id")
        return [_with_whole_numbers(row) for row in rows]

    def _only(self, rows: list[Row], wanted: Callable[[Row], bool]) -> list[Row]:
        """Drops what was not asked for: 7pace ignores a parameter it does not know and answers with everything."""
        kept = [row for row in rows if wanted(row)]
        with self._lock:
            self.ignored_rows += len(rows) - len(kept)
        return kept

    def take_ignored(self) -> int:
        """How many rows were dropped since this was last asked."""
        with self._lock:
            ignored, self.ignored_rows = self.ignored_rows, 0
        return ignored

    def _broken(self, what: str) -> SiteError:
        site = self._http.site
        return SiteError(site, FaultKind.PASSING, "site_unavailable", f"{site} (7pace): {what}.")


ROLE_REMEDY = (
    "Give the token's user the role Product, Budget or Administrator in 7pace (Settings > Users and roles)."
)
REMEDIES = {
    "AccessDenied": (FaultKind.WAITING, "no_permission", ROLE_REMEDY),
    "ServiceAccountNotSet": (
        FaultKind.WAITING,
        "no_permission",
        "The reporting API needs a service account: set one in 7pace (Settings > Reporting and API), "
        'or read by REST (read = "rest").',
    ),
    "ApiVersionError": (
        FaultKind.STOPS,
        "target_refused",
        f"7pace does not take this version or one of the parameters: check the address, use {DEFAULT_VERSION}.",
    ),
    "ApiDisabled": (
        FaultKind.STOPS,
        "target_refused",
        "The API is switched off in 7pace: switch it on in Settings > Reporting and API.",
    ),
    "UnauthorizedError": (
        FaultKind.STOPS,
        "auth_failed",
        "7pace refuses the token. Tokens are valid for one year: make a new one in 7pace "
        "(Settings > Reporting and API > Reporting & REST API > Create New Token).",
    ),
}


def _explained(error: SiteError, path: str) -> SiteError:
    """The same fault with 7pace's own error code understood and a remedy added."""
    code = "UnauthorizedError" if error.status == 401 else _code(error)
    if not code and error.status == 403:
        code = "AccessDenied"
    if code not in REMEDIES:
        return error
    kind, ours, remedy = REMEDIES[code]
    message = f"{error.site} (7pace) refused {path.rpartition('/rest/')[2]}: {error.words or code}. {remedy}"
    return error.refined(kind, ours, message)


def _code(error: SiteError) -> str:
    body = error.exchange.response_body if error.exchange else None
    envelope = body.get("error") if isinstance(body, dict) else None
    if not isinstance(envelope, dict):
        return next((code for code in REMEDIES if code in str(body)), "")
    code = envelope.get("errorCode") or envelope.get("code") or ""
    return code if code in REMEDIES else ""


def _with_whole_numbers(row: Row) -> Row:
    """The row with its ids and lengths as int, whether they came as 42, 42.0 or "42"; what is none stays as it is."""
    return row | {name: _whole(row[name]) for name in WHOLE_NUMBERS if name in row}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    found = WHOLE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else value


def _among(key: str, ids: Iterable[int]) -> Callable[[Row], bool]:
    asked = set(ids)
    return lambda row: row.get(key) in asked


def _has_data(body: Any) -> bool:
    return isinstance(body, dict) and "data" in body


def _has_value(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("value"), list)


def _wall(row: Row) -> datetime | None:
    parsed = _parsed(row.get("timestamp"))
    return parsed and parsed.replace(tzinfo=None)


def _instant(row: Row) -> datetime | None:
    parsed = _parsed(row.get("Timestamp"))
    return parsed and (parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def _parsed(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    """A row whose time cannot be read is kept: it is refused by name later, not lost here."""
    if moment is None:
        return True
    return (start is None or moment >= start) and (end is None or moment < end)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _next_second(moment: datetime) -> datetime:
    return _whole_second(moment) + SECOND if moment.microsecond else moment


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
