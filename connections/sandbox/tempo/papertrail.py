"""Tempo's audit log of worklogs: the search, and the older list of deleted worklogs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from connections.sandbox.jira.access import may
from connections.sandbox.news import AuditRow
from connections.sandbox.routes import Reply
from connections.sandbox.tempo.changes import precise
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest, page_refusal, refuse
from connections.sandbox.tempo.reading import body_json, moment
from connections.sandbox.world import TempoSite

DELETED = "/papertrail/1/events/deleted/types/worklog"
REACH = timedelta(days=180)
_ACTIONS = {"Created", "Deleted", "Updated", "Synced"}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


@ROUTES.on("POST", f"{API}/papertrail/search")
def search_audit_logs(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, searchAuditLogs: reaches back 180 days; pages by token; 403 without the permission."""
    site = request.site
    if not may(request.caller, site.audit_permission):
        raise page_refusal(403, "Forbidden")
    body = body_json(request, dict)
    rows = [row for row in _in_time(request, body) if _matches(site, row, body)]
    offset, limit = _place(request, "nextPageToken", len(rows)), _limit(request, 1, 100)
    metadata: dict[str, Any] = {"limit": limit}
    if offset + limit < len(rows):
        query = urlencode({"limit": limit, "nextPageToken": offset + limit})
        metadata |= {
            "nextPageToken": str(offset + limit),
            "nextPageUrl": f"{request.home}{API}/papertrail/search?{query}",
        }
    results = [_row_json(site, row) for row in rows[offset : offset + limit]]
    return Reply(200, {"self": f"{request.home}{request.path}", "metadata": metadata, "results": results})


def _in_time(request: TempoRequest, body: dict[str, Any]) -> list[AuditRow]:
    """`to` is inclusive by the specification; `from` is taken to be."""
    site, now = request.site, datetime.fromtimestamp(request.now(), UTC)
    since = _full_moment(site, body.get("from"), "from")
    until = _full_moment(site, body["to"], "to") if body.get("to") else now
    if since < now - REACH:
        raise refuse(site, 400, "'from' must be within the last 180 days")
    return [row for row in list(site.audit) if since <= row.at <= until]


def _full_moment(site: TempoSite, value: Any, name: str) -> datetime:
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        raise refuse(site, 400, f"'{name}' must be a date-time in ISO 8601 format")
    return moment(site, value, name)


def _matches(site: TempoSite, row: AuditRow, body: dict[str, Any]) -> bool:
    """An empty or missing list asks for everything."""
    _check_actions(site, body.get("action") or [])
    asked = {
        "entityType": "worklog", "action": row.action, "author": row.author_id, "worker": row.worker_id,
    }  # fmt: skip
    return all(not body.get(name) or value in body[name] for name, value in asked.items())


def _check_actions(site: TempoSite, actions: list[str]) -> None:
    unknown = set(actions) - _ACTIONS
    if unknown:
        raise refuse(site, 400, f"{sorted(unknown)} are not actions")


def _row_json(site: TempoSite, row: AuditRow) -> dict[str, Any]:
    """Tempo v4 OpenAPI, AuditLogEvent."""
    number = row.tempo_id if site.audit_ids == "tempo" else row.jira_id
    return {
        "action": row.action,
        "author": row.author_id,
        "worker": row.worker_id,
        "entityId": str(number or ""),
        "entityType": "worklog",
        "parentId": str(row.issue_id),
        "timestamp": precise(row.at),
        "changes": [
            {"field": name, "previous": before, "new": after} for name, (before, after) in row.changes.items()
        ],
    }


@ROUTES.on("GET", DELETED)
def deleted_worklogs(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getDeletedWorklogAuditEvent (deprecated): ids are strings, a bare date is refused."""
    site = request.site
    since = _full_moment(site, request.param("updatedFrom"), "updatedFrom")
    rows = [row for row in list(site.audit) if row.deletes and row.at >= since]
    offset, limit = _place(request, "lastEvaluatedKey", len(rows)), _limit(request, 50, 50)
    shown = rows[offset : offset + limit]
    metadata: dict[str, Any] = {"count": len(shown), "limit": limit}
    if offset + limit < len(rows):
        key = str(offset + limit)
        query = {"updatedFrom": request.param("updatedFrom"), "limit": limit, "lastEvaluatedKey": key}
        metadata |= {"lastEvaluatedKey": key, "next": f"{request.home}{DELETED}?{urlencode(query)}"}
    results = [_deleted_json(row) for row in shown]
    return Reply(200, {"self": f"{request.home}{DELETED}", "metadata": metadata, "results": results})


def _deleted_json(row: AuditRow) -> dict[str, str]:
    return {
        "tempoWorklogId": str(row.tempo_id),
        "jiraWorklogId": str(row.jira_id or ""),
        "deletedAt": precise(row.at),
    }


def _place(request: TempoRequest, name: str, most: int) -> int:
    """Where a page begins, by its token."""
    text = request.param(name) or "0"
    if not text.isdecimal() or int(text) > most:
        raise refuse(request.site, 400, f"'{name}' is not valid")
    return int(text)


def _limit(request: TempoRequest, least: int, default: int) -> int:
    text = request.param("limit") or str(default)
    if not text.isdecimal() or not least <= int(text) <= 1000:
        raise refuse(request.site, 400, f"'limit' must be between {least} and 1000")
    return int(text)
