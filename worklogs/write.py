"""Carries out one action. The only module that changes the other side.

Every function here either returns what the target stored, or raises SiteError: with code `unknown_outcome` where
the write may have happened, with any other code where it certainly has not.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connections.clients.http import Answer, FaultKind, SiteError
from connections.clients.jira import JiraClient
from worklogs.dialects import jira as jira_dialect
from worklogs.dialects import tempo as tempo_dialect
from worklogs.issues import Issue
from worklogs.plan import Mapped
from worklogs.sides import JiraSide, Side, TempoSide
from worklogs.worklog import Worklog


@dataclass(frozen=True, slots=True)
class Written:
    """What the target says it stored, and the request and answer for the audit."""

    stored: Worklog
    exchange: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a connection writes: `estimate` is "leave" or "auto" (the issue's remaining estimate), `origin` the
    names that go into the marker."""

    estimate: str
    origin: dict[str, str]


def create(side: Side, mapped: Mapped, issue: Issue, manner: Manner) -> Written:
    """One new worklog, with its marker in the create itself."""
    if isinstance(side, TempoSide):
        body = {"issueId": int(issue.id), **_tempo_body(side, mapped, issue, manner)}
        return _read_back(side, side.tempo.create_worklog(body), side.read)
    jira = _jira(side, mapped)
    body = jira_dialect.body(mapped.copy, _marker(mapped, manner))
    answer = jira.create_worklog(issue.id, body, adjust_estimate=manner.estimate)
    return _read_back(side, answer, jira_dialect.worklog)


def create_many(side: TempoSide, batch: Sequence[Mapped], issue: Issue) -> list[Written]:
    """Up to 50 new worklogs of one issue in one call, all or none."""
    bodies = [tempo_dialect.body(mapped.copy, side.marker_attribute) for mapped in batch]
    answer = side.tempo.create_bulk(int(issue.id), bodies)
    try:
        stored = [side.read(row) for row in answer.data]
    except (KeyError, TypeError, ValueError) as fault:
        raise _unreadable(side, answer) from fault
    if len(stored) != len(batch):
        raise _unreadable(side, answer)
    record = answer.exchange.as_json()
    order = matched([mapped.copy for mapped in batch], stored)
    return [
        Written(
            stored[place],
            {**record, "request_body": body, "response_body": answer.data[place], "bulk": len(bodies)},
        )
        for place, body in zip(order, bodies, strict=True)
    ]


def matched(copies: Sequence[Worklog], stored: Sequence[Worklog]) -> list[int]:
    """For each copy the place of its row among as many rows that a bulk's answer gives.

    All rows are of this call. No page says that they keep its order, nor that the vendor stores each value as it was
    sent: those that are the same go together first, then those that differ ever more.
    """
    found: dict[int, int] = {}
    for likeness in (_whole, _all_but_text, _person_and_day, _anything):
        left: dict[object, deque[int]] = defaultdict(deque)
        for place, row in enumerate(stored):
            if place not in found.values():
                left[likeness(row)].append(place)
        for number, copy in enumerate(copies):
            if number not in found and left[likeness(copy)]:
                found[number] = left[likeness(copy)].popleft()
    return [found[number] for number in range(len(copies))]


def update(side: Side, mapped: Mapped, before: Worklog, issue: Issue, manner: Manner) -> Written:
    """The copy as it should be. Tempo's PUT replaces all: what Twinlog does not carry is sent back as it stands."""
    if isinstance(side, TempoSide):
        body = _tempo_body(side, mapped, issue, manner)
        body["attributes"] = _merged(before, side.marker_attribute, body.get("attributes", []))
        return _read_back(side, side.tempo.update_worklog(int(before.entry), body), side.read)
    jira = _jira(side, mapped)
    body = _changed(mapped.copy, before)
    answer = jira.update_worklog(issue.id, before.entry, body, adjust_estimate=manner.estimate)
    return _read_back(side, answer, jira_dialect.worklog)


def _changed(copy: Worklog, before: Worklog) -> dict[str, Any]:
    """What Jira has to be told: unsent fields stay, and a comment sent again loses what plain text cannot hold."""
    body = {**jira_dialect.body(copy), "comment": jira_dialect.comment(copy)}
    same = {
        "started": bool(copy.moment and before.moment and copy.moment.instant == before.moment.instant),
        "timeSpentSeconds": copy.seconds == before.seconds,
        "comment": copy.text == before.text,
    }
    changed = {name: value for name, value in body.items() if not same.get(name, False)}
    return changed or body


def move(side: JiraSide, before: Worklog, issue: Issue, manner: Manner) -> dict[str, Any]:
    """Takes a worklog to another issue as it is: in Jira id and author stay. The exchange, for the audit."""
    answer = side.jira.move_worklog(before.work, before.entry, issue.id, adjust_estimate=manner.estimate)
    return answer.exchange.as_json()


def remove(side: Side, worklog: str, issue: str, manner: Manner) -> dict[str, Any]:
    """Deletes a copy that stands elsewhere now; one that is gone already is as good."""
    try:
        if isinstance(side, TempoSide):
            return side.tempo.delete_worklog(int(worklog)).exchange.as_json()
        if isinstance(side, JiraSide):
            return side.jira.delete_worklog(
                issue, worklog, adjust_estimate=manner.estimate
            ).exchange.as_json()
    except SiteError as fault:
        if fault.status == 404 and fault.exchange:
            return fault.exchange.as_json()
        raise
    raise TypeError(f"nothing is known of a side like {side!r}")


def _jira(side: Side, mapped: Mapped) -> JiraClient:
    if not isinstance(side, JiraSide):
        raise TypeError(f"nothing is known of a side like {side!r}")
    return side.people[mapped.token] if mapped.token else side.jira


def _marker(mapped: Mapped, manner: Manner) -> dict[str, str]:
    return {**manner.origin, "entry": mapped.source.entry, "account": mapped.account}


def _tempo_body(side: TempoSide, mapped: Mapped, issue: Issue, manner: Manner) -> dict[str, Any]:
    body = tempo_dialect.body(mapped.copy, side.marker_attribute)
    if manner.estimate == "leave" and issue.remaining is not None:
        body["remainingEstimateSeconds"] = issue.remaining
    return body


def _merged(before: Worklog, marker_attribute: str, sent: list[dict[str, str]]) -> list[dict[str, str]]:
    values = dict(before.attributes)
    if marker_attribute and before.marker:
        values[marker_attribute] = before.marker
    values |= {pair["key"]: pair["value"] for pair in sent}
    return [{"key": key, "value": value} for key, value in values.items()]


def _whole(worklog: Worklog) -> object:
    return _all_but_text(worklog), worklog.text


def _all_but_text(worklog: Worklog) -> object:
    wall = worklog.moment.wall if worklog.moment else None
    return worklog.person.account, wall, worklog.seconds


def _person_and_day(worklog: Worklog) -> object:
    return worklog.person.account, worklog.moment.day if worklog.moment else None


def _anything(_worklog: Worklog) -> object:
    return None


def _read_back(side: Side, answer: Answer, read: Callable[[dict], Worklog]) -> Written:
    try:
        return Written(read(answer.data), answer.exchange.as_json())
    except (KeyError, TypeError, ValueError) as fault:
        raise _unreadable(side, answer) from fault


def _unreadable(side: Side, answer: Answer) -> SiteError:
    return SiteError(
        side.name,
        FaultKind.PASSING,
        "unknown_outcome",
        f"{side.name} answered {answer.status} with what is no worklog; it is looked for first.",
        answer.exchange,
    )
