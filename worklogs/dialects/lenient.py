"""Parts of a vendor's JSON that may be missing, null or of another kind: what cannot be read is empty."""

from typing import Any


def object_in(row: dict[str, Any], name: str) -> dict[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(row: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = row.get(name)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def word_in(row: dict[str, Any], name: str) -> str:
    """Ids, names and times, which a vendor may spell as numbers."""
    value = row.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def whole_in(row: dict[str, Any], name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
