"""Pausing a run: a worker of the queue lets go of it at once, a command holds still until it is resumed."""

import threading
import time
from types import SimpleNamespace

import pytest

from connections.models import Connection, Site
from worklogs import run as runs
from worklogs.context import Halt, InterruptedRunError
from worklogs.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def paused():
    """A run under way that Dana has asked to hold still."""
    pace = Site.objects.create(name="pace", kind="sevenpace", url="https://c.7pace.com")
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    connection = Connection.objects.create(name="c", kind="migration", left=pace, right=jira)
    return Run.objects.create(connection=connection, kind="migration", options_digest="x", wish="pause")


def heard(run, halt):
    """What the heartbeat makes of the wish."""
    runs._hear(SimpleNamespace(context=SimpleNamespace(run=run, halt=halt)))


def test_a_worker_of_the_queue_lets_go_of_a_paused_run_at_once(paused):
    halt = Halt(time.monotonic() + 60)
    heard(paused, halt)
    ended = threading.Event()

    def work():
        with pytest.raises(InterruptedRunError):
            halt.check()
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert ended.wait(5)


def test_a_command_holds_still_until_the_run_is_resumed(paused):
    halt = Halt()
    heard(paused, halt)
    went_on = threading.Event()

    def work():
        halt.check()
        went_on.set()

    threading.Thread(target=work, daemon=True).start()
    assert not went_on.wait(0.2)
    Run.objects.update(wish="")
    heard(paused, halt)
    assert went_on.wait(5)
