"""Jira's worklogs by id, and the feeds of what changed."""

from collections.abc import Iterable
from typing import Any

from connections.sandbox.jira.access import may, sees
from connections.sandbox.jira.door import API, ROUTES, JiraRequest
from connections.sandbox.jira.reading import expands_properties, number_param, worklog_ids
from connections.sandbox.jira.shapes import worklog_json
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraSite, JiraWorklog


@ROUTES.on("POST", f"{API}/worklog/list")
def list_worklogs(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getWorklogsForIds: a bare array; ids that are missing or unseen are simply absent."""
    rows = [request.site.worklogs.get(number) for number in worklog_ids(request, most=1000)]
    expand = expands_properties(request)
    return Reply(
        200,
        [worklog_json(request, row, properties=expand) for row in rows if row and _is_open_to(request, row)],
    )


def _is_open_to(request: JiraRequest, worklog: JiraWorklog) -> bool:
    issue = request.site.issues[worklog.issue_id]
    return issue.visible and may(request.caller, "BROWSE_PROJECTS", issue) and sees(request.caller, worklog)


@ROUTES.on("GET", f"{API}/worklog/updated")
def updated_worklogs(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getIdsOfWorklogsModifiedSince: the last minute is kept back."""
    site = request.site
    with site.lock:
        changes = sorted(site.changes)
        newest = {number: at for at, number in changes}
        rows = [(at, number) for at, number in changes if newest[number] == at and number in site.worklogs]
    seen = [(at, number) for at, number in rows if sees(request.caller, site.worklogs[number])]
    return _feed(request, "updated", seen)


@ROUTES.on("GET", f"{API}/worklog/deleted")
def deleted_worklogs(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getIdsOfWorklogsDeletedSince: ids and times, nothing else."""
    return _feed(request, "deleted", list(request.site.deletions))


def _feed(request: JiraRequest, name: str, changes: Iterable[tuple[int, int]]) -> Reply:
    since = number_param(request, "since", 0)
    horizon = int((request.now() - request.site.feed_lag_seconds) * 1000)
    rows = [(at, number) for at, number in changes if since <= at <= horizon]
    page, last = rows[:1000], len(rows) <= 1000
    until = page[-1][0] if page else since
    address = f"{request.home}{API}/worklog/{name}?since="
    body: dict[str, Any] = {"self": f"{address}{since}", "since": since, "until": until, "lastPage": last}
    if not last:
        body["nextPage"] = f"{address}{until}"
    expand = name == "updated" and expands_properties(request)
    body["values"] = [_feed_row(request.site, at, number, expand=expand) for at, number in page]
    return Reply(200, body)


def _feed_row(site: JiraSite, at: int, number: int, *, expand: bool) -> dict[str, Any]:
    held = site.worklogs[number].properties if expand else {}
    return {
        "worklogId": number,
        "updatedTime": at,
        "properties": [{"key": key, "value": value} for key, value in held.items()],
    }
