"""What a change of a worklog sets off in Tempo: a line in the audit log, webhooks, and the mirror into Jira."""

import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime
from typing import Any, Literal

from connections.sandbox.news import AuditRow, Letter, MirrorJob, TempoSubscription
from connections.sandbox.world import TempoSite, TempoWorklog

type Action = Literal["Created", "Updated", "Deleted"]

_FIELDS = {
    "author": "author_id",
    "issueId": "issue_id",
    "startDate": "day",
    "startTime": "start",
    "timeSpentSeconds": "seconds",
    "billableSeconds": "billable_seconds",
    "description": "description",
}


def put(site: TempoSite, worklog: TempoWorklog, by: str, at: datetime, *, mirrored: bool = False) -> None:
    """Stores a new or changed worklog and tells of it; `mirrored`: it came from Jira."""
    old = site.worklogs.get(worklog.id)
    if old:
        site.drop(old)
    site.put(worklog)
    _tell(site, "Updated" if old else "Created", (old, worklog), by, at, mirrored=mirrored)


def drop(site: TempoSite, worklog: TempoWorklog, by: str, at: datetime, *, mirrored: bool = False) -> None:
    site.drop(worklog)
    if worklog.jira_worklog_id:
        site.buried.add(worklog.jira_worklog_id)
    _tell(site, "Deleted", (worklog, None), by, at, mirrored=mirrored)


def _tell(
    site: TempoSite,
    action: Action,
    states: tuple[TempoWorklog | None, TempoWorklog | None],
    by: str,
    at: datetime,
    *,
    mirrored: bool,
) -> None:
    last = states[1] or states[0]
    if last is None:
        raise ValueError("a change has a state before or after it")
    site.audit.append(_audit_row(site, action, states, last, by, at, mirrored=mirrored))
    _write_letters(site, f"worklog.{action.lower()}", last, by, at)
    if not mirrored:
        due = at.timestamp() + site.mirror_lag
        site.mirror.append(MirrorJob(due, "tempo", last.id, last.jira_worklog_id or 0))


def _audit_row(
    site: TempoSite,
    action: Action,
    states: tuple[TempoWorklog | None, TempoWorklog | None],
    last: TempoWorklog,
    by: str,
    at: datetime,
    *,
    mirrored: bool,
) -> AuditRow:
    before, after = (_values(state) for state in states)
    changes = {
        name: (before.get(name), after.get(name))
        for name in before | after
        if before.get(name) != after.get(name)
    }
    return AuditRow(
        action="Synced" if mirrored and site.audit_synced else action,
        tempo_id=last.id,
        jira_id=last.jira_worklog_id,
        issue_id=last.issue_id,
        author_id=by,
        worker_id=last.author_id,
        at=at,
        changes=changes,
        deletes=action == "Deleted",
    )


def _values(worklog: TempoWorklog | None) -> dict[str, str | None]:
    if worklog is None:
        return {}
    plain = {name: str(getattr(worklog, attribute)) for name, attribute in _FIELDS.items()}
    return {**plain, **worklog.attributes}


def _write_letters(site: TempoSite, event: str, worklog: TempoWorklog, by: str, at: datetime) -> None:
    for subscription in list(site.subscriptions.values()):
        if subscription.active and subscription.event == event:
            site.outbox.append(_letter(site, subscription, event_json(event, worklog, by), at))


def _letter(site: TempoSite, subscription: TempoSubscription, body: dict[str, Any], at: datetime) -> Letter:
    """Tempo v4, "Validation and security": signs the body and the time of the first attempt."""
    payload, timestamp = json.dumps(body, ensure_ascii=False).encode(), precise(at)
    signed = hmac.new(subscription.secret.encode(), payload + timestamp.encode(), hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "Tempo-Timestamp": timestamp,
        "Tempo-Signature": signed.hexdigest(),
        "Tempo-Jira-Client-Key": str(uuid.uuid5(uuid.NAMESPACE_DNS, site.jira.name)),
        "Tempo-Tenant-ID": str(uuid.uuid5(uuid.NAMESPACE_DNS, site.name)),
    }
    return Letter("POST", subscription.url, payload, headers, subscription.id)


def event_json(event: str, worklog: TempoWorklog, by: str) -> dict[str, Any]:
    """Tempo v4, "Supported events": neither attributes nor the id in Jira; of a deleted worklog its last state."""
    payload = {
        "author": {"accountId": worklog.author_id},
        "updater": {"accountId": by},
        "billableSeconds": worklog.billable_seconds,
        "createdAt": precise(worklog.created),
        "description": worklog.description,
        "issue": {"id": worklog.issue_id},
        "startDate": worklog.day.isoformat(),
        "startTime": worklog.start,
        "tempoWorklogId": worklog.id,
        "timeSpentSeconds": worklog.seconds,
        "updatedAt": precise(worklog.updated),
    }
    return {"eventId": str(uuid.uuid4()), "eventType": event, "payload": payload}


def precise(moment: datetime) -> str:
    """To the millisecond, in UTC with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
