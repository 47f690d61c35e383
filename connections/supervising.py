"""One parent for every process of an installation: it starts them, starts anew what died or hangs, and takes all of
them down with it. It opens no database, so that nothing a database does can hold it up.

Each program runs in a session of its own, out of reach of the terminal's Ctrl-C. It is asked to end by a SIGTERM to
its main process alone (django-q2 deadlocks when its helpers get one), and its whole session is killed after a grace.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Self

import psutil

from connections.leash import leashed

LISTEN_SECONDS = 0.05
LOOK_SECONDS = 1.0
SHORT_LIFE_SECONDS = 10.0
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
WORKER = "queue-worker"


class StoppedError(Exception):
    """Somebody asked the parent to end while it was still preparing."""


@dataclass(frozen=True)
class Program:
    """What to run. Standard output goes to `hears`, line by line, else where the parent's goes.

    `guarded`: it is one with the processes it forked, and started anew when one of these vanishes; workers, which
    call themselves WORKER, are replaced by itself. `silent_seconds`: started anew when not heard of for so long.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    hears: Callable[[str], None] | None = None
    guarded: bool = False
    silent_seconds: float | None = None


class Child:
    """A program while it runs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._began = self._heard = time.monotonic()
        self._rest = b""
        self._family: dict[tuple[int, float], str] = {}
        self._process = subprocess.Popen(  # noqa: S603
            leashed(list(program.command)),
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program.hears else None,
            pass_fds=program.descriptors,
            start_new_session=True,
        )
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def trouble(self) -> str:
        """Why it has to be started anew, in words; empty where all is well."""
        if self.status is not None:
            return f"ended with status {self.status}"
        silent = self.program.silent_seconds
        if silent is not None and time.monotonic() - self._heard > silent:
            return f"said nothing for {silent:.0f} s"
        return self._missing() if self.program.guarded else ""

    def _missing(self) -> str:
        before, self._family = self._family, self._living()
        gone = [key for key, name in before.items() if key not in self._family and name != WORKER]
        return f"lost its process {gone[0][0]}" if gone else ""

    def _living(self) -> dict[tuple[int, float], str]:
        """The processes below it: number and start, and what each calls itself."""
        found = {}
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found[process.pid, process.create_time()] = process.name()
        return found

    def listen(self) -> None:
        """Hands on the lines it wrote since."""
        hears, out = self.program.hears, self._process.stdout
        if hears is None or out is None:
            return
        while text := _read(out.fileno()):
            self._heard = time.monotonic()
            *lines, self._rest = (self._rest + text).split(b"\n")
            for line in lines:
                hears(line.decode(errors="replace"))

    def ask(self) -> None:
        """Asks its main process to end."""
        if self.status is None:
            self._process.terminate()

    def kill(self) -> None:
        """Ends it with everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.listen()
        if self._process.stdout:
            self._process.stdout.close()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


@dataclass
class Place:
    """Where a program is kept running: the child that does, or from when on it may be started anew."""

    program: Program
    child: Child | None = None
    not_before: float = 0.0
    delay: float = 0.0


class Supervisor:
    """Keeps programs running until it is told to end, by `end()`, Ctrl-C, SIGTERM or SIGHUP.

    with Supervisor(grace=30, tell=print) as supervisor:
        supervisor.finish(migrate)
        supervisor.keep(web)
        supervisor.tend()

    `grace`: seconds that programs have to end by themselves; a second signal ends it. To be used in the main thread.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, grace: float, tell: Callable[[str], None]) -> None:
        self._grace = grace
        self._tell = tell
        self._places: dict[str, Place] = {}
        self._passing: list[Child] = []
        self._ending = threading.Event()
        self._hurry = threading.Event()
        self._held: dict[int, object] = {}
        self._look_at = 0.0

    def __enter__(self) -> Self:
        self._held = {number: signal.signal(number, self._told) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        for number, handler in self._held.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def end(self) -> None:
        self._hurry.set() if self._ending.is_set() else self._ending.set()

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self.end()

    def keep(self, program: Program) -> None:
        """Runs the program from now on."""
        self._places[program.name] = Place(program, Child(program))

    def finish(self, *programs: Program) -> list[int]:
        """Runs programs side by side to their end and gives each one's status. Raises StoppedError."""
        children = [Child(program) for program in programs]
        self._passing += children
        if not self.tend(until=lambda: all(child.status is not None for child in children)):
            raise StoppedError
        for child in children:
            child.kill()
            self._passing.remove(child)
        return [child.status or 0 for child in children]

    def tend(self, until: Callable[[], bool] | None = None) -> bool:
        """Looks after all programs until that comes true, and says so, or until it is told to end."""
        while not self._ending.wait(LISTEN_SECONDS if until else LOOK_SECONDS):
            for child in self._passing:
                child.listen()
            for place in self._places.values():
                if place.child:
                    place.child.listen()
            if time.monotonic() >= self._look_at:
                self.look()
            if until and until():
                return True
        return False

    def look(self) -> None:
        """Sees to each program now."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        for place in self._places.values():
            if place.child is None:
                self._start(place)
            elif why := place.child.trouble():
                self.renew(place.program.name, why)

    def renew(self, name: str, why: str, older_than: float = 0.0) -> None:
        """Kills a program with all it forked and starts it anew: at once, later where it keeps dying; not where it
        has not run for so many seconds yet.
        """
        place = self._places[name]
        if place.child is None or place.child.age < older_than:
            return
        place.child.kill()
        lasting = place.child.age >= SHORT_LIFE_SECONDS
        place.delay = 0.0 if lasting else min(place.delay * 2 or FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
        place.not_before = time.monotonic() + place.delay
        place.child = None
        self._tell(f"{name} {why}: started anew" + (f" in {place.delay:.0f} s." if place.delay >= 1 else "."))

    def _start(self, place: Place) -> None:
        if time.monotonic() >= place.not_before:
            place.child = Child(place.program)

    def _stop(self) -> None:
        """Asks all to end, waits for the grace, and kills what is left."""
        children = [place.child for place in self._places.values() if place.child] + self._passing
        for child in children:
            child.ask()
        deadline = time.monotonic() + self._grace
        while time.monotonic() < deadline and any(child.status is None for child in children):
            for child in children:
                child.listen()
            if self._hurry.wait(0.05):
                break
        for child in children:
            child.kill()
