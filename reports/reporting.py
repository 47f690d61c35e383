"""The report pages: the newest report of each connection, and one run's migration report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from connections.models import Connection
from reports import migration, queries, syncing
from reports.balance import TERMS
from reports.models import Proof
from reports.queries import Line
from worklogs import figures, hours
from worklogs.models import Run, RunHours
from worklogs.reading import runs as run_reading
from worklogs.reading.gone import gone as not_found

# Rows of each list on the screen and in print; the text and the CSV have all of them.
ROWS = 50
WHOLE = 100


@dataclass(frozen=True, slots=True)
class Newest:
    """A connection's newest run, as its report begins."""

    connection: Connection
    run: Run | None
    figures: run_reading.Figures | None
    missing: int
    balanced: bool | None

    @property
    def standing(self) -> int:
        """Entries that stand in the target: written by this run or before, or linked."""
        return self.figures.good + self.figures.counts["unchanged"] if self.figures else 0


def index(lines: Sequence[Line]) -> list[Newest]:
    shown = {line.connection.pk: _newest(line) for line in lines}
    runs = run_reading.lines([run for run in shown.values() if run])
    found = {one.run.pk: one.figures for one in runs}
    return [_told(line, shown[line.connection.pk], found) for line in lines]


def _newest(line: Line) -> Run | None:
    runs = [run for run in (line.last, line.planned) if run]
    return max(runs, key=lambda run: run.pk, default=None)


def _told(line: Line, run: Run | None, found: dict[int, run_reading.Figures]) -> Newest:
    kept = line.hours
    return Newest(
        connection=line.connection,
        run=run,
        figures=found[run.pk] if run else None,
        missing=len(line.missing),
        balanced=Equation.of(kept).balanced if kept else None,
    )


@dataclass(frozen=True, slots=True)
class Equation:
    """The terms of the hours proof in seconds, and when they were counted."""

    source: int
    target: int
    skipped: int
    failed: int
    parked: int
    rounding: int
    at: datetime | None = None

    @classmethod
    def of(cls, kept: RunHours | Proof) -> "Equation":
        at = kept.at if isinstance(kept, Proof) else kept.counted_at
        source, target, skipped, failed, parked, rounding = (
            getattr(kept, f"{name}_seconds") for name in TERMS
        )
        return cls(source, target, skipped, failed, parked, rounding, at)

    @property
    def balanced(self) -> bool:
        return self.source == self.target + self.skipped + self.failed + self.parked + self.rounding


@dataclass(frozen=True, slots=True)
class Some:
    """The first rows of a list, and how many there are."""

    rows: Sequence[Any]
    all: int

    @property
    def left_out(self) -> int:
        return self.all - len(self.rows)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page of one run shows. The hours are those at its end, so there are none while it is under way;
    `standing` counts entries that stand in the target; `proof` is the last time the target itself was read.
    """

    connection: Connection
    run: Run
    is_newest: bool
    text: str
    standing: int
    result: dict[str, Any]
    failures: Some
    missing: Some
    gone: Some
    runs: list[Run]
    equation: Equation | None
    proof: Proof | None
    proved: Equation | None
    by_person: Some
    by_issue: Some
    by_month: Some


def gather(connection: Connection, run: Run, *, whole: bool = False) -> Report:
    """`whole`: with longer lists, to be printed."""
    most = WHOLE if whole else ROWS
    result, runs = figures.of(run), queries.newest_runs(connection)
    is_newest = not runs or runs[0].pk == run.pk
    kept = _hours(run, is_newest=is_newest)
    proof: Proof | None = getattr(connection, "last_proof", None) if is_newest else None
    return Report(
        connection=connection,
        run=run,
        is_newest=is_newest,
        text=_figures_text(run, result),
        standing=migration.standing(result),
        result=result,
        failures=_failures(result["failures"], most),
        missing=_some(result["missing_people"], most),
        gone=_gone(run, most),
        runs=runs,
        equation=Equation.of(kept) if kept else None,
        proof=proof,
        proved=Equation.of(proof) if proof else None,
        by_person=_some(kept.by_person if kept else (), most),
        by_issue=_some(kept.by_issue if kept else (), most, of=kept.issues if kept else 0),
        by_month=_some(kept.by_month if kept else (), most),
    )


def text_of(run: Run) -> str:
    """The whole report as text."""
    return migration.text(run) if run.connection.is_migration else syncing.text(run)


def _figures_text(run: Run, result: dict[str, Any]) -> str:
    told = migration if run.connection.is_migration else syncing
    return told.figures_text(run, result)


def _some(rows: Sequence[Any], most: int, *, of: int = 0) -> Some:
    return Some(rows[:most], of or len(rows))


def _failures(rows: Sequence[Any], most: int) -> Some:
    shown = [row | {"date": row["date"] and date.fromisoformat(row["date"])} for row in rows[:most]]
    return Some(shown, len(rows))


def _gone(run: Run, most: int) -> Some:
    """Of a sync none: what is deleted on one side is deleted on the other, or told as held back."""
    if not run.connection.is_migration:
        return Some((), 0)
    rows = not_found(run)
    found = list(rows.defer(*queries.UNSHOWN)[: most + 1])
    return Some(found[:most], rows.count() if len(found) > most else len(found))


def _hours(run: Run, *, is_newest: bool) -> RunHours | None:
    """As they were kept at its end; where a run ended without a word, the sums as the records have them now."""
    kept = RunHours.objects.filter(run=run).first()
    if kept or run.is_dry or run.is_live or not is_newest:
        return kept
    return RunHours(run=run, counted_at=timezone.now(), **hours.terms(run.connection))
