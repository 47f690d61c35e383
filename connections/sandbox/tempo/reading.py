"""What Tempo makes of a request's values, or the words it refuses them with."""

import re
from datetime import UTC, date, datetime
from typing import Any

from connections.sandbox.tempo.door import TempoRequest, refuse
from connections.sandbox.world import TempoAttribute, TempoSite

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def body_json(request: TempoRequest, kind: type) -> Any:
    try:
        body = request.json()
    except ValueError:
        raise refuse(request.site, 400, "The request body is not valid JSON") from None
    if not isinstance(body, kind):
        raise refuse(request.site, 400, "The request body has the wrong type")
    return body


def day(site: TempoSite, value: Any, name: str) -> date:
    text = value if isinstance(value, str) else ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise refuse(site, 400, f"'{name}' must be valid on the format: 'yyyy-MM-dd'")


def moment(site: TempoSite, value: Any, name: str) -> datetime:
    """A date or a date-time; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise refuse(site, 400, f"'{name}' must be a date or a date-time") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def number(site: TempoSite, body: dict[str, Any], name: str, least: int) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise refuse(site, 400, f"'{name}' must be a whole number")
    if value < least:
        raise refuse(site, 400, f"'{name}' must be at least {least}")
    return value


def check_attribute(site: TempoSite, known: TempoAttribute | None, key: str, value: str) -> None:
    if known is None:
        raise refuse(site, 400, f"Work attribute with key '{key}' was not found")
    if value and not _takes(site, known, value):
        raise refuse(site, 400, f"'{value}' is not a value of the work attribute '{key}' ({known.kind})")


def _takes(site: TempoSite, known: TempoAttribute, value: str) -> bool:
    if known.kind == "STATIC_LIST":
        return value in known.names
    if known.kind == "ACCOUNT":
        return not site.accounts or value in site.accounts
    patterns = {"INPUT_NUMERIC": r"-?\d+(\.\d+)?", "CHECKBOX": "true|false"}
    return re.fullmatch(patterns.get(known.kind, "(?s).*"), value) is not None
