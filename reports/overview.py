"""The first page: how every connection stands, what needs a person, and what was carried."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from connections.models import Connection, ConnectionCheck
from connections.wording import counted, state_word
from reports import alerts, causes, health, queries
from reports.alerts import Alert
from reports.balance import TERMS
from reports.causes import Cause, Open
from reports.health import Facts, Health, Verdict
from reports.queries import Carried, Line
from worklogs import schedules
from worklogs.models import Run, RunHours
from worklogs.reading import runs as run_reading

# A living owner says so every second; after this long somebody should look.
SILENT = timedelta(minutes=2)
SMALL_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One connection. `failed` and `parked` count what is open."""

    line: Line
    verdict: Verdict
    carried: Carried | None
    failed: int
    parked: int

    @property
    def connection(self) -> Connection:
        return self.line.connection

    @property
    def run(self) -> Run | None:
        return self.line.last or self.line.planned

    @property
    def next_at(self) -> datetime | None:
        """When it runs next by itself, if it does."""
        return schedules.upcoming(self.connection)

    @property
    def next_run(self) -> str:
        """The same in words, where there is no time to name."""
        run = self.line.last
        if run and run.is_live:
            return "under way"
        if self.connection.paused:
            return "once resumed"
        return "" if self.next_at else "by hand"


@dataclass(frozen=True, slots=True)
class Proof:
    """The hours proof by the records of `connections` of them, as counted at the end of their newest runs."""

    terms: dict[str, int]
    connections: int
    counted_at: datetime

    @property
    def balanced(self) -> bool:
        return self.terms["source"] == sum(
            seconds for name, seconds in self.terms.items() if name != "source"
        )


@dataclass(frozen=True, slots=True)
class Overview:
    rows: list[Row]
    alerts: list[Alert]
    causes: list[Cause]
    proof: Proof | None
    carried: Carried

    @property
    def is_live(self) -> bool:
        return any(row.run and row.run.is_live for row in self.rows)

    @property
    def has_run(self) -> bool:
        """Whether anything was to be written yet."""
        return any(row.line.last for row in self.rows)

    @property
    def open_entries(self) -> int:
        return sum(cause.entries for cause in self.causes)

    @property
    def healths(self) -> list[tuple[str, int]]:
        """Each health in words, with how many connections are in it."""
        found = [row.verdict.health for row in self.rows]
        return [(state_word(one).word.lower(), found.count(one)) for one in Health if one in found]

    @property
    def chart(self) -> dict[str, Any]:
        """Bars by day as the chart wants them."""
        series = [{"label": "new copies", "values": list(self.carried.created)}]
        if any(self.carried.updated):
            series.append({"label": "brought up to date", "values": list(self.carried.updated)})
        days = [day.isoformat() for day in self.carried.days]
        return {"days": days, "series": series, "unit": "seconds", "label": "Hours carried a day"}

    @property
    def sentence(self) -> str:
        return f"{_in_step(self.rows)} {_needs(self.alerts)}"


def gather(today: date) -> Overview:
    lines = queries.lines()
    tokens = queries.tokens()
    sites = queries.sites_of(line.connection for line in lines)
    open_ = queries.open_entries(line.connection.pk for line in lines)
    carried = queries.carried(today)
    dead = alerts.dead_tokens(sites, tokens)
    figures = _figures(lines)
    rows = [_row(line, dead, open_, carried.get(line.connection.pk), figures) for line in lines]
    found = causes.grouped(open_)
    return Overview(
        rows=sorted(rows, key=lambda row: (list(Health).index(row.verdict.health), row.connection.name)),
        alerts=alerts.of(lines, sites, tokens, found),
        causes=found,
        proof=_proof([line.hours for line in lines if line.hours]),
        carried=queries.together(carried.values(), today),
    )


def _figures(lines: Sequence[Line]) -> dict[int, run_reading.Figures]:
    """How far the runs under way are."""
    live = [line.last for line in lines if line.last and line.last.is_live]
    return {one.run.pk: one.figures for one in run_reading.lines(live)}


def _row(
    line: Line,
    dead: dict[int, str],
    open_: Iterable[Open],
    carried: Carried | None,
    figures: dict[int, run_reading.Figures],
) -> Row:
    mine = [row for row in open_ if row.connection == line.connection.pk]
    failed, parked = (sum(row.entries for row in mine if row.standing == s) for s in ("failed", "parked"))
    facts = Facts(
        paused=line.connection.paused,
        dead_tokens=tuple(dead[site.pk] for site in line.connection.sites if site.pk in dead),
        planned=line.planned.pk if line.planned else 0,
        failed=failed,
        parked=parked,
        **_of_run(line.last, figures),
        **_of_check(alerts.check_since(line)),
    )
    return Row(line, health.of(facts), carried, failed, parked)


def _of_run(run: Run | None, figures: dict[int, run_reading.Figures]) -> dict[str, Any]:
    if run is None:
        return {}
    found = figures.get(run.pk)
    return {
        "run": run.pk,
        "state": run.standing,
        "unattended": _is_silent(run),
        "code": run.code,
        "message": run.message,
        "holds_deletes": run.holds_deletes,
        "decided": found.decided if found else 0,
        "fetched": found.fetched if found else 0,
    }


def _is_silent(run: Run) -> bool:
    """Between two slices of a queued run there is no lease: then it waits for a worker."""
    return run.is_live and run.lease_until is not None and timezone.now() - run.lease_until > SILENT


def _of_check(check: ConnectionCheck | None) -> dict[str, Any]:
    if check is None:
        return {}
    lost = check.status == ConnectionCheck.Status.UNREACHABLE
    return {"unreachable": lost, "missing": 0 if lost else len(check.missing)}


def _proof(kept: Sequence[RunHours]) -> Proof | None:
    if not kept:
        return None
    terms = {name: sum(getattr(one, f"{name}_seconds") for one in kept) for name in TERMS}
    return Proof(terms, len(kept), max(one.counted_at for one in kept))


# --- in a sentence


def _in_step(rows: Sequence[Row]) -> str:
    good = sum(row.verdict.health == Health.IN_STEP for row in rows)
    if good == len(rows):
        return "The connection is in step." if good == 1 else f"All {in_words(good)} connections are in step."
    if len(rows) == 1:
        return f"{rows[0].connection}: {rows[0].verdict.reason[0].lower()}{rows[0].verdict.reason[1:]}."
    of_all = (
        f"of {counted(len(rows), 'connection')}"
        if len(rows) > 12
        else f"of {in_words(len(rows))} connections"
    )
    how_many = in_words(good).capitalize() if good else "None"
    return f"{how_many} {of_all} {'is' if good < 2 else 'are'} in step."


def _needs(found: Sequence[Alert]) -> str:
    if not found:
        return "Nothing needs a person."
    things = "One thing needs" if len(found) == 1 else f"{in_words(len(found)).capitalize()} things need"
    return f"{things} a person today; nothing is lost while {'it waits' if len(found) == 1 else 'they wait'}."


def in_words(count: int) -> str:
    """Small numbers as words, as sentences want them: "two", "41"."""
    return SMALL_NUMBERS[count] if count < len(SMALL_NUMBERS) else f"{count:,}"
