"""What Jira makes of a request's body and parameters, or the words it refuses them with."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connections.sandbox import adf
from connections.sandbox.jira.door import JiraRequest, refuse
from connections.sandbox.jira.shapes import UNIT_SECONDS
from connections.sandbox.routes import RefusalError
from connections.sandbox.world import JiraIssue, JiraSite

_STARTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([wdhm])\s*")


def body_object(request: JiraRequest) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        raise refuse(400, "There was an error parsing JSON. Check that your request body is valid.") from None
    if not isinstance(body, dict):
        raise refuse(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return body


def number_param(request: JiraRequest, name: str, default: int, status: int = 400) -> int:
    text = request.param(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?\d+", text):
        raise refuse(status, f"The value '{text}' for '{name}' is not a number.")
    return int(text)


def started(value: Any) -> datetime:
    text = value if isinstance(value, str) else ""
    if _STARTED.fullmatch(text):
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
        except ValueError:
            pass
    raise refuse(
        400, started="Invalid date format. Please enter the date in the format 'yyyy-MM-dd'T'HH:mm:ss.SSSZ'."
    )


def spent_seconds(body: dict[str, Any]) -> int | None:
    """timeSpentSeconds or timeSpent, whole seconds; None where neither is sent."""
    if body.get("timeSpentSeconds") is not None:
        seconds = body["timeSpentSeconds"]
        if type(seconds) is not int:
            raise too_short("Invalid time duration entered.")
    elif body.get("timeSpent") is not None:
        seconds = parsed_duration(str(body["timeSpent"]))
    else:
        return None
    if seconds < 60:
        raise too_short("Invalid time duration entered.")
    return seconds


def too_short(words: str) -> RefusalError:
    return refuse(400, "Worklog must not be null.", timeLogged=words)


def parsed_duration(text: str) -> int:
    total, position = 0.0, 0
    while position < len(text):
        match = _DURATION.match(text, position)
        if match is None:
            raise too_short("Invalid time duration entered.")
        total += float(match[1]) * UNIT_SECONDS[match[2]]
        position = match.end()
    return int(total)


def stored_seconds(site: JiraSite, seconds: int) -> int:
    minutes = seconds / 60
    rounded = {"down": math.floor, "up": math.ceil, "nearest": lambda value: math.floor(value + 0.5)}
    return rounded[site.rounding](minutes) * 60 if site.rounding in rounded else seconds


def comment(body: dict[str, Any]) -> dict[str, Any] | None:
    value = body.get("comment")
    if value is None:
        return None
    wrong = adf.problem(value)
    if wrong:
        raise refuse(400, comment=wrong)
    return adf.tidied(value)


def properties(body: dict[str, Any]) -> dict[str, Any]:
    """EntityProperty list of the create or update."""
    rows = body.get("properties") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("key") for row in rows):
        raise refuse(400, "Invalid properties.")
    for row in rows:
        check_property(row["key"], json.dumps(row.get("value")))
    return {row["key"]: row.get("value") for row in rows}


def check_property(name: str, value: str) -> None:
    if not name or len(name) > 255:
        raise refuse(400, "The length of the property key must be between 1 and 255 characters.")
    if not value.strip() or len(value) > 32_768:
        raise refuse(
            400, "The value of the property must be valid, non-empty JSON of at most 32768 characters."
        )


def visibility(body: dict[str, Any]) -> dict[str, str] | None:
    value = body.get("visibility")
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") not in {"group", "role"}:
        raise refuse(400, "Invalid visibility type. Valid types are: group and role.")
    name = str(value.get("identifier") or value.get("value") or "")
    return {"type": value["type"], "value": name, "identifier": name}


def estimate_change(request: JiraRequest, manual: str | None) -> Callable[[JiraIssue, int], None]:
    """What adjustEstimate asks for, as a function of the issue and the seconds added.

    `manual` is the parameter of that mode: reduceBy, increaseBy or none.
    """
    mode = (request.param("adjustEstimate") or "auto").lower()
    if mode == "leave":
        return lambda _issue, _seconds: None
    if mode == "auto":
        return _reduce
    if mode == "new":
        return _set_to(_estimate_param(request, "newEstimate"))
    if mode == "manual" and manual:
        change = _estimate_param(request, manual)
        return lambda issue, _seconds: _reduce(issue, change if manual == "reduceBy" else -change)
    raise refuse(400, f"'{mode}' is not a valid value for adjustEstimate.")


def _estimate_param(request: JiraRequest, name: str) -> int:
    text = request.param(name)
    if not text:
        raise refuse(400, f"You must supply a valid {name} for this adjustEstimate mode.")
    return parsed_duration(text)


def _set_to(seconds: int) -> Callable[[JiraIssue, int], None]:
    def change(issue: JiraIssue, _seconds: int) -> None:
        issue.remaining_seconds = seconds

    return change


def _reduce(issue: JiraIssue, seconds: int) -> None:
    if issue.remaining_seconds is not None:
        issue.remaining_seconds = max(0, issue.remaining_seconds - seconds)


def expands_properties(request: JiraRequest) -> bool:
    return "properties" in (request.param("expand") or "").split(",")


def worklog_ids(request: JiraRequest, most: int) -> list[int]:
    ids = body_object(request).get("ids")
    if (
        not isinstance(ids, list)
        or not ids
        or len(ids) > most
        or not all(type(value) is int for value in ids)
    ):
        raise refuse(400, f"The list of worklog ids must hold between 1 and {most} numbers.")
    return list(dict.fromkeys(ids))
