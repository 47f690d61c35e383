"""What a change of a worklog sets off on a Jira site: the feed, webhooks, and Tempo where it is installed."""

import hashlib
import hmac
import json
import uuid
from datetime import datetime
from typing import Any, Literal

from connections.sandbox import jql
from connections.sandbox.jira.shapes import duration, instant
from connections.sandbox.news import JiraWebhook, Letter, MirrorJob
from connections.sandbox.world import JiraIssue, JiraSite, JiraWorklog, milliseconds

type Event = Literal["worklog_created", "worklog_updated", "worklog_deleted"]


def put(
    site: JiraSite, issue: JiraIssue, worklog: JiraWorklog, event: Event, *, mirrored: bool = False
) -> None:
    """Stores a new or changed worklog and tells of it; `mirrored`: Tempo knows already. The total stays as it is."""
    site.put_worklog(issue, worklog)
    _tell(site, event, worklog, worklog.updated)
    if not mirrored:
        _tell_tempo(site, worklog, worklog.updated)


def drop(
    site: JiraSite, issue: JiraIssue, worklog: JiraWorklog, at: datetime, *, mirrored: bool = False
) -> None:
    site.drop_worklog(issue, worklog, at)
    _tell(site, "worklog_deleted", worklog, at)
    if not mirrored:
        _tell_tempo(site, worklog, at)


def move(site: JiraSite, worklog: JiraWorklog, target: JiraIssue) -> None:
    """To another issue, under the same id. Nobody is told: Tempo finds out by its daily check."""
    with site.lock:
        del site.issues[worklog.issue_id].worklogs[worklog.id]
        worklog.issue_id = target.id
        target.worklogs[worklog.id] = worklog


def _tell_tempo(site: JiraSite, worklog: JiraWorklog, at: datetime) -> None:
    if site.tempo and site.tempo_installed:
        due = at.timestamp() + site.tempo.mirror_lag
        site.tempo.mirror.append(MirrorJob(due, "jira", 0, worklog.id))


def _tell(site: JiraSite, event: Event, worklog: JiraWorklog, at: datetime) -> None:
    for hook in list(site.webhooks.values()):
        if hook.enabled and event in hook.events and _concerns(site, hook, worklog):
            site.outbox.append(_letter(site, hook, event, worklog, at))


def _concerns(site: JiraSite, hook: JiraWebhook, worklog: JiraWorklog) -> bool:
    return not hook.jql or worklog.issue_id in jql.find(site, hook.jql)


def _letter(site: JiraSite, hook: JiraWebhook, event: Event, worklog: JiraWorklog, at: datetime) -> Letter:
    """Developer page "Webhooks": signed where there is a secret; the identifier stays the same across retries."""
    body = b"" if hook.exclude_body else json.dumps(event_json(site, event, worklog, at)).encode()
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "Atlassian Webhook HTTP Client",
        "X-Atlassian-Webhook-Identifier": str(uuid.uuid4()),
        "X-Atlassian-Webhook-Flow": "Primary",
    }
    if hook.secret:
        digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature"] = f"sha256={digest}"
    return Letter("POST", hook.url, body, headers, str(hook.id))


def event_json(site: JiraSite, event: Event, worklog: JiraWorklog, at: datetime) -> dict[str, Any]:
    """Captured delivery of 2021: addresses of the second API, a comment in plain text, neither issue nor project."""
    shown: dict[str, Any] = {
        "self": f"{site.home}/rest/api/2/issue/{worklog.issue_id}/worklog/{worklog.id}",
        "author": _person(site, worklog.author_id),
        "updateAuthor": _person(site, worklog.update_author_id or worklog.author_id),
        "created": instant(worklog.created, site.time_zone),
        "updated": instant(worklog.updated, site.time_zone),
        "started": instant(worklog.started, site.time_zone),
        "timeSpent": duration(worklog.seconds),
        "timeSpentSeconds": worklog.seconds,
        "id": str(worklog.id),
        "issueId": str(worklog.issue_id),
    }
    if worklog.text:
        shown["comment"] = worklog.text
    return {"timestamp": milliseconds(at), "webhookEvent": event, "worklog": shown}


def _person(site: JiraSite, account_id: str) -> dict[str, Any]:
    """Without the e-mail address, by the developer page "Webhooks"."""
    account = site.accounts[account_id]
    return {
        "self": f"{site.home}/rest/api/2/user?accountId={account_id}",
        "accountId": account_id,
        "avatarUrls": {size: f"{site.home}/avatar/{size}" for size in ("48x48", "24x24", "16x16", "32x32")},
        "displayName": account.name,
        "active": account.active,
        "timeZone": account.time_zone if account.email_shown else site.time_zone,
        "accountType": account.kind,
    }
