"""Who may see and change what on a Jira site."""

from connections.sandbox.jira.door import JiraRequest, refuse
from connections.sandbox.world import JiraAccount, JiraIssue, JiraProject, JiraWorklog


def may(
    account: JiraAccount, permission: str, issue: JiraIssue | None = None, project: JiraProject | None = None
) -> bool:
    place = issue.project if issue else project
    denied = (issue.denied if issue else set()) | (place.denied if place else set())
    return permission in account.permissions and permission not in denied


def seen_issue(request: JiraRequest, key: str) -> JiraIssue:
    issue = request.site.issue(key)
    if issue is None or not issue.visible or not may(request.caller, "BROWSE_PROJECTS", issue):
        raise refuse(404, "Issue does not exist or you do not have permission to see it.")
    return issue


def tracked_issue(request: JiraRequest, key: str) -> JiraIssue:
    """The issue of a worklog call: 404 also where time tracking is off."""
    if not request.site.time_tracking:
        raise refuse(404, "Time Tracking is not enabled.")
    return seen_issue(request, key)


def sees(account: JiraAccount, worklog: JiraWorklog) -> bool:
    if worklog.visibility is None:
        return True
    group = worklog.visibility.get("identifier") or worklog.visibility.get("value", "")
    return group in account.groups


def seen_worklog(request: JiraRequest, issue: JiraIssue, number: str) -> JiraWorklog:
    worklog = issue.worklogs.get(int(number)) if number.isdecimal() else None
    if worklog is None or not sees(request.caller, worklog):
        raise refuse(404, f"Cannot find worklog with id: '{number}'.")
    return worklog


def check_open(issue: JiraIssue) -> None:
    if issue.is_archived:
        raise refuse(400, "The issue is archived and cannot be modified.")
    if not issue.editable:
        raise refuse(
            400,
            "You can not edit the time tracking of this issue as it is not in an editable workflow state.",
        )


def check_own(request: JiraRequest, issue: JiraIssue, worklog: JiraWorklog, verb: str) -> None:
    """EDIT_ALL_WORKLOGS, or EDIT_OWN_WORKLOGS for one's own; likewise DELETE."""
    own = worklog.author_id == request.caller.account_id
    allowed = may(request.caller, f"{verb}_ALL_WORKLOGS", issue)
    if not allowed and not (own and may(request.caller, f"{verb}_OWN_WORKLOGS", issue)):
        raise refuse(400, f"You do not have the permission to {verb.lower()} this worklog.")


def check_notify(request: JiraRequest, issue: JiraIssue) -> None:
    """Reported on issue edit; for worklogs unknown, hence a switch."""
    silent = (request.param("notifyUsers") or "").lower() == "false"
    if silent and request.site.notify_needs_admin and not may(request.caller, "ADMINISTER_PROJECTS", issue):
        raise refuse(
            403, "To discard the user notification either admin or project admin permissions are required."
        )
