"""Jira's worklogs: read, created, changed, deleted, moved."""

from datetime import datetime
from typing import Any

from connections.sandbox.jira import changes
from connections.sandbox.jira.access import (
    check_notify,
    check_open,
    check_own,
    may,
    seen_worklog,
    sees,
    tracked_issue,
)
from connections.sandbox.jira.door import API, ROUTES, WORKLOG, WORKLOGS, JiraRequest, refuse, throttle_writes
from connections.sandbox.jira.reading import (
    body_object,
    comment,
    estimate_change,
    expands_properties,
    number_param,
    properties,
    spent_seconds,
    started,
    stored_seconds,
    too_short,
    visibility,
    worklog_ids,
)
from connections.sandbox.jira.shapes import worklog_json
from connections.sandbox.routes import Reply
from connections.sandbox.world import JiraIssue, JiraSite, JiraWorklog, milliseconds


@ROUTES.on("GET", WORKLOGS)
def get_issue_worklogs(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, getIssueWorklog: oldest first, at most 5000 a page; paging that is no number is a 404."""
    issue = tracked_issue(request, key)
    rows = [row for row in request.site.worklogs_of(issue.id) if sees(request.caller, row)]
    rows = _between(rows, number_param(request, "startedAfter", 0), number_param(request, "startedBefore", 0))
    first = max(0, number_param(request, "startAt", 0, status=404))
    size = min(max(0, number_param(request, "maxResults", 5000, status=404)), request.site.page_cap, 5000)
    page = [
        worklog_json(request, row, properties=expands_properties(request))
        for row in rows[first : first + size]
    ]
    return Reply(200, {"startAt": first, "maxResults": size, "total": len(rows), "worklogs": page})


def _between(rows: list[JiraWorklog], after: int, before: int) -> list[JiraWorklog]:
    """Strictly after and strictly before, in milliseconds; 0 means no bound."""
    return [
        row
        for row in rows
        if (not after or milliseconds(row.started) > after)
        and (not before or milliseconds(row.started) < before)
    ]


@ROUTES.on("POST", WORKLOGS)
def add_worklog(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, addWorklog: 201; the author is always the caller; properties are set with the create."""
    issue = tracked_issue(request, key)
    throttle_writes(request, issue)
    if not may(request.caller, "WORK_ON_ISSUES", issue):
        words = "You do not have the permission to associate a worklog to this issue."
        raise refuse(request.site.permission_status, words)
    check_open(issue)
    check_notify(request, issue)
    estimate = estimate_change(request, "reduceBy")
    worklog = _new_worklog(request, issue)
    with request.site.writing(issue) as total:
        request.dwell()
        _check_room(request.site, issue)
        changes.put(request.site, issue, worklog, "worklog_created")
        total.seconds += worklog.seconds
        estimate(issue, worklog.seconds)
    headers = {"Location": f"{request.home}{API}/issue/{issue.id}/worklog/{worklog.id}"}
    return Reply(201, worklog_json(request, worklog, properties=expands_properties(request)), headers)


def _new_worklog(request: JiraRequest, issue: JiraIssue) -> JiraWorklog:
    body = body_object(request)
    text, seconds, shown_to = comment(body), spent_seconds(body), visibility(body)
    if seconds is None:
        raise too_short("You must indicate the time spent working.")
    moment = started(body["started"]) if body.get("started") is not None else request.site.tick(request.now())
    marks = properties(body)
    now = request.site.tick(request.now())
    author = request.caller.account_id
    return JiraWorklog(
        request.site.new_worklog_id(), issue.id, author, moment, stored_seconds(request.site, seconds), text, now, now,
        author, marks, shown_to,
    )  # fmt: skip


def _check_room(site: JiraSite, issue: JiraIssue) -> None:
    if len(issue.worklogs) >= site.worklog_limit:
        raise refuse(413, f"This issue has reached the limit of {site.worklog_limit} worklogs.")


@ROUTES.on("GET", WORKLOG)
def get_worklog(request: JiraRequest, key: str, number: str) -> Reply:
    """Jira v3 OpenAPI, getWorklog."""
    worklog = seen_worklog(request, tracked_issue(request, key), number)
    return Reply(200, worklog_json(request, worklog, properties=expands_properties(request)))


@ROUTES.on("PUT", WORKLOG)
def update_worklog(request: JiraRequest, key: str, number: str) -> Reply:
    """Jira v3 OpenAPI, updateWorklog: fields that are not sent stay."""
    issue = tracked_issue(request, key)
    throttle_writes(request, issue)
    worklog = seen_worklog(request, issue, number)
    check_own(request, issue, worklog, "EDIT")
    check_open(issue)
    check_notify(request, issue)
    estimate = estimate_change(request, None)
    values = _values(request)
    with request.site.writing(issue) as total:
        request.dwell()
        added = values.get("seconds", worklog.seconds) - worklog.seconds
        _apply(request, worklog, values)
        changes.put(request.site, issue, worklog, "worklog_updated")
        total.seconds += added
        estimate(issue, added)
    return Reply(200, worklog_json(request, worklog, properties=expands_properties(request)))


def _values(request: JiraRequest) -> dict[str, Any]:
    body = body_object(request)
    values: dict[str, Any] = {}
    seconds = spent_seconds(body)
    if seconds is not None:
        values["seconds"] = stored_seconds(request.site, seconds)
    if body.get("started") is not None:
        values["started"] = started(body["started"])
    if "comment" in body:
        values["comment"] = comment(body)
    if "visibility" in body:
        values["visibility"] = visibility(body)
    if "properties" in body:
        values["properties"] = properties(body)
    return values


def _apply(request: JiraRequest, worklog: JiraWorklog, values: dict[str, Any]) -> None:
    worklog.properties |= values.pop("properties", {})
    for name, value in values.items():
        setattr(worklog, name, value)
    worklog.updated = request.site.tick(request.now())
    worklog.update_author_id = request.caller.account_id


@ROUTES.on("DELETE", WORKLOG)
def delete_worklog(request: JiraRequest, key: str, number: str) -> Reply:
    """Jira v3 OpenAPI, deleteWorklog: 204."""
    issue = tracked_issue(request, key)
    throttle_writes(request, issue)
    worklog = seen_worklog(request, issue, number)
    check_own(request, issue, worklog, "DELETE")
    check_open(issue)
    check_notify(request, issue)
    estimate = estimate_change(request, "increaseBy")
    with request.site.writing(issue) as total:
        request.dwell()
        changes.drop(request.site, issue, worklog, request.site.tick(request.now()))
        total.seconds -= worklog.seconds
        estimate(issue, -worklog.seconds)
    return Reply(204)


@ROUTES.on("DELETE", WORKLOGS)
def bulk_delete_worklogs(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, bulkDeleteWorklogs (experimental): 204 for all, 200 where some were left."""
    site, issue = request.site, tracked_issue(request, key)
    throttle_writes(request, issue)
    asked = worklog_ids(request, most=5000)
    if not may(request.caller, "DELETE_ALL_WORKLOGS", issue):
        raise refuse(400, "You do not have the permission to delete these worklogs.")
    rows = [issue.worklogs[number] for number in asked if number in issue.worklogs]
    rows = [row for row in rows if sees(request.caller, row)]
    with site.writing(issue) as total:
        request.dwell()
        for row in rows:
            _drop_in_bulk(site, issue, row, site.tick(request.now()))
            total.seconds -= row.seconds
    return Reply(204) if len(rows) == len(asked) else Reply(200, {})


def _drop_in_bulk(site: JiraSite, issue: JiraIssue, worklog: JiraWorklog, at: datetime) -> None:
    if site.bulk_delete_fires:
        changes.drop(site, issue, worklog, at)
    else:
        site.drop_worklog(issue, worklog, at)


@ROUTES.on("POST", f"{WORKLOGS}/move")
def bulk_move_worklogs(request: JiraRequest, key: str) -> Reply:
    """Jira v3 OpenAPI, bulkMoveWorklogs (experimental): 204 for all, 200 where some were left; no events at all.

    Worklogs restricted by role stay where they are.
    """
    site, source = request.site, tracked_issue(request, key)
    throttle_writes(request, source)
    target = tracked_issue(request, str(body_object(request).get("issueIdOrKey", "")))
    if target is source:
        raise refuse(400, "The worklogs are on this issue already.")
    asked = worklog_ids(request, most=5000)
    if not all(may(request.caller, f"{verb}_ALL_WORKLOGS", source) for verb in ("DELETE", "EDIT")):
        raise refuse(400, "You do not have the permission to move these worklogs.")
    rows = [source.worklogs[number] for number in asked if number in source.worklogs]
    rows = [row for row in rows if sees(request.caller, row) and not _is_bound_to_role(row)]
    seconds = sum(row.seconds for row in rows)
    with site.writing(source) as here, site.writing(target) as there:
        for row in rows:
            changes.move(site, row, target)
        here.seconds, there.seconds = here.seconds - seconds, there.seconds + seconds
    return Reply(204) if len(rows) == len(asked) else Reply(200, {})


def _is_bound_to_role(worklog: JiraWorklog) -> bool:
    return worklog.visibility is not None and worklog.visibility["type"] == "role"
