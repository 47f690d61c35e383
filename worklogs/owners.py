"""Who works on a run or a step, and whether he still lives."""

import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import psutil
from django.utils import timezone

LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Owner:
    """One process on one machine, told apart from a later process with the same number by when it began."""

    machine: str
    pid: int
    began: int
    token: str

    def __str__(self) -> str:
        return f"{self.machine}|{self.pid}|{self.began}|{self.token}"

    @classmethod
    def read(cls, text: str) -> "Owner | None":
        parts = text.rsplit("|", 3)
        if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
            return None
        return cls(parts[0], int(parts[1]), int(parts[2]), parts[3])


_working: set[str] = set()


@contextmanager
def at_work() -> Iterator[str]:
    """A new owner in this process, alive until the block ends: each piece of work has one of its own."""
    owner = str(Owner(_machine(), os.getpid(), _began(os.getpid()) or 0, uuid.uuid4().hex[:12]))
    _working.add(owner)
    try:
        yield owner
    finally:
        _working.discard(owner)


def is_alive(text: str, lease_until: datetime | None) -> bool:
    """On this machine the process itself is asked; of another machine the lease is all there is to go by."""
    owner = Owner.read(text)
    if owner is None:
        return False
    if owner.machine == _machine():
        if owner.pid == os.getpid():
            return text in _working
        return _began(owner.pid) == owner.began
    return lease_until is not None and lease_until > timezone.now()


def is_attended(text: str, lease_until: datetime | None) -> bool:
    """Whether a living owner has it in hands; one that handed it back left no lease."""
    return lease_until is not None and is_alive(text, lease_until)


def _began(pid: int) -> int | None:
    """When a process started, in a measure that setting the clock does not change; None where it is gone."""
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
        if psutil.LINUX:
            return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        return int(psutil.Process(pid).create_time())
    except (psutil.Error, OSError):
        return None


def is_elsewhere(text: str) -> bool:
    """Whether this owner works on another machine, where nobody here can see whether it lives."""
    owner = Owner.read(text)
    return owner is not None and owner.machine != _machine()


@lru_cache(maxsize=1)
def _machine() -> str:
    """Host name and process namespace: two containers on one host do not see each other's processes."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    try:
        identity = Path("/etc/machine-id").read_text().strip()[:12]
    except OSError:
        identity = ""
    return f"{platform.node()}/{identity}/{namespace}"
