"""The five fields of a schedule: minute, hour, day of month, month, day of week; and the times they name.

Times follow Vixie cron: a day fits by its number or by its weekday where both are given. A schedule of every hour
(its hours begin with `*`) goes by the clock on the wall, also through the hour that the change to winter time repeats.
One that names its hours runs once for each: an hour that is repeated means the first, one that summer time skips is
read with the offset before the change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_PART = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([1-9]\d*))?")
# The longest wait there is: a 29th of February on a given weekday, over a year 2100 that has none.
_DAYS_AHEAD = 366 * 41


def is_cron(text: str) -> bool:
    """Whether the text is a schedule such as `*/5 * * * *` or `0 6 * * mon-fri`."""
    values = text.lower().split()
    return len(values) == len(_RANGES) and all(
        _is_part(part, field)
        for field, value in zip(_RANGES, values, strict=True)
        for part in value.split(",")
    )


def next_time(schedule: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first time of the schedule after that instant, in UTC; None where there is no such day (a 31st of April).

    `after` is aware. Raises ValueError where the text is no schedule.
    """
    times = _times(schedule)
    # A wall clock that is skipped late in the evening is an instant of the following day.
    first = after.astimezone(zone).date() - timedelta(days=1)
    for day in (first + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD)):
        if times.fits(day):
            found = [instant for instant in times.on(day, zone) if instant > after]
            if found:
                return min(found)
    return None


@dataclass(frozen=True, slots=True)
class _Times:
    """The values of the five fields; weekdays from 0, a Sunday, to 6. `any_hour`: the hours begin with `*`;
    `either_day`: both fields of the day are restricted, and one of them is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    either_day: bool

    def fits(self, day: date) -> bool:
        by_number, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        by_day = by_number or by_weekday if self.either_day else by_number and by_weekday
        return by_day and day.month in self.months

    def on(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """The instants of that day, in UTC; not by their order where the clocks are changed."""
        for hour in self.hours:
            for minute in self.minutes:
                wall = datetime.combine(day, time(hour, minute), zone)
                yield from _shown(wall) if self.any_hour else [wall.astimezone(UTC)]


def _shown(wall: datetime) -> list[datetime]:
    """The instants at which clocks show that time: one, two when it is repeated, none when it is skipped."""
    both = {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    naive = wall.replace(tzinfo=None)
    return [one for one in both if one.astimezone(wall.tzinfo).replace(tzinfo=None, fold=0) == naive]


@lru_cache(maxsize=256)
def _times(schedule: str) -> _Times:
    if not is_cron(schedule):
        raise ValueError(f"{schedule!r} is no schedule of five cron fields")
    texts = dict(zip(_RANGES, schedule.lower().split(), strict=True))
    minutes, hours, days, months, weekdays = (_values(text, field) for field, text in texts.items())
    return _Times(
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        any_hour=texts["hour"].startswith("*"),
        either_day=not texts["day"].startswith("*") and not texts["weekday"].startswith("*"),
    )


def _values(text: str, field: str) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _values_of_part(part, field))


def _values_of_part(part: str, field: str) -> range:
    """`5/15` begins at 5 and goes to the end of the field."""
    bounds, _, step = part.partition("/")
    low, high = _RANGES[field]
    if bounds != "*":
        numbers = [_number(bound, field) for bound in bounds.split("-")]
        low, high = numbers[0], high if step and len(numbers) == 1 else numbers[-1]
    return range(low, high + 1, int(step or 1))


def _is_part(part: str, field: str) -> bool:
    found = _PART.fullmatch(part)
    if not found:
        return False
    if found[1] == "*":
        return True
    bounds = [_number(bound, field) for bound in found[1].split("-")]
    low, high = _RANGES[field]
    return bounds == sorted(bounds) and low <= bounds[0] and bounds[-1] <= high


def _number(text: str, field: str) -> int:
    names = _NAMES.get(field, [])
    if text in names:
        return names.index(text) + _RANGES[field][0]
    return int(text) if text.isdecimal() else -1
