"""The failures list: a CSV that people download, correct and hand back."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet

from connections.models import Connection
from worklogs import figures, spreadsheet
from worklogs.models import Entry, Run
from worklogs.worklog import Worklog

COLUMNS = (
    "row_key", "run", "connection", "source_site", "entry", "work_item", "source_issue", "target_issue", "person",
    "person_email", "date", "start", "seconds", "text", "code", "message", "hint", "retry",
)  # fmt: skip
OPEN = (Entry.Standing.FAILED, Entry.Standing.PARKED)


def open_failures(connection: Connection) -> QuerySet[Entry]:
    """What failed or was parked in this connection and is still open."""
    return Entry.objects.filter(connection=connection, standing__in=OPEN).order_by("code", "id")


def open_failures_of(run: Run) -> Iterator[Entry]:
    """What failed or was parked at the end of this run and is still open.

    The run's own list names them, even where a later run has forgotten what this one fetched. It may be longer
    than a database takes as values.
    """
    named = {row["entry"] for row in figures.of(run)["failures"]}
    rows = open_failures(run.connection).select_related("connection")
    return (entry for entry in rows.iterator() if entry.entry in named)


def csv_lines(failures: Iterable[Entry]) -> Iterator[str]:
    """UTF-8 with BOM, RFC 4180, cells safe for spreadsheets; line by line, to be sent while it is read."""
    yield from spreadsheet.lines(COLUMNS, (_cells(entry) for entry in failures))


def _cells(entry: Entry) -> list[Any]:
    values = row(entry)
    return [values[name] for name in COLUMNS]


def row(entry: Entry) -> dict[str, Any]:
    """One failure by column; absent is empty."""
    worklog = Worklog.from_json(entry.values)
    return {
        "row_key": f"{entry.pk}-{entry.digest[:16]}",
        "run": entry.settled_by_id or "",
        "connection": entry.connection.name,
        "source_site": entry.site,
        "entry": entry.entry,
        "work_item": entry.work,
        "source_issue": "",
        "target_issue": entry.issue_key,
        "person": entry.person_name,
        "person_email": entry.person_email,
        "date": entry.day.isoformat() if entry.day else "",
        "start": entry.start.isoformat() if entry.start else "",
        "seconds": entry.seconds if worklog.has_length else "",
        "text": worklog.text,
        "code": entry.code,
        "message": entry.message,
        "hint": entry.hint,
        "retry": "yes" if entry.kind in ("waiting", "passing") and entry.standing == "failed" else "no",
    }
