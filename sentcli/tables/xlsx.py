"""Excel workbooks, read by python-calamine and written by XlsxWriter; cells keep their types.

One sheet is read, with formulas as their values, and written without styles. In an output of another format,
whole numbers have no fraction, and dates, times and durations are ISO 8601. A workbook is held in memory.
"""

import logging
import math
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import islice
from typing import Any

from sentcli.errors import DataError, OutputError, option, requires
from sentcli.files.atomic import output_errors
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Reject, Results, collect
from sentcli.tables.columns import check_names, list_columns
from sentcli.tables.convert import to_json, to_text
from sentcli.tables.limits import check_workbook
from sentcli.tables.line_reader import too_long
from sentcli.tables.sniff import SAMPLE_RECORDS, line_after_titles
from sentcli.tables.table import Content, Layout, Note, Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, find_texts
from sentcli.tables.types import comes_back, parse, spell

_MOST_EXACT = 1 << 53  # numbers are 64-bit floats
_MOST_WHOLE = 10**15  # Excel shows zeros for further digits
_FORMATS = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", time: "hh:mm:ss", timedelta: "[h]:mm:ss"}
_CHECKED = (*_FORMATS, Decimal)  # types of which a text may be a value that Excel or Python changes
_FIRST_YEAR = 1900  # of dates in Excel, which has no parts of milliseconds
_AS_GIVEN = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


@dataclass(frozen=True)
class Style:
    """A sheet.

    :param lead: the cells of its first rows, up to those of the header.
    :param sheet: the sheet itself, because a workbook takes long to open.
    """

    name: str
    lead: tuple[list[Any], ...]
    sheet: Any


def inspect(source: Source, request: Request) -> Table:
    """Return the table of a sheet by its first rows; see `inspect.inspect`."""
    options, name, first = request.options, source.name, request.first
    sheet, notes = _open_sheet(source, options.sheet)
    rows: Iterator[list[Any]] = sheet.iter_rows()
    lead = [*islice(rows, options.skip_lines)]
    for header in rows:
        lead.append(header)
        if any(cell != "" for cell in header):
            break
    else:
        style = Style(sheet.name, (), sheet)
        return request.table(name, style=style, is_empty=True, notes=notes)
    columns = tuple(map(_text, header))
    if first and first.columns != columns:
        raise DataError(f"{name}: {list_columns(columns)}, in the first input {list_columns(first.columns)}")
    check_names(columns, request, name)
    second, sample = [*islice(rows, options.skip_rows)], [*islice(rows, SAMPLE_ROWS)]
    rows_as_text = ([*map(_text, cells)] for cells in (header, *second, *sample[:SAMPLE_RECORDS]))
    if line := line_after_titles([*enumerate(rows_as_text, start=len(lead))]):
        hint = f"if the header is row {line}, add {option('skip_lines', line - 1)}"
        raise DataError(f"{name}: the first row has one cell; {hint}")
    by_column = [*zip(*sample, strict=True)] or [()] * len(columns)
    choice = Choice(first.places) if first else find_texts(columns, {}, options.text_column, name, by_column)
    if request.types:
        body = islice(sheet.iter_rows(), len(lead) + options.skip_rows, None)
        values = zip(*([*map(_typed, cells)] for cells in body), strict=True)
        request.types.add(dict(zip(columns, values, strict=False)))
    return request.table(
        name,
        columns,
        texts=tuple(columns[place] for place in choice.places),
        places=choice.places,
        lead=to_json([lead[:-1], header]),
        style=Style(sheet.name, tuple(lead), sheet),
        notes=(*notes, *choice.notes),
    )


def read(source: Source, table: Table, cursor: Cursor, content: Content) -> Iterator[Chunk]:
    """Read one sheet; see `registry.Reader`. The bytes of a row are its cells as JSON."""
    events = _events(source, table, is_kept=content is Content.RECORDS)
    return collect(events, cursor, keep_gaps=False, lead=table.lead)


def _events(source: Source, table: Table, *, is_kept: bool) -> Iterator[Event]:
    """Yield the rows."""
    limit, skip = table.options.max_row_bytes, len(table.style.lead)
    for number, cells in enumerate(islice(table.style.sheet.iter_rows(), skip, None)):
        raw = to_json(cells) + b"\n"
        values = [cells[place] if is_kept else _portable(cells[place]) for place in table.kept]
        text = " ".join(filter(None, (_text(cells[place]) for place in table.places)))
        if number < table.options.skip_rows:
            yield (None, values, raw) if is_kept else raw
        elif len(text.encode()) > limit:
            yield Reject(table.name, skip + number + 1, None, too_long(limit), raw)
        else:
            yield text, values, raw
    source.check_unchanged()


def _open_sheet(source: Source, wanted: str | None) -> tuple[Any, tuple[Note, ...]]:
    """Return a sheet by its name or number, else the first one; and a note on the others."""
    with requires("excel"):
        from python_calamine import CalamineError, CalamineWorkbook
    try:
        file = source.seekable()
        check_workbook(file, source.name)
        book = CalamineWorkbook.from_filelike(file)
        names = book.sheet_names
        if not names:
            raise DataError(f"{source.name}: not a workbook that can be read: it has no sheets")
        numbered = {str(number): name for number, name in enumerate(names, start=1)}
        chosen = names[0] if wanted is None else wanted if wanted in names else numbered.get(wanted)
        if chosen is None:
            raise DataError(
                f"{source.name}: no sheet {wanted!r:.200}; the sheets are {', '.join(names):.400}"
            )
        others = ", ".join(name for name in names if name != chosen)
        note = f"{source.name}: other sheets are left out: {others:.400}; choose with {option('sheet')}"
        return book.get_sheet_by_name(chosen), ((logging.WARNING, note),) if others else ()
    except CalamineError as error:
        raise DataError(f"{source.name}: not a workbook that can be read: {error}") from error


def _portable(cell: Any) -> Any:
    """Return a cell as other formats have it; None if it is empty."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MOST_WHOLE:
        return int(cell)
    return spell(cell) if type(cell) in _FORMATS else None if cell == "" else cell


def _typed(cell: Any) -> Any:
    return cell if type(cell) in _FORMATS else _portable(cell)


def _text(cell: Any) -> str:
    return to_text(_portable(cell))


class Writer:
    """Writes one sheet. Numbers, booleans, dates and times are such cells if Excel keeps their values."""

    def __init__(self, layout: Layout, table: Table) -> None:
        with requires("excel"):
            from xlsxwriter import Workbook
        self._layout = layout
        self._table = table
        self._file = BytesIO()
        if layout.scratch:
            with output_errors(layout.scratch):
                shutil.rmtree(layout.scratch, ignore_errors=True)  # of a run that was killed
                layout.scratch.mkdir(0o700)
        self._book = Workbook(self._file, {**_AS_GIVEN, "tmpdir": layout.scratch})
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # the same in every run
        self._formats = {kind: self._book.add_format({"num_format": form}) for kind, form in _FORMATS.items()}
        self._kinds = [table.types.get(name) for name in table.kept_columns]
        self._sheet: Any = None
        self._row = 0

    def begin(self) -> bytes:
        table, is_new = self._table, self._layout.converts
        self._sheet = self._book.add_worksheet(None if is_new else table.style.name)
        for cells in () if is_new else table.style.lead[:-1]:
            self._write(cells)
        if table.columns:
            header = table.columns if is_new else table.style.lead[-1]
            self._write([*(header[place] for place in table.kept), *self._layout.names])
        return b""

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        rows = chunk.rows
        if self._layout.converts:
            rows = [[*map(_cell, values, self._kinds)] for values in rows]
        for cells, *new in zip(rows, *results, strict=True):
            self._write([*cells, *(round(each, 6) if isinstance(each, float) else each for each in new)])
        return b""

    def close(self) -> bytes:
        self._book.close()
        return self._file.getvalue()

    def _write(self, cells: Iterable[Any]) -> None:
        self._sheet.write_string(self._row, 0, "")  # a last row without any value would not be there
        for place, cell in enumerate(map(_writable, cells)):
            if self._sheet.write(self._row, place, cell, self._formats.get(type(cell))) < 0:
                raise OutputError(
                    f"Excel has no room for row {self._row + 1:,}, column {place + 1:,}: it holds 1,048,576 "
                    "rows, 16,384 columns and 32,767 characters a cell; write another format: -o OUT.csv"
                )
        self._row += 1


def _cell(value: Any, kind: Any) -> Any:
    """Return a value of another format as a cell of its type; a text if Excel would change it."""
    if not (isinstance(value, str) and isinstance(kind, type)):
        return value
    if kind in _CHECKED and not comes_back([value], kind):
        return value
    (cell,) = parse([value], kind)
    is_kept = getattr(cell, "microsecond", 0) % 1000 == 0
    if isinstance(cell, date):
        is_kept &= cell.year >= _FIRST_YEAR
    elif type(cell) is int:
        is_kept = abs(cell) < _MOST_WHOLE
    return cell if is_kept else value


def _writable(value: Any) -> Any:
    """Return a value that a cell can hold: other types, and numbers that would be changed, become text."""
    if isinstance(value, float):
        is_kept = math.isfinite(value)
    elif isinstance(value, int):
        is_kept = abs(value) <= _MOST_EXACT
    else:
        is_kept = value is None or isinstance(value, str) or type(value) in _FORMATS
    return value if is_kept else to_text(value)
