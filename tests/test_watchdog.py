"""The watchdog knows a queue that takes up no work from a busy or an idle one, and a lost run from one in hand."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from connections.models import Connection, Site
from worklogs import tasks, watchdog
from worklogs.models import Pulse, Run
from worklogs.owners import Owner, at_work

PERIOD = 30.0

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(time_machine):
    """Time stands still and is moved on by hand."""
    time_machine.move_to("2026-11-20T10:00:00Z", tick=False)
    return time_machine


@pytest.fixture
def watch():
    return watchdog.Watch(PERIOD)


def look_for(watch, clock, seconds):
    """What was found stuck in so many seconds of looking."""
    found = []
    for _ in range(int(seconds / PERIOD)):
        found += watch.look()
        clock.shift(PERIOD)
    return found


def takes_up_work(queue):
    """A worker of the queue begins whatever waits there."""
    OrmQ.objects.filter(key=queue).delete()
    Pulse.objects.filter(cluster=queue).update(heard_at=timezone.now())


def test_a_queue_that_does_not_answer_for_three_periods_is_stuck(watch, clock):
    assert look_for(watch, clock, 120) == []
    assert watch.look() == ["twinlog"]


def test_a_queue_that_took_up_work_meanwhile_is_not_stuck(watch, clock):
    assert look_for(watch, clock, 120) == []
    takes_up_work("twinlog")
    assert watch.look() == []


def test_a_queue_gets_its_patience_anew_once_its_workers_were_started_anew(watch, clock):
    found = look_for(watch, clock, 150)
    assert found == ["twinlog"]
    assert look_for(watch, clock, 120) == []
    assert look_for(watch, clock, 30) == ["twinlog"]


def test_a_busy_queue_is_not_stuck_however_long_the_question_waits(watch, clock):
    """It is enough that its workers begin other tasks."""
    for _ in range(10):
        assert watch.look() == []
        clock.shift(PERIOD)
        Pulse.objects.update(heard_at=timezone.now())
    assert OrmQ.objects.filter(key="twinlog").count() == 1


def test_after_the_machine_slept_silence_proves_nothing(watch, clock):
    watch.look()
    clock.shift(8 * 3600)
    assert look_for(watch, clock, 90) == []


def test_each_queue_is_asked_once_until_it_answers(watch, clock):
    look_for(watch, clock, 90)
    assert sorted(OrmQ.objects.values_list("key", flat=True)) == ["twinlog"]
    takes_up_work("twinlog")
    watch.look()
    assert sorted(OrmQ.objects.values_list("key", flat=True)) == ["twinlog"]


# --- runs


@pytest.fixture
def run():
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    pace = Site.objects.create(
        name="pace", kind="sevenpace", url="https://contoso.timehub.7pace.com", azure=azure
    )
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    connection = Connection.objects.create(name="contoso-to-jca", kind="migration", left=pace, right=jira)
    return Run.objects.create(connection=connection, kind=Run.Kind.MIGRATION, queued=True, options_digest="x")


def bells():
    return [row.task["args"] for row in OrmQ.objects.all()]


def held_by(run, owner):
    Run.objects.update(owner=str(owner), lease_until=timezone.now() + timedelta(seconds=60))


def dead(owner):
    """The owner as it would be had its process begun at another time."""
    here = Owner.read(owner)
    return Owner(here.machine, here.pid + 100_000_000, here.began, here.token)


def test_a_run_whose_worker_died_is_called_back_at_once_and_once(run):
    with at_work() as owner:
        held_by(run, dead(owner))
    assert watchdog.call_back(set()) == {run.pk}
    assert bells() == [(run.pk,)]
    watchdog.call_back({run.pk})
    assert bells() == [(run.pk,)]


def test_a_run_in_somebodys_hands_is_left_alone(run):
    with at_work() as owner:
        held_by(run, owner)
        assert watchdog.call_back({run.pk}) == set()
    assert bells() == []


def test_a_run_that_nobody_was_called_for_is_called_back_when_found_so_twice(run):
    lonely = watchdog.call_back(set())
    assert (lonely, bells()) == ({run.pk}, [])
    watchdog.call_back(lonely)
    assert bells() == [(run.pk,)]


def test_a_run_whose_bell_still_waits_is_not_rung_for_again(run):
    tasks.ring(run.pk)
    assert watchdog.call_back({run.pk}) == set()
    assert bells() == [(run.pk,)]


@pytest.mark.parametrize("changes", [{"wish": "pause"}, {"state": "finished"}, {"queued": False}])
def test_a_run_that_waits_for_a_person_has_ended_or_is_in_the_foreground_is_left_alone(run, changes):
    Run.objects.update(**changes)
    assert watchdog.call_back({run.pk}) == set()
    assert bells() == []


def test_a_bell_that_comes_twice_finds_the_run_in_another_workers_hands(run, monkeypatch):
    monkeypatch.setattr(tasks.runs, "work", lambda *_: pytest.fail("two workers at one run"))
    with at_work() as owner:
        held_by(run, owner)
        tasks.carry_on(run.pk)
    assert bells() == []


def test_a_worker_hands_the_run_back_after_its_slice_and_rings_for_the_next(run, monkeypatch):
    seen = []

    def work(run, owner, _shift):
        run.refresh_from_db()
        seen.append(run.owner == owner)
        return run

    monkeypatch.setattr(tasks.runs, "work", work)
    tasks.carry_on(run.pk)
    run.refresh_from_db()
    assert (seen, run.lease_until, bells()) == ([True], None, [(run.pk,)])
