"""The processes that make up a running installation: the web server, the queue's clusters, and the watchdog's eyes."""

import errno
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from typing import Any

from django.conf import settings

from connections.supervising import Program, Supervisor

WATCH_SECONDS = 30.0
THREADS = 8
# A cluster that is just starting is slow, not stuck.
START_SECONDS = 10.0
BACKLOG = 256
PORTS_TRIED = 100


@dataclass(frozen=True)
class Service:
    """What is served: with which environment, on which socket, by how many web processes."""

    environment: Mapping[str, str]
    listener: socket.socket
    web_workers: int = 1
    watch_seconds: float = WATCH_SECONDS

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()[:2]
        shown = "localhost" if host == "127.0.0.1" else host
        return f"http://{shown}:{port}/"

    def start(self, supervisor: Supervisor) -> bool:
        """Starts everything and waits until the first page is answered; False where it was told to end before."""
        for program in [self._web(), *self._clusters(), self._watch(supervisor)]:
            supervisor.keep(program)
        return supervisor.tend(until=self._answers)

    def _web(self) -> Program:
        descriptor = self.listener.fileno()
        options = {
            "--bind": f"fd://{descriptor}",
            "--worker-class": "gthread",
            "--workers": str(self.web_workers),
            "--threads": str(THREADS),
            "--graceful-timeout": "3",
            "--log-level": "warning",
            "--chdir": str(settings.BASE_DIR),
        }
        words = [word for option in options.items() for word in option]
        command = (sys.executable, "-m", "gunicorn", "config.wsgi", "--no-control-socket", *words)
        return Program("web", command, self.environment, descriptors=(descriptor,))

    def _clusters(self) -> list[Program]:
        names = queues()
        clusters = []
        for name in names:
            program = manage({**self.environment, "Q_CLUSTER_NAME": name}, "qcluster")
            clusters.append(replace(program, name=f"queue {name}", guarded=True))
        return clusters

    def _watch(self, supervisor: Supervisor) -> Program:
        def hear(line: str) -> None:
            for name in line.split():
                supervisor.renew(f"queue {name}", "takes up no work any more", older_than=START_SECONDS)

        command = manage(self.environment, "watch_queue", "--period", str(self.watch_seconds), hears=hear)
        return replace(command, silent_seconds=60 + 3 * self.watch_seconds)

    def _answers(self) -> bool:
        host, port = self.listener.getsockname()[:2]
        connection = HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=1)  # noqa: S104
        try:
            connection.request("GET", "/sign-in/")
            return connection.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def manage(
    environment: Mapping[str, str], *arguments: str, hears: Callable[[str], None] | None = None
) -> Program:
    """One of our own commands as a program."""
    command = (sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments)
    return Program(arguments[0], command, environment, hears=hears)


def queues() -> list[str]:
    """The names of all queues; each has a cluster of its own."""
    cluster: dict[str, Any] = settings.Q_CLUSTER
    return [cluster["name"], *cluster.get("ALT_CLUSTERS", ())]


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; the web server inherits it, so that no call is refused while it starts anew.

    Raises OSError, where the port is taken or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def listen_near(host: str, port: int) -> socket.socket:
    """The same on that port or, where it is taken, the next one that is free."""
    for candidate in range(port, port + PORTS_TRIED):
        try:
            return listen(host, candidate)
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
    return listen(host, 0)
