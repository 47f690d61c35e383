"""A migration left to the workers comes to the same as one in the foreground, whoever is killed on the way."""

import signal
import time

import pytest
from twinlog_process import comes_to_rest, marked, on_sqlite, until

from connections.sandbox import worlds
from worklogs.context import Halt, InterruptedRunError

JIRA = "contoso-to-jca"


@pytest.fixture
def world(twinlog, serve):
    made = worlds.many(200, issues=20, people=5, latency=0.02)
    sandbox = serve(made)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    return made


def copies(world):
    return list(marked(world.jira["jca"]))


def each_once(world):
    found = copies(world)
    assert len(found) == len(dict(found)) == len(world.sevenpace["contoso"].worklogs)


def start_cluster(twinlog):
    return twinlog.begin_manage("qcluster")


def watch(twinlog):
    """The watchdog that calls runs back which nobody works on."""
    return twinlog.begin_manage("watch_queue", "--period", "1")


def state(twinlog):
    return twinlog.rows("SELECT state FROM worklogs_run ORDER BY id DESC LIMIT 1")[0][0]


def wish(twinlog, what):
    twinlog.change(f"UPDATE worklogs_run SET wish = '{what}'")


def test_the_workers_do_what_the_foreground_does(twinlog, world):
    """`--queue` prints the run and writes nothing itself; a cluster carries it out; the report is the same."""
    queued = twinlog.migrate(JIRA, "--queue", status=0)
    assert (queued["state"], queued["fetched"]) == ("running", 0)
    assert copies(world) == []
    cluster = start_cluster(twinlog)
    until(lambda: state(twinlog) != "running", 90)
    each_once(world)
    report = twinlog.run("report", JIRA, "--json").data
    assert (report["run"], report["state"]) == (queued["run"], "finished")
    assert (report["fetched"], report["created"], report["failed"]) == (200, 200, 0)
    assert report["balance"]["balanced"] is True
    assert twinlog.migrate()["unchanged"] == 200
    cluster.signal(signal.SIGTERM)


@on_sqlite
def test_a_cluster_that_is_killed_is_replaced_by_another(twinlog, world):
    """Every worker dies at once in the midst of writing: a new cluster goes on, each entry is written once."""
    watch(twinlog)
    twinlog.migrate(JIRA, "--queue", status=0)
    first = start_cluster(twinlog)
    until(lambda: len(copies(world)) > 60)
    first.kill()
    assert state(twinlog) == "running"
    start_cluster(twinlog)
    until(lambda: state(twinlog) != "running", 110)
    each_once(world)
    report = twinlog.run("report", JIRA, "--json").data
    assert (report["run"], report["state"], report["created"]) == (1, "finished", 200)


def test_a_queued_run_can_be_held_let_go_and_cancelled(twinlog, world):
    """What a person wishes on the dashboard reaches the workers between two entries."""
    watch(twinlog)
    twinlog.migrate(JIRA, "--queue", status=0)
    start_cluster(twinlog)
    until(lambda: len(copies(world)) > 20)
    wish(twinlog, "pause")
    still = comes_to_rest(lambda: len(copies(world)))
    assert still < 200
    wish(twinlog, "")
    until(lambda: len(copies(world)) > still)
    wish(twinlog, "cancel")
    until(lambda: state(twinlog) == "cancelled")
    assert len(copies(world)) < 200
    run = twinlog.migrate()
    assert run["created"] + run["unchanged"] == 200
    each_once(world)


def test_a_run_that_waits_for_workers_is_not_begun_twice(twinlog, world):
    """Queued twice, or queued and then run by hand: one run, each entry once."""
    first = twinlog.migrate(JIRA, "--queue", status=0)
    second = twinlog.run("migrate_worklogs", JIRA, "--queue", "--json", status=None)
    assert second.status in (0, 2)
    start_cluster(twinlog)
    until(lambda: state(twinlog) != "running", 90)
    each_once(world)
    assert twinlog.rows("SELECT count(*) FROM worklogs_run") == [(1,)]
    assert first["run"] == 1


def test_a_worker_lets_go_of_a_run_that_is_held_for_long():
    """Its slice ends though nothing moves: a worker is not blocked, nor killed, because somebody pressed pause."""
    halt = Halt(time.monotonic() + 0.05)
    halt.hold(True)
    with pytest.raises(InterruptedRunError):
        halt.check()
    assert time.monotonic() >= halt.deadline
