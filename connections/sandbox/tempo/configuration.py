"""Tempo's configuration, periods and approvals."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from connections.sandbox.routes import Reply
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest
from connections.sandbox.tempo.finding import check_user, visible_rows
from connections.sandbox.tempo.reading import day
from connections.sandbox.tempo.shapes import page, person
from connections.sandbox.world import TempoRole, TempoSite, days


@ROUTES.on("GET", f"{API}/globalconfiguration")
def global_configuration(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getGlobalConfiguration."""
    site = request.site
    body: dict[str, Any] = {
        "allowLoggingOnClosedAccount": False,
        "approvalPeriod": site.approval_period,
        "approvalWeekStart": 1,
        "numberOfDaysAllowedIntoFuture": site.days_into_future,
        "planApprovalEnabled": False,
        "remainingEstimateOptional": site.estimate_optional,
        "startAndEndTimesEnabled": True,
        "startAndEndTimesForPlanningEnabled": False,
        "weekStart": 1,
        "worklogDescriptionOptional": site.description_optional,
    }
    if site.max_hours_per_day is not None:
        body["maxHoursPerDayPerUser"] = site.max_hours_per_day
    return Reply(200, body)


@ROUTES.on("GET", f"{API}/permission-roles")
def permission_roles(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getPermissionRoles: all of them, or those of one team."""
    team = request.param("teamId")
    roles = [role for role in request.site.roles if team is None or team in map(str, role.teams)]
    envelope, shown = page(request, roles)
    return Reply(200, envelope | {"results": [_role_json(request, role) for role in shown]})


def _role_json(request: TempoRequest, role: TempoRole) -> dict[str, Any]:
    return {
        "self": f"{request.home}{API}/permission-roles/{role.id}",
        "id": role.id,
        "name": role.name,
        "editable": True,
        "accessType": "TEAM" if role.teams else "GLOBAL",
        "accessEntities": [{"id": team, "self": f"{request.home}{API}/teams/{team}"} for team in role.teams],
        "permissions": [{"key": key} for key in role.permissions],
        "permittedUsers": [person(request, member) for member in role.members],
    }


def _range(request: TempoRequest) -> tuple[date, date]:
    site = request.site
    return day(site, request.param("from"), "from"), day(site, request.param("to"), "to")


def _timesheet(request: TempoRequest) -> tuple[date, date]:
    if request.param("to"):
        return _range(request)
    first = day(request.site, request.param("from"), "from")
    return first, _period(request.site, first)[1]


def _periods(site: TempoSite, first: date, last: date) -> list[tuple[date, date]]:
    """The approval weeks or months that the days from first to last fall into."""
    found = {_period(site, work_day): None for work_day in days(first, last)}
    return list(found)


def _period(site: TempoSite, work_day: date) -> tuple[date, date]:
    if site.approval_period == "MONTH":
        begin = work_day.replace(day=1)
        return begin, (begin + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    monday = work_day - timedelta(days=work_day.weekday())
    return monday, monday + timedelta(days=6)


@ROUTES.on("GET", f"{API}/periods")
def periods(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, getPeriods: says nothing about open or closed."""
    found = _periods(request.site, *_range(request))
    return Reply(
        200, {"periods": [{"from": first.isoformat(), "to": last.isoformat()} for first, last in found]}
    )


@ROUTES.on("GET", f"{API}/timesheet-approvals/user/{{account}}")
def timesheet_approval(request: TempoRequest, account: str) -> Reply:
    """Tempo v4 OpenAPI, getTimesheetApprovalForUser: without `to` it is the period that `from` falls into."""
    check_user(request, account)
    first, last = _timesheet(request)
    rows = [row for row in visible_rows(request) if row.author_id == account and first <= row.day <= last]
    query = urlencode({"from": first.isoformat(), "to": last.isoformat()})
    return Reply(
        200,
        {
            "self": f"{request.home}{request.path}?{query}",
            "period": {"from": first.isoformat(), "to": last.isoformat()},
            "requiredSeconds": 5 * 8 * 3600,
            "timeSpentSeconds": sum(row.seconds for row in rows),
            "status": {"key": _status(request.site, account, first, last)},
            "user": person(request, account),
            "worklogs": {"self": f"{request.home}{API}/worklogs/user/{account}?{query}"},
            "actions": {},
        },
    )


def _status(site: TempoSite, account: str, first: date, last: date) -> str:
    """Of the timesheet that holds all these days."""
    for status, timesheets in (("APPROVED", site.approved), ("IN_REVIEW", site.in_review)):
        if any(begin <= first and last <= end for begin, end in timesheets.get(account, [])):
            return status
    return "OPEN"
