"""A wall clock and its instant: one rule for every zone, in the hours that clock changes repeat or skip too."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklogs.clock import Note, from_instant, from_wall, with_offset

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
KOLKATA, APIA, AMSTERDAM, UNIVERSAL = "Asia/Kolkata", "Pacific/Apia", "Europe/Amsterdam", "UTC"
ZONES = (BERLIN, NEW_YORK, LORD_HOWE, KOLKATA, APIA, "Asia/Kathmandu", "America/St_Johns", UNIVERSAL)

CASES = [
    # zone, wall clock, instant, note
    (BERLIN, "2024-01-15 09:00:00", "2024-01-15 08:00:00", Note.NONE),
    (BERLIN, "2024-07-15 09:00:00", "2024-07-15 07:00:00", Note.NONE),
    (BERLIN, "2024-07-15 00:30:00", "2024-07-14 22:30:00", Note.NONE),
    (BERLIN, "2024-03-31 01:59:59", "2024-03-31 00:59:59", Note.NONE),
    (BERLIN, "2024-03-31 02:00:00", "2024-03-31 01:00:00", Note.SKIPPED),
    (BERLIN, "2024-03-31 02:30:00", "2024-03-31 01:30:00", Note.SKIPPED),
    (BERLIN, "2024-03-31 03:00:00", "2024-03-31 01:00:00", Note.NONE),
    (BERLIN, "2024-10-27 01:59:59", "2024-10-26 23:59:59", Note.NONE),
    (BERLIN, "2024-10-27 02:00:00", "2024-10-27 00:00:00", Note.REPEATED),
    (BERLIN, "2024-10-27 02:30:00", "2024-10-27 00:30:00", Note.REPEATED),
    (BERLIN, "2024-10-27 03:00:00", "2024-10-27 02:00:00", Note.NONE),
    (NEW_YORK, "2024-03-10 02:30:00", "2024-03-10 07:30:00", Note.SKIPPED),
    (NEW_YORK, "2024-11-03 01:30:00", "2024-11-03 05:30:00", Note.REPEATED),
    (NEW_YORK, "2024-11-03 23:30:00", "2024-11-04 04:30:00", Note.NONE),
    (LORD_HOWE, "2024-10-06 02:15:00", "2024-10-05 15:45:00", Note.SKIPPED),
    (LORD_HOWE, "2024-10-06 02:30:00", "2024-10-05 15:30:00", Note.NONE),
    (LORD_HOWE, "2024-04-07 01:45:00", "2024-04-06 14:45:00", Note.REPEATED),
    (LORD_HOWE, "2024-04-07 02:00:00", "2024-04-06 15:30:00", Note.NONE),
    (KOLKATA, "2024-03-15 00:15:30", "2024-03-14 18:45:30", Note.NONE),
    (APIA, "2011-12-30 12:00:00", "2011-12-30 22:00:00", Note.SKIPPED),
    (AMSTERDAM, "1930-01-15 09:00:00", "1930-01-15 08:40:28", Note.NONE),
    (UNIVERSAL, "2024-02-29 23:59:59", "2024-02-29 23:59:59", Note.NONE),
]


@pytest.mark.parametrize(("zone", "wall", "instant", "note"), CASES)
def test_a_wall_clock_means_one_instant(zone, wall, instant, note):
    """Repeated means the first of the two; skipped is read with the offset before the change; both are noted."""
    moment = from_wall(datetime.fromisoformat(wall), zone)
    assert moment.instant == datetime.fromisoformat(f"{instant}+00:00")
    assert moment.instant.tzinfo is UTC
    assert moment.note is note


@pytest.mark.parametrize("wall", [case[1] for case in CASES])
def test_the_wall_clock_itself_is_never_corrected(wall):
    moment = from_wall(datetime.fromisoformat(wall), BERLIN)
    assert f"{moment.day} {moment.start}" == wall


def test_the_second_of_two_equal_wall_clocks_keeps_its_own_instant():
    """Who knows the instant, as OData does, is not moved by an hour."""
    moment = from_instant(datetime(2024, 10, 27, 1, 30, tzinfo=UTC), BERLIN)
    assert str(moment.start) == "02:30:00"
    assert moment.instant == datetime(2024, 10, 27, 1, 30, tzinfo=UTC)
    assert with_offset(moment).isoformat() == "2024-10-27T02:30:00+01:00"


def test_an_instant_belongs_to_the_day_the_zone_showed():
    instant = datetime(2024, 3, 15, 20, 0, tzinfo=UTC)
    assert str(from_instant(instant, KOLKATA).day) == "2024-03-16"
    assert str(from_instant(instant, NEW_YORK).day) == "2024-03-15"


def test_parts_of_a_second_are_dropped():
    assert from_wall(datetime(2024, 3, 15, 9, 0, 0, 999_999), BERLIN).start.microsecond == 0
    instant = datetime(2024, 3, 15, 9, 0, 59, 999_999, tzinfo=UTC)
    assert from_instant(instant, BERLIN).instant.isoformat() == "2024-03-15T09:00:59+00:00"


def test_an_offset_a_vendor_stamps_on_a_wall_clock_is_not_believed():
    stamped = datetime(2024, 3, 15, 9, 0, tzinfo=UTC)
    assert from_wall(stamped, BERLIN) == from_wall(datetime(2024, 3, 15, 9, 0), BERLIN)


def test_a_time_without_offset_is_no_instant():
    """Read with this machine's own zone it would be another instant on every machine."""
    with pytest.raises(ValueError, match="offset"):
        from_instant(datetime(2024, 3, 15, 9, 0), BERLIN)


def test_an_offset_with_odd_seconds_is_spelt_as_universal_time():
    """Amsterdam was 19 minutes and 32 seconds ahead; no vendor's format has seconds in its offset."""
    moment = from_wall(datetime(1930, 1, 15, 9, 0), AMSTERDAM)
    assert with_offset(moment).isoformat() == "1930-01-15T08:40:28+00:00"


def test_a_skipped_wall_clock_is_spelt_with_the_offset_before_the_change():
    moment = from_wall(datetime(2024, 3, 31, 2, 30), BERLIN)
    assert with_offset(moment).isoformat() == "2024-03-31T02:30:00+01:00"


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.sampled_from(ZONES)
)
def test_every_instant_survives_the_way_through_a_zones_wall_clock(instant, zone):
    moment = from_instant(instant, zone)
    assert with_offset(moment) == instant.replace(microsecond=0)
    assert from_wall(moment.wall, zone).instant <= moment.instant


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.sampled_from(ZONES))
def test_every_wall_clock_survives_the_way_through_its_instant_unless_it_was_skipped(wall, zone):
    moment = from_wall(wall, zone)
    back = from_instant(moment.instant, zone)
    if moment.note is Note.SKIPPED:
        assert back.wall > moment.wall
    else:
        assert back.wall == moment.wall == wall.replace(microsecond=0)


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_the_offset_an_instant_is_spelt_with_does_not_matter(instant, offset):
    aware = instant.replace(tzinfo=offset)
    assert from_instant(aware, BERLIN) == from_instant(aware.astimezone(UTC), BERLIN)
