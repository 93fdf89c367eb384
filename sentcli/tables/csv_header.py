"""Decide on the dialect of CSV, its header and its text column, by its first lines."""

import csv
import logging
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, islice

from sentcli.errors import DataError, option
from sentcli.files.source import Source
from sentcli.tables.csv import (
    DELIMITERS,
    CsvTable,
    Dialect,
    decode_lines,
    lift_field_limit,
    malformed,
    next_record,
)
from sentcli.tables.line_reader import bad_bytes, lines_ahead, looking_ahead, too_long
from sentcli.tables.sniff import LIKELY_DELIMITERS, SEPARATOR, Records, lines_of_titles
from sentcli.tables.table import Table, TextTable, list_columns
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, Choice, find_texts, is_decided, is_usual

_MOST_LINES = 100_000  # of the first record, whose quote would else not be closed
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name


def open_csv(source: Source, text: TextTable, like: Table | None) -> CsvTable:
    """Decide on the dialect and the columns of CSV; see `tables.open.open_table`."""
    lift_field_limit()
    lines: list[bytes] = []
    with looking_ahead(source, text):
        for block in lines_ahead(source, text, universal=True):
            lines += block
            with suppress(_MoreNeeded):
                return _CsvStart(text, like, lines, is_all=False).table()
    return _CsvStart(text, like, lines, is_all=True).table()


class _MoreNeeded(Exception):  # noqa: N818  # no error
    """The lines so far do not decide."""


class _CsvStart:
    """The first lines of CSV."""

    def __init__(self, text: TextTable, like: Table | None, lines: list[bytes], *, is_all: bool) -> None:
        options = text.options
        self._name = text.name
        self._text = text
        self._like = like
        self._options = options
        separators = options.separators(DELIMITERS[text.format])
        self._dialect = Dialect(*separators, text.encoding, options.escapechar)
        self._is_all = is_all
        self._notes = text.notes
        self._lines = lines
        self._start = skipped = min(options.skip_lines, len(lines))  # of the record
        self._texts = [""] * skipped + decode_lines(lines[skipped:], text.encoding)[0]

    def table(self) -> CsvTable:
        """Return the table."""
        fields, end = self._first_record()
        if fields and (other := self._other_dialect(fields)):
            if end == len(self._lines):  # the next records decide
                self._need_more()
            fields, end = self._read_with(other)
        if not fields:
            return self._without_records()
        options = self._options
        raw = b"".join(self._lines[self._start : end])
        self._refuse_whole(raw)
        columns = tuple(fields) if options.header else tuple(map(str, range(1, len(fields) + 1)))
        records, is_sample = self._records()
        if options.header and (count := lines_of_titles(records, options.text_column, self._name)):
            self._note(f"the header is line {count + 1}: read with {option('skip_lines', count)}")
            self._start = count
            return self.table()
        self._check_first(records)
        self._skip_second_headers(records)
        self._compare(columns)
        choice = self._choose_texts(columns, records, is_sample=is_sample)
        return CsvTable(
            self._name,
            self._options,
            columns,
            texts=tuple(columns[place] for place in choice.places),
            places=choice.places,
            lead=self._lead() + (raw if options.header else b""),
            notes=(*self._notes, *choice.notes),
            encoding=self._text.encoding,
            dialect=self._dialect,
        )

    def _compare(self, columns: tuple[str, ...]) -> None:
        """Refuse an input that does not fit the first one, except for its encoding."""
        like = self._like
        if not isinstance(like, CsvTable):
            return
        dialect = replace(self._dialect, encoding=like.encoding)
        if (like.columns, like.dialect) != (columns, dialect):
            raise DataError(
                f"{self._name}: the columns or the dialect differ from the first input; "
                f"{list_columns(columns)}, in the first input {list_columns(like.columns)}"
            )

    def _need_more(self) -> None:
        if not self._is_all:
            raise _MoreNeeded

    def _lead(self) -> bytes:
        """Return the bytes before the first record: a byte order mark, lines to skip, and blank lines."""
        lead = self._text.lead + b"".join(self._lines[: self._start])
        if len(lead) > self._options.max_row_bytes:
            raise DataError(f"{self._name}: no header in its first {self._options.max_row_bytes} bytes")
        return lead

    def _first_record(self) -> tuple[list[str], int]:
        """Move to the first record that is not blank; return its fields, and the line after it."""
        begin, limit = self._start, self._options.max_row_bytes
        parser = self._dialect.parser(iter(self._texts[begin:]))
        while self._start < len(self._lines):
            fields, problem = next_record(parser)
            end = begin + parser.line_num
            size = sum(map(len, self._lines[self._start : end]))
            may_end = size <= limit and end - self._start < _MOST_LINES
            texts = self._texts[self._start : end]
            if problem and end == len(self._lines) and may_end:
                self._need_more()
            if problem and (other := next(filter(self._splits_alike, self._others("".join(texts))), None)):
                return self._read_with(other)
            if fields or problem or size > limit:
                self._check_readable(end, problem, size)
                return fields, end
            self._start = end
        self._lead()
        self._need_more()
        return [], self._start

    def _read_with(self, dialect: Dialect) -> tuple[list[str], int]:
        self._dialect = dialect
        self._note(f"read with {_delimiter(dialect.delimiter)}")
        return self._first_record()

    def _check_readable(self, end: int, problem: str, size: int) -> None:
        """Raise a DataError if the first record is too long, malformed or in another encoding."""
        lines = self._lines[self._start : end]
        if len(lines[0]) > self._options.max_row_bytes:
            reason = too_long(self._options.max_row_bytes)
        elif problem or size > self._options.max_row_bytes:
            reason = malformed(lines[0], problem, size, self._options)
        else:
            raw = b"".join(lines)
            try:
                self._text.encoding.decode(raw)
            except UnicodeDecodeError as error:
                is_named = self._options.encoding is not None
                reason = bad_bytes(raw, error, len(self._lead()), self._text.encoding, is_named=is_named)
            else:
                return
        others = f"{option('encoding')}, {option('delimiter')} or {option('quotechar')}"
        hint = "" if "; " in reason else f"; is it another {others}?"
        raise DataError(f"{self._name}: the first record cannot be read: {reason}{hint}")

    def _without_records(self) -> CsvTable:
        options, lead = self._options, self._lead()
        is_short = len(self._lines) < options.skip_lines
        if options.skip_lines and (is_short or options.header) and lead[len(self._text.lead) :].strip():
            hint = f"try a lower {option('skip_lines')}"
            raise DataError(f"{self._name}: no header after the lines to skip; {hint}")
        return CsvTable(
            self._name,
            options,
            lead=lead,
            is_empty=True,
            notes=self._notes,
            encoding=self._text.encoding,
            dialect=self._dialect,
        )

    def _other_dialect(self, fields: Sequence[str]) -> Dialect | None:
        """Return the dialect with the delimiter that the first records share, if it is not the usual one."""
        options, used = self._options, self._dialect.delimiter
        if options.header and (mark := SEPARATOR.fullmatch(used.join(fields))):
            self._start += 1
            return replace(self._dialect, delimiter=options.delimiter or mark[1])
        if options.text_column in fields or self._splits_alike(self._dialect):
            return None
        others = self._others(used.join(fields))
        found = next(filter(self._splits_alike, others), None)
        if others and not found and len(fields) == 1:
            hint = f"is it another {option('delimiter')}? If not, add {_delimiter(used)}"
            raise DataError(f"{self._name}: {list_columns(fields)}; {hint}")
        return found

    def _others(self, line: str) -> list[Dialect]:
        """Return the dialects with other delimiters: in a header, any likely one; in a text, only a tab."""
        likely = LIKELY_DELIMITERS if self._options.header else "\t"
        marks = [] if self._options.delimiter else [mark for mark in likely if mark in line]
        return [replace(self._dialect, delimiter=mark) for mark in marks if mark != self._dialect.delimiter]

    def _splits_alike(self, dialect: Dialect) -> bool:
        """Return whether the first records, up to a malformed one, have as many fields each, and several."""
        widths, is_whole = [], False
        with suppress(csv.Error):
            for record in islice(dialect.parser(iter(self._texts[self._start :])), _CHECKED_RECORDS):
                widths += [len(record)] if record else []
            is_whole = True
        return len({*widths}) == 1 and widths[0] > 1 and (is_whole or len(widths) > 1)

    def _note(self, message: str) -> None:
        self._notes = (*self._notes, (logging.WARNING, f"{self._name}: {message}"))

    def _refuse_whole(self, raw: bytes) -> None:
        """Refuse a first record that has the line ends of another encoding."""
        encoding = self._text.encoding
        is_whole_file = not (encoding.is_plain or encoding.line_end(raw) or self._text.lead)
        if is_whole_file and b"\n" in raw:
            raise DataError(
                f"{self._name}: in {encoding.name} all of it would be the first record; "
                f"is it another {option('encoding')}?"
            )

    def _records(self) -> tuple[Records, bool]:
        """Return the first records, and whether they are all that count for the choice of a text column."""
        texts = self._texts[self._start :]
        sizes = [*accumulate(map(len, texts))]
        count = bisect_left(sizes, SAMPLE_SIZE) + 1
        parser = self._dialect.parser(iter(texts[:count]))
        records: Records = []
        while len(records) <= SAMPLE_ROWS:
            line = self._start + 1 + parser.line_num
            with suppress(csv.Error):
                if (record := next(parser, None)) is None:
                    return records, count <= len(sizes) or self._is_all
                records.append((line, record))
        return records, True

    def _check_first(self, records: Records) -> None:
        """Check that the first record is the header; note what may be otherwise."""
        options, (_, fields) = self._options, records[0]
        if not options.header:
            return
        if options.text_column is None and not (self._like or any(map(is_usual, fields))):
            if number := next(filter(str.isdecimal, fields), None):
                no_header, named = option("no_header"), option("text_column")
                hint = f"if the first line is a row, add {no_header}, else name the text with {named}"
                raise DataError(
                    f"{self._name}: a column is called {number:.80}; {hint}; {list_columns(fields)}"
                )
            if len(fields) == 1:
                taken = f"the first line, {fields[0]!r:.80}, is taken for the header"
                self._note(f"{taken}; if it is a text, add {option('no_header')}")

    def _skip_second_headers(self, records: Records) -> None:
        """Leave the questions and ids that Qualtrics writes after the header without a score."""
        options = self._options
        if not options.header or options.skip_rows or "ResponseId" not in records[0][1]:
            return
        if len(records) < 3:
            self._need_more()
        if any(cell.startswith('{"ImportId"') for _, row in records[2:3] for cell in row):
            self._options = replace(options, skip_rows=2)
            self._note(f"rows 2 and 3 are headers of Qualtrics: read with {option('skip_rows', 2)}")

    def _choose_texts(self, columns: tuple[str, ...], records: Records, *, is_sample: bool) -> Choice:
        if self._like:
            return Choice(self._like.places)
        rows = (row for _, row in records[self._options.header :] if len(row) == len(columns))
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        wanted = self._options.text_column
        is_enough = is_sample or wanted is not None or len(columns) == 1
        if not (is_enough or is_decided(columns, {}, wanted, values)):
            raise _MoreNeeded
        return find_texts(columns, {}, wanted, self._name, values)


def _delimiter(mark: str) -> str:
    return option("delimiter", r"\t" if mark == "\t" else mark)
