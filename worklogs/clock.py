"""Wall clocks and instants, by one rule for the hours that clock changes repeat or skip.

A wall clock that the change to winter time repeats means the first of the two; one that summer time skips is
read with the offset before the change. Both are named in `Moment.note`, never corrected in silence.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo


class Note(StrEnum):
    NONE = ""
    REPEATED = "repeated"
    SKIPPED = "skipped"

    @property
    def in_words(self) -> str:
        """A sentence for the entry's page and its audit."""
        return _IN_WORDS[self]


_IN_WORDS = {
    Note.NONE: "",
    Note.REPEATED: "The change to winter time repeats this hour; the first of the two is meant.",
    Note.SKIPPED: "Summer time skips this hour; it is read with the offset before the change.",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A start of work: the wall clock (day, time, IANA zone) and the instant (aware, UTC), whole seconds.

    `is_told` where a vendor that holds wall clocks has told the instant as well.
    """

    day: date
    start: time
    zone: str
    instant: datetime
    note: Note = Note.NONE
    is_told: bool = field(default=False, compare=False)

    @property
    def wall(self) -> datetime:
        return datetime.combine(self.day, self.start)


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def from_wall(wall: datetime, zone: str) -> Moment:
    """The moment of a wall clock without offset; parts of a second are dropped."""
    wall = wall.replace(microsecond=0, tzinfo=None, fold=0)
    local = wall.replace(tzinfo=zone_named(zone))
    instant = local.astimezone(UTC)
    return Moment(wall.date(), wall.time(), zone, instant, _note(local, instant))


def from_instant(instant: datetime, zone: str) -> Moment:
    """The moment of an aware date-time, with the wall clock that `zone` showed then.

    Raises ValueError for one without an offset: this machine's own zone must never be what it is read with.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no offset: it is no instant")
    instant = instant.astimezone(UTC).replace(microsecond=0)
    local = instant.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0)
    return Moment(local.date(), local.time(), zone, instant)


def _note(local: datetime, instant: datetime) -> Note:
    if local.utcoffset() == local.replace(fold=1).utcoffset():
        return Note.NONE
    back = instant.astimezone(local.tzinfo).replace(tzinfo=None, fold=0)
    return Note.REPEATED if back == local.replace(tzinfo=None) else Note.SKIPPED


def with_offset(moment: Moment) -> datetime:
    """The wall clock with the offset that makes it the instant; UTC where that offset has odd seconds."""
    offset = (moment.wall.replace(tzinfo=UTC) - moment.instant).total_seconds()
    if offset % 60:
        return moment.instant
    return moment.instant.astimezone(timezone(timedelta(seconds=offset)))
