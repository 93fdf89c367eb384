"""CSV and TSV, read by the csv module in strict mode; the bytes of a record are written unchanged.

Of a malformed record, only the first physical line is rejected, and reading continues with the next line, so
that a quote that is never closed does not cost the rest of the file. Blank lines are not rows and are copied.
A quote inside a field that does not begin with one is part of the value.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any

from sentcli.errors import DataError, OutputError, UsageError, counted, option
from sentcli.files.encodings import UTF_8, Encoding
from sentcli.files.source import Source
from sentcli.tables import registry
from sentcli.tables.chunk import Chunk, Event, Records, Results
from sentcli.tables.convert import LastLine, six_decimals, to_text
from sentcli.tables.line_reader import LineReader, bad_bytes
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions
from sentcli.tables.table import Table, TextTable
from sentcli.tables.text_column import join_columns

DELIMITERS = {"csv": ",", "tsv": "\t"}
_DIGITS = "-0123456789."  # of a number
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_ESCAPED = {"\\N": "", "\\n": "\\\n", "\\r": "\\\r", "\\t": "\\\t"}

# The lines after a quote that is not closed are parsed again. The bytes parsed again may be this many times
# --max-row-bytes plus this many times the bytes read so far. Without a limit, a malicious file takes hours.
_RESCAN_LIMITS, _RESCAN_SHARE = 32, 4
_SLICE = 1 << 20  # bytes of kept lines to split at a time


@dataclass(frozen=True)
class Dialect:
    """The syntax of a file's records.

    :param quotechar: the quote; empty if nothing is quoted.
    :param escapechar: a backslash also escapes letters, as MySQL and PostgreSQL write line breaks and NULL.
    """

    delimiter: str
    quotechar: str
    encoding: Encoding
    escapechar: str | None = None

    def parser(self, lines: Iterator[str]) -> Any:  # the type of csv.reader has no public name
        csv.field_size_limit((1 << 31) - 1)  # of the whole process; the reader bounds records itself
        return csv.reader(
            map(_decode_escapes, lines) if self.escapechar == "\\" else lines,
            delimiter=self.delimiter,
            quotechar=self.quotechar or None,  # None, given explicitly: the default '"' may be the delimiter
            quoting=csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE,
            escapechar=self.escapechar,
            strict=True,
        )

    @cached_property
    def _special(self) -> re.Pattern[str]:
        return re.compile(f"[\r\n{re.escape(self.delimiter + self.quotechar + (self.escapechar or ''))}]")

    def record(self, values: Sequence[str]) -> str:
        """Return values as one record, quoted where necessary, without a line end."""
        search = self._special.search
        return self.delimiter.join([self._quote(value) if search(value) else value for value in values])

    def _quote(self, value: str) -> str:
        if not self.quotechar:
            hint = f"try another {option('quotechar')}"
            raise OutputError(f"{value!r:.200} cannot be written without quotes; {hint}")
        for special in filter(None, (self.escapechar, self.quotechar)):
            value = value.replace(special, 2 * special)
        return f"{self.quotechar}{value}{self.quotechar}"


def _decode_escapes(line: str) -> str:
    r"""Return a line with characters in place of the letters after backslashes; NULL, `\N`, becomes empty."""
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[0], found[0]), line) if "\\" in line else line


@dataclass(frozen=True)
class CsvTable(TextTable):
    """A table of CSV, in which records may have the dialect of another input."""

    dialect: Dialect = Dialect(",", '"', UTF_8)

    def parse(self, raw: Sequence[bytes]) -> list[Any]:
        return [*self.dialect.parser(map(self.encoding.decode, raw))]


class _CsvReader(LineReader):
    universal_line_ends = True

    def __init__(self, source: Source, table: CsvTable) -> None:
        super().__init__(source, table)
        self._parser = table.dialect.parser
        self._width = len(table.columns)
        self._rows_to_skip = table.options.skip_rows
        self._open = bytearray()  # the lines of a record that may continue
        self._wait_for = 0  # bytes of it before it is worth looking for its end again
        self._rescanned = 0

    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        if self._open:
            self._open += b"".join(lines)
            if len(self._open) < self._wait_for:
                return
            if len(self._open) > _SLICE:  # a list of its lines can be huge
                yield from self.finish(is_end=False)
                return
            lines = [*self._split(bytes(self._open))]
            self._open.clear()
        rows, ends = self._rows(lines)
        count = ends[-1]
        if rows:
            raw = lines[:count]
            if len(rows) < count:
                raw = [b"".join(lines[start:end]) for start, end in pairwise(ends)]
            numbers = [self.line + start for start in ends[:-1]]
            yield Records(self._texts(rows), rows, raw, numbers, self.offset)
            self.advance(count, sum(map(len, raw)))
        if count < len(lines):
            yield from self._records(iter(lines[count:]), is_end=False)

    def _texts(self, rows: Sequence[Sequence[str]]) -> list[str | None]:
        columns = [[*map(itemgetter(place), rows)] for place in self.table.places]
        return join_columns(columns, self.table.options.nulls)

    def _rows(self, lines: list[bytes]) -> tuple[list[list[str]], Sequence[int]]:
        """Return the first records, if they are rows, and the line after each, with a 0 before them."""
        rows: list[list[str]] = []
        ends = [0]
        if self._rows_to_skip:
            return rows, ends
        with suppress(csv.Error, UnicodeDecodeError):
            rows = self.table.parse(lines)
            if len(rows) == len(lines) and {*map(len, rows)} == {self._width}:
                return rows, range(len(lines) + 1)
        rows = []
        parser = self._parser(map(self.encoding.decode, lines))
        with suppress(csv.Error, UnicodeDecodeError):
            for fields in parser:
                size = sum(map(len, lines[ends[-1] : parser.line_num]))
                if len(fields) != self._width or size > self._limit:
                    break
                rows.append(fields)
                ends.append(parser.line_num)
        return rows, ends

    def finish(self, *, is_end: bool = True) -> Iterator[Event]:
        data, self._open = bytes(self._open), bytearray()
        return self._records(self._split(data), is_end=is_end) if data else iter(())

    def _records(self, lines: Iterator[bytes], *, is_end: bool) -> Iterator[Event]:
        """Yield the events of records; keep the lines of a last one that may continue.

        Lines are split and decoded one by one, because a list of all lines of a record can be huge.
        """
        unread = [lines]  # the lines to read next are in the last iterator
        record = bytearray()

        def texts() -> Iterator[str]:
            while unread:
                for line in unread[-1]:
                    record.extend(line)
                    yield decode_line(line, self.encoding)
                    if len(record) > self._limit:  # it is not read further
                        return
                unread.pop()

        parser = self._parser(texts())
        while True:
            record.clear()
            count = -parser.line_num
            fields, problem = next_record(parser)
            count += parser.line_num
            raw = bytes(record)
            size = len(raw)
            if problem and not (unread or is_end) and size <= self._limit:
                self._open += raw
                self._wait_for = min(2 * size, self._limit + 1)
                return
            if problem or size > self._limit:
                unread.append(self._split(raw))
                raw, count = next(unread[-1]), 1
                yield self.reject(raw, self._malformed(raw, problem, size))
                parser = self._parser(texts())
            elif raw:
                yield self._event(fields, raw)
            else:
                return
            self.advance(count, len(raw))

    def _split(self, data: bytes) -> Iterator[bytes]:
        """Split data into lines, in slices to save memory."""
        rest = b""
        for begin in range(0, len(data), _SLICE):
            lines, rest = self.encoding.split(rest + data[begin : begin + _SLICE], universal=True)
            yield from lines
        if rest:
            yield rest

    def _event(self, fields: list[str], raw: bytes) -> Event:
        """Return the event of a record."""
        try:
            self.encoding.decode(raw)
        except UnicodeDecodeError as error:
            return self.reject(raw, bad_bytes(raw, error, self.offset, self.table))
        if not fields:
            return raw
        is_header = self._rows_to_skip > 0
        self._rows_to_skip -= is_header
        if len(fields) == self._width:
            texts = [None] if is_header else self._texts([fields])
            return self.rows(texts, [fields], [raw])._replace(is_header=is_header)
        if is_header:
            return raw
        return self.reject(raw, f"{counted(len(fields), 'field')} instead of {self._width}")

    def _malformed(self, line: bytes, error: str, size: int) -> str:
        """Return why a record is malformed, and count the bytes that are parsed again; see `malformed`."""
        if len(line) < size:
            self._rescanned += size
            if self._rescanned > _RESCAN_LIMITS * self._limit + _RESCAN_SHARE * self.offset:
                hint = f"try another {option('quotechar')}"
                raise DataError(f"{self.name}: line {self.line}: too many quotes are not closed; {hint}")
        return malformed(line, error, size, self.table.options)


read = _CsvReader.read


def next_record(parser: Iterator[list[str]]) -> tuple[list[str], str]:
    """Return the fields of the next record, none at the end, and why it cannot be read, or an empty text."""
    try:
        return next(parser, []), ""
    except csv.Error as error:
        return [], str(error)


def decode_line(line: bytes, encoding: Encoding) -> str:
    """Decode a line; replace bad bytes by a stand-in, so that records keep their borders."""
    try:
        return encoding.decode(line)
    except UnicodeDecodeError:
        record, end = encoding.cut_line_end(line)
        return record.decode(encoding.name, "replace") + encoding.decode(end)


def malformed(line: bytes, error: str, size: int, options: ReadOptions) -> str:
    """Return why a record cannot be parsed.

    :param error: the message of the csv module; empty: the record is too long.
    """
    limit = options.max_row_bytes
    if "expected after" in error and size <= limit:
        hint = "; try --escapechar '\\'" if b'\\"' in line and not options.escapechar else ""
        return f"text after a closing quote{hint}"
    bound = f" within the {limit} bytes of --max-row-bytes" if size > limit else ""
    return f"a quote is not closed{bound}"


class Writer(registry.Writer):
    """Appends the new fields to the records of the input; writes values of another format as new records."""

    def __init__(self, table: Table, write: WriteOptions, *others: Any) -> None:
        super().__init__(table, write, *others)
        dialect = Dialect(DELIMITERS.get(write.format or "", ","), '"', UTF_8)
        self._mark, self._end = b"", "\n"
        if isinstance(table, CsvTable) and table.format == write.format:  # as the input has them
            dialect = table.dialect
            self._mark = dialect.encoding.byte_order_mark(table.lead)
            self._end = dialect.encoding.decode(dialect.encoding.line_end(table.lead)) or self._end
        if delimiter := write.output_delimiter:
            dialect = replace(dialect, delimiter=delimiter)
        if name := write.output_encoding:
            self._mark = "".encode(name)  # only with encodings that begin with one, such as utf-8-sig
            dialect = replace(dialect, encoding=Encoding.named(name, self._mark))
            self.unfit = self._not_encoded
        if dialect.delimiter in (dialect.quotechar, dialect.escapechar):
            raise UsageError(f"{option('output_delimiter', dialect.delimiter)} also quotes or escapes")
        self._dialect = dialect
        self._last_line = LastLine(dialect.encoding, universal=True)

    def _not_encoded(self, value: Any) -> str:
        try:
            to_text(value).encode(self._dialect.encoding.name)
        except UnicodeEncodeError as error:
            named = self.write.output_encoding
            return f"{error.object[error.start]!r:.20} is not in {named}; try --output-encoding utf-8"
        return ""

    def begin(self) -> bytes:
        table, encoding = self.table, self._dialect.encoding
        has_header = table.options.header and bool(table.columns)
        for column in self.results:
            self._fields(column, column.labels)  # all can be written
        if self.converts:
            header = self._dialect.record((*table.kept_columns, *self.names)) if has_header else ""
            return self._mark + (encoding.encode(header + self._end) if has_header else b"")
        if not has_header:
            return table.lead
        record, end = encoding.cut_line_end(table.lead)
        return self._last_line.then(record + encoding.encode(self._dialect.record(("", *self.names))) + end)

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        encode, gaps = self._dialect.encoding.encode, chunk.gaps
        if self.converts:
            records = [encode(self._dialect.record([*map(to_text, row)])) for row in chunk.values]
            ends, gaps = [encode(self._end)] * len(records), ()
        else:
            records, ends = self._dialect.encoding.cut_line_ends(chunk.raw)
        added = map(self._fields, self.results, results)
        return self._last_line.then(chunk.join(records, *added, ends, gaps=gaps))

    def _fields(self, column: ResultColumn, values: Sequence[Any]) -> list[bytes]:
        """Return the values of a result column as fields, each with a delimiter before it."""
        if column.is_number:
            if self._field(_DIGITS) == self._field("") + _DIGITS.encode():
                return six_decimals(values, self._field(""), b"")
            values = [digits.decode() for digits in six_decimals(values, b"", b"")]  # which may be quoted
        if column.items:  # lists, with escapes of JSON if the encoding lacks one of their characters
            name = self._dialect.encoding.name
            held = [text and text.encode(name, "ignore").decode(name) for text in values]
            pairs = zip(values, held, strict=True)
            values = [text if text == same else json.dumps(json.loads(text)) for text, same in pairs]
        return [*map(cache(lambda value: self._field("" if value is None else str(value))), values)]

    def _field(self, value: str) -> bytes:
        return self._dialect.encoding.encode(self._dialect.record(("", value)))
