"""Tempo's mirror: what is logged on one side is on the other a moment later, once, and never comes back."""

import threading
from datetime import UTC, date, datetime

import pytest
from sandbox_callers import ORDINARY, STARTED, Caller, Person, adf
from vendor_sheets import check

from connections.sandbox import Sandbox, worlds
from connections.sandbox.world import TempoAttribute


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        stopped = running.world.clock()
        running.world.clock = lambda: stopped
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def tempo(sandbox):
    return Caller(sandbox)


@pytest.fixture
def jira(sandbox):
    return Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"])


@pytest.fixture
def alice(site):
    return site.jira.account_of("alice@example.com").account_id


@pytest.fixture
def entry(site, alice):
    return {
        "authorAccountId": alice,
        "issueId": site.jira.issue("ABC-1").id,
        "startDate": "2024-05-02",
        "startTime": "09:00:00",
        "timeSpentSeconds": 3600,
        "description": "In Tempo",
    }


@pytest.fixture
def log(sandbox, tempo, entry):
    """Logs in Tempo and lets the mirror follow; gives the number there."""

    def logged(**changes):
        number = tempo("POST", "/worklogs", json=entry | changes).json()["tempoWorklogId"]
        sandbox.settle()
        return number

    return logged


@pytest.fixture
def jira_id(tempo):
    def mapped(number):
        pairs = tempo("POST", "/worklogs/tempo-to-jira", json={"tempoWorklogIds": [number]}).json()["results"]
        return pairs[0]["jiraWorklogId"] if pairs else None

    return mapped


@pytest.fixture
def tempo_id(tempo):
    def mapped(number):
        body = {"jiraWorklogIds": [int(number)]}
        pairs = tempo("POST", "/worklogs/jira-to-tempo", json=body).json()["results"]
        return pairs[0]["tempoWorklogId"] if pairs else None

    return mapped


def test_what_is_logged_in_tempo_is_in_jira_after_the_lag_and_not_before(
    sandbox, tempo, jira, entry, jira_id
):
    number = tempo("POST", "/worklogs", json=entry).json()["tempoWorklogId"]
    sandbox.world.later(0.4)
    assert jira_id(number) is None
    sandbox.world.later(0.2)
    shown = jira("GET", f"/issue/ABC-1/worklog/{jira_id(number)}").json()
    check("jira", "Worklog", {**shown, "comment": {}})
    assert (shown["author"]["accountType"], shown["author"]["displayName"]) == (
        "app",
        "Timesheets by Tempo - Jira Time Tracking",
    )
    assert (shown["timeSpentSeconds"], shown["comment"]) == (3600, adf("In Tempo"))
    assert shown["started"] == "2024-05-02T09:00:00.000+0200"


def test_the_lag_can_be_set(sandbox, site, tempo, entry, jira_id):
    site.mirror_lag = 30
    number = tempo("POST", "/worklogs", json=entry).json()["tempoWorklogId"]
    sandbox.world.later(29)
    assert jira_id(number) is None
    sandbox.world.later(2)
    assert jira_id(number)


def test_the_post_mirrors_without_being_asked(tempo, sandbox, site, entry):
    tempo("POST", "/worklogs", json=entry)
    copied = threading.Event()
    keep = site.jira.put_worklog
    site.jira.put_worklog = lambda *more: (keep(*more), copied.set())
    sandbox.world.later(1)
    assert copied.wait(10)


@pytest.mark.parametrize(
    ("rounding", "seconds", "kept"),
    [
        ("nearest", 89, 60), ("nearest", 90, 120), ("nearest", 1, 60), ("down", 119, 60), ("up", 61, 120),
        ("none", 61, 61),
    ],
)  # fmt: skip
def test_jira_gets_whole_minutes_at_least_one(site, log, jira_id, rounding, seconds, kept):
    site.mirror_rounding = rounding
    number = log(timeSpentSeconds=seconds)
    assert site.jira.worklogs[jira_id(number)].seconds == kept
    assert site.worklogs[number].seconds == seconds


def test_some_sites_show_jira_a_general_comment_only(site, log, jira_id):
    site.mirror_comment = "time-tracking"
    assert site.jira.worklogs[jira_id(log())].text == "time-tracking"


def test_a_change_and_a_deletion_in_tempo_reach_jira_and_its_feeds(
    sandbox, site, tempo, jira, log, entry, jira_id
):
    issue = site.jira.issue("ABC-1")
    before = issue.time_spent_seconds
    number = log()
    copy = jira_id(number)
    changed = {key: value for key, value in entry.items() if key != "issueId"} | {"timeSpentSeconds": 1800}
    tempo("PUT", f"/worklogs/{number}", json=changed)
    sandbox.settle()
    row = site.jira.worklogs[copy]
    assert (row.seconds, row.update_author_id, jira_id(number)) == (1800, site.app.account_id, copy)
    assert issue.time_spent_seconds == before + 1800
    tempo("DELETE", f"/worklogs/{number}")
    sandbox.settle()
    assert copy not in site.jira.worklogs
    assert issue.time_spent_seconds == before
    sandbox.world.later(61)
    assert [value["worklogId"] for value in jira("GET", "/worklog/deleted").json()["values"]] == [copy]


def test_what_a_person_logs_in_jira_is_theirs_in_tempo_by_their_own_clock(
    sandbox, site, jira, tempo, tempo_id
):
    site.jira.accounts[site.jira.tokens[0].account_id].time_zone = "Asia/Kolkata"
    number = jira.log(comment=adf("In Jira"), timeSpentSeconds=3725).json()["id"]
    assert tempo_id(number) is None
    sandbox.settle()
    row = tempo("GET", f"/worklogs/{tempo_id(number)}").json()
    check("tempo", "Worklog", row)
    assert row["author"]["accountId"] == site.jira.tokens[0].account_id
    assert (row["startDate"], row["startTime"]) == ("2024-05-01", "12:30:00")
    assert (row["timeSpentSeconds"], row["billableSeconds"], row["description"]) == (3725, 3725, "In Jira")


def test_a_change_and_a_deletion_in_jira_reach_tempo_even_behind_its_locks(sandbox, site, jira, tempo_id):
    number = jira.log().json()["id"]
    sandbox.settle()
    twin = tempo_id(number)
    site.closed_periods = [(date(2024, 5, 1), date(2024, 5, 31))]
    jira.change(number, timeSpentSeconds=900, started="2024-05-03T23:30:00.000+0200", comment=adf("Changed"))
    sandbox.settle()
    row = site.worklogs[twin]
    assert (row.day, row.start, row.seconds, row.description) == (
        date(2024, 5, 3),
        "23:30:00",
        900,
        "Changed",
    )
    jira("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    sandbox.settle()
    assert twin not in site.worklogs


def test_an_edit_of_the_copy_changes_in_tempo_only_what_was_edited(sandbox, site, jira, log, alice, jira_id):
    site.attributes["_Kind_"] = TempoAttribute("_Kind_", "Kind")
    number = log(timeSpentSeconds=61, billableSeconds=0, attributes=[{"key": "_Kind_", "value": "a"}])
    jira.change(jira_id(number), issue="ABC-1", comment=adf("Edited in Jira"))
    sandbox.settle()
    row = site.worklogs[number]
    assert (row.description, row.seconds, row.billable_seconds) == ("Edited in Jira", 61, 0)
    assert (row.attributes, row.author_id) == ({"_Kind_": "a"}, alice)
    jira.change(jira_id(number), issue="ABC-1", timeSpentSeconds=600)
    sandbox.settle()
    assert (site.worklogs[number].seconds, site.worklogs[number].billable_seconds) == (600, 0)


def test_the_mirrors_own_writes_are_never_mirrored_back(
    sandbox, site, tempo, jira, log, entry, jira_id, tempo_id
):
    number, native = log(), jira.log().json()["id"]
    sandbox.settle()
    copy, twin = jira_id(number), tempo_id(native)
    held = len(site.worklogs), len(site.jira.worklogs)
    stamps = site.worklogs[number].updated, site.jira.worklogs[int(native)].updated
    for _ in range(3):
        sandbox.world.later(60)
        sandbox.settle()
    assert (len(site.worklogs), len(site.jira.worklogs)) == held
    assert (site.worklogs[number].updated, site.jira.worklogs[int(native)].updated) == stamps
    assert (jira_id(number), tempo_id(native)) == (copy, twin)


def test_what_is_gone_before_the_lag_passed_never_shows_on_the_other_side(sandbox, site, tempo, jira, entry):
    held = len(site.worklogs), len(site.jira.worklogs)
    number = tempo("POST", "/worklogs", json=entry).json()["tempoWorklogId"]
    tempo("DELETE", f"/worklogs/{number}")
    native = jira.log().json()["id"]
    jira("DELETE", f"/issue/{ORDINARY}/worklog/{native}")
    sandbox.settle()
    assert (len(site.worklogs), len(site.jira.worklogs)) == held


@pytest.mark.parametrize("tempo_first", [True, False])
def test_a_deletion_wins_over_an_edit_on_the_other_side(
    sandbox, site, tempo, jira, log, entry, jira_id, tempo_first
):
    held = len(site.worklogs), len(site.jira.worklogs)
    number = log()
    body = {key: value for key, value in entry.items() if key != "issueId"} | {"timeSpentSeconds": 60}
    calls = [
        lambda: tempo("PUT", f"/worklogs/{number}", json=body),
        lambda: jira("DELETE", f"/issue/ABC-1/worklog/{copy}"),
    ]
    copy = jira_id(number)
    for call in calls if tempo_first else calls[::-1]:
        assert call().ok
    sandbox.settle()
    assert (len(site.worklogs), len(site.jira.worklogs)) == held


def test_a_deletion_in_tempo_wins_over_an_edit_in_jira(sandbox, site, tempo, jira, log, jira_id):
    number = log()
    copy = jira_id(number)
    tempo("DELETE", f"/worklogs/{number}")
    jira.change(copy, issue="ABC-1", timeSpentSeconds=900)
    sandbox.settle()
    assert number not in site.worklogs
    assert copy not in site.jira.worklogs
    assert site.twin_of(copy) is None


def test_a_bulk_move_stays_unknown_to_tempo_until_its_daily_check(sandbox, site, jira, tempo_id):
    number = int(jira.log().json()["id"])
    sandbox.settle()
    twin, target = tempo_id(number), site.jira.issue("XYZ-1")
    jira("POST", f"/issue/{ORDINARY}/worklog/move", json={"ids": [number], "issueIdOrKey": "XYZ-1"})
    sandbox.settle()
    assert site.worklogs[twin].issue_id != target.id
    sandbox.daily_check()
    assert site.worklogs[twin].issue_id == target.id
    assert [row.id for row in site.worklogs_of("XYZ-1")] == [twin]


def test_the_daily_check_finds_what_was_imported_and_finds_it_once(sandbox, site):
    author = site.jira.account_of("bob@example.com")
    row = site.jira.add_worklog(site.jira.issue("XYZ-1"), author, datetime(2024, 1, 2, 8, tzinfo=UTC), 600)
    assert site.twin_of(row.id) is None
    for _ in range(2):
        sandbox.daily_check()
        assert [twin.jira_worklog_id for twin in site.worklogs_of("XYZ-1")] == [row.id]


def test_the_mirror_never_damages_a_total_whoever_writes_meanwhile(sandbox, site, jira, tempo, entry):
    site.jira.latency = 0.1
    issue = site.jira.issue("ABC-1")
    before = issue.time_spent_seconds
    writing = threading.Thread(target=jira.log, args=("ABC-1",))
    tempo("POST", "/worklogs", json=entry)
    writing.start()
    sandbox.settle()
    writing.join()
    assert site.jira.corrupted_issues == set()
    assert issue.time_spent_seconds == before + 3600 + 600


def test_a_site_without_tempo_mirrors_nothing(sandbox, site):
    person = Person(sandbox)
    person.log()
    site.jira.tempo_installed = False
    other = Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"])
    other.log(started=STARTED)
    sandbox.settle()
    assert len(site.worklogs) == 1
