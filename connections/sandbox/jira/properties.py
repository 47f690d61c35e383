"""Properties of Jira's worklogs."""

from connections.sandbox.jira.access import check_own, seen_worklog, tracked_issue
from connections.sandbox.jira.door import API, ROUTES, WORKLOG, JiraRequest, refuse, throttle_writes
from connections.sandbox.jira.reading import check_property
from connections.sandbox.routes import RefusalError, Reply
from connections.sandbox.world import JiraIssue, JiraWorklog

PROPERTY = f"{WORKLOG}/properties/{{name}}"


@ROUTES.on("GET", f"{WORKLOG}/properties")
def get_property_keys(request: JiraRequest, key: str, number: str) -> Reply:
    """Jira v3 OpenAPI, getWorklogPropertyKeys."""
    worklog = seen_worklog(request, tracked_issue(request, key), number)
    address = f"{request.home}{API}/issue/{worklog.issue_id}/worklog/{worklog.id}/properties"
    return Reply(200, {"keys": [{"key": name, "self": f"{address}/{name}"} for name in worklog.properties]})


@ROUTES.on("GET", PROPERTY)
def get_property(request: JiraRequest, key: str, number: str, name: str) -> Reply:
    """Jira v3 OpenAPI, getWorklogProperty."""
    worklog = seen_worklog(request, tracked_issue(request, key), number)
    _check_property_there(worklog, name)
    return Reply(200, {"key": name, "value": worklog.properties[name]})


def _check_property_there(worklog: JiraWorklog, name: str) -> None:
    if name not in worklog.properties:
        raise refuse(404, f"The property with key '{name}' does not exist.")


@ROUTES.on("PUT", PROPERTY)
def set_property(request: JiraRequest, key: str, number: str, name: str) -> Reply:
    """Jira v3 OpenAPI, setWorklogProperty: 201 created, 200 updated, 403 without the right to edit."""
    issue = tracked_issue(request, key)
    throttle_writes(request, issue)
    worklog = seen_worklog(request, issue, number)
    _check_property_rights(request, issue, worklog)
    check_property(name, request.body.decode(errors="replace"))
    try:
        value = request.json()
    except ValueError:
        raise refuse(400, "The property value must be valid JSON.") from None
    known = name in worklog.properties
    worklog.properties[name] = value
    return Reply(200 if known else 201, {})


def _check_property_rights(request: JiraRequest, issue: JiraIssue, worklog: JiraWorklog) -> None:
    try:
        check_own(request, issue, worklog, "EDIT")
    except RefusalError:
        raise refuse(403, "You do not have the permission to edit this worklog.") from None


@ROUTES.on("DELETE", PROPERTY)
def delete_property(request: JiraRequest, key: str, number: str, name: str) -> Reply:
    """Jira v3 OpenAPI, deleteWorklogProperty: 204."""
    issue = tracked_issue(request, key)
    worklog = seen_worklog(request, issue, number)
    _check_property_rights(request, issue, worklog)
    _check_property_there(worklog, name)
    del worklog.properties[name]
    return Reply(204)
