"""Finds entries by what people type: the beginning of an entry's id or of an issue key, a whole work item or
worklog id, or any part of a person's name or e-mail address.

Each is looked up in an index. People are few: their distinct names are read by leaps through the index, one a name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import itemgetter, or_
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
# Beside other wishes, that may leave next to nothing, even so many rows are better looked up than waited for.
BEARABLE = 5_000
WALKED = "walked_"

type Searched = type[Entry] | type[AuditEntry]


@dataclass(frozen=True, slots=True)
class Like:
    """What a row's own columns have to be like: Django's lookups and their values."""

    lookups: Mapping[str, Any]

    @property
    def columns(self) -> set[str]:
        return {lookup.partition("__")[0] for lookup in self.lookups}

    def q(self, prefix: str = "") -> Q:
        return Q(**{f"{prefix}{lookup}": value for lookup, value in self.lookups.items()})


@dataclass(frozen=True, slots=True)
class Wish:
    """A row has to be like one of these."""

    likes: Sequence[Like]

    @property
    def columns(self) -> set[str]:
        return {column for like in self.likes for column in like.columns}

    @property
    def is_in_order(self) -> bool:
        """Whether an index has its rows in the order of their numbers: equality alone does that."""
        return len(self.likes) == 1 and all("__" not in lookup for lookup in self.likes[0].lookups)

    def q(self, prefix: str = "") -> Q:
        return reduce(or_, (like.q(prefix) for like in self.likes))


def narrowed[Rows: QuerySet[Any]](rows: Rows, model: Searched, wishes: Sequence[Wish]) -> Rows:
    """The rows that fulfil each wish.

    Only the rarest of them is looked up by its index, unless even that is too common to gain by it. A database
    without statistics would as soon take the index of what nearly every row has.
    """
    if len(wishes) < 2 and all(wish.is_in_order for wish in wishes):
        return rows.filter(*(wish.q() for wish in wishes))
    weighed = _weighed(model, wishes)
    if not all(amount for amount, _ in weighed):
        return rows.none()
    amount, rarest = min(weighed, key=itemgetter(0))
    walked = [wish for _, wish in weighed if wish is not rarest]
    if rarest.is_in_order or amount <= (BEARABLE if walked else COMMON):
        rows = rows.filter(rarest.q())
    else:
        walked.append(rarest)
    columns = {column for wish in walked for column in wish.columns}
    aliases = {f"{WALKED}{column}": _without_index(model, column) for column in columns}
    return rows.alias(**aliases).filter(*(wish.q(WALKED) for wish in walked))


def _without_index(model: Searched, column: str) -> Coalesce:
    field: Any = model._meta.get_field(column)
    return Coalesce(column, column, output_field=field.target_field if field.is_relation else field)


def _weighed(model: Searched, wishes: Iterable[Wish]) -> list[tuple[int, Wish]]:
    """Each with how many rows fulfil it, less what no row is like."""
    wishes = list(wishes)
    amounts = iter(_amounts(model, [like for wish in wishes for like in wish.likes]))
    found = [[(next(amounts), like) for like in wish.likes] for wish in wishes]
    return [
        (sum(amount for amount, _ in likes), Wish([like for amount, like in likes if amount]))
        for likes in found
    ]


def _amounts(model: Searched, likes: Iterable[Like]) -> list[int]:
    """How many rows are like each, in one query, counted no further than to what is not bearable."""
    counts: list[str] = []
    parameters: list[Any] = []
    for like in likes:
        numbers = model.objects.filter(like.q()).order_by().values_list("pk")
        sql, values = numbers[: BEARABLE + 1].query.sql_with_params()
        counts.append(f"(SELECT count(*) FROM ({sql}) AS some)")  # noqa: S608
        parameters += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)}", parameters)
        return list(cursor.fetchone())


def fitting(model: Searched, text: str) -> Wish:
    """What people mean by the text."""
    return Wish([*_by_id(text), *people(model, text)])


def _by_id(text: str) -> Iterator[Like]:
    yield starts_with("entry", text)
    yield starts_with("issue_key", text.upper())
    if text.isdecimal():
        yield Like({"work": text})
        if entries := _entries_of_copy(text):
            yield Like({"entry__in": entries})


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
    return [Like({f"{column}__in": values}) for column, values in columns.items() if values]


def starts_with(column: str, text: str) -> Like:
    """A search by the beginning, spelled so that an index serves it: a range on SQLite, LIKE on PostgreSQL."""
    if connection.vendor == "sqlite":
        return Like({f"{column}__gte": text, f"{column}__lt": text + LAST})
    return Like({f"{column}__startswith": text})


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
