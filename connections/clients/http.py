"""The one way to call a vendor: pacing, retry, redaction, redirects, and one type of error.

A call is either repeatable (it only reads) or not (it may change the other side). A repeatable call is
tried again until it succeeds, its answer is a refusal, or the site counts as down. A call that is not
repeatable is sent again only while it is certain that it was not carried out; any doubt ends in
`unknown_outcome`, and the caller must look before writing again.
"""

import json as jsonlib
import random
import re
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http.client import HTTPException
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NameResolutionError, ReadTimeoutError

from connections.clients.addresses import AddressError, check_form
from connections.clients.wire import Wire, expect_departure, has_departed

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 60.0
CALL_LIMIT = 120.0
MAX_REDIRECTS = 5
MAX_BODY = 100_000_000
RECORDED_CHARACTERS = 20_000
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
DOWN_AFTER_CALLS, DOWN_AFTER_SECONDS = 10, 60.0
# Failures before so long a silence say nothing of the site as it is now.
FORGOTTEN_AFTER_SECONDS = 600.0
WORTH_TELLING_SECONDS = 1.0
RESERVED_WITHIN = 5.0
HIDDEN = "•••"
SECRET_FIELDS = frozenset({"sharedSecret", "secret"})
"""What the vendors call the secret of a webhook, in requests and in answers."""

_LOST_STATUSES = frozenset({408, 425})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_IN_TEXT = re.compile(rf'("(?:{"|".join(sorted(SECRET_FIELDS))})"\s*:\s*")(?:[^"\\]|\\.)*')
_WIRE_ERRORS = (OSError, HTTPError, HTTPException)


class FaultKind(StrEnum):
    """What a failed call means for the entry it was made for."""

    PASSING = "passing"
    WAITING = "waiting"
    FINAL = "final"
    STOPS = "stops"


class Scope(StrEnum):
    """What a 429 throttles: everything, one bucket of calls, or only what this call was about."""

    SITE = "site"
    BUCKET = "bucket"
    CALL = "call"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as the audit keeps them: no secrets, long bodies cut."""

    method: str
    url: str
    request_body: Any
    status: int | None
    response_body: Any
    sent_at: datetime
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "sent_at": self.sent_at.isoformat(), "seconds": round(self.seconds, 3)}


class SiteError(Exception):
    """A call that did not succeed. `code` is one of the product's codes, `message` is for a person."""

    scope: Scope = Scope.SITE
    """Of a 429: what it throttles."""

    def __init__(
        self,
        site: str,
        kind: FaultKind,
        code: str,
        message: str,
        exchange: Exchange | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.site = site
        self.kind = kind
        self.code = code
        self.message = message
        self.exchange = exchange
        self.retry_after = retry_after

    @property
    def status(self) -> int | None:
        return self.exchange.status if self.exchange else None

    @property
    def words(self) -> str:
        """The vendor's own words, empty where it said nothing."""
        return words_of(self.exchange.response_body) if self.exchange else ""

    def refined(self, kind: FaultKind, code: str, message: str) -> "SiteError":
        """The same failed call, understood better by its client."""
        return SiteError(self.site, kind, code, message, self.exchange, self.retry_after)


@dataclass(frozen=True)
class Address:
    """Where a site is: its name, the URL its paths stand below, and whether it may be a local one."""

    site: str
    url: str
    allow_local: bool = False


@dataclass(frozen=True)
class Rate:
    """At most `limit` calls in any `window` seconds."""

    limit: int
    window: float


class Budget(Protocol):
    """The calls a site allows, shared by everybody who calls it."""

    def take(self, bucket: str) -> float:
        """Reserve one call; the seconds to wait before sending it.

        A wait longer than RESERVED_WITHIN reserves nothing: ask again when it is over.
        """

    def hold(self, bucket: str | None, seconds: float) -> None:
        """Nobody may call this bucket (None: the whole site) for so many seconds."""


def _ignore(*_: object) -> None:
    return None


class SiteHealth:
    """Counts failed calls in a row over all threads: ten of them over at least a minute mean down.

    Ten minutes without a call end the row. Whoever asks a site is told that it is down only after a call of his own
    has failed: what is remembered never stands in for a call.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._first = self._last = 0.0

    def failed(self) -> None:
        with self._lock:
            now = self._clock()
            if not self._failures or now - self._last > FORGOTTEN_AFTER_SECONDS:
                self._failures, self._first = 0, now
            self._last = now
            self._failures += 1

    def succeeded(self) -> None:
        self._failures = 0

    @property
    def is_down(self) -> bool:
        return self._failures >= DOWN_AFTER_CALLS and self._last - self._first >= DOWN_AFTER_SECONDS


@dataclass(frozen=True)
class Gate:
    """What every call passes: the shared budget, and how its caller waits and counts.

    `pause` sleeps and may raise to end a run; `on_call` gets the HTTP method of each request sent;
    `on_wait` gets the seconds and the reason of waits of a second or more; `patience` is how many seconds
    a call may go on failing or waiting (None: until the site counts as down); `health` is what is known of the site
    already, where it outlives the client.
    """

    budget: Budget
    pause: Callable[[float], None] = time.sleep
    on_call: Callable[[str], None] = _ignore
    on_wait: Callable[[float, str], None] = _ignore
    patience: float | None = None
    health: SiteHealth | None = None


@dataclass(frozen=True)
class Answer:
    """What the site said: parsed JSON (None where it is none), status, headers (any case), the record."""

    data: Any
    status: int
    headers: Mapping[str, str]
    exchange: Exchange


def anything(data: Any) -> bool:  # noqa: ARG001
    return True


def is_json(data: Any) -> bool:
    return data is not None


def is_object(data: Any) -> bool:
    return isinstance(data, dict)


def is_list(data: Any) -> bool:
    return isinstance(data, list)


def no_verdict(answer: Answer) -> SiteError | None:  # noqa: ARG001
    return None


def whole_site(answer: Answer) -> Scope:  # noqa: ARG001
    return Scope.SITE


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    query: str
    body: bytes | None
    content_type: str
    recorded_body: Any
    bucket: str
    repeatable: bool
    ok: tuple[int, ...]
    well_formed: Callable[[Any], bool]


@dataclass
class _Tries:
    """How often one call has failed or was throttled so far, and since when."""

    began: float
    failures: int = 0
    throttled: int = 0


class _TooLongError(OSError):
    pass


class Http:
    """Calls one site as one identity. Safe to share between threads, and usable after a fork.

    `recognise` may turn any answer into an error before the general rules judge it (a sign-in page,
    for example); `throttled` says what a 429 throttles.
    """

    def __init__(
        self,
        address: Address,
        auth: AuthBase | str,
        gate: Gate,
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
        *,
        recognise: Callable[[Answer], SiteError | None] = no_verdict,
        throttled: Callable[[Answer], Scope] = whole_site,
        health: SiteHealth | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.7, 1.3),
    ) -> None:
        self.address = address
        self.gate = gate
        self.health = health or gate.health or SiteHealth(clock)
        self._timeout = timeout
        self._recognise = recognise
        self._throttled = throttled
        self._clock = clock
        self._jitter = jitter
        self._wire = Wire(address.allow_local)
        self._identify(auth)

    @property
    def site(self) -> str:
        return self.address.site

    @property
    def down(self) -> bool:
        """Whether the site counts as down: ten failed calls in a row over at least a minute."""
        return self.health.is_down

    def as_other(self, auth: AuthBase | str) -> "Http":
        """The same site, budget, health and connections with somebody else's credentials."""
        other = object.__new__(Http)
        other.__dict__.update(self.__dict__)
        other._identify(auth)
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str | Mapping[str, Any] = "",
        json: Any = None,
        text: str | None = None,
        content_type: str = "text/plain; charset=utf-8",
        bucket: str,
        repeatable: bool,
        ok: tuple[int, ...] = (200,),
        well_formed: Callable[[Any], bool] = is_json,
    ) -> Answer:
        """Send one call and give its answer, waiting and trying again as the module's rules say.

        `query` is used verbatim when it is a string; `well_formed` judges the JSON of a success (a 204
        has none). Raises SiteError for everything that is not a success, and whatever `gate.pause` raises.
        """
        body, kind = _encoded(json, text, content_type)
        recorded = _redacted(json if text is None else text, self._secrets)
        shown = query if isinstance(query, str) else urlencode(query, doseq=True, quote_via=quote)
        return self._until_settled(
            _Call(method, path, shown, body, kind, recorded, bucket, repeatable, ok, well_formed)
        )

    def _identify(self, auth: AuthBase | str) -> None:
        self._authorise = _authoriser(auth)
        self._secrets = _secrets_of(self._authorise)

    def _until_settled(self, call: _Call) -> Answer:
        tries = _Tries(self._clock())
        while True:
            self._await_turn(call, tries)
            try:
                return self._attempt(call)
            except SiteError as fault:
                delay = self._delay_after(fault, call, tries)
                reason = fault.message
            self._rest(delay, reason)

    def _await_turn(self, call: _Call, tries: _Tries) -> None:
        while (seconds := self.gate.budget.take(call.bucket)) > 0:
            if self._impatient(tries, seconds):
                message = f"{self.site} allows no more calls for {seconds:.0f} s. Try again later."
                raise SiteError(self.site, FaultKind.PASSING, "rate_limited", message, retry_after=seconds)
            self._rest(seconds, f"{self.site} allows no more calls at the moment ({call.bucket})")
            if seconds <= RESERVED_WITHIN:
                return

    def _rest(self, seconds: float, reason: str) -> None:
        if seconds >= WORTH_TELLING_SECONDS:
            self.gate.on_wait(seconds, reason)
        self.gate.pause(seconds)

    def _impatient(self, tries: _Tries, seconds: float) -> bool:
        patience = self.gate.patience
        return patience is not None and self._clock() - tries.began + seconds > patience

    def _delay_after(self, fault: SiteError, call: _Call, tries: _Tries) -> float:
        """Seconds until the call may be sent again; raises where it must not be."""
        if fault.code == "rate_limited":
            delay = self._delay_when_throttled(fault, call, tries)
        elif fault.code == "site_unavailable" and fault.kind is FaultKind.PASSING:
            delay = self._delay_when_failing(fault, tries)
        else:
            raise fault
        if self._impatient(tries, delay):
            raise fault
        return delay

    def _delay_when_throttled(self, fault: SiteError, call: _Call, tries: _Tries) -> float:
        delay = fault.retry_after or _step(tries.throttled)
        tries.throttled += 1
        if fault.scope is not Scope.CALL:
            self.gate.budget.hold(call.bucket if fault.scope is Scope.BUCKET else None, delay)
        return delay

    def _delay_when_failing(self, fault: SiteError, tries: _Tries) -> float:
        if self.down:
            message = f"{self.site} is down: {fault.message} Start again when it is back."
            raise fault.refined(FaultKind.STOPS, "site_unavailable", message) from fault
        delay = max(_step(tries.failures) * self._jitter(), fault.retry_after or 0.0)
        tries.failures += 1
        return delay

    def _attempt(self, call: _Call) -> Answer:
        url = self._url(call)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._sent(call, url)
            target = self._redirect(call, url, answer)
            if target is None:
                return self._judged(call, answer)
            url = target
        message = f"{self.site} redirected more than {MAX_REDIRECTS} times. Check the site's url."
        raise SiteError(self.site, FaultKind.STOPS, "site_unavailable", message, answer.exchange)

    def _url(self, call: _Call) -> str:
        url = self.address.url.rstrip("/") + call.path
        return f"{url}?{call.query}" if call.query else url

    def _redirect(self, call: _Call, url: str, answer: Answer) -> str | None:
        location = answer.headers.get("Location", "")
        if call.method != "GET" or answer.status not in _REDIRECTS or not location:
            return None
        return None if self._recognise(answer) else urljoin(url, location)

    def _sent(self, call: _Call, url: str) -> Answer:
        sent_at, began = datetime.now(UTC), self._clock()
        record = Exchange(call.method, self._shown(url), call.recorded_body, None, None, sent_at, 0.0)
        expect_departure()
        try:
            check_form(url, self.address.allow_local)
            self.gate.on_call(call.method)
            response = self._wire.adapter().send(
                self._prepared(call, url), stream=True, timeout=self._timeout
            )
            body = self._body(response, began + CALL_LIMIT)
        except AddressError as error:
            raise SiteError(self.site, FaultKind.STOPS, "site_unavailable", str(error), record) from error
        except _WIRE_ERRORS as error:
            self.health.failed()
            record = replace(record, seconds=self._clock() - began)
            raise self._lost(call, record, _plain_cause(error), departed=has_departed()) from error
        return self._answer(response, body, replace(record, seconds=self._clock() - began))

    def _prepared(self, call: _Call, url: str) -> requests.PreparedRequest:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "Twinlog"}
        if call.content_type:
            headers["Content-Type"] = call.content_type
        prepared = requests.Request(call.method, url, headers=headers, data=call.body).prepare()
        if _origin(url) == _origin(self.address.url):
            self._authorise(prepared)
        return prepared

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := response.raw.read1(65_536, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if self._clock() > deadline or size > MAX_BODY:
                response.close()
                raise _TooLongError
        return b"".join(chunks)

    def _answer(self, response: requests.Response, body: bytes, record: Exchange) -> Answer:
        data = _parsed(body)
        text = body.decode("utf-8", errors="replace")
        recorded = _recorded(text, data, self._secrets)
        record = replace(record, status=response.status_code, response_body=recorded)
        return Answer(data, response.status_code, response.headers, record)

    def _judged(self, call: _Call, answer: Answer) -> Answer:
        fault = self._recognise(answer) or self._fault(call, answer)
        if fault is None:
            self.health.succeeded()
            return answer
        self._note_health(fault)
        fault.exchange = fault.exchange or answer.exchange
        raise fault

    def _note_health(self, fault: SiteError) -> None:
        if fault.code in {"site_unavailable", "unknown_outcome"}:
            self.health.failed()
        elif fault.code != "rate_limited":
            self.health.succeeded()

    def _fault(self, call: _Call, answer: Answer) -> SiteError | None:
        status = answer.status
        if status in call.ok and (status == 204 or call.well_formed(answer.data)):
            return None
        if status == 429:
            return self._throttle(answer)
        if status == 401:
            return self._refused_token(answer)
        if status >= 500 or status in _LOST_STATUSES:
            return self._lost(call, answer.exchange, f"answered {status}", retry_after(answer.headers))
        if status < 300:
            return self._lost(call, answer.exchange, "gave an answer that is not what was asked for")
        return self._refusal(call, answer)

    def _throttle(self, answer: Answer) -> SiteError:
        message = f"{self.site} asks to call more slowly (429)."
        wait = retry_after(answer.headers)
        fault = SiteError(self.site, FaultKind.PASSING, "rate_limited", message, answer.exchange, wait)
        fault.scope = self._throttled(answer)
        return fault

    def _refused_token(self, answer: Answer) -> SiteError:
        message = (
            f"{self.site} refused the token (401). Make a new one there, put it in place and apply again."
        )
        return SiteError(self.site, FaultKind.STOPS, "auth_failed", message, answer.exchange)

    def _refusal(self, call: _Call, answer: Answer) -> SiteError:
        if answer.status in _REDIRECTS:
            message = f"{self.site} answered {call.method} {call.path} with a redirect. Check the site's url."
            return SiteError(self.site, FaultKind.STOPS, "site_unavailable", message, answer.exchange)
        said = words_of(answer.exchange.response_body) or "no reason given"
        message = f"{self.site} refused {call.method} {call.path} ({answer.status}): {said}"
        return SiteError(self.site, FaultKind.WAITING, "target_refused", message, answer.exchange)

    def _lost(
        self,
        call: _Call,
        record: Exchange,
        cause: str,
        wait: float | None = None,
        *,
        departed: bool = True,
    ) -> SiteError:
        """A call without a usable answer: repeatable, or never sent, or nobody knows what became of it."""
        if call.repeatable or not departed:
            message = f"{self.site} did not answer {call.method} {call.path}: {cause}."
            return SiteError(self.site, FaultKind.PASSING, "site_unavailable", message, record, wait)
        message = f"{self.site} may or may not have carried out {call.method} {call.path}: {cause}."
        return SiteError(self.site, FaultKind.PASSING, "unknown_outcome", message, record, wait)

    def _shown(self, url: str) -> str:
        parts = urlsplit(url)
        if _origin(url) != _origin(self.address.url):
            return f"{parts.scheme}://{parts.hostname}{parts.path}"
        shown = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return _redacted(shown, self._secrets)


def words_of(body: Any) -> str:
    """The vendor's own words out of an error body, whichever of the known shapes it has.

    Jira's ErrorCollection, Tempo's `errors` as object or list, the `error` envelope of 7pace and OData,
    `message` of Azure DevOps, bare text or HTML.
    """
    if isinstance(body, str):
        return _plain_text(body)
    if isinstance(body, list):
        return " ".join(filter(None, map(words_of, body)))
    if not isinstance(body, dict):
        return ""
    found = [*_texts(body.get("errorMessages")), *_texts(body.get("errors"))]
    found += _texts(body.get("errorDescription")) + _texts(body.get("message")) + _texts(body.get("error"))
    return " ".join(dict.fromkeys(found))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as an HTTP date; None where there is none."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _texts(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part.strip()] if part.strip() else []
    if isinstance(part, list):
        return [text for item in part for text in _texts(item)]
    if isinstance(part, dict):
        if "message" in part or "errorDescription" in part or "errorMessages" in part:
            return _texts(words_of(part))
        return [f"{name}: {text}" for name, value in part.items() for text in _texts(value)]
    return []


def _plain_text(text: str) -> str:
    if "<" in text:
        text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join(text.split())[:500]


def _step(failures: int) -> float:
    return BACK_OFF[min(failures, len(BACK_OFF) - 1)]


def _encoded(json: Any, text: str | None, content_type: str) -> tuple[bytes | None, str]:
    if text is not None:
        return text.encode(), content_type
    if json is not None:
        return jsonlib.dumps(json).encode(), "application/json"
    return None, ""


def _parsed(body: bytes) -> Any:
    try:
        return jsonlib.loads(body)
    except (ValueError, RecursionError):
        return None


def _recorded(text: str, data: Any, secrets: Iterable[str]) -> Any:
    if data is not None and len(text) <= RECORDED_CHARACTERS:
        return _redacted(data, secrets)
    shown = _redacted(text, secrets)[:RECORDED_CHARACTERS]
    return _SECRET_IN_TEXT.sub(rf"\1{HIDDEN}", shown) or None


def _redacted(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, dict):
        return {
            _redacted(key, secrets): HIDDEN if key in SECRET_FIELDS else _redacted(part, secrets)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(part, secrets) for part in value]
    return value


def _authoriser(auth: AuthBase | str) -> Callable[[requests.PreparedRequest], Any]:
    if not isinstance(auth, str):
        return auth

    def authorise(prepared: requests.PreparedRequest) -> None:
        prepared.headers["Authorization"] = auth

    return authorise


def _secrets_of(authorise: Callable[[requests.PreparedRequest], Any]) -> tuple[str, ...]:
    """Everything that must not be recorded: the credential, and the password inside a Basic one."""
    probe = requests.Request("GET", "https://example.com/").prepare()
    authorise(probe)
    credential = str(probe.headers.get("Authorization", "")).partition(" ")[2]
    try:
        password = b64decode(credential, validate=True).decode().partition(":")[2]
    except ValueError:
        password = ""
    return tuple(secret for secret in (credential, password) if len(secret) >= 4)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _plain_cause(error: BaseException) -> str:
    """What went wrong on the wire, in words for an operator."""
    chain = list(_causes(error))
    for kind, words in _CAUSES:
        if any(isinstance(link, kind) for link in chain):
            return words
    if any(isinstance(link, requests.exceptions.SSLError) for link in chain):
        return f"no trusted encrypted connection ({chain[-1]})"
    return "the connection was cut before the answer was complete"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (NameResolutionError, "its name cannot be resolved"),
    (requests.exceptions.ConnectTimeout, "no connection within the time allowed"),
    (ReadTimeoutError, "no answer within the time allowed"),
    (requests.exceptions.ReadTimeout, "no answer within the time allowed"),
    (_TooLongError, "the answer did not end within the time or size allowed"),
    (ConnectionRefusedError, "the connection was refused"),
)
