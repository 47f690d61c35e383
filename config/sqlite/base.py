"""SQLite, with the threads of a process writing in turn.

SQLite has one writer at a time. One that finds the database locked sleeps, longer each time, and looks again: of 30
threads some then wait for a second while the lock was free over and over. Here they queue up before they ask.
"""

import os
import threading
from typing import Any

from django.db.backends.sqlite3 import base


class Turn:
    """Whose turn it is to write. Nobody waits for it longer than SQLite itself would wait for the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def take(self, seconds: float) -> threading.Lock | None:
        """The lock to be given back with `release`; None where it did not come free in time."""
        lock = self._lock
        return lock if lock.acquire(timeout=seconds) else None


TURN = Turn()


class DatabaseWrapper(base.DatabaseWrapper):
    _turn: threading.Lock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        self._turn = TURN.take(self.settings_dict["OPTIONS"].get("timeout", 5.0))
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _give_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn:
            turn.release()
