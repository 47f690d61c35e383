"""Nobody calls a site faster than it allows, however many threads, processes and machines there are."""

import itertools
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections import budgets
from connections.budgets import DatabaseStore, Pace, RedisStore, SharedBudget, budget_for, first_slot
from connections.clients.http import Rate
from connections.models import Site, SiteBudget

JIRA = {"reads": (Rate(100, 1),), "writes": (Rate(50, 1),)}
TEMPO = {"site": (Rate(5, 1),)}
PACE = {"site": (Rate(10, 1), Rate(100, 60))}


class FakeTime:
    def __init__(self):
        self.now = 1_000_000.0

    def clock(self) -> float:
        return self.now


@pytest.fixture
def time():
    return FakeTime()


def workers(count, limits, time, site="jca"):
    """So many processes, each with a budget of its own over the shared store."""
    return [SharedBudget(site, limits, DatabaseStore(time.clock), time.clock) for _ in range(count)]


def call_for(budgets_, bucket, time, calls, between=0.0):
    """Each worker in turn makes its next call as soon as it may; the times of all calls."""
    ready = [time.now] * len(budgets_)
    sent = []
    while len(sent) < calls:
        turn = min(range(len(ready)), key=ready.__getitem__)
        time.now = max(time.now, ready[turn])
        wait = budgets_[turn].take(bucket)
        ready[turn] = time.now + wait
        if wait <= budgets.RESERVED_WITHIN:
            sent.append(ready[turn])
            ready[turn] += between
    return sorted(sent)


def most_within(sent, window):
    first = 0
    most = 0
    for last, moment in enumerate(sent):
        while moment - sent[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.django_db
@pytest.mark.parametrize("processes", [1, 4])
def test_a_hundred_calls_a_second_are_never_exceeded_and_almost_used_up(time, processes):
    sent = call_for(workers(processes, JIRA, time), "reads", time, 600)
    assert most_within(sent, 1.0) <= 100
    assert 600 / (sent[-1] - sent[0]) > 90


@pytest.mark.django_db
def test_slow_workers_leave_no_burst_behind(time):
    """Slots that were reserved and not used in time are lost, not saved up."""
    alone = workers(1, JIRA, time)[0]
    call_for([alone], "reads", time, 100)
    time.now += 30
    sent = call_for([alone], "reads", time, 300)
    assert most_within(sent, 1.0) <= 100


@pytest.mark.django_db
def test_slow_workers_do_not_take_each_others_slots_away(time):
    """Four workers that make ten calls a second each are not slowed down by one another."""
    sent = call_for(workers(4, JIRA, time), "reads", time, 200, between=0.1)
    assert 200 / (sent[-1] - sent[0]) > 30


class SlowStore:
    """Every commit takes so many seconds."""

    def __init__(self, time, seconds):
        self._store, self._time, self._seconds = DatabaseStore(time.clock), time, seconds

    def reserve(self, *asked):
        wait = self._store.reserve(*asked)
        self._time.now += self._seconds
        return wait - self._seconds


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [0.015, 0.05, 0.3])
def test_a_database_that_commits_slowly_holds_nobody_up_for_ever(time, seconds):
    """Who reserved a slot takes it however late; nothing is sent faster for it."""
    alone = SharedBudget("jca", JIRA, SlowStore(time, seconds), time.clock)
    sent = call_for([alone], "reads", time, 200)
    assert most_within(sent, 1.0) <= 100
    assert 200 / (sent[-1] - sent[0]) > 0.9 / (seconds + 0.01)


@pytest.mark.django_db
def test_tempos_five_a_second_are_evenly_spaced(time):
    sent = call_for(workers(3, TEMPO, time), "site", time, 30)
    assert most_within(sent, 1.0) <= 5
    assert min(later - earlier for earlier, later in itertools.pairwise(sent)) > 0.2


@pytest.mark.django_db
def test_7pace_takes_ten_a_second_and_a_hundred_a_minute(time):
    sent = call_for(workers(2, PACE, time), "site", time, 250)
    assert most_within(sent, 1.0) <= 10
    assert most_within(sent, 60.0) <= 100
    assert sent[-1] - sent[0] < 160


@pytest.mark.django_db
def test_a_throttled_call_holds_back_every_worker_and_only_its_bucket(time):
    alice, bob = workers(2, JIRA, time)
    call_for([alice, bob], "reads", time, 40)
    alice.hold("reads", 7)
    assert alice.take("reads") == pytest.approx(7, abs=0.2)
    assert bob.take("writes") < 0.1
    time.now += 1
    while bob.take("reads") < 1:
        pass
    assert bob.take("reads") == pytest.approx(6, abs=0.2)


@pytest.mark.django_db
def test_a_hold_on_the_whole_site_binds_every_bucket_and_never_gets_shorter(time):
    alice, bob = workers(2, JIRA, time)
    alice.hold(None, 60)
    alice.hold(None, 5)
    assert bob.take("reads") == pytest.approx(60, abs=0.1)
    assert bob.take("writes") == pytest.approx(60, abs=0.1)
    time.now += 60.1
    assert bob.take("writes") == 0


@pytest.mark.django_db
def test_asking_during_a_long_hold_reserves_nothing(time):
    """Workers that look in again and again during an hour's hold do not queue up behind it."""
    alone = workers(1, TEMPO, time)[0]
    alone.hold(None, 3600)
    for _ in range(1000):
        alone.take("site")
    time.now += 3600
    assert alone.take("site") < 0.5


@pytest.mark.django_db
def test_two_sites_have_two_budgets(time):
    jca, jcb = workers(1, JIRA, time, "jca")[0], workers(1, JIRA, time, "jcb")[0]
    jca.hold(None, 60)
    assert jcb.take("reads") == 0


@pytest.mark.django_db
def test_a_busy_process_needs_few_commits(time, django_assert_max_num_queries):
    alone = workers(1, JIRA, time)[0]
    call_for([alone], "reads", time, 100)
    with django_assert_max_num_queries(110):
        call_for([alone], "reads", time, 200)


@pytest.mark.django_db(transaction=True)
def test_threads_share_the_slots_of_their_process(time):
    alone = workers(1, JIRA, time)[0]
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: _take_and_close(alone), range(64)))
    assert all(later - earlier > 0.009 for earlier, later in itertools.pairwise(waits))


def _take_and_close(budget):
    from django.db import connection

    try:
        return budget.take("reads")
    finally:
        connection.close()


@pytest.mark.django_db
def test_the_same_budget_serves_all_callers_and_knows_its_vendors_limits(settings):
    settings.REDIS_URL = ""
    site = Site(name="contoso-7pace", kind=Site.Kind.SEVENPACE, url="https://x")
    assert budget_for(site) is budget_for(Site(name="contoso-7pace", kind=Site.Kind.SEVENPACE))
    assert budget_for(site).take("site") == 0
    assert SiteBudget.objects.get(site="contoso-7pace", bucket="site").next_free > 0


@pytest.mark.parametrize("kind", Site.Kind.values)
def test_every_kind_of_site_has_limits(kind):
    assert budgets.LIMITS[kind]


def test_a_forked_worker_has_a_budget_of_its_own(monkeypatch, settings):
    settings.REDIS_URL = ""
    site = Site(name="forked", kind=Site.Kind.TEMPO)
    parents = budget_for(site)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert budget_for(site) is not parents


@pytest.mark.parametrize(
    ("next_free", "blocked_until", "recent", "slot"),
    [
        (0, 0, [], 100),
        (103, 0, [], 103),
        (103, 110, [], 110),
        (0, 0, [50, 51], 110),
        (0, 0, [51], 100),
        (0, 0, [1, 50, 51], 110),
    ],
)
def test_the_next_slot_follows_everything_known_of_a_bucket(next_free, blocked_until, recent, slot):
    pace = Pace(0.1, (Rate(2, 60),))
    assert first_slot(100, next_free, blocked_until, recent, pace) == slot


@given(st.integers(1, 1000), st.floats(0.5, 2.0))
def test_evenly_spaced_slots_stay_below_any_short_limit(limit, window):
    assert window / Pace.of((Rate(limit, window),)).interval < limit


# The same in Redis


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    import redis

    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on this machine")
    path = tmp_path_factory.mktemp("redis") / "r.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""], stdout=subprocess.DEVNULL
    )
    server = redis.Redis(unix_socket_path=str(path))
    ready = threading.Event()
    for _ in range(200):
        try:
            server.ping()
            break
        except redis.ConnectionError:
            ready.wait(0.02)
    yield server
    process.terminate()
    process.wait(10)


@pytest.fixture
def shared(redis_server):
    redis_server.flushall()
    return lambda limits: SharedBudget("jca", limits, RedisStore(redis_server))


def test_in_redis_two_workers_share_one_line_of_slots(shared):
    alice, bob = shared(TEMPO), shared(TEMPO)
    waits = [worker.take("site") for worker in (alice, bob) * 5]
    assert waits == pytest.approx([number / 4.85 for number in range(10)], abs=0.05)


def test_in_redis_a_hundred_a_minute_are_logged(shared):
    alone = shared({"site": (Rate(100, 60),)})
    assert max(alone.take("site") for _ in range(97)) < 0.1
    assert alone.take("site") == pytest.approx(60, abs=1)


def test_in_redis_a_hold_binds_everybody(shared):
    alice, bob = shared(JIRA), shared(JIRA)
    alice.hold("reads", 30)
    alice.hold("reads", 3)
    assert bob.take("reads") == pytest.approx(30, abs=0.5)
    assert bob.take("writes") < 0.1
    bob.hold(None, 60)
    assert alice.take("writes") == pytest.approx(60, abs=0.5)
