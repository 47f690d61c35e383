"""`demo`: a migration and a live sync on the built-in sandbox, in a database of its own, with the dashboard."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connections.leash import leashed
from connections.sandbox import Sandbox, World, worlds
from connections.sandbox.keeping import put_away, take_out
from connections.serving import Service, listen_near, manage
from connections.supervising import Program, StoppedError, Supervisor

MIGRATION, SYNC = "contoso-to-jca", "acme-globex"
USER = "demo"
GRACE_SECONDS = 3.0
# With all entries carried, or with some open.
CAME_TO_ITS_END = (0, 1)
WORLDS: dict[str, Callable[[], World]] = {"demo": worlds.demo, "small": worlds.small}


class FailedError(Exception):
    """A command that prepares the demo failed, and said why."""


class Command(BaseCommand):
    help = (
        "Runs the migration of a made-up 7pace history into a made-up Jira and keeps the Tempo of two made-up "
        "companies the same, serves the dashboard to watch it, and shows the report. Everything is new each time, "
        "unless it is to be kept."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="no dashboard: run both jobs, end with their worse status"
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="the dashboard's port, or the next free one (default 8000)"
        )
        parser.add_argument(
            "--keep",
            action="store_true",
            help="go on where the last demo was ended, with its database and its Jira, Tempo and 7pace",
        )
        parser.add_argument("--world", choices=sorted(WORLDS), default="demo", help="what there is to carry")

    def handle(self, *_args: Any, **options: Any) -> None:
        with own_folder() as folder:
            kept = take_out(folder / "world") if options["keep"] and not options["once"] else None
            if options["keep"] and not kept:
                self._say("There is no demo to go on with: it was never ended, or killed. This is a new one.")
            if not kept:
                clear(folder)
            with Sandbox(with_companies(kept or WORLDS[options["world"]]())) as sandbox:
                self._say(f"A made-up Jira, Tempo, 7pace and Azure DevOps answer at {sandbox.url}.")
                status = (
                    self._run_once(set_stage(folder, sandbox))
                    if options["once"]
                    else self._serve(folder, sandbox, options["port"])
                )
            put_away(sandbox.world, folder / "world")
        sys.exit(status)

    def _run_once(self, stage: "Stage") -> int:
        for command in (stage.migrate, stage.apply):
            if status := in_foreground(command):
                return status
        self._say(f"Now: manage.py migrate_worklogs {MIGRATION}. Jira allows 100 writes a second.\n")
        status = in_foreground(stage.manage("migrate_worklogs", MIGRATION))
        if status not in CAME_TO_ITS_END:
            return status
        self._say(f"\nNow: manage.py sync {SYNC}. Tempo allows 5 requests a second.\n")
        return max(status, in_foreground(stage.manage("sync", SYNC)), key=abs)

    def _serve(self, folder: Path, sandbox: Sandbox, port: int) -> int:
        listener = listen_near("127.0.0.1", port)
        stage = set_stage(folder, sandbox, public_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with Supervisor(GRACE_SECONDS, self.stderr.write) as supervisor:
            try:
                self._show(supervisor, stage, listener)
            except StoppedError:
                return 0
            except FailedError:
                return 2
        return 0

    def _show(self, supervisor: Supervisor, stage: "Stage", listener: socket) -> None:
        """Raises FailedError, or StoppedError where somebody ends it while it prepares."""
        carry_out(supervisor, stage.migrate)
        carry_out(supervisor, stage.apply)
        password = answer(supervisor, stage, "make_admin", "--name", USER, "--reset")["password"]
        run = answer(supervisor, stage, "migrate_worklogs", MIGRATION, "--queue")["run"]
        first = answer(supervisor, stage, "sync", SYNC, "--queue")["run"]
        service = Service(stage.environment, listener)
        if not service.start(supervisor):
            return
        self._say(
            f"\nThe dashboard is at   {service.url}\n"
            f"Sign in as            {USER}\n"
            f"with the password     {password}\n"
            f"\nRun {run} is under way:  {service.url}runs/{run}/\n"
            "Jira allows 100 writes a second, so it takes a minute or two. Ctrl-C ends everything.\n"
        )
        self._go_live(supervisor, stage, service)
        for number in (run, first):
            supervisor.finish(stage.manage("follow", "--run", str(number)))
        self._say(f"\nThe dashboard stays at {service.url} until Ctrl-C.")
        supervisor.tend()

    def _go_live(self, supervisor: Supervisor, stage: "Stage", service: Service) -> None:
        """Tempo calls when somebody logs time; should it not, the schedule looks each minute."""
        calls = not any(supervisor.finish(stage.manage("webhooks", "register", SYNC, hears=lambda _: None)))
        self._say(
            f"\nThe connection {SYNC} is live:  {service.url}connections/{SYNC}/\n"
            f"Log time by hand at    {stage.control}acme-tempo (on SHOP-1, for instance)\n"
            f"and see it arrive at   {stage.control}globex-tempo (there it is STORE-1)\n"
            f"within {'seconds' if calls else 'a minute'} once its first run is through, or the other way round.\n"
        )

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


@dataclass(frozen=True)
class Stage:
    """The demo's own installation: its environment, and the file that declares its sites."""

    environment: dict[str, str]
    file: Path
    control: str
    """Where the sandbox's pages of single sites begin."""

    def manage(self, *arguments: str, hears: Callable[[str], None] | None = None) -> Program:
        return manage(self.environment, *arguments, hears=hears)

    @property
    def migrate(self) -> Program:
        return self.manage("migrate", "--verbosity", "0")

    @property
    def apply(self) -> Program:
        return self.manage("apply", str(self.file))


def with_companies(world: World) -> World:
    """A world kept from a demo that had no sync gets its companies now."""
    return world if SYNC in world.connections else worlds.add_companies(world)


def set_stage(folder: Path, sandbox: Sandbox, public_url: str = "") -> Stage:
    """Whatever else is set up on this machine stays out of it."""
    file = folder / "twinlog.toml"
    file.write_text("\n".join(sandbox.toml(connection=name) for name in (MIGRATION, SYNC)))
    return Stage(own_environment(folder, sandbox, public_url), file, f"{sandbox.url}/control/sites/")


def own_environment(folder: Path, sandbox: Sandbox, public_url: str) -> dict[str, str]:
    ours = {
        "VAR_DIR": str(folder),
        "ALLOW_LOCAL_SITES": "true",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "DEBUG": "false",
        "PUBLIC_URL": public_url,
        **sandbox.secrets(),
    }
    foreign = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "TOKEN_KEYS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.removesuffix("_FILE") not in (*foreign, *ours)
    }
    return {**kept, **dict.fromkeys(foreign, ""), **ours}


@contextmanager
def own_folder() -> Iterator[Path]:
    """The demo's folder, ours alone: a second demo would take the first one's database away."""
    folder = settings.VAR_DIR / "demo"
    with (settings.VAR_DIR / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"A demo runs in {folder} already. End it first, or set VAR_DIR to another folder.")
        yield folder


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "static").mkdir()


def in_foreground(program: Program) -> int:
    """Runs a program within this terminal and gives its exit status."""
    command = leashed(list(program.command))
    return subprocess.run(command, env=dict(program.environment), check=False).returncode  # noqa: S603


def carry_out(supervisor: Supervisor, program: Program) -> None:
    """Raises FailedError, StoppedError."""
    if any(supervisor.finish(program)):
        raise FailedError


def answer(supervisor: Supervisor, stage: Stage, *arguments: str) -> dict[str, Any]:
    """What one of our own commands says with `--json`. Raises FailedError, StoppedError."""
    said: list[str] = []
    supervisor.finish(stage.manage(*arguments, "--json", hears=said.append))
    result: dict[str, Any] = json.loads("".join(said) or "{}")
    if "error" in result or not result:
        sys.stderr.write(result.get("error", {}).get("message", "") + "\n")
        raise FailedError
    return result
