"""7pace Timetracker rows -> Worklog. Both ways of reading, REST and OData, end in the same form."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from worklogs import clock, texts
from worklogs.clock import Moment
from worklogs.worklog import Person, Worklog

ZoneOf = Callable[[Person], str]


class TimesMismatchError(Exception):
    """OData's Timestamp is not what `odata_times` says: the day it gives is not the day 7pace itself shows."""


@dataclass(frozen=True, slots=True)
class RestDialect:
    """REST 3.2: `timestamp` is the wall clock of the person, without zone; lengths are whole seconds.

    Source: 7pace REST CRUD API v3 and its published client (WorkLogModel: "in your local timezone").
    """

    zone_of: ZoneOf

    def person(self, row: dict[str, Any]) -> Person:
        return person_of_user(row.get("user") or {})

    def worklog(self, row: dict[str, Any], person: Person) -> Worklog:
        moment, defect = self._moment(row.get("timestamp"), person)
        seconds, bad_length = _length(row.get("length"))
        return _finish(
            row_id=row.get("id"),
            work=row.get("workItemId"),
            person=person,
            moment=moment,
            seconds=seconds,
            has_length=row.get("length") is not None,
            billable=row.get("billableLength"),
            comment=row.get("comment"),
            edited=row.get("editedTimestamp"),
            defect=defect or bad_length,
        )

    def _moment(self, timestamp: Any, person: Person) -> tuple[Moment | None, str]:
        try:
            return clock.from_wall(datetime.fromisoformat(str(timestamp)), self.zone_of(person)), ""
        except (ValueError, OverflowError):
            return None, f"its start {timestamp!r} is no date and time"


@dataclass(frozen=True, slots=True)
class ODataDialect:
    """OData 3.2 `workLogsOnly`: `Timestamp` carries an offset; whether it is true UTC (`wall` false) or the wall
    clock stamped as UTC (`wall` true) is the connection's option, checked on every row against `WorklogDate`,
    the day that 7pace itself shows.

    Source: 7pace Reporting API metadata (EDMX): PeriodLength and BillablePeriodLength are seconds.
    """

    zone_of: ZoneOf
    wall: bool

    def person(self, row: dict[str, Any]) -> Person:
        user = row.get("User") or {}
        return Person(
            name=_word(user.get("Name")),
            email=_address(user.get("Email")),
            account=_word(user.get("Id") or row.get("UserId")),
        )

    def worklog(self, row: dict[str, Any], person: Person) -> Worklog:
        """Raises TimesMismatchError where the row's own day contradicts the option."""
        moment, defect = self._moment(row.get("Timestamp"), person)
        if moment:
            self._check_day(row, moment)
        seconds, bad_length = _length(row.get("PeriodLength"))
        return _finish(
            row_id=row.get("Id"),
            work=row.get("WorkItemId"),
            person=person,
            moment=moment,
            seconds=seconds,
            has_length=row.get("PeriodLength") is not None,
            billable=row.get("BillablePeriodLength"),
            comment=row.get("Comment"),
            edited=row.get("EditedTimestamp"),
            defect=defect or bad_length,
        )

    def _moment(self, timestamp: Any, person: Person) -> tuple[Moment | None, str]:
        try:
            stamped = datetime.fromisoformat(str(timestamp))
            zone = self.zone_of(person)
            if self.wall:
                return clock.from_wall(stamped.replace(tzinfo=None), zone), ""
            aware = stamped if stamped.tzinfo else stamped.replace(tzinfo=UTC)
            return clock.from_instant(aware, zone), ""
        except (ValueError, OverflowError):
            return None, f"its start {timestamp!r} is no date and time"

    def _check_day(self, row: dict[str, Any], moment: Moment) -> None:
        shown = _shown_day(row.get("WorklogDate"))
        if shown and shown != moment.day:
            said, other = ("wall", "utc") if self.wall else ("utc", "wall")
            raise TimesMismatchError(
                f"Entry {row.get('Id')}: 7pace shows it on {shown}, but its Timestamp {row.get('Timestamp')} read "
                f'with odata_times = "{said}" falls on {moment.day} in {moment.zone}. '
                f'Set odata_times = "{other}", or correct source_timezone, or the person\'s zone in people.timezones.'
            )


def _shown_day(value: Any) -> date | None:
    if not isinstance(value, dict):
        return None
    try:
        return date(int(value["Year"]), int(value["Month"]), int(value["Day"]))
    except (KeyError, TypeError, ValueError):
        return None


def person_of_user(user: dict[str, Any]) -> Person:
    """The `user` of a worklog, or a row of REST `users`, which may know an e-mail that the former lacks."""
    unique = _word(user.get("uniqueName"))
    return Person(
        name=_word(user.get("displayName")) or _word(user.get("name")),
        email=_address(user.get("email")) or _address(unique),
        account=_word(user.get("id")),
        guid=_word(user.get("vstsId")),
    )


def _word(value: Any) -> str:
    return texts.on_one_line(str(value)) if value else ""


def _address(value: Any) -> str:
    text = texts.cleaned(str(value or "")).strip()
    return text if "@" in text and " " not in text else ""


def _length(value: Any) -> tuple[int, str]:
    """Seconds and, where they are none that anybody could have worked, what is wrong with them."""
    if value is None:
        return 0, "it has no length"
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return 0, f"its length {value!r} is no whole number of seconds"
    if value <= 0:
        return int(value), f"its length is {int(value)} s; a worklog needs more than 0"
    return int(value), ""


def _finish(
    *,
    row_id: Any,
    work: Any,
    person: Person,
    moment: Moment | None,
    seconds: int,
    has_length: bool,
    billable: Any,
    comment: Any,
    edited: Any,
    defect: str,
) -> Worklog:
    counts = isinstance(billable, int | float) and not isinstance(billable, bool) and billable >= 0
    return Worklog(
        entry=str(row_id),
        work="" if work is None else str(work),
        person=person,
        moment=moment,
        seconds=seconds,
        billable=int(billable) if counts else None,
        text=texts.cleaned(comment),
        updated=str(edited or ""),
        defect=defect,
        has_length=has_length,
    )
