"""How Tempo shows worklogs, and pages of anything."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from connections.sandbox.routes import Reply
from connections.sandbox.tempo.door import API, TempoRequest, refuse
from connections.sandbox.world import TempoSite, TempoWorklog


def worklog_json(request: TempoRequest, worklog: TempoWorklog) -> dict[str, Any]:
    """Tempo v4 OpenAPI, Worklog: no Jira worklog id, no issue key."""
    address = f"{request.home}{API}/worklogs/{worklog.id}"
    return {
        "self": address,
        "tempoWorklogId": worklog.id,
        "issue": {
            "self": f"{_jira_home(request)}/rest/api/2/issue/{worklog.issue_id}",
            "id": worklog.issue_id,
        },
        "timeSpentSeconds": worklog.seconds,
        "billableSeconds": worklog.billable_seconds,
        "startDate": worklog.day.isoformat(),
        "startTime": worklog.start,
        "startDateTimeUtc": stamp(instant_of(request.site, worklog)),
        "description": worklog.description,
        "createdAt": stamp(worklog.created),
        "updatedAt": stamp(worklog.updated),
        "author": person(request, worklog.author_id),
        "attributes": {"self": f"{address}/work-attribute-values", "values": values_of(worklog)},
    }


def _jira_home(request: TempoRequest) -> str:
    return request.home.removesuffix(request.site.path) + request.site.jira.path


def person(request: TempoRequest, account_id: str) -> dict[str, str]:
    return {"self": f"{_jira_home(request)}/rest/api/2/user?accountId={account_id}", "accountId": account_id}


def values_of(worklog: TempoWorklog) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in worklog.attributes.items()]


def instant_of(site: TempoSite, worklog: TempoWorklog) -> datetime:
    """Tempo's guess at the instant."""
    zone = ZoneInfo(zone_of(site, worklog.author_id))
    return worklog.started.replace(tzinfo=zone).astimezone(UTC)


def zone_of(site: TempoSite, account_id: str) -> str:
    """The profile zone, or the site's where privacy hides it."""
    author = site.jira.accounts[account_id]
    return author.time_zone if author.email_shown else site.jira.time_zone


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page(request: TempoRequest, rows: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """self and metadata of a page, and its rows; `count` is the number of rows of this page."""
    offset, limit = _page_number(request, "offset", 0, 0), min(_page_number(request, "limit", 50, 1), 5000)
    shown = rows[offset : offset + limit]
    metadata: dict[str, Any] = {"count": len(shown), "offset": offset, "limit": limit}
    if offset + limit < len(rows):
        metadata["next"] = _page_address(request, offset + limit, limit)
    if offset:
        metadata["previous"] = _page_address(request, max(0, offset - limit), limit)
    return {"self": _page_address(request, offset, limit), "metadata": metadata}, shown


def _page_number(request: TempoRequest, name: str, default: int, least: int) -> int:
    text = request.param(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < least:
        raise refuse(request.site, 400, f"'{name}' must be a number of at least {least}")
    return int(text)


def _page_address(request: TempoRequest, offset: int, limit: int) -> str:
    others = [(key, value) for key, values in request.params.items() for value in values]
    kept = [(key, value) for key, value in others if key not in {"offset", "limit"}]
    return f"{request.home}{request.path}?{urlencode([*kept, ('offset', offset), ('limit', limit)])}"


def worklog_page(request: TempoRequest, rows: list[TempoWorklog]) -> Reply:
    envelope, shown = page(request, rows)
    return Reply(200, envelope | {"results": [worklog_json(request, row) for row in shown]})
