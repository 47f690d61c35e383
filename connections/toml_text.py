"""Writes TOML that is pleasant to read: as much of the language as an export needs."""

import json
import re
from typing import Any

WIDE = 100


def table(header: str, keys: dict[str, Any]) -> str:
    """One table: its header line, then a line for each key. Keys with a dot in them are taken as dotted."""
    return "\n".join([header, *(f"{key} = {value(entry)}" for key, entry in keys.items())])


def value(entry: Any) -> str:
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if isinstance(entry, int):
        return str(entry)
    if isinstance(entry, str):
        return _text(entry)
    if isinstance(entry, dict):
        inner = ", ".join(f"{_key(key)} = {value(part)}" for key, part in entry.items())
        return f"{{ {inner} }}" if inner else "{}"
    return _list([value(part) for part in entry])


def _list(parts: list[str]) -> str:
    line = f"[{', '.join(parts)}]"
    if len(line) <= WIDE:
        return line
    return "[\n" + "".join(f"    {part},\n" for part in parts) + "]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _line(key)


def _text(text: str) -> str:
    """Several lines stand as they are, unless they hold what only an escape can carry."""
    printable = all(line.isprintable() for line in text.replace("\t", " ").split("\n"))
    if "\n" in text and "'''" not in text and not text.endswith("'") and printable:
        return f"'''\n{text}'''"
    return _line(text)


def _line(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
