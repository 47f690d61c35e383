"""Tempo's worklogs: created, changed, deleted, and every wall that stands in the way."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connections.sandbox.jira.access import may
from connections.sandbox.routes import Reply
from connections.sandbox.tempo import changes
from connections.sandbox.tempo.door import API, ROUTES, TempoRequest, refuse
from connections.sandbox.tempo.finding import seen_worklog
from connections.sandbox.tempo.reading import body_json, check_attribute, day, number
from connections.sandbox.tempo.shapes import worklog_json
from connections.sandbox.world import JiraAccount, JiraIssue, TempoSite, TempoWorklog

_TIME = re.compile(r"([0-1]?[0-9]|2[0-3])(:[0-5][0-9])(:[0-5][0-9])")
_LOG_FOR_OTHERS = "io.tempo.jira__log-work-for-others"
_BILLABLE = "io.tempo.jira__set-billable-hours"


@ROUTES.on("POST", f"{API}/worklogs")
def create_worklog(request: TempoRequest) -> Reply:
    """Tempo v4 OpenAPI, createWorklog: 200, not 201; the issue by number only."""
    body = body_json(request, dict)
    if "issueId" not in body:
        raise refuse(request.site, 400, "Issue id cannot be null.")
    issue = loggable_issue(request, number(request.site, body, "issueId", 1))
    bypass = bool(body.get("bypassPeriodClosuresAndApprovals")) and request.site.override_mode
    _check_estimate(request.site, body.get("remainingEstimateSeconds"))
    with request.site.lock:
        worklog = drafted(request, issue, body, bypass=bypass)
        store(request, worklog, body.get("remainingEstimateSeconds"))
    return Reply(200, worklog_json(request, worklog))


@ROUTES.on("POST", f"{API}/worklogs/issue/{{issue}}/bulk")
def create_worklogs(request: TempoRequest, issue: str) -> Reply:
    """Tempo v4 OpenAPI, createWorklogs for one issue: all or none; 409 while another one runs for this issue."""
    site = request.site
    rows = body_json(request, list)
    if not 1 <= len(rows) <= 50:
        raise refuse(site, 400, "The number of worklogs must be between 1 and 50")
    found = loggable_issue(request, int(issue) if issue.isdecimal() else 0)
    _check_estimate(site, None)
    _begin_bulk(site, found)
    try:
        request.dwell()
        with site.lock:
            worklogs = _drafted_all(request, found, rows)
            for worklog in worklogs:
                store(request, worklog, None)
    finally:
        site.bulk_running.discard(found.id)
    return Reply(200, [worklog_json(request, worklog) for worklog in worklogs])


def _begin_bulk(site: TempoSite, issue: JiraIssue) -> None:
    with site.lock:
        if issue.id in site.bulk_running:
            raise refuse(site, 409, "A bulk operation is already in progress for this issue")
        site.bulk_running.add(issue.id)


def _drafted_all(request: TempoRequest, issue: JiraIssue, rows: list[Any]) -> list[TempoWorklog]:
    planned: dict[tuple[str, date], int] = {}
    worklogs = []
    for row in rows:
        if not isinstance(row, dict):
            raise refuse(request.site, 400, "Every worklog must be an object")
        allowed = {key: value for key, value in row.items() if key != "remainingEstimateSeconds"}
        worklog = drafted(request, issue, allowed, planned=planned)
        key = (worklog.author_id, worklog.day)
        planned[key] = planned.get(key, 0) + worklog.seconds
        worklogs.append(worklog)
    return worklogs


@ROUTES.on("PUT", f"{API}/worklogs/{{worklog}}")
def update_worklog(request: TempoRequest, worklog: str) -> Reply:
    """Tempo v4 OpenAPI, updateWorklog: replaces everything; what is not sent is reset or removed."""
    site, old = request.site, seen_worklog(request, worklog)
    body = body_json(request, dict)
    issue = site.jira.issues[old.issue_id]
    with site.lock:
        _check_others(request, issue, old, "EDIT_ALL_WORKLOGS")
        _check_locks(site, old.author_id, old.day)
        new = drafted(request, issue, body, old=old)
        _take_from_estimate(issue, body.get("remainingEstimateSeconds"), new.seconds - old.seconds)
        changes.put(site, new, request.caller.account_id, _now(request))
    return Reply(200, worklog_json(request, new))


@ROUTES.on("DELETE", f"{API}/worklogs/{{worklog}}")
def delete_worklog(request: TempoRequest, worklog: str) -> Reply:
    """Tempo v4 OpenAPI, deleteWorklog: 204; locked days refuse it as they refuse any change."""
    site, old = request.site, seen_worklog(request, worklog)
    issue = site.jira.issues[old.issue_id]
    bypass = request.flag("bypassPeriodClosuresAndApprovals") and site.override_mode
    with site.lock:
        _check_others(request, issue, old, "DELETE_ALL_WORKLOGS")
        if not bypass:
            _check_locks(site, old.author_id, old.day)
        changes.drop(site, old, request.caller.account_id, _now(request))
        _take_from_estimate(issue, None, -old.seconds)
    return Reply(204)


def _now(request: TempoRequest) -> datetime:
    return datetime.fromtimestamp(request.now(), UTC)


def _check_others(request: TempoRequest, issue: JiraIssue, worklog: TempoWorklog, permission: str) -> None:
    if worklog.author_id != request.caller.account_id and not may(request.caller, permission, issue):
        raise refuse(request.site, 400, "You do not have permission to change worklogs of other users")


def loggable_issue(request: TempoRequest, number_: int) -> JiraIssue:
    issue = request.site.jira.issues.get(number_)
    if issue is None or not issue.visible or not may(request.caller, "BROWSE_PROJECTS", issue):
        raise refuse(request.site, 400, f"Issue with id {number_} was not found or you may not see it")
    return issue


def drafted(
    request: TempoRequest,
    issue: JiraIssue,
    body: dict[str, Any],
    *,
    bypass: bool = False,
    planned: dict[tuple[str, date], int] | None = None,
    old: TempoWorklog | None = None,
) -> TempoWorklog:
    """The worklog a valid body describes; every wall Tempo has raises a refusal."""
    site, now = request.site, datetime.fromtimestamp(int(request.now()), UTC)
    author = _author(request, issue, body)
    seconds = number(site, body, "timeSpentSeconds", 1)
    work_day = day(site, body.get("startDate"), "startDate")
    _check_open(site, issue)
    _check_day(request, work_day)
    if not bypass:
        _check_locks(site, author.account_id, work_day)
    busy = (planned or {}).get((author.account_id, work_day), 0)
    _check_hours(site, author, work_day, seconds + busy - _already(old, author, work_day))
    return TempoWorklog(
        id=old.id if old else site.new_id(),
        issue_id=issue.id,
        author_id=author.account_id,
        day=work_day,
        start=_start_time(site, body.get("startTime")),
        seconds=seconds,
        billable_seconds=_billable(request, issue, body, seconds),
        description=_description(site, body),
        attributes=_attributes(site, body.get("attributes") or []),
        created=old.created if old else now,
        updated=now,
        jira_worklog_id=old.jira_worklog_id if old else None,
    )


def _already(old: TempoWorklog | None, author: JiraAccount, work_day: date) -> int:
    return old.seconds if old and (old.author_id, old.day) == (author.account_id, work_day) else 0


def _author(request: TempoRequest, issue: JiraIssue, body: dict[str, Any]) -> JiraAccount:
    site = request.site
    author = site.jira.accounts.get(str(body.get("authorAccountId") or ""))
    if author is None:
        raise refuse(site, 400, "Worker: user with the given account id was not found")
    if not author.active:
        raise refuse(site, 400, f"Worker: user {author.account_id} is inactive")
    if author is not request.caller and not may(request.caller, _LOG_FOR_OTHERS, issue):
        raise refuse(site, 400, "You do not have permission to log work for other users")
    if not may(author, "WORK_ON_ISSUES", issue) or not may(author, "BROWSE_PROJECTS", issue):
        raise refuse(
            site, 400, f"User {author.account_id} does not have permission to log work on this issue"
        )
    return author


def _check_open(site: TempoSite, issue: JiraIssue) -> None:
    if issue.is_archived or not issue.editable:
        raise refuse(site, 400, "The issue is not in an editable workflow state; work cannot be logged on it")


def _check_day(request: TempoRequest, work_day: date) -> None:
    today = datetime.fromtimestamp(request.now(), UTC).date()
    allowed = request.site.days_into_future
    if work_day > today + timedelta(days=allowed):
        raise refuse(request.site, 400, f"Work cannot be logged more than {allowed} days into the future")


def _check_locks(site: TempoSite, account_id: str, work_day: date) -> None:
    for first, last in site.closed_periods:
        if first <= work_day <= last:
            raise refuse(
                site, 400, f"The period {first} - {last} is closed; worklogs in it cannot be changed"
            )
    for first, last in site.approved.get(account_id, []):
        if first <= work_day <= last:
            raise refuse(
                site, 400, f"The timesheet {first} - {last} is approved; worklogs in it cannot be changed"
            )


def _check_hours(site: TempoSite, author: JiraAccount, work_day: date, seconds: int) -> None:
    most = site.max_hours_per_day
    if most is not None and site.seconds_on(author.account_id, work_day) + seconds > most * 3600:
        raise refuse(site, 400, f"Maximum of {most} hours per day per user exceeded on {work_day}")


def _start_time(site: TempoSite, value: Any) -> str:
    if value is None:
        return "00:00:00"
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise refuse(site, 400, "'startTime' must be valid on the format: 'HH:mm:ss'")
    return value.zfill(8)


def _billable(request: TempoRequest, issue: JiraIssue, body: dict[str, Any], seconds: int) -> int:
    if body.get("billableSeconds") is None:
        return seconds
    billable = number(request.site, body, "billableSeconds", 0)
    if billable != seconds and not may(request.caller, _BILLABLE, issue):
        raise refuse(request.site, 400, "You do not have permission to set billable hours")
    return billable


def _description(site: TempoSite, body: dict[str, Any]) -> str:
    text = body.get("description") or ""
    if not isinstance(text, str):
        raise refuse(site, 400, "'description' must be a text")
    if not text and not site.description_optional:
        raise refuse(site, 400, "Description is required")
    return text


def _attributes(site: TempoSite, rows: Any) -> dict[str, str]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("key") for row in rows):
        raise refuse(site, 400, "'attributes' must be a list of keys and values")
    values = {row["key"]: str(row.get("value") or "") for row in rows}
    for key, value in values.items():
        check_attribute(site, site.attributes.get(key), key, value)
    for known in site.attributes.values():
        if known.required and not values.get(known.key):
            raise refuse(site, 400, f"Work attribute '{known.key}' ({known.name}) is required")
    return {key: value for key, value in values.items() if value}


def store(request: TempoRequest, worklog: TempoWorklog, estimate: Any) -> None:
    """Keeps the worklog and takes it off the remaining estimate, as Tempo does unless told what shall remain."""
    changes.put(request.site, worklog, request.caller.account_id, _now(request))
    _take_from_estimate(request.site.jira.issues[worklog.issue_id], estimate, worklog.seconds)


def _check_estimate(site: TempoSite, estimate: Any) -> None:
    if estimate is None and not site.estimate_optional:
        raise refuse(site, 400, "Remaining estimate is required")


def _take_from_estimate(issue: JiraIssue, estimate: Any, seconds: int) -> None:
    if type(estimate) is int:
        issue.remaining_seconds = estimate
    elif issue.remaining_seconds is not None:
        issue.remaining_seconds = max(0, issue.remaining_seconds - seconds)
