"""The migration report: the contract's text, and the same as CSV."""

import csv
import io
from typing import Any

from connections.models import Site
from reports import balance
from worklogs import figures
from worklogs.models import Run
from worklogs.reading.gone import gone as not_found
from worklogs.spreadsheet import guarded

type Json = dict[str, Any]

COLUMNS = ("work_item", "entry", "issue", "person", "date", "seconds", "code", "message", "hint")
WIDTH = 24


def text(run: Run) -> str:
    """The report of one run, first the figures, then what failed and who is missing."""
    result = figures.of(run)
    # While it writes they do not add up yet, and to count them takes long.
    has_hours = not (run.is_dry or run.is_live)
    hours = balance.text(balance.recorded(run.connection)) if has_hours else ""
    parts = [figures_text(run, result), _failures(result), _missing(result), _gone(run), hours, _state(run)]
    return "\n\n".join(part for part in parts if part)


def figures_text(run: Run, result: Json) -> str:
    """The contract's head of the report, to the letter."""
    tempo = run.connection.right.kind == Site.Kind.TEMPO
    minimum = run.connection.minimum_seconds
    lines = [
        "7pace Time Log Migration",
        "─" * 31,
        _line("Total entries fetched:", result["fetched"]),
        _line(f"Written to {'Tempo' if tempo else 'Jira'}:", standing(result)),
        _line(f"Skipped (< {minimum}s):", result["skipped"]),
        _line("Failed:", result["failed"]),
        _line("Missing user accounts:", len(result["missing_people"])) + " emails",
    ]
    if result["parked"]:
        lines.append(_line("Parked:", result["parked"]))
    return "\n".join(lines)


def _line(label: str, number: int) -> str:
    return f"{label:<{WIDTH}}{number:>7,}"


def standing(result: Json) -> int:
    """Entries that stand in the target because of the connection: written now or earlier, or linked."""
    return sum(result[name] for name in ("created", "updated", "linked", "unchanged"))


def _failures(result: Json) -> str:
    rows = result["failures"]
    if not rows:
        return ""
    lines = [f"Failed or parked ({len(rows)}):"]
    for row in rows:
        work = f"work item {row['work_item']}" if row["work_item"] else "no work item"
        lines.append(f"  {work}, entry {row['entry']}: {row['code']}: {row['message']}")
    return "\n".join(lines)


def _missing(result: Json) -> str:
    people = result["missing_people"]
    if not people:
        return ""
    return "\n".join([f"People without an account ({len(people)}):", *(f"  {person}" for person in people)])


def _gone(run: Run) -> str:
    gone = not_found(run).values_list("entry", flat=True)
    if not gone:
        return ""
    lines = [f"No longer found at the source, their copies stay ({len(gone)}):"]
    return "\n".join([*lines, *(f"  entry {entry}" for entry in gone)])


def _state(run: Run) -> str:
    if run.state == Run.State.PLANNED:
        return "This was a dry run: nothing was written."
    return run.message if run.state != Run.State.FINISHED else ""


def as_csv(run: Run) -> str:
    """The report's failures as CSV, cells safe for spreadsheets."""
    held = io.StringIO()
    writer = csv.DictWriter(held, COLUMNS)
    writer.writeheader()
    for row in figures.of(run)["failures"]:
        writer.writerow({name: _cell(row[name]) for name in COLUMNS})
    return held.getvalue()


def _cell(value: object) -> str:
    return "" if value is None else guarded(str(value))
