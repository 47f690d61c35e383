"""What a connection is told to do, in words: the choices of its form, and the facts on its page."""

from collections.abc import Iterator
from dataclasses import dataclass

from connections.models import Connection
from connections.options import (
    CarryOn,
    Conflicts,
    ConnectionOptions,
    Deletes,
    Direction,
    Estimate,
    Ids,
    IssueOptions,
    LongText,
    Lookalikes,
    Match,
    ODataTimes,
    PeopleMatch,
    PeopleOptions,
    Projects,
    Read,
    Rounding,
    Rules,
    Side,
)
from connections.wording import counted, number

DIRECTIONS = {
    Direction.BOTH: "Both ways",
    Direction.LEFT_TO_RIGHT: "From left to right",
    Direction.RIGHT_TO_LEFT: "From right to left",
}
CONFLICTS = {
    Conflicts.LATEST: "The latest change wins",
    Conflicts.LEFT: "The left side wins",
    Conflicts.RIGHT: "The right side wins",
    Conflicts.PARK: "A person decides",
}
DELETES = {
    Deletes.MIRROR: "Deleted on the other side too",
    Deletes.KEEP: "Kept on the other side",
    Deletes.PARK: "A person decides",
}
CARRY_ON = {
    CarryOn.MIGRATED: "What migrations brought",
    CarryOn.ALL: "Whatever Twinlog wrote",
    CarryOn.NONE: "Nothing Twinlog wrote",
}
READS = {Read.REST: "REST API", Read.ODATA: "Reporting API (OData)"}
ODATA_TIMES = {ODataTimes.UTC: "UTC", ODataTimes.WALL: "Wall clock of the source"}
ROUNDINGS = {
    Rounding.NONE: "Not rounded",
    Rounding.NEAREST: "To the nearest",
    Rounding.UP: "Up",
    Rounding.DOWN: "Down",
}
LOOKALIKES = {
    Lookalikes.LINK: "Taken as the copy",
    Lookalikes.PARK: "A person decides",
    Lookalikes.CREATE: "Written a second time",
}
ESTIMATES = {Estimate.LEAVE: "Left as it is", Estimate.AUTO: "Reduced by the time written"}
LONG_TEXTS = {LongText.CUT: "Cut, with a mark", LongText.REFUSE: "The entry fails"}
MATCHES = {
    Match.KEY: "Same key on both sides",
    Match.LABEL: "By a label",
    Match.FIELD: "By a field",
    Match.LINK: "By a link",
    Match.PAIRS: "By a list of pairs",
}
PEOPLE_MATCHES = {PeopleMatch.EMAIL: "By e-mail", PeopleMatch.NONE: "Only the pairs below"}
SIDES = {Side.LEFT: "Left", Side.RIGHT: "Right"}
SCOPES = {"everything": "Every entry", "projects": "Some projects", "ids": "Some work items"}


@dataclass(frozen=True)
class Fact:
    label: str
    text: str


def facts(connection: Connection) -> list[Fact]:
    """The options as label and text, the most telling first; what is as it always is goes without saying."""
    options = connection.get_options()
    told = _migration_facts(options) if connection.is_migration else _sync_facts(options)
    every = (*told, *_facts_of_both(connection, options))
    return [Fact(label, text[0].upper() + text[1:]) for label, text in every if text]


type Told = Iterator[tuple[str, str]]


def _migration_facts(options: ConnectionOptions) -> Told:
    yield "Reads", _scope(options)
    yield "Worked", _window(options)
    yield "Wall clock", options.source_timezone or ""
    yield "Through", READS[options.read]


def _sync_facts(options: ConnectionOptions) -> Told:
    yield "Conflicts", CONFLICTS[options.conflicts]
    yield "Deletions", DELETES[options.deletes]
    yield "Since", options.since or "the beginning"
    yield "Schedule", options.schedule or "none"
    yield "Carries on", CARRY_ON[options.carry_on]


def _facts_of_both(connection: Connection, options: ConnectionOptions) -> Told:
    minimum = connection.minimum_seconds
    yield "Issues", issues_in_words(options.issues, connection.is_migration)
    yield "People", _people(options.people)
    yield "Shorter than", f"{number(minimum)} s: skipped" if minimum else ""
    yield "Rounding", _rounding(options)
    yield "Lookalikes", LOOKALIKES[options.lookalikes]
    yield "Estimates", ESTIMATES[Estimate(connection.estimate_on(connection.right))]
    yield "Long texts", LONG_TEXTS[options.long_text]
    yield "Rules", _rules(options.rules)


def _scope(options: ConnectionOptions) -> str:
    if isinstance(options.scope, Projects):
        return "Projects " + ", ".join(options.scope.projects)
    if isinstance(options.scope, Ids):
        return counted(len(options.scope.ids), "work item")
    return SCOPES["everything"]


def _window(options: ConnectionOptions) -> str:
    if options.date_from and options.date_to:
        return f"{options.date_from} to {options.date_to}"
    if options.date_from:
        return f"from {options.date_from} on"
    return f"until {options.date_to}" if options.date_to else "on any day"


def issues_in_words(issues: IssueOptions, migration: bool) -> str:
    side = "" if migration or issues.on is None else f" on the {issues.on}"
    found = {
        Match.KEY: "same key",
        Match.LABEL: f"label {issues.label}",
        Match.FIELD: f"field “{issues.field}”",
        Match.LINK: "remote link",
        Match.PAIRS: counted(len(issues.pairs), "pair"),
    }
    return found[issues.match] + side


def _people(people: PeopleOptions) -> str:
    said = ["by e-mail"] if people.match is PeopleMatch.EMAIL else []
    said += [counted(len(people.pairs), "pair")] if people.pairs else []
    return ", ".join(said) or "nobody is looked for"


def _rounding(options: ConnectionOptions) -> str:
    if options.rounding is Rounding.NONE:
        return ""
    return f"{ROUNDINGS[options.rounding].lower()}, {counted(options.rounding_minutes, 'minute')}"


def _rules(rules: Rules) -> str:
    lines = len(rules.include) + len(rules.exclude)
    parts = [counted(lines, "filter")] if lines else []
    parts += ["text template"] if rules.text_template else []
    parts += [counted(len(rules.attributes), "attribute")] if rules.attributes else []
    return ", ".join(parts)
