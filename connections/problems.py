"""What is wrong with something a person wrote, said so that they can put it right."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the key it stands under and what was expected there."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


def expected(text: str) -> PydanticCustomError:
    """For validators: the value is not what was expected."""
    return PydanticCustomError("expected", "expected {text}", {"text": text})


def close_to(wrong: str, known: list[str], otherwise: str = "") -> str:
    """` (did you mean "…"?)`, or `otherwise` where nothing known comes near."""
    close = get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f' (did you mean "{close[0]}"?)' if close else otherwise


def problems_of(error: ValidationError, tables: Mapping[str, list[str]]) -> list[Problem]:
    """Each error of a validation as a key and a sentence.

    `tables` gives the keys a person may write in each table, by its name ("" is the outermost).
    """
    return [_problem_of(details, tables) for details in error.errors(include_url=False)]


def keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _problem_of(details: Any, tables: Mapping[str, list[str]]) -> Problem:
    loc = details["loc"]
    if details["type"] == "extra_forbidden":
        return Problem(_path(loc), f"unknown key{_known_keys(loc, tables)}")
    if details["type"] == "missing":
        return Problem(_path(loc), "required, and missing")
    return Problem(_path(loc), _sentence_of(details))


def _path(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _known_keys(loc: tuple[int | str, ...], tables: Mapping[str, list[str]]) -> str:
    table = next((str(part) for part in reversed(loc[:-1]) if isinstance(part, str)), "")
    known = sorted(tables.get(table, []))
    return close_to(str(loc[-1]), known, f"; expected one of {', '.join(known)}" if known else "")


_TYPES = {
    "string": "a text",
    "int": "a whole number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "model": "a table",
    "model_attributes": "a table",
    "dict": "a table",
}


def _sentence_of(details: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    got = f", got {_shown(details['input'])}" if not isinstance(details["input"], dict) else ""
    if kind == "enum":
        return f"expected one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}{got}"
    if kind == "too_short":
        return "expected one at least"
    if kind.endswith("_type"):
        return f"expected {_TYPES.get(kind.removesuffix('_type'), 'another type')}{got}"
    message = details["msg"]
    return f"{message[0].lower()}{message[1:]}{got}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
