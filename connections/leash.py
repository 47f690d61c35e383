"""Ties the life of a process to its parent's: `python leash.py PARENT COMMAND …` becomes COMMAND, which the kernel
kills as soon as PARENT is gone, even by kill -9. Only Linux can; elsewhere COMMAND runs without.

Started as a plain script, so that it costs no more than Python itself.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
ON_LINUX = sys.platform.startswith("linux")


def leashed(command: list[str]) -> list[str]:
    """The command that runs `command` until this process is gone. To be started by a thread that lives as long."""
    return [sys.executable, "-IS", str(Path(__file__).resolve()), str(os.getpid()), *command]


def die_with(parent: int) -> None:
    """This process is killed once its parent is gone, at once where that has happened already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if ON_LINUX and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def keep_children() -> None:
    """Every process forked from here on, by this one or by its children, dies with the one that forked it."""
    forking = [0]

    def note() -> None:
        forking[0] = os.getpid()

    os.register_at_fork(before=note, after_in_child=lambda: die_with(forking[0]))


def name_process(name: str) -> None:
    """What the system's list of processes calls this one; at most 15 characters."""
    _prctl(PR_SET_NAME, name.encode())


def _prctl(option: int, value: int | bytes) -> None:
    if ON_LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
