"""The five fields of a schedule: minute, hour, day of month, month, day of week."""

import re

_RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_PART = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([1-9]\d*))?")


def is_cron(text: str) -> bool:
    """Whether the text is a schedule such as `*/5 * * * *` or `0 6 * * mon-fri`."""
    values = text.lower().split()
    return len(values) == len(_RANGES) and all(
        _is_part(part, field)
        for field, value in zip(_RANGES, values, strict=True)
        for part in value.split(",")
    )


def _is_part(part: str, field: str) -> bool:
    found = _PART.fullmatch(part)
    if not found:
        return False
    if found[1] == "*":
        return True
    bounds = [_number(bound, field) for bound in found[1].split("-")]
    low, high = _RANGES[field]
    return bounds == sorted(bounds) and low <= bounds[0] and bounds[-1] <= high


def _number(text: str, field: str) -> int:
    names = _NAMES.get(field, [])
    if text in names:
        return names.index(text) + _RANGES[field][0]
    return int(text) if text.isdecimal() else -1
