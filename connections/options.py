"""What a connection is told to do, typed: every key of `[[connection]]` but its name, kind and sites.

`parse_options` checks what a person wrote and names every problem at once; `ConnectionOptions.load` takes
back what `ConnectionOptions.dump` gave. The sides of a migration are `left` (source) and `right` (target).
"""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from connections.cron import is_cron
from connections.problems import Problem, close_to, expected, keys_of, problems_of


class Match(StrEnum):
    KEY = "key"
    FIELD = "field"
    LABEL = "label"
    LINK = "link"
    PAIRS = "pairs"


class PeopleMatch(StrEnum):
    EMAIL = "email"
    NONE = "none"


class Side(StrEnum):
    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> "Side":
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


class Direction(StrEnum):
    BOTH = "both"
    LEFT_TO_RIGHT = "left-to-right"
    RIGHT_TO_LEFT = "right-to-left"


class Conflicts(StrEnum):
    LATEST = "latest"
    LEFT = "left"
    RIGHT = "right"
    PARK = "park"


class Deletes(StrEnum):
    MIRROR = "mirror"
    KEEP = "keep"
    PARK = "park"


class CarryOn(StrEnum):
    NONE = "none"
    MIGRATED = "migrated"
    ALL = "all"


class Read(StrEnum):
    REST = "rest"
    ODATA = "odata"


class ODataTimes(StrEnum):
    UTC = "utc"
    WALL = "wall"


class Rounding(StrEnum):
    NONE = "none"
    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


class Lookalikes(StrEnum):
    LINK = "link"
    PARK = "park"
    CREATE = "create"


class Estimate(StrEnum):
    LEAVE = "leave"
    AUTO = "auto"


class LongText(StrEnum):
    CUT = "cut"
    REFUSE = "refuse"


class Billable(StrEnum):
    COPY = "copy"
    ALL = "all"
    NONE = "none"


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = close_to(name, sorted(available_timezones()))
        raise expected(f'a time zone such as "Europe/Berlin"{hint}') from None
    return name


def _check_moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise expected('a day such as "2024-03-15" or a date-time such as "2024-03-15T08:00:00"') from None
    return text


def _check_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise expected('a day such as "2024-03-15"') from None
    return text


def _check_cron(text: str) -> str:
    if not is_cron(text):
        raise expected('five cron fields such as "*/5 * * * *"')
    return text


def _check_pair(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise expected('two values, ["left", "right"]')
    return tuple(_number_as_text(part) for part in value)


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_as_many(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


NotEmpty = Annotated[str, Field(min_length=1)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Moment = Annotated[str, AfterValidator(_check_moment)]
Day = Annotated[str, AfterValidator(_check_day)]
Cron = Annotated[str, AfterValidator(_check_cron)]
Pair = Annotated[tuple[NotEmpty, NotEmpty], BeforeValidator(_check_pair)]
Words = Annotated[tuple[NotEmpty, ...], BeforeValidator(_one_as_many)]


class Part(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )


class IssueOptions(Part):
    """How an issue's counterpart is found. `on` is the side that holds the field, label or link."""

    match: Match
    on: Side | None = None
    label: str = ""
    field: str = ""
    pairs: tuple[Pair, ...] = ()


class Fallback(Part):
    """Account ids that write where a person has no account on that side."""

    left: str = ""
    right: str = ""


class PeopleOptions(Part):
    match: PeopleMatch = PeopleMatch.EMAIL
    pairs: tuple[Pair, ...] = ()
    fallback: Fallback = Fallback()
    timezones: dict[str, Zone] = {}


class Projects(Part):
    """The work items of these Azure DevOps projects."""

    projects: Annotated[tuple[NotEmpty, ...], Field(min_length=1)]


class Ids(Part):
    """These work items."""

    ids: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]


EVERYTHING: Literal["everything"] = "everything"
SCOPES = 'expected "everything", { projects = ["..."] } or { ids_file = "..." }'


def _scope_tag(value: Any) -> str | None:
    if isinstance(value, str):
        return "everything" if value == EVERYTHING else None
    if isinstance(value, Projects):
        return "projects"
    if isinstance(value, Ids):
        return "ids"
    return next((tag for tag in ("projects", "ids") if isinstance(value, dict) and tag in value), None)


Scope = Annotated[
    Annotated[Literal["everything"], Tag("everything")]
    | Annotated[Projects, Tag("projects")]
    | Annotated[Ids, Tag("ids")],
    Discriminator(
        _scope_tag,
        custom_error_type="expected",
        custom_error_message=SCOPES,
    ),
]


class Filter(Part):
    """One line of `include` or `exclude`: an entry matches when every key given matches."""

    project: Words = ()
    author: Words = ()
    issue_type: Words = ()
    label: Words = ()
    billable: bool | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    text: str | None = None


class Rules(Part):
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    text_template: str | None = None
    attributes: dict[str, str] = {}
    billable: Billable = Billable.COPY


class SideScripts(Part):
    outgoing: str = ""
    incoming: str = ""


class Scripts(Part):
    left: SideScripts = SideScripts()
    right: SideScripts = SideScripts()


@dataclass(frozen=True)
class Window:
    """Wall clock times of the source: `start` belongs to it, `end` no longer does; None is open."""

    start: datetime | None
    end: datetime | None


class ConnectionOptions(Part):
    issues: IssueOptions
    people: PeopleOptions = PeopleOptions()
    rules: Rules = Rules()
    scripts: Scripts = Scripts()

    scope: Scope = EVERYTHING
    date_from: Moment | None = None
    date_to: Moment | None = None
    source_timezone: Zone | None = None
    read: Read = Read.REST
    odata_times: ODataTimes = ODataTimes.UTC

    direction: Direction = Direction.BOTH
    conflicts: Conflicts = Conflicts.LATEST
    deletes: Deletes = Deletes.MIRROR
    since: Day | None = None
    schedule: Cron | None = None
    carry_on: CarryOn = CarryOn.MIGRATED

    minimum_seconds: Annotated[int, Field(ge=0)] | None = None
    rounding: Rounding = Rounding.NONE
    rounding_minutes: Annotated[int, Field(ge=1, le=1440)] = 1
    lookalikes: Lookalikes = Lookalikes.LINK
    estimate: Estimate | None = None
    long_text: LongText = LongText.CUT

    @model_validator(mode="after")
    def _window_has_an_end_after_its_start(self) -> Self:
        window = self.window
        if window.start and window.end and window.end <= window.start:
            raise expected("date_to on or after date_from")
        return self

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Self:
        """What `dump` gave, typed again."""
        return cls.model_validate_json(json.dumps(stored, default=str))

    def dump(self) -> dict[str, Any]:
        """A JSON object without the keys that hold their default."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @property
    def zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.source_timezone) if self.source_timezone else None

    @property
    def window(self) -> Window:
        """`date_from` and `date_to`, both inclusive, as wall clock times of `source_timezone`.

        A date-time with an offset is brought to that zone; one without is taken as it is.
        """
        start = self._wall_clock(self.date_from)
        end = self._wall_clock(self.date_to)
        if end is None or self.date_to is None:
            return Window(start, None)
        return Window(start, end + (timedelta(days=1) if is_day(self.date_to) else timedelta(seconds=1)))

    def _wall_clock(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        if is_day(text):
            return datetime.combine(date.fromisoformat(text), time.min)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(self.zone).replace(tzinfo=None) if moment.tzinfo else moment


def is_day(text: str) -> bool:
    """Whether a text that holds a day or a date-time is a whole day."""
    return len(text) <= len("2024-03-15") and "T" not in text


MIGRATION_ONLY = frozenset({"scope", "date_from", "date_to", "source_timezone", "read", "odata_times"})
SYNC_ONLY = frozenset({"direction", "conflicts", "deletes", "since", "schedule", "carry_on"})


class OptionsError(Exception):
    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def parse_options(written: dict[str, Any], migration: bool) -> ConnectionOptions:
    """The options as typed values. Raises `OptionsError` with every problem found.

    `written` is what stood in the file: pairs and ids already read from the files it named.
    """
    foreign = _foreign_keys(written, migration)
    own = {key: value for key, value in written.items() if key not in {problem.key for problem in foreign}}
    try:
        options = ConnectionOptions.load(_sides_by_name(own, migration))
    except ValidationError as error:
        raise OptionsError(foreign + [_without_tag(found) for found in problems_of(error, TABLES)]) from None
    problems = foreign + _problems_between_keys(options, migration)
    if problems:
        raise OptionsError(problems)
    return options


def _without_tag(problem: Problem) -> Problem:
    """`scope.projects.projects` names the form of the scope too, which nobody wrote."""
    return Problem(re.sub(r"^scope\.(projects|ids)\.(?=\1|$)", "scope.", problem.key), problem.message)


def _foreign_keys(written: dict[str, Any], migration: bool) -> list[Problem]:
    foreign = SYNC_ONLY if migration else MIGRATION_ONLY
    kind = "sync" if migration else "migration"
    return [Problem(key, f"only a {kind} has this key") for key in written if key in foreign]


def _sides_by_name(written: dict[str, Any], migration: bool) -> dict[str, Any]:
    """A migration's people write `source` and `target`; stored are `left` and `right`."""
    if not migration:
        return written
    changed = {**written, "issues": _migration_issues(written.get("issues", {}))}
    if isinstance(scripts := written.get("scripts"), dict):
        names = {"source": "left", "target": "right"}
        changed["scripts"] = {names.get(key, key): value for key, value in scripts.items()}
    return changed


def _migration_issues(written: Any) -> Any:
    if not isinstance(written, dict):
        return written
    issues = {"match": "label", "on": "right", **written}
    if issues["on"] == "target":
        issues["on"] = "right"
    return {"label": "ado-id-{id}", **issues} if issues["match"] == "label" else issues


def _problems_between_keys(options: ConnectionOptions, migration: bool) -> list[Problem]:
    problems = _issue_problems(options.issues, migration)
    if migration and options.source_timezone is None:
        problems.append(Problem("source_timezone", 'required, a time zone such as "Europe/Berlin"'))
    if migration and (options.scripts.left.incoming or options.scripts.right.outgoing):
        problems.append(Problem("scripts", "a migration has source.outgoing and target.incoming only"))
    return problems


_NEEDED = {Match.FIELD: "field", Match.LABEL: "label", Match.PAIRS: "pairs"}


def _issue_problems(issues: IssueOptions, migration: bool) -> list[Problem]:
    side = _migration_problems(issues) if migration else _sync_problems(issues)
    return _key_problems(issues) + side + _label_problems(issues, migration)


def _key_problems(issues: IssueOptions) -> list[Problem]:
    needed = _NEEDED.get(issues.match)
    surplus = [key for key in _NEEDED.values() if key != needed and getattr(issues, key)]
    problems = [Problem(f"issues.{key}", f'means nothing with match = "{issues.match}"') for key in surplus]
    if needed and not getattr(issues, needed):
        problems.append(Problem(f"issues.{needed}", f'required with match = "{issues.match}"'))
    return problems


def _migration_problems(issues: IssueOptions) -> list[Problem]:
    problems = []
    if issues.match is Match.KEY:
        problems.append(
            Problem("issues.match", "expected one of field, label, link, pairs: a work item has no key")
        )
    if issues.on is not Side.RIGHT:
        problems.append(Problem("issues.on", "expected nothing: a migration looks at its target"))
    for place, (work_item, _) in enumerate(issues.pairs):
        if not work_item.isdecimal():
            problems.append(Problem(f"issues.pairs[{place}]", f'expected a work item id, got "{work_item}"'))
    return problems


def _sync_problems(issues: IssueOptions) -> list[Problem]:
    if issues.match in (Match.FIELD, Match.LABEL, Match.LINK) and issues.on is None:
        return [Problem("issues.on", f'expected "left" or "right": the side that holds the {issues.match}')]
    return []


def _label_problems(issues: IssueOptions, migration: bool) -> list[Problem]:
    if issues.match is not Match.LABEL or not issues.label:
        return []
    allowed = ("{id}",) if migration else ("{key}", "{id}")
    held = re.findall(r"\{[^{}]*\}", issues.label)
    if len(held) == 1 and held[0] in allowed and " " not in issues.label:
        return []
    wanted = f"expected a label without blanks that holds {' or '.join(allowed)} once"
    return [Problem("issues.label", f'{wanted}, got "{issues.label}"')]


TABLES = {
    "": keys_of(ConnectionOptions),
    "issues": [*keys_of(IssueOptions), "pairs_file"],
    "people": [*keys_of(PeopleOptions), "pairs_file"],
    "fallback": keys_of(Fallback),
    "projects": keys_of(Projects),
    "ids": ["ids_file"],
    "rules": keys_of(Rules),
    "include": keys_of(Filter),
    "exclude": keys_of(Filter),
    "scripts": keys_of(Scripts),
    "left": keys_of(SideScripts),
    "right": keys_of(SideScripts),
}
