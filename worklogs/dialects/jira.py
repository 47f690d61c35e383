"""Jira Cloud v3 worklogs <-> Worklog. Source: Jira Cloud platform v3 OpenAPI, schema Worklog."""

from datetime import datetime
from typing import Any

from worklogs import clock, texts
from worklogs.clock import Moment
from worklogs.dialects.lenient import object_in, objects_in, whole_in, word_in
from worklogs.worklog import Person, Worklog

# The worklog property in which a copy remembers the entry it is a copy of; set in the create itself.
MARKER = "twinlog"
# Jira refuses less: "Worklog must not be null.", {"timeLogged": "Invalid time duration entered."}
SHORTEST = 60


def standing(row: dict[str, Any], zone: str = "UTC") -> Worklog:
    """A row as somebody left it there: Jira promises no field of it, so what cannot be read is empty.

    `zone` is the one whose wall clock is shown; Jira itself holds the instant alone.
    """
    author, mark = object_in(row, "author"), _mark(objects_in(row, "properties"))
    return Worklog(
        entry=word_in(row, "id"),
        work=word_in(row, "issueId"),
        person=Person(
            name=word_in(author, "displayName"),
            email=word_in(author, "emailAddress"),
            account=word_in(author, "accountId"),
        ),
        moment=_moment(row, zone),
        seconds=whole_in(row, "timeSpentSeconds") or 0,
        text=texts.from_document(row.get("comment")),
        updated=word_in(row, "updated"),
        marker=word_in(mark, "entry"),
        marked_site=word_in(mark, "site"),
        marked_account=word_in(mark, "account"),
    )


def worklog(row: dict[str, Any], zone: str = "UTC") -> Worklog:
    """The same of a row that Jira has just stored for us. Raises ValueError where it has no start."""
    stored = standing(row, zone)
    if stored.moment is None:
        raise ValueError(f"worklog {stored.entry} came back without a start")
    return stored


def _moment(row: dict[str, Any], zone: str) -> Moment | None:
    try:
        return clock.from_instant(datetime.fromisoformat(word_in(row, "started")), zone)
    except (ValueError, OverflowError):
        return None


def body(worklog: Worklog, marker: dict[str, str] | None = None) -> dict[str, Any]:
    """The create or update body: instant with milliseconds and an offset without colon, whole seconds, document.

    Jira sets the author itself: it is whoever calls.
    """
    if worklog.moment is None:
        raise ValueError(f"worklog {worklog.entry} has no start")
    local = clock.with_offset(worklog.moment)
    made: dict[str, Any] = {
        "started": f"{local.replace(tzinfo=None).isoformat()}.000{local:%z}",
        "timeSpentSeconds": worklog.seconds,
    }
    if worklog.text:
        made["comment"] = comment(worklog)
    if marker:
        made["properties"] = [{"key": MARKER, "value": marker}]
    return made


def comment(worklog: Worklog) -> dict[str, Any]:
    """The text as a document; an empty one where an update takes a text away, since unsent fields stay."""
    return texts.to_document(worklog.text)


def _mark(properties: list[dict[str, Any]]) -> dict[str, Any]:
    marks = (object_in(held, "value") for held in properties if held.get("key") == MARKER)
    return next(marks, {})
