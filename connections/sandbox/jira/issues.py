"""Jira's issues, searches, links and projects."""

import base64
from typing import Any

from connections.sandbox import jql
from connections.sandbox.jira.access import may, seen_issue
from connections.sandbox.jira.door import API, ROUTES, JiraRequest, refuse
from connections.sandbox.jira.reading import body_object, number_param
from connections.sandbox.jira.shapes import issue_json, page_of, project_json
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraIssue, JiraProject


@ROUTES.on("GET", f"{API}/issue/{{key}}")
def get_issue(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, getIssue: all fields unless some are named; a moved issue answers to its old key."""
    issue = seen_issue(request, key)
    wanted = [name for value in request.params.get("fields", ["*all"]) for name in value.split(",")]
    return Reply(200, issue_json(request, issue, wanted))


@ROUTES.on("POST", f"{API}/issue/bulkfetch")
def bulk_fetch(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, bulkFetchIssues: up to 100 ids and keys; what is unknown or unseen is in neither list."""
    body = body_object(request)
    asked = body.get("issueIdsOrKeys")
    if not isinstance(asked, list) or not 0 < len(asked) <= 100:
        raise refuse(400, "The list of issue ids or keys must hold between 1 and 100 elements.")
    found = {issue.id: issue for issue in map(request.site.issue, asked) if issue and issue.visible}
    wanted = body.get("fields") or ["*navigable"]
    seen = [
        found[number] for number in sorted(found) if may(request.caller, "BROWSE_PROJECTS", found[number])
    ]
    return Reply(200, {"issues": [issue_json(request, issue, wanted) for issue in seen], "issueErrors": []})


@ROUTES.on("POST", f"{API}/search/jql")
def search(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, searchAndReconsileIssuesUsingJqlPost: ids only unless fields are named; no total."""
    body = body_object(request)
    text = body.get("jql", "")
    found = _found(request, text)
    first = _offset(body.get("nextPageToken"), text)
    size = min(int(body.get("maxResults") or 50), request.site.page_cap, 5000)
    page = [request.site.issues[number] for number in found[first : first + size]]
    answer: dict[str, Any] = {"issues": [_hit(request, issue, body.get("fields")) for issue in page]}
    answer["isLast"] = first + size >= len(found)
    if not answer["isLast"]:
        answer["nextPageToken"] = _page_token(first + size, text)
    return Reply(200, answer)


def _found(request: JiraRequest, text: str) -> list[int]:
    try:
        found = jql.find(request.site, text, request.now())
    except jql.JqlError as error:
        raise refuse(400, str(error)) from None
    return [number for number in found if may(request.caller, "BROWSE_PROJECTS", request.site.issues[number])]


def _hit(request: JiraRequest, issue: JiraIssue, fields: list[str] | None) -> dict[str, Any]:
    return issue_json(request, issue, fields) if fields and fields != ["id"] else {"id": str(issue.id)}


def _page_token(first: int, text: str) -> str:
    return base64.urlsafe_b64encode(f"{first}|{text}".encode()).decode()


def _offset(token: str | None, text: str) -> int:
    if not token:
        return 0
    try:
        first, _, asked = base64.urlsafe_b64decode(token).decode().partition("|")
    except ValueError:
        first, asked = "", ""
    if not first.isdecimal() or asked != text:
        raise refuse(400, "The provided next page token is invalid or expired.")
    return int(first)


@ROUTES.on("GET", f"{API}/issue/limit/report")
def limit_report(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getIssueLimitReport: for administrators; ids look like 10001L, as in the vendor's example."""
    if not may(request.caller, "ADMINISTER"):
        raise refuse(403, "The user does not have permission to complete this request.")
    limit = request.site.worklog_limit
    counts = {_report_id(request, issue): len(issue.worklogs) for issue in request.site.issues.values()}
    full = {name: count for name, count in counts.items() if count >= limit}
    near = {name: count for name, count in counts.items() if limit * 0.9 <= count < limit}
    return Reply(
        200,
        {
            "issuesApproachingLimit": {"worklog": near} if near else {},
            "issuesBreachingLimit": {"worklog": full} if full else {},
            "limits": {"worklog": limit, "comment": 5000, "attachment": 2000, "remoteIssueLinks": 2000},
        },
    )


def _report_id(request: JiraRequest, issue: JiraIssue) -> str:
    return issue.key if request.flag("isReturningKeys") else f"{issue.id}L"


@ROUTES.on("GET", f"{API}/issue/{{key}}/remotelink")
def remote_links(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, getRemoteIssueLinks."""
    links = seen_issue(request, key).remote_links
    wanted = request.param("globalId")
    if wanted is None:
        return Reply(200, links)
    found = [link for link in links if link.get("globalId") == wanted]
    if not found:
        raise refuse(404, f"The remote link with the global id '{wanted}' does not exist.")
    return Reply(200, found[0])


@ROUTES.on("GET", f"{API}/project/search")
def search_projects(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, searchProjects: projects the caller may browse."""
    projects = [
        project
        for project in request.site.projects.values()
        if may(request.caller, "BROWSE_PROJECTS", project=project) and _is_asked_for(request, project)
    ]
    first, size = number_param(request, "startAt", 0), number_param(request, "maxResults", 50)
    page = [project_json(request, project) for project in projects[first : first + size]]
    return page_of(request, "project/search", page, first, size, len(projects))


def _is_asked_for(request: JiraRequest, project: JiraProject) -> bool:
    keys = request.params.get("keys")
    return keys is None or project.key in keys
