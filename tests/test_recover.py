"""A write of unknown outcome: found it is settled, "not there" counts only 30 seconds after it went out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
import time_machine

from connections.models import Connection, Site
from connections.options import LongText, Lookalikes, Rounding
from worklogs import recover, rules
from worklogs.clock import from_wall
from worklogs.context import Context
from worklogs.ledger import Place
from worklogs.models import AuditEntry, Fetched, Run, TwinTrace
from worklogs.rules import Author, Policy, Target
from worklogs.worklog import Person, Worklog

pytestmark = pytest.mark.django_db

POLICY = Policy(Target.JIRA, "7pace", 60, Rounding.NONE, 1, Lookalikes.LINK, LongText.CUT, has_markers=True)
NINE = from_wall(datetime(2024, 3, 15, 9, 0), "Europe/Berlin")
ALICES = Worklog("e1", "42", Person("Alice", "alice@example.com", "p-alice"), NINE, 5430, "Fixed the pump")
COPY = rules.copy_of(ALICES, "10001", Author("acc-bot", true=False), POLICY)
STANDING = COPY.with_(entry="7")
PLACE = Place("10001", "ABC-1")
NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
Action, Outcome = AuditEntry.Action, AuditEntry.Outcome


@pytest.fixture
def context():
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    pace = Site.objects.create(
        name="pace", kind="sevenpace", url="https://contoso.timehub.7pace.com", azure=azure
    )
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    options = {"issues": {"match": "label", "label": "ado-id-{id}"}}
    connection = Connection.objects.create(name="c", kind="migration", left=pace, right=jira, options=options)
    run = Run.objects.create(connection=connection, kind="migration", options_digest="")
    context = SimpleNamespace(connection=connection, side=SimpleNamespace(name="jca"), policy=POLICY, run=run)
    context.traces_of = partial(Context.traces_of, context)
    context.claimed = partial(Context.claimed, context)
    return context


def intent(context, action=Action.CREATE, look_until=None, after=COPY, **more):
    return AuditEntry.objects.create(
        run=context.run,
        connection=more.pop("connection", "c"),
        at=NOON,
        site="pace",
        entry="e1",
        target_site=more.pop("target_site", "jca"),
        issue="10001",
        action=action,
        outcome=more.pop("outcome", Outcome.WRITING),
        source=ALICES.to_json(),
        after=after.to_json(),
        look_until=look_until,
        **more,
    )


def trace(context, copy=STANDING, entry="e1", connection=None):
    return TwinTrace.objects.create(
        connection=connection or context.connection,
        left_id=entry,
        right_id=copy.entry,
        right_site="jca",
        right_issue=copy.work,
        origin="left",
        source_digest="",
        agreed=copy.to_json(),
        agreed_digest=copy.digest,
        stored_seconds=copy.seconds,
    )


def looked(context, row, standing, at=NOON):
    """The results of a look at this time, and the intent as it is afterwards."""
    with time_machine.travel(at, tick=False):
        results = recover.recover(context, PLACE, [row], recover.Look(at, standing))
    row.refresh_from_db()
    return results, row


def test_a_create_that_stands_there_is_settled_as_created(context):
    row = intent(context)
    (result,), _ = looked(context, row, [STANDING])
    assert (result.outcome, result.stored, result.source) == (Fetched.Outcome.CREATED, STANDING, ALICES)
    assert (result.planned_seconds, result.intent) == (5430, row)


def test_a_first_look_that_finds_nothing_proves_nothing(context):
    results, row = looked(context, intent(context), [])
    assert results == []
    assert (row.outcome, row.look_until) == (Outcome.WRITING, NOON + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(0, Outcome.WRITING), (29, Outcome.WRITING), (30, Outcome.NOT_WRITTEN)]
)
def test_not_there_counts_thirty_seconds_after_the_request_went_out(context, seconds, outcome):
    row = intent(context, look_until=NOON + timedelta(seconds=30))
    results, row = looked(context, row, [], NOON + timedelta(seconds=seconds))
    assert results == []
    assert row.outcome == outcome


def test_a_late_success_is_found_at_the_second_look(context):
    _, row = looked(context, intent(context), [])
    results, _ = looked(context, row, [STANDING], NOON + timedelta(seconds=31))
    assert [result.stored for result in results] == [STANDING]


def test_a_worklog_that_another_trace_owns_was_not_written_by_us(context):
    context.policy = replace(POLICY, target=Target.TEMPO, has_markers=False)
    unmarked = STANDING.with_(marker="")
    trace(context, unmarked, entry="e9")
    results, _ = looked(context, intent(context), [unmarked])
    assert results == []


def test_an_update_that_stands_there_is_settled_with_what_was_before(context):
    before = STANDING.with_(text="before")
    trace(context, before)
    (result,), _ = looked(context, intent(context, Action.UPDATE, twin="7"), [STANDING])
    assert (result.outcome, result.before, result.stored) == (Fetched.Outcome.UPDATED, before, STANDING)


def test_an_update_is_recognised_although_jira_keeps_whole_minutes(context):
    trace(context, STANDING.with_(text="before", seconds=5400))
    rounded = STANDING.with_(seconds=5400)
    (result,), _ = looked(context, intent(context, Action.UPDATE, twin="7"), [rounded])
    assert result.stored == rounded


@pytest.mark.parametrize("standing", [[], [STANDING.with_(text="before")]])
def test_an_update_that_is_not_there_is_planned_again_at_once(context, standing):
    trace(context, STANDING.with_(text="before"))
    results, row = looked(context, intent(context, Action.UPDATE, twin="7"), standing)
    assert results == []
    assert row.outcome == Outcome.NOT_WRITTEN


def test_a_copy_created_on_another_issue_is_an_update_that_remembers_the_old_one(context):
    old = STANDING.with_(entry="3", work="10009")
    trace(context, old)
    (result,), _ = looked(context, intent(context), [STANDING])
    assert (result.outcome, result.before) == (Fetched.Outcome.UPDATED, old)


def test_only_this_connections_open_writes_on_this_site_are_looked_for(context):
    mine = intent(context)
    intent(context, outcome=Outcome.WRITTEN)
    intent(context, connection="other")
    intent(context, target_site="elsewhere")
    assert list(recover.unsettled(context)) == [mine]


def test_a_worklog_is_owned_by_whichever_connections_trace(context):
    other = Connection.objects.create(
        name="d",
        kind="migration",
        left=context.connection.left,
        right=context.connection.right,
        options=context.connection.options,
    )
    trace(context, STANDING.with_(entry="8", marker=""), connection=other)
    rows = [STANDING.with_(entry=id_, marker="") for id_ in ("7", "8")]
    assert recover.owned(context, rows, {"e2"}) == {"8"}


def test_a_worklog_that_bears_this_very_entrys_mark_is_its_own_whoever_traced_it(context):
    """Two connections with one source carry an entry once: the second recognises the copy of the first."""
    trace(context, STANDING)
    assert recover.owned(context, [STANDING], {"e1"}) == set()
    assert recover.owned(context, [STANDING], {"e2"}) == {"7"}
