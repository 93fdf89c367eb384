"""Excel workbooks, read by python-calamine and written by XlsxWriter; cells keep their types.

One sheet is read, with formulas as their values, and written without styles. In an output of another format,
whole numbers have no fraction, and dates, times and durations are ISO 8601. A workbook is held in memory.
"""

import logging
import math
import shutil
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import chain, islice
from typing import Any

from sentcli.errors import DataError, OutputError, requires
from sentcli.files.atomic import output_errors
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Note, Reject, Results, collect
from sentcli.tables.columns import check_names, list_columns
from sentcli.tables.convert import to_json, to_text
from sentcli.tables.limits import check_workbook
from sentcli.tables.options import Setup
from sentcli.tables.sniff import SAMPLE_RECORDS, line_after_titles
from sentcli.tables.text_column import SAMPLE_ROWS, find_texts

_MOST_EXACT = 1 << 53  # numbers are 64-bit floats
_MOST_WHOLE = 10**15  # Excel shows larger numbers with an exponent
_FORMATS = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", time: "hh:mm:ss", timedelta: "[h]:mm:ss"}
_AS_GIVEN = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one sheet; see `registry.Reader`. The bytes of a row are its cells as JSON.

    :raises MissingExtraError: without the extra `excel`.
    """
    return collect(_events(source, setup, first), cursor, keep_gaps=False)


def _events(source: Source, setup: Setup, first: Head | None) -> Iterator[Event]:
    options, name = setup.options, source.name
    sheet, notes = _open_sheet(source, options.sheet)
    rows: Iterator[list[Any]] = sheet.iter_rows()
    lead = [*islice(rows, options.skip_lines)]
    for header in rows:
        if any(cell != "" for cell in header):
            break
        lead.append(header)
    else:
        return
    columns = tuple(map(_text, header))
    if first and first.columns != columns:
        raise DataError(f"{name}: {list_columns(columns)}, in the first input {list_columns(first.columns)}")
    check_names(columns, setup, name)
    second, sample = [*islice(rows, options.skip_rows)], [*islice(rows, SAMPLE_ROWS)]
    rows_as_text = ([*map(_text, cells)] for cells in (header, *second, *sample[:SAMPLE_RECORDS]))
    if line := line_after_titles([*enumerate(rows_as_text, start=len(lead) + 1)]):
        hint = f"if the header is row {line}, add --skip-lines {line - 1}"
        raise DataError(f"{name}: the first row has one cell; {hint}")
    by_column = [*zip(*sample, strict=True)] or [()] * len(columns)
    places, doubts = find_texts(columns, {}, options.text_column, name, by_column, first=first)
    texts = tuple(columns[place] for place in places)
    style = (sheet.name, [*lead, header])
    yield Head(columns, texts, to_json([lead, header]), style, places, (*notes, *doubts))
    start = len(lead) + 2  # the first row of a sheet is 1
    for number, cells in enumerate(chain(second, sample, rows), start):
        raw = to_json(cells) + b"\n"
        values = cells if setup.output_format == "xlsx" else [*map(_portable, cells)]
        if setup.output_format == "parquet":  # there, columns of other formats are strings
            values = [_text(cell) or None for cell in cells]
        text = " ".join(filter(None, (_text(cells[place]) for place in places)))
        if number - start < len(second):
            yield raw if setup.converts else (None, values, raw)
        elif len(text.encode()) > options.max_row_bytes:
            reason = f"longer than {options.max_row_bytes} bytes; try a higher --max-row-bytes"
            yield Reject(name, number, None, reason, raw)
        else:
            yield text, values, raw
    source.check_unchanged()


def _open_sheet(source: Source, wanted: str | None) -> tuple[Any, list[Note]]:
    """Return a sheet by its name or number, else the first one; and a note on the others.

    :raises DataError: if the file is not a workbook, or has no such sheet.
    """
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
        note = f"{source.name}: other sheets are left out: {others:.400}; choose with --sheet"
        return book.get_sheet_by_name(chosen), [(logging.WARNING, note)] if others else []
    except CalamineError as error:
        raise DataError(f"{source.name}: not a workbook that can be read: {error}") from error


def _portable(cell: Any) -> Any:
    """Return a cell as other formats have it; None if it is empty."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MOST_WHOLE:
        return int(cell)
    if isinstance(cell, timedelta):
        return f"PT{cell.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
    return str(cell) if isinstance(cell, date | time) else None if cell == "" else cell


def _text(cell: Any) -> str:
    return to_text(_portable(cell))


class Writer:
    """Writes one sheet. What comes from another format is text, except numbers and booleans."""

    def __init__(self, setup: Setup) -> None:
        with requires("excel"):
            from xlsxwriter import Workbook
        self._setup = setup
        self._file = BytesIO()
        if setup.scratch:
            with output_errors(setup.scratch):
                shutil.rmtree(setup.scratch, ignore_errors=True)  # of a run that was killed
                setup.scratch.mkdir(0o700)
        self._book = Workbook(self._file, {**_AS_GIVEN, "tmpdir": setup.scratch})
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # the same in every run
        self._formats = {kind: self._book.add_format({"num_format": form}) for kind, form in _FORMATS.items()}
        self._sheet: Any = None
        self._row = 0

    def begin(self, head: Head) -> bytes:
        name, lead = (None, [head.columns]) if self._setup.converts else head.style
        self._sheet = self._book.add_worksheet(name)
        for cells in lead[:-1]:
            self._write(cells)
        self._write([*lead[-1], *self._setup.names])
        return b""

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        for cells, *new in zip(chunk.rows, *results, strict=True):
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


def _writable(value: Any) -> Any:
    """Return a value that a cell can hold: other types, and numbers that would be changed, become text."""
    if isinstance(value, float):
        is_kept = math.isfinite(value)
    elif isinstance(value, int):
        is_kept = abs(value) <= _MOST_EXACT
    else:
        is_kept = value is None or isinstance(value, str) or type(value) in _FORMATS
    return value if is_kept else to_text(value)
