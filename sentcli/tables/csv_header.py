"""Decide on the dialect of CSV, its header and its text column, by its first lines."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, takewhile
from typing import NamedTuple

from sentcli.errors import DataError, option
from sentcli.files.source import Source
from sentcli.tables import sniff
from sentcli.tables.csv import DELIMITERS, CsvTable, Dialect, decode_line, malformed, next_record
from sentcli.tables.line_reader import bad_bytes, physical_lines, too_long
from sentcli.tables.table import Table, TextTable, list_columns
from sentcli.tables.text_column import FURTHER, Choice, Sample, samples

_MOST_LINES = 100_000  # of the first record, whose quote would else not be closed
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name


def open_table(source: Source, text: TextTable, like: Table | None) -> CsvTable:
    """Decide on the dialect and the columns of CSV; see `tables.open.open_table`."""
    with source.looking_ahead(len(text.lead)):
        return _CsvStart(text, like, filter(None, physical_lines(source, text, universal=True))).table()


class _Record(NamedTuple):
    """A record: its first line, the line after it, its fields if it is not blank, why it cannot be read."""

    start: int
    end: int
    fields: list[str]
    problem: str


class _CsvStart:
    """The first lines of CSV; more are read while they do not decide.

    :ivar _start: the line of the first record.
    """

    def __init__(self, text: TextTable, like: Table | None, blocks: Iterator[list[bytes]]) -> None:
        options = text.options
        self._text = text
        self._like = like
        self._blocks = blocks
        self._options = options
        separators = options.separators(DELIMITERS[text.format])
        self._dialect = Dialect(*separators, text.encoding, options.escapechar)
        self._notes = text.notes
        self._lines: list[bytes] = []
        self._start = options.skip_lines

    def table(self) -> CsvTable:
        """Return the table."""
        header, options = self._header(), self._options
        skipped = self._lines[: options.skip_lines]
        columns: tuple[str, ...] = ()
        choice, lead = Choice(()), self._lead()
        if header:
            fields = header.fields
            columns = tuple(fields if options.header else map(str, range(1, len(fields) + 1)))
            records = self._first_records(columns)
            if options.header:
                lead += self._raw(header)
                numbered = [(record.start + 1, record.fields) for record in records]
                if lines := sniff.lines_of_titles(numbered, options.text_column, self._text.name):
                    self._note(f"the header is line {lines + 1}: read with {option('skip_lines', lines)}")
                    self._start = lines
                    return self.table()
                first = [columns, *(record.fields for record in records[1:3])]
                if not self._like:
                    self._notes += sniff.check_header(first, options, self._text.name)
                if not options.skip_rows and (count := sniff.further_headers(first[1:])):
                    self._options = replace(options, skip_rows=count)
                    self._note(sniff.survey_note(count))
            self._check_like(columns)
            choice = Choice(self._like.places) if self._like else self._sample(columns, records).choose()
        elif any(map(bytes.strip, skipped)) and (options.header or len(skipped) < options.skip_lines):
            hint = f"try a lower {option('skip_lines')}"
            raise DataError(f"{self._text.name}: no header after the lines to skip; {hint}")
        return CsvTable(
            self._text.name,
            self._options,
            columns,
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
            if header.end == len(self._lines) and self._read_more():  # the next records decide
                other = self._other_dialect(header)
            self._dialect = other or self._dialect
            self._note(f"read with {_delimiter(self._dialect.delimiter)}")
            header = self._first_record()
        if header:
            self._check_readable(header)
        return header

    def _first_record(self) -> _Record | None:
        for record in self._records(self._dialect, lambda: True):
            self._start = record.start
            if record.fields or record.problem:
                return record
        self._start = len(self._lines)
        return None

    def _records(self, dialect: Dialect, may_read: Callable[[], bool] = lambda: False) -> Iterator[_Record]:
        """Parse the lines from the first record on.

        :param may_read: called at the end of the lines; returns whether to read more.
        """
        first = start = self._start

        def texts() -> Iterator[str]:
            number = first
            while True:
                while number >= len(self._lines):
                    size, lines = sum(map(len, self._lines[start:])), len(self._lines) - start
                    may_end = size <= self._options.max_row_bytes and lines < _MOST_LINES
                    if not (may_end and may_read() and self._read_more()):
                        return
                yield decode_line(self._lines[number], self._text.encoding)
                number += 1

        parser = dialect.parser(texts())
        while True:
            fields, problem = next_record(parser)
            end = first + parser.line_num
            if start == end:
                return
            yield _Record(start, end, fields, problem)
            start = end

    def _read_more(self) -> bool:
        """Read further lines; return False at the end of the input."""
        lines = next(self._blocks, [])
        self._lines += lines
        self._lead()  # it may be too long
        return bool(lines)

    def _raw(self, record: _Record) -> bytes:
        return b"".join(self._lines[record.start : record.end])

    def _first_records(self, columns: tuple[str, ...]) -> list[_Record]:
        """Return the first records, as many as the choice of a text column needs."""
        records: list[_Record] = []
        size, limit = 0, 1
        for record in self._records(self._dialect, lambda: not self._is_decided(columns, records)):
            size += len(self._raw(record))
            if record.fields:
                records.append(record)
            if samples(len(records) - 1, size, len(columns)) >= limit:
                limit *= 2
                if limit > FURTHER or not self._sample(columns, records).find_blank():
                    break
        return records

    def _is_decided(self, columns: tuple[str, ...], records: Sequence[_Record]) -> bool:
        """Return whether further records would decide nothing."""
        if len(records) < 3 and not sniff.SURVEY_COLUMNS.isdisjoint(columns):
            return False
        is_clear = self._like or self._options.text_column is not None or len(columns) == 1
        return bool(is_clear) or self._sample(columns, records).is_decided()

    def _sample(self, columns: tuple[str, ...], records: Sequence[_Record]) -> Sample:
        after_header = records[self._options.header + self._options.skip_rows :]
        rows = [record.fields for record in after_header if len(record.fields) == len(columns)]
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        return Sample(columns, {}, self._options.text_column, self._text.name, values)

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
        if options.header and (mark := sniff.SEPARATOR.fullmatch(used.join(fields))):
            self._start = header.end
            return replace(self._dialect, delimiter=options.delimiter or mark[1])
        if fields and (options.text_column in fields or self._splits_alike(self._dialect)):
            return None
        line = decode_line(self._raw(header), self._text.encoding)
        likely = sniff.LIKELY_DELIMITERS if options.header else "\t"
        marks = [] if options.delimiter else [mark for mark in likely if mark in line and mark != used]
        others = [replace(self._dialect, delimiter=mark) for mark in marks]
        other = next(filter(self._splits_alike, others), None)
        if others and not other and len(fields) == 1:
            hint = f"is it another {option('delimiter')}? If not, add {_delimiter(used)}"
            raise DataError(f"{self._text.name}: {list_columns(fields)}; {hint}")
        return other

    def _splits_alike(self, dialect: Dialect) -> bool:
        """Return whether the first records, up to a malformed one, have as many fields each, and several."""
        records = [record for record in islice(self._records(dialect), _CHECKED_RECORDS) if any(record[2:])]
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
                reason = bad_bytes(raw, error, len(self._lead()), self._text)
        if reason:
            others = f"{option('encoding')}, {option('delimiter')} or {option('quotechar')}"
            hint = "" if "; " in reason else f"; is it another {others}?"
            raise DataError(f"{name}: the first record cannot be read: {reason}{hint}")
        if not (encoding.is_plain or encoding.line_end(raw) or self._text.lead) and b"\n" in raw:
            hint = f"is it another {option('encoding')}?"
            raise DataError(f"{name}: in {encoding.name} all of it would be the first record; {hint}")

    def _check_like(self, columns: tuple[str, ...]) -> None:
        """Refuse an input that does not fit the first one, except for its encoding."""
        like = self._like if isinstance(self._like, CsvTable) else None
        if like and (columns, replace(self._dialect, encoding=like.encoding)) != (like.columns, like.dialect):
            both = f"{list_columns(columns)}, in the first input {list_columns(like.columns)}"
            problem = "the columns or the dialect differ from the first input"
            raise DataError(f"{self._text.name}: {problem}; {both}")


def _delimiter(mark: str) -> str:
    return option("delimiter", r"\t" if mark == "\t" else mark)
