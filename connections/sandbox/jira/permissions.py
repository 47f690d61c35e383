"""Jira's permissions, those of an installed Tempo among them."""

from collections.abc import Callable

from connections.sandbox.jira.access import may, seen_issue
from connections.sandbox.jira.door import API, ROUTES, JiraRequest, refuse
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraProject, JiraSite

_GLOBAL = {
    "ADMINISTER": "Administer Jira",
    "USER_PICKER": "Browse users and groups",
    "BULK_CHANGE": "Make bulk changes",
}
_PROJECT = {
    "BROWSE_PROJECTS": "Browse Projects",
    "WORK_ON_ISSUES": "Work On Issues",
    "EDIT_ISSUES": "Edit Issues",
    "EDIT_OWN_WORKLOGS": "Edit Own Worklogs",
    "EDIT_ALL_WORKLOGS": "Edit All Worklogs",
    "DELETE_OWN_WORKLOGS": "Delete Own Worklogs",
    "DELETE_ALL_WORKLOGS": "Delete All Worklogs",
    "ADMINISTER_PROJECTS": "Administer Projects",
}
_TEMPO_GLOBAL = {
    "io.tempo.jira__tempo-administrator": "Tempo Administrator",
    "io.tempo.jira__tempo-team-administrator": "Tempo Team Administrator",
    "io.tempo.jira__tempo-account-administrator": "Tempo Account Administrator",
    "io.tempo.jira__tempo-timesheets-access": "Tempo Timesheets Access",
}
_TEMPO_PROJECT = {
    "io.tempo.jira__log-work-for-others": "Log Work for Others",
    "io.tempo.jira__set-billable-hours": "Set Billable Hours",
    "io.tempo.jira__view-all-worklogs": "View All Worklogs",
    "io.tempo.jira__view-issue-hours": "View Issue Hours",
}


def permission_list(site: JiraSite) -> dict[str, dict[str, str]]:
    """Key -> key, name, type, description of every permission this site knows."""
    wide = _GLOBAL | (_TEMPO_GLOBAL if site.tempo_installed else {})
    narrow = _PROJECT | (_TEMPO_PROJECT if site.tempo_installed else {})
    known = {}
    for kind, names in (("GLOBAL", wide), ("PROJECT", narrow)):
        for key, name in names.items():
            known[key] = {
                "key": key,
                "name": name,
                "type": kind,
                "description": f"Ability to: {name.lower()}.",
            }
    return known


@ROUTES.on("GET", f"{API}/permissions")
def all_permissions(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getAllPermissions: those of installed apps too."""
    return Reply(200, {"permissions": permission_list(request.site)})


@ROUTES.on("GET", f"{API}/mypermissions")
def my_permissions(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getMyPermissions: `permissions` is required; one unknown key refuses the call."""
    asked = [name for name in (request.param("permissions") or "").split(",") if name]
    if not asked:
        raise refuse(400, "The 'permissions' query parameter is required.")
    known = permission_list(request.site)
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise refuse(400, f"Unrecognized permission keys: {', '.join(unknown)}")
    test = _permission_test(request)
    rows = {
        key: {**known[key], "id": str(number), "havePermission": test(key)}
        for number, key in enumerate(asked, start=10)
    }
    return Reply(200, {"permissions": rows})


def _permission_test(request: JiraRequest) -> Callable[[str], bool]:
    """In an issue, in a project, or (without either) for at least one project."""
    issue_key = request.param("issueKey") or request.param("issueId")
    project_key = request.param("projectKey") or request.param("projectId")
    if issue_key:
        issue = seen_issue(request, issue_key)
        return lambda key: may(request.caller, key, issue)
    if project_key:
        project = _project(request, project_key)
        return lambda key: may(request.caller, key, project=project)
    projects = list(request.site.projects.values())
    return lambda key: may(request.caller, key) and any(key not in place.denied for place in projects)


def _project(request: JiraRequest, key: str) -> JiraProject:
    for project in request.site.projects.values():
        if key in {project.key, str(project.id)} and may(request.caller, "BROWSE_PROJECTS", project=project):
            return project
    raise refuse(404, f"No project could be found with key '{key}'.")
