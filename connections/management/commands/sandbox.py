import signal
import threading
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from connections.sandbox import Sandbox, World, worlds

WORLDS: dict[str, Callable[[], World]] = {
    "small": worlds.small,
    "demo": worlds.demo,
    "companies": worlds.companies,
    "many": worlds.many,
    "empty": worlds.empty,
}


class Command(BaseCommand):
    help = (
        "Serves the four vendors' APIs on loopback until it is interrupted, and says how to connect to them."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8900, help="0 takes any free port (default 8900)")
        parser.add_argument(
            "--world", choices=sorted(WORLDS), default="small", help="what is in it (default small)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        with Sandbox(WORLDS[options["world"]](), port=options["port"]) as sandbox:
            self.stdout.write(introduction(sandbox))
            self.stdout.flush()
            ended.wait()


def introduction(sandbox: Sandbox) -> str:
    """The address, the environment and the file that lead to the sandbox."""
    exports = "\n".join(f"export {name}={token}" for name, token in sandbox.secrets().items())
    return (
        f"The sandbox is at {sandbox.url} (open it in a browser to look inside and to make calls fail).\n"
        "Its tokens are made up and open nothing else. Ctrl-C ends it.\n\n"
        f"Set this environment:\n\n{exports}\nexport ALLOW_LOCAL_SITES=true\n\n"
        f"Save this as sandbox.toml, then run: manage.py apply sandbox.toml\n\n{sandbox.toml()}"
    )
