"""A workbook with one sheet, row by row: what was written goes to disk, not into memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO

import xlsxwriter

MOST_CHARACTERS = 32_767
"""Of one cell; what is longer ends with an ellipsis."""
WIDTH = 22
# The workbook's own date: the same rows make the same file. Workbooks know no time zones (DTZ001 is excused for that).
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001


class Workbook:
    """Dates are dates (in UTC, as a spreadsheet knows no zones), numbers numbers, and texts never formulas or links."""

    def __init__(self, file: IO[bytes], sheet: str, heads: Sequence[str]) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(file, options)
        self._book.set_properties({"title": f"Tandem: {sheet}", "created": _EPOCH})
        self._dated = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._sheet = self._book.add_worksheet(sheet)
        self._sheet.set_column(0, len(heads) - 1, WIDTH)
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for column, head in enumerate(heads):
            self._sheet.write_string(0, column, head, bold)
        self._next = 1

    def write(self, rows: Sequence[Sequence[str | int | datetime | None]]) -> None:
        """The next rows."""
        for row in rows:
            for column, cell in enumerate(row):
                self._cell(column, cell)
            self._next += 1

    def close(self) -> None:
        """Nothing can be written afterwards; the file is whole."""
        self._book.close()

    def _cell(self, column: int, cell: str | int | datetime | None) -> None:
        if isinstance(cell, datetime):
            naive = cell.astimezone(UTC).replace(tzinfo=None)
            self._sheet.write_datetime(self._next, column, naive, self._dated)
        elif isinstance(cell, int):
            self._sheet.write_number(self._next, column, cell)
        elif cell is not None:
            text = cell if len(cell) <= MOST_CHARACTERS else cell[: MOST_CHARACTERS - 1] + "…"
            self._sheet.write_string(self._next, column, text)
