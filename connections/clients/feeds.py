"""What the vendors' feeds tell: which worklogs were changed or deleted, and when. Never what stands in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A worklog that was created, changed or deleted: the vendor's id, and when (aware, UTC)."""

    worklog: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some changes of a feed. Everything up to `until` has been given with this page and those before it.

    The vendors do not say whether a bound is inclusive, and show a change some time after it was made: ask again
    from a little before `until`, and expect changes to come twice.
    """

    changes: tuple[Change, ...]
    until: datetime


def milliseconds(moment: datetime) -> int:
    return (moment - BEGINNING) // _MILLISECOND


def moment_of(value: Any) -> datetime | None:
    """A moment out of milliseconds since 1970 or ISO 8601 text, in UTC; None where it is neither."""
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        return BEGINNING + value * _MILLISECOND if isinstance(value, int) else None
    except (ValueError, OverflowError):
        return None


def changes_of(rows: Iterable[Any], id_key: str, time_key: str, since: datetime) -> tuple[Change, ...]:
    """One change a row with an id (text or number); without a readable time it was made at `since`, if not later."""
    objects = [row for row in rows if isinstance(row, dict)]
    found = [(_id_of(row.get(id_key)), moment_of(row.get(time_key)) or since) for row in objects]
    return tuple(Change(worklog, at) for worklog, at in found if worklog)


def newest(changes: Iterable[Change], since: datetime) -> datetime:
    """When the newest of these changes was made; `since` where none is newer."""
    return max([since, *(change.at for change in changes)])


def _id_of(value: Any) -> str:
    """Worklogs are numbered at both vendors, as numbers or as text. "" for anything else."""
    text = str(value).strip()
    return text if text.isascii() and text.isdecimal() else ""
