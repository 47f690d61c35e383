"""Threads of one process write to SQLite one after the other, and nobody keeps a turn that is over."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from config.sqlite.base import TURN
from connections.models import SiteBudget

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("sqlite" not in connection.vendor, reason="speaks of SQLite alone"),
]


def is_free():
    turn = TURN.take(0)
    if turn:
        turn.release()
    return turn is not None


def test_many_threads_write_at_once_and_none_is_turned_away():
    """Each of them adds one, a hundred times in all."""
    SiteBudget.objects.create(site="jca", bucket="writes", next_free=0)

    def add(_):
        try:
            with transaction.atomic():
                row = SiteBudget.objects.get(site="jca")
                row.next_free += 1
                row.save()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(add, range(100)))
    assert SiteBudget.objects.get(site="jca").next_free == 100
    assert is_free()


def test_the_turn_is_held_as_long_as_the_transaction():
    with transaction.atomic():
        assert not is_free()
        with transaction.atomic():
            pass
        assert not is_free()
    assert is_free()


def test_a_transaction_that_fails_gives_its_turn_back():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _ = 1 / 0
    assert is_free()


def test_a_connection_that_is_closed_in_a_transaction_gives_its_turn_back():
    def begin_and_close():
        transaction.atomic().__enter__()
        connection.close()

    thread = threading.Thread(target=begin_and_close)
    thread.start()
    thread.join()
    assert is_free()


def test_who_waits_too_long_for_the_turn_asks_sqlite_itself(monkeypatch):
    """The turn is no second lock to die of: SQLite's own answer counts."""
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
    connection.close()
    found = []

    def write():
        try:
            with transaction.atomic():
                SiteBudget.objects.create(site="jcb", bucket="writes")
        except OperationalError as fault:
            found.append(str(fault))
        finally:
            connections.close_all()

    with transaction.atomic():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    connection.close()
    assert found == ["database is locked"]
    assert is_free()
