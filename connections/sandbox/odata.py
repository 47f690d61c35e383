"""As much of OData's $filter as worklogs need: eq, ne, gt, ge, lt, le, in, and, or, not, brackets.

`parse(text)` gives a test for one row (a dict as it is answered), or raises ODataError.
"""

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

type Row = dict[str, Any]
type Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)
      | (?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<sign>[(),])
      | (?P<word>[A-Za-z_@][\w/.]*)
    )""",
    re.VERBOSE,
)
_COMPARISONS = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
_CONSTANTS = {"null": None, "true": True, "false": False}


class ODataError(Exception):
    """The filter is refused."""


def value_at(row: Row, path: str) -> Any:
    """User/Email and the like; ODataError for a property that does not exist."""
    held: Any = row
    for name in path.split("/"):
        if not isinstance(held, dict) or name not in held:
            raise ODataError(f"Could not find a property named '{path}'.")
        held = held[name]
    return held


def parse(text: str, *, allow_in: bool = True) -> Test:
    return _Parser(_tokens(text), allow_in=allow_in).parse()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ODataError(f"Syntax error at position {position} in '{text}'.")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], *, allow_in: bool) -> None:
        self.tokens = tokens
        self.allow_in = allow_in
        self.position = 0

    def parse(self) -> Test:
        test = self._either()
        if self.position < len(self.tokens):
            raise ODataError(f"Syntax error at '{self._next()[1]}'.")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        kind, path = self._next()
        if kind != "word":
            raise ODataError(f"A property name was expected, not '{path}'.")
        sign = self._next()[1]
        if sign == "in" and self.allow_in:
            return self._membership(path)
        if sign not in _COMPARISONS:
            raise ODataError(f"The operator '{sign}' is not supported.")
        return _compared(path, _COMPARISONS[sign], self._literal())

    def _membership(self, path: str) -> Test:
        self._expect("(")
        values = {self._literal()}
        while self._take(","):
            values.add(self._literal())
        self._expect(")")
        return lambda row: value_at(row, path) in values

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "word" and text in _CONSTANTS:
            return _CONSTANTS[text]
        readers: dict[str, Callable[[str], Any]] = {
            "text": lambda value: value[1:-1].replace("''", "'"),
            "number": lambda value: float(value) if "." in value else int(value),
            "guid": str.lower,
            "time": datetime.fromisoformat,
        }
        if kind not in readers:
            raise ODataError(f"A value was expected, not '{text}'.")
        return readers[kind](text)

    def _next(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise ODataError("The filter is incomplete.")
        self.position += 1
        return self.tokens[self.position - 1]

    def _take(self, text: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position][1] == text:
            self.position += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise ODataError(f"'{text}' was expected.")


def _compared(path: str, compare: Callable[[Any, Any], bool], wanted: Any) -> Test:
    if isinstance(wanted, datetime) and wanted.tzinfo is None:
        raise ODataError(f"A date-time with an offset was expected for '{path}'.")

    def test(row: Row) -> bool:
        held = value_at(row, path)
        if isinstance(wanted, datetime) and isinstance(held, str):
            held = datetime.fromisoformat(held)
        try:
            return compare(held, wanted)
        except TypeError:
            return False

    return test
