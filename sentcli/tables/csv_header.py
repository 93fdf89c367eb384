"""Decide on the dialect of CSV, its header and its text column, by its first lines."""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, islice, takewhile
from typing import NamedTuple

from sentcli.errors import DataError, option
from sentcli.files.source import Source
from sentcli.tables.csv import DELIMITERS, CsvTable, Dialect, decode_line, malformed, next_record
from sentcli.tables.line_reader import bad_bytes, lines_ahead, looking_ahead, too_long
from sentcli.tables.sniff import LIKELY_DELIMITERS, SEPARATOR, lines_of_titles
from sentcli.tables.table import Table, TextTable, list_columns
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, Choice, Sample, is_usual

_MOST_LINES = 100_000  # of the first record, whose quote would else not be closed
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name


def open_csv(source: Source, text: TextTable, like: Table | None) -> CsvTable:
    """Decide on the dialect and the columns of CSV; see `tables.open.open_table`."""
    lines: list[bytes] = []
    with looking_ahead(source, text):
        for block in lines_ahead(source, text, universal=True):
            lines += block
            with suppress(_MoreNeeded):
                return _CsvStart(text, like, lines, is_all=False).table()
    return _CsvStart(text, like, lines, is_all=True).table()


class _MoreNeeded(Exception):  # noqa: N818  # no error
    """The lines so far do not decide."""


class _Record(NamedTuple):
    """A record that is not blank: its first line, the line after it, its fields, why it cannot be read."""

    start: int
    end: int
    fields: list[str]
    problem: str


class _CsvStart:
    """The first lines of CSV.

    :ivar _start: the line of the first record.
    """

    def __init__(self, text: TextTable, like: Table | None, lines: list[bytes], *, is_all: bool) -> None:
        self._text, self._like, self._lines, self._is_all = text, like, lines, is_all
        self._options = options = text.options
        self._notes = text.notes
        separators = options.separators(DELIMITERS[text.format])
        self._dialect = Dialect(*separators, text.encoding, options.escapechar)
        self._start = min(options.skip_lines, len(lines))

    def table(self) -> CsvTable:
        """Return the table."""
        header, options = self._header(), self._options
        columns: tuple[str, ...] = ()
        choice, lead = Choice(()), self._lead()
        if header:
            records, is_sample = self._sample()
            columns = tuple(map(str, range(1, len(header.fields) + 1)))
            if options.header:
                numbered = [(record.start + 1, record.fields) for record in records]
                if count := lines_of_titles(numbered, options.text_column, self._text.name):
                    self._note(f"the header is line {count + 1}: read with {option('skip_lines', count)}")
                    self._start = count
                    return self.table()
                columns = tuple(header.fields)
                lead += self._raw(header)
                self._check_names(columns)
                self._skip_second_headers(records)
            self._compare(columns)
            choice = self._choose_texts(columns, records[options.header :], is_sample=is_sample)
        elif options.skip_lines and lead[len(self._text.lead) :].strip():
            self._check_skipped()
        return CsvTable(
            self._text.name,
            self._options,
            columns,
            texts=tuple(columns[place] for place in choice.places),
            places=choice.places,
            lead=lead,
            is_empty=not header,
            notes=(*self._notes, *choice.notes),
            encoding=self._text.encoding,
            dialect=self._dialect,
        )

    def _header(self) -> _Record | None:
        """Move to the first record and return it, parsed with the delimiter that the records share."""
        header = self._first_record()
        if header and (other := self._other_dialect(header)):
            if header.end == len(self._lines) and not header.problem:  # the next records decide
                self._need_more()
            self._dialect = other
            self._note(f"read with {_delimiter(other.delimiter)}")
            header = self._first_record()
        if header:
            self._check_readable(header)
        return header

    def _first_record(self) -> _Record | None:
        first = next(self._records(self._dialect), None)
        self._start = first.start if first else len(self._lines)
        self._lead()
        if not first:
            self._need_more()
        elif first.problem and first.end == len(self._lines):
            size, count = len(self._raw(first)), first.end - first.start
            if size <= self._options.max_row_bytes and count < _MOST_LINES:
                self._need_more()
        return first

    def _records(self, dialect: Dialect, stop: int | None = None) -> Iterator[_Record]:
        """Parse the lines from the first record up to `stop`."""
        first = end = self._start
        encoding = self._text.encoding
        parser = dialect.parser(decode_line(line, encoding) for line in islice(self._lines, first, stop))
        while True:
            start = end
            fields, problem = next_record(parser)
            end = first + parser.line_num
            if start == end:
                return
            if fields or problem:
                yield _Record(start, end, fields, problem)

    def _raw(self, record: _Record) -> bytes:
        return b"".join(self._lines[record.start : record.end])

    def _sample(self) -> tuple[list[_Record], bool]:
        """Return the first records, and whether they are all that count for the choice of a text column."""
        sizes = [*accumulate(map(len, self._lines[self._start :]))]
        count = bisect_left(sizes, SAMPLE_SIZE) + 1
        whole = (record for record in self._records(self._dialect, self._start + count) if not record.problem)
        records = [*islice(whole, SAMPLE_ROWS + 1)]
        return records, self._is_all or count <= len(sizes) or len(records) > SAMPLE_ROWS

    def _need_more(self) -> None:
        if not self._is_all:
            raise _MoreNeeded

    def _note(self, message: str) -> None:
        self._notes = (*self._notes, (logging.WARNING, f"{self._text.name}: {message}"))

    def _lead(self) -> bytes:
        """Return the bytes before the first record: a byte order mark, lines to skip, and blank lines."""
        lead = self._text.lead + b"".join(self._lines[: self._start])
        if len(lead) > self._options.max_row_bytes:
            raise DataError(f"{self._text.name}: no header in its first {self._options.max_row_bytes} bytes")
        return lead

    def _other_dialect(self, header: _Record) -> Dialect | None:
        """Return the dialect with the delimiter that the first records share, if it is not the usual one.

        In a header it may be any likely one; in a text, only a tab.
        """
        options, used, fields = self._options, self._dialect.delimiter, header.fields
        if options.header and (mark := SEPARATOR.fullmatch(used.join(fields))):
            self._start += 1
            return replace(self._dialect, delimiter=options.delimiter or mark[1])
        if fields and (options.text_column in fields or self._splits_alike(self._dialect)):
            return None
        line = decode_line(self._raw(header), self._text.encoding)
        likely = LIKELY_DELIMITERS if options.header else "\t"
        marks = [] if options.delimiter else [mark for mark in likely if mark in line and mark != used]
        others = [replace(self._dialect, delimiter=mark) for mark in marks]
        other = next(filter(self._splits_alike, others), None)
        if others and not other and len(fields) == 1:
            hint = f"is it another {option('delimiter')}? If not, add {_delimiter(used)}"
            raise DataError(f"{self._text.name}: {list_columns(fields)}; {hint}")
        return other

    def _splits_alike(self, dialect: Dialect) -> bool:
        """Return whether the first records, up to a malformed one, have as many fields each, and several."""
        records = [*islice(self._records(dialect), _CHECKED_RECORDS)]
        widths = [len(record.fields) for record in takewhile(lambda record: not record.problem, records)]
        is_whole = len(widths) == len(records)
        return len({*widths}) == 1 and widths[0] > 1 and (is_whole or len(widths) > 1)

    def _check_readable(self, header: _Record) -> None:
        """Raise a DataError if the first record is too long, malformed or in another encoding."""
        options, encoding, name = self._options, self._text.encoding, self._text.name
        raw, line, limit, reason = self._raw(header), self._lines[header.start], options.max_row_bytes, ""
        if len(line) > limit:
            reason = too_long(limit)
        elif header.problem or len(raw) > limit:
            reason = malformed(line, header.problem, len(raw), options)
        else:
            try:
                encoding.decode(raw)
            except UnicodeDecodeError as error:
                is_named = options.encoding is not None
                reason = bad_bytes(raw, error, len(self._lead()), encoding, is_named=is_named)
        if reason:
            others = f"{option('encoding')}, {option('delimiter')} or {option('quotechar')}"
            hint = "" if "; " in reason else f"; is it another {others}?"
            raise DataError(f"{name}: the first record cannot be read: {reason}{hint}")
        if not (encoding.is_plain or encoding.line_end(raw) or self._text.lead) and b"\n" in raw:
            raise DataError(
                f"{name}: in {encoding.name} all of it would be the first record; "
                f"is it another {option('encoding')}?"
            )

    def _check_skipped(self) -> None:
        """Refuse an input without records, all of whose lines are skipped."""
        if self._options.header or len(self._lines) < self._options.skip_lines:
            hint = f"try a lower {option('skip_lines')}"
            raise DataError(f"{self._text.name}: no header after the lines to skip; {hint}")

    def _check_names(self, names: Sequence[str]) -> None:
        """Refuse a header that seems to be a row, or note that it may be one."""
        if self._like or self._options.text_column is not None or any(map(is_usual, names)):
            return
        if number := next(filter(str.isdecimal, names), None):
            no_header, named = option("no_header"), option("text_column")
            hint = f"if the first line is a row, add {no_header}, else name the text with {named}"
            raise DataError(
                f"{self._text.name}: a column is called {number:.80}; {hint}; {list_columns(names)}"
            )
        if len(names) == 1:
            taken = f"the first line, {names[0]!r:.80}, is taken for the header"
            self._note(f"{taken}; if it is a text, add {option('no_header')}")

    def _skip_second_headers(self, records: Sequence[_Record]) -> None:
        """Leave the questions and ids that Qualtrics writes after the header without a score."""
        if self._options.skip_rows or "ResponseId" not in records[0].fields:
            return
        if len(records) < 3:
            self._need_more()
        if any(cell.startswith('{"ImportId"') for record in records[2:3] for cell in record.fields):
            self._options = replace(self._options, skip_rows=2)
            self._note(f"rows 2 and 3 are headers of Qualtrics: read with {option('skip_rows', 2)}")

    def _compare(self, columns: tuple[str, ...]) -> None:
        """Refuse an input that does not fit the first one, except for its encoding."""
        like = self._like
        if not isinstance(like, CsvTable):
            return
        if (like.columns, like.dialect) != (columns, replace(self._dialect, encoding=like.encoding)):
            raise DataError(
                f"{self._text.name}: the columns or the dialect differ from the first input; "
                f"{list_columns(columns)}, in the first input {list_columns(like.columns)}"
            )

    def _choose_texts(
        self, columns: tuple[str, ...], records: Sequence[_Record], *, is_sample: bool
    ) -> Choice:
        if self._like:
            return Choice(self._like.places)
        rows = (record.fields for record in records if len(record.fields) == len(columns))
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        sample = Sample(columns, {}, self._options.text_column, self._text.name, values)
        is_enough = is_sample or sample.wanted is not None or len(columns) == 1
        if not (is_enough or sample.is_decided()):
            raise _MoreNeeded
        return sample.choose()


def _delimiter(mark: str) -> str:
    return option("delimiter", r"\t" if mark == "\t" else mark)
