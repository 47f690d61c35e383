"""A clean world of any size, for load tests and for killing runs: every entry can be written."""

from datetime import datetime, timedelta

from connections.sandbox.world import PaceUser, PaceWorklog, World
from connections.sandbox.worlds.builder import Builder, Human, migration

_FIRST_DAY = datetime(2024, 1, 1)  # noqa: DTZ001


def many(
    entries: int = 2000,
    issues: int = 100,
    people: int = 20,
    seed: int = 7,
    *,
    tempo: bool = False,
    limits: bool = False,
    latency: float = 0.0,
) -> World:
    """Entries spread evenly over issues and people; no two of one issue begin at the same time.

    Connections: contoso-to-jca, and with `tempo` contoso-to-jca-tempo.
    """
    builder = Builder(seed)
    world = builder.world
    jira = builder.jira("jca")
    azure = builder.azure("contoso", "Contoso")
    pace = builder.sevenpace(azure)
    world.connections["contoso-to-jca"] = migration(pace.name, jira.name)
    if tempo:
        world.connections["contoso-to-jca-tempo"] = migration(pace.name, builder.tempo(jira).name)
    jira.add_project("DEV", "Development")
    for number in range(1, issues + 1):
        builder.issue_of(
            jira, f"DEV-{number}", builder.work_item(azure, number, "Contoso", f"Piece of work {number}")
        )
    authors = _authors(builder, people)
    for number in range(entries):
        _add_entry(builder, number, issues, authors)
    world.set_limits(limits)
    world.set_latency(latency)
    return world


def _authors(builder: Builder, people: int) -> list[PaceUser]:
    jira, azure, pace = (
        builder.world.jira["jca"],
        builder.world.azure["contoso"],
        builder.world.sevenpace["contoso"],
    )
    authors = []
    for number in range(1, people + 1):
        human = Human(f"Person {number}", f"person{number}@contoso.example")
        builder.jira_account(jira, human)
        authors.append(builder.pace_user(pace, azure, human))
    return authors


def _add_entry(builder: Builder, number: int, issues: int, authors: list[PaceUser]) -> None:
    turn, issue = divmod(number, issues)
    day, slot = divmod(turn, 20)
    start = _FIRST_DAY + timedelta(days=day, hours=6, minutes=30 * slot)
    author = authors[(issue + turn) % len(authors)]
    seconds = builder.draw.choice([900, 1800, 3600, 5400, 3725])
    builder.world.sevenpace["contoso"].put(
        PaceWorklog(
            builder.guid(),
            author.id,
            start,
            seconds,
            issue + 1,
            f"Entry {number + 1}",
            created=start,
            edited=start,
        )
    )
