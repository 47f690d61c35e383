"""The pages of runs, entries and people, as Dana the operator and Ada the auditor use them."""

import csv
import io
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import connection as database_connection
from django.urls import reverse
from django.utils import timezone

from connections.clients.http import FaultKind, SiteError
from connections.models import Connection, Site, Token, UserMapping
from worklogs import figures
from worklogs.models import (
    AuditEntry,
    CallCount,
    Cursor,
    Entry,
    Fetched,
    IssuePair,
    OutOfScope,
    Run,
    RunLog,
    Step,
    TwinTrace,
    Verdict,
)
from worklogs.pages import people as people_page
from worklogs.people import Account
from worklogs.reading import scope, searching, timeline

pytestmark = pytest.mark.django_db

QUERIES = 15
HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe"


@pytest.fixture
def dana(client):
    """Dana the operator, signed in."""
    client.force_login(User.objects.create_user("dana"))
    return client


@pytest.fixture
def migration():
    """contoso-to-jca: 7pace of Contoso into the Jira of jca."""
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    pace = Site.objects.create(name="contoso-7pace", kind="sevenpace", url="https://c.7pace.com", azure=azure)
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    return Connection.objects.create(
        name="contoso-to-jca",
        kind="migration",
        left=pace,
        right=jira,
        options={"source_timezone": "Europe/Berlin", "issues": {"match": "label", "label": "ado-id-{id}"}},
    )


@pytest.fixture
def rung(monkeypatch):
    """The numbers of the runs that workers were asked to carry on with."""
    numbers = []
    monkeypatch.setattr("worklogs.tasks.ring", numbers.append)
    return numbers


def values(entry="e1", **more):
    return {
        "entry": entry,
        "work": "101",
        "person": {"name": "Alice Smith", "email": "alice@example.com", "account": "a-1", "guid": ""},
        "moment": {
            "day": "2024-03-15",
            "start": "09:00:00",
            "zone": "Europe/Berlin",
            "instant": "2024-03-15T08:00:00+00:00",
            "note": "",
        },
        "seconds": 5400,
        "text": "Review of the export mapping",
        "billable": None,
        "attributes": [],
        "updated": "2024-03-15T10:00:00",
        "marker": "",
        "defect": "",
        "has_length": True,
        **more,
    }


def a_run(connection, kind="migration", state="finished", **more):
    run = Run.objects.create(connection=connection, kind=kind, state=state, options_digest="x", **more)
    if state != "running" and "result" not in more:
        Run.objects.filter(pk=run.pk).update(ended_at=timezone.now(), busy_seconds=2.5, phase="ended")
        run.refresh_from_db()
    return run


def an_entry(connection, run, entry="e1", standing="written", **more):
    known = {
        "work": "101",
        "issue_key": "ABC-1",
        "person_name": "Alice Smith",
        "person_email": "alice@example.com",
        "day": date(2024, 3, 15),
        "start": time(9),
        "seconds": 5400,
        "digest": "d",
        "values": values(entry),
        "settled_by": run,
        "seen_by": run,
        "tried_at": timezone.now(),
    }
    return Entry.objects.create(
        connection=connection, site="contoso-7pace", entry=entry, standing=standing, **{**known, **more}
    )


def an_act(run, entry="e1", action="create", outcome="written", **more):
    known = {
        "connection": run.connection.name,
        "at": timezone.now(),
        "settled_at": timezone.now(),
        "site": "contoso-7pace",
        "target_site": "jca",
        "work": "101",
        "issue_key": "ABC-1",
        "person_name": "Alice Smith",
        "person_email": "alice@example.com",
        "day": date(2024, 3, 15),
        "seconds": 5400,
        "source": values(entry),
    }
    return AuditEntry.objects.create(
        run=run, entry=entry, action=action, outcome=outcome, **{**known, **more}
    )


def fetched(
    run, entry, outcome="", person="alice@example.com", account="acc-alice", name="Alice Smith", **more
):
    email = person if "@" in person else ""
    who = {"name": name, "email": email, "account": more.pop("own_id", ""), "guid": ""}
    return Fetched.objects.create(
        run=run,
        entry=entry,
        work="101",
        person=person,
        account=account,
        digest="d",
        seconds=5400,
        values=values(entry, person=who),
        outcome=outcome,
        **more,
    )


def page(client, name, *args, **query):
    response = client.get(reverse(f"worklogs:{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def fragment(client, url):
    return client.get(url, headers={"HX-Request": "true"})


def said(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


# --- who may look


@pytest.mark.parametrize(
    "path",
    [
        "/runs/",
        "/runs/1/",
        "/runs/of/x/",
        "/entries/",
        "/entries/1/",
        "/entries/log/",
        "/entries/log/1/",
        "/entries/?format=csv",
        "/people/",
        "/people/x/",
        "/issues/x/",
    ],
)
def test_nobody_looks_without_signing_in(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.url.partition("?")[0]) == (302, "/sign-in/")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/start/",
        "/runs/1/cancel/",
        "/runs/1/pause/",
        "/people/x/pair/",
        "/entries/1/decide/",
        "/issues/x/1/look/",
    ],
)
def test_a_link_changes_nothing(dana, path):
    assert dana.get(path).status_code == 405


# --- runs


def test_without_runs_dana_reads_what_to_do_first(dana):
    assert "Nothing has run yet" in page(dana, "runs")


def test_the_list_shows_what_each_run_came_to(dana, migration):
    run = a_run(migration)
    for number, outcome in enumerate(["created"] * 3 + ["failed"]):
        fetched(run, f"e{number}", outcome)
    Run.objects.filter(pk=run.pk).update(result=figures.now(run))
    shown = page(dana, "runs")
    assert f"Run {run.pk}" in shown
    assert "2.5 s" in shown
    assert '<span class="tl-count is-bad">1</span>' in shown


def test_runs_are_filtered_by_connection_kind_and_state(dana, migration):
    other = Connection.objects.create(
        name="other", kind="migration", left=migration.left, right=migration.right, options=migration.options
    )
    mine, dry, foreign = (
        a_run(migration),
        a_run(migration, "dry_run", "planned"),
        a_run(other, state="stopped"),
    )
    shown = {run.pk: f"Run {run.pk}<" for run in (mine, dry, foreign)}
    by_connection = page(dana, "runs", connection="contoso-to-jca")
    assert shown[mine.pk] in by_connection
    assert shown[foreign.pk] not in by_connection
    assert shown[mine.pk] not in page(dana, "runs", kind="dry_run")
    assert shown[foreign.pk] in page(dana, "runs", state="stopped")


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, "running"), ({"wish": "pause"}, "paused"), ({"queued": True}, "queued")],
)
def test_a_run_under_way_is_running_paused_or_still_queued(dana, migration, changes, state):
    run = a_run(migration, state="running", owner="" if state == "queued" else "somebody", **changes)
    assert run.standing == state
    assert [line.run.pk for line in dana.get("/runs/", {"state": state}).context["lines"]] == [run.pk]
    others = {"running", "paused", "queued"} - {state}
    assert not any(dana.get("/runs/", {"state": other}).context["lines"] for other in others)


def test_a_filter_nobody_knows_is_named_and_leaves_nothing_out(dana, migration):
    run = a_run(migration)
    shown = page(dana, "runs", state="sleeping")
    assert "This filter was left out" in shown
    assert f"Run {run.pk}" in shown


def test_runs_page_by_key(dana, migration):
    runs = [a_run(migration) for _ in range(53)]
    first = dana.get("/runs/").context
    assert len(first["lines"]) == 50
    rest = dana.get("/runs/", {"after": first["older"]}).context
    assert [line.run.pk for line in rest["lines"]] == [run.pk for run in runs[2::-1]]
    assert rest["older"] is None


def test_the_list_asks_few_questions_whatever_its_length(dana, migration, django_assert_max_num_queries):
    for _ in range(30):
        a_run(migration)
    a_run(migration, state="running")
    with django_assert_max_num_queries(QUERIES):
        page(dana, "runs")


def test_the_list_asks_for_itself_while_a_run_is_under_way_only(dana, migration):
    run = a_run(migration, state="running")
    assert "every 2s" in page(dana, "runs")
    Run.objects.filter(pk=run.pk).update(state="finished")
    assert "every 2s" not in page(dana, "runs")


def test_a_connections_page_fetches_its_last_runs(dana, migration):
    run = a_run(migration, state="running")
    address = reverse("worklogs:connection_runs", args=["contoso-to-jca"])
    answer = fragment(dana, address).content.decode()
    assert f"Run {run.pk}" in answer
    assert "every 2s" in answer
    assert "<html" not in answer
    assert dana.get(address).url == "/runs/?connection=contoso-to-jca"


def test_of_a_connection_that_never_ran_the_fragment_says_so(dana, migration):
    assert "It has not run yet" in fragment(dana, "/runs/of/contoso-to-jca/").content.decode()
    assert fragment(dana, "/runs/of/nobody/").status_code == 404


# --- one run


@pytest.fixture
def live(migration):
    """A run under way: 4 of 6 entries decided, one step waiting."""
    run = a_run(migration, state="running", phase="carrying", owner="somebody", queued=True)
    for number, outcome in enumerate(["created", "created", "parked", "failed", "", ""]):
        fetched(run, f"e{number}", outcome)
    for number in range(6):
        an_act(run, f"e{number}")
    RunLog.objects.create(run=run, text="Read 6 entries.")
    RunLog.objects.create(run=run, text=f"The token of {HOSTILE} is refused", level="warning")
    CallCount.objects.create(run=run, site="jca", method="POST", count=1_234)
    Step.objects.create(run=run, kind="carry", key="1", lock="1", state="done")
    later = timezone.now() + timedelta(minutes=1)
    Step.objects.create(run=run, kind="carry", key="2", lock="2", not_before=later)
    return run


def test_a_live_run_says_how_far_it_is_how_fast_and_whom_it_calls(dana, live):
    shown = page(dana, "run", live.pk)
    assert "4 of 6 entries" in shown
    assert "a second" in shown
    assert "1,234" in shown
    assert "Read 6 entries." in shown
    assert dana.get(f"/runs/{live.pk}/").context["steps"] == {
        "done": 1,
        "running": 0,
        "waiting": 1,
        "open": 0,
    }


def test_where_it_waits_is_said_with_until_when(dana, live):
    until = timezone.now() + timedelta(seconds=30)
    Run.objects.filter(pk=live.pk).update(waiting_for="jca asks for patience", waiting_until=until)
    shown = page(dana, "run", live.pk)
    assert "jca asks for patience" in shown
    assert f"{until:%H:%M:%S}" in shown
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.filter(pk=live.pk).update(waiting_until=past)
    assert "jca asks for patience" not in page(dana, "run", live.pk)


def test_hostile_texts_are_shown_and_harmless(dana, live):
    AuditEntry.objects.update(person_name=HOSTILE, message=HOSTILE, code="target_refused", outcome="failed")
    shown = page(dana, "run", live.pk)
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


def test_while_it_runs_the_page_asks_for_its_live_part_and_then_loads_once_more(dana, live):
    address = f"/runs/{live.pk}/"
    answer = fragment(dana, address)
    assert "every 2s" in answer.content.decode()
    assert "<html" not in answer.content.decode()
    assert "HX-Refresh" not in answer
    Run.objects.filter(pk=live.pk).update(state="finished")
    assert fragment(dana, address)["HX-Refresh"] == "true"
    assert "every 2s" not in page(dana, "run", live.pk)


def test_a_browser_that_goes_back_is_not_given_a_fragment_for_the_page(dana, live):
    for address in ("/runs/", f"/runs/{live.pk}/", "/runs/of/contoso-to-jca/"):
        assert "HX-Request" in fragment(dana, address)["Vary"]


def test_one_run_asks_few_questions(dana, live, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "run", live.pk)


def test_counters_of_the_newest_run_lead_to_the_entries_they_count(dana, migration):
    run = a_run(migration)
    newest = a_run(migration)
    an_entry(migration, run, "old")
    Entry.objects.update(seen_by=newest)
    an_entry(migration, newest, "bad", "failed", code="issue_not_found")
    an_entry(migration, newest, "new")
    an_act(newest, "new")
    outcomes = {"old": "unchanged", "bad": "failed", "new": "created"}
    for entry, outcome in outcomes.items():
        fetched(newest, entry, outcome)
    counters = {one.name: one for one in dana.get(f"/runs/{newest.pk}/").context["counters"]}
    for entry, outcome in outcomes.items():
        assert counters[outcome].count == 1
        rows = dana.get(counters[outcome].url).context["page"].rows
        assert [row.entry for row in rows] == [entry]
    assert counters["linked"].url == ""


def test_a_dry_run_shows_its_whole_plan_page_by_page(dana, migration):
    run = a_run(migration, "dry_run", "planned")
    for number in range(52):
        an_act(run, f"e{number}", outcome="planned")
        fetched(run, f"e{number}", "created")
    an_act(run, "bad", "refuse", "planned", code="issue_not_found", message="No issue for 104.")
    fetched(run, "bad", "failed")
    shown = page(dana, "run", run.pk)
    assert "Will be created" in shown
    assert "No issue for 104." in shown
    refused = page(dana, "run", run.pk, outcome="plan-refuse")
    assert "No issue for the work item" in refused
    assert ">1</b>" in refused
    assert dana.get(f"/runs/{run.pk}/").context["plan"].older is not None
    assert "Nothing was written: this is the plan." in shown


@pytest.mark.parametrize(
    ("state", "label"),
    [
        ("stopped", "Go on"),
        ("broken", "Start again"),
        ("finished", "Run again"),
        ("planned", "Start the migration"),
    ],
)
def test_what_may_follow_a_run_is_offered_there(dana, migration, state, label):
    run = a_run(migration, "dry_run" if state == "planned" else "migration", state)
    assert label in page(dana, "run", run.pk)


def test_why_a_run_stopped_is_said_in_words(dana, migration):
    run = a_run(migration, state="stopped", code="site_unavailable", message="jca is down.")
    shown = page(dana, "run", run.pk)
    assert "Site did not answer" in shown
    assert "jca is down." in shown


def test_a_run_that_nobody_works_on_says_so(dana, migration):
    run = a_run(migration, state="running", queued=True)
    assert "No worker is on it" not in page(dana, "run", run.pk)
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(minutes=5))
    assert "No worker is on it" in page(dana, "run", run.pk)


def test_there_is_no_such_run(dana):
    assert dana.get("/runs/999/").status_code == 404


# --- what Dana asks of runs


def test_dana_starts_a_dry_run_and_a_worker_is_asked(dana, migration, rung):
    answer = dana.post("/runs/start/", {"connection": "contoso-to-jca", "dry_run": "1"})
    run = Run.objects.get()
    assert answer.url == f"/runs/{run.pk}/"
    assert (run.kind, run.queued, run.standing) == ("dry_run", True, "queued")
    assert rung == [run.pk]


def test_with_retry_failures_are_tried_again_too(dana, migration, rung):
    dana.post("/runs/start/", {"connection": "contoso-to-jca", "retry": "1"})
    assert Run.objects.get().retry


def test_while_one_runs_no_other_starts_and_dana_is_led_to_it(dana, migration, rung):
    dana.post("/runs/start/", {"connection": "contoso-to-jca"})
    run = Run.objects.get()
    far = timezone.now() + timedelta(minutes=1)
    Run.objects.update(owner="elsewhere//|1|1|x", lease_until=far)
    answer = dana.post("/runs/start/", {"connection": "contoso-to-jca"})
    assert answer.url == "/connections/contoso-to-jca/"
    assert f'href="/runs/{run.pk}/"' in said(answer)
    assert rung == [run.pk]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"options": {"rules": {"include": []}}}, "rules or scripts"),
        ({"paused": True}, "is paused"),
    ],
)
def test_what_cannot_be_run_is_refused_in_the_commands_words(dana, migration, rung, changes, words):
    Connection.objects.update(**changes)
    answer = dana.post("/runs/start/", {"connection": "contoso-to-jca"})
    assert words in said(answer)
    assert not Run.objects.exists()
    assert rung == []


def test_a_connection_nobody_knows_starts_nothing(dana, rung):
    answer = dana.post("/runs/start/", {"connection": "gone"})
    assert "There is no such connection" in said(answer)
    assert not Run.objects.exists()


def test_dana_pauses_resumes_and_ends_a_run(dana, live, rung):
    dana.post(f"/runs/{live.pk}/pause/")
    live.refresh_from_db()
    assert live.standing == "paused"
    assert "Paused." in page(dana, "run", live.pk)
    dana.post(f"/runs/{live.pk}/resume/")
    live.refresh_from_db()
    assert (live.standing, rung) == ("running", [live.pk])
    dana.post(f"/runs/{live.pk}/cancel/")
    live.refresh_from_db()
    assert live.state == "cancelled"


@pytest.mark.parametrize("act", ["cancel", "pause", "resume"])
def test_nothing_is_asked_of_a_run_that_is_over(dana, migration, rung, act):
    run = a_run(migration)
    answer = dana.post(f"/runs/{run.pk}/{act}/")
    assert "has ended meanwhile" in said(answer)
    assert (Run.objects.get().state, rung) == ("finished", [])


# --- entries


@pytest.fixture
def entries(migration):
    """Five entries of three people, as they stand after one run."""
    run = a_run(migration)
    an_entry(migration, run, "aaaa1111-0000", "written", issue_key="ABC-1", work="101")
    an_entry(
        migration, run, "bbbb2222-0000", "failed", issue_key="", work="104", code="issue_not_found",
        message="No issue was found for work item 104.", person_name="Bob Jones", person_email="bob@example.com",
        day=date(2024, 4, 2), kind="waiting",
    )  # fmt: skip
    an_entry(
        migration,
        run,
        "cccc3333-0000",
        "parked",
        code="lookalike",
        kind="parked",
        person_email="",
        person_name="Carol Ångström",
    )
    an_entry(migration, run, "dddd4444-0000", "linked", issue_key="XYZ-10", work="201")
    an_entry(migration, run, "eeee5555-0000", "skipped", seconds=30)
    TwinTrace.objects.create(
        connection=migration, left_id="aaaa1111-0000", right_id="90210", right_site="jca", right_issue="10001",
        origin="left", source_digest="d", agreed=values("90210"), agreed_digest="d", stored_seconds=5400,
    )  # fmt: skip
    for entry in Entry.objects.all():
        outcome = {"written": "written"}.get(entry.standing, entry.standing)
        an_act(
            run, entry.entry, "create", outcome, issue_key=entry.issue_key, work=entry.work, code=entry.code,
            person_name=entry.person_name, person_email=entry.person_email, day=entry.day,
        )  # fmt: skip
    return run


def found(client, name="entries", **query):
    rows = client.get(reverse(f"worklogs:{name}"), query).context["page"].rows
    return {row.entry[0] for row in rows}


@pytest.mark.parametrize("name", ["entries", "log"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "abcde"),
        ({"q": "bbbb"}, "b"),
        ({"q": "aaaa1111-0000"}, "a"),
        ({"q": "xyz-10"}, "d"),
        ({"q": "ABC"}, "ace"),
        ({"q": "104"}, "b"),
        ({"q": "10"}, ""),
        ({"q": "90210"}, "a"),
        ({"q": "jones"}, "b"),
        ({"q": "BOB@EXAMPLE"}, "b"),
        ({"q": "ångström"}, "c"),
        ({"q": "nobody at all"}, ""),
        ({"q": "%"}, ""),
        ({"connection": "contoso-to-jca"}, "abcde"),
        ({"outcome": "failed"}, "b"),
        ({"outcome": "open"}, "bc"),
        ({"outcome": "no such outcome"}, ""),
        ({"code": "lookalike"}, "c"),
        ({"person": "bob@example.com"}, "b"),
        ({"person": "Carol Ångström"}, "c"),
        ({"issue": "xyz-10"}, "d"),
        ({"work": "201"}, "d"),
        ({"entry": "eeee5555-0000"}, "e"),
        ({"from": "2024-04-01"}, "b"),
        ({"to": "2024-03-31"}, "acde"),
        ({"from": "2024-04-02", "to": "2024-04-02", "outcome": "failed", "q": "bob"}, "b"),
    ],
)
def test_entries_are_found_by_what_is_known_of_them(dana, entries, name, query, expected):
    assert found(dana, name, **query) == set(expected)


@pytest.mark.parametrize("name", ["entries", "log"])
@pytest.mark.parametrize("bearable", [0, 1, 5_000])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"connection": "contoso-to-jca", "outcome": "failed"}, "b"),
        ({"connection": "contoso-to-jca", "outcome": "open", "from": "2024-03-01"}, "bc"),
        ({"connection": "contoso-to-jca", "person": "alice@example.com", "work": "101"}, "ae"),
        ({"outcome": "linked", "person": "alice@example.com", "q": "xyz"}, "d"),
        ({"outcome": "skipped", "q": "abc", "to": "2024-03-31"}, "e"),
        ({"outcome": "skipped", "code": "lookalike"}, ""),
        ({"outcome": "no such outcome", "work": "101"}, ""),
    ],
)
def test_filters_leave_what_fits_them_all_however_common_it_is(
    dana, entries, monkeypatch, name, bearable, query, expected
):
    """Which filter leads, and which are seen to row by row, changes nothing."""
    monkeypatch.setattr(searching, "COMMON", bearable)
    monkeypatch.setattr(searching, "BEARABLE", bearable)
    assert found(dana, name, **query) == set(expected)
    assert found(dana, name, run=entries.pk, **query) == set(expected)


def test_what_a_run_did_is_told_apart_from_how_things_stand(dana, entries):
    assert found(dana, "log", run=entries.pk, outcome="created") == {"a"}
    assert found(dana, "log", run=entries.pk + 1) == set()
    assert found(dana, "entries", run=entries.pk, outcome="unchanged") == set()
    assert found(dana, "entries", run=entries.pk) == set("abcde")


def test_the_page_says_what_is_searched(dana, entries):
    assert "beginning of an entry’s id" in page(dana, "entries")


def test_a_date_nobody_can_read_is_named_kept_and_leaves_nothing_out(dana, entries):
    shown = page(dana, "entries", **{"from": "yesterday", "run": "minus"})
    assert "Enter a valid date" in shown
    assert 'value="yesterday"' in shown
    assert found(dana, **{"from": "yesterday"}) == set("abcde")


def test_when_nothing_fits_one_click_takes_the_filters_away(dana, entries):
    shown = page(dana, "entries", q="zzzz")
    assert "No entry fits" in shown
    assert "Take the filters away" in shown


def test_entries_page_by_key_and_keep_their_filters(dana, migration):
    run = a_run(migration)
    for number in range(120):
        an_entry(migration, run, f"e{number:03}", "failed" if number % 2 else "written", code="")
    seen, after = [], ""
    for _ in range(2):
        answer = dana.get("/entries/", {"outcome": "failed", "after": after})
        seen += [row.entry for row in answer.context["page"].rows]
        after = answer.context["page"].older
    assert seen == [f"e{number:03}" for number in range(119, 0, -2)]
    assert "outcome=failed" in dana.get("/entries/", {"outcome": "failed"}).content.decode()


@pytest.mark.parametrize("after", ["-1", "x", "1e9", "99999999999999999999", "٣"])
def test_a_page_key_nobody_gave_means_the_beginning(dana, entries, after):
    assert found(dana, after=after) == set("abcde")


@pytest.mark.parametrize("name", ["entries", "log"])
def test_lists_of_entries_ask_few_questions(dana, entries, name, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, name, q="alice", connection="contoso-to-jca", outcome="open")


def test_the_csv_holds_what_is_filtered_and_no_formula(dana, entries):
    Entry.objects.filter(entry__startswith="b").update(
        person_name="=HYPERLINK(1)", message='@now, "quoted"\nline'
    )
    answer = dana.get("/entries/", {"format": "csv", "outcome": "open"})
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert text.startswith("\ufeff")
    assert [row["entry"][0] for row in rows] == ["c", "b"]
    assert (rows[1]["person"], rows[1]["message"]) == ("'=HYPERLINK(1)", '\'@now, "quoted"\nline')
    assert (rows[1]["seconds"], rows[1]["date"]) == ("5400", "2024-04-02")


def test_the_csv_of_the_log_is_whole_however_long(dana, entries, monkeypatch):
    monkeypatch.setattr("worklogs.reading.entries.CHUNK", 2)
    answer = dana.get("/entries/log/", {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("entry_by_standing", {"outcome": "failed"}),
        ("entry_by_issue", {"issue": "ABC-1"}),
        ("entry_by_work", {"work": "101"}),
        ("entry_by_code", {"code": "lookalike"}),
        ("entry_by_entry", {"q": "bbbb"}),
    ],
)
def test_each_filter_has_its_index(dana, entries, index, query):
    from worklogs.forms import EntryFilter
    from worklogs.reading.entries import standing

    plan = standing(EntryFilter(query).filters()).order_by("-id")[:51].explain()
    assert index in plan if database_connection.vendor == "sqlite" else plan


# --- one entry


@pytest.fixture
def told(migration):
    """An entry with a life: refused, then created, then edited at the source and updated."""
    first, second, third = (a_run(migration) for _ in range(3))
    entry = an_entry(
        migration,
        third,
        "e1",
        values=values("e1", seconds=7200, text="Review of the import mapping"),
        seconds=7200,
    )
    copy = values("90210", work="10001", text="Review of the export mapping")
    newer = {**copy, "seconds": 7200, "text": "Review of the import mapping"}
    an_act(
        first, "e1", "refuse", "failed", code="issue_not_found", message="No issue for 101.", hint="Add the label.",
        issue_key="",
    )  # fmt: skip
    exchange = {
        "method": "POST", "url": "/rest/api/3/issue/10001/worklog?notifyUsers=false", "status": 201, "seconds": 0.231,
        "request_body": {"timeSpentSeconds": 5400}, "response_body": {"id": "90210", "comment": HOSTILE},
        "sent_at": "2026-11-20T13:25:07+00:00",
    }  # fmt: skip
    an_act(second, "e1", twin="90210", after=copy, exchange=exchange)
    an_act(third, "e1", "update", twin="90210", before=copy, after=newer, source=entry.values)
    TwinTrace.objects.create(
        connection=migration, left_id="e1", right_id="90210", right_site="jca", right_issue="10001", origin="left",
        source_digest="d", agreed=newer, agreed_digest="d", stored_seconds=7200, run=third,
    )  # fmt: skip
    return entry


def test_an_entrys_life_is_told_on_the_side_where_it_happened(dana, told):
    events = dana.get(f"/entries/{told.pk}/").context["life"].events
    assert [
        (event.side, event.row.became if event.row else event.title, event.single) for event in events
    ] == [
        ("right", "updated", False),
        ("left", "changed in 7pace", False),
        ("right", "created", False),
        ("right", "failed", True),
        ("left", "logged it in 7pace", True),
    ]


def test_a_change_is_shown_field_by_field_and_word_by_word(dana, told):
    shown = page(dana, "entry", told.pk)
    assert "<del>1 h 30 m</del>" in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "Review of the <del>export</del><ins>import</ins> mapping" in shown
    assert "Kept as it was: person" in shown


def test_both_vendors_pages_are_one_click_away(dana, told):
    shown = page(dana, "entry", told.pk)
    assert 'href="https://dev.azure.com/contoso/_workitems/edit/101"' in shown
    assert 'href="https://jca.atlassian.net/browse/ABC-1?focusedWorklogId=90210"' in shown


def test_a_site_without_pages_of_its_own_gets_no_link(dana, told):
    Site.objects.filter(name="jca").update(url="https://api.atlassian.com/ex/jira/1234")
    assert "focusedWorklogId" not in page(dana, "entry", told.pk)


def test_request_and_answer_are_there_and_their_texts_harmless(dana, told):
    shown = page(dana, "entry", told.pk)
    assert "POST /rest/api/3/issue/10001/worklog" in shown
    assert "231 ms" in shown
    assert "<script>alert" not in shown


def test_times_are_the_readers_with_the_sources_wall_clock_beside(dana, told):
    dana.cookies["twinlog_zone"] = "America/New_York"
    shown = page(dana, "entry", told.pk)
    assert "09:00 to 11:00" in shown
    assert "Europe/Berlin" in shown
    assert "04:00 on your clock" in shown
    dana.cookies["twinlog_zone"] = "Europe/Berlin"
    assert "on your clock" not in page(dana, "entry", told.pk)


def test_a_failure_says_what_it_is_and_what_helps(dana, migration):
    entry = an_entry(
        migration, a_run(migration), "e1", "failed", code="issue_not_found", kind="waiting", message=HOSTILE,
        hint="Add the label.",
    )  # fmt: skip
    shown = page(dana, "entry", entry.pk)
    assert "No issue for the work item" in shown
    assert "issue_not_found" in shown
    assert "Add the label." in shown
    assert "<script>alert" not in shown


def test_rows_of_any_age_can_be_shown(dana, migration):
    run = a_run(migration)
    entry = an_entry(migration, run, "e1", values={"person": None, "moment": None})
    an_act(run, "e1", source=None, after={"text": "x", "attributes": {"a": "b"}}, exchange={})
    assert "No length" in page(dana, "entry", entry.pk)


def test_an_entry_gone_from_its_source_says_since_when(dana, migration):
    entry = an_entry(migration, a_run(migration), "e1")
    newest = a_run(migration)
    assert "No longer found at the source" not in page(dana, "entry", entry.pk)
    TwinTrace.objects.create(
        connection=migration, left_id="e1", right_id="90210", right_site="jca", right_issue="10001",
        origin="left", source_digest="d", agreed=values("90210"), agreed_digest="d", stored_seconds=5400,
    )  # fmt: skip
    shown = page(dana, "entry", entry.pk)
    assert "No longer found at the source" in shown
    assert f"run {newest.pk}" in shown


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("repeated", "The change to winter time repeats this hour"),
        ("skipped", "Summer time skips this hour"),
    ],
)
def test_an_hour_the_clock_change_touched_is_named_on_the_entrys_page(dana, migration, note, words):
    moment = {**values()["moment"], "note": note}
    entry = an_entry(migration, a_run(migration), values=values(moment=moment))
    assert words in page(dana, "entry", entry.pk)
    entry.values = values()
    entry.save()
    assert words not in page(dana, "entry", entry.pk)


def test_one_entry_asks_few_questions(dana, told, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "entry", told.pk)


def test_a_row_of_the_log_leads_to_its_entry(dana, told):
    row = AuditEntry.objects.order_by("id").first()
    assert dana.get(f"/entries/log/{row.pk}/").url == f"/entries/{told.pk}/#row-{row.pk}"


def test_a_long_life_is_told_page_by_page(dana, told, monkeypatch):
    """What one version changed against the one before is told also where the page ends between them."""
    monkeypatch.setattr(timeline, "ROWS", 1)
    rows = [row.pk for row in AuditEntry.objects.order_by("-id")]
    life = dana.get(f"/entries/{told.pk}/").context["life"]
    assert [event.title for event in life.events if not event.row] == ["changed in 7pace"]
    assert (life.acts, life.shown, life.older) == (3, 1, rows[0])
    assert f'href="?after={rows[0]}"' in page(dana, "entry", told.pk)
    older = dana.get(f"/entries/{told.pk}/", {"after": rows[0]}).context["life"]
    assert [(event.row.became, event.single) for event in older.events] == [("created", False)]
    last = dana.get(f"/entries/{told.pk}/", {"after": rows[1]}).context["life"]
    assert (last.older, last.acts) == (None, 3)
    assert (
        dana.get(f"/entries/log/{rows[2]}/").url == f"/entries/{told.pk}/?after={rows[2] + 1}#row-{rows[2]}"
    )


def test_what_was_only_planned_has_a_page_too(dana, migration):
    row = an_act(
        a_run(migration, "dry_run", "planned"), "e9", outcome="planned", settled_at=None, after=values("")
    )
    shown = page(dana, "act", row.pk)
    assert "Will be created" in shown
    assert "No run has carried it yet" in shown


def test_rows_outlive_their_connection(dana, migration):
    run = a_run(migration)
    row = an_act(run, "e9")
    run.delete()
    migration.delete()
    assert "contoso-to-jca" in page(dana, "act", row.pk)
    assert found(dana, "log") == {"e"}


# --- people


@pytest.fixture
def people(migration):
    """Alice is found by e-mail; Chen has no account, 3 entries, one of them failed; Mallory no e-mail."""
    run = a_run(migration)
    fetched(run, "e1", "created")
    for number in range(3):
        fetched(run, f"c{number}", "created", "chen@example.com", "", "Chen Wei")
    fetched(run, "m1", "created", "Mallory", "", "Mallory", own_id="pace-7")
    an_entry(
        migration,
        run,
        "c0",
        "failed",
        code="no_permission",
        person_email="chen@example.com",
        person_name="Chen Wei",
    )
    UserMapping.objects.create(
        connection=migration, left_email="alice@example.com", left_name="Alice Smith", right_account="acc-alice",
        right_name="Alice S.", found_by="email",
    )  # fmt: skip
    return migration


@pytest.fixture
def knows(monkeypatch):
    """What the target says to an account id or e-mail address."""

    def answers(said):
        def ask(*_):
            if isinstance(said, Exception):
                raise said
            return said

        monkeypatch.setattr(people_page, "_asked", ask)

    return answers


def lines(client, **query):
    return client.get("/people/contoso-to-jca/", query).context["lines"]


def test_whom_nobody_found_stands_first_with_what_waits_and_what_is_carried(dana, people):
    chen, mallory, alice = lines(dana)
    assert (chen.name, chen.how, chen.every.entries) == ("Chen Wei", "none", 3)
    assert (chen.waiting.entries, chen.carried.entries, chen.waiting.seconds) == (1, 2, 5400)
    assert (mallory.key, mallory.how) == ("pace-7", "none")
    assert (alice.how, alice.target, alice.target_name) == ("email", "acc-alice", "Alice S.")
    assert "2 people have no account" in page(dana, "people", "contoso-to-jca")


def test_people_are_filtered_and_searched(dana, people):
    assert [line.name for line in lines(dana, how="none")] == ["Chen Wei", "Mallory"]
    assert [line.name for line in lines(dana, how="email")] == ["Alice Smith"]
    assert [line.name for line in lines(dana, q="CHEN@")] == ["Chen Wei"]
    assert "Nobody fits" in page(dana, "people", "contoso-to-jca", q="zzz")


def test_a_personal_token_is_told_of(dana, people):
    Token.objects.create(site=people.right, email="Alice@Example.com", ciphertext="x", key_id="k")
    assert "writes with a personal token" in page(dana, "people", "contoso-to-jca")


def test_before_a_pair_is_saved_dana_reads_whom_it_concerns(dana, people):
    shown = page(dana, "people", "contoso-to-jca", edit="chen@example.com")
    assert "tried again with the next run" in shown
    assert "already carried" in shown


def test_dana_pairs_chen_by_hand(dana, people, knows):
    knows(Account("acc-chen", "Chen W."))
    answer = dana.post("/people/contoso-to-jca/pair/", {"person": "chen@example.com", "target": "acc-chen"})
    assert answer.status_code == 302
    mapping = UserMapping.objects.get(found_by="manual")
    assert (mapping.left_email, mapping.right_account, mapping.right_name) == (
        "chen@example.com",
        "acc-chen",
        "Chen W.",
    )
    people.refresh_from_db()
    assert people.get_options().people.pairs == (("chen@example.com", "acc-chen"),)
    chen = next(line for line in lines(dana) if line.name == "Chen Wei")
    assert (chen.how, chen.used) == ("manual", False)
    assert "from the next run on" in page(dana, "people", "contoso-to-jca")


@pytest.mark.parametrize(
    ("target", "words"),
    [("", "Say who this is"), ("Chen Wei", "has no blanks"), ("acc-nobody", "knows no active account")],
)
def test_a_pair_that_cannot_be_is_refused_in_words_and_nothing_changes(dana, people, knows, target, words):
    knows(None)
    answer = dana.post("/people/contoso-to-jca/pair/", {"person": "chen@example.com", "target": target})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert words in shown
    assert f'value="{target}"' in shown or not target
    assert not UserMapping.objects.filter(found_by="manual").exists()


def test_where_the_target_cannot_be_asked_the_pair_is_saved_and_dana_told(dana, people, knows):
    knows(SiteError("jca", FaultKind.PASSING, "site_unavailable", "jca does not answer."))
    answer = dana.post("/people/contoso-to-jca/pair/", {"person": "chen@example.com", "target": "acc-chen"})
    assert "not checked: jca does not answer." in said(answer)
    assert UserMapping.objects.filter(found_by="manual").exists()


def test_a_pair_made_by_hand_can_be_taken_back(dana, people, knows):
    knows(Account("acc-chen", ""))
    dana.post("/people/contoso-to-jca/pair/", {"person": "chen@example.com", "target": "acc-chen"})
    dana.post("/people/contoso-to-jca/unpair/", {"person": "chen@example.com"})
    assert not UserMapping.objects.exclude(found_by="email").exists()
    answer = dana.post("/people/contoso-to-jca/unpair/", {"person": "alice@example.com"})
    assert "nothing was changed" in said(answer)
    assert UserMapping.objects.filter(found_by="email").count() == 1


def upload(client, text, name="pairs.csv"):
    file = io.BytesIO(text.encode())
    file.name = name
    return client.post("/people/contoso-to-jca/file/", {"file": file})


def test_the_csv_goes_out_is_filled_in_previewed_and_saved(dana, people):
    answer = dana.get("/people/contoso-to-jca/", {"format": "csv"})
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [(row["left"], row["right"]) for row in rows] == [
        ("chen@example.com", ""),
        ("pace-7", ""),
        ("alice@example.com", "acc-alice"),
    ]
    preview = upload(dana, text.replace("chen@example.com,,", "chen@example.com,acc-chen,", 1))
    assert "New pair" in preview.content.decode()
    assert [one.left for one in preview.context["proposals"]] == ["chen@example.com"]
    assert not UserMapping.objects.filter(found_by="manual").exists()
    dana.post("/people/contoso-to-jca/file/", {"pairs": preview.context["pairs"]})
    assert UserMapping.objects.get(found_by="manual").right_account == "acc-chen"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "expected a column named"),
        ("left,right\n,acc\n", "one is empty"),
        ("", "That file is empty"),
    ],
)
def test_a_csv_that_cannot_be_taken_names_the_line(dana, people, text, words):
    answer = upload(dana, text)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_a_csv_that_says_what_is_so_changes_nothing(dana, people):
    assert (
        "Nothing would change" in upload(dana, "left;right\nalice@example.com;acc-alice\n").content.decode()
    )


def test_hostile_names_stay_names(dana, people):
    Fetched.objects.filter(person="Mallory").update(person=HOSTILE, values=values(person={"name": HOSTILE}))
    shown = page(dana, "people", "contoso-to-jca")
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown


def test_before_any_run_a_dry_run_is_offered(dana, migration):
    shown = page(dana, "people", "contoso-to-jca")
    assert "Nobody known yet" in shown
    assert "Dry run" in shown


def test_people_ask_few_questions(dana, people, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "people", "contoso-to-jca")


def test_of_one_connection_its_people_are_shown_at_once(dana, migration):
    assert dana.get("/people/").url == "/people/contoso-to-jca/"


def test_of_several_connections_the_one_with_most_missing_people_is_first(
    dana, people, django_assert_max_num_queries
):
    other = Connection.objects.create(
        name="other", kind="migration", left=people.left, right=people.right, options=people.options
    )
    run = Run.objects.get()
    Run.objects.update(result=figures.now(run))
    a_run(other, result={"missing_people": []}, ended_at=datetime(2026, 1, 1, tzinfo=UTC))
    with django_assert_max_num_queries(QUERIES):
        shown = page(dana, "people_all")
    assert "2 people" in shown
    assert shown.index("contoso-to-jca") < shown.rindex(">other<")


# --- two sides


@pytest.fixture
def sync():
    """jca-jcb: Tempo of jca and the Jira of jcb, both ways. DEV-1 and EXT-1 are one piece of work."""
    jca = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    tempo = Site.objects.create(name="jca-tempo", kind="tempo", url="https://api.tempo.io", jira=jca)
    jcb = Site.objects.create(name="jcb", kind="jira", url="https://jcb.atlassian.net")
    connection = Connection.objects.create(
        name="jca-jcb",
        kind="sync",
        left=tempo,
        right=jcb,
        options={"issues": {"match": "label", "on": "right", "label": "twin-{key}"}, "conflicts": "park"},
    )
    IssuePair.objects.create(
        connection=connection,
        left="10001",
        left_key="DEV-1",
        right="10001",
        right_key="EXT-1",
        found_by="label",
    )
    return connection


def worklog(entry, **more):
    """A worklog of issue 10001, as either side of a sync has it."""
    return values(entry, work="10001", updated="2026-03-01T10:00:00+00:00", **more)


def nameless(entry, **more):
    """As a vendor gives it back once it is written: the account alone."""
    return worklog(entry, person={"name": "", "email": "", "account": "b-1", "guid": ""}, **more)


def twins(connection, left, right, origin="left", **more):
    agreed = {"left_agreed": worklog(left), "agreed": nameless(right)}
    return TwinTrace.objects.create(
        connection=connection, left_id=left, left_site="jca-tempo", left_issue="10001", right_id=right,
        right_site="jcb", right_issue="10001", origin=origin, stored_seconds=5400, agreed_digest="d",
        **(agreed | more),
    )  # fmt: skip


def on_side(connection, run, site, entry, standing="written", **more):
    known = {"work": "10001", "issue": "10001", "issue_key": "", "values": worklog(entry)}
    row = an_entry(connection, run, entry, standing, **(known | more))
    Entry.objects.filter(pk=row.pk).update(site=site)
    row.refresh_from_db()
    return row


def met(run, site, entry, **more):
    known = {"person": "", "digest": "d", "values": worklog(entry), "work": "10001"}
    return Fetched.objects.create(run=run, site=site, entry=entry, **(known | more))


@pytest.mark.parametrize(
    ("asked", "full", "allowed"),
    [({}, False, None), ({"full": "1"}, True, None), ({"allow_deletes": "60"}, False, 60)],
)
def test_dana_starts_a_sync_as_she_likes(dana, sync, rung, asked, full, allowed):
    answer = dana.post("/runs/start/", {"connection": "jca-jcb", **asked})
    run = Run.objects.get()
    assert answer.url == f"/runs/{run.pk}/"
    assert (run.kind, run.queued, run.full, run.allow_deletes) == ("sync", True, full, allowed)
    assert rung == [run.pk]


def test_a_run_of_a_sync_tells_what_was_done_on_either_side(dana, sync):
    run = a_run(sync, "sync", passed_over=7)
    for number, outcome in enumerate(["created", "deleted", "linked", "unchanged"]):
        met(run, "jca-tempo", str(number), outcome=outcome)
    on_side(sync, run, "jcb", "9", "parked", code="conflict", kind="parked")
    result = figures.now(run)
    Run.objects.filter(pk=run.pk).update(result=result, counts=figures.counts_of(result))
    an_act(run, "0", site="jcb", target_site="jca-tempo", work="10001", issue="10001", issue_key="")
    context = dana.get(f"/runs/{run.pk}/").context
    told = {counter.name: counter for counter in context["counters"]}
    counts = {name: counter.count for name, counter in told.items() if counter.count}
    assert counts == {"created": 1, "deleted": 1, "linked": 1, "unchanged": 1, "parked": 1, "left_alone": 7}
    assert told["left_alone"].url == "/issues/jca-jcb/"
    assert told["parked"].url == "/entries/?connection=jca-jcb&outcome=parked"
    shown = page(dana, "run", run.pk)
    assert "4 <small>changes read on both sides" in shown
    assert shown.index("EXT-1") < shown.index("DEV-1")
    assert "Sync again" in shown


def test_counters_of_a_sync_lead_to_what_they_count(dana, sync):
    run = a_run(sync, "sync")
    on_side(sync, run, "jcb", "9", "parked", code="conflict", kind="parked")
    assert found(dana, connection="jca-jcb", outcome="parked") == {"9"}


def test_deletions_that_a_run_holds_back_are_allowed_by_a_button(dana, sync, rung):
    """Of twins that are both gone nothing is left to delete, and what never had a twin is nobody's deletion."""
    run = a_run(sync, "sync", holds_deletes=True)
    for number in range(4):
        twins(sync, f"l{number}", f"r{number}")
    for site, entry in (("jca-tempo", "l0"), ("jca-tempo", "l1"), ("jcb", "r1"), ("jcb", "r2"), ("jcb", "x")):
        met(run, site, entry, gone=True)
    shown = page(dana, "run", run.pk)
    assert "2 deletions are held back." in shown
    assert "Allow these 2 deletions" in shown
    fields = dana.get(f"/runs/{run.pk}/").context["held"].fields
    dana.post("/runs/start/", fields)
    allowed = Run.objects.latest("id")
    assert (allowed.kind, allowed.allow_deletes) == ("sync", 2)
    assert "Allow these" not in page(dana, "run", run.pk)


def test_a_sync_that_runs_reads_both_sides(dana, sync):
    run = a_run(
        sync, "sync", "running", owner="host//|1|1|x", lease_until=timezone.now() + timedelta(seconds=60)
    )
    assert "Reading both sides" in page(dana, "run", run.pk)


@pytest.mark.parametrize(
    ("kind", "state", "labels"),
    [
        ("sync", "finished", ["Sync again"]),
        ("sync", "stopped", ["Start again"]),
        ("dry_run", "planned", ["Plan again", "Sync now"]),
    ],
)
def test_after_a_sync_another_is_offered(dana, sync, kind, state, labels):
    run = a_run(sync, kind, state)
    options = dana.get(f"/runs/{run.pk}/").context["options"]
    assert [option.label for option in options] == labels


# --- issues of a sync


@pytest.fixture
def outside(sync):
    """Three issues that are nobody's counterpart."""
    later = timezone.now() + timedelta(hours=3)
    for side, issue, entries, hours in (
        ("left", "20001", 4, 2),
        ("right", "30001", 9, 8),
        ("left", "20002", 1, 1),
    ):
        OutOfScope.objects.create(
            connection=sync, side=side, issue=issue, entries=entries, seconds=3600 * hours, look_after=later
        )
    return sync


def test_issues_without_a_counterpart_are_told_with_the_most_hours_first(dana, outside):
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    Cursor.objects.create(connection=outside, side="left", feed="changed", at=moment)
    context = dana.get("/issues/jca-jcb/").context
    assert [row.issue for row in context["outside"].rows] == ["30001", "20001", "20002"]
    left, right = context["reach"].sides
    assert (left.changes, left.issues, left.entries, left.seconds) == (moment, 2, 5, 3 * 3600)
    assert (right.changes, right.issues, context["reach"].pairs) == (None, 1, 1)
    assert "3 issues have no counterpart on the other side; 14 entries there are left alone" in page(
        dana, "issues", "jca-jcb"
    )
    left_alone = dana.get("/issues/jca-jcb/", {"side": "left"}).context["outside"].rows
    assert [row.issue for row in left_alone] == ["20001", "20002"]


def test_issues_without_a_counterpart_page_by_key(dana, outside, monkeypatch):
    monkeypatch.setattr(scope, "ROWS", 2)
    first = dana.get("/issues/jca-jcb/").context["outside"]
    second = dana.get("/issues/jca-jcb/", {"after": first.older}).context["outside"]
    assert [row.issue for row in (*first.rows, *second.rows)] == ["30001", "20001", "20002"]
    assert second.older == ""
    assert len(dana.get("/issues/jca-jcb/", {"after": "nonsense"}).context["outside"].rows) == 2


def test_dana_has_a_counterpart_looked_for_now(dana, outside):
    row = OutOfScope.objects.get(issue="20001")
    assert f'action="/issues/jca-jcb/{row.pk}/look/"' in page(dana, "issues", "jca-jcb")
    answer = dana.post(f"/issues/jca-jcb/{row.pk}/look/")
    row.refresh_from_db()
    assert row.look_after <= timezone.now()
    assert "The next run looks for the counterpart of 20001." in said(answer)
    assert f'action="/issues/jca-jcb/{row.pk}/look/"' not in page(dana, "issues", "jca-jcb")


def test_an_issue_that_is_found_by_its_mark_is_looked_for_once_it_is_marked(dana, outside):
    marked = OutOfScope.objects.get(issue="30001")
    shown = page(dana, "issues", "jca-jcb")
    assert "as soon as it is marked" in shown
    assert f"/issues/jca-jcb/{marked.pk}/look/" not in shown


def test_a_migration_has_no_such_page(dana, migration):
    assert dana.get("/issues/contoso-to-jca/").status_code == 404


def test_the_issues_page_asks_few_questions(dana, outside, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "issues", "jca-jcb")


# --- one entry on two sides


@pytest.fixture
def carried(sync):
    """Bob logs it in the Jira of jcb; it is carried to Tempo, and what Alice changes there is carried back."""
    first, second = a_run(sync, "sync"), a_run(sync, "sync")
    bob = {"name": "Bob Jones", "email": "bob@example.com", "account": "b-1", "guid": ""}
    logged, copy = (
        worklog("7", person=bob),
        worklog("70", person={**bob, "account": "a-2", "name": "", "email": ""}),
    )
    known = {"work": "10001", "issue": "10001", "issue_key": "", "seconds": 5400}
    an_act(first, "7", site="jcb", target_site="jca-tempo", source=logged, after=copy, twin="70", **known)
    longer = {**copy, "seconds": 7200}
    an_act(
        second, "70", "update", site="jca-tempo", target_site="jcb", source=longer,
        before=nameless("7"), after=nameless("7", seconds=7200), twin="7", **known,
    )  # fmt: skip
    twins(sync, "70", "7", "right", left_agreed=longer, agreed=nameless("7", seconds=7200))
    return on_side(sync, second, "jcb", "7", values=nameless("7", seconds=7200), seconds=7200)


def test_a_life_on_two_sides_is_told_where_each_thing_happened(dana, carried):
    life = dana.get(f"/entries/{carried.pk}/").context["life"]
    assert [(each.side, each.row.became if each.row else each.title) for each in life.events] == [
        ("right", "updated"),
        ("left", "changed in Tempo"),
        ("left", "created"),
        ("right", "logged it in Jira"),
    ]
    changed = life.events[1].changes
    assert [change.field for change in changed] == ["Time"]
    assert (life.began, life.left.id, life.right.id) == ("right", "70", "7")


def test_issues_and_people_of_both_sides_go_by_their_names(dana, carried):
    UserMapping.objects.create(
        connection=carried.connection, found_by="email", left_account="a-2", left_name="Bob Jones",
        right_account="b-1", right_name="Bob Jones",
    )  # fmt: skip
    shown = page(dana, "entry", carried.pk)
    assert "2\N{NO-BREAK SPACE}h 00\N{NO-BREAK SPACE}m on <bdi>EXT-1</bdi> by <bdi>Bob Jones</bdi>" in shown
    assert 'href="https://jca.atlassian.net/browse/DEV-1"' in shown
    assert 'href="https://jcb.atlassian.net/browse/EXT-1?focusedWorklogId=7"' in shown
    assert "b-1" not in shown
    assert "It began in <bdi>jcb</bdi>." in shown


def test_a_row_of_a_copy_leads_to_the_entry_it_is_the_copy_of(dana, carried):
    row = AuditEntry.objects.get(entry="70")
    assert dana.get(f"/entries/log/{row.pk}/").url == f"/entries/{carried.pk}/#row-{row.pk}"


def test_an_entry_of_a_sync_that_is_only_planned_is_told_on_its_sides(dana, sync):
    run = a_run(sync, "dry_run", "planned")
    row = an_act(
        run, "7", outcome="planned", site="jcb", target_site="jca-tempo", settled_at=None, work="10001",
        issue="10001", source=worklog("7"), after=worklog(""),
    )  # fmt: skip
    life = dana.get(f"/entries/log/{row.pk}/").context["life"]
    assert [each.side for each in life.events] == ["left", "right"]
    assert (life.left.work, life.right.work) == ("DEV-1", "EXT-1")


def test_what_was_deleted_on_both_sides_says_so_and_can_be_found(dana, sync):
    run = a_run(sync, "sync")
    entry = on_side(sync, run, "jca-tempo", "70", "deleted")
    twins(sync, "70", "7", ended=True)
    an_act(
        run, "70", "delete", site="jca-tempo", target_site="jcb", before=worklog("7"), source=worklog("70")
    )
    shown = page(dana, "entry", entry.pk)
    assert "It was deleted on both sides" in shown
    assert "Deleted in Tempo" in shown
    assert found(dana, outcome="deleted") == {"7"}
    assert found(dana, "log", outcome="deleted") == {"7"}


def test_one_entry_of_a_sync_asks_few_questions(dana, carried, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "entry", carried.pk)


# --- what waits for a person


@pytest.fixture
def contested(sync):
    """Alice made it two hours in Tempo, and somebody else wrote another text in Jira."""
    run = a_run(sync, "sync")
    twins(sync, "70", "7")
    mine = worklog("70", seconds=7200)
    met(run, "jca-tempo", "70", values=mine)
    met(run, "jcb", "7", values=nameless("7", text="Something else"))
    return on_side(
        sync, run, "jca-tempo", "70", "parked", code="conflict", kind="parked", values=mine, seconds=7200,
        message="It was edited on both sides since they last agreed: seconds, text.",
    )  # fmt: skip


def test_a_conflict_shows_both_versions_with_what_was_changed_marked(dana, contested):
    decision = dana.get(f"/entries/{contested.pk}/").context["decision"]
    changed = {line.field: (line.left.is_changed, line.right.is_changed) for line in decision.versions.lines}
    assert {name for name, sides in changed.items() if any(sides)} == {"Time", "Text"}
    assert (changed["Time"], changed["Text"]) == ((True, False), (False, True))
    shown = page(dana, "entry", contested.pk)
    assert '<mark class="tl-changed">Something else</mark>' in shown
    assert "Which side is right?" in shown


@pytest.mark.parametrize(
    ("choice", "words"), [("left", "The left side is right"), ("right", "The right side is right")]
)
def test_dana_decides_which_side_is_right_and_may_take_it_back(dana, contested, choice, words):
    answer = dana.post(f"/entries/{contested.pk}/decide/", {"choice": choice})
    assert answer.url == f"/entries/{contested.pk}/"
    verdict = Verdict.objects.get()
    assert (verdict.site, verdict.entry, verdict.choice, verdict.by) == ("jca-tempo", "70", choice, "dana")
    shown = page(dana, "entry", contested.pk)
    assert f"<b>{words}.</b> Decided by <bdi>dana</bdi>" in shown
    assert "Sync now" in shown
    dana.post(f"/entries/{contested.pk}/decide/", {"choice": ""})
    assert not Verdict.objects.exists()
    assert "Left is right" in page(dana, "entry", contested.pk)


def test_the_last_word_counts(dana, contested):
    for choice in ("left", "right"):
        dana.post(f"/entries/{contested.pk}/decide/", {"choice": choice})
    assert Verdict.objects.get().choice == "right"


@pytest.mark.parametrize("choice", ["link", "delete", "nonsense"])
def test_what_is_not_the_question_cannot_be_decided(dana, contested, choice):
    answer = dana.post(f"/entries/{contested.pk}/decide/", {"choice": choice})
    assert "Nothing of this kind is to be decided" in said(answer)
    assert not Verdict.objects.exists()


def test_a_side_that_no_run_has_met_since_is_shown_as_last_agreed(dana, contested):
    Fetched.objects.filter(site="jcb").delete()
    shown = page(dana, "entry", contested.pk)
    assert "<bdi>jcb</bdi> is shown as last agreed" in " ".join(shown.split())


def test_what_was_read_before_both_agreed_is_past(dana, contested):
    """The run that merged both sides read them as they were before."""
    later = a_run(contested.connection, "sync")
    Entry.objects.update(settled_by=later)
    TwinTrace.objects.update(run=later)
    met(later, "jca-tempo", "70", gone=True)
    versions = dana.get(f"/entries/{contested.pk}/").context["decision"].versions
    assert (versions.gone, versions.unseen) == (("jca-tempo",), ("jcb",))


def test_the_same_time_told_in_another_zone_is_no_change(dana, contested):
    """Jira gives a written worklog back in UTC, and reads it in its author's zone."""
    moment = {**values()["moment"], "start": "08:00:00", "zone": "UTC"}
    TwinTrace.objects.update(agreed=nameless("7", moment=moment))
    lines = dana.get(f"/entries/{contested.pk}/").context["decision"].versions.lines
    assert {line.field for line in lines if line.differs} == {"Time", "Text"}


def test_of_two_that_were_linked_what_they_never_agreed_on_is_marked(dana, contested):
    TwinTrace.objects.update(unsettled=["text"], left_agreed=worklog("70", seconds=7200))
    lines = dana.get(f"/entries/{contested.pk}/").context["decision"].versions.lines
    (text,) = [line for line in lines if line.field == "Text"]
    assert (text.agreed, text.left.is_changed, text.right.is_changed) == ("", True, True)


def test_where_one_side_was_deleted_it_says_what_follows(dana, contested):
    Fetched.objects.filter(site="jcb").update(gone=True)
    shown = page(dana, "entry", contested.pk)
    assert "Deleted here" in shown
    assert "It was deleted in jcb; the next run writes it there anew" in shown
    assert "It was deleted in jcb, so the next run deletes it in jca-tempo too." in shown


def test_a_lookalike_is_shown_beside_what_it_looks_like(dana, sync):
    run = a_run(sync, "sync")
    met(run, "jcb", "9", values=nameless("9", text="The same?"))
    entry = on_side(
        sync, run, "jca-tempo", "70", "parked", code="lookalike", kind="parked",
        message="Worklog 9 on the target has the same person, issue, start and seconds.",
    )  # fmt: skip
    shown = page(dana, "entry", entry.pk)
    assert '<mark class="tl-changed">The same?</mark>' in shown
    assert "They are the same entry" in shown
    dana.post(f"/entries/{entry.pk}/decide/", {"choice": "create"})
    assert Verdict.objects.get().choice == "create"


def test_a_deletion_held_back_is_decided_on_the_entrys_page(dana, sync):
    run = a_run(sync, "sync")
    twins(sync, "70", "7")
    met(run, "jca-tempo", "70", gone=True)
    entry = on_side(sync, run, "jca-tempo", "70", "parked", code="deletes_held", kind="parked")
    shown = page(dana, "entry", entry.pk)
    assert "Delete the other one too" in shown
    assert "Keep the other one" in shown
    dana.post(f"/entries/{entry.pk}/decide/", {"choice": "keep"})
    assert Verdict.objects.get().choice == "keep"


def test_of_a_migration_nothing_is_decided_here(dana, migration):
    entry = an_entry(migration, a_run(migration), "e1", "parked", code="conflict", kind="parked")
    assert "Which side is right?" not in page(dana, "entry", entry.pk)
    dana.post(f"/entries/{entry.pk}/decide/", {"choice": "left"})
    assert not Verdict.objects.exists()


def test_deciding_asks_few_questions(dana, contested, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "entry", contested.pk)


def test_hostile_texts_of_both_sides_stay_texts(dana, contested):
    Fetched.objects.filter(site="jcb").update(values=nameless("7", text=HOSTILE))
    assert "<script>alert" not in page(dana, "entry", contested.pk)


# --- people on two sides


def test_people_of_both_sides_are_told_by_where_they_log(dana, sync):
    """Alice logs on both sides and is one person; Bob is nobody in Tempo; nobody asks who deleted something."""
    run = a_run(sync, "sync")
    UserMapping.objects.create(
        connection=sync, found_by="email", left_account="a-1", left_email="alice@example.com", left_name="Alice Smith",
        right_account="b-1", right_name="Alice Smith",
    )  # fmt: skip
    bob = {"name": "Bob Jones", "email": "bob@example.com", "account": "b-2", "guid": ""}
    met(run, "jca-tempo", "70", person="alice@example.com", account="b-1", seconds=60)
    met(run, "jcb", "7", person="alice@example.com", account="a-1", seconds=60)
    met(run, "jcb", "8", person="bob@example.com", values=worklog("8", person=bob), seconds=60)
    met(run, "jca-tempo", "71", person="gone@example.com", gone=True)
    people = dana.get("/people/jca-jcb/").context["people"]
    assert [(line.name, line.side, line.target, line.every.entries) for line in people.lines] == [
        ("Bob Jones", "right", "", 1),
        ("Alice Smith", "left", "b-1", 2),
    ]
    shown = page(dana, "people", "jca-jcb")
    assert "1 person has no account on the other side" in shown
    assert "Pair in the settings" in shown


def test_people_of_a_sync_are_known_after_a_quiet_run(dana, sync):
    """A run reads what changed: whoever was found before is still to be seen."""
    a_run(sync, "sync")
    UserMapping.objects.create(
        connection=sync, found_by="email", left_account="a-1", left_email="alice@example.com", left_name="Alice Smith",
        right_account="b-1", right_name="Alice Smith",
    )  # fmt: skip
    assert [line.name for line in dana.get("/people/jca-jcb/").context["people"].lines] == ["Alice Smith"]
