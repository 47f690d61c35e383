"""Who takes a run up, what its steps count, and what it says of its source."""

import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.utils import timezone

from connections.clients.http import Exchange, FaultKind, SiteError
from connections.models import Connection, Site
from worklogs import context as contexts
from worklogs import run as runs
from worklogs import steps
from worklogs.context import Halt, has_other_settings, options_digest
from worklogs.migrating import Migration
from worklogs.models import Run, Step
from worklogs.sides import JiraSide

pytestmark = pytest.mark.django_db
EXCHANGE = Exchange("GET", "/rest", None, 503, None, datetime(2026, 3, 2, tzinfo=UTC), 0.1)
LONELY = SiteError("jca", FaultKind.STOPS, "site_unavailable", "jca is down", EXCHANGE)
PASSING = SiteError("jca", FaultKind.PASSING, "rate_limited", "jca asks for patience", EXCHANGE)


@pytest.fixture
def connection():
    pace = Site.objects.create(name="pace", kind="sevenpace", url="https://contoso.timehub.7pace.com")
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    options = {"issues": {"match": "label", "label": "ado-id-{id}"}}
    return Connection.objects.create(name="c", kind="migration", left=pace, right=jira, options=options)


@pytest.fixture
def run(connection):
    return Run.objects.create(
        connection=connection, kind="migration", options_digest=options_digest(connection)
    )


@pytest.fixture
def step(run):
    return steps.add(run, Step.Kind.CARRY, "10001")


@pytest.fixture
def crew(run, monkeypatch):
    """Its target says who we are, so that a fault is that of one issue; giving the issue up is noted."""
    given_up = []
    carriage = SimpleNamespace(give_up=given_up.append)
    monkeypatch.setattr(runs.carry, "Carriage", lambda *_: carriage)
    side = SimpleNamespace(probe=lambda: None)
    context = SimpleNamespace(run=run, halt=Halt(), side=side)
    job = SimpleNamespace(context=context, context_of=lambda _step: context)
    crew = runs.Crew(job, "me")
    return SimpleNamespace(fail=crew._after_fault, halt=crew.context.halt, given_up=given_up)


def job_of(run):
    return SimpleNamespace(context=SimpleNamespace(run=run, halt=Halt()))


def claimed(run):
    Step.objects.update(not_before=None)
    return steps.claim(run, [Step.Kind.CARRY], "me")


def failed_attempts(run):
    return run.steps.get().failed_attempts


# --- who takes it up


def test_people_may_be_paired_while_a_run_goes_on_but_its_settings_stay(run, connection):
    """A pair made meanwhile counts from the next slice on; a run that is started again still sees the difference."""
    connection.user_mappings.create(left_email="alice@example.com", right_account="acc-a", found_by="manual")
    assert not has_other_settings(run, connection)
    assert options_digest(connection) != run.options_digest
    connection.options["rounding"] = "up"
    assert has_other_settings(run, connection)


def stopped(run):
    Run.objects.update(state=Run.State.STOPPED, ended_at=timezone.now())
    return run


def test_a_stopped_run_is_taken_up_again(connection, run):
    stopped(run)
    assert runs.start(connection, runs.Asked(), "me").pk == run.pk
    run.refresh_from_db()
    assert (run.state, run.owner) == (Run.State.RUNNING, "me")


@pytest.mark.parametrize("state", [Run.State.RUNNING, Run.State.FINISHED])
def test_of_two_that_take_up_the_same_stopped_run_one_is_told_so(connection, run, monkeypatch, state):
    """The other was quicker between the look and the deed, and may even have ended it."""
    look = runs._unfinished

    def look_too_slowly(*asked):
        found = look(*asked)
        Run.objects.update(state=state, owner="the other")
        return found

    stopped(run)
    monkeypatch.setattr(runs, "_unfinished", look_too_slowly)
    with pytest.raises(runs.RunActiveError, match=f"Run {run.pk} "):
        runs.start(connection, runs.Asked(), "me")


# --- attempts


def test_slices_and_waits_are_no_failed_attempts(run, step):
    for _ in range(30):
        steps.give_back(claimed(run))
    assert failed_attempts(run) == 0
    steps.give_back_failed(claimed(run))
    assert failed_attempts(run) == 1
    assert run.steps.get().state == Step.State.WAITING


def test_an_issue_is_given_up_at_its_second_fault_however_often_it_was_claimed_before(run, step, crew):
    for _ in range(5):
        steps.give_back(claimed(run))
    crew.fail(claimed(run), LONELY)
    assert (crew.given_up, run.steps.get().state) == ([], Step.State.WAITING)
    crew.fail(claimed(run), LONELY)
    assert (crew.given_up, run.steps.get().state) == ([LONELY], Step.State.DONE)


def test_a_step_that_fails_for_the_twentieth_time_stops_the_run(run, step, crew):
    for _ in range(40):
        steps.give_back(claimed(run))
    for _ in range(19):
        crew.fail(claimed(run), PASSING)
    assert not crew.halt.called
    crew.fail(claimed(run), PASSING)
    assert crew.halt.reason is PASSING


# --- what it ends with and says


def test_a_slice_that_ends_when_all_is_read_and_nothing_planned_ends_no_run(run):
    """There is no step left at that moment, and nothing has been carried."""
    done = steps.add(run, Step.Kind.READ, "begin..now")
    Step.objects.filter(pk=done.pk).update(state=Step.State.DONE)
    assert runs.finish(job_of(run)).state == Run.State.RUNNING


@pytest.mark.parametrize(("ignored", "said"), [(0, []), (1200, ["pace gave 1,200 entries"])])
def test_rows_that_nobody_asked_for_are_told(connection, run, ignored, said):
    told = []
    pace = SimpleNamespace(take_ignored=lambda: ignored)
    migration = Migration.__new__(Migration)
    migration.context = SimpleNamespace(
        pace=pace, source_site="pace", log=lambda text, level: told.append((text, level))
    )
    migration.tell()
    assert [(text.partition(" that ")[0], level) for text, level in told] == [
        (one, "warning") for one in said
    ]


# --- personal tokens


def test_personal_tokens_are_asked_whose_they_are_several_at_once(connection, run):
    """Eight answer only when all eight have been asked; the refused one of them fails its person alone."""
    together = threading.Barrier(contexts.TOKENS_AT_ONCE, timeout=30)
    refused = SiteError("jca", FaultKind.STOPS, "auth_failed", "refused", EXCHANGE)

    class Client:
        def __init__(self, email):
            self.email = email

        def myself(self):
            together.wait()
            if self.email.startswith("p0"):
                raise refused
            return {"accountId": f"account of {self.email}"}

    emails = [f"p{number}@example.com" for number in range(contexts.TOKENS_AT_ONCE)]
    for email in emails:
        connection.right.tokens.create(email=email)
    logged = []
    context = SimpleNamespace(
        side=JiraSide("jca", "own", None),
        connection=connection,
        tokens={},
        refused_tokens={},
        log=lambda text, _level: logged.append(text),
    )
    opener = SimpleNamespace(open_as=lambda email, _site: Client(email))
    contexts.open_personal_tokens(context, connection.right, opener)
    assert context.tokens == {f"account of {email}": email for email in emails[1:]}
    assert {email: client.email for email, client in context.side.people.items()} == {
        e: e for e in emails[1:]
    }
    assert (list(context.refused_tokens), len(logged)) == (["p0@example.com"], 1)
