"""Runs by the clock: each time of a schedule starts one run, and what was missed is made up for once.

What a schedule does is the same for every kind of connection; the one here is a migration.
"""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections as databases
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connections.models import Connection, Site
from worklogs import schedules, tasks, watchdog
from worklogs.models import NextRun, Run
from worklogs.owners import Owner, at_work

pytestmark = pytest.mark.django_db

EVERY_FIVE_MINUTES = "*/5 * * * *"


@pytest.fixture
def clock(time_machine):
    """Time stands still at two past ten and is moved on by hand."""
    time_machine.move_to("2026-11-20T10:02:00Z", tick=False)
    return time_machine


def scheduled(name="contoso", schedule=EVERY_FIVE_MINUTES):
    pace = Site.objects.create(name=f"{name}-pace", kind="sevenpace", url="https://contoso.timehub.7pace.com")
    jira = Site.objects.create(name=f"{name}-jca", kind="jira", url="https://jca.atlassian.net")
    options = {"issues": {"match": "label", "label": "ado-id-{id}"}, "schedule": schedule}
    return Connection.objects.create(name=name, kind="migration", left=pace, right=jira, options=options)


@pytest.fixture
def connection(clock):
    """A connection that runs each five minutes, seen for the first time."""
    made = scheduled()
    assert schedules.tick() == []
    return made


def at(clock, time):
    """The clock shows that time of the day; what is started then is told."""
    clock.move_to(f"2026-11-20T{time}Z", tick=False)
    return [run.pk for run in schedules.tick()]


def planned(connection):
    return NextRun.objects.get(connection=connection)


def next_time(connection):
    return f"{schedules.upcoming(Connection.objects.get(pk=connection.pk)):%H:%M}"


def end(state=Run.State.FINISHED):
    Run.objects.filter(state=Run.State.RUNNING).update(state=state, ended_at=timezone.now())


def set_schedule(connection, schedule):
    connection.options = {**connection.options, "schedule": schedule}
    connection.save()


# --- when it is due


def test_a_connection_is_run_through_the_queue_when_its_time_has_come(connection, clock):
    assert at(clock, "10:04:59") == []
    [run] = at(clock, "10:05:00")
    begun = Run.objects.get(pk=run)
    assert (begun.connection, begun.state, begun.queued, begun.owner) == (connection, "running", True, "")
    assert planned(connection).last_started_at == timezone.now()
    assert next_time(connection) == "10:10"


def test_each_time_starts_one_run_however_often_somebody_looks(connection, clock):
    started = []
    for time in ("10:05:00", "10:05:00", "10:05:30", "10:09:59", "10:10:01", "10:10:02"):
        started += at(clock, time)
        end()
    assert len(started) == 2


def test_a_worker_is_called_for_what_is_begun(connection, clock):
    clock.move_to("2026-11-20T10:05:00Z", tick=False)
    tasks.tick()
    [bell] = OrmQ.objects.all()
    assert (bell.task["func"], bell.task["args"]) == (tasks.BELL, (Run.objects.get().pk,))


def test_the_watchdog_looks_at_the_clock_too(connection, clock):
    clock.move_to("2026-11-20T10:05:00Z", tick=False)
    watchdog.Watch(30.0).look()
    assert Run.objects.get().connection == connection


def test_the_queue_looks_at_the_clock_each_minute():
    """Also where no watchdog runs beside it; and it is told so once, however often the database is migrated."""
    schedules.let_the_queue_look()
    [one] = Schedule.objects.filter(func=schedules.TICK)
    assert (one.schedule_type, one.minutes, one.repeats) == (Schedule.MINUTES, 1, -1)


def test_times_are_those_of_the_installations_zone(clock, settings):
    settings.TIME_ZONE = "Asia/Kolkata"
    timezone.get_default_timezone.cache_clear()
    try:
        connection = scheduled(schedule="0 18 * * *")
        schedules.tick()
        assert planned(connection).next_at == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    finally:
        settings.TIME_ZONE = "UTC"
        timezone.get_default_timezone.cache_clear()


# --- missed


def test_what_the_machine_slept_through_is_made_up_for_once(connection, clock):
    assert len(at(clock, "13:07:00")) == 1
    end()
    assert at(clock, "13:07:30") == []
    assert next_time(connection) == "13:10"


def test_times_that_pass_while_a_run_is_under_way_are_made_up_for_once_it_has_ended(connection, clock):
    assert len(at(clock, "10:05:00")) == 1
    assert at(clock, "10:10:10") == []
    assert at(clock, "10:15:10") == []
    assert f"{planned(connection).missed_at:%H:%M}" == "10:10"
    end()
    assert len(at(clock, "10:17:00")) == 1
    end()
    assert at(clock, "10:17:30") == []
    assert len(at(clock, "10:20:00")) == 1


def test_a_missed_time_and_the_next_one_are_one_run_when_they_meet(connection, clock):
    at(clock, "10:05:00")
    at(clock, "10:10:00")
    end()
    assert len(at(clock, "10:15:00")) == 1
    end()
    assert at(clock, "10:15:30") == []


def hold(connection, owner, **changes):
    """Somebody's run in the foreground."""
    lease_until = timezone.now() + timedelta(seconds=60)
    values = {"kind": "migration", "options_digest": "x", "owner": owner, "lease_until": lease_until}
    return Run.objects.create(connection=connection, **values | changes)


def test_a_run_that_carol_began_by_hand_is_not_disturbed(connection, clock):
    with at_work() as carol:
        hold(connection, carol)
        assert at(clock, "10:05:00") == []
        assert Run.objects.get().owner == carol


def test_a_run_whose_owner_is_dead_does_not_hold_up_the_schedule(connection, clock):
    with at_work() as here:
        living = Owner.read(here)
    hold(connection, str(Owner(living.machine, living.pid + 100_000_000, living.began, living.token)))
    assert len(at(clock, "10:05:00")) == 1


@pytest.mark.parametrize("wish", ["", "pause"])
def test_a_queued_run_that_waits_for_a_worker_or_for_a_person_is_under_way(connection, clock, wish):
    hold(connection, "", queued=True, lease_until=None, wish=wish)
    assert at(clock, "10:05:00") == []
    assert Run.objects.count() == 1


def test_a_run_that_was_stopped_is_gone_on_with(connection, clock):
    [run] = at(clock, "10:05:00")
    end(Run.State.STOPPED)
    assert at(clock, "10:10:00") == [run]


# --- paused, changed, removed


def test_a_paused_connection_does_not_run_and_owes_nothing_for_that_time(connection, clock):
    Connection.objects.update(paused=True)
    assert at(clock, "10:05:00") == []
    assert planned(connection).next_at is None
    assert at(clock, "10:31:00") == []
    Connection.objects.update(paused=False)
    assert at(clock, "10:32:00") == []
    assert len(at(clock, "10:35:00")) == 1


def test_what_is_owed_is_forgotten_when_the_connection_is_paused(connection, clock):
    at(clock, "10:05:00")
    at(clock, "10:10:00")
    Connection.objects.update(paused=True)
    end()
    assert at(clock, "10:11:00") == []
    Connection.objects.update(paused=False)
    assert at(clock, "10:12:00") == []


def test_another_schedule_takes_effect_at_once(connection, clock):
    """Also for the page, before anybody has looked at the clock again."""
    set_schedule(connection, "0 * * * *")
    assert next_time(connection) == "11:00"
    assert at(clock, "10:05:00") == []
    assert len(at(clock, "11:00:00")) == 1


def test_a_schedule_that_is_taken_out_starts_nothing_more(connection, clock):
    connection.options = {"issues": connection.options["issues"]}
    connection.save()
    assert at(clock, "10:05:00") == []
    assert not NextRun.objects.exists()
    assert schedules.upcoming(connection) is None


def test_a_schedule_whose_day_never_comes_starts_nothing(clock):
    connection = scheduled(schedule="0 0 31 4 *")
    assert at(clock, "10:05:00") == []
    assert schedules.upcoming(connection) is None


# --- what cannot begin


def test_why_a_run_could_not_begin_is_kept_and_tried_again_at_the_next_time_only(connection, clock):
    connection.options = {**connection.options, "scripts": {"left": {"outgoing": "x"}}}
    connection.save()
    assert at(clock, "10:05:00") == []
    assert "scripts" in planned(connection).refusal
    assert planned(connection).missed_at is None
    connection.options.pop("scripts")
    connection.save()
    assert at(clock, "10:05:30") == []
    assert len(at(clock, "10:10:00")) == 1
    assert planned(connection).refusal == ""


def test_one_connection_that_cannot_be_understood_does_not_keep_the_others_from_running(connection, clock):
    broken = scheduled("broken")
    broken.options = {"schedule": EVERY_FIVE_MINUTES, "issues": "nonsense"}
    broken.save()
    [run] = at(clock, "10:05:00")
    assert Run.objects.get(pk=run).connection == connection


# --- what people see


@pytest.fixture
def dana(client):
    """Dana the operator, signed in."""
    client.force_login(User.objects.create_user("dana"))
    return client


def overview_row(dana):
    page = dana.get("/").content.decode()
    return re.sub(r"<[^>]+>", " ", re.findall(r'data-label="Next run">(.*?)</td>', page)[0]).split()


def latest_runs(dana):
    page = dana.get("/runs/of/contoso/", headers={"HX-Request": "true"}).content.decode()
    return " ".join(re.sub(r"<[^>]+>", "", page).split())


def test_the_overview_names_the_next_time(dana, connection, clock):
    assert overview_row(dana) == ["10:05:00", "in", "3", "m"]
    at(clock, "10:05:00")
    assert overview_row(dana) == ["under", "way"]
    Connection.objects.update(paused=True)
    end()
    assert overview_row(dana) == ["once", "resumed"]


def test_the_overview_says_that_nothing_runs_by_itself_without_a_schedule(dana, connection):
    connection.options.pop("schedule")
    connection.save()
    assert overview_row(dana) == ["by", "hand"]


def test_the_overview_asks_no_more_for_many_schedules(dana, clock, django_assert_max_num_queries):
    for number in range(5):
        scheduled(f"contoso-{number}")
    schedules.tick()
    with django_assert_max_num_queries(15):
        dana.get("/")


def test_a_connections_page_names_its_next_time_and_why_the_last_could_not_begin(dana, connection, clock):
    assert "By its schedule it runs next in 3 m." in latest_runs(dana)
    NextRun.objects.update(refusal="It has scripts.")
    clock.move_to("2026-11-20T10:07:00Z", tick=False)
    assert "Due by its schedule 2 m ago." in latest_runs(dana)
    assert "could not begin: It has scripts." in latest_runs(dana)


def test_a_connections_page_says_what_a_missed_time_waits_for(dana, connection, clock):
    at(clock, "10:05:00")
    at(clock, "10:11:00")
    assert "Due by its schedule 1 m ago: it begins once the run under way has ended." in latest_runs(dana)


# --- two at once


def test_a_second_ticker_that_saw_the_same_time_starts_nothing(connection, clock):
    """Both read the row before either wrote it."""
    clock.move_to("2026-11-20T10:05:00Z", tick=False)
    seen = [Connection.objects.select_related("next_run").get(pk=connection.pk) for _ in range(2)]
    rows = [schedules._planned(one, timezone.now()) for one in seen]
    first = schedules._begun(rows[0])
    end()
    assert (first is not None, schedules._begun(rows[1])) == (True, None)


@pytest.mark.django_db(transaction=True)
def test_many_tickers_at_once_start_one_run(connection, clock):
    clock.move_to("2026-11-20T10:05:00Z", tick=False)
    started, ready = [], threading.Barrier(4)

    def look():
        ready.wait(10)
        started.extend(schedules.tick())
        databases.close_all()

    tickers = [threading.Thread(target=look) for _ in range(4)]
    for each in tickers:
        each.start()
    for each in tickers:
        each.join(30)
    assert len(started) == 1
    assert Run.objects.count() == 1
