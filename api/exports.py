"""The audit view as files: CSV and NDJSON as they are found, XLSX and PDF made whole first. Memory stays flat.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula: such a text gets an apostrophe.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from api.audit_rows import Item, View
from api.happenings import line
from api.problems import Problem
from api.workbook import Workbook
from store.searching import Window

CHUNK = 200
MOST_IN_A_WORKBOOK = 200_000
MOST_IN_A_PACK = 2_000
PIECE = 64 * 1024
BOM = b"\xef\xbb\xbf"
"""Without it spreadsheets take Chinese for something else."""
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_PRESS = asyncio.Semaphore(2)
"""Two files at a time are made whole."""

Cell = str | int | datetime | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of the audit view."""

    name: str
    cell: Callable[[Item], Cell]


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _field(*path: str) -> Column:
    def cell(item: Item) -> Cell:
        value: Any = item
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else _text(value)

    return Column("_".join(path), cell)


def _instant(name: str) -> Column:
    return Column(name, lambda item: item[name] and datetime.fromisoformat(item[name]))


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


COLUMNS: dict[str, Sequence[Column]] = {
    "events": (
        _field("position"),
        _instant("recorded_at"),
        _instant("effective_at"),
        _field("stream"),
        _field("version"),
        _field("concept"),
        _field("type"),
        _field("actor", "principal"),
        _field("actor", "on_behalf_of"),
        _field("actor", "client"),
        _field("rule"),
        _field("sentences", "en"),
        _field("sentences", "zh"),
        _field("command"),
        _field("command_id"),
        _field("correlation_id"),
        _field("causation_id"),
        _field("request_id"),
        _field("data"),
        _field("id"),
        _field("leaf_hash"),
    ),
    "refusals": (
        _field("id"),
        _instant("at"),
        _field("project"),
        _field("command"),
        _field("actor", "principal"),
        _field("actor", "on_behalf_of"),
        _field("code"),
        _field("rule"),
        _field("detail"),
        _field("channel"),
        _field("command_id"),
        _field("data"),
    ),
    "reads": (
        _field("id"),
        _instant("at"),
        _field("reader"),
        _field("what"),
        _field("format"),
        _field("rows"),
        _instant("ended_at"),
        _field("filter"),
        _field("request_id"),
    ),
}


@dataclass
class Gathering:
    """Everything in a window, chunk by chunk; counts what it gave."""

    view: View
    window: Window
    limit: int | None
    rows: int = 0

    async def chunks(self, most: int | None = None) -> AsyncIterator[list[Item]]:
        """Raises Problem where there are more than `most`."""
        rest: Window | None = self.window
        while rest is not None:
            found = await self.view.page(Window(rest.low, rest.high, rest.newest, CHUNK))
            rest, items = found.rest, found.rows
            if self.limit is not None and self.rows + len(items) >= self.limit:
                items, rest = items[: self.limit - self.rows], None
            self.rows += len(items)
            if most is not None and self.rows > most:
                raise Problem("TooManyRows", f"More than {most:,} rows; narrow the filter, or ask for CSV or NDJSON.")
            yield items


async def ndjson(gathering: Gathering) -> AsyncIterator[bytes]:
    """One item a line."""
    async for items in gathering.chunks():
        yield b"".join(line(item) for item in items)


async def comma_separated(gathering: Gathering) -> AsyncIterator[bytes]:
    """A header and a line an item, as spreadsheets read it: UTF-8 with a mark, CRLF, no formulas."""
    columns = COLUMNS[gathering.view.what]
    yield BOM + _csv([[column.name for column in columns]])
    async for items in gathering.chunks():
        yield _csv([[_written(column.cell(item)) for column in columns] for item in items])


def _csv(rows: list[list[Any]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def _written(cell: Cell) -> Any:
    if isinstance(cell, datetime):
        return cell.isoformat().replace("+00:00", "Z")
    return safe(cell) if isinstance(cell, str) else cell


async def workbook(gathering: Gathering) -> IO[bytes]:
    """A workbook on disk, at its start. Raises Problem where it would have too many rows."""
    columns = COLUMNS[gathering.view.what]
    async with _PRESS:
        # It outlives this function: whoever sends it closes it (SIM115 is excused for that).
        file = TemporaryFile()  # noqa: SIM115
        book = Workbook(file, gathering.view.what, [column.name for column in columns])
        async for items in gathering.chunks(MOST_IN_A_WORKBOOK):
            rows = [[_neutral(column.cell(item)) for column in columns] for item in items]
            await asyncio.to_thread(book.write, rows)
        await asyncio.to_thread(book.close)
    file.seek(0)
    return file


def _neutral(cell: Cell) -> Cell:
    return safe(cell) if isinstance(cell, str) else cell


async def pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    """The file piece by piece; it is gone afterwards."""
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def pressed(gathering: Gathering, press: Callable[[list[Item]], bytes]) -> bytes:
    """A document of all items. Raises Problem where there are too many."""
    items = [item async for chunk in gathering.chunks(MOST_IN_A_PACK) for item in chunk]
    async with _PRESS:
        return await asyncio.to_thread(press, items)
