"""Every way of reading 7pace gives the same worklogs, and the clock they were worked by."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from contoso import ALICE, BOB
from twinlog_process import on_sqlite

pytestmark = on_sqlite
BERLIN = ZoneInfo("Europe/Berlin")


def started(contoso):
    return sorted(row.started for row in contoso.jira.worklogs.values())


def instants(entries, zone=BERLIN):
    return sorted(entry.timestamp.replace(tzinfo=zone).astimezone(UTC) for entry in entries)


@pytest.mark.parametrize(
    ("read", "times", "stamped_as_wall", "knows_in"),
    [
        ("rest", "utc", False, True),
        ("odata", "utc", False, True),
        ("odata", "wall", True, True),
        ("odata", "utc", False, False),
    ],
)
@pytest.mark.parametrize("scope", ["everything", "projects"])
def test_all_ways_of_reading_find_the_same_entries(
    twinlog, contoso, serve, read, times, stamped_as_wall, knows_in, scope
):
    """REST and OData, by window or by work item, with either meaning of Timestamp."""
    entries = contoso.log_many(30)
    entries.append(contoso.log(ALICE, 1, "2024-07-01T23:59:59", 900))
    entries.append(contoso.log(BOB, 2, "2024-12-31T00:00:00", 900))
    contoso.pace.odata_wall, contoso.pace.odata_in = stamped_as_wall, knows_in
    sandbox = serve(contoso.world)
    changes = {"read": read, "odata_times": times}
    if scope == "projects":
        changes["scope"] = {"projects": ["Contoso"]}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", changes))
    run = twinlog.migrate()
    assert run["created"] == len(entries)
    assert started(contoso) == instants(entries)
    for entry in entries:
        assert contoso.copy(entry).seconds == entry.seconds
    assert twinlog.migrate()["unchanged"] == len(entries)


@pytest.mark.parametrize(
    ("said", "stamped_as_wall", "start"),
    [("utc", True, "2024-07-01T23:30:00"), ("wall", False, "2024-07-01T00:30:00")],
)
def test_a_wrong_meaning_of_odatas_times_stops_before_any_write(
    twinlog, contoso, serve, said, stamped_as_wall, start
):
    """The first entry whose day contradicts the day 7pace shows ends the run; nothing was written."""
    contoso.log_many(40)
    contoso.log(BOB, 1, start)
    contoso.pace.odata_wall = stamped_as_wall
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"read": "odata", "odata_times": said}))
    run = twinlog.migrate(status=3)
    assert run["state"] == "stopped"
    other = "wall" if said == "utc" else "utc"
    assert f'Set odata_times = "{other}"' in run["message"]
    assert contoso.jira.worklogs == {}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"read": "odata", "odata_times": other}))
    assert twinlog.migrate()["created"] == 41


@pytest.mark.parametrize("read", ["rest", "odata"])
def test_a_scope_of_projects_leaves_other_projects_alone(twinlog, contoso, serve, read):
    """Only work items of the named projects are read, 250 of them in steps of 200."""
    contoso.log(BOB, 1, "2024-03-15T09:00:00")
    contoso.add_issue(500, project="Fabrikam")
    for number in range(1001, 1251):
        contoso.add_issue(number, project="Fabrikam")
    entries = [contoso.log(ALICE, number, "2024-03-15T10:00:00") for number in (500, 1001, 1250)]
    sandbox = serve(contoso.world)
    changes = {"scope": {"projects": ["Fabrikam"]}, "read": read}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", changes))
    run = twinlog.migrate()
    assert (run["fetched"], run["created"]) == (3, 3)
    assert all(contoso.copies(entry) for entry in entries)


@pytest.mark.parametrize("read", ["rest", "odata"])
def test_a_scope_of_ids_reads_the_work_items_in_the_file(twinlog, contoso, serve, read):
    """The file names work items; entries of others stay where they are."""
    wanted, other = (contoso.log(ALICE, number, "2024-03-15T10:00:00") for number in (2, 1))
    (twinlog.folder / "ids.csv").write_text("work_item\n2\n3\n")
    sandbox = serve(contoso.world)
    changes = {"scope": {"ids_file": "ids.csv"}, "read": read}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", changes))
    assert twinlog.migrate()["fetched"] == 1
    assert contoso.copies(wanted)
    assert not contoso.copies(other)


@pytest.mark.parametrize("read", ["rest", "odata"])
@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ({"date_from": "2024-03-15", "date_to": "2024-03-15"}, [1, 2, 3]),
        ({"date_from": "2024-03-15"}, [1, 2, 3, 4]),
        ({"date_to": "2024-03-14"}, [0]),
        ({"date_from": "2024-03-15T12:00:00", "date_to": "2024-03-15T23:59:59"}, [2, 3]),
        ({"date_from": "2024-03-15T11:00:00+00:00"}, [2, 3, 4]),
    ],
    ids=["one day", "from a day on", "up to a day", "date-times", "a date-time with an offset"],
)
def test_the_window_is_inclusive_days_of_the_source(twinlog, contoso, serve, read, window, inside):
    """Both days belong to it, from their first second to their last, in the source's zone."""
    clocks = ["14T23:59:59", "15T00:00:00", "15T12:00:00", "15T23:59:59", "16T00:00:00"]
    entries = [contoso.log(ALICE, 1, f"2024-03-{clock}") for clock in clocks]
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {**window, "read": read}))
    assert twinlog.migrate()["fetched"] == len(inside)
    assert [number for number, entry in enumerate(entries) if contoso.copies(entry)] == inside


ZONES = {
    "Europe/Berlin": {
        "2024-03-31T01:59:59": "2024-03-31T00:59:59",
        "2024-03-31T02:30:00": "2024-03-31T01:30:00",
        "2024-03-31T03:00:00": "2024-03-31T01:00:00",
        "2024-10-27T02:30:00": "2024-10-27T00:30:00",
        "2024-10-27T03:00:00": "2024-10-27T02:00:00",
    },
    "America/New_York": {
        "2024-03-10T02:30:00": "2024-03-10T07:30:00",
        "2024-03-10T03:00:00": "2024-03-10T07:00:00",
        "2024-11-03T01:30:00": "2024-11-03T05:30:00",
        "2024-11-03T02:00:00": "2024-11-03T07:00:00",
    },
    "Australia/Lord_Howe": {
        "2024-04-07T01:45:00": "2024-04-06T14:45:00",
        "2024-10-06T02:15:00": "2024-10-05T15:45:00",
        "2024-01-01T00:00:00": "2023-12-31T13:00:00",
    },
    "Asia/Kathmandu": {"2024-06-01T00:10:00": "2024-05-31T18:25:00"},
}


@pytest.mark.parametrize("zone", ZONES)
def test_a_wall_clock_means_the_instant_it_showed_in_the_sources_zone(twinlog, contoso, serve, zone):
    """A repeated clock is the first of the two; a skipped one is read with the offset before the change."""
    contoso.pace.time_zone = zone
    entries = [(contoso.log(BOB, 1, wall), utc) for wall, utc in ZONES[zone].items()]
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"source_timezone": zone}))
    twinlog.migrate()
    for entry, utc in entries:
        copy = contoso.copy(entry)
        assert copy.started == datetime.fromisoformat(utc).replace(tzinfo=UTC), entry.timestamp
        assert f"on {entry.timestamp.date()}]" in copy.text


@pytest.fixture
def zones_apart(twinlog, contoso, serve):
    """Bob works in Kolkata, whatever zone the rest of 7pace is in; both log one o'clock at night."""
    bobs = contoso.log(BOB, 1, "2024-07-01T01:00:00")
    alices = contoso.log(ALICE, 1, "2024-07-01T01:00:00", 1800)
    zones = 'match = "email"\ntimezones = { "BOB@example.com" = "Asia/Kolkata" }\n'
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml().replace('match = "email"\n', zones))
    return bobs, alices


def test_a_person_with_another_zone_keeps_his_own_clock(twinlog, contoso, zones_apart):
    """Jira gets his instant, and the header his day."""
    bobs, alices = zones_apart
    twinlog.migrate()
    assert contoso.copy(bobs).started == datetime(2024, 6, 30, 19, 30, tzinfo=UTC)
    assert contoso.copy(alices).started == datetime(2024, 6, 30, 23, 0, tzinfo=UTC)
    assert "[7pace — Bob Jones on 2024-07-01]" in contoso.copy(bobs).text


def test_tempo_gets_a_persons_own_clock_as_it_is(twinlog, contoso, zones_apart):
    bobs, _ = zones_apart
    twinlog.migrate("contoso-to-jca-tempo")
    assert [row.started for row in contoso.tempo.worklogs.values()] == [bobs.timestamp] * 2


def test_a_clock_change_is_logged_on_what_was_written(twinlog, contoso, serve):
    """An auditor reads beside each write how an hour that was repeated or skipped was understood."""
    for start in ("2024-03-31T02:30:00", "2024-10-27T02:30:00", "2024-05-01T09:00:00"):
        contoso.log(ALICE, 1, start)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
    twinlog.migrate()
    reasons = dict(twinlog.rows("SELECT day, reason FROM worklogs_auditentry"))
    assert {str(day): reason for day, reason in reasons.items()} == {
        "2024-03-31": "Summer time skips this hour; it is read with the offset before the change.",
        "2024-05-01": "",
        "2024-10-27": "The change to winter time repeats this hour; the first of the two is meant.",
    }
