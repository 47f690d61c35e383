"""Tempo's mirror: worklogs of Tempo in its Jira, and Jira's in Tempo, a moment later.

KB 2954788869: Tempo writes a worklog with "basic worklog info" into Jira, as its own user; of what people do in Jira it
learns by Jira's webhooks, and by a daily check of what fires none. What is not stated, and taken to be so here: whole
minutes in Jira, and locks of Tempo that do not hold what comes from Jira.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connections.sandbox import adf
from connections.sandbox.jira import changes as jira_changes
from connections.sandbox.news import MirrorJob
from connections.sandbox.tempo import changes as tempo_changes
from connections.sandbox.tempo.shapes import instant_of, zone_of
from connections.sandbox.world import JiraSite, JiraWorklog, TempoSite, TempoWorklog, World

_ROUNDINGS = {"down": math.floor, "up": math.ceil, "nearest": lambda value: math.floor(value + 0.5)}


@dataclass(frozen=True)
class Basics:
    """What the two sides share of a worklog."""

    issue_id: int
    started: datetime
    seconds: int
    text: str


def catch_up(world: World) -> None:
    """Carries over what is due by the world's clock, or waits for whoever is doing so."""
    for site in world.tempo.values():
        _carry_over(site, world.clock(), due_by=world.clock())


def settle(world: World) -> None:
    """Carries over everything, due or not, as if the lag had passed."""
    for site in world.tempo.values():
        _carry_over(site, world.clock(), due_by=math.inf)


def is_owing(world: World) -> bool:
    return any(site.mirror for site in world.tempo.values())


def daily_check(world: World) -> None:
    """Finds what Jira fired no event for: bulk moves, imports, worklogs older than Tempo."""
    for site in world.tempo.values():
        with site.lock:
            for jira_id in list(dict.fromkeys([*site.twins, *site.jira.worklogs])):
                _to_tempo(site, jira_id, world.clock())


def _carry_over(site: TempoSite, now: float, due_by: float) -> None:
    with site.lock:
        while site.mirror and site.mirror[0].due <= due_by:
            _carry_out(site, site.mirror.popleft(), now)


def _carry_out(site: TempoSite, job: MirrorJob, now: float) -> None:
    if job.changed == "tempo":
        _to_jira(site, job, now)
    else:
        _to_tempo(site, job.jira_id, now)


# Tempo to Jira


def _to_jira(site: TempoSite, job: MirrorJob, now: float) -> None:
    """A worklog that was deleted in Jira meanwhile stays deleted: the news of it is on its way."""
    source = site.worklogs.get(job.tempo_id)
    if source is None:
        _drop_from_jira(site.jira, job.jira_id, now)
    elif not source.jira_worklog_id:
        _add_to_jira(site, source, now)
    elif source.jira_worklog_id in site.jira.worklogs:
        _change_in_jira(site, source, site.jira.worklogs[source.jira_worklog_id], now)


def _add_to_jira(site: TempoSite, source: TempoWorklog, now: float) -> None:
    jira, basics, app = site.jira, basics_of(site, source), site.app.account_id
    at, number = jira.tick(now), jira.new_worklog_id()
    copy = JiraWorklog(
        number, basics.issue_id, app, basics.started, basics.seconds, adf.document(basics.text), at, at, app
    )
    site.join(source, number)
    issue = jira.issues[basics.issue_id]
    jira_changes.put(jira, issue, copy, "worklog_created", mirrored=True)
    jira.add_to_total(issue, basics.seconds)


def _change_in_jira(site: TempoSite, source: TempoWorklog, copy: JiraWorklog, now: float) -> None:
    jira, basics = site.jira, basics_of(site, source)
    if basics == _basics_in_jira(copy):
        return
    jira.add_to_total(jira.issues[copy.issue_id], basics.seconds - copy.seconds)
    copy.started, copy.seconds, copy.comment = basics.started, basics.seconds, adf.document(basics.text)
    copy.updated, copy.update_author_id = jira.tick(now), site.app.account_id
    jira_changes.put(jira, jira.issues[copy.issue_id], copy, "worklog_updated", mirrored=True)


def _drop_from_jira(jira: JiraSite, jira_id: int, now: float) -> None:
    copy = jira.worklogs.get(jira_id)
    if copy:
        issue = jira.issues[copy.issue_id]
        jira_changes.drop(jira, issue, copy, jira.tick(now), mirrored=True)
        jira.add_to_total(issue, -copy.seconds)


def basics_of(site: TempoSite, worklog: TempoWorklog) -> Basics:
    """What the mirror writes into Jira: whole minutes, at least one, and no more text than Jira takes."""
    text = worklog.description if site.mirror_comment is None else site.mirror_comment
    started = instant_of(site, worklog)
    return Basics(worklog.issue_id, started, _in_minutes(site, worklog.seconds), text[: adf.TEXT_LIMIT])


def _in_minutes(site: TempoSite, seconds: int) -> int:
    if site.mirror_rounding not in _ROUNDINGS:
        return seconds
    return max(60, _ROUNDINGS[site.mirror_rounding](seconds / 60) * 60)


def _basics_in_jira(worklog: JiraWorklog) -> Basics:
    return Basics(worklog.issue_id, worklog.started, worklog.seconds, worklog.text)


# Jira to Tempo


def _to_tempo(site: TempoSite, jira_id: int, now: float) -> None:
    source, twin = site.jira.worklogs.get(jira_id), site.twin_of(jira_id)
    at = datetime.fromtimestamp(now, UTC)
    if source is None and twin:
        tempo_changes.drop(site, twin, twin.author_id, at, mirrored=True)
    elif source and twin:
        _change_in_tempo(site, source, twin, at)
    elif source and jira_id not in site.buried:
        by = source.update_author_id or source.author_id
        tempo_changes.put(site, _twin(site, source, at), by, at, mirrored=True)


def _twin(site: TempoSite, source: JiraWorklog, at: datetime) -> TempoWorklog:
    wall = _wall_clock(site, source.author_id, source.started)
    at = at.replace(microsecond=0)
    return TempoWorklog(
        site.new_id(), source.issue_id, source.author_id, wall.date(), wall.strftime("%H:%M:%S"), source.seconds,
        source.seconds, source.text, {}, at, at, source.id,
    )  # fmt: skip


def _wall_clock(site: TempoSite, account_id: str, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(zone_of(site, account_id)))


def _change_in_tempo(site: TempoSite, source: JiraWorklog, twin: TempoWorklog, at: datetime) -> None:
    """Takes over what differs from what the mirror would have written: seconds and texts Jira never had stay."""
    theirs, ours = _basics_in_jira(source), basics_of(site, twin)
    new = replace(twin, issue_id=theirs.issue_id, updated=at.replace(microsecond=0))
    if theirs.started != ours.started:
        wall = _wall_clock(site, twin.author_id, theirs.started)
        new.day, new.start = wall.date(), wall.strftime("%H:%M:%S")
    if theirs.seconds not in {ours.seconds, twin.seconds}:
        follows = twin.billable_seconds == twin.seconds
        new.seconds = theirs.seconds
        new.billable_seconds = theirs.seconds if follows else twin.billable_seconds
    if theirs.text != ours.text:
        new.description = theirs.text
    if replace(new, updated=twin.updated) != twin:
        tempo_changes.put(site, new, source.update_author_id or source.author_id, at, mirrored=True)
