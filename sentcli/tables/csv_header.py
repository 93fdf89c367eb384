"""Decide on the dialect of CSV, its header and its text column, by its first lines."""

import csv
import logging
import re
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, islice

from sentcli.errors import DataError, option
from sentcli.tables.columns import check_names, list_columns
from sentcli.tables.csv import DELIMITERS, Dialect, decode_lines, lift_field_limit, malformed
from sentcli.tables.line_reader import Text, bad_bytes, too_long
from sentcli.tables.sniff import LIKELY_DELIMITERS, Records, line_after_titles
from sentcli.tables.table import Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, Choice, find_texts, is_decided, is_usual

_MOST_LINES = 100_000  # of the first record, whose quote would else not be closed
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name


def inspect_csv(text: Text, request: Request) -> Table:
    """Decide on the dialect and the columns of CSV; see `inspect.inspect`."""
    options = request.options
    separators = options.separators(DELIMITERS[request.format])
    dialect = Dialect(*separators, text.encoding, options.escapechar)
    lift_field_limit()
    lines: list[bytes] = []
    with text.looking_ahead():
        for more in text.lines(request, universal=True):
            lines += more
            with suppress(_MoreNeeded):
                return _CsvStart(text, request, dialect, lines, is_all=False).table()
    return _CsvStart(text, request, dialect, lines, is_all=True).table()


class _MoreNeeded(Exception):  # noqa: N818  # no error
    """The lines so far do not decide."""


class _CsvStart:
    """The first lines of CSV."""

    def __init__(
        self, text: Text, request: Request, dialect: Dialect, lines: list[bytes], *, is_all: bool
    ) -> None:
        self._name = text.source.name
        self._text = text
        self._request = request
        self._options = request.options
        self._dialect = dialect
        self._is_all = is_all
        self._notes = text.notes
        self._lines = lines
        self._start = skipped = min(request.options.skip_lines, len(lines))  # of the record
        self._texts = [""] * skipped + decode_lines(lines[skipped:], text.encoding)[0]

    def table(self) -> Table:
        """Return the table."""
        fields, end = self._first_record()
        if not fields:
            return self._without_records()
        if other := self._other_dialect(fields):
            if end == len(self._lines):  # the next records decide
                self._need_more()
            self._dialect = other
            self._note(f"read with {_delimiter(other.delimiter)}")
            fields, end = self._first_record()
        options, first = self._options, self._request.first
        raw = b"".join(self._lines[self._start : end])
        self._refuse_whole(raw)
        columns = tuple(fields) if options.header else tuple(map(str, range(1, len(fields) + 1)))
        records, is_sample = self._records()
        self._check_first(records)
        if first and (first.columns, first.style) != (columns, self._dialect):
            raise DataError(
                f"{self._name}: the columns or the encoding differ from the first input; "
                f"{list_columns(columns)}, in the first input {list_columns(first.columns)}"
            )
        choice = Choice(first.places) if first else self._find_texts(columns, records, is_sample=is_sample)
        check_names(columns, self._request, self._name)
        return self._request.table(
            self._name,
            columns,
            texts=tuple(columns[place] for place in choice.places),
            places=choice.places,
            lead=self._lead() + (raw if options.header else b""),
            style=self._dialect,
            notes=(*self._notes, *choice.notes),
        )

    def _need_more(self) -> None:
        if not self._is_all:
            raise _MoreNeeded

    def _lead(self) -> bytes:
        """Return the bytes before the first record: a byte order mark, lines to skip, and blank lines."""
        lead = self._text.mark + b"".join(self._lines[: self._start])
        if len(lead) > self._options.max_row_bytes:
            raise DataError(f"{self._name}: no header in its first {self._options.max_row_bytes} bytes")
        return lead

    def _first_record(self) -> tuple[list[str], int]:
        """Move to the first record that is not blank; return its fields, and the line after it."""
        begin, limit = self._start, self._options.max_row_bytes
        parser = self._dialect.parser(iter(self._texts[begin:]))
        while self._start < len(self._lines):
            try:
                fields, problem = next(parser), ""
            except csv.Error as error:
                fields, problem = [], str(error)
            end = begin + parser.line_num
            size = sum(map(len, self._lines[self._start : end]))
            may_end = size <= limit and end - self._start < _MOST_LINES
            if problem and end == len(self._lines) and may_end:
                self._need_more()
            if fields or problem or size > limit:
                self._check_readable(end, problem, size)
                return fields, end
            self._start = end
        self._lead()
        self._need_more()
        return [], self._start

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
                offset = len(self._text.mark) + sum(map(len, self._lines[: self._start]))
                is_named = self._options.encoding is not None
                reason = bad_bytes(raw, error, offset, self._text.encoding, is_named=is_named)
            else:
                return
        others = f"{option('encoding')}, {option('delimiter')} or {option('quotechar')}"
        hint = "" if "; try " in reason else f"; is it another {others}?"
        raise DataError(f"{self._name}: the first record cannot be read: {reason}{hint}")

    def _without_records(self) -> Table:
        options, lead = self._options, self._lead()
        is_short = len(self._lines) < options.skip_lines
        if options.skip_lines and (is_short or options.header) and lead[len(self._text.mark) :].strip():
            hint = f"try a lower {option('skip_lines')}"
            raise DataError(f"{self._name}: no header after the lines to skip; {hint}")
        return self._request.table(
            self._name, lead=lead, style=self._dialect, is_empty=True, notes=self._notes
        )

    def _other_dialect(self, fields: Sequence[str]) -> Dialect | None:
        """Return the dialect with the delimiter that the first records share, if it is not the expected one.

        :param fields: the first record. In a header, any likely delimiter counts; in a text, only a tab.
        """
        options, used = self._options, self._dialect.delimiter
        note = re.fullmatch("sep=(.)", used.join(fields), re.IGNORECASE)
        if note and options.header and options.text_column not in fields:
            line = self._start + 1
            hint = f"try {option('skip_lines', line)} {_delimiter(note[1])}"
            raise DataError(f"{self._name}: line {line} tells spreadsheets the delimiter; {hint}")
        is_sure = len(fields) > 1 or options.delimiter is not None or options.text_column in fields
        likely = LIKELY_DELIMITERS if options.header else "\t"
        others = [] if is_sure else [mark for mark in likely if mark in fields[0]]
        texts = self._texts[self._start :]
        for dialect in (replace(self._dialect, delimiter=mark) for mark in others):
            with suppress(csv.Error):
                records = islice(filter(None, dialect.parser(iter(texts))), _CHECKED_RECORDS)
                widths = {*map(len, records)}
                if len(widths) == 1 and 1 not in widths:
                    return dialect
        if others:
            hint = f"is it another {option('delimiter')}? If not, add {_delimiter(used)}"
            raise DataError(f"{self._name}: {list_columns(fields)}; {hint}")
        return None

    def _note(self, message: str) -> None:
        self._notes = (*self._notes, (logging.WARNING, f"{self._name}: {message}"))

    def _refuse_whole(self, raw: bytes) -> None:
        """Refuse a first record that has the line ends of another encoding."""
        encoding = self._text.encoding
        is_whole_file = not (encoding.is_plain or encoding.line_end(raw) or self._text.mark)
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
        if options.text_column not in fields and (line := line_after_titles(records)):
            hint = f"if the header is line {line}, add {option('skip_lines', line - 1)}"
            raise DataError(f"{self._name}: the first record has one cell, {max(fields)!r:.80}; {hint}")
        if options.text_column is None and not (self._request.first or any(map(is_usual, fields))):
            if number := next(filter(str.isdecimal, fields), None):
                no_header, named = option("no_header"), option("text_column")
                hint = f"if the first line is a row, add {no_header}, else name the text with {named}"
                raise DataError(
                    f"{self._name}: a column is called {number:.80}; {hint}; {list_columns(fields)}"
                )
            if len(fields) == 1:
                taken = f"the first line, {fields[0]!r:.80}, is taken for the header"
                self._note(f"{taken}; if it is a text, add {option('no_header')}")

    def _find_texts(self, columns: tuple[str, ...], records: Records, *, is_sample: bool) -> Choice:
        rows = (row for _, row in records[self._options.header :] if len(row) == len(columns))
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        wanted = self._options.text_column
        is_enough = is_sample or wanted is not None or len(columns) == 1
        if not (is_enough or is_decided(columns, {}, wanted, values)):
            raise _MoreNeeded
        return find_texts(columns, {}, wanted, self._name, values)


def _delimiter(mark: str) -> str:
    return option("delimiter", r"\t" if mark == "\t" else mark)
