"""The CSV files a connection may name: pairs of issues, pairs of people, ids of work items.

Named columns, in any order and case; comma, semicolon or tab; UTF-8 with or without BOM. Other columns
are left alone, empty lines too.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

Pair = tuple[str, str]

LEFT = ("left", "source")
RIGHT = ("right", "target")
WORK_ITEM = ("work_item", "workitem", "work_item_id", "workitemid", "adoworkitemid", "ado_id", "id", *LEFT)
ISSUE = ("issue", "issue_key", "jiraissuekey", "key", *RIGHT)
MANY = 20


class PairFileError(Exception):
    """A file that cannot be taken: `problems` name the line and what was expected."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_pairs(path: Path, left: tuple[str, ...] = LEFT, right: tuple[str, ...] = RIGHT) -> list[Pair]:
    """Two columns as pairs; `left` and `right` are the names each may have, the best first."""
    return pairs_in(_text(path), path.name, left, right)


def pairs_in(
    text: str,
    file: str,
    left: tuple[str, ...] = LEFT,
    right: tuple[str, ...] = RIGHT,
    *,
    to_fill_in: bool = False,
) -> list[Pair]:
    """As `read_pairs`, of a text that came with the name of its file.

    `to_fill_in`: of a list that people fill in, rows whose right side is still empty are left out.
    """
    rows = _rows(text)
    columns = _columns(file, rows, left, right)
    pairs, problems = [], []
    for line, row in rows:
        pair = (_cell(row, columns[0]), _cell(row, columns[1]))
        if all(pair):
            pairs.append(pair)
        elif not (to_fill_in and pair[0]):
            problems.append(f"{file} line {line}: expected {left[0]} and {right[0]}, one is empty")
    _raise(problems)
    return pairs


def read_ids(path: Path) -> list[int]:
    """Work item ids: one column named `id` or `work_item`, or the only column of a file without names."""
    return ids_in(_text(path), path.name)


def ids_in(text: str, file: str) -> list[int]:
    """As `read_ids`, of a text that came with the name of its file."""
    rows = _rows(text)
    line, first = next(rows, (0, []))
    column = 0
    if _cell(first, 0).isdecimal():
        rows = iter([(line, first), *rows])
    else:
        column = _column(file, [_plain(name) for name in first], WORK_ITEM)
    ids, problems = [], []
    for line, row in rows:
        cell = _cell(row, column)
        if cell.isdecimal():
            ids.append(int(cell))
        else:
            problems.append(f'{file} line {line}: expected a work item id, got "{cell}"')
    _raise(problems)
    return ids


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the lines that are not empty."""
    first_line = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _text(path: Path) -> str:
    try:
        return decoded(path.read_bytes(), path.name)
    except OSError as error:
        raise PairFileError(f"{path} cannot be read: {error.strerror}") from None


def decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise PairFileError(f"{file} is not UTF-8: save it as CSV UTF-8") from None


def _columns(
    file: str, rows: Iterator[tuple[int, list[str]]], left: tuple[str, ...], right: tuple[str, ...]
) -> tuple[int, int]:
    _, header = next(rows, (0, []))
    names = [_plain(name) for name in header]
    return _column(file, names, left), _column(file, names, right)


def _column(file: str, names: list[str], wanted: tuple[str, ...]) -> int:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise PairFileError(
            f'{file} line 1: expected a column named "{wanted[0]}", got {", ".join(names) or "nothing"}'
        )
    return names.index(found)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _cell(row: list[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _raise(problems: list[str]) -> None:
    if len(problems) > MANY:
        problems = [*problems[:MANY], f"and {len(problems) - MANY} more lines like these"]
    if problems:
        raise PairFileError(*problems)
