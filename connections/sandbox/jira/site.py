"""A Jira site itself and its people."""

from datetime import UTC, datetime
from typing import Any

from connections.sandbox.jira.access import may
from connections.sandbox.jira.door import API, ROUTES, JiraRequest, refuse
from connections.sandbox.jira.reading import number_param
from connections.sandbox.jira.shapes import instant, page_of, person
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraAccount, JiraSite


@ROUTES.on("GET", f"{API}/serverInfo", open=True)
def server_info(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getServerInfo: needs no token."""
    now = datetime.fromtimestamp(request.now(), UTC)
    return Reply(
        200,
        {
            "baseUrl": request.home,
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100_000,
            "buildDate": "2026-01-01T00:00:00.000+0000",
            "serverTime": instant(now, request.site.time_zone),
            "scmInfo": "sandbox",
            "serverTitle": f"Sandbox {request.site.name}",
            "serverTimeZone": request.site.time_zone,
        },
    )


@ROUTES.on("GET", f"{API}/configuration")
def configuration(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getConfiguration."""
    tracking = {
        "workingHoursPerDay": 8.0,
        "workingDaysPerWeek": 5.0,
        "timeFormat": "pretty",
        "defaultUnit": "minute",
    }
    switches = ("votingEnabled", "watchingEnabled", "unassignedIssuesAllowed", "subTasksEnabled")
    body: dict[str, Any] = dict.fromkeys((*switches, "issueLinkingEnabled", "attachmentsEnabled"), True)
    body["timeTrackingEnabled"] = request.site.time_tracking
    if request.site.time_tracking:
        body["timeTrackingConfiguration"] = tracking
    return Reply(200, body)


@ROUTES.on("GET", f"{API}/field")
def fields(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getFields."""
    system = {"summary": "Summary", "labels": "Labels", "project": "Project", "timetracking": "Time tracking"}
    rows = [_field(name, title, "string", [name], custom=False) for name, title in system.items()]
    for known in request.site.custom_fields:
        schema = "number" if known.kind == "number" else "string"
        rows.append(_field(known.id, known.name, schema, [f"cf[{known.number}]", known.name], custom=True))
    return Reply(200, rows)


def _field(name: str, title: str, schema: str, clauses: list[str], *, custom: bool) -> dict[str, Any]:
    details: dict[str, Any] = {"type": schema}
    if custom:
        kind = "float" if schema == "number" else "textfield"
        details |= {
            "custom": f"com.atlassian.jira.plugin.system.customfieldtypes:{kind}",
            "customId": int(name[12:]),
        }
    else:
        details["system"] = name
    return {
        "id": name, "key": name, "name": title, "custom": custom, "orderable": True, "navigable": True,
        "searchable": True, "clauseNames": clauses, "schema": details,
    }  # fmt: skip


@ROUTES.on("GET", f"{API}/myself")
def myself(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getCurrentUser: one's own address is never hidden."""
    account = request.caller
    own = {"emailAddress": account.email, "timeZone": account.time_zone, "locale": "en_US"}
    groups = {"size": len(account.groups), "items": [{"name": name} for name in sorted(account.groups)]}
    roles = {"size": 1, "items": [{"key": "jira-software", "name": "Jira Software"}]}
    extra = {"groups": groups, "applicationRoles": roles, "expand": "groups,applicationRoles"}
    return Reply(200, person(request, account) | own | extra)


@ROUTES.on("GET", f"{API}/user")
def get_user(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getUser."""
    account = request.site.accounts.get(request.param("accountId") or "")
    if not may(request.caller, "USER_PICKER"):
        raise refuse(403, "You do not have permission to browse users.")
    if account is None:
        raise refuse(404, "Specified user does not exist or you do not have required permissions.")
    return Reply(200, person(request, account))


@ROUTES.on("GET", f"{API}/user/bulk")
def get_users(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, bulkGetUsers: pages of 10 unless asked otherwise."""
    asked = request.params.get("accountId")
    if not asked:
        raise refuse(400, "The accountId parameter is required.")
    found = [request.site.accounts[name] for name in dict.fromkeys(asked) if name in request.site.accounts]
    first, size = number_param(request, "startAt", 0), min(number_param(request, "maxResults", 10), 200)
    page = [person(request, account) for account in found[first : first + size]]
    return page_of(request, "user/bulk", page, first, size, len(found))


@ROUTES.on("GET", f"{API}/user/search")
def search_users(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, findUsers: prefixes of names and addresses, active people only, empty without the permission.

    A hidden address is searched too, but never shown.
    """
    query, account_id = request.param("query"), request.param("accountId")
    if query is None and account_id is None:
        raise refuse(400, "Either the query or the accountId parameter must be set.")
    if not may(request.caller, "USER_PICKER"):
        return Reply(200, [])
    found = [
        account
        for account in _by_name(request.site)
        if account.active and _matches(account, query, account_id)
    ]
    first, size = number_param(request, "startAt", 0), number_param(request, "maxResults", 50)
    return Reply(200, [person(request, account) for account in found[:1000][first : first + size]])


def _by_name(site: JiraSite) -> list[JiraAccount]:
    return sorted(site.accounts.values(), key=lambda account: (account.name, account.account_id))


def _matches(account: JiraAccount, query: str | None, account_id: str | None) -> bool:
    if account_id is not None:
        return account.account_id == account_id
    words = [account.email, account.name, *account.name.split()]
    return any(word.casefold().startswith((query or "").casefold()) for word in words)


@ROUTES.on("GET", f"{API}/users/search")
def all_users(request: JiraRequest) -> Reply:
    """Jira v3 OpenAPI, getAllUsers: inactive and deleted ones too."""
    if not may(request.caller, "USER_PICKER"):
        raise refuse(403, "You do not have permission to browse users.")
    first, size = number_param(request, "startAt", 0), min(number_param(request, "maxResults", 50), 1000)
    return Reply(200, [person(request, account) for account in _by_name(request.site)[first : first + size]])
