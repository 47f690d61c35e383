"""The frame that every page stands in: closed without a sign-in, strict about scripts, and plain in its words."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database_connection
from django.http import HttpResponse
from django.template import engines
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from config.zone import known_zone
from connections import checks, wording
from connections.models import Connection, Site, Token, UserMapping
from reports import navigation
from worklogs import refusals
from worklogs.models import AuditEntry, Entry, Fetched, Run, RunLog, Step

ROOT = Path(__file__).resolve().parent.parent
SPRITE = (ROOT / "config" / "static" / "icons.svg").read_text()
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))

PAGES = [
    ("reports:overview", []),
    ("reports:failures", []),
    ("reports:failures_csv", []),
    ("reports:index", []),
    ("reports:migration", ["contoso-to-jca"]),
    ("worklogs:runs", []),
    ("worklogs:run", [1]),
    ("worklogs:entries", []),
    ("worklogs:entry", [1]),
    ("worklogs:start", []),
    ("worklogs:run_cancel", [1]),
    ("worklogs:run_pause", [1]),
    ("worklogs:run_resume", [1]),
    ("connections:list", []),
    ("connections:add", []),
    ("connections:detail", ["contoso-to-jca"]),
    ("connections:edit", ["contoso-to-jca"]),
    ("connections:check", ["contoso-to-jca"]),
    ("connections:people", ["contoso-to-jca"]),
    ("connections:people_all", []),
    ("connections:sites", []),
    ("connections:site_add", []),
    ("connections:site", ["jca"]),
    ("password_change", []),
]


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice", password="a long enough secret", first_name="Alice")


def rendered(text, request=None, **context):
    return engines["django"].from_string(text).render(context, request)


def asked(path="/", **query):
    return RequestFactory().get(path, query)


# Doors


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "arguments"), PAGES, ids=[name for name, _ in PAGES])
def test_every_page_is_closed_without_a_sign_in(client, name, arguments):
    path = reverse(name, args=arguments)
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('login')}?next={path}"


def test_alice_signs_in_lands_where_she_wanted_to_go_and_signs_out(client, alice):
    wanted = reverse("password_change")
    answer = client.post(
        reverse("login"), {"username": "alice", "password": "a long enough secret", "next": wanted}
    )
    assert answer["Location"] == wanted
    assert client.get(wanted).status_code == 200
    assert client.get(reverse("logout")).status_code == 405, "a link must not sign anybody out"
    client.post(reverse("logout"))
    assert client.get(wanted).status_code == 302


def test_a_wrong_password_is_answered_in_words_and_never_repeated(client, alice):
    page = client.post(reverse("login"), {"username": "alice", "password": "hunter22-wrong"}).content.decode()
    assert "Please enter a correct username and password" in page
    assert "hunter22-wrong" not in page


@pytest.mark.django_db
def test_nobody_is_sent_to_another_site_after_the_sign_in(client, alice):
    answer = client.post(
        reverse("login"),
        {"username": "alice", "password": "a long enough secret", "next": "https://evil.example.com/"},
    )
    assert answer["Location"] == reverse("reports:overview")


def test_alice_changes_her_own_password(client, alice):
    client.force_login(alice)
    answer = client.post(
        reverse("password_change"),
        {
            "old_password": "a long enough secret",
            "new_password1": "quite another secret",
            "new_password2": "quite another secret",
        },
    )
    assert answer["Location"] == reverse("reports:overview")
    alice.refresh_from_db()
    assert alice.check_password("quite another secret")


# The policy


@pytest.mark.django_db
def test_the_content_policy_allows_nothing_inline_and_nobody_elses(client):
    answer = client.get(reverse("login"))
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT / "templates")))
def test_no_template_holds_inline_script_or_style(file):
    """The policy would block it, and htmx's own expressions need what the policy forbids."""
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", file.read_text())
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|\|safe\b", text), file
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), file


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT / "templates")))
def test_every_icon_a_template_names_is_in_the_sprite(file):
    for name in re.findall(r'{% icon "([^"]+)"', file.read_text()):
        assert f'<symbol id="{name}"' in SPRITE, name


# States and codes


STATED = [
    *[(value, "") for value in Run.State.values],
    *[(value, "") for value in Run.Phase.values],
    *[(value, "") for value in Entry.Standing.values],
    *[(value, "") for value in Fetched.Outcome.values],
    *[(value, "") for value in AuditEntry.Outcome.values],
    *[(value, "plan") for value in AuditEntry.Action.values],
    *[(value, "step") for value in Step.State.values],
    *[(value, "token") for value in Token.Check.values],
    *[(value, "mapping") for value in UserMapping.FoundBy.values],
    *[(value, "") for value in RunLog.Level.values],
    *[(str(value), "") for value in checks.State],
]


@pytest.mark.parametrize(("value", "of"), STATED)
def test_every_state_has_a_word_and_an_icon(value, of):
    assert value in (wording.STATES_OF[of] if of else wording.STATES)
    found = wording.state_word(value, of)
    assert f'<symbol id="{found.icon}"' in SPRITE
    shown = rendered("{% state value of=of %}", value=value, of=of)
    assert found.word in shown


def test_the_same_word_may_mean_something_else_of_a_token():
    assert "Found" in rendered('{% state "ok" %}')
    assert "Accepted" in rendered('{% state "ok" of="token" %}')


def test_a_state_that_nobody_foresaw_is_shown_as_it_is():
    assert "Half done" in rendered('{% state "half_done" %}')


CONTRACT = [
    "issue_not_found",
    "issue_ambiguous",
    "issue_not_editable",
    "issue_limit",
    "author_inactive",
    "author_not_allowed",
    "no_permission",
    "period_closed",
    "attribute_required",
    "entry_invalid",
    "text_too_long",
    "conflict",
    "lookalike",
    "deletes_held",
    "changed_meanwhile",
    "script_error",
    "rate_limited",
    "site_unavailable",
    "unknown_outcome",
    "auth_failed",
    "target_refused",
]


@pytest.mark.parametrize("code", sorted({*CONTRACT, *refusals.HINTS}))
def test_a_code_never_stands_alone(code):
    shown = rendered("{% code code %}", code=code)
    assert code in shown
    assert wording.CODES[code].title in shown


# Values


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (42, "42 s"),
        (60, "1 m"),
        (2700, "45 m"),
        (3600, "1 h 00 m"),
        (5400, "1 h 30 m"),
        (5405, "1 h 30 m 05 s"),
        (28502340, "7,917 h 19 m"),
        (-90, "−1 m 30 s"),
    ],
)
def test_durations_are_said_one_way(seconds, shown):
    assert wording.duration_text(seconds).replace("\xa0", " ") == shown
    text = re.sub(r"<[^>]+>", "", rendered("{{ seconds|duration }}", seconds=seconds)).replace("\xa0", " ")
    assert text == shown


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_loses_no_second(seconds):
    sizes = {"h": 3600, "m": 60, "s": 1}
    parts = wording.duration_parts(seconds)
    assert sum(int(figure.replace(",", "")) * sizes[unit] for figure, unit in parts) == seconds


def test_zero_is_quiet_and_absent_is_empty():
    assert rendered("{{ n|number }}", n=8432) == "8,432"
    assert "tl-quiet" in rendered("{{ n|number }}", n=0)
    assert rendered("{{ n|number }}{{ n|duration }}{{ n|moment }}{{ n|day }}", n=None) == ""


def test_only_all_of_it_is_a_hundred_percent():
    assert wording.percent(8431, 8432) == "99\xa0%"
    assert wording.percent(8432, 8432) == "100\xa0%"
    assert wording.percent(1, 0) == ""


NOW = datetime(2026, 11, 20, 14, 32, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("back", "shown"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=4), "4 s ago"),
        (timedelta(minutes=2), "2 m ago"),
        (timedelta(hours=3, minutes=27), "3 h 27 m ago"),
        (timedelta(days=6), "6 days ago"),
        (timedelta(minutes=-3), "in 3 m"),
    ],
)
def test_near_times_say_how_far_they_are(back, shown):
    assert wording.ago(NOW - back, NOW).replace("\xa0", " ") == shown


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (NOW, "14:32:08"),
        (NOW - timedelta(days=3), "17 Nov, 14:32"),
        (NOW - timedelta(days=365), "20 Nov 2025, 14:32"),
    ],
)
def test_a_moment_says_no_more_than_it_must(when, shown):
    assert wording.moment_text(when, NOW) == shown


def test_days_and_wall_clocks():
    assert wording.day_text(date(2026, 11, 17)) == "Tue 17 Nov 2026"
    assert wording.short_day_text(date(2024, 3, 14)) == "14 Mar 2024"
    assert wording.wall_clock_text(time(9)) == "09:00"
    assert wording.wall_clock_text(time(9, 0, 5)) == "09:00:05"


def test_long_ids_are_cut_where_scanned_and_whole_in_the_tooltip():
    shown = rendered("{{ id|short_id }}", id="c1a9e04b-1111-4222-8333-444455556666")
    assert ">c1a9e04b<" in shown
    assert "c1a9e04b-1111-4222-8333-444455556666" in shown
    assert ">1048213<" in rendered("{{ id|short_id }}", id="1048213")


HOSTILE = '<script>alert(1)</script>"onload='


@pytest.mark.parametrize(
    "text",
    [
        "{{ evil|short_id }}",
        "{% state evil %}",
        '{% side "left" evil %}',
        "{% code evil %}",
        '{% state "failed" word=evil %}',
        "{% note %}{{ evil }}{% endnote %}",
        "{% empty evil %}{{ evil }}{% endempty %}",
        "{% waiting evil %}",
        '{% action "/x" evil %}',
        '{% confirm "/x" evil question=evil %}',
        "{{ evil|json }}",
    ],
)
def test_hostile_texts_are_shown_harmlessly(text):
    shown = rendered(text, asked(), evil=HOSTILE)
    assert "<script>" not in shown
    assert '"onload' not in shown


# Zones


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "\x00", "a" * 5000])
def test_a_cookie_that_names_no_zone_means_utc(name):
    assert known_zone(name).key == "UTC"


def test_bob_in_kolkata_reads_times_in_his_own_zone(client, alice):
    from config.zone import reader_zone

    def answer(_request):
        return HttpResponse(rendered("{{ when|clock }}", when=NOW))

    request = asked()
    request.COOKIES["twinlog_zone"] = "Asia/Kolkata"
    assert b">20:02:08<" in reader_zone(answer)(request).content
    assert b">14:32:08<" in reader_zone(answer)(asked()).content


# Filters in the address


def test_a_chip_sets_its_filter_keeps_the_others_and_begins_at_the_top():
    request = asked("/entries/", q="alice", after="77", outcome="parked")
    shown = rendered('{% chip "Failed" count=1700 outcome="failed" %}', request)
    assert 'href="?q=alice&amp;outcome=failed"' in shown
    assert "aria-current" not in shown
    assert "1,700" in shown


def test_the_chosen_chip_says_so_and_all_takes_the_filter_away():
    request = asked("/entries/", outcome="failed")
    assert "aria-current" in rendered('{% chip "Failed" outcome="failed" %}', request)
    every = rendered('{% chip "All" outcome=None %}', request)
    assert 'href="?"' in every
    assert "aria-current" not in every


def test_a_filter_form_keeps_what_stands_in_the_address():
    request = asked("/entries/", outcome='fai"led', run="")
    shown = rendered('{% kept "outcome" "run" %}', request)
    assert shown == '<input type="hidden" name="outcome" value="fai&quot;led">'


def test_a_fragment_asks_again_only_while_there_is_something_to_see():
    assert 'hx-trigger="every 2s"' in rendered('{% live "/runs/1/" while_=True %}')
    assert rendered('{% live "/runs/1/" while_=False %}') == ""


# Figures


def test_the_meter_says_in_figures_what_it_draws():
    shown = rendered('{% meter 8432 good=5283 warn=3 bad=17 label="5,303 of 8,432 entries" %}')
    assert 'aria-valuenow="5303"' in shown
    assert 'aria-valuemax="8432"' in shown
    assert "tl-fill-bad" in shown


@pytest.mark.parametrize("text", ["{% meter 0 %}", "{% bar 0 0 %}", "{% spark empty %}", "{% step_grid %}"])
def test_nothing_to_draw_is_no_error(text):
    assert "svg" in rendered(text, empty=[])


def test_of_very_many_steps_one_square_stands_for_several():
    shown = rendered("{% step_grid done=5000 open=1 %}")
    assert shown.count("<rect") < 320
    assert "one square stands for 17 steps" in shown


def test_a_chart_says_the_same_as_a_table():
    data = {"days": ["2026-11-20"], "series": [{"label": "created", "values": [5400]}], "label": "Hours"}
    shown = re.sub(r"<[^>]+>", "", rendered('{% chart "hours" data %}', data=data))
    assert "Fri 20 Nov 2026" in shown
    assert "1\xa0h 30\xa0m" in shown


# Navigation


@pytest.fixture
def contoso(db):
    source = Site.objects.create(name="contoso-7pace", kind="sevenpace", url="https://contoso.example.com")
    target = Site.objects.create(name="jca", kind="jira", url="https://jca.example.com")
    return Connection.objects.create(name="contoso-to-jca", kind="migration", left=source, right=target)


def entry(connection, number, standing):
    return Entry.objects.create(
        connection=connection,
        site="contoso-7pace",
        entry=str(number),
        seconds=60,
        values={},
        standing=standing,
    )


def test_the_navigation_counts_what_somebody_must_act_on(contoso):
    for number, standing in enumerate(["failed", "failed", "parked", "written", "skipped"]):
        entry(contoso, number, standing)
    Run.objects.create(connection=contoso, kind="migration")
    assert navigation.counts() == navigation.Counts(failures=2, parked=1, live_runs=1, connections=1)


@pytest.mark.django_db
def test_the_navigation_costs_two_queries_and_a_fragment_none(django_assert_num_queries):
    with django_assert_num_queries(2):
        assert navigation.Navigation(asked()).sections
    with django_assert_num_queries(0):
        rendered("{{ twinlog_version }}", asked())


def test_counting_looks_only_at_what_is_open(contoso):
    """Over an index by standing, however many entries were written."""
    if database_connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plan")
    with CaptureQueriesContext(
        database_connection,
    ) as queries:
        navigation.counts()
    [counting] = [query["sql"] for query in queries if "worklogs_entry" in query["sql"]]
    with database_connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {counting}")
        plan = " ".join(row[3] for row in cursor.fetchall())
    assert "SEARCH worklogs_entry" in plan
    assert "standing=?" in plan


def test_alice_sees_where_she_is(client, alice):
    client.force_login(alice)
    page = client.get(reverse("password_change")).content.decode()
    assert "Alice" in page
    assert page.count("<h1>") == 1
    for title in ("Overview", "Runs", "Entries", "Failures", "Parked", "Connections", "People", "Reports"):
        assert title in page


# When something is wrong


def test_a_wrong_address_is_answered_like_a_colleague_would(client, alice):
    client.force_login(alice)
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


@pytest.mark.django_db
def test_a_stranger_learns_nothing_from_a_wrong_address(client):
    page = client.get("/no/such/page/").content.decode()
    assert "There is nothing here" in page
    assert "Connections" not in page


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_in_words():
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post(reverse("login"), {"username": "alice"})
    assert answer.status_code == 403
    assert "Send it again" in answer.content.decode()


def test_the_page_of_last_resort_needs_nothing():
    from django.views.defaults import server_error

    answer = server_error(asked())
    assert answer.status_code == 500
    assert "This one is our fault" in answer.content.decode()


# Forms


def test_a_refused_field_keeps_its_value_and_says_why_where_a_screen_reader_finds_it():
    from django import forms

    class SiteForm(forms.Form):
        url = forms.URLField(label="Address", help_text="As your browser shows it.", assume_scheme="https")

    shown = str(SiteForm({"url": "not an address"}))
    assert 'value="not an address"' in shown
    assert 'aria-invalid="true"' in shown
    described = re.search(r'aria-describedby="([^"]+)"', shown)[1].split()
    assert all(f'id="{name}"' in shown for name in described)
    assert len(described) == 2


# The first account


@pytest.mark.django_db
def test_the_first_administrator_gets_a_password_that_works(capsys):
    call_command("make_admin", "--name", "dana")
    password = re.search(r"The password is (\S+) ", capsys.readouterr().out)[1]
    dana = User.objects.get(username="dana")
    assert dana.check_password(password)
    assert dana.is_superuser


@pytest.mark.django_db
def test_a_name_that_exists_is_refused_unless_it_is_to_be_reset(capsys):
    call_command("make_admin", "--name", "dana")
    before = User.objects.get(username="dana").password
    with pytest.raises(SystemExit) as ended:
        call_command("make_admin", "--name", "dana")
    assert ended.value.code == 2
    assert "exists already" in capsys.readouterr().err
    call_command("make_admin", "--name", "dana", "--reset")
    assert User.objects.get(username="dana").password != before


@pytest.mark.django_db
def test_a_password_from_a_file_is_never_shown_and_must_be_strong(tmp_path, capsys):
    file = tmp_path / "password"
    file.write_text("tall hedges keep quiet\n")
    call_command("make_admin", "--name", "dana", "--password-file", str(file))
    assert "hedges" not in capsys.readouterr().out
    assert User.objects.get(username="dana").check_password("tall hedges keep quiet")
    file.write_text("short")
    with pytest.raises(SystemExit):
        call_command("make_admin", "--name", "erin", "--password-file", str(file))
    assert not User.objects.filter(username="erin").exists()
