"""The report of a sync run: what was done on either side, what was left alone, what waits for a person."""

from typing import Any

from connections.models import Connection
from worklogs import figures
from worklogs.models import OutOfScope, Run

type Json = dict[str, Any]

WIDTH = 24
ISSUES_TOLD = 20


def text(run: Run) -> str:
    result = figures.of(run)
    parts = [figures_text(run, result), _failures(result), _out_of_scope(run.connection), _state(run)]
    return "\n\n".join(part for part in parts if part)


def figures_text(run: Run, result: Json) -> str:
    """What was done on either side, in figures."""
    title = f"Sync {run.connection.name}: {run.connection.left.name} and {run.connection.right.name}"
    rows = ("created", "updated", "deleted", "linked", "unchanged", "skipped", "parked", "failed")
    lines = [f"{name.capitalize() + ':':<{WIDTH}}{result[name]:>7,}" for name in rows]
    return "\n".join([title, "─" * 31, *lines])


def _failures(result: Json) -> str:
    rows = result["failures"]
    if not rows:
        return ""
    lines = [f"Failed or parked ({len(rows)}):"]
    lines += [f"  {row['site']}, entry {row['entry']}: {row['code']}: {row['message']}" for row in rows]
    return "\n".join(lines)


def _out_of_scope(connection: Connection) -> str:
    """Issues without a counterpart, those with the most hours first."""
    rows = OutOfScope.objects.filter(connection=connection, entries__gt=0)
    if not rows.exists():
        return ""
    told = [
        f"  {row.side} {row.key or row.issue}: {row.entries:,} entries, {row.seconds / 3600:,.2f} h"
        for row in rows.order_by("-seconds")[:ISSUES_TOLD]
    ]
    return "\n".join([f"Issues without a counterpart ({rows.count():,}), their entries left alone:", *told])


def _state(run: Run) -> str:
    words = f"Run {run.pk}: {run.get_state_display().lower()}."
    return f"{words} {run.message}".strip()
