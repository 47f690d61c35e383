"""Twinlog as its users run it: commands in processes of their own, on a folder and a database of its own.

Starting Python and importing Django takes far longer than most commands. So `Installation.run` forks each command
off a process that has the libraries loaded already, and nothing of Twinlog's own state: settings, database, sites
and budgets are read anew. `Installation.begin_manage` starts the real
`manage.py`, for what is signalled or starts processes of its own.
"""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from forked_command import ROOT, carry_out

DATABASES = ("sqlite", "postgresql")
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what does not depend on the database."""

MANAGE = str(ROOT / "manage.py")
PATIENCE = 120.0

LIBRARIES = [
    "connections.clients.azure",
    "connections.clients.jira",
    "connections.clients.sevenpace",
    "connections.clients.tempo",
    "connections.options",
    "cryptography.fernet",
    "django.contrib.auth.hashers",
    "django.contrib.auth.password_validation",
    "django.core.cache.backends.db",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.loader",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.template",
    "django.urls",
    "psutil",
    "redis",
    "requests",
]

SOON = {"worklogs.recover.LOOK_AGAIN": timedelta(seconds=1)}
"""For runs in which an outcome stays unknown: "not there" counts sooner than after the 30 s of real life."""
IMPATIENT = {
    "connections.clients.http.BACK_OFF": (0.2, 0.3),
    "connections.clients.http.DOWN_AFTER_SECONDS": 2.0,
}
"""For runs whose site is down for good."""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


@dataclass
class Running:
    """A command that has not ended yet."""

    process: Any
    out: Path
    err: Path

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def wait(self, patience: float = PATIENCE) -> Done:
        if isinstance(self.process, subprocess.Popen):
            status = self.process.wait(patience)
        else:
            self.process.join(patience)
            status = self.process.exitcode
        if status is None:
            self.kill()
            raise TimeoutError(f"it did not end:\n{self.out.read_text()}\n{self.err.read_text()}")
        return Done(status, self.out.read_bytes().decode(), self.err.read_text())

    def kill(self) -> None:
        """With every process it started, as a machine that loses power would."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self.signal(signal.SIGKILL)

    @property
    def ended(self) -> bool:
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll() is not None
        return self.process.exitcode is not None


@dataclass
class Installation:
    """One installation: its folder, its database and what its environment holds besides."""

    folder: Path
    database_url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    """Where all commands' output went."""

    @property
    def database_file(self) -> Path:
        return self.folder / "twinlog.sqlite3"

    def set_up(self, sandbox: Any, toml: str) -> None:
        """An operator writes the file and applies it."""
        self.environment |= sandbox.secrets()
        file = self.folder / "twinlog.toml"
        file.write_text(toml)
        self.run("apply", str(file))

    def run(
        self, *arguments: str, status: int | None = 0, constants: Mapping[str, Any] | None = None
    ) -> Done:
        """Runs a command to its end; `constants` are module constants with other values, for this time."""
        done = self.begin(*arguments, constants=constants).wait()
        assert status in (None, done.status), f"{arguments} ended with {done.status}:\n{done.out}\n{done.err}"
        return done

    def migrate(
        self,
        name: str = "contoso-to-jca",
        *flags: str,
        status: int | None = 0,
        constants: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One migration run as its JSON, which must add up."""
        done = self.run("migrate_worklogs", name, *flags, "--json", status=status, constants=constants)
        run = done.data
        if "error" not in run:
            outcomes = ("written", "linked", "unchanged", "skipped", "parked", "failed")
            assert run["fetched"] == sum(run[name] for name in outcomes) or run["state"] != "finished", run
        return run

    def begin(self, *arguments: str, constants: Mapping[str, Any] | None = None) -> Running:
        """Starts a command and leaves it running."""
        out, err = self._outputs()
        job = (list(arguments), self._environment(), str(out), str(err), dict(constants or {}))
        process = forking().Process(target=carry_out, args=job)
        process.start()
        return self._noted(Running(process, out, err))

    def begin_manage(self, *arguments: str, **environment: str) -> Running:
        """Starts the real `manage.py` and leaves it running."""
        return self.begin_program(sys.executable, MANAGE, *arguments, **environment)

    def begin_program(self, *command: str, descriptors: tuple[int, ...] = (), **environment: str) -> Running:
        """Starts any program in this installation's environment; it inherits the descriptors."""
        out, err = self._outputs()
        process = subprocess.Popen(
            command,
            env=self._environment() | environment,
            stdout=out.open("wb"),
            stderr=err.open("wb"),
            cwd=ROOT,
            pass_fds=descriptors,
            start_new_session=True,
        )
        return self._noted(Running(process, out, err))

    def rows(self, query: str) -> list[tuple]:
        """What the database answers, asked from outside."""
        with closing(self.connect()) as connection:
            return connection.execute(query).fetchall()

    def change(self, statement: str) -> None:
        with closing(self.connect()) as connection:
            connection.execute(statement)
            connection.commit()

    def connect(self) -> Any:
        """A connection to the database, past Twinlog."""
        if self.database_url:
            return psycopg.connect(self.database_url)
        return sqlite3.connect(self.database_file, timeout=30)

    def end(self) -> None:
        for running in self.started:
            if not running.ended:
                running.kill()
                running.process.join() if hasattr(running.process, "join") else running.process.wait()

    def _noted(self, running: Running) -> Running:
        self.started.append(running)
        return running

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        ours = {"VAR_DIR": str(self.folder), "ALLOW_LOCAL_SITES": "true", "DATABASE_URL": self.database_url}
        return kept | ours | {"DJANGO_SETTINGS_MODULE": "config.settings"} | self.environment

    def _outputs(self) -> tuple[Path, Path]:
        number = len(self.written) // 2
        logs = self.folder.with_name(f"{self.folder.name}-output")
        logs.mkdir(exist_ok=True)
        pair = logs / f"{number}.out", logs / f"{number}.err"
        self.written += pair
        return pair


def forking() -> Any:
    """The way to start processes that have the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    return context


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits for something another process does; gives what the condition gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise TimeoutError("it did not come")


def marked(site: Any) -> Iterator[tuple[str, Any]]:
    """Every Jira worklog that bears Twinlog's marker: the source's entry id and the worklog."""
    for row in list(site.worklogs.values()):
        if "twinlog" in row.properties:
            yield row.properties["twinlog"]["entry"], row


def comes_to_rest(count: Callable[[], int], seconds: float = 1.5) -> int:
    """What is counted, once nothing has been added for so long."""

    def rests() -> bool:
        before = count()
        time.sleep(seconds)
        return count() == before

    until(rests)
    return count()
