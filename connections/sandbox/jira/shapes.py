"""How Jira shows people, issues, projects and worklogs."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox.jira.door import API, JiraRequest
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraAccount, JiraIssue, JiraProject, JiraWorklog

UNIT_SECONDS = {"w": 5 * 8 * 3600, "d": 8 * 3600, "h": 3600, "m": 60}


def instant(moment: datetime, zone: str) -> str:
    """Jira's date-time with milliseconds and an offset without a colon, in the viewer's zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def person(request: JiraRequest, account: JiraAccount) -> dict[str, Any]:
    """Jira v3 OpenAPI, UserDetails and User."""
    shown = {
        "self": f"{request.home}{API}/user?accountId={account.account_id}",
        "accountId": account.account_id,
        "accountType": account.kind,
        "avatarUrls": {
            size: f"{request.home}/avatar/{size}" for size in ("16x16", "24x24", "32x32", "48x48")
        },
        "displayName": account.name,
        "active": account.active,
    }
    if account.email_shown:
        return {**shown, "emailAddress": account.email, "timeZone": account.time_zone}
    return {**shown, "emailAddress": ""} if account.hidden_as == "empty" else shown


def worklog_json(request: JiraRequest, worklog: JiraWorklog, *, properties: bool) -> dict[str, Any]:
    """Jira v3 OpenAPI, Worklog; the comment is absent where there is none."""
    zone = request.caller.time_zone
    shown: dict[str, Any] = {
        "self": f"{request.home}{API}/issue/{worklog.issue_id}/worklog/{worklog.id}",
        "author": _author(request, worklog.author_id),
        "updateAuthor": _author(request, worklog.update_author_id or worklog.author_id),
        "created": instant(worklog.created, zone),
        "updated": instant(worklog.updated, zone),
        "started": instant(worklog.started, zone),
        "timeSpent": duration(worklog.seconds),
        "timeSpentSeconds": worklog.seconds,
        "id": str(worklog.id),
        "issueId": str(worklog.issue_id),
    }
    if worklog.comment is not None:
        shown["comment"] = worklog.comment
    if worklog.visibility is not None:
        shown["visibility"] = worklog.visibility
    if properties:
        shown["properties"] = [{"key": key, "value": value} for key, value in worklog.properties.items()]
    return shown


def _author(request: JiraRequest, account_id: str) -> dict[str, Any]:
    return person(request, request.site.accounts[account_id])


def duration(seconds: int) -> str:
    """3h 20m, in days of 8 and weeks of 40 hours."""
    parts, rest = [], seconds
    for unit, size in UNIT_SECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0m"


def issue_json(request: JiraRequest, issue: JiraIssue, wanted: list[str]) -> dict[str, Any]:
    """Jira v3 OpenAPI, IssueBean with the fields asked for."""
    fields = issue_fields(request, issue)
    chosen = {name: value for name, value in fields.items() if _is_wanted(name, wanted)}
    return {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        "id": str(issue.id),
        "self": f"{request.home}{API}/issue/{issue.id}",
        "key": issue.key,
        "fields": chosen,
    }


def _is_wanted(name: str, wanted: list[str]) -> bool:
    if f"-{name}" in wanted:
        return False
    return name in wanted or "*all" in wanted or "*navigable" in wanted


def issue_fields(request: JiraRequest, issue: JiraIssue) -> dict[str, Any]:
    status = "To Do" if issue.editable else "Closed"
    return {
        "summary": issue.summary,
        "labels": issue.labels,
        "project": project_json(request, issue.project),
        "issuetype": {"id": "10001", "name": issue.kind, "subtask": issue.kind == "Sub-task"},
        "status": {"id": "1" if issue.editable else "6", "name": status},
        "timespent": issue.time_spent_seconds or None,
        "timeestimate": issue.remaining_seconds,
        "timeoriginalestimate": issue.original_seconds,
        "aggregatetimespent": issue.time_spent_seconds or None,
        "timetracking": time_tracking(issue),
        **{known.id: issue.fields.get(known.id) for known in request.site.custom_fields},
    }


def time_tracking(issue: JiraIssue) -> dict[str, Any]:
    """The time tracking field: what is unset is absent."""
    values = {
        "originalEstimate": issue.original_seconds,
        "remainingEstimate": issue.remaining_seconds,
        "timeSpent": issue.time_spent_seconds or None,
    }
    shown: dict[str, Any] = {}
    for name, seconds in values.items():
        if seconds is not None:
            shown |= {name: duration(seconds), f"{name}Seconds": seconds}
    return shown


def project_json(request: JiraRequest, project: JiraProject) -> dict[str, Any]:
    return {
        "self": f"{request.home}{API}/project/{project.id}",
        "id": str(project.id),
        "key": project.key,
        "name": project.name,
        "projectTypeKey": "software",
        "simplified": False,
    }


def page_of(request: JiraRequest, name: str, values: list[Any], first: int, size: int, total: int) -> Reply:
    return Reply(
        200,
        {
            "self": f"{request.home}{API}/{name}?startAt={first}&maxResults={size}",
            "startAt": first,
            "maxResults": size,
            "total": total,
            "isLast": first + size >= total,
            "values": values,
        },
    )
