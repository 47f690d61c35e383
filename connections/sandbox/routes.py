"""A request as the sandbox hands it to a route, the reply it gets back, and the table of routes of one vendor."""

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

JSON_TYPE = "application/json;charset=UTF-8"
HTML_TYPE = "text/html;charset=UTF-8"


@dataclass(frozen=True)
class Reply:
    """What goes back: `body` is JSON-able, or ready text or bytes, or None for an empty answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE

    def payload(self) -> bytes:
        if self.body is None and self.content_type == JSON_TYPE:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if self.content_type != JSON_TYPE:
            return str(self.body).encode()
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )


class RefusalError(Exception):
    """Ends a route early with the vendor's own refusal."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass
class Request[SiteT, CallerT]:
    """One call, already assigned to a site. `path` is the part below the site's address, still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    site: SiteT
    home: str
    now: Callable[[], float] = time.time
    latency: float = 0.0
    _caller: CallerT | None = None
    extra_headers: dict[str, str] = field(default_factory=dict)

    @property
    def caller(self) -> CallerT:
        if self._caller is None:
            raise LookupError("this route is open to everybody; it has no caller")
        return self._caller

    def called_by(self, caller: CallerT) -> None:
        self._caller = caller

    @cached_property
    def params(self) -> dict[str, list[str]]:
        return parse_qs(self.query, keep_blank_values=True)

    def param(self, name: str, default: str | None = None) -> str | None:
        return self.params.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return (self.param(name) or "").lower() == "true"

    def json(self) -> Any:
        """The body as JSON; ValueError where it is none."""
        return json.loads(self.body)

    def dwell(self) -> None:
        """Lets the site's latency pass, once. A write calls it while it holds its issue."""
        latency, self.latency = self.latency, 0.0
        if latency:
            time.sleep(latency)


def is_safe_target(url: str) -> bool:
    """Whether a webhook may lead there: the vendors insist on HTTPS.

    Not so on loopback, where nobody listens in and a receiver under test has no certificate.
    """
    parts = urlsplit(url)
    at_home = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or (at_home and parts.scheme == "http"))


def bearer(request: Request[Any, Any]) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def basic(request: Request[Any, Any]) -> tuple[str, str] | None:
    """User and password of HTTP Basic, or None."""
    scheme, _, blob = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(blob, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    segments: tuple[str, ...]
    function: Callable[..., Reply]
    open: bool


class Routes:
    """Routes by method and number of segments; `{name}` stands for one segment. Literal segments win."""

    def __init__(self, *, ignore_case: bool = False) -> None:
        self._fold = str.lower if ignore_case else str
        self._table: dict[tuple[str, int], list[Route]] = {}

    def on(
        self, method: str, pattern: str, *, open: bool = False
    ) -> Callable[[Callable[..., Reply]], Callable[..., Reply]]:
        """Registers a function; `open` routes need no token."""

        def register(function: Callable[..., Reply]) -> Callable[..., Reply]:
            segments = tuple(pattern.strip("/").split("/"))
            routes = self._table.setdefault((method, len(segments)), [])
            routes.append(Route(method, pattern, segments, function, open))
            routes.sort(key=lambda route: sum(part.startswith("{") for part in route.segments))
            return function

        return register

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        parts = path.strip("/").split("/")
        for route in self._table.get((method, len(parts)), ()):
            values = self._match(route, parts)
            if values is not None:
                return route, values
        return None

    def _match(self, route: Route, parts: list[str]) -> dict[str, str] | None:
        values = {}
        for expected, part in zip(route.segments, parts, strict=True):
            if expected.startswith("{"):
                values[expected[1:-1]] = unquote(part)
            elif self._fold(unquote(part)) != self._fold(expected):
                return None
        return values


@dataclass(frozen=True)
class Vendor:
    """One vendor's side of the sandbox: its routes, its door and its limits."""

    routes: Routes
    admit: Callable[[Request[Any, Any]], None]
    """Sets the caller or raises RefusalError."""
    throttle: Callable[[Request[Any, Any], Route], None]
    """Raises RefusalError with 429 where a limit is reached."""
    lost: Callable[[Request[Any, Any]], Reply]
    """The answer to an address nobody knows."""
    crash: Callable[[str], Reply]
    """The answer where the sandbox itself has a fault."""

    def answer(self, request: Request[Any, Any]) -> Reply:
        found = self.routes.find(request.method, request.path)
        try:
            return self._answer(request, found)
        except RefusalError as refusal:
            return refusal.reply

    def _answer(self, request: Request[Any, Any], found: tuple[Route, dict[str, str]] | None) -> Reply:
        if found is None:
            return self.lost(request)
        route, values = found
        if not route.open:
            self.admit(request)
        self.throttle(request, route)
        return route.function(request, **values)
