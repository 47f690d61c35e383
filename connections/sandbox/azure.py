"""Azure DevOps REST 7.1: work items, WIQL and identities as the vendor's published OpenAPI describes them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connections.sandbox.routes import (
    HTML_TYPE,
    RefusalError,
    Reply,
    Request,
    Route,
    Routes,
    Vendor,
    basic,
)
from connections.sandbox.world import AzureIdentity, AzureOrg, AzureProject, AzureWorkItem

type AzureRequest = Request[AzureOrg, AzureIdentity]

ROUTES = Routes(ignore_case=True)
_SIGN_IN = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head><body>Sign in</body></html>"
_CLAUSE = re.compile(
    r"\s*\[(?P<field>[\w.]+)\]\s*(?P<sign><>|<=|>=|=|<|>|\bin\b)\s*"
    r"(?P<value>\((?:[^')]|'(?:[^']|'')*')*\)|'(?:[^']|'')*'|@project|-?\d+)\s*",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"\s*select\s+(?P<columns>.+?)\s+from\s+workitems(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+order\s+by\s+(?P<order>.+?))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_FIELDS = {
    "system.id": "System.Id",
    "system.teamproject": "System.TeamProject",
    "system.title": "System.Title",
    "system.workitemtype": "System.WorkItemType",
    "system.state": "System.State",
}


# Refusals


def refuse(status: int, message: str, kind: str, event: int = 3000) -> RefusalError:
    """The error body as recorded."""
    return RefusalError(
        Reply(
            status,
            {
                "$id": "1",
                "innerException": None,
                "message": message,
                "typeName": f"Microsoft.TeamFoundation.{kind}, Microsoft.TeamFoundation",
                "typeKey": kind,
                "errorCode": 0,
                "eventId": event,
            },
        )
    )


def lost(request: AzureRequest) -> Reply:
    message = f"The controller for path '{request.path}' was not found or does not implement IController."
    return refuse(404, message, "HttpException").reply


def crash(what: str) -> Reply:
    return refuse(500, what, "UnexpectedException").reply


# Door and limits


def admit(request: AzureRequest) -> None:
    """A token as the password of HTTP Basic; a bad one gets a sign-in page with 203 as often as a 401."""
    pair = basic(request)
    token = next((known for known in request.site.tokens if pair and known.token == pair[1]), None)
    if token is not None:
        request.called_by(request.site.identities[token.identity_id])
        return
    if request.site.sign_in_page:
        raise RefusalError(Reply(203, _SIGN_IN, content_type=HTML_TYPE))
    message = "TF400813: The user '' is not authorized to access this resource."
    raise refuse(401, message, "UnauthorizedRequestException")


def throttle(_request: AzureRequest, _route: Route) -> None:
    """Azure counts load, not calls: nothing the sandbox does weighs enough."""


# Organisation


@ROUTES.on("GET", "/_apis/connectionData")
def connection_data(request: AzureRequest) -> Reply:
    """Preview resource connectionData, as clients use it: who the token belongs to."""
    caller = request.caller
    user = {
        "id": caller.id,
        "providerDisplayName": caller.name,
        "isActive": caller.active,
        "properties": {"Account": {"$type": "System.String", "$value": caller.account or caller.mail or ""}},
    }
    return Reply(200, {"authenticatedUser": user, "authorizedUser": user, "deploymentType": "hosted"})


@ROUTES.on("GET", "/_apis/projects")
def projects(request: AzureRequest) -> Reply:
    """Core, Projects - List."""
    rows = [
        {
            "id": project.id,
            "name": project.name,
            "url": f"{request.home}/_apis/projects/{project.id}",
            "state": "wellFormed",
        }
        for project in request.site.projects.values()
    ]
    return Reply(200, {"count": len(rows), "value": rows})


def check_version(request: AzureRequest) -> None:
    if "api-version" in request.params or "api-version=" in request.headers.get("accept", ""):
        return
    message = (
        "No api-version was supplied for the POST request. The version must be supplied either as part of the "
        'Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").'
    )
    raise refuse(400, message, "VssVersionNotSpecifiedException")


def body_object(request: AzureRequest) -> dict[str, Any]:
    check_version(request)
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refuse(400, "TF400898: The request body is not valid JSON.", "VssRequestContentException")
    return body


def found_project(request: AzureRequest, name: str) -> AzureProject:
    for project in request.site.projects.values():
        if name.casefold() in {project.name.casefold(), project.id}:
            return project
    message = f"TF200016: The following project does not exist: {name}. Verify that the name of the project is correct."
    raise refuse(404, message, "ProjectDoesNotExistWithNameException")


# Work items


@ROUTES.on("POST", "/_apis/wit/workitemsbatch")
def work_items_batch(request: AzureRequest) -> Reply:
    """Work Items - Get Work Items Batch: at most 200; one missing id fails all unless errorPolicy is omit."""
    body = body_object(request)
    return _work_items(request, body.get("ids"), body.get("fields"), str(body.get("errorPolicy") or "fail"))


@ROUTES.on("POST", "/{project}/_apis/wit/workitemsbatch")
def project_work_items_batch(request: AzureRequest, project: str) -> Reply:
    """The same below a project."""
    found_project(request, project)
    return work_items_batch(request)


@ROUTES.on("GET", "/_apis/wit/workitems")
def work_items(request: AzureRequest) -> Reply:
    """Work Items - List: ids in the query, the same limit of 200."""
    ids = [int(part) for part in (request.param("ids") or "").split(",") if part.strip().isdecimal()]
    fields = (request.param("fields") or "").split(",") if request.param("fields") else None
    return _work_items(request, ids, fields, request.param("errorPolicy") or "fail")


def _work_items(request: AzureRequest, ids: Any, fields: list[str] | None, policy: str) -> Reply:
    if not isinstance(ids, list) or not ids:
        raise refuse(400, "TF401229: The ids are missing or empty.", "WorkItemTrackingArgumentException")
    if len(ids) > 200:
        message = f"VS403474: You requested {len(ids)} work items which exceeds the limit of 200."
        raise refuse(400, message, "WorkItemsBatchLimitExceededException", 3200)
    known = {number: _visible_item(request.site, number) for number in dict.fromkeys(ids)}
    missing = [number for number, item in known.items() if item is None]
    if missing and policy.lower() != "omit":
        message = (
            f"TF401232: Work item {missing[0]} does not exist, or you do not have permissions to read it."
        )
        raise refuse(404, message, "WorkItemUnauthorizedAccessException", 3200)
    rows = [_work_item_json(request, item, fields) for item in known.values() if item]
    return Reply(200, {"count": len(rows), "value": rows})


def _visible_item(site: AzureOrg, number: Any) -> AzureWorkItem | None:
    item = site.work_items.get(number)
    return item if item and item.visible else None


def item_fields(item: AzureWorkItem) -> dict[str, Any]:
    return {
        "System.Id": item.id,
        "System.TeamProject": item.project,
        "System.WorkItemType": item.kind,
        "System.State": item.state,
        "System.Title": item.title,
    }


def _work_item_json(request: AzureRequest, item: AzureWorkItem, fields: list[str] | None) -> dict[str, Any]:
    wanted = {name.strip().lower() for name in fields} if fields else None
    shown = {name: value for name, value in item_fields(item).items() if not wanted or name.lower() in wanted}
    return {"id": item.id, "rev": 1, "fields": shown, "url": _item_address(request, item)}


def _item_address(request: AzureRequest, item: AzureWorkItem) -> str:
    return f"{request.home}/_apis/wit/workItems/{item.id}"


# WIQL


@ROUTES.on("POST", "/_apis/wit/wiql")
def wiql(request: AzureRequest) -> Reply:
    """Wiql - Query By Wiql over all projects."""
    return _query(request, None)


@ROUTES.on("POST", "/{project}/_apis/wit/wiql")
def project_wiql(request: AzureRequest, project: str) -> Reply:
    """Wiql - Query By Wiql; @project is the one in the address."""
    return _query(request, found_project(request, project))


@ROUTES.on("POST", "/{project}/{team}/_apis/wit/wiql")
def team_wiql(request: AzureRequest, project: str, team: str) -> Reply:  # noqa: ARG001
    """Wiql - Query By Wiql with a team, which changes nothing here."""
    return _query(request, found_project(request, project))


def _query(request: AzureRequest, project: AzureProject | None) -> Reply:
    query = str(body_object(request).get("query") or "")
    parts = _QUERY.fullmatch(query)
    if parts is None:
        raise bad_query(query)
    tests = _tests(parts["where"] or "", project)
    visible = [item for item in request.site.work_items.values() if item.visible]
    found = _ordered([item for item in visible if all(test(item) for test in tests)], parts["order"])
    found = found[: int(request.param("$top") or len(found))]
    if len(found) > request.site.wiql_limit:
        raise _too_many(request.site.wiql_limit)
    return Reply(200, _query_json(request, parts["columns"], parts["order"], found))


def bad_query(query: str) -> RefusalError:
    return refuse(400, f"TF51006: The query statement is not valid: {query[:200]}", "SyntaxException", 3200)


def _too_many(limit: int) -> RefusalError:
    message = (
        f"VS402337: The number of work items returned exceeds the size limit of {limit}. "
        "Change the query to return fewer items."
    )
    return refuse(400, message, "QueryResultSizeLimitExceededException", 3200)


def _tests(where: str, project: AzureProject | None) -> list[Callable[[AzureWorkItem], bool]]:
    tests, position = [], 0
    while position < len(where):
        match = _CLAUSE.match(where, position)
        if match is None:
            raise bad_query(where)
        tests.append(_test(match, project))
        joint = re.compile(r"and\b|$", re.IGNORECASE).match(where, match.end())
        if joint is None:
            raise bad_query(where)
        position = joint.end()
    return tests


def _test(match: re.Match[str], project: AzureProject | None) -> Callable[[AzureWorkItem], bool]:
    name = field_name(match["field"])
    wanted = [_folded(value) for value in _literals(match["value"], project)]
    compare: dict[str, Callable[[Any], bool]] = {
        "=": lambda held: held == wanted[0],
        "<>": lambda held: held != wanted[0],
        ">": lambda held: held > wanted[0],
        "<": lambda held: held < wanted[0],
        ">=": lambda held: held >= wanted[0],
        "<=": lambda held: held <= wanted[0],
        "in": lambda held: held in wanted,
    }
    test = compare[match["sign"].lower()]
    return lambda item: test(_folded(item_fields(item)[name]))


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def field_name(text: str) -> str:
    known = _FIELDS.get(text.strip().lower())
    if known is None:
        raise refuse(
            400,
            f"TF51005: The query references a field that does not exist: {text}.",
            "SyntaxException",
            3200,
        )
    return known


def _literals(text: str, project: AzureProject | None) -> list[Any]:
    if text.lower() == "@project":
        if project is None:
            raise refuse(400, "VS403437: @project needs a project in the address.", "SyntaxException", 3200)
        return [project.name]
    found = re.findall(r"'((?:[^']|'')*)'|(-?\d+)", text)
    return [int(number) if number else quoted.replace("''", "'") for quoted, number in found]


def _order_rules(order: str | None) -> list[tuple[str, bool]]:
    rules = []
    for rule in (order or "").split(","):
        match = re.fullmatch(r"\s*\[([\w.]+)\]\s*(asc|desc)?\s*", rule, re.IGNORECASE)
        if match:
            rules.append((field_name(match[1]), (match[2] or "").lower() == "desc"))
        elif rule.strip():
            raise bad_query(rule)
    return rules


def _ordered(items: list[AzureWorkItem], order: str | None) -> list[AzureWorkItem]:
    for name, descending in reversed(_order_rules(order)):
        items = sorted(items, key=lambda item: item_fields(item)[name], reverse=descending)
    return items


def _query_json(
    request: AzureRequest, columns: str, order: str | None, items: list[AzureWorkItem]
) -> dict[str, Any]:
    names = [field_name(column.strip().strip("[]")) for column in columns.split(",")]
    sorts = [{"field": _field_json(request, name), "descending": down} for name, down in _order_rules(order)]
    return {
        "queryType": "flat",
        "queryResultType": "workItem",
        "asOf": datetime.fromtimestamp(request.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "columns": [_field_json(request, name) for name in names],
        "sortColumns": sorts,
        "workItems": [{"id": item.id, "url": _item_address(request, item)} for item in items],
    }


def _field_json(request: AzureRequest, name: str) -> dict[str, str]:
    short = name.removeprefix("System.")
    return {"referenceName": name, "name": short, "url": f"{request.home}/_apis/wit/fields/{name}"}


# Identities


@ROUTES.on("GET", "/_apis/identities")
def identities(request: AzureRequest) -> Reply:
    """Identities - Read Identities: by ids (null for one that is unknown), or by a search."""
    ids = request.param("identityIds")
    if ids is not None:
        found = [request.site.identities.get(_guid(part)) for part in ids.split(",") if part.strip()]
        return _identity_list(found)
    value, kind = (
        (request.param("filterValue") or "").casefold(),
        (request.param("searchFilter") or "").lower(),
    )
    if not value or kind not in _SEARCHES:
        raise refuse(400, "TF400856: The search filter is not valid.", "ArgumentException")
    return _identity_list([row for row in request.site.identities.values() if value in _SEARCHES[kind](row)])


def _guid(text: str) -> str:
    digits = text.strip().lower().replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_SEARCHES: dict[str, Callable[[AzureIdentity], set[str]]] = {
    "mailaddress": lambda row: {(row.mail or "").casefold()},
    "accountname": lambda row: {row.account.casefold()},
    "displayname": lambda row: {row.name.casefold()},
    "general": lambda row: {(row.mail or "").casefold(), row.account.casefold(), row.name.casefold()},
}


def _identity_list(rows: list[AzureIdentity | None]) -> Reply:
    return Reply(200, {"count": len(rows), "value": [identity_json(row) if row else None for row in rows]})


def identity_json(identity: AzureIdentity) -> dict[str, Any]:
    """Identity with its property bag; Mail is left out where there is none."""
    values = {"SchemaClassName": "Group" if identity.group else "User", "Account": identity.account}
    if identity.mail:
        values["Mail"] = identity.mail
    shown: dict[str, Any] = {
        "id": identity.id,
        "descriptor": f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{identity.account}",
        "subjectDescriptor": f"aad.{identity.id}",
        "providerDisplayName": identity.name,
        "isActive": identity.active,
        "members": [],
        "memberOf": [],
        "memberIds": [],
        "properties": {name: {"$type": "System.String", "$value": value} for name, value in values.items()},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }
    return shown | ({"isContainer": True} if identity.group else {})


VENDOR = Vendor(ROUTES, admit, throttle, lost, crash)
