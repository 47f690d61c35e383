"""Tempo Cloud v4 worklogs <-> Worklog. Source: Tempo REST API v4 OpenAPI, schemas Worklog and WorklogInput."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from worklogs import clock, texts
from worklogs.clock import Moment
from worklogs.dialects.lenient import object_in, objects_in, whole_in, word_in
from worklogs.worklog import Person, Worklog


def standing(
    row: dict[str, Any], zone: str = "UTC", marker_attribute: str = "", *, with_instant: bool = False
) -> Worklog:
    """A row as somebody left it there: what cannot be read of it is empty.

    Tempo holds the author's wall clock without a zone; `zone` is the one it is read in. `with_instant` takes the
    instant from Tempo where it tells one.
    """
    attributes = _attributes(row)
    return Worklog(
        entry=word_in(row, "tempoWorklogId"),
        work=word_in(object_in(row, "issue"), "id"),
        person=Person(account=word_in(object_in(row, "author"), "accountId")),
        moment=_told(row, _moment(row, zone)) if with_instant else _moment(row, zone),
        seconds=whole_in(row, "timeSpentSeconds") or 0,
        text=texts.cleaned(word_in(row, "description")),
        billable=whole_in(row, "billableSeconds"),
        attributes=tuple(sorted((k, v) for k, v in attributes.items() if k != marker_attribute)),
        updated=word_in(row, "updatedAt"),
        marker=attributes.get(marker_attribute, "") if marker_attribute else "",
    )


def worklog(row: dict[str, Any], zone: str = "UTC", marker_attribute: str = "") -> Worklog:
    """The same of a row that Tempo has just stored for us. Raises ValueError where it has no start."""
    stored = standing(row, zone, marker_attribute)
    if stored.moment is None:
        raise ValueError(f"worklog {stored.entry} came back without a start")
    return stored


def _moment(row: dict[str, Any], zone: str) -> Moment | None:
    """A day without a time is its midnight."""
    start = word_in(row, "startTime") or "00:00:00"
    try:
        return clock.from_wall(datetime.fromisoformat(f"{word_in(row, 'startDate')[:10]}T{start}"), zone)
    except (ValueError, OverflowError):
        return None


def _told(row: dict[str, Any], moment: Moment | None) -> Moment | None:
    try:
        instant = datetime.fromisoformat(word_in(row, "startDateTimeUtc"))
    except ValueError:
        return moment
    if moment is None or instant.tzinfo is None:
        return moment
    return replace(moment, instant=instant.astimezone(UTC), is_told=True)


def body(worklog: Worklog, marker_attribute: str = "") -> dict[str, Any]:
    """The body that creation, bulk creation and PUT have in common; creation adds `issueId`.

    0 billable seconds is a value; None leaves the choice to Tempo (the time worked).
    """
    if worklog.moment is None:
        raise ValueError(f"worklog {worklog.entry} has no start")
    made: dict[str, Any] = {
        "authorAccountId": worklog.person.account,
        "startDate": worklog.moment.day.isoformat(),
        "startTime": worklog.moment.start.isoformat(timespec="seconds"),
        "timeSpentSeconds": worklog.seconds,
        "description": worklog.text,
    }
    if worklog.billable is not None:
        made["billableSeconds"] = worklog.billable
    attributes = dict(worklog.attributes)
    if marker_attribute and worklog.marker:
        attributes[marker_attribute] = worklog.marker
    if attributes:
        made["attributes"] = [{"key": key, "value": value} for key, value in attributes.items()]
    return made


def _attributes(row: dict[str, Any]) -> dict[str, str]:
    pairs = objects_in(object_in(row, "attributes"), "values")
    return {key: _spelt(pair.get("value")) for pair in pairs if (key := word_in(pair, "key"))}


def _spelt(value: Any) -> str:
    return "" if value is None else str(value)
