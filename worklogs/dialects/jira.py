"""Jira Cloud v3 worklogs <-> Worklog. Source: Jira Cloud platform v3 OpenAPI, schema Worklog."""

from datetime import datetime
from typing import Any

from worklogs import clock, texts
from worklogs.worklog import Person, Worklog

# The worklog property in which a copy remembers the entry it is a copy of; set in the create itself.
MARKER = "twinlog"
# Jira refuses less: "Worklog must not be null.", {"timeLogged": "Invalid time duration entered."}
SHORTEST = 60


def worklog(row: dict[str, Any], zone: str = "UTC") -> Worklog:
    """`zone` is the one whose wall clock is shown; Jira itself holds the instant alone."""
    author = row.get("author") or {}
    return Worklog(
        entry=str(row["id"]),
        work=str(row.get("issueId") or ""),
        person=Person(
            name=str(author.get("displayName") or ""),
            email=str(author.get("emailAddress") or ""),
            account=str(author.get("accountId") or ""),
        ),
        moment=clock.from_instant(datetime.fromisoformat(row["started"]), zone),
        seconds=int(row.get("timeSpentSeconds") or 0),
        text=texts.from_document(row.get("comment")),
        updated=str(row.get("updated") or ""),
        marker=_marker(row.get("properties") or []),
    )


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


def _marker(properties: list[dict[str, Any]]) -> str:
    for held in properties:
        value = held.get("value")
        if held.get("key") == MARKER and isinstance(value, dict):
            return str(value.get("entry") or "")
    return ""
