"""Two companies that work on the same things: `acme` and `globex`, each with a Jira and Tempo on it.

Twelve issues are pairs: those of `globex` bear the label `acme-KEY`. INT-1 of either is its own business. Eight people
log time in both. 150 worklogs stand on each side: 96 are on both (people entered them twice, six with other words), 46
are missing on the other one, 8 are on INT-1.

So the first run of the sync `acme-globex` links 96 and creates 92, changes the six, and leaves 16 alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from connections.sandbox.world import TempoSite, TempoWorklog, World
from connections.sandbox.worlds.builder import Builder, Human
from connections.sandbox.worlds.demo_texts import comment, title

CONNECTION = "acme-globex"
TWINS, REWORDED, ALONE, INTERNAL = 96, 6, 46, 8
PEOPLE = (
    Human("Nadia Weber", "nadia.weber@acme.example"),
    Human("Tomasz Kowalski", "tomasz.kowalski@acme.example"),
    Human("Priya Li", "priya.li@acme.example", time_zone="Asia/Kolkata"),
    Human("Søren Eriksen", "soeren.eriksen@acme.example"),
    Human("Hannah Moreau", "hannah.moreau@globex.example"),
    Human("Rafael Costa", "rafael.costa@globex.example", time_zone="America/New_York"),
    Human("Zoë Adler", "zoe.adler@globex.example"),
    Human("Kofi Haddad", "kofi.haddad@globex.example", time_zone="Europe/London"),
)
_PROJECTS = (
    ("SHOP", "STORE", "Web shop", 5),
    ("APP", "MOBILE", "Mobile app", 4),
    ("OPS", "HOST", "Hosting", 3),
)
_FIRST_DAY = date(2025, 9, 1)
_LENGTHS = (900, 1800, 2700, 3600, 5400, 7200, 10_800)


def companies(seed: int = 2027) -> World:
    """The two of them in a world of their own."""
    return add_companies(World(), seed)


def add_companies(world: World, seed: int = 2027) -> World:
    """The same beside what the world holds already; its own draws stay as they are."""
    builder = Builder(seed, world=world)
    acme, globex = (builder.tempo(builder.jira(name)) for name in ("acme", "globex"))
    world.connections[CONNECTION] = _sync(acme, globex)
    for human in PEOPLE:
        builder.jira_account(acme.jira, human)
        builder.jira_account(globex.jira, human)
    keys = _issues(builder, acme, globex)
    _work(Timesheet(builder), acme, globex, keys)
    for site in (acme, globex, acme.jira, globex.jira):
        site.limits = True
    return world


def _sync(left: TempoSite, right: TempoSite) -> dict[str, Any]:
    return {
        "kind": "sync",
        "left": left.name,
        "right": right.name,
        "direction": "both",
        "schedule": "* * * * *",
        "issues": {"match": "label", "on": "right", "label": "acme-{key}"},
        "people": {"match": "email"},
    }


def _issues(builder: Builder, left: TempoSite, right: TempoSite) -> list[tuple[str, str]]:
    """The keys of each pair, the left one first."""
    pairs = []
    for ours, theirs, name, count in _PROJECTS:
        left.jira.add_project(ours, name)
        right.jira.add_project(theirs, name)
        for number in range(1, count + 1):
            pair, summary = (f"{ours}-{number}", f"{theirs}-{number}"), title(builder.draw)
            left.jira.add_issue(pair[0], summary=summary)
            right.jira.add_issue(pair[1], summary=summary, labels=(f"acme-{pair[0]}",))
            pairs.append(pair)
    for site in (left, right):
        site.jira.add_project("INT", "Internal")
        site.jira.add_issue("INT-1", summary="Meetings and training")
    return pairs


@dataclass(frozen=True)
class Work:
    """A piece of work, and where it was entered."""

    left: bool = False
    right: bool = False
    reworded: bool = False
    internal: bool = False


_WORK = {
    Work(left=True, right=True): TWINS - REWORDED,
    Work(left=True, right=True, reworded=True): REWORDED,
    Work(left=True): ALONE,
    Work(right=True): ALONE,
    Work(left=True, internal=True): INTERNAL,
    Work(right=True, internal=True): INTERNAL,
}


class Timesheet:
    """People fill their days from nine o'clock on: no two worklogs of a person begin at the same time."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._slots = self._free()

    def _free(self) -> Iterator[tuple[Human, datetime]]:
        day = _FIRST_DAY
        while True:
            if day.weekday() < 5:
                for hour in (9, 13):
                    for human in PEOPLE:
                        yield human, datetime.combine(day, time(hour))
            day += timedelta(days=1)

    def fill(self, *places: tuple[TempoSite, str], reworded: bool = False) -> None:
        """One piece of work, entered on the issue of each of these sites; `reworded` in other words on the last."""
        human, start = next(self._slots)
        seconds, text = self.builder.draw.choice(_LENGTHS), comment(self.builder.draw)
        billable = 0 if self.builder.draw.random() < 0.1 else seconds
        for number, (site, key) in enumerate(places):
            words = comment(self.builder.draw) if reworded and number else text
            made = start.replace(tzinfo=UTC) + timedelta(hours=8 + number)
            self._put(site, key, human, TempoWorklog(
                site.new_id(), 0, "", start.date(), start.time().isoformat(), seconds, billable, words, {}, made, made,
            ))  # fmt: skip

    def _put(self, site: TempoSite, key: str, human: Human, row: TempoWorklog) -> None:
        issue, account = site.jira.issue(key), site.jira.account_of(human.email)
        if issue is None or account is None:
            raise LookupError(key, human.name)
        row.issue_id, row.author_id = issue.id, account.account_id
        site.put(row)


def _work(sheet: Timesheet, left: TempoSite, right: TempoSite, keys: list[tuple[str, str]]) -> None:
    """All of it in one order of time, mixed."""
    work = [work for work, count in _WORK.items() for _ in range(count)]
    sheet.builder.draw.shuffle(work)
    for piece in work:
        ours, theirs = ("INT-1", "INT-1") if piece.internal else sheet.builder.draw.choice(keys)
        places = [(left, ours)] * piece.left + [(right, theirs)] * piece.right
        sheet.fill(*places, reworded=piece.reworded)
