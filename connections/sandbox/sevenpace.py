"""7pace Timetracker, Azure DevOps edition: REST 3.2 and Reporting (OData) 3.x as the vendor's pages describe them.

It keeps the traps: unknown parameters are ignored without a word (and an encoded dollar makes any parameter unknown),
time filters are strict, REST times carry no zone, nothing tells the total.
"""

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_plus
from zoneinfo import ZoneInfo

from connections.sandbox import odata
from connections.sandbox.routes import (
    RefusalError,
    Reply,
    Request,
    Route,
    Routes,
    Vendor,
    basic,
    bearer,
)
from connections.sandbox.world import PaceUser, PaceWorklog, SevenPaceOrg

type PaceRequest = Request[SevenPaceOrg, PaceUser]

ROUTES = Routes(ignore_case=True)
REST = "/api/rest"
ODATA = "/api/odata/{version}/workLogsOnly"
_VERSIONS = {"3.0", "3.1", "3.2", "3.3-beta"}
_WIDE_ROLES = {"Product", "Budget", "Administrator"}
_ODATA_PAGE = 1000
_NOT_SET = "00000000-0000-0000-0000-000000000000"
_FLAGS = (
    "isTracked",
    "isManuallyEntered",
    "isChanged",
    "isTrackedExtended",
    "isImported",
    "isFromApi",
    "isBillable",
)


# Refusals


def refuse(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> RefusalError:
    """The error envelope of the REST API."""
    error = {"statusCode": status, "errorCode": code, "errorDescription": message, "message": message}
    return RefusalError(Reply(status, {"error": error}, headers or {}))


def refuse_query(message: str) -> RefusalError:
    """OData's own error shape."""
    return RefusalError(Reply(400, {"error": {"code": "", "message": message}}))


def lost(request: PaceRequest) -> Reply:
    return refuse(404, "EntityNotFound", f"No resource at {request.path}").reply


def crash(what: str) -> Reply:
    return refuse(500, "UnexpectedError", what).reply


# Door and limits


def admit(request: PaceRequest) -> None:
    """API information page: a bearer token, or Basic with any user and the token as password."""
    pair = basic(request)
    given = pair[1] if pair else bearer(request)
    token = next((known for known in request.site.tokens if known.token == given), None)
    if token is None:
        raise refuse(401, "UnauthorizedError", "Authorization has been denied for this request.")
    request.called_by(request.site.users[token.user_id])


def throttle(request: PaceRequest, _route: Route) -> None:
    """Generated client: 10 per second, 100 per minute; only Retry-After is documented."""
    wait = request.site.pace.wait(request.now()) if request.site.limits else 0.0
    if wait:
        headers = {"Retry-After": str(max(1, math.ceil(wait)))}
        raise refuse(429, "QuoteExceededError", "Quota exceeded. (10 per second, 100 per minute)", headers)


# Parameters


def dollar_params(query: str) -> dict[str, str]:
    """The query by its literal names: `%24count` is not `$count`."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {name: unquote_plus(value) for name, _, value in pairs}


def check_version(params: dict[str, str]) -> None:
    if params.get("api-version") not in _VERSIONS:
        raise version_error("The api-version parameter is missing or not supported.")


def version_error(message: str) -> RefusalError:
    """ApiVersionError stands for wrongly typed parameters too."""
    return refuse(400, "ApiVersionError", message)


def rest_params(request: PaceRequest) -> dict[str, str]:
    params = dollar_params(request.query)
    check_version(params)
    return params


def _whole(params: dict[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not text.isdecimal():
        raise version_error(f"The value '{text}' is not valid for {name}.")
    return int(text)


def _wall(params: dict[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise version_error(f"The value '{text}' is not valid for {name}.") from None


def _work_item_ids(params: dict[str, str]) -> set[int] | None:
    text = params.get("$workItemIds")
    if text is None:
        return None
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in ids):
        raise version_error(f"The value '{text}' is not valid for $workItemIds.")
    if len(ids) > 100:
        message = f"Count of work item ids ({len(ids)}) exceeds the maximum allowed value (100)."
        raise refuse(400, "FilterWorkItemIdsCountExceeded", message)
    return {int(part) for part in ids}


# REST


def stamp(wall: datetime) -> str:
    """A wall clock without an offset, as recorded."""
    return wall.isoformat(timespec="milliseconds" if wall.microsecond else "seconds")


def user_json(user: PaceUser, *, listed: bool, display_name: bool = False) -> dict[str, Any]:
    """A person as a row (`listed` False) or as /users shows them."""
    email = user.listed_email if listed else user.row_email
    unique_name = (user.listed_unique_name or user.unique_name) if listed else user.unique_name
    return {
        "uniqueName": unique_name,
        "vstsId": user.vsts_id,
        "vstsCollectionId": user.vsts_id,
        "vstsCollectionId2": user.vsts_id,
        "name": user.name,
        "displayName": user.name if display_name else None,
        "email": email,
        "id": user.id,
    }


def worklog_json(request: PaceRequest, worklog: PaceWorklog, params: dict[str, str]) -> dict[str, Any]:
    """REST CRUD page: a worklog row; seconds in `length`, null for what is not there."""
    named = params.get("$expand") == "user.displayName"
    author = user_json(request.site.users[worklog.user_id], listed=False, display_name=named)
    row = {
        "timestamp": stamp(worklog.timestamp),
        "length": worklog.seconds,
        "billableLength": worklog.billable_seconds,
        "workItemId": worklog.work_item_id,
        "comment": worklog.comment,
        "user": author,
        "addedByUser": author,
        "editedByUser": author,
        "createdTimestamp": stamp(worklog.created),
        "editedTimestamp": stamp(worklog.edited),
        "activityType": activity_json(request.site, worklog.activity_id),
        "flags": {flag: flag == "isManuallyEntered" for flag in _FLAGS},
        "id": worklog.id,
    }
    return row | (
        {"isCanEdit": True, "isCanDelete": True} if params.get("$includeEditable") == "true" else {}
    )


def activity_json(site: SevenPaceOrg, activity_id: str) -> dict[str, str]:
    name, color = site.activities.get(activity_id, ("[Not Set]", "ffffff"))
    return {"color": color, "name": name, "id": activity_id}


@ROUTES.on("GET", f"{REST}/me")
def me(request: PaceRequest) -> Reply:
    """REST CRUD page, me: the zone in minutes, of the token's owner only."""
    rest_params(request)
    account = {"id": request.site.url_name, "name": request.site.url_name}
    collection = {"vstsId": _NOT_SET, "vstsCollectionId": _NOT_SET}
    user = user_json(request.caller, listed=True)
    return Reply(
        200,
        {
            "data": {
                "user": user,
                "account": account | collection,
                "defaultActivityType": None,
                "timeZone": 60,
            }
        },
    )


@ROUTES.on("GET", f"{REST}/users")
def users(request: PaceRequest) -> Reply:
    """REST CRUD page, users."""
    params = rest_params(request)
    named = params.get("$expand") == "user.displayName"
    first, size = _whole(params, "$skip", 0), _whole(params, "$count", request.site.largest_count)
    rows = list(request.site.users.values())[first : first + min(size, request.site.largest_count)]
    return Reply(200, {"data": [user_json(user, listed=True, display_name=named) for user in rows]})


@ROUTES.on("GET", f"{REST}/users/{{user}}")
def user(request: PaceRequest, user: str) -> Reply:
    """REST CRUD page, users/{id}: the id is 7pace's own."""
    rest_params(request)
    found = request.site.users.get(user.lower())
    if found is None:
        raise refuse(404, "EntityNotFound", "The user was not found.")
    return Reply(200, {"data": user_json(found, listed=True)})


@ROUTES.on("GET", f"{REST}/activityTypes")
def activity_types(request: PaceRequest) -> Reply:
    """REST CRUD page, activityTypes."""
    rest_params(request)
    types = [activity_json(request.site, number) for number in (_NOT_SET, *request.site.activities)]
    return Reply(
        200, {"data": {"enabled": True, "activityTypes": types, "systemDefaultActivityTypeId": _NOT_SET}}
    )


@ROUTES.on("GET", f"{REST}/workLogs")
def own_worklogs(request: PaceRequest) -> Reply:
    """REST CRUD page, workLogs: the token owner's only."""
    rows = [row for row in request.site.worklogs.values() if row.user_id == request.caller.id]
    return _worklog_page(request, rows)


@ROUTES.on("GET", f"{REST}/workLogs/all")
def all_worklogs(request: PaceRequest) -> Reply:
    """REST CRUD page, workLogs/all: role Product, Budget or Administrator."""
    if request.caller.role not in _WIDE_ROLES:
        raise refuse(403, "AccessDenied", "You need the role Product, Budget or Administrator.")
    return _worklog_page(request, list(request.site.worklogs.values()))


@ROUTES.on("GET", f"{REST}/workLogs/{{worklog}}")
def one_worklog(request: PaceRequest, worklog: str) -> Reply:
    """REST CRUD page, workLogs/{id}."""
    params = rest_params(request)
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", worklog.lower()):
        raise version_error(f"The value '{worklog}' is not a valid id.")
    found = request.site.worklogs.get(worklog.lower())
    if found is None:
        raise refuse(404, "EntityNotFound", "The worklog was not found.")
    return Reply(200, {"data": worklog_json(request, found, params)})


def _worklog_page(request: PaceRequest, rows: list[PaceWorklog]) -> Reply:
    """Newest first; a $count beyond the largest is cut without a word; no total, no next link."""
    params = rest_params(request)
    rows = sorted(_filtered(rows, params), key=lambda row: (row.timestamp, row.id), reverse=True)
    most = request.site.largest_count
    first, size = _whole(params, "$skip", 0), min(_whole(params, "$count", most), most)
    return Reply(200, {"data": [worklog_json(request, row, params) for row in rows[first : first + size]]})


def _filtered(rows: list[PaceWorklog], params: dict[str, str]) -> list[PaceWorklog]:
    """All bounds are strict."""
    ids = _work_item_ids(params)
    after, before = _wall(params, "$fromTimestamp"), _wall(params, "$toTimestamp")
    made_after, made_before = _wall(params, "$fromCreatedTimestamp"), _wall(params, "$toCreatedTimestamp")
    return [
        row
        for row in rows
        if (ids is None or row.work_item_id in ids)
        and _strictly(after, row.timestamp, before)
        and _strictly(made_after, row.created, made_before)
    ]


def _strictly(after: datetime | None, moment: datetime, before: datetime | None) -> bool:
    return (after is None or moment > after) and (before is None or moment < before)


# OData


def odata_json(site: SevenPaceOrg, worklog: PaceWorklog) -> dict[str, Any]:
    """Vendor's metadata, ReportingWorkLog: users without their Azure id."""
    user = site.users[worklog.user_id]
    person = {"Id": user.id, "Name": user.name, "Email": user.row_email or user.listed_email}
    activity = activity_json(site, worklog.activity_id)
    day = worklog.timestamp.date()
    return {
        "Id": worklog.id,
        "UserId": user.id,
        "AddedByUserId": user.id,
        "BudgetId": None,
        "ActivityTypeId": worklog.activity_id,
        "WorkItemId": worklog.work_item_id,
        "Timestamp": _odata_stamp(site, worklog.timestamp),
        "PeriodLength": worklog.seconds,
        "BillablePeriodLength": worklog.billable_seconds,
        "Comment": worklog.comment,
        "EditedTimestamp": _odata_stamp(site, worklog.edited),
        "CreatedTimestamp": _odata_stamp(site, worklog.created),
        **{flag[0].upper() + flag[1:]: flag == "isManuallyEntered" for flag in _FLAGS},
        "User": person,
        "AddedByUser": person,
        "EditedByUser": person,
        "ActivityType": {"Id": activity["id"], "Color": activity["color"], "Name": activity["name"]},
        "Budget": None,
        "WorklogDate": {"Year": day.year, "Month": day.month, "Day": day.day, "ShortDate": day.isoformat()},
    }


def _odata_stamp(site: SevenPaceOrg, wall: datetime) -> str:
    """True UTC, or the wall clock stamped Z: sources do not say which, hence the switch."""
    return _utc_stamp(wall, "UTC" if site.odata_wall else site.time_zone)


@lru_cache(maxsize=200_000)
def _utc_stamp(wall: datetime, zone: str) -> str:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@ROUTES.on("GET", ODATA)
def odata_worklogs(request: PaceRequest, version: str) -> Reply:
    """Reporting page, workLogsOnly: 1000 rows a page, then @odata.nextLink."""
    return _odata_page(request, version, request.query)


@ROUTES.on("POST", f"{ODATA}/$query")
def odata_query(request: PaceRequest, version: str) -> Reply:
    """Reporting page, long queries: the query string as a text/plain body."""
    if not request.headers.get("content-type", "").startswith("text/plain"):
        raise RefusalError(
            Reply(415, {"error": {"code": "", "message": "Content-Type text/plain was expected."}})
        )
    return _odata_page(request, version, request.body.decode().strip().removeprefix("?"))


def _odata_page(request: PaceRequest, version: str, query: str) -> Reply:
    site = request.site
    if not site.service_account:
        raise refuse(403, "ServiceAccountNotSet", "The service account is not configured.")
    if version.lower().removeprefix("v") not in _VERSIONS:
        raise version_error("The version is not supported.")
    params = {unquote_plus(name): value for name, value in dollar_params(query).items()}
    rows = _odata_rows(site, params)
    first, size = _whole(params, "$skip", 0), _whole(params, "$top", len(rows))
    wanted = rows[first : first + size]
    page, rest = wanted[:_ODATA_PAGE], len(wanted) - _ODATA_PAGE
    address = f"{request.home}/api/odata/{version}"
    body: dict[str, Any] = {
        "@odata.context": f"{address}/$metadata#workLogsOnly",
        "value": _selected(page, params),
    }
    if rest > 0:
        body["@odata.nextLink"] = _next_link(f"{address}/workLogsOnly", params, first + _ODATA_PAGE, rest)
    return Reply(200, body)


def _odata_rows(site: SevenPaceOrg, params: dict[str, str]) -> list[dict[str, Any]]:
    rows = [odata_json(site, row) for row in list(site.worklogs.values())]
    try:
        for name in ("worklogsFilter", "$filter"):
            if params.get(name):
                test = odata.parse(params[name], allow_in=site.odata_in)
                rows = [row for row in rows if test(row)]
        return _ordered(rows, params.get("$orderby", "Id"))
    except (odata.ODataError, ValueError) as error:
        raise refuse_query(str(error)) from None


def _ordered(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    for rule in reversed(text.split(",")):
        path, _, direction = rule.strip().partition(" ")
        rows = sorted(rows, key=lambda row: _sort_key(row, path), reverse=direction.strip() == "desc")
    return rows


def _sort_key(row: dict[str, Any], path: str) -> tuple[bool, Any]:
    value = odata.value_at(row, path)
    return (value is not None, value)


def _selected(rows: list[dict[str, Any]], params: dict[str, str]) -> list[dict[str, Any]]:
    names = [name.strip() for name in params.get("$select", "").split(",") if name.strip()]
    return [{name: row[name] for name in names if name in row} for row in rows] if names else rows


def _next_link(address: str, params: dict[str, str], skip: int, rest: int) -> str:
    kept = {name: value for name, value in params.items() if name not in {"$skip", "$top"}}
    kept["$skip"] = str(skip)
    if "$top" in params:
        kept["$top"] = str(rest)
    return address + "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())


VENDOR = Vendor(ROUTES, admit, throttle, lost, crash)
