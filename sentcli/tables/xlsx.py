"""Excel workbooks, read by python-calamine and written by XlsxWriter; cells keep their types.

One sheet is read, with formulas as their values, and written with a style of its own and a sheet about the
run. In an output of another format, whole numbers have no fraction, and dates, times and durations are
ISO 8601. A workbook is held in memory.
"""

import logging
import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import islice
from traceback import clear_frames
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from sentcli.config import NOTE
from sentcli.errors import DataError, RefusedOutputError, counted, option
from sentcli.files import stop
from sentcli.files.atomic import output_errors
from sentcli.files.source import Source
from sentcli.tables import registry
from sentcli.tables.chunk import Chunk, Cursor, Event, Records, Reject, Results, Sheet, collect
from sentcli.tables.convert import comes_back, parse, to_json, to_text
from sentcli.tables.line_reader import too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.sniff import SAMPLE_RECORDS, check_header, further_headers, lines_of_titles, survey_note
from sentcli.tables.table import Note, Table, list_columns
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, Sample, is_usual
from sentcli.tables.workbook import check_workbook, formulas_without_value

_LONGEST = 32_767  # characters of a cell
_LONGEST_COVER = 20  # rows of a sheet without a table
_MOST_COVERS = 30  # sheets in which a table is looked for
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
_LOW, _BETWEEN, _HIGH = "#FBDFCF", "#ECECEC", "#CDE8E6"  # those of reports, light
_BAR, _MOST_BARS = "#0B7A75", 30  # of a chart
_SHADES = {2: (_LOW, _HIGH), 3: (_LOW, _BETWEEN, _HIGH)}  # by the number of labels
_WIDTH_ROWS = 1000  # the first ones, which decide on the widths of columns
_LEAST_WIDTH, _MOST_WIDTH = 8, 60  # in characters
_AS_GIVEN = {"strings_to_formulas": False, "strings_to_urls": False}
_LARGE = {"constant_memory": True, "use_zip64": True}


@dataclass(frozen=True)
class SheetTable(Table):
    """A sheet of a workbook.

    :param first_rows: its cells up to those of the header.
    :param sheet: the sheet itself, because a workbook takes long to open.
    """

    first_rows: tuple[list[Any], ...] = ()
    sheet: Any = None


def open_table(source: Source, options: ReadOptions, like: Table | None) -> SheetTable:
    """Return the table of a sheet by its first rows; see `tables.open.open_table`."""
    name = source.name
    sheet, notes, formulas = _open_sheet(source, options.sheet)
    numbered = islice(enumerate(sheet.iter_rows()), options.skip_lines, None)
    start = next((number for number, cells in numbered if any(cell != "" for cell in cells)), None)
    if start is None:
        return SheetTable(name, options, is_empty=True, notes=(*notes,), sheet=sheet)
    rows = [*islice(sheet.iter_rows(), start + 1 + SAMPLE_RECORDS + options.skip_rows + SAMPLE_ROWS)]
    columns = tuple(map(str, range(1, len(rows[0]) + 1)))
    if options.header:
        cells = [[*map(_text, row)] for row in rows[: start + 1 + SAMPLE_RECORDS]]
        if count := lines_of_titles([*enumerate(cells, 1)][start:], options.text_column, name):
            note = f"the header is row {count + 1}: read with {option('skip_lines', count)}"
            notes.append((logging.WARNING, f"{name}: {note}"))
            start = count
        columns = tuple(cells[start])
        notes += () if like else check_header(cells[start : start + 3], options, name)
        if not options.skip_rows and (count := further_headers(cells[start + 1 : start + 3])):
            options = replace(options, skip_rows=count)
            notes.append((logging.WARNING, f"{name}: {survey_note(count)}"))
    lead = rows[: start + options.header]
    if like and like.columns != columns:
        raise DataError(f"{name}: {list_columns(columns)}, in the first input {list_columns(like.columns)}")
    body = rows[len(lead) + options.skip_rows :][:SAMPLE_ROWS]
    sample = Sample(columns, {}, options.text_column, name, [*zip(*body, strict=True)] or [()] * len(columns))
    choice = Choice(like.places) if like else sample.choose()
    return SheetTable(
        name,
        options,
        columns,
        places=choice.places,
        formulas_without_value=formulas,
        notes=(*notes, *choice.notes),
        first_rows=tuple(lead),
        sheet=sheet,
    )


def read(source: Source, table: SheetTable, cursor: Cursor) -> Iterator[Chunk]:
    """Read one sheet; see `tables.open.read`. The bytes of a row are its cells as JSON."""
    return collect(_events(source, table), cursor, table, lead=to_json(table.first_rows))


def _events(source: Source, table: SheetTable) -> Iterator[Event]:
    """Yield the rows."""
    limit, skip = table.options.max_row_bytes, len(table.first_rows)
    for line, cells in enumerate(islice(table.sheet.iter_rows(), skip, None), start=skip + 1):
        raw = to_json(cells) + b"\n"
        values = [*map(_value, cells)]
        text = " ".join(filter(None, (to_text(values[place]) for place in table.places)))
        if line <= skip + table.options.skip_rows:
            yield Records((None,), (values,), (raw,), (line,), None, is_header=True)
        elif len(text.encode()) > limit:
            yield Reject(table.name, line, None, too_long(limit), raw)
        else:
            yield Records((text,), (values,), (raw,), (line,), None)
    source.check_unchanged()


def _open_sheet(source: Source, wanted: str | None) -> tuple[Any, list[Note], int]:
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
            sheet = _first_table(book, inputs or names)
        elif (name := wanted if wanted in names else numbered.get(wanted)) is not None:
            sheet = book.get_sheet_by_name(name)
        else:
            hint = f"the sheets are {', '.join(names):.400}"
            raise DataError(f"{source.name}: no sheet {wanted!r:.200}; {hint}")
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
    return sheet, notes, count


def _is_summary(book: Any, name: str) -> bool:
    """Return whether a sheet is the one about a run, which is no input and is written anew."""
    if name not in _SUMMARIES:
        return False
    first_rows = islice(book.get_sheet_by_name(name).iter_rows(), len(_SUMMARY_START))
    return [cells[0] for cells in first_rows] == _SUMMARY_START


def _first_table(book: Any, names: Sequence[str]) -> Any:
    """Return the first sheet that is no cover; without one, the first that is not empty, or the first."""
    first = None
    for name in names[:_MOST_COVERS]:
        stop.check()
        sheet = book.get_sheet_by_name(name)  # alone in memory
        rows = ([cell for cell in row if cell != ""] for row in islice(sheet.iter_rows(), SAMPLE_ROWS))
        filled = [*filter(None, rows)]
        is_list = bool(filled) and (len(filled) > _LONGEST_COVER or is_usual(_text(filled[0][0])))
        has_title = bool(filled) and len(filled[0]) == 1  # of figures with a name each, or of a table
        if is_list or any(len(row) > 1 + has_title for row in filled):
            return sheet
        first = first or (name if filled else None)
    return book.get_sheet_by_name(first or names[0])


def _value(cell: Any) -> Any:
    """Return the value of a cell: whole numbers without a fraction, None if it is empty."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MOST_WHOLE:
        return int(cell)
    return None if cell == "" else cell


def _text(cell: Any) -> str:
    return to_text(_value(cell))


class _Score(float):
    """A number that is shown with three decimals."""


class _Share(float):
    """A number that is shown as a percentage."""


class Writer(registry.Writer):
    """Writes one sheet, and one about the run.

    Cells have numbers, booleans, dates and times if Excel keeps their values, else text.
    """

    def __init__(self, table: Table, *others: Any) -> None:
        from xlsxwriter import Workbook  # takes as long to import as many rows to read

        super().__init__(table, *others)
        self._file = BytesIO()
        if self.scratch:
            with output_errors(self.scratch):
                shutil.rmtree(self.scratch, ignore_errors=True)  # of a run that was killed
                self.scratch.mkdir(0o700)
        self._book = Workbook(self._file, {**_AS_GIVEN, **_LARGE, "tmpdir": self.scratch})
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # the same in every run
        formats = {**_FORMATS, _Score: "0.000", _Share: "0.0%"}
        self._formats = {kind: self._book.add_format({"num_format": form}) for kind, form in formats.items()}
        self._bold = self._book.add_format({"bold": True, "bottom": 1})
        self._wrapped = self._book.add_format({"text_wrap": True, "valign": "top"})
        self._kinds = [table.types.get(name) for name in table.kept_columns]

    def unfit(self, value: Any) -> str:
        text = to_text(value) if isinstance(value, str | list | dict | bytes) else ""
        size = len(text.encode("utf-16-le")) // 2 if 2 * len(text) > _LONGEST else 0
        reason = f"{size:,} characters in a cell, Excel holds {_LONGEST:,}; try -o OUT.csv"
        return reason if size > _LONGEST else ""

    def begin(self) -> bytes:
        table, title, first_rows = self.table, "Sheet1", [[*self.table.columns]]
        if isinstance(table, SheetTable):
            title = table.sheet.name
            first_rows = [*table.first_rows, *first_rows * (not table.options.header)]
        self._begin_sheet(title)
        for cells in first_rows[:-1]:
            self._write(cells)
        self._header = self._row
        if table.columns:
            self._write([*(first_rows[-1][place] for place in table.kept), *self.names], self._bold)
            self._sheet.freeze_panes(self._row, 0)
        return b""

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        for values, *new in zip(chunk.values, *results, strict=True):
            self._write([*map(_cell, values, self._kinds), *map(_held, new)])
        return b""

    def close(self, summary: Sheet = ()) -> bytes:
        from xlsxwriter.exceptions import FileCreateError

        header, last, old = self._header, self._row - 1, len(self.table.kept)
        if last > header:
            self._sheet.autofilter(header, 0, last, old + len(self.results) - 1)
            for place, column in enumerate(self.results, start=old):
                self._shade(header + 1, last, place, column.labels)
        self._begin_sheet(next(name for name in _SUMMARIES if name.lower() != self._sheet.name.lower()))
        self._write_summary(summary)
        try:
            self._book.close()
        except FileCreateError as error:  # of the disk
            clear_frames(error.args[0].__traceback__)  # closes the archive, which would fail later
            raise error.args[0] from None
        return self._file.getvalue()

    def _write_summary(self, summary: Sheet) -> None:
        """Write the sheet about the run, on which the workbook opens, with a chart per table of shares."""
        self._sheet.activate()
        form, first = None, None
        for cells in summary:
            has_share = len(cells) > 2 and isinstance(cells[2], float)
            if has_share and first is None:
                first = self._row
            if first is not None and not has_share:
                self._draw(first, min(self._row - 1, first + _MOST_BARS))
                first = None
            long = self._wrapped if len(str(cells[-1:])) > _MOST_WIDTH else None
            self._write((_Share(cell) if isinstance(cell, float) else cell for cell in cells), form or long)
            form = None if cells else self._bold  # after an empty row

    def _draw(self, first: int, last: int) -> None:
        """Draw the shares of some rows."""
        chart, name = self._book.add_chart({"type": "bar"}), self._sheet.name
        places = {"categories": [name, first, 0, last, 0], "values": [name, first, 2, last, 2]}
        chart.add_series({**places, "fill": {"color": _BAR}, "gap": 40})
        chart.set_legend({"none": True})
        chart.set_x_axis({"min": 0, "max": 1, "num_format": "0%"})
        chart.set_y_axis({"reverse": True})
        chart.set_size({"width": 480, "height": 20 * (last - first + 4)})
        self._sheet.insert_chart(first - 1, 6, chart)

    def _shade(self, first: int, last: int, place: int, labels: Sequence[str]) -> None:
        """Write the rules that shade two labels, one between them, and `mixed`; more labels have no order."""
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

    def _write(self, cells: Iterable[Any], form: Any = None) -> None:
        self._sheet.write_string(self._row, 0, "")  # a last row without any value would not be there
        for place, cell in enumerate(map(_writable, cells)):
            if self._sheet.write(self._row, place, cell, form or self._formats.get(type(cell))) < 0:
                where = f"row {self._row + 1:,}, column {place + 1:,}"
                limits = "1,048,576 rows, 16,384 columns and 32,767 characters a cell"
                hint = "write another format: -o OUT.csv"
                raise RefusedOutputError(f"Excel has no room for {where}: it holds {limits}; {hint}")
            if self._row < _WIDTH_ROWS:
                shown = f"{cell:.9g}" if isinstance(cell, float) else str(cell).partition("\n")[0]
                width = max(len(shown) + 2, self._widths.get(place, _LEAST_WIDTH))
                self._widths[place] = min(width, _MOST_WIDTH)
                self._sheet.set_column(place, place, self._widths[place])
        self._row += 1


def _held(value: Any) -> Any:
    """Return a value of a new column; of a list that is too long for a cell, its first items."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[: value.rfind("], ", 0, _LONGEST) + 1] + "]"
    return _Score(round(value, 6)) if isinstance(value, float) else value


def _cell(value: Any, kind: Any) -> Any:
    """Return a value of another format as a cell of its type; a text if Excel would change it."""
    is_typed = isinstance(value, str) and isinstance(kind, type)
    if not is_typed or (kind in _CHECKED and not comes_back([value], kind)):
        return value
    (cell,) = parse([value], kind)
    is_early = isinstance(cell, date) and cell.year < _FIRST_YEAR
    is_fine = getattr(cell, "microsecond", 0) % 1000 > 0
    is_long = type(cell) is int and abs(cell) >= _MOST_WHOLE
    return value if is_early or is_fine or is_long else cell


def _writable(value: Any) -> Any:
    """Return a value that a cell can hold: other types, and numbers that would be changed, become text."""
    if isinstance(value, float):
        is_kept = math.isfinite(value)
    elif isinstance(value, int):
        is_kept = abs(value) <= _MOST_EXACT
    else:
        is_kept = value is None or isinstance(value, str) or type(value) in _FORMATS
    return value if is_kept else to_text(value)
