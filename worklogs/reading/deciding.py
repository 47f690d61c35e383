"""Entries of a sync that wait for a person: what may be decided, what was, and what both sides say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from connections.models import Connection
from connections.options import Side
from worklogs import merge
from worklogs.models import Entry, Fetched, Run, Verdict
from worklogs.reading import timeline
from worklogs.reading.timeline import Life, Places, Values

RUNS_LOOKED_AT = 20
CHOICES: Mapping[str, tuple[Verdict.Choice, ...]] = {
    "conflict": (Verdict.Choice.LEFT, Verdict.Choice.RIGHT),
    "lookalike": (Verdict.Choice.LINK, Verdict.Choice.CREATE),
    "deletes_held": (Verdict.Choice.DELETE, Verdict.Choice.KEEP),
}
QUESTIONS = {
    "conflict": "Which side is right?",
    "lookalike": "Are they the same entry?",
    "deletes_held": "Was it meant to be deleted?",
}
# The parked entry's own words name the one it looks like; nothing else does.
LOOKS_LIKE = re.compile(r"Worklog (\S+) on the target")


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may be decided: what the button says, and what follows from it."""

    label: str
    text: str
    is_danger: bool
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One field as it was last agreed ("" for nothing known), and as it stands on either side."""

    field: str
    agreed: str
    left: Cell
    right: Cell

    @property
    def is_text(self) -> bool:
        return self.field == "Text"

    @property
    def differs(self) -> bool:
        return self.left.is_changed or self.right.is_changed


@dataclass(frozen=True, slots=True)
class Versions:
    """Both sides field by field. `gone` names the sides where it was deleted, `unseen` those not met since both last
    agreed: they are shown as they were then."""

    lines: list[Line]
    has_agreed: bool
    gone: tuple[str, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    question: str
    options: list[Option]
    verdict: Verdict | None
    versions: Versions


def may_be(entry: Entry) -> tuple[Verdict.Choice, ...]:
    """What a person may decide about this entry; nothing where it waits for no decision."""
    if entry.connection.is_migration or entry.standing != Entry.Standing.PARKED:
        return ()
    return CHOICES.get(entry.code, ())


def verdicts(entry: Entry) -> Any:
    return Verdict.objects.filter(connection=entry.connection, site=entry.site, entry=entry.entry)


def of_life(life: Life) -> Decision | None:
    """None where nothing is to be decided."""
    entry = life.entry
    choices = may_be(entry) if entry else ()
    if entry is None or not choices:
        return None
    met = _met(entry, life)
    versions = _versions(entry.connection, life, met)
    return Decision(
        question=QUESTIONS[entry.code],
        options=[_option(choice, life, versions) for choice in choices],
        verdict=verdicts(entry).first(),
        versions=versions,
    )


# --- what both sides say


def _met(entry: Entry, life: Life) -> dict[str, Fetched]:
    """Both worklogs as runs last met them, by side: those of the newest runs, as far as they are kept."""
    runs = Run.objects.filter(connection=entry.connection).exclude(kind=Run.Kind.DRY_RUN)
    newest = runs.order_by("-id").values("pk")[:RUNS_LOOKED_AT]
    worklogs = {face.side: (face.site, face.id or _lookalike(entry)) for face in life.faces}
    wanted = Q(pk__in=[])
    for site, worklog in worklogs.values():
        wanted |= Q(site=site, entry=worklog)
    since = life.trace.run_id if life.trace else None
    # What was read before both agreed is past, but for the run that came upon the question.
    later = Q(run__gt=since or 0) | Q(run=entry.settled_by_id)
    rows = Fetched.objects.filter(wanted, later, run__in=newest).order_by("run_id", "id")
    found = {(row.site, row.entry): row for row in rows}
    return {side: found[key] for side, key in worklogs.items() if key in found}


def _lookalike(entry: Entry) -> str:
    named = LOOKS_LIKE.match(entry.message) if entry.code == "lookalike" else None
    return named[1] if named else ""


def _versions(connection: Connection, life: Life, met: Mapping[str, Fetched]) -> Versions:
    trace = life.trace
    agreed = {
        "left": Values.read(trace.left_agreed) if trace else None,
        "right": Values.read(trace.agreed) if trace else None,
    }
    now = {face.side: _now(face.values, met.get(face.side)) for face in life.faces}
    gone = tuple(face.site for face in life.faces if face.side in met and met[face.side].gone)
    unseen = tuple(face.site for face in life.faces if face.side not in met and now[face.side])
    kept = [*((trace.left_agreed, trace.agreed) if trace else ()), *(row.values for row in met.values())]
    places = timeline.places_of_sync(connection, kept)
    return Versions(_lines(life, agreed, now, places), bool(trace), gone, unseen)


def _now(known: Values | None, met: Fetched | None) -> Values | None:
    if met is None:
        return known
    return None if met.gone else Values.read(met.values)


def _lines(
    life: Life,
    agreed: Mapping[str, Values | None],
    now: Mapping[str, Values | None],
    places: Places,
) -> list[Line]:
    place = {face.side: places[face.site] for face in life.faces}
    then = {side: timeline.shown(values, place[side]) for side, values in agreed.items() if values}
    here = {side: timeline.shown(values, place[side]) for side, values in now.items() if values}
    open_ = _unsettled(life)
    changed = {side: [*_changed(side, agreed, now, place), *open_] for side in place}
    fields = dict.fromkeys(
        name for values in (*then.values(), *here.values()) for name, value in values.items() if value
    )
    began = life.began if life.began in then else next(iter(then), "")
    return [
        Line(
            name,
            "" if name in open_ else then.get(began, {}).get(name, ""),
            *(Cell(here.get(side, {}).get(name, ""), name in changed[side]) for side in ("left", "right")),
        )
        for name in fields
    ]


def _unsettled(life: Life) -> set[str]:
    """The fields in which two that were linked have not agreed yet."""
    found = life.trace.unsettled if life.trace else []
    return {FIELDS.get(name, "Attributes") for name in found}


FIELDS = {
    merge.AUTHOR: "Person",
    merge.ISSUE: "Issue",
    merge.START: "Worked",
    merge.SECONDS: "Time",
    merge.BILLABLE: "Billable",
    merge.TEXT: "Text",
}


def _changed(
    side: str,
    agreed: Mapping[str, Values | None],
    now: Mapping[str, Values | None],
    place: Mapping[str, timeline.Place],
) -> list[str]:
    """Each side is compared with itself as it was agreed; of two that never agreed with each other."""
    before, after = agreed[side], now[side]
    if before and after:
        return timeline.differing(before, after, place[side])
    left, right = now["left"], now["right"]
    if not any(agreed.values()) and left and right:
        return [name for name in timeline.differing(left, right, place["left"]) if name in COMPARED]
    return []


# What both sides call alike: of another site's person and issue nothing follows.
COMPARED = ("Worked", "Time", "Billable", "Text")


# --- what follows


def _option(choice: Verdict.Choice, life: Life, versions: Versions) -> Option:
    label, text = WORDS[choice](life, versions)
    is_danger = choice == Verdict.Choice.DELETE
    return Option(label, text, is_danger, {"choice": str(choice)})


def _side_is_right(side: Side, life: Life, versions: Versions) -> tuple[str, str]:
    right, wrong = (life.left, life.right) if side is Side.LEFT else (life.right, life.left)
    label = f"{side.capitalize()} is right"
    if right.site in versions.gone:
        return label, f"It was deleted in {right.site}, so the next run deletes it in {wrong.site} too."
    if wrong.site in versions.gone:
        return (
            label,
            f"It was deleted in {wrong.site}; the next run writes it there anew, as it stands in {right.site}.",
        )
    return (
        label,
        f"The next run writes what was changed in {right.site} over what was changed in {wrong.site}.",
    )


WORDS = {
    Verdict.Choice.LEFT: lambda life, versions: _side_is_right(Side.LEFT, life, versions),
    Verdict.Choice.RIGHT: lambda life, versions: _side_is_right(Side.RIGHT, life, versions),
    Verdict.Choice.LINK: lambda _life, _versions: (
        "They are the same entry",
        "The next run links the two: from then on a change of one is carried to the other. Nothing is written twice.",
    ),
    Verdict.Choice.CREATE: lambda life, _versions: (
        "They are two entries",
        f"The next run writes this one into {life.other.site} as well, beside the one that looks like it.",
    ),
    Verdict.Choice.DELETE: lambda _life, _versions: (
        "Delete the other one too",
        "The next run deletes its twin. The history keeps what stood there.",
    ),
    Verdict.Choice.KEEP: lambda _life, _versions: (
        "Keep the other one",
        "The twin stays where it is, and is kept the same no more.",
    ),
}
