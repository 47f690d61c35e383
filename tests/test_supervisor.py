"""`serve`: one parent for web server and workers, which brings back what dies or hangs and takes all down with it."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter

import psutil
import pytest
import requests
from twinlog_process import PATIENCE, ROOT, marked, on_sqlite, until

from connections.sandbox import worlds
from connections.supervising import Program, StoppedError, Supervisor

GONE_WITHIN = 5.0


def python(name, code, **options):
    """A small program that stands for one of ours."""
    return Program(name, (sys.executable, "-Sc", code), dict(os.environ), **options)


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family_of(pid):
    """The numbers of a process and of all that it and its children started."""
    parent = psutil.Process(pid)
    return [pid, *(child.pid for child in parent.children(recursive=True))]


# --- small programs


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(said):
    with Supervisor(grace=1.0, tell=said.append) as supervisor:
        yield supervisor


ENDLESS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + ENDLESS
PARENT_OF_ONE = """
import os, time
child = os.fork()
if child == 0:
    time.sleep(60)
print(os.getpid(), child, flush=True)
time.sleep(60)
"""
PARENT_OF_A_WORKER = """
import ctypes, os, time
child = os.fork()
if child == 0:
    ctypes.CDLL(None).prctl(15, b"queue-worker", 0, 0, 0)
    time.sleep(60)
print(os.getpid(), child, flush=True)
time.sleep(60)
"""
PARENT = """
import sys
from connections.supervising import Program, Supervisor
with Supervisor(grace=0.5, tell=print) as supervisor:
    for number, code in enumerate(sys.argv[1:]):
        supervisor.keep(Program(str(number), (sys.executable, "-Sc", code), {}))
    supervisor.tend()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_outlives_the_parent_whichever_way_it_ends(number):
    """Not even a program that does not listen."""
    command = [sys.executable, "-c", PARENT, ENDLESS, DEAF]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    started = [int(parent.stdout.readline()) for _ in range(2)]
    os.kill(parent.pid, number)
    parent.wait(GONE_WITHIN)
    until(lambda: not any(lives(pid) for pid in started), GONE_WITHIN)


def test_a_program_that_ends_is_started_anew(supervisor, said):
    """Later and later where it keeps ending."""
    heard = []
    supervisor.keep(python("web", "print('hello')", hears=heard.append))
    supervisor.tend(until=lambda: len(heard) == 3)
    assert said[0] == "web ended with status 0: started anew."
    assert said[1] == "web ended with status 0: started anew in 1 s."


def test_a_program_that_is_not_heard_of_any_more_is_started_anew(supervisor, said):
    heard = []
    supervisor.keep(python("watch", ENDLESS, hears=heard.append, silent_seconds=1))
    supervisor.tend(until=lambda: len(heard) == 2)
    assert said == ["watch said nothing for 1 s: started anew."]
    assert not lives(int(heard[0]))


def test_a_cluster_that_loses_a_helper_is_started_anew_as_a_whole(supervisor, said):
    heard = []
    supervisor.keep(python("queue", PARENT_OF_ONE, hears=heard.append, guarded=True))
    supervisor.tend(until=lambda: heard)
    supervisor.look()
    main, helper = map(int, heard[0].split())
    os.kill(helper, signal.SIGKILL)
    supervisor.tend(until=lambda: len(heard) == 2)
    assert said == [f"queue lost its process {helper}: started anew."]
    assert not lives(main)


def test_a_cluster_replaces_a_dead_worker_itself(supervisor, said):
    heard = []
    supervisor.keep(python("queue", PARENT_OF_A_WORKER, hears=heard.append, guarded=True))
    supervisor.tend(until=lambda: heard)
    supervisor.look()
    main, worker = map(int, heard[0].split())
    os.kill(worker, signal.SIGKILL)
    until(lambda: not lives(worker))
    supervisor.look()
    assert said == []
    assert lives(main)


def test_programs_that_prepare_run_side_by_side_and_each_says_how_it_ended(supervisor):
    assert supervisor.finish(python("one", "pass"), python("two", "raise SystemExit(3)")) == [0, 3]


def test_told_to_end_while_it_prepares_it_stops_and_says_so(supervisor):
    heard = []

    def hear(line):
        heard.append(line)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError):
        supervisor.finish(python("one", ENDLESS, hears=hear))
    assert heard


# --- the real ones


@pytest.fixture
def world():
    return worlds.many(entries=300, issues=30, latency=0.05)


@pytest.fixture
def served(twinlog, serve, world):
    """An installation whose watchdog looks every second, with 300 entries to carry."""
    sandbox = serve(world)
    twinlog.set_up(sandbox, sandbox.toml(connection="contoso-to-jca"))
    running = twinlog.begin_manage(
        "serve",
        "--port",
        str(free_port()),
        "--watch",
        "1",
        "--grace",
        "3",
        BULK_WORKERS="2",
        QUEUE_WORKERS="1",
    )
    until(lambda: "is served" in running.out.read_text() or running.ended, PATIENCE)
    assert not running.ended, running.err.read_text()
    return running


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def address_of(running):
    return running.out.read_text().rpartition(" ")[2].strip()


def queue_workers(running):
    """The workers of the queue."""
    found = []
    for process in psutil.Process(running.process.pid).children(recursive=True):
        try:
            if process.name() == "queue-worker":
                found.append(process)
        except psutil.Error:
            continue
    return found


def queue(twinlog):
    return twinlog.run("migrate_worklogs", "contoso-to-jca", "--queue", "--json").data["run"]


def state(twinlog, run):
    return twinlog.rows(f"SELECT state FROM worklogs_run WHERE id = {run}")[0][0]


def owner(twinlog, run):
    """The number of the process that works on a run."""
    text = twinlog.rows(f"SELECT owner FROM worklogs_run WHERE id = {run}")[0][0]
    return int(text.split("|")[1]) if text else None


@on_sqlite
def test_workers_may_die_at_work_and_at_rest(twinlog, served, world):
    """An operator's queued run ends with each entry once, though its worker is killed, and so is, before the next
    run, every idle worker: django-q2 alone may wait for ever for a lock that one of them held.
    """
    assert requests.get(address_of(served), timeout=10).url.endswith("/sign-in/?next=/")
    jira = world.jira["jca"]

    first = queue(twinlog)
    os.kill(until(lambda: owner(twinlog, first)), signal.SIGKILL)
    until(lambda: state(twinlog, first) == "finished")
    assert set(Counter(entry for entry, _ in marked(jira)).values()) == {1}
    assert len(list(marked(jira))) == 300

    for worker in until(lambda: queue_workers(served)):
        worker.kill()
    second = queue(twinlog)
    until(lambda: state(twinlog, second) == "finished")

    family = family_of(served.process.pid)
    served.signal(signal.SIGTERM)
    until(lambda: not any(lives(pid) for pid in family[1:]), GONE_WITHIN)
    assert served.wait().status == 0


@on_sqlite
def test_a_port_that_is_taken_or_a_database_that_is_old_is_said_before_anything_is_served(twinlog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = twinlog.run("serve", "--json", "--port", str(taken.getsockname()[1]), status=2)
    assert done.data["error"]["code"] == "port_taken"
    twinlog.change("DELETE FROM django_migrations WHERE app = 'worklogs'")
    done = twinlog.run("serve", "--json", "--port", "0", status=2)
    assert done.data["error"]["code"] == "database_unavailable"
