"""The connections themselves: each peer is checked before anything is sent, and each departure is noted.

Whether a request may have left this machine decides whether it may be sent again (http.py).
"""

import os
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from connections.clients.addresses import check_ip

POOL_SIZE = 40

_departure = threading.local()


def expect_departure() -> None:
    """Begin a call of this thread: nothing of it has left yet."""
    _departure.noted = False


def has_departed() -> bool:
    """Whether any byte of this thread's call may have reached the other side."""
    return getattr(_departure, "noted", False)


class _Watched:
    """Mixed into urllib3's connections."""

    allow_local = False
    host: str
    sock: Any

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]
        try:
            check_ip(sock.getpeername()[0], self.host, self.allow_local)
        except BaseException:
            sock.close()
            raise
        return sock

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        _departure.noted = True
        super().send(data)  # type: ignore[misc]


class _PublicHTTP(_Watched, HTTPConnection):
    pass


class _PublicHTTPS(_Watched, HTTPSConnection):
    pass


class _LocalHTTP(_Watched, HTTPConnection):
    allow_local = True


class _LocalHTTPS(_Watched, HTTPSConnection):
    allow_local = True


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _LocalHTTPPool(HTTPConnectionPool):
    ConnectionCls = _LocalHTTP


class _LocalHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _LocalHTTPS


class _GuardedAdapter(HTTPAdapter):
    """Keeps connections open, never retries, never follows a redirect, asks no proxy."""

    def __init__(self, allow_local: bool) -> None:
        self._allow_local = allow_local
        super().__init__(pool_connections=4, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        pools = (
            (_LocalHTTPPool, _LocalHTTPSPool) if self._allow_local else (_PublicHTTPPool, _PublicHTTPSPool)
        )
        self.poolmanager.pool_classes_by_scheme = dict(zip(("http", "https"), pools, strict=True))


class Wire:
    """One pool of connections for all threads of a process; a forked child gets its own."""

    def __init__(self, allow_local: bool) -> None:
        self._allow_local = allow_local
        self._adapters: dict[int, HTTPAdapter] = {}

    def adapter(self) -> HTTPAdapter:
        pid = os.getpid()
        found = self._adapters.get(pid)
        return found or self._adapters.setdefault(pid, _GuardedAdapter(self._allow_local))
