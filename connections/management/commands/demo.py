"""`demo`: the main job on the built-in sandbox, in a database of its own, with the dashboard to watch it."""

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
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connections.leash import leashed
from connections.sandbox import Sandbox, World, worlds
from connections.sandbox.keeping import put_away, take_out
from connections.serving import Service, listen_near, manage
from connections.supervising import Program, StoppedError, Supervisor

CONNECTION = "contoso-to-jca"
USER = "demo"
GRACE_SECONDS = 3.0
WORLDS: dict[str, Callable[[], World]] = {"demo": worlds.demo, "small": worlds.small}


class FailedError(Exception):
    """A command that prepares the demo failed, and said why."""


class Command(BaseCommand):
    help = (
        "Runs the migration of a made-up 7pace history into a made-up Jira, serves the dashboard to watch it, and "
        "shows the report. Everything is new each time, unless it is to be kept."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="no dashboard: run the job, end with its status"
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="the dashboard's port, or the next free one (default 8000)"
        )
        parser.add_argument(
            "--keep",
            action="store_true",
            help="go on where the last demo was ended, with its database and its Jira and 7pace",
        )
        parser.add_argument("--world", choices=sorted(WORLDS), default="demo", help="what there is to carry")

    def handle(self, *_args: Any, **options: Any) -> None:
        with own_folder() as folder:
            kept = take_out(folder / "world") if options["keep"] and not options["once"] else None
            if options["keep"] and not kept:
                self._say("There is no demo to go on with: it was never ended, or killed. This is a new one.")
            if not kept:
                clear(folder)
            with Sandbox(kept or WORLDS[options["world"]]()) as sandbox:
                self._say(f"A made-up Jira, 7pace and Azure DevOps answer at {sandbox.url}.")
                stage = set_stage(folder, sandbox)
                status = self._run_once(stage) if options["once"] else self._serve(stage, options["port"])
            put_away(sandbox.world, folder / "world")
        sys.exit(status)

    def _run_once(self, stage: "Stage") -> int:
        for command in (stage.migrate, stage.apply):
            if status := in_foreground(command):
                return status
        self._say(f"Now: manage.py migrate_worklogs {CONNECTION}. Jira allows 100 writes a second.\n")
        return in_foreground(stage.manage("migrate_worklogs", CONNECTION))

    def _serve(self, stage: "Stage", port: int) -> int:
        with Supervisor(GRACE_SECONDS, self.stderr.write) as supervisor:
            try:
                self._show(supervisor, stage, port)
            except StoppedError:
                return 0
            except FailedError:
                return 2
        return 0

    def _show(self, supervisor: Supervisor, stage: "Stage", port: int) -> None:
        """Raises FailedError, or StoppedError where somebody ends it while it prepares."""
        carry_out(supervisor, stage.migrate)
        carry_out(supervisor, stage.apply)
        password = answer(supervisor, stage, "make_admin", "--name", USER, "--reset")["password"]
        run = answer(supervisor, stage, "migrate_worklogs", CONNECTION, "--queue")["run"]
        service = Service(stage.environment, listen_near("127.0.0.1", port))
        if not service.start(supervisor):
            return
        self._say(
            f"\nThe dashboard is at   {service.url}\n"
            f"Sign in as            {USER}\n"
            f"with the password     {password}\n"
            f"\nRun {run} is under way:  {service.url}runs/{run}/\n"
            "Jira allows 100 writes a second, so it takes a minute or two. Ctrl-C ends everything.\n"
        )
        supervisor.finish(stage.manage("follow", "--run", str(run)))
        self._say(f"\nThe dashboard stays at {service.url} until Ctrl-C.")
        supervisor.tend()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


@dataclass(frozen=True)
class Stage:
    """The demo's own installation: its environment, and the file that declares its sites."""

    environment: dict[str, str]
    file: Path

    def manage(self, *arguments: str, hears: Callable[[str], None] | None = None) -> Program:
        return manage(self.environment, *arguments, hears=hears)

    @property
    def migrate(self) -> Program:
        return self.manage("migrate", "--verbosity", "0")

    @property
    def apply(self) -> Program:
        return self.manage("apply", str(self.file))


def set_stage(folder: Path, sandbox: Sandbox) -> Stage:
    """Whatever else is set up on this machine stays out of it."""
    file = folder / "twinlog.toml"
    file.write_text(sandbox.toml(connection=CONNECTION))
    return Stage(own_environment(folder, sandbox), file)


def own_environment(folder: Path, sandbox: Sandbox) -> dict[str, str]:
    ours = {
        "VAR_DIR": str(folder),
        "ALLOW_LOCAL_SITES": "true",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "DEBUG": "false",
        **sandbox.secrets(),
    }
    foreign = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "TOKEN_KEYS", "PUBLIC_URL")
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
