"""CSV that spreadsheets read rightly: UTF-8 with BOM, RFC 4180, no cell that they take for a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

BOM = "\ufeff"

# A spreadsheet takes a cell that begins so for a formula.
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """A leading apostrophe keeps a spreadsheet from reading a formula."""
    return f"'{cell}" if _DANGEROUS.match(cell) else cell


class _Echo:
    """Gives back each line a csv writer writes."""

    def write(self, line: str) -> str:
        return line


def lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file line by line, so that it can be sent while it is read. None is an empty cell."""
    writer = csv.writer(_Echo())
    yield BOM + writer.writerow(columns)
    for row in rows:
        yield writer.writerow(["" if cell is None else guarded(str(cell)) for cell in row])


def unguarded(cell: str) -> str:
    """The cell as it was before it was guarded."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell) else cell
