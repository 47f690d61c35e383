"""Tempo Cloud v4 worklogs <-> Worklog. Source: Tempo REST API v4 OpenAPI, schemas Worklog and WorklogInput."""

from datetime import datetime
from typing import Any

from worklogs import clock, texts
from worklogs.worklog import Person, Worklog


def worklog(row: dict[str, Any], zone: str = "UTC", marker_attribute: str = "") -> Worklog:
    """Tempo holds the author's wall clock without a zone; `zone` is the one it is read in."""
    attributes = _attributes(row)
    wall = datetime.fromisoformat(f"{row['startDate'][:10]}T{row.get('startTime') or '00:00:00'}")
    billable = row.get("billableSeconds")
    return Worklog(
        entry=str(row["tempoWorklogId"]),
        work=str((row.get("issue") or {}).get("id") or ""),
        person=Person(account=str((row.get("author") or {}).get("accountId") or "")),
        moment=clock.from_wall(wall, zone),
        seconds=int(row.get("timeSpentSeconds") or 0),
        text=texts.cleaned(row.get("description")),
        billable=None if billable is None else int(billable),
        attributes=tuple(sorted((k, v) for k, v in attributes.items() if k != marker_attribute)),
        updated=str(row.get("updatedAt") or ""),
        marker=attributes.get(marker_attribute, "") if marker_attribute else "",
    )


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
    values = (row.get("attributes") or {}).get("values") or []
    return {str(pair["key"]): _spelt(pair.get("value")) for pair in values}


def _spelt(value: Any) -> str:
    return "" if value is None else str(value)
