"""Excel workbooks, read by python-calamine and written by XlsxWriter; cells keep their types.

One sheet is read, with formulas as their values, and written with a style of its own and a sheet about the
run. In an output of another format, whole numbers have no fraction, and dates, times and durations are
ISO 8601. A workbook is held in memory.
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
from operator import itemgetter
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from sentcli.config import NOTE
from sentcli.errors import DataError, OutputError, counted, option
from sentcli.files.atomic import output_errors
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Reject, Results, Sheet, collect
from sentcli.tables.columns import check_names, list_columns
from sentcli.tables.convert import to_json, to_text
from sentcli.tables.limits import check_workbook
from sentcli.tables.line_reader import too_long
from sentcli.tables.sniff import SAMPLE_RECORDS, lines_of_titles
from sentcli.tables.table import Content, Layout, Note, Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, find_columns, find_texts, is_usual
from sentcli.tables.types import comes_back, parse, spell
from sentcli.tables.workbook import formulas_without_value

_LONGEST = 32_767  # characters of a cell
_LONGEST_COVER = 20  # rows of a sheet without a table
_SUMMARIES = ("Summary", "Summary 2")  # the sheet about a run has the first name that is free
_SUMMARY_START = ["model", "texts in"]  # in its first column
_MOST_EXACT = 1 << 53  # numbers are 64-bit floats
_MOST_WHOLE = 10**15  # Excel shows zeros for further digits
_FORMATS: dict[type, str] = {
    datetime: "yyyy-mm-dd hh:mm:ss",
    date: "yyyy-mm-dd",
    time: "hh:mm:ss",
    timedelta: "[h]:mm:ss",
}
_CHECKED = (*_FORMATS, Decimal)  # types whose texts may differ when they are written back
_FIRST_YEAR = 1900  # of dates in Excel, whose times have whole milliseconds
_LOW, _BETWEEN, _HIGH = "#FFC7CE", "#FFEB9C", "#C6EFCE"
_SHADES = {2: (_LOW, _HIGH), 3: (_LOW, _BETWEEN, _HIGH)}  # by the number of labels
_WIDTH_ROWS = 1000  # the first ones, which decide on the widths of columns
_LEAST_WIDTH, _MOST_WIDTH = 8, 60  # in characters
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
    sheet, notes, formulas = _open_sheet(source, options.sheet)
    if request.content is Content.RECORDS:
        note = "cells keep their values and types; styles, formulas and charts are not copied"
        notes = (*notes, (logging.WARNING, f"{name}: {note}"))
    rows: Iterator[list[Any]] = sheet.iter_rows()
    lead = [*islice(rows, options.skip_lines)]
    for header in rows:
        lead.append(header)
        if any(cell != "" for cell in header):
            break
    else:
        style = Style(sheet.name, (), sheet)
        return request.table(name, style=style, is_empty=True, notes=notes)
    body = [*islice(rows, options.skip_rows + SAMPLE_ROWS)]
    rows_as_text = ([*map(_text, cells)] for cells in (header, *body[:SAMPLE_RECORDS]))
    if count := lines_of_titles([*enumerate(rows_as_text, start=len(lead))], options.text_column, name):
        note = f"the header is row {count + 1}: read with {option('skip_lines', count)}"
        notes = (*notes, (logging.WARNING, f"{name}: {note}"))
        size = count + 1 - len(lead)
        lead += body[:size]
        header, body = lead[-1], [*body[size:], *islice(rows, size)]
    columns = tuple(map(_text, header))
    if first and first.columns != columns:
        raise DataError(f"{name}: {list_columns(columns)}, in the first input {list_columns(first.columns)}")
    check_names(columns, request, name)
    by_column = [*zip(*body[options.skip_rows :], strict=True)] or [()] * len(columns)
    choice = Choice(first.places) if first else find_texts(columns, {}, options.text_column, name, by_column)
    if request.types:
        rest = islice(sheet.iter_rows(), len(lead) + options.skip_rows, None)
        request.types.add([dict(zip(columns, map(_typed, cells), strict=True)) for cells in rest])
    return request.table(
        name,
        columns,
        texts=tuple(columns[place] for place in choice.places),
        places=choice.places,
        sides=find_columns(columns, options.sides, name),
        lead=to_json([lead[:-1], header]),
        style=Style(sheet.name, tuple(lead), sheet),
        formulas_without_value=formulas,
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
        sides = [tuple(_text(cells[place]) for place in table.sides)] if table.sides else []
        if number < table.options.skip_rows:
            yield (None, values, raw, *sides) if is_kept else raw
        elif reason := too_long(limit) if len(text.encode()) > limit else table.bounds.misfit(values):
            yield Reject(table.name, skip + number + 1, None, reason, raw)
        else:
            yield text, values, raw, *sides
    source.check_unchanged()


def _open_sheet(source: Source, wanted: str | None) -> tuple[Any, tuple[Note, ...], int]:
    """Return a sheet by its name or number, else the first table; notes; and how many values are missing."""
    try:
        file = source.seekable()
        check_workbook(file, source.name)
        book = CalamineWorkbook.from_filelike(file)
        names = book.sheet_names
        if not names:
            raise DataError(f"{source.name}: not a workbook that can be read: it has no sheets")
        numbered = {str(number): name for number, name in enumerate(names, start=1)}
        inputs = [name for name in names if not _is_summary(book, name)]
        if wanted is None:
            sheet = _first_table(map(book.get_sheet_by_name, inputs or names))
        elif (name := wanted if wanted in names else numbered.get(wanted)) is not None:
            sheet = book.get_sheet_by_name(name)
        else:
            raise DataError(
                f"{source.name}: no sheet {wanted!r:.200}; the sheets are {', '.join(names):.400}"
            )
    except CalamineError as error:
        raise DataError(f"{source.name}: not a workbook that can be read: {error}") from error
    place = names.index(sheet.name)
    notes: list[Note] = []
    if others := ", ".join(name for name in inputs if name != sheet.name):
        taken = f"texts taken from the sheet {sheet.name!r:.200}, " if wanted is None and place else ""
        note = f"{taken}other sheets are left out: {others:.400}; choose with {option('sheet')}"
        notes.append((logging.WARNING, f"{source.name}: {note}"))
    count, cell = formulas_without_value(source.seekable(), place)
    if count:
        note = f"{counted(count, 'formula')} without a value, the first in {cell}, read as 0 or empty"
        hint = "open the workbook in Excel or LibreOffice and save it, which calculates them"
        notes.append((NOTE, f"{source.name}: {note}; {hint}"))
    return sheet, (*notes,), count


def _is_summary(book: Any, name: str) -> bool:
    """Return whether a sheet is the one about a run, which is no input and is written anew."""
    if name not in _SUMMARIES:
        return False
    first_rows = islice(book.get_sheet_by_name(name).iter_rows(), len(_SUMMARY_START))
    return [cells[0] for cells in first_rows] == _SUMMARY_START


def _first_table(sheets: Iterable[Any]) -> Any:
    """Return the first sheet that is no cover; without one, the first that is not empty, or the first."""
    others = []
    for sheet in sheets:
        rows = ([cell for cell in row if cell != ""] for row in islice(sheet.iter_rows(), SAMPLE_ROWS))
        filled = [*filter(None, rows)]
        is_list = bool(filled) and (len(filled) > _LONGEST_COVER or is_usual(_text(filled[0][0])))
        if is_list or any(len(row) > 1 for row in filled):
            return sheet
        others.append((not filled, sheet))
    return min(others, key=itemgetter(0))[1]


def _portable(cell: Any) -> Any:
    """Return a cell as other formats have it; None if it is empty."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MOST_WHOLE:
        return int(cell)
    return spell(cell) if type(cell) in _FORMATS else None if cell == "" else cell


def _typed(cell: Any) -> Any:
    return cell if type(cell) in _FORMATS else _portable(cell)


def _text(cell: Any) -> str:
    return to_text(_portable(cell))


class _Score(float):
    """A number that is shown with three decimals."""


class _Share(float):
    """A number that is shown as a percentage."""


class Writer:
    """Writes one sheet, and one about the run.

    Cells have numbers, booleans, dates and times if Excel keeps their values, else text.
    """

    def __init__(self, layout: Layout, table: Table) -> None:
        from xlsxwriter import Workbook  # takes as long to import as many rows to read

        self._layout = layout
        self._table = table
        self._file = BytesIO()
        if layout.scratch:
            with output_errors(layout.scratch):
                shutil.rmtree(layout.scratch, ignore_errors=True)  # of a run that was killed
                layout.scratch.mkdir(0o700)
        self._book = Workbook(self._file, {**_AS_GIVEN, "tmpdir": layout.scratch})
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # the same in every run
        formats = {**_FORMATS, _Score: "0.000", _Share: "0.0%"}
        self._formats = {kind: self._book.add_format({"num_format": form}) for kind, form in formats.items()}
        self._bold = self._book.add_format({"bold": True, "bottom": 1})
        self._kinds = [table.types.get(name) for name in table.kept_columns]

    def begin(self) -> bytes:
        table, is_new = self._table, self._layout.converts
        self._begin_sheet("Sheet1" if is_new else table.style.name)
        for cells in () if is_new else table.style.lead[:-1]:
            self._write(cells)
        self._header = self._row
        if table.columns:
            header = table.columns if is_new else table.style.lead[-1]
            self._write([*(header[place] for place in table.kept), *self._layout.names], self._bold)
            self._sheet.freeze_panes(self._row, 0)
        return b""

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        rows = chunk.rows
        if self._layout.converts:
            rows = [[*map(_cell, values, self._kinds)] for values in rows]
        for cells, *new in zip(rows, *results, strict=True):
            self._write([*cells, *map(_held, new)])
        return b""

    def close(self, summary: Sheet = ()) -> bytes:
        header, last, old = self._header, self._row - 1, len(self._table.kept)
        if last > header:
            self._sheet.autofilter(header, 0, last, old + len(self._layout.results) - 1)
            for place, column in enumerate(self._layout.results, start=old):
                if not column.is_number:
                    self._shade(header + 1, last, place)
        self._end_sheet()
        self._begin_sheet(next(name for name in _SUMMARIES if name.lower() != self._sheet.name.lower()))
        form = None
        for cells in summary:
            self._write((_Share(cell) if isinstance(cell, float) else cell for cell in cells), form)
            form = None if cells else self._bold  # after an empty row
        self._end_sheet()
        self._book.close()
        return self._file.getvalue()

    def _shade(self, first: int, last: int, place: int) -> None:
        """Let a rule shade two labels, one between them, and `mixed`; more labels have no order."""
        labels = self._layout.graded
        is_mixed = labels[-1:] == ("mixed",)
        colors = _SHADES.get(len(labels) - is_mixed, ())
        for label, color in zip(labels, (*colors, _BETWEEN), strict=False) if colors else ():
            form = self._book.add_format({"bg_color": color})
            value = '"{}"'.format(label.replace('"', '""'))
            rule = {"type": "cell", "criteria": "==", "value": value, "format": form}
            self._sheet.conditional_format(first, place, last, place, rule)

    def _begin_sheet(self, name: str) -> None:
        self._sheet = self._book.add_worksheet(name)
        self._sheet.set_landscape()
        self._sheet.fit_to_pages(1, 0)  # all columns on a printed page
        self._row = 0
        self._widths: dict[int, int] = {}

    def _end_sheet(self) -> None:
        for place, width in self._widths.items():
            self._sheet.set_column(place, place, min(max(width + 2, _LEAST_WIDTH), _MOST_WIDTH))

    def _write(self, cells: Iterable[Any], form: Any = None) -> None:
        self._sheet.write_string(self._row, 0, "")  # a last row without any value would not be there
        for place, cell in enumerate(map(_writable, cells)):
            if self._sheet.write(self._row, place, cell, form or self._formats.get(type(cell))) < 0:
                raise OutputError(
                    f"Excel has no room for row {self._row + 1:,}, column {place + 1:,}: it holds 1,048,576 "
                    "rows, 16,384 columns and 32,767 characters a cell; write another format: -o OUT.csv"
                )
            if self._row < _WIDTH_ROWS:
                shown = f"{cell:.9g}" if isinstance(cell, float) else str(cell).partition("\n")[0]
                self._widths[place] = max(len(shown), self._widths.get(place, 0))
        self._row += 1


def _held(value: Any) -> Any:
    """Return a value of a new column; of a list that is too long for a cell, its first items."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: value.rfind("], ", 0, _LONGEST) + 1] + "]"
    return _Score(round(value, 6)) if isinstance(value, float) else value


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
