"""`serve`: web server, workers and their watchdog from one process, which takes all of them down with it."""

import os
from socket import socket
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, RefusedError
from connections.serving import WATCH_SECONDS, Service, listen, manage
from connections.supervising import StoppedError, Supervisor

GRACE_SECONDS = 40.0


class Command(ProductCommand):
    help = (
        "Serves the dashboard and works off the queue until it is interrupted. Put a web server with HTTPS "
        "before it, and set PUBLIC_URL."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--port", type=int, default=8000, help="the dashboard's port (default 8000)")
        parser.add_argument(
            "--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)"
        )
        parser.add_argument(
            "--workers", type=int, default=1, help="web server processes, of 8 threads each (default 1)"
        )
        parser.add_argument(
            "--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS",
            help=f"what workers have to finish their slice when it ends (default {GRACE_SECONDS:.0f})",
        )  # fmt: skip
        parser.add_argument(
            "--watch", type=float, default=WATCH_SECONDS, metavar="SECONDS",
            help=f"how often the watchdog looks at the queue (default {WATCH_SECONDS:.0f})",
        )  # fmt: skip

    def act(self, host: str, port: int, workers: int, grace: float, watch: float, **_options: Any) -> None:
        listener = opened(host, port)
        with Supervisor(grace, self.stderr.write) as supervisor:
            try:
                prepare(supervisor)
            except StoppedError:
                return
            service = Service(dict(os.environ), listener, workers, watch)
            if service.start(supervisor):
                self.emit({"url": service.url, "pid": os.getpid()}, f"Twinlog is served at {service.url}")
                self.stdout.flush()
                supervisor.tend()


def opened(host: str, port: int) -> socket:
    """The listening socket. Raises RefusedError."""
    try:
        return listen(host, port)
    except OSError as fault:
        message = f"Cannot listen on {host}:{port} ({fault.strerror}). Try another --port."
        raise RefusedError("port_taken", message) from fault


def prepare(supervisor: Supervisor) -> None:
    """Raises StoppedError, or RefusedError where the database is not as this version needs it."""
    unheard: list[str] = []
    current, gathered = supervisor.finish(
        manage(os.environ, "migrate", "--check", hears=unheard.append),
        manage(os.environ, "collectstatic", "--noinput", "--verbosity", "0", hears=unheard.append),
    )
    if current:
        message = "The database is not up to date, or cannot be reached. Run `manage.py migrate`."
        raise RefusedError("database_unavailable", message)
    if gathered:
        message = f"The pages' files could not be gathered in {settings.STATIC_ROOT}: see above."
        raise RefusedError("not_ready", message)
