"""The sandbox itself: a threaded HTTP/1.1 server on loopback that hands each call to its vendor."""

import contextlib
import logging
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from socketserver import StreamRequestHandler
from typing import Any, ClassVar, Self

from connections.sandbox import azure, control, jira, mirror, sevenpace, tempo
from connections.sandbox.byhand import hand_on
from connections.sandbox.declaration import declaration, secrets
from connections.sandbox.faults import PAGE, Fault, FaultKind, Faults
from connections.sandbox.post import Post
from connections.sandbox.routes import HTML_TYPE, Reply, Request, Vendor
from connections.sandbox.world import Site, World

log = logging.getLogger(__name__)

VENDORS: dict[str, Vendor] = {
    "jira": jira.VENDOR,
    "tempo": tempo.VENDOR,
    "sevenpace": sevenpace.VENDOR,
    "azure": azure.VENDOR,
}
_LONGEST_LINE = 1 << 20
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Call:
    """One answered call; `status` is None where the connection was cut."""

    at: float
    site: str
    method: str
    path: str
    status: int | None
    query: str = ""


@dataclass(frozen=True)
class Head:
    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


class CutError(Exception):
    """The connection is to be reset without an answer."""


class Sandbox:
    """Serves a world until it is stopped.

    with Sandbox(worlds.small()) as sandbox:
        requests.get(sandbox.url + "/jira/jca/rest/api/3/serverInfo")
    """

    def __init__(self, world: World, port: int = 0, host: str = "127.0.0.1") -> None:
        self.world = world
        self.faults = Faults()
        self.calls: list[Call] = []
        self._thread: threading.Thread | None = None
        self._server = Engine((host, port), Handler)
        self._server.sandbox = self
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self.post = Post(world)
        for site in world.senders():
            site.home = self.url + site.path

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True
        )
        self._thread.start()
        self.post.start()

    def stop(self) -> None:
        if self._thread:
            self._server.shutdown()
        self.post.stop()
        self._server.server_close()
        self._server.drop_connections()

    def settle(self, timeout: float = 10.0) -> None:
        """Lets the mirror's lag pass without waiting for it, and returns when every webhook due was called."""
        mirror.settle(self.world)
        self.post.wait(timeout)

    def daily_check(self) -> None:
        """What Tempo does once a day: it finds what Jira fired no event for."""
        mirror.daily_check(self.world)
        self.post.ring()

    def by_hand(self, site: str, action: str, **fields: str) -> None:
        """What a person does on a site: log, change, move or delete; ByHandError where that is refused.

        sandbox.by_hand("jca", "log", author="alice@example.com", on="ABC-1", started="2024-05-02T09:00", length="1h")
        """
        hand = hand_on(self, site)
        if hand is None:
            raise LookupError(site)
        hand.do({"action": action, **fields})
        self.post.ring()

    def toml(self, connection: str | None = None, changes: dict[str, Any] | None = None) -> str:
        """The file `apply` reads, for this world: all connections, or one, with some of its keys changed."""
        return declaration(self.world, self.url, connection, changes or {})

    def secrets(self) -> dict[str, str]:
        """The environment that file needs: variable -> token."""
        return secrets(self.world)

    def calls_to(self, site: str, method: str = "") -> list[Call]:
        return [
            call for call in list(self.calls) if call.site == site and (not method or call.method == method)
        ]

    def answer(self, head: Head, body: bytes) -> Reply:
        """Carries out one call; CutError where the connection is to be reset."""
        mirror.catch_up(self.world)
        found = self._site(head)
        if found is None:
            return control.answer(self, head.method, head.path, head.headers, body)
        site, path = found
        started = time.time()
        try:
            reply = self._serve(site, path, head, body)
        except CutError:
            self.calls.append(Call(started, site.name, head.method, head.path, None, head.query))
            raise
        self.calls.append(Call(started, site.name, head.method, head.path, reply.status, head.query))
        return reply

    def _site(self, head: Head) -> tuple[Site, str] | None:
        parts = head.path.split("/", 3)
        site = self.world.at(parts[1], parts[2]) if len(parts) > 2 else None
        return (site, "/" + (parts[3] if len(parts) > 3 else "")) if site else None

    def _serve(self, site: Site, path: str, head: Head, body: bytes) -> Reply:
        fault = self.faults.pick(site.name, head.method, head.path)
        if fault and fault.what == FaultKind.DELAY:
            time.sleep(fault.delay)
        if fault and not fault.works:
            time.sleep(site.latency)
            return _struck(fault, None)
        reply = self._carry_out(site, path, head, body)
        return _struck(fault, reply) if fault else reply

    def _carry_out(self, site: Site, path: str, head: Head, body: bytes) -> Reply:
        home = self.url + site.path
        request: Request[Any, Any] = Request(
            head.method, path, head.query, head.headers, body, site, home, self.world.clock, site.latency
        )
        vendor = VENDORS[site.kind]
        try:
            reply = vendor.answer(request)
        except Exception as error:
            log.exception("the sandbox failed at %s %s", head.method, head.path)
            reply = vendor.crash(repr(error))
        request.dwell()
        self.post.ring()
        headers = {**request.extra_headers, **reply.headers}
        return Reply(reply.status, reply.body, headers, reply.content_type)


def _struck(fault: Fault, reply: Reply | None) -> Reply:
    """What the caller gets of a call that a fault hit."""
    if fault.what in {FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER}:
        raise CutError
    if fault.what == FaultKind.STATUS:
        return Reply(fault.status, fault.body.encode(), fault.headers)
    if fault.what == FaultKind.HTML:
        return Reply(fault.status, PAGE, fault.headers, HTML_TYPE)
    if reply and fault.what == FaultKind.BROKEN_BODY:
        whole = reply.payload()
        return Reply(reply.status, whole[: len(whole) // 2] or b"{", reply.headers, reply.content_type)
    return reply or Reply(500)


class Engine(ThreadingHTTPServer):
    """Knows its open connections, so that stopping ends them too."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    sandbox: Sandbox

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(StreamRequestHandler):
    """Reads calls from one connection until it ends. Parsed by hand: a load test sends thousands a second."""

    server: Engine
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    phrases: ClassVar[dict[int, str]] = {status.value: status.phrase for status in HTTPStatus}

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            while self._serve_one():
                pass

    def _serve_one(self) -> bool:
        head = self._read_head()
        if head is None:
            return False
        body = self._read_body(head)
        try:
            reply = self.server.sandbox.answer(head, body)
        except CutError:
            self._cut()
            return False
        self._send(head, reply)
        return head.keeps_alive

    def _read_head(self) -> Head | None:
        parts = self.rfile.readline(_LONGEST_LINE).split()
        if len(parts) != 3:
            return None
        headers = {}
        while (line := self.rfile.readline(_LONGEST_LINE).strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
        return Head(parts[0].decode("latin-1"), parts[1].decode("latin-1"), headers)

    def _read_body(self, head: Head) -> bytes:
        if head.headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(head.headers.get("content-length") or 0)
        return self.rfile.read(length) if length else b""

    def _send(self, head: Head, reply: Reply) -> None:
        payload = reply.payload()
        lines = [f"HTTP/1.1 {reply.status} {self.phrases.get(reply.status, '')}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if payload:
            lines.append(f"Content-Type: {reply.content_type}")
        if reply.status != 204:
            lines.append(f"Content-Length: {len(payload)}")
        if not head.keeps_alive:
            lines.append("Connection: close")
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + payload)

    def _cut(self) -> None:
        """A reset, not an orderly end: the peer sees a broken connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.rfile.close()
        self.connection.close()
