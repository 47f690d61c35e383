"""Lists that go by key: the newest first, the next page begins after the last number shown."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

ROWS = 50


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows, and the number that the next, older page comes after (None where there is none)."""

    rows: list[T]
    older: int | None

    @property
    def number(self) -> int:
        return len(self.rows)


def page(rows: QuerySet[Any], after: int | None, size: int = ROWS) -> Page[Any]:
    """The newest rows older than `after`.

    Their numbers are found first, in the indexes alone; only the rows that are shown are read.
    """
    numbers = rows.order_by("-id").values_list("pk", flat=True)
    if after is not None:
        numbers = numbers.filter(id__lt=after)
    found = list(numbers[: size + 1])
    shown = rows.model._default_manager.filter(pk__in=found[:size]).order_by("-id")
    return Page(list(_like(shown, rows)), found[size - 1] if len(found) > size else None)


def _like(shown: QuerySet[Any], rows: QuerySet[Any]) -> QuerySet[Any]:
    """What comes along with each row, and what is left out of it, as `rows` has it."""
    shown.query.select_related = rows.query.select_related
    shown.query.deferred_loading = rows.query.deferred_loading
    return shown


def key(text: str) -> int | None:
    """The number an address pages after; anything else means the beginning."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None
