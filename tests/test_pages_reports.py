"""The overview, the failures and the reports, as Dana the operator and Ada the auditor use them."""

import csv
import io
import re
from datetime import date, time, timedelta
from html import unescape
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from connections.clients.http import FaultKind, SiteError
from connections.models import Connection, ConnectionCheck, Site, Token, UserMapping
from connections.wording import CODES
from reports import balance, causes, downloads, failing, migration, reporting
from reports.balance import Balance, Difference
from reports.models import Proof
from worklogs import figures, hours
from worklogs.models import (
    CarriedHour,
    Entry,
    Fetched,
    IssuePair,
    OutOfScope,
    Run,
    RunHours,
    Step,
    TwinTrace,
)
from worklogs.reading.gone import gone

pytestmark = pytest.mark.django_db

QUERIES = 15
HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe"
OPTIONS = {"source_timezone": "Europe/Berlin", "issues": {"match": "label", "label": "ado-id-{id}"}}


@pytest.fixture
def dana(client):
    """Dana the operator, signed in."""
    client.force_login(User.objects.create_user("dana"))
    return client


def a_site(name, kind, token="ok", **more):
    site = Site.objects.create(name=name, kind=kind, url=f"https://{name}.example.com", **more)
    if token is not None:
        Token.objects.create(site=site, ciphertext="x", key_id="k", last_check_state=token)
    return site


@pytest.fixture
def pace():
    return a_site("contoso-7pace", "sevenpace", azure=a_site("contoso", "azure"))


@pytest.fixture
def contoso(pace):
    """contoso-to-jca: 7pace of Contoso into the Jira of jca."""
    return a_connection("contoso-to-jca", pace, a_site("jca", "jira"))


def a_connection(name, left, right, kind="migration", **more):
    return Connection.objects.create(name=name, kind=kind, left=left, right=right, options=OPTIONS, **more)


def a_run(connection, kind="migration", state="finished", **more):
    return Run.objects.create(connection=connection, kind=kind, state=state, options_digest="x", **more)


def ended(run, **more):
    """The run as it is left behind at its end, its figures and hours kept."""
    result = figures.now(run) | more
    counts = figures.counts_of(result)
    Run.objects.filter(pk=run.pk).update(
        result=result, counts=counts, ended_at=timezone.now(), phase="ended", busy_seconds=2.5
    )
    if not run.is_dry:
        hours.keep(run)
    run.refresh_from_db()
    return run


def values(entry):
    return {
        "entry": entry, "work": "101", "person": {"name": "Alice Smith", "email": "alice@example.com"},
        "moment": None, "seconds": 5400, "text": "Review", "billable": None, "attributes": [], "updated": "",
        "marker": "", "defect": "", "has_length": True,
    }  # fmt: skip


def an_entry(connection, run, entry, standing="written", code="", **more):
    """An entry the run met, and its twin where it is carried."""
    known = {
        "work": "101", "issue_key": "ABC-1", "person_name": "Alice Smith", "person_email": "alice@example.com",
        "day": date(2024, 3, 15), "start": time(9), "seconds": 5400, "digest": "d" * 64, "values": values(entry),
        "settled_by": run, "seen_by": run, "tried_at": timezone.now(),
    }  # fmt: skip
    if code:
        known |= {"kind": "waiting", "code": code, "message": f"{code} was said.", "hint": "Do something."}
    known |= more
    made = Entry.objects.create(
        connection=connection, site="contoso-7pace", entry=entry, standing=standing, **known
    )
    outcome = {"written": "created"}.get(standing, standing)
    if run:
        Fetched.objects.create(
            run=run, entry=entry, work="101", person="alice@example.com", account="a", digest="d", values={},
            outcome=outcome, seconds=known["seconds"], mapped=True,
        )  # fmt: skip
    if standing in ("written", "linked"):
        TwinTrace.objects.create(
            connection=connection, left_id=entry, right_id=f"w-{connection.pk}-{entry}", right_site="jca",
            right_issue="1", origin="left", source_digest="d", agreed={}, agreed_digest="d",
            stored_seconds=known["seconds"],
        )  # fmt: skip
    return made


def a_failure(connection, run, entry, code="issue_not_found", **more):
    return an_entry(connection, run, entry, "failed", code, **more)


def a_conflict(connection, run, entry, **more):
    return an_entry(connection, run, entry, "parked", "conflict", **{"kind": "parked", **more})


@pytest.fixture
def migrated(contoso):
    """Three entries written, two failed, one parked, one person without an account; the run has ended."""
    run = a_run(contoso)
    for name in ("e1", "e2", "e3"):
        an_entry(contoso, run, name)
    a_failure(contoso, run, "e4")
    a_failure(contoso, run, "e5", "no_permission", seconds=60)
    a_conflict(contoso, run, "e6")
    return ended(run, missing_people=["carol@example.com"])


def text_of(response):
    """What is to be read on the page, without its navigation."""
    html = response.content.decode()
    main = html[html.index("<main") : html.index("</main>")]
    shown = re.sub(r"<(script|style|select|svg)\b.*?</\1>", " ", main, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).replace("\N{NO-BREAK SPACE}", " ").split())


def page(client, name, *args, status=200, **query):
    response = client.get(reverse(f"reports:{name}", args=args), query)
    assert response.status_code == status
    return response


def downloaded(response):
    return b"".join(response.streaming_content).decode("utf-8-sig")


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# --- the overview


def test_a_fresh_installation_is_led_through_the_first_steps(dana):
    """Nobody is shown an empty dashboard: the first thing to do is named and linked."""
    response = page(dana, "overview")
    assert "Nothing is connected yet" in text_of(response)
    assert reverse("connections:site_add") in response.content.decode()


def test_with_both_sites_there_the_next_step_is_the_connection(dana, pace):
    a_site("jca", "jira")
    assert 'is-next"' in page(dana, "overview").content.decode()


def test_the_overview_says_how_every_connection_stands(dana, migrated, pace):
    """Each health in words with its reason, those that need somebody first."""
    a_connection("resting", pace, a_site("jcb", "jira"), paused=True)
    a_connection("to-come", a_site("jcc", "jira"), a_site("jcd", "jira"), kind="sync")
    shown = text_of(page(dana, "overview"))
    assert "None of three connections is in step." in shown
    assert "Needs attention 2 entries failed, 1 parked" in shown
    assert "Paused No run begins until it is resumed" in shown
    assert "Not started A dry run would be a good first step" in shown
    assert (
        shown.index("contoso-to-jca Migration")
        < shown.index("to-come Sync")
        < shown.index("resting Migration")
    )


def test_a_connection_without_anything_open_is_in_step(dana, contoso):
    run = a_run(contoso)
    an_entry(contoso, run, "e1")
    ended(run)
    shown = text_of(page(dana, "overview"))
    assert "The connection is in step. Nothing needs a person." in shown
    assert "Nothing is open" in shown


def test_a_run_under_way_is_behind_and_the_page_keeps_looking(dana, contoso):
    """Percent done; only what changes is fetched again, and not once the run has ended."""
    run = a_run(contoso, state="running", lease_until=timezone.now() + timedelta(seconds=60))
    for name, outcome in (("e1", "created"), ("e2", ""), ("e3", ""), ("e4", "")):
        Fetched.objects.create(run=run, entry=name, digest="d", values={}, outcome=outcome)
    response = page(dana, "overview")
    assert f"Behind Run {run.pk} is at 25 %" in text_of(response)
    assert 'hx-trigger="every 5s"' in response.content.decode()
    part = dana.get("/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div class="tl-stack" id="live"')
    assert "<h1>" not in part
    Run.objects.update(state="finished")
    assert "hx-trigger" not in page(dana, "overview").content.decode()


def test_a_run_that_nobody_works_on_is_told(dana, contoso):
    """Its owner has not given a sign for minutes: somebody should look."""
    run = a_run(contoso, state="running", lease_until=timezone.now() - timedelta(minutes=5))
    assert f"Nobody works on run {run.pk}" in text_of(page(dana, "overview"))


@pytest.mark.parametrize(
    ("token", "expires", "health", "title"),
    [
        ("refused", None, "Failing", "jcb refuses its token."),
        ("ok", timedelta(days=-1), "Failing", "The token of jcb has expired."),
        ("ok", timedelta(days=5), "Not started", "The token of jcb expires soon."),
        (None, None, "Failing", "jcb has no token."),
    ],
)
def test_tokens_that_need_somebody(dana, pace, token, expires, health, title):
    """Refused, expired, missing or about to expire: with the page where a new one goes in."""
    site = a_site("jcb", "jira", token)
    if expires:
        Token.objects.filter(site=site).update(expires_at=timezone.now() + expires)
    a_connection("to-jcb", pace, site)
    response = page(dana, "overview")
    assert title in text_of(response)
    assert health in text_of(response)
    assert reverse("connections:site", args=["jcb"]) in response.content.decode()


def test_personal_tokens_that_are_refused_are_told_once_a_site(dana, contoso):
    for name in ("alice", "bob"):
        Token.objects.create(
            site=contoso.right,
            email=f"{name}@example.com",
            ciphertext="x",
            key_id="k",
            last_check_state="refused",
        )
    assert "2 personal tokens of jca are refused or expired." in text_of(page(dana, "overview"))


def test_people_without_an_account_until_they_are_paired(dana, migrated, contoso):
    """Carol is missed after the run; once Dana has paired her she is no longer, before the next run even."""
    response = page(dana, "overview")
    assert "1 person has no account on jca." in text_of(response)
    assert reverse("worklogs:people", args=["contoso-to-jca"]) in response.content.decode()
    UserMapping.objects.create(
        connection=contoso, left_email="Carol@example.com", right_account="acc-9", found_by="manual"
    )
    assert "no account" not in text_of(page(dana, "overview"))


@pytest.mark.parametrize(
    ("status", "checks", "title"),
    [
        (
            "missing",
            [{"state": "missing", "what": "BROWSE_PROJECTS"}],
            "contoso-to-jca lacks 1 thing it needs.",
        ),
        ("unreachable", [], "A site of contoso-to-jca did not answer its check, or refused its token."),
    ],
)
def test_a_failing_check_needs_somebody_until_a_run_ends_well(dana, contoso, status, checks, title):
    ConnectionCheck.objects.create(connection=contoso, at=timezone.now(), status=status, checks=checks)
    assert title in text_of(page(dana, "overview"))
    ended(a_run(contoso))
    assert title not in text_of(page(dana, "overview"))


def test_a_run_that_stopped_early_needs_somebody(dana, contoso):
    run = a_run(contoso, state="stopped", code="auth_failed", message="jca refused the token (401).")
    shown = text_of(page(dana, "overview"))
    assert f"Run {run.pk} of contoso-to-jca stopped early." in shown
    assert "Failing" in shown


def test_what_is_open_is_told_by_cause(dana, migrated):
    """The largest first, failed and parked apart, with the hours that wait."""
    shown = text_of(page(dana, "overview"))
    assert "2 entries failed. No issue for the work item (1), permission missing (1); 1 h 31 m wait." in shown
    assert "1 entry parked, until somebody decides. Changed on both sides (1); 1 h 30 m wait." in shown


def test_the_hours_proof_is_a_sum_by_the_records(dana, migrated):
    """Source = target + skipped + failed + parked + rounding over all connections, and said to be by the records."""
    shown = text_of(page(dana, "overview"))
    assert "Hours proof by the records of 1 connection" in shown
    terms = (
        "in the sources 7 h 31 m = in the targets 4 h 30 m + skipped 0 s + failed 1 h 31 m + parked 1 h 30 m"
    )
    assert f"{terms} + rounding 0 s" in shown
    assert "Balanced to the second" in shown


def test_before_any_run_has_ended_there_is_no_proof_to_show(dana, contoso):
    assert "No hours to prove yet" in text_of(page(dana, "overview"))


def test_hours_carried_are_drawn_a_bar_a_day_and_said_in_a_table(dana, contoso):
    """Corrections of copies get their own colour only where there are some."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    CarriedHour.objects.create(connection=contoso, hour=hour, created_seconds=7200)
    html = page(dana, "overview").content.decode()
    assert '"label": "new copies"' in html
    assert "brought up to date" not in html
    assert "Nothing carried in 30 days" not in html
    CarriedHour.objects.update(updated_seconds=60)
    assert "brought up to date" in page(dana, "overview").content.decode()


# --- failures


def test_failures_are_grouped_by_cause_with_what_to_do(dana, migrated):
    """Title and code, how many, how long, what a person can do and where, and the entries beneath."""
    response = page(dana, "failures")
    shown = text_of(response)
    assert (
        "3 entries, 3 h 01 m, are not carried yet. 3 causes; mending the first two frees 2 of them." in shown
    )
    assert "No issue for the work item issue_not_found 1 entry 1 h 30 m" in shown
    assert causes.REMEDIES["no_permission"].text in shown
    assert reverse("connections:check", args=["contoso-to-jca"]) in response.content.decode()
    assert "issue_not_found was said. Do something." in shown


def test_every_cause_of_the_contract_has_a_remedy():
    """Each code that can stand on an entry is explained."""
    assert causes.REMEDIES.keys() == {code for code, word in CODES.items() if word.kind != "stops"}


def test_a_code_nobody_foresaw_is_shown_all_the_same(dana, contoso):
    a_failure(contoso, a_run(contoso), "e1", "moon_is_full")
    shown = text_of(page(dana, "failures"))
    assert "Moon is full moon_is_full" in shown
    assert causes.OTHERWISE.text in shown


def test_a_few_entries_of_each_cause_and_a_way_to_all(dana, contoso):
    """Eight entries: the newest five are shown, then all of them under their own address."""
    run = a_run(contoso)
    for number in range(8):
        a_failure(contoso, run, f"e{number}")
    html = page(dana, "failures").content.decode()
    assert html.count('data-label="Person"') == 5
    assert "All 8 entries" in html
    assert page(dana, "failures", code="issue_not_found").content.decode().count('data-label="Person"') == 8


def test_a_cause_is_paged_by_key(dana, contoso):
    """The second page goes on where the first ended, also when new ones came meanwhile."""
    run = a_run(contoso)
    entries = [a_failure(contoso, run, f"e{number}") for number in range(70)]
    first = page(dana, "failures", code="issue_not_found")
    assert f"after={entries[20].pk}" in first.content.decode()
    a_failure(contoso, run, "late")
    second = page(dana, "failures", code="issue_not_found", after=entries[20].pk).content.decode()
    assert [f'"{reverse("worklogs:entry", args=[e.pk])}"' in second for e in entries] == [True] * 20 + [
        False
    ] * 50


def test_failures_are_filtered_by_connection_outcome_and_cause(dana, migrated, pace):
    """What is filtered out is counted; the CSV goes by the same filters."""
    other = a_connection("to-jcb", pace, a_site("jcb", "jira"))
    a_failure(other, a_run(other), "f1", "period_closed")
    everything = text_of(page(dana, "failures"))
    assert "Period closed" in everything
    assert "Permission missing" in everything
    assert "Period closed" not in text_of(page(dana, "failures", connection="contoso-to-jca"))
    parked = page(dana, "failures", outcome="parked")
    assert "1 entry, 1 h 30 m, is not carried yet, as far as the filters go. One cause." in text_of(parked)
    assert "?outcome=parked" in parked.content.decode()
    nothing = text_of(page(dana, "failures", connection="to-jcb", outcome="parked"))
    assert "The filters hide 4 open entries" in nothing


@pytest.mark.parametrize("query", [{"outcome": "written"}, {"code": "' OR 1=1"}, {"connection": "nobody"}])
def test_a_filter_that_nobody_understands_is_named_and_left_out(dana, migrated, query):
    response = page(dana, "failures", **query)
    assert "This filter was left out." in text_of(response)
    assert "3 entries" in text_of(response)


@pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "²"])
def test_a_page_that_is_none_begins_at_the_top(dana, migrated, after):
    assert "issue_not_found was said" in text_of(page(dana, "failures", code="issue_not_found", after=after))


def test_nothing_open_is_a_good_thing(dana, contoso):
    assert "Every entry a run has met was carried" in text_of(page(dana, "failures"))


def test_without_a_connection_failures_lead_to_the_first_steps(dana):
    assert reverse("connections:list") in page(dana, "failures").content.decode()


def test_trying_again_is_sent_to_the_room_that_runs(dana, migrated, pace):
    """With one connection a button for all of it, with several one for each."""
    html = page(dana, "failures").content.decode()
    start = f'action="{reverse("worklogs:start")}"'
    assert html.count(start) == 1
    assert '<input type="hidden" name="connection" value="contoso-to-jca">' in html
    assert '<input type="hidden" name="retry" value="1">' in html
    other = a_connection("to-jcb", pace, a_site("jcb", "jira"))
    a_failure(other, a_run(other), "f1")
    assert page(dana, "failures").content.decode().count(start) == 2


def test_the_csv_is_the_contracts_and_named_after_its_connection(dana, migrated):
    """The same columns and rows as the command prints, with the mark that spreadsheets want."""
    response = page(dana, "failures_csv", connection="contoso-to-jca")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="failures-contoso-to-jca-{timezone.localdate()}.csv"' in response["Content-Disposition"]
    raw = b"".join(response.streaming_content)
    assert raw.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == downloads.COLUMNS
    assert {row["entry"] for row in rows} == {"e4", "e5", "e6"}
    assert {row["retry"] for row in rows if row["code"] == "conflict"} == {"no"}


def test_a_runs_failures_may_be_more_than_a_database_takes_as_values(contoso, migrated):
    names = [{"entry": f"lost-{number}"} for number in range(300_000)]
    Run.objects.filter(pk=migrated.pk).update(result={"failures": [*names, {"entry": "e4"}]})
    migrated.refresh_from_db()
    assert [entry.entry for entry in downloads.open_failures_of(migrated)] == ["e4"]


def test_a_runs_failures_are_gathered_without_their_texts(migrated, django_assert_max_num_queries):
    with django_assert_max_num_queries(2) as asked:
        assert {row["entry"] for row in figures.failures(migrated)} == {"e4", "e5", "e6"}
    assert not any('"values"' in query["sql"] for query in asked)


def test_the_csv_is_filtered_like_the_page_and_streamed(dana, migrated):
    response = page(dana, "failures_csv", code="no_permission")
    assert response.streaming
    assert [row["entry"] for row in csv.DictReader(io.StringIO(downloaded(response)))] == ["e5"]


def test_a_formula_in_the_csv_stays_text(dana, contoso):
    a_failure(contoso, a_run(contoso), "e1", person_name="=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(downloaded(page(dana, "failures_csv"))))
    assert row["person"] == "'=HYPERLINK(1)"


# --- reports


def test_the_index_shows_the_newest_run_of_each_connection(dana, migrated, contoso, pace):
    """What stands in the target, what failed, who is missing, whether the hours balance; a file for each."""
    a_connection("fresh", pace, a_site("jcb", "jira"))
    response = page(dana, "index")
    shown = text_of(response)
    assert f"Finished Migration {migrated.pk}" in shown
    assert "Its report begins with its first run." in shown
    assert "Balanced by the records" in shown
    assert f"{reverse('reports:migration', args=['contoso-to-jca'])}?format=csv" in response.content.decode()
    dry = ended(a_run(contoso, kind="dry_run", state="planned"))
    assert f"Planned Dry run {dry.pk}" in text_of(page(dana, "index"))


def test_without_a_connection_there_is_no_report(dana):
    assert "No report yet" in text_of(page(dana, "index"))


def test_the_report_has_the_contracts_figures_to_the_letter(dana, migrated):
    """The page and the command say the same figures."""
    html = page(dana, "migration", "contoso-to-jca").content.decode()
    report = html[html.index('<pre class="tl-report">') + 23 : html.index("</pre>")]
    assert report.replace("&lt;", "<") == migration.figures_text(migrated, figures.of(migrated))
    assert "Total entries fetched:        6\nWritten to Jira:              3" in report


def test_the_report_names_failures_people_and_hours(dana, migrated, contoso):
    shown = text_of(page(dana, "migration", "contoso-to-jca"))
    assert "3 of 6 entries stand in jca. 3 failed or are parked and are named below." in shown
    assert "No issue for the work item issue_not_found issue_not_found was said." in shown
    assert "carol@example.com" in shown
    assert "Balanced to the second by the records" in shown
    assert "Alice Smith alice@example.com 6 7 h 31 m 4 h 30 m" in shown
    assert "2024-03 6 7 h 31 m 4 h 30 m" in shown
    assert "ABC-1 6 7 h 31 m 4 h 30 m" in shown


def test_entries_that_are_gone_at_the_source_are_named_by_the_newest_run_only(dana, migrated, contoso):
    """Their copies stay. Of an earlier run nobody can tell any more."""
    newest = a_run(contoso)
    Entry.objects.exclude(entry="e1").update(seen_by=newest)
    ended(newest)
    gone = Entry.objects.get(entry="e1")
    assert (
        reverse("worklogs:entry", args=[gone.pk])
        in page(dana, "migration", "contoso-to-jca").content.decode()
    )
    assert "entry e1" in migration.text(newest)
    earlier = text_of(page(dana, "migration", "contoso-to-jca", run=migrated.pk))
    assert "Told of the newest run only." in earlier


def test_an_earlier_runs_report_stays_what_it_was(dana, migrated, contoso):
    """Ada opens last week's report and finds last week's figures and hours."""
    newest = a_run(contoso)
    an_entry(contoso, newest, "e7", seconds=36000)
    ended(newest)
    assert "17 h 31 m" in text_of(page(dana, "migration", "contoso-to-jca"))
    earlier = page(dana, "migration", "contoso-to-jca", run=migrated.pk)
    assert f"Report of run {migrated.pk}" in text_of(earlier)
    assert "17 h 31 m" not in text_of(earlier)
    assert f'<option value="{migrated.pk}" selected>' in earlier.content.decode()


@pytest.mark.parametrize("number", ["99999", "x", "0", "9" * 30])
def test_a_run_that_is_not_of_this_connection_is_not_found(dana, migrated, number):
    page(dana, "migration", "contoso-to-jca", run=number, status=404)


def test_a_connection_that_is_none_is_not_found(dana):
    page(dana, "migration", "nobody", status=404)


def test_a_connection_that_never_ran_offers_a_dry_run(dana, contoso):
    response = page(dana, "migration", "contoso-to-jca")
    assert "It has not run yet" in text_of(response)
    assert '<input type="hidden" name="dry_run" value="1">' in response.content.decode()


def test_a_dry_runs_report_says_that_nothing_was_written(dana, contoso):
    ended(a_run(contoso, kind="dry_run", state="planned"))
    shown = text_of(page(dana, "migration", "contoso-to-jca"))
    assert "This was a dry run: nothing was written." in shown
    assert "Prove now" not in shown


def test_a_run_under_way_has_a_report_of_what_it_did_so_far(dana, contoso):
    run = a_run(contoso, state="running")
    an_entry(contoso, run, "e1")
    shown = text_of(page(dana, "migration", "contoso-to-jca"))
    assert "these are its figures so far" in shown
    assert "The hours are counted when the run ends" in shown
    assert "alanced" not in shown + migration.text(run)


@pytest.mark.parametrize(
    ("options", "specs", "named"),
    [
        ({}, [], ["e1", "e2"]),
        ({"date_from": "2024-03-16"}, [], ["e2"]),
        ({"date_from": "2024-03-15", "date_to": "2024-03-15"}, [], ["e1"]),
        ({}, [{"start": None, "end": "2024-03-15T09:00:00"}], []),
        ({}, [{"start": None, "end": "2024-01-01T00:00:00"}, {"start": "2024-01-01T00:00:00", "end": None}],
         ["e1", "e2"]),
        ({"scope": {"ids": [102]}}, [{"ids": [102, 103]}], ["e2"]),
        ({"scope": {"projects": ["Contoso"]}}, [{}, {"ids": [101]}], ["e1"]),
    ],
)  # fmt: skip
def test_only_what_the_newest_run_looked_for_is_gone(contoso, options, specs, named):
    """Outside its scope nothing is known, and what never had a copy leaves none behind."""
    earlier = a_run(contoso)
    an_entry(contoso, earlier, "e1")
    an_entry(contoso, earlier, "e2", work="102", day=date(2024, 3, 16))
    an_entry(contoso, earlier, "e3", "failed", "no_permission")
    contoso.options = {**contoso.options, **options}
    contoso.save()
    newest = a_run(contoso)
    for number, spec in enumerate(specs):
        Step.objects.create(run=newest, kind="read", key=f"{number}", lock=f"{number}", spec=spec)
    assert [entry.entry for entry in gone(newest)] == named
    assert not gone(earlier).exists()


def test_the_report_as_text_and_as_csv(dana, migrated):
    """For a mail, and for a spreadsheet, whose cells no spreadsheet takes for formulas."""
    text = page(dana, "migration", "contoso-to-jca", format="text")
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert text.content.decode() == migration.text(migrated)
    rows = list(
        csv.DictReader(io.StringIO(downloaded(page(dana, "migration", "contoso-to-jca", format="csv"))))
    )
    assert sorted(row["code"] for row in rows) == ["conflict", "issue_not_found", "no_permission"]


def test_a_long_report_is_cut_on_the_screen_and_whole_in_print(dana, contoso, monkeypatch):
    """What is left out is counted, and where to find all of it is linked."""
    monkeypatch.setattr(reporting, "ROWS", 2)
    run = a_run(contoso)
    for number in range(5):
        a_failure(contoso, run, f"e{number}")
    ended(run, missing_people=["a@example.com", "b@example.com", "c@example.com"])
    shown = page(dana, "migration", "contoso-to-jca")
    assert "2 shown of 5" in text_of(shown)
    assert "and 1 more" in text_of(shown)
    assert "?print=1" in shown.content.decode()
    printed = text_of(page(dana, "migration", "contoso-to-jca", print="1"))
    assert "c@example.com" in printed
    assert printed.count("issue_not_found was said.") == 5
    assert "Ctrl+P" in printed


# --- the proof


@pytest.fixture
def target(monkeypatch):
    """What the target answers when it is read: a Balance, or a fault."""
    answers = []

    def proved(connection):
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(balance, "proved", proved)
    return answers


def prove(client, name="contoso-to-jca"):
    return client.post(reverse("reports:prove", args=[name]))


def test_the_hours_are_proved_against_the_target_on_demand(dana, migrated, target):
    """What came out is kept and shown with its time."""
    target.append(Balance(27060, 16200, 0, 5460, 5400, 0))
    response = prove(dana)
    assert response["Location"] == "/reports/migration/contoso-to-jca/#hours"
    assert told(response) == ["Balanced to the second, with the target as it stands now."]
    assert "As the target stands read just now" in text_of(page(dana, "migration", "contoso-to-jca"))


def test_copies_that_somebody_changed_are_named(dana, migrated, target):
    """Entry, worklog, what was agreed and what is there now; a later proof takes the earlier one's place."""
    target.append(Balance(27060, 10800, 0, 5460, 5400, 0, (Difference("e1", "w-1", 5400, None),)))
    assert told(prove(dana)) == ["Not balanced: what differs is named under the hours."]
    shown = text_of(page(dana, "migration", "contoso-to-jca"))
    assert "1 copy is not as last agreed." in shown
    assert "e1 w-1 1 h 30 m gone" in shown
    target.append(Balance(27060, 16200, 0, 5460, 5400, 0))
    prove(dana)
    assert "not as last agreed" not in text_of(page(dana, "migration", "contoso-to-jca"))
    assert Proof.objects.count() == 1


def test_of_very_many_differences_the_first_are_kept_and_all_counted(dana, migrated, target):
    target.append(Balance(1, 0, 0, 0, 0, 0, tuple(Difference(f"e{n}", "w", 1, None) for n in range(300))))
    prove(dana)
    proof = Proof.objects.get()
    assert (proof.different, len(proof.differences)) == (300, 200)
    assert "The first 200 of 300 are named" in text_of(page(dana, "migration", "contoso-to-jca"))


def test_a_target_that_cannot_be_read_proves_nothing(dana, migrated, target):
    fault = SiteError("jca", FaultKind.PASSING, "site_unavailable", "jca did not answer.")
    target.append(fault)
    assert told(prove(dana)) == [f"The target could not be read, so nothing is proved: {fault}"]
    assert not Proof.objects.exists()


def test_nothing_is_proved_while_a_run_writes(dana, contoso, target):
    run = a_run(contoso, state="running")
    assert told(prove(dana)) == [f"Run {run.pk} is writing just now: prove the hours when it has ended."]


def test_an_address_alone_proves_nothing(dana, contoso):
    """Links are followed by machines too: only a button's POST reads the target."""
    assert dana.get(reverse("reports:prove", args=["contoso-to-jca"])).status_code == 405


def test_a_sync_or_an_unknown_connection_cannot_be_proved(dana, synced):
    """A sync has two targets; its own runs read both."""
    for name in ("nobody", "jca-jcb"):
        assert prove(dana, name).status_code == 404
    assert "Prove now" not in page(dana, "migration", "jca-jcb").content.decode()


def test_the_proof_reads_each_twin_once(contoso, monkeypatch):
    """Differences are told by what was agreed, the sum by what the target says now."""
    run = a_run(contoso)
    for name in ("e1", "e2", "e3"):
        an_entry(contoso, run, name)
    now = {f"w-{contoso.pk}-e1": 5400, f"w-{contoso.pk}-e2": 60}

    class Side:
        def seconds_of(self, copies):
            asked = list(copies)
            assert len(asked) == 3
            return ((one, now.get(one.copy)) for one in asked)

    monkeypatch.setattr(balance, "open_side", lambda *_: Side())
    found = balance.proved(contoso)
    assert (found.source_seconds, found.target_seconds, found.balanced) == (16200, 5460, False)
    assert [(one.entry, one.agreed, one.now) for one in found.differences] == [
        ("e2", 5400, 60),
        ("e3", 5400, None),
    ]


# --- what holds for every page


PAGES = ["/", "/failures/", "/failures/?code=issue_not_found", "/failures.csv", "/reports/",
         "/reports/migration/contoso-to-jca/", "/reports/migration/contoso-to-jca/?print=1"]  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_a_page_needs_a_sign_in(client, migrated, address):
    assert client.get(address)["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_costs_few_queries_however_many_connections(
    dana, migrated, pace, address, django_assert_max_num_queries
):
    """The number of queries does not grow with connections, runs, causes or entries."""
    for number in range(12):
        connection = a_connection(f"c{number}", pace, a_site(f"site-{number}", "jira"))
        run = a_run(connection, state="running" if number % 3 == 0 else "finished")
        for code in ("issue_not_found", "period_closed", "author_not_allowed"):
            a_failure(connection, run, f"{code}-{number}", code)
        if run.state == "finished":
            ended(run)
    with django_assert_max_num_queries(QUERIES):
        response = dana.get(address)
        assert response.status_code == 200
        if response.streaming:
            downloaded(response)


@pytest.mark.parametrize("address", [*PAGES, "/reports/migration/contoso-to-jca/?format=text"])
def test_hostile_texts_are_shown_harmlessly(dana, contoso, address):
    """Markup stays text, and a direction override turns round nothing but its own words."""
    run = a_run(contoso, state="finished", message=HOSTILE)
    a_failure(
        contoso, run, "e1", person_name=HOSTILE, message=HOSTILE, hint=HOSTILE, work=HOSTILE[:90], issue_key=HOSTILE,
    )  # fmt: skip
    ended(run, missing_people=[HOSTILE])
    Run.objects.update(state="broken")
    response = dana.get(address)
    html = b"".join(response) if response.streaming else response.content
    if "html" in response["Content-Type"]:
        assert b"<script>alert(1)" not in html
        assert b"alert(1)" in html or address in ("/reports/",)


def test_a_name_with_strange_letters_finds_its_pages(dana, pace):
    """Names may hold anything but a slash: links, filters and files still work."""
    name = '<b>&"?#% to jca'
    connection = a_connection(name, pace, a_site("jca", "jira"))
    run = a_run(connection)
    a_failure(connection, run, "e1")
    ended(run)
    for address in (f"/reports/migration/{quote(name)}/", f"/failures/?connection={quote(name)}"):
        html = dana.get(address).content.decode()
        assert "<b>&" not in html
    assert "<b>" not in dana.get("/").content.decode().replace("<b>1</b>", "")
    assert dana.get(f"/failures.csv?connection={quote(name)}")["Content-Disposition"].isprintable()


def test_hours_kept_of_a_run_that_ended_without_a_word_are_counted_now(dana, contoso):
    """A run whose process was killed leaves no hours behind; its report has those of the records."""
    run = a_run(contoso, state="stopped", message="Its process ended without a word.")
    an_entry(contoso, run, "e1")
    assert not RunHours.objects.exists()
    assert "1 h 30 m" in text_of(page(dana, "migration", "contoso-to-jca"))
    assert not RunHours.objects.exists()


def test_ways_to_mend_are_no_more_than_a_few():
    """A cause that many connections share does not become a wall of buttons."""
    cause = causes.Cause("failed", "issue_not_found", 9, 9, tuple(range(9)))
    connections = [Connection(pk=number, name=f"c{number}") for number in range(9)]
    assert len(failing._ways(cause, connections)) == failing.LINKED


# --- a sync


@pytest.fixture
def synced():
    """jca-jcb after a run: one entry parked, one deletion carried, two entries left alone."""
    sync = a_connection("jca-jcb", a_site("jca", "jira"), a_site("jcb", "jira"), kind="sync")
    run = a_run(sync, "sync", passed_over=2)
    Fetched.objects.create(
        run=run, site="jca", entry="1", digest="d", seconds=60, values=values("1"), outcome="deleted"
    )
    Fetched.objects.create(
        run=run, site="jcb", entry="2", digest="d", seconds=60, values=values("2"), person="gone@example.com",
        gone=True, outcome="parked",
    )  # fmt: skip
    IssuePair.objects.create(
        connection=sync, left="101", left_key="DEV-1", right="101", right_key="EXT-1", found_by="key"
    )
    entry = an_entry(sync, run, "2", "parked", code="deletes_held", kind="parked", issue="101", issue_key="")
    Entry.objects.filter(pk=entry.pk).update(site="jcb")
    OutOfScope.objects.create(
        connection=sync,
        side="left",
        issue="901",
        key="OWN-1",
        entries=2,
        seconds=7200,
        look_after=timezone.now(),
    )
    return ended(run)


def test_a_sync_has_a_report_too(dana, synced):
    shown = text_of(page(dana, "migration", "jca-jcb"))
    assert "Sync jca-jcb: jca and jcb" in shown
    assert "1 entry was written, on either side. 1 failed or is parked" in shown
    assert "Left alone 2 entries met by this run" in shown
    assert "No longer found at the source" not in shown
    assert reverse("reports:migration", args=["jca-jcb"]) in page(dana, "index").content.decode()


def test_the_report_of_a_sync_as_text_names_issues_without_a_counterpart(dana, synced):
    text = page(dana, "migration", "jca-jcb", format="text").content.decode()
    assert "Issues without a counterpart (1), their entries left alone:" in text
    assert "left OWN-1: 2 entries, 2.00 h" in text
    assert "deletes_held" in page(dana, "migration", "jca-jcb", format="csv").getvalue().decode("utf-8-sig")


def test_who_deleted_an_entry_is_not_missing(synced):
    """What is gone names nobody to look for on the other side."""
    assert synced.result["missing_people"] == []


def test_before_its_first_run_a_sync_is_offered_a_dry_run(dana):
    a_connection("jca-jcb", a_site("jca", "jira"), a_site("jcb", "jira"), kind="sync")
    shown = page(dana, "migration", "jca-jcb").content.decode()
    assert "Start a dry run" in shown


def test_what_is_open_of_a_sync_is_told_by_its_issue_and_its_side(dana, synced):
    shown = text_of(page(dana, "failures"))
    assert "EXT-1 DEV-1 Alice Smith" in shown
    assert "2 on jcb" in shown


def test_deletions_held_back_are_told_on_the_overview(dana, synced):
    Run.objects.update(holds_deletes=True)
    response = page(dana, "overview")
    shown = text_of(response)
    assert f"Needs attention Run {synced.pk} holds deletions back until somebody allows them" in shown
    assert f"Run {synced.pk} of jca-jcb holds deletions back." in shown
    assert reverse("worklogs:run", args=[synced.pk]) in response.content.decode()


@pytest.mark.parametrize("name", ["overview", "failures", "index"])
def test_a_sync_asks_few_questions(dana, synced, name, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, name)


def test_the_report_of_a_sync_asks_few_questions(dana, synced, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES):
        page(dana, "migration", "jca-jcb")
