"""The times that a schedule names, on ordinary days and on those when the clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.cron import next_time

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "Europe/Berlin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "UTC",
]


def times(schedule, after, zone=UTC):
    """The times after a wall clock of that zone, as wall clocks with their offset."""
    at = datetime.fromisoformat(after).replace(tzinfo=zone)
    while at := next_time(schedule, at, zone):
        yield f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}"


def hours(schedule, after):
    """The same in Berlin, as hours with their offset."""
    at = datetime.fromisoformat(after).replace(tzinfo=BERLIN)
    while at := next_time(schedule, at, BERLIN):
        yield f"{at.astimezone(BERLIN):%d %H:%M%z}"


def first(many, count):
    return list(islice(many, count))


NEXT = [
    ("*/5 * * * *", "2026-11-20 10:00", "Fri 2026-11-20 10:05"),
    ("*/5 * * * *", "2026-11-20 23:58", "Sat 2026-11-21 00:00"),
    ("5/20 * * * *", "2026-11-20 10:26", "Fri 2026-11-20 10:45"),
    ("0 6,18 * * mon-fri", "2026-11-20 18:00", "Mon 2026-11-23 06:00"),
    ("30 4 * * 7", "2026-11-20 10:00", "Sun 2026-11-22 04:30"),
    ("30 4 * * 0", "2026-11-20 10:00", "Sun 2026-11-22 04:30"),
    ("0 0 1 jan *", "2026-11-20 10:00", "Fri 2027-01-01 00:00"),
    ("0 0 31 * *", "2026-11-20 10:00", "Thu 2026-12-31 00:00"),
    ("0 0 29 2 *", "2096-03-01 00:00", "Fri 2104-02-29 00:00"),
    ("0 12 * * *", "2026-11-20 12:00:00.000001", "Sat 2026-11-21 12:00"),
]


@pytest.mark.parametrize(("schedule", "after", "found"), NEXT)
def test_the_next_time_of_a_schedule(schedule, after, found):
    assert next(times(schedule, after)) == found


def test_a_day_that_never_comes_gives_no_time():
    assert next_time("0 0 31 4 *", datetime(2026, 11, 20, tzinfo=UTC), BERLIN) is None


def test_day_and_weekday_together_mean_either():
    """As in every cron: the 1st of the month, and each Monday."""
    assert first(times("0 0 1 * mon", "2026-11-24 00:00"), 3) == [
        "Mon 2026-11-30 00:00",
        "Tue 2026-12-01 00:00",
        "Mon 2026-12-07 00:00",
    ]


def test_a_star_with_steps_restricts_the_day_further():
    assert first(times("0 0 */10 * mon", "2026-06-01 12:00"), 2) == [
        "Mon 2026-08-31 00:00",
        "Mon 2026-09-21 00:00",
    ]


def test_what_is_no_schedule_has_no_times():
    with pytest.raises(ValueError, match="no schedule"):
        next_time("5 min", datetime(2026, 11, 20, tzinfo=UTC), BERLIN)


# --- in Berlin summer time begins on 29 March 2026 at 02:00 and ends on 25 October at 03:00

CLOCK_CHANGES = [
    ("0 2 * * *", "2026-03-28 12:00", ["29 03:00+0200", "30 02:00+0200"]),
    ("30 2 * * *", "2026-03-28 12:00", ["29 03:30+0200", "30 02:30+0200"]),
    ("0 2,3 * * *", "2026-03-28 12:00", ["29 03:00+0200", "30 02:00+0200"]),
    ("30 2,3 * * *", "2026-03-28 12:00", ["29 03:30+0200", "30 02:30+0200"]),
    ("30 2 * * *", "2026-10-24 12:00", ["25 02:30+0200", "26 02:30+0100"]),
    ("*/30 * * * *", "2026-03-29 01:10", ["29 01:30+0100", "29 03:00+0200", "29 03:30+0200"]),
    (
        "*/30 * * * *",
        "2026-10-25 01:40",
        ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"],
    ),
]


@pytest.mark.parametrize(("schedule", "after", "found"), CLOCK_CHANGES)
def test_on_days_when_clocks_change_each_named_hour_comes_once_and_every_hour_is_every_hour(
    schedule, after, found
):
    assert first(hours(schedule, after), len(found)) == found


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
FIELDS = st.tuples(
    st.sampled_from(["0", "*/5", "17", "30,45", "*"]),
    st.sampled_from(["*", "2", "*/6", "0-3", "23"]),
    st.sampled_from(["*", "1", "29-31", "*/2"]),
    st.sampled_from(["*", "3", "10-11"]),
    st.sampled_from(["*", "sun", "1-5", "0,7"]),
).map(" ".join)


@given(FIELDS, MOMENTS, st.sampled_from(ZONES).map(ZoneInfo))
def test_the_next_time_is_later_and_none_lies_between(schedule, after, zone):
    found = next_time(schedule, after, zone)
    assert found
    assert found > after
    between = after + (found - after) / 2
    assert next_time(schedule, between, zone) == found


@given(MOMENTS, st.sampled_from(ZONES).map(ZoneInfo))
def test_every_five_minutes_is_every_five_minutes_in_every_zone(after, zone):
    found = next_time("*/5 * * * *", after, zone)
    assert timedelta(0) < found - after <= timedelta(minutes=5)


@given(st.dates(datetime(2024, 1, 1).date(), datetime(2030, 1, 1).date()), st.integers(0, 23))
def test_a_named_hour_comes_once_a_day_on_every_day(day, hour):
    start = datetime.combine(day, datetime.min.time(), BERLIN)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), BERLIN)
    found = next_time(f"15 {hour} * * *", start - timedelta(seconds=1), BERLIN)
    assert start <= found < end
    assert next_time(f"15 {hour} * * *", found, BERLIN) >= end
