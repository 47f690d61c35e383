"""Finds entries by what people type: the beginning of an entry's id or of an issue key, a whole work item or
worklog id, or any part of a person's name or e-mail address.

Each is looked up in an index. People are few: their distinct names are read by leaps through the index, one a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from connections.models import Connection
from worklogs.models import AuditEntry, Entry, TwinTrace

MANY = 200
LAST = "\U0010ffff"
# What fits more rows than this is met soon enough on the way from the newest on; sorting it all would take longer.
COMMON = 2_000
WALKED = "walked_"

type Searched = type[Entry] | type[AuditEntry]


@dataclass(frozen=True, slots=True)
class Like:
    """What one column has to be like: Django's lookups and their values."""

    column: str
    lookups: dict[str, Any]

    def q(self, prefix: str = "") -> Q:
        return Q(**{f"{prefix}{self.column}__{lookup}": value for lookup, value in self.lookups.items()})

    def amount(self, model: Searched) -> int:
        """How many rows are so, counted no further than to what is common."""
        numbers = model.objects.filter(self.q()).order_by().values_list("pk", flat=True)
        return len(numbers[: COMMON + 1])


def found[Rows: QuerySet[Any]](rows: Rows, model: Searched, text: str) -> Rows:
    """Those of the rows that fit the text."""
    return narrowed(rows, model, [*_by_id(text), *people(model, text)])


def narrowed[Rows: QuerySet[Any]](rows: Rows, model: Searched, likes: Sequence[Like]) -> Rows:
    """The rows that are like any of these, by their indexes unless one of them is too common to gain by it."""
    amounts = [(like, like.amount(model)) for like in likes]
    likes = [like for like, amount in amounts if amount]
    if not likes:
        return rows.none()
    if max(amount for _, amount in amounts) <= COMMON:
        return rows.filter(reduce(or_, (like.q() for like in likes)))
    walked = {f"{WALKED}{like.column}": Coalesce(like.column, like.column) for like in likes}
    return rows.alias(**walked).filter(reduce(or_, (like.q(WALKED) for like in likes)))


def _by_id(text: str) -> list[Like]:
    readings = [starts_with("entry", text), starts_with("issue_key", text.upper())]
    if text.isdecimal():
        readings += [Like("work", {"exact": text}), Like("entry", {"in": _entries_of_copy(text)})]
    return readings


def _entries_of_copy(worklog: str) -> list[str]:
    """Entries whose copy on the target has this id."""
    connections = list(Connection.objects.order_by().values_list("pk", flat=True))
    traces = TwinTrace.objects.filter(connection__in=connections, right_id=worklog).order_by()
    return list(traces.values_list("left_id", flat=True)[:MANY])


def people(model: Searched, text: str) -> list[Like]:
    """For whom the text is part of the e-mail address or the name."""
    part = text.casefold()
    if not any(letter.isalpha() for letter in part):
        return []
    columns = {
        column: [value for value in distinct(model, column) if part in value.casefold()][:MANY]
        for column in ("person_email", "person_name")
    }
    return [Like(column, {"in": values}) for column, values in columns.items() if values]


def starts_with(column: str, text: str) -> Like:
    """A search by the beginning, spelled so that an index serves it: a range on SQLite, LIKE on PostgreSQL."""
    if connection.vendor == "sqlite":
        return Like(column, {"gte": text, "lt": text + LAST})
    return Like(column, {"startswith": text})


def distinct(model: Searched, column: str) -> list[str]:
    """The different values of a column that leads an index: one leap a value instead of a look at every row."""
    table, name = connection.ops.quote_name(model._meta.db_table), connection.ops.quote_name(column)
    leaps = (
        f"WITH RECURSIVE leap(value) AS (SELECT min({name}) FROM {table} UNION ALL "  # noqa: S608
        f"SELECT (SELECT min({name}) FROM {table} WHERE {name} > leap.value) FROM leap "
        "WHERE leap.value IS NOT NULL) SELECT value FROM leap WHERE value <> ''"
    )
    with connection.cursor() as cursor:
        cursor.execute(leaps)
        return [value for (value,) in cursor.fetchall()]
