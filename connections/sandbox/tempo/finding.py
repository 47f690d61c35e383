"""Tempo's worklogs: lists, search, one by id."""

from typing import Any

from connections.sandbox.jira.access import may
from connections.sandbox.routes import Reply
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest, refuse
from connections.sandbox.tempo.reading import body_json, day, moment
from connections.sandbox.tempo.shapes import worklog_json, worklog_page
from connections.sandbox.world import TempoSite, TempoWorklog

_VIEW_ALL = "io.tempo.jira__view-all-worklogs"


def visible(request: TempoRequest, rows: list[TempoWorklog]) -> list[TempoWorklog]:
    """Rows the caller may see; the others are left out without a word."""
    jira = request.site.jira
    everything = may(request.caller, _VIEW_ALL) or _may_view_everybody(request)
    return [
        row
        for row in rows
        if (everything or row.author_id == request.caller.account_id)
        and may(request.caller, "BROWSE_PROJECTS", jira.issues[row.issue_id])
    ]


def _may_view_everybody(request: TempoRequest) -> bool:
    """Vendor help, "get Tempo worklogs": a permission role with View Worklogs and full access does as well."""
    return any(
        "permissions.worklog.view" in role.permissions and request.caller.account_id in role.members
        for role in request.site.roles
        if not role.teams
    )


def _in_range(request: TempoRequest, rows: list[TempoWorklog], asked: dict[str, Any]) -> list[TempoWorklog]:
    site = request.site
    if asked.get("from"):
        first = day(site, asked["from"], "from")
        rows = [row for row in rows if row.day >= first]
    if asked.get("to"):
        last = day(site, asked["to"], "to")
        rows = [row for row in rows if row.day <= last]
    if asked.get("updatedFrom"):
        since = moment(site, asked["updatedFrom"], "updatedFrom")
        rows = [row for row in rows if row.updated >= since]
    return rows


def visible_rows(request: TempoRequest, issue_ids: list[int] | None = None) -> list[TempoWorklog]:
    site = request.site
    with site.lock:
        if issue_ids is None:
            return visible(request, list(site.worklogs.values()))
        held = [list(site.by_issue.get(issue, {}).values()) for issue in dict.fromkeys(issue_ids)]
    return visible(request, [row for rows in held for row in rows])


def _sorted(site: TempoSite, rows: list[TempoWorklog], order: list[tuple[str, bool]]) -> list[TempoWorklog]:
    """By the fields given, the last one first; `True` means descending."""
    rows = sorted(rows, key=lambda row: row.id)
    for field, descending in reversed(order):
        if field not in {"ID", "START_DATE_TIME", "UPDATED"}:
            raise refuse(site, 400, f"'{field}' is not a field to order by")
        rows = sorted(rows, key=lambda row: _sort_key(row, field), reverse=descending)
    return rows


def _sort_key(row: TempoWorklog, field: str) -> Any:
    return {"ID": row.id, "START_DATE_TIME": (row.day, row.start), "UPDATED": row.updated}[field]


def _query(request: TempoRequest) -> dict[str, Any]:
    return {name: request.param(name) for name in ("from", "to", "updatedFrom")}


@ROUTES.on("GET", f"{API}/worklogs")
def get_worklogs(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getWorklogs: newest first, by id ascending."""
    issues = [int(value) for value in request.params.get("issueId", [])]
    rows = _of_projects(request, visible_rows(request, issues or None), request.params.get("projectId", []))
    field = request.param("orderBy") or "START_DATE_TIME"
    rows = _sorted(request.site, _in_range(request, rows, _query(request)), [(field, field != "ID")])
    return worklog_page(request, rows)


def _of_projects(request: TempoRequest, rows: list[TempoWorklog], projects: list[Any]) -> list[TempoWorklog]:
    wanted = {int(value) for value in projects}
    issues = request.site.jira.issues
    return [row for row in rows if not wanted or issues[row.issue_id].project.id in wanted]


@ROUTES.on("POST", f"{API}/worklogs/search")
def search_worklogs(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, searchWorklogs: paging in the query, everything else in the body; oldest first."""
    body = body_json(request, dict) if request.body else {}
    issues = body.get("issueIds")
    rows = _of_projects(request, visible_rows(request, issues or None), body.get("projectIds") or [])
    authors = set(body.get("authorIds") or [])
    rows = [row for row in _in_range(request, rows, body) if not authors or row.author_id in authors]
    order = [(rule.get("field"), rule.get("order") == "DESC") for rule in body.get("orderBy") or []]
    return worklog_page(request, _sorted(request.site, rows, order or [("START_DATE_TIME", False)]))


@ROUTES.on("GET", f"{API}/worklogs/issue/{{issue}}")
def get_issue_worklogs(request: TempoRequest, issue: str) -> Reply:
    """Tempo v4 OpenAPI, getWorklogsByIssueId."""
    found = request.site.jira.issue(issue) if issue.isdecimal() else None
    if found is None:
        raise refuse(request.site, 404, f"Issue '{issue}' not found")
    rows = _in_range(request, visible_rows(request, [found.id]), _query(request))
    return worklog_page(request, _sorted(request.site, rows, [("START_DATE_TIME", True)]))


@ROUTES.on("GET", f"{API}/worklogs/user/{{account}}")
def get_user_worklogs(request: TempoRequest, account: str) -> Reply:
    """Tempo v4 OpenAPI, getWorklogsByUser."""
    check_user(request, account)
    rows = [
        row for row in _in_range(request, visible_rows(request), _query(request)) if row.author_id == account
    ]
    return worklog_page(request, _sorted(request.site, rows, [("START_DATE_TIME", True)]))


def check_user(request: TempoRequest, account: str) -> None:
    if account not in request.site.jira.accounts:
        raise refuse(request.site, 404, f"User '{account}' not found")


@ROUTES.on("GET", f"{API}/worklogs/{{worklog}}")
def get_worklog(request: TempoRequest, worklog: str) -> Reply:
    """Tempo v4 OpenAPI, getWorklogById."""
    return Reply(200, worklog_json(request, seen_worklog(request, worklog)))


def seen_worklog(request: TempoRequest, text: str) -> TempoWorklog:
    found = request.site.worklogs.get(int(text)) if text.isdecimal() else None
    if found is None or not visible(request, [found]):
        raise refuse(request.site, 404, f"Worklog with id '{text}' not found")
    return found
