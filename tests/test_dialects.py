"""Each vendor's own JSON is read as what it means, and what is written is exactly what the vendor takes."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor_sheets import check, example

from worklogs.clock import Note, from_instant, from_wall
from worklogs.dialects import jira, tempo
from worklogs.dialects.sevenpace import ODataDialect, RestDialect, TimesMismatchError, person_of_user
from worklogs.texts import from_document
from worklogs.worklog import Person, Worklog

BERLIN = "Europe/Berlin"
ZONES = (BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "UTC")
CHANGES = ("2024-03-31", "2024-10-27", "2024-03-10", "2024-11-03", "2024-10-06", "2024-04-07")


def zone_of(person):
    return "Asia/Kolkata" if person.email == "kiran@example.com" else BERLIN


REST = RestDialect(zone_of)
USER = {
    "id": "p-alice",
    "vstsId": "g-alice",
    "uniqueName": "alice@example.com",
    "name": "Alice Smith",
    "displayName": None,
}
ROW = {
    "id": "e-1",
    "timestamp": "2024-03-15T09:00:00",
    "length": 3600,
    "billableLength": None,
    "workItemId": 42,
    "comment": "Fixed the pump",
    "user": USER,
    "editedTimestamp": "2024-03-16T10:00:00.107",
}


def read(**changes):
    row = {**ROW, **changes}
    return REST.worklog(row, REST.person(row))


# --- 7pace, REST


def test_a_row_of_7pace_is_the_wall_clock_of_its_person():
    alices = read()
    assert (alices.entry, alices.work, alices.seconds, alices.text) == ("e-1", "42", 3600, "Fixed the pump")
    assert alices.moment == from_wall(datetime(2024, 3, 15, 9, 0), BERLIN)
    assert (alices.updated, alices.defect) == ("2024-03-16T10:00:00.107", "")
    kirans = read(user={**USER, "uniqueName": "kiran@example.com"})
    assert kirans.moment.instant == datetime(2024, 3, 15, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "timestamp", ["2024-03-15T09:00:00Z", "2024-03-15T09:00:00.1234567", "2024-03-15T09:00:00+05:00"]
)
def test_an_offset_on_a_7pace_timestamp_means_nothing(timestamp):
    assert read(timestamp=timestamp).moment == read().moment


@pytest.mark.parametrize(
    ("timestamp", "note"),
    [
        ("2024-03-31T02:30:00", Note.SKIPPED),
        ("2024-10-27T02:30:00", Note.REPEATED),
        ("2024-10-27T04:00:00", ""),
    ],
)
def test_an_hour_the_clock_change_touched_is_noted_on_the_entry(timestamp, note):
    assert read(timestamp=timestamp).moment.note == note


@pytest.mark.parametrize(
    ("changes", "defect"),
    [
        ({"timestamp": None}, "start"),
        ({"timestamp": "yesterday"}, "start"),
        ({"timestamp": "0001-01-01T00:00:00"}, "start"),
        ({"length": None}, "no length"),
        ({"length": 0}, "more than 0"),
        ({"length": -60}, "more than 0"),
        ({"length": 1.5}, "no whole number"),
        ({"length": "1h"}, "no whole number"),
        ({"length": True}, "no whole number"),
    ],
)
def test_what_cannot_be_read_is_said_and_loses_nothing_else(changes, defect):
    entry = read(**changes)
    assert defect in entry.defect
    assert (entry.entry, entry.work, entry.text) == ("e-1", "42", "Fixed the pump")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"workItemId": None}, {"work": ""}),
        ({"comment": None}, {"text": ""}),
        ({"comment": "a\r\nb\x00"}, {"text": "a\nb"}),
        ({"length": 3600.0}, {"seconds": 3600}),
        ({"billableLength": 0}, {"billable": 0}),
        ({"billableLength": 1800}, {"billable": 1800}),
        ({"billableLength": None}, {"billable": None}),
        ({"user": None}, {"person": Person()}),
    ],
)
def test_absent_and_zero_are_told_apart(changes, expected):
    entry = read(**changes)
    assert {name: getattr(entry, name) for name in expected} == expected
    assert entry.defect == ""


@pytest.mark.parametrize(
    ("user", "person"),
    [
        (USER, Person("Alice Smith", "alice@example.com", "p-alice", "g-alice")),
        ({**USER, "email": "a@example.org"}, Person("Alice Smith", "a@example.org", "p-alice", "g-alice")),
        ({**USER, "uniqueName": "CONTOSO\\alice"}, Person("Alice Smith", "", "p-alice", "g-alice")),
        ({**USER, "displayName": "Alice  S."}, Person("Alice S.", "alice@example.com", "p-alice", "g-alice")),
        ({"id": "p", "name": "A\x00li\ud800ce"}, Person("Alice", "", "p", "")),
        ({}, Person()),
    ],
)
def test_a_7pace_user_is_a_person(user, person):
    assert person_of_user(user) == person


# --- 7pace, OData


def odata(timestamp, day, wall=False, **changes):
    year, month, number = (int(part) for part in day.split("-"))
    row = {
        "Id": "e-1",
        "UserId": "p-alice",
        "User": {"Id": "p-alice", "Name": "Alice Smith", "Email": "alice@example.com"},
        "Timestamp": timestamp,
        "PeriodLength": 3600,
        "BillablePeriodLength": 0,
        "WorkItemId": 42,
        "Comment": "Fixed the pump",
        "EditedTimestamp": "2024-03-16T10:00:00Z",
        "WorklogDate": {"Year": year, "Month": month, "Day": number, "ShortDate": day},
        **changes,
    }
    dialect = ODataDialect(zone_of, wall=wall)
    return dialect.worklog(row, dialect.person(row))


def test_odata_and_rest_give_the_same_worklog():
    by_rest = read(billableLength=0).with_(person=Person("Alice Smith", "alice@example.com", "p-alice"))
    assert odata("2024-03-15T08:00:00Z", "2024-03-15").content() == by_rest.content()
    assert odata("2024-03-15T09:00:00Z", "2024-03-15", wall=True).content() == by_rest.content()
    assert odata("2024-03-15T10:00:00+02:00", "2024-03-15").content() == by_rest.content()


@pytest.mark.parametrize(
    ("timestamp", "day", "wall"),
    [
        ("2024-03-15T23:30:00Z", "2024-03-15", False),
        ("2024-03-15T23:30:00Z", "2024-03-16", True),
        ("2024-03-15T22:59:59Z", "2024-03-16", False),
    ],
)
def test_a_day_that_7pace_shows_otherwise_is_a_mismatch(timestamp, day, wall):
    with pytest.raises(TimesMismatchError, match=f"7pace shows it on {day}"):
        odata(timestamp, day, wall)


def test_a_row_without_the_day_to_check_against_is_taken_as_it_is():
    assert (
        odata("2024-03-15T23:30:00Z", "2024-03-15", WorklogDate=None).moment.day.isoformat() == "2024-03-16"
    )


def test_an_odata_row_without_a_start_has_a_defect():
    assert "start" in odata(None, "2024-03-15").defect


# --- Jira


ENTRY = Worklog(
    "e-1",
    "10001",
    Person(account="acc-alice"),
    from_wall(datetime(2024, 3, 15, 9, 0), BERLIN),
    3600,
    "a\n\nb",
)


def test_jira_gets_the_instant_as_it_demands_it():
    assert jira.body(ENTRY, {"entry": "e-1", "site": "contoso"}) == {
        "started": "2024-03-15T09:00:00.000+0100",
        "timeSpentSeconds": 3600,
        "comment": {
            "type": "doc",
            "version": 1,
            "content": [
                {"type": "paragraph", "content": [{"type": "text", "text": "a"}]},
                {"type": "paragraph", "content": [{"type": "text", "text": "b"}]},
            ],
        },
        "properties": [{"key": "twinlog", "value": {"entry": "e-1", "site": "contoso"}}],
    }


def test_without_a_text_jira_gets_no_comment_and_an_update_an_empty_one():
    silent = ENTRY.with_(text="")
    assert "comment" not in jira.body(silent)
    assert jira.comment(silent) == {"type": "doc", "version": 1, "content": [{"type": "paragraph"}]}


STARTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")


def there_and_back(moment):
    started = jira.body(ENTRY.with_(moment=moment))["started"]
    assert STARTED.fullmatch(started)
    return jira.worklog({"id": "1", "started": started}).moment.instant


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_of_days_with_a_clock_change_comes_back_from_jira(zone):
    for day in CHANGES:
        for minute in range(0, 24 * 60, 5):
            wall = datetime.fromisoformat(f"{day}T{minute // 60:02}:{minute % 60:02}:07")
            moment = from_wall(wall, zone)
            assert there_and_back(moment) == moment.instant


@given(st.datetimes(datetime(2, 1, 1), datetime(2200, 1, 1)), st.sampled_from((*ZONES, "Africa/Monrovia")))
def test_every_wall_clock_comes_back_from_jira_as_the_same_instant(wall, zone):
    moment = from_wall(wall, zone)
    assert there_and_back(moment) == moment.instant


@given(st.datetimes(datetime(2, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.sampled_from(ZONES))
def test_every_instant_comes_back_from_jira(instant, zone):
    moment = from_instant(instant, zone)
    assert there_and_back(moment) == moment.instant


def test_a_jira_worklog_is_read_with_its_marker_and_in_the_zone_asked_for():
    row = {
        "id": "100",
        "issueId": "10001",
        "author": {"accountId": "acc-alice", "displayName": "Alice", "emailAddress": ""},
        "started": "2024-03-15T20:00:00.751-0500",
        "timeSpentSeconds": 3600,
        "updated": "2024-03-16T10:00:00.000+0000",
        "properties": [
            {"key": "other", "value": {"entry": "x"}},
            {"key": "twinlog", "value": {"entry": "e-1"}},
        ],
    }
    entry = jira.worklog(row, "Asia/Kolkata")
    assert (entry.entry, entry.work, entry.person.account) == ("100", "10001", "acc-alice")
    assert entry.moment.wall == datetime(2024, 3, 16, 6, 30)
    assert entry.moment.instant == datetime(2024, 3, 16, 1, 0, tzinfo=UTC)
    assert (entry.text, entry.marker, entry.billable) == ("", "e-1", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"started": None},
        {"started": "yesterday"},
        {"started": "2024-03-15T20:00:00"},
        {"author": None},
        {"author": "Alice"},
        {"issueId": None},
        {"timeSpentSeconds": None},
        {"timeSpentSeconds": "1h"},
        {"comment": None},
        {"comment": ["no document"]},
        {"comment": {"content": ["no node", {"type": ["odd"], "attrs": 1, "content": 2, "text": None}]}},
        {"properties": None},
        {"properties": [None, "twinlog"]},
        {"updated": None},
    ],
)
def test_whatever_somebody_elses_jira_row_lacks_the_rest_is_read(changes):
    """No field of a worklog is promised: one odd row must not end the run that meets it."""
    row = {"id": "100", "issueId": "10001", "started": "2024-03-15T20:00:00.000-0500", "timeSpentSeconds": 60}
    entry = jira.standing({**row, **changes})
    assert (entry.entry, entry.text, entry.marker) == ("100", "", "")
    assert (entry.moment is None) == ("started" in changes)
    assert jira.standing({}).moment is None


def test_an_answer_to_our_own_write_has_a_start():
    """What was stored cannot be agreed on without it: the write is looked for instead."""
    with pytest.raises(ValueError, match="without a start"):
        jira.worklog({"id": "100"})
    with pytest.raises(ValueError, match="without a start"):
        tempo.worklog({"tempoWorklogId": 126})


def test_jiras_zone_of_answering_is_no_edit():
    row = {"id": "1", "issueId": "2", "timeSpentSeconds": 60}
    east = jira.worklog({**row, "started": "2024-03-15T14:30:00.000+0530"})
    west = jira.worklog({**row, "started": "2024-03-15T04:00:00.000-0500"})
    assert east.digest == west.digest


@pytest.mark.parametrize(
    "properties", [None, [], [{"key": "twinlog", "value": "e-1"}], [{"key": "twinlog", "value": {}}]]
)
def test_a_property_that_is_not_ours_marks_nothing(properties):
    row = {"id": "1", "started": "2024-03-15T14:30:00.000+0530", "properties": properties}
    assert jira.worklog(row).marker == ""


# --- Tempo


def test_tempo_gets_the_wall_clock_itself():
    body = tempo.body(ENTRY.with_(billable=0, marker="e-1"), "_Twinlog_")
    assert body == {
        "authorAccountId": "acc-alice",
        "startDate": "2024-03-15",
        "startTime": "09:00:00",
        "timeSpentSeconds": 3600,
        "description": "a\n\nb",
        "billableSeconds": 0,
        "attributes": [{"key": "_Twinlog_", "value": "e-1"}],
    }
    check("tempo", "WorklogInput", {**body, "issueId": 10001})


def test_what_nobody_said_is_left_to_tempo():
    body = tempo.body(ENTRY.with_(marker="e-1"))
    assert "billableSeconds" not in body
    assert "attributes" not in body


TEMPO_ROW = {
    "tempoWorklogId": 126,
    "issue": {"id": 10001, "self": ""},
    "author": {"accountId": "acc-alice"},
    "startDate": "2024-03-15",
    "startTime": "09:00:00",
    "startDateTimeUtc": "2024-03-15T23:00:00Z",
    "timeSpentSeconds": 61,
    "billableSeconds": 0,
    "description": "a\r\nb",
    "updatedAt": "2024-03-16T10:00:00Z",
    "attributes": {"self": "", "values": [{"key": "_Twinlog_", "value": "e-1"}, {"key": "_N_", "value": 0}]},
}


def test_a_tempo_worklog_is_read_by_its_wall_clock_and_never_by_tempos_guess():
    entry = tempo.worklog(TEMPO_ROW, BERLIN, "_Twinlog_")
    assert (entry.entry, entry.work, entry.person.account) == ("126", "10001", "acc-alice")
    assert entry.moment == from_wall(datetime(2024, 3, 15, 9, 0), BERLIN)
    assert (entry.seconds, entry.billable, entry.text) == (61, 0, "a\nb")
    assert (entry.marker, entry.attributes) == ("e-1", (("_N_", "0"),))


@pytest.mark.parametrize(
    "changes",
    [
        {"startDate": None},
        {"startDate": "15.03.2024"},
        {"startTime": "nine"},
        {"startTime": None},
        {"author": None},
        {"issue": None},
        {"timeSpentSeconds": None},
        {"billableSeconds": "none"},
        {"description": None},
        {"attributes": None},
        {"attributes": {"values": [None, {"value": "without a key"}, {"key": None, "value": 1}]}},
    ],
)
def test_whatever_somebody_elses_tempo_row_lacks_the_rest_is_read(changes):
    entry = tempo.standing({**TEMPO_ROW, **changes}, BERLIN, "_Twinlog_")
    assert entry.entry == "126"
    unreadable = changes.keys() & {"startDate", "startTime"} and changes != {"startTime": None}
    assert (entry.moment is None) == bool(unreadable)
    assert (entry.marker, entry.attributes) == (
        ("", ()) if "attributes" in changes else ("e-1", (("_N_", "0"),))
    )


@pytest.mark.parametrize(
    "absent", ["startTime", "billableSeconds", "description", "attributes", "author", "issue"]
)
def test_what_tempo_leaves_out_is_no_fault(absent):
    entry = tempo.worklog({key: value for key, value in TEMPO_ROW.items() if key != absent})
    assert entry.entry == "126"
    if absent == "startTime":
        assert str(entry.moment.start) == "00:00:00"
    if absent == "billableSeconds":
        assert entry.billable is None


@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 30)),
    st.integers(1, 10**7),
    st.none() | st.integers(0, 9),
)
def test_a_worklog_comes_back_from_tempo_as_it_was_sent(wall, seconds, billable):
    sent = ENTRY.with_(moment=from_wall(wall, "UTC"), seconds=seconds, billable=billable, marker="e-1")
    body = tempo.body(sent, "_Twinlog_")
    stored = {**body, "tempoWorklogId": "e-1", "issue": {"id": 10001}, "author": {"accountId": "acc-alice"}}
    stored["attributes"] = {"values": body["attributes"]}
    assert tempo.worklog(stored, "UTC", "_Twinlog_") == sent


# --- the vendors' own examples


def test_7paces_recorded_rows_are_read_as_recorded():
    if page := example("7pace-rest-workLogs-list.json"):
        first, second = (REST.worklog(row, REST.person(row)) for row in page["data"])
        assert (first.entry, first.work) == ("dc54d553-a762-47c3-a68f-80d64bdd2a66", "8948")
        assert first.moment == from_wall(datetime(2019, 8, 31, 14, 45), BERLIN)
        assert (first.seconds, first.billable, first.text, first.defect) == (3600, None, "", "")
        assert first.person == second.person
        assert (first.person.name, first.person.email) == ("Alex Example", "")
        assert first.person.guid == "b17afa0a-6803-47ab-a11b-61051f33fd00"


def test_jiras_recorded_answers_are_read_as_recorded():
    if row := example("jira-post-worklog.201.real-2021.json"):
        entry = jira.worklog(row)
        assert (entry.entry, entry.work, entry.seconds) == ("10083", "10011", 10800)
        assert entry.moment.instant == datetime(2021, 7, 10, 18, 0, tzinfo=UTC)
        assert entry.text == "worked on issue BTD-12"
        assert entry.person == Person("Example User", "user@example.com", "60ce000000000000000000d6")
    if page := example("jira-get-issue-worklog.official.json"):
        entry = jira.worklog(page["worklogs"][0])
        assert (entry.work, entry.seconds, entry.text) == ("10002", 12000, "I did some work here.")
        assert entry.moment.instant == datetime(2021, 1, 17, 12, 34, tzinfo=UTC)
    if both := example("jira-worklog-updated-then-list.mkobaly-2019.json"):
        entry = jira.worklog(both["list"][0])
        assert (entry.work, entry.text) == ("6001", "")
        assert entry.moment.instant == datetime(2019, 5, 10, 22, 4, tzinfo=UTC)


def test_what_jira_is_sent_has_the_form_of_its_own_request():
    if theirs := example("jira-post-worklog.request.official.json"):
        ours = jira.body(ENTRY)
        assert set(ours) <= set(theirs)
        assert STARTED.fullmatch(theirs["started"])
        assert from_document(theirs["comment"])


def test_tempos_page_is_read_by_its_own_day_although_its_instant_says_another():
    if page := example("tempo-get-worklogs.page.timesync-test.json"):
        entry = tempo.worklog(page["results"][0], BERLIN)
        assert (entry.entry, entry.work, entry.seconds, entry.billable) == ("123", "12345", 61, 60)
        assert entry.moment == from_wall(datetime(2022, 8, 9), BERLIN)
        assert entry.text == "Working on issue AB-12 harvest:11111"
        assert entry.attributes == ()
