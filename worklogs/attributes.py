"""Work attributes of a worklog between two Tempo sites: which one is which, and what each can hold of the other.

A site's own attribute that carries our marker belongs to nobody else: it is never carried.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LISTS = ("STATIC_LIST", "DYNAMIC_DROPDOWN")
OPEN_LIST = "DYNAMIC_DROPDOWN"
TEXT = "INPUT_FIELD"
NUMBER = "INPUT_NUMERIC"
CHECKBOX = "CHECKBOX"

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Attribute:
    """`type` is Tempo's, such as STATIC_LIST; of a list `values` are what worklogs hold, and `names` what people see
    instead, as (value, label)."""

    key: str
    name: str
    type: str
    required: bool = False
    values: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    def label_of(self, value: str) -> str:
        return dict(self.names).get(value, value)


@dataclass(frozen=True, slots=True)
class Carried:
    """`values` as (key, value) of the target; `left_out` the names of the attributes that it cannot hold."""

    values: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]


def read_attributes(rows: Iterable[Mapping[str, Any]]) -> tuple[Attribute, ...]:
    """The rows of Tempo's GET /work-attributes; one without a key is nobody's."""
    read = (_attribute(row) for row in rows if isinstance(row, Mapping) and row.get("key"))
    return tuple({attribute.key: attribute for attribute in read}.values())


def _attribute(row: Mapping[str, Any]) -> Attribute:
    names = row.get("names")
    labels = {str(value): str(label) for value, label in names.items()} if isinstance(names, Mapping) else {}
    values = row.get("values")
    listed = [str(value) for value in values] if isinstance(values, list) else list(labels)
    return Attribute(
        key=str(row["key"]),
        name=str(row.get("name") or row["key"]),
        type=str(row.get("type") or "").upper(),
        required=row.get("required") is True,
        values=tuple(listed),
        names=tuple(labels.items()),
    )


class AttributeMap:
    """The target's attribute for each of the source's: the one with its key, else the only one with its name.

    A marker key is "" where that site has none.
    """

    def __init__(
        self,
        source: Iterable[Attribute],
        target: Iterable[Attribute],
        source_marker_key: str = "",
        target_marker_key: str = "",
    ) -> None:
        self._source_marker = source_marker_key
        self._source = {each.key: each for each in source if each.key != source_marker_key}
        self._target = {each.key: each for each in target if each.key != target_marker_key}
        self._pairs = _matched(tuple(self._source.values()), self._target)

    def target_key(self, source_key: str) -> str | None:
        """None where the target has no such attribute, or one that never takes its values."""
        found = self._pair(source_key)
        return found[1].key if found and _compatible(*found) else None

    def carried(self, values: Iterable[tuple[str, str]]) -> Carried:
        """What the target can hold of these (key, value) of the source. An empty value is none."""
        taken: dict[str, str] = {}
        left_out: list[str] = []
        for key, value in dict(values).items():
            if not value or key == self._source_marker:
                continue
            found = self._pair(key)
            there = _translated(value, *found) if found else None
            if found is None or there is None:
                left_out.append(self._source[key].name if key in self._source else key)
            else:
                taken[found[1].key] = there
        return Carried(tuple(taken.items()), tuple(left_out))

    def missing(self, values: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The names of the attributes that the target requires and these (key, value) of it leave empty."""
        given = {key for key, value in values if value}
        return tuple(each.name for each in self._target.values() if each.required and each.key not in given)

    def _pair(self, key: str) -> tuple[Attribute, Attribute] | None:
        """Source and target. Of an attribute that the source does not list any more no more is known than its key."""
        if key == self._source_marker:
            return None
        if key in self._source:
            return (self._source[key], self._pairs[key]) if key in self._pairs else None
        return (self._target[key], self._target[key]) if key in self._unclaimed() else None

    def _unclaimed(self) -> set[str]:
        return self._target.keys() - {each.key for each in self._pairs.values()}


def _matched(source: Sequence[Attribute], target: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Source key -> the target's attribute."""
    by_key = {each.key: target[each.key] for each in source if each.key in target}
    names = _only_ones(target.values())
    by_name = {
        each.key: names[name]
        for name, each in _only_ones(source).items()
        if each.key not in by_key and name in names and names[name].key not in by_key
    }
    return by_key | by_name


def _only_ones(attributes: Iterable[Attribute]) -> dict[str, Attribute]:
    """Attributes by their name without case, but for names that several have."""
    listed = list(attributes)
    often = Counter(map(_folded, listed))
    return {_folded(each): each for each in listed if often[_folded(each)] == 1}


def _folded(attribute: Attribute) -> str:
    return attribute.name.strip().casefold()


def _compatible(source: Attribute, target: Attribute) -> bool:
    if source.type in LISTS or target.type in LISTS:
        return source.type in LISTS and target.type in LISTS
    return source.type == target.type or {source.type, target.type} == {TEXT, NUMBER}


def _translated(value: str, source: Attribute, target: Attribute) -> str | None:
    """The value as the target holds it, None where it cannot."""
    if not _compatible(source, target):
        return None
    if target.type in LISTS:
        return _listed(value, source, target)
    if target.type == NUMBER and source.type == TEXT:
        return value.strip() if _NUMBER.fullmatch(value.strip()) else None
    if target.type == CHECKBOX:
        return value.strip().lower() if value.strip().lower() in ("true", "false") else None
    return value


def _listed(value: str, source: Attribute, target: Attribute) -> str | None:
    """The target's own value: the same one, else the only one that people see under the same label.

    Tempo does not list the values of a dynamic dropdown: between two of them a value is taken as it is.
    """
    if source.type == target.type == OPEN_LIST and not target.values:
        return value
    if value in target.values:
        return value
    label = source.label_of(value).strip().casefold()
    same = [known for known in target.values if target.label_of(known).strip().casefold() == label]
    return same[0] if len(same) == 1 else None
