"""CSV and TSV, read by the csv module in strict mode; the bytes of a record are written unchanged.

Of a malformed record, only the first physical line is rejected, and reading continues with the next line, so
that a quote that is never closed does not cost the rest of the file. Blank lines are not rows and are copied.
A quote inside a field that does not begin with one is part of the value.
"""

import csv
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice
from operator import itemgetter
from typing import Any

from sentcli.errors import DataError, OutputError
from sentcli.files.encodings import Encoding, likely_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Reject, Results, Rows
from sentcli.tables.columns import check_names, list_columns
from sentcli.tables.convert import six_decimals, to_text
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import Setup
from sentcli.tables.sniff import LIKELY_DELIMITERS, Records, line_after_titles, second_header
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, find_texts, is_usual, join_texts

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_DIGITS = "-0123456789."  # of a number
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_ESCAPED = {"\\N": "", "\\n": "\\\n", "\\r": "\\\r", "\\t": "\\\t"}

# The lines after a quote that is not closed are parsed again. The bytes parsed again may be this many times
# --max-row-bytes plus this many times the bytes read so far. Without a limit, a malicious file takes hours.
_RESCAN_LIMITS, _RESCAN_SHARE = 32, 4


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
        """Return values as one record, quoted where necessary, without a line end.

        :raises OutputError: when a value needs quotes, but there is no quotechar.
        """
        search = self._special.search
        return self.delimiter.join([self._quote(value) if search(value) else value for value in values])

    def _quote(self, value: str) -> str:
        if not self.quotechar:
            raise OutputError(f"{value!r:.200} cannot be written without quotes; try another --quotechar")
        for special in filter(None, (self.escapechar, self.quotechar)):
            value = value.replace(special, 2 * special)
        return f"{self.quotechar}{value}{self.quotechar}"


def _decode_escapes(line: str) -> str:
    r"""Return a line with characters in place of the letters after backslashes; NULL, `\N`, becomes empty."""
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[0], found[0]), line) if "\\" in line else line


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`.

    :raises UsageError: when --quotechar is the delimiter of the format.
    """
    csv.field_size_limit((1 << 31) - 1)  # of the whole process; the reader bounds records itself
    return _CsvReader(source, setup, first, is_last=is_last).chunks(cursor)


class _CsvReader(LineReader):
    universal_line_ends = True

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        super().__init__(source, setup, first, is_last=is_last)
        options = setup.options
        self._dialect = Dialect(
            *options.separators(_DELIMITERS[setup.format]), self.encoding, options.escapechar
        )
        self._lead = bytearray(self.byte_order_mark)  # the bytes before the header
        self._needs_values = setup.needs_values
        self._to_skip = options.skip_lines
        self._rows_to_skip = options.skip_rows
        self._width = -1  # until there is a header
        self._text: Callable[[Sequence[str]], str | None]  # of a row
        self._open: list[bytes] = []  # lines of a record that may continue
        self._wait_for = 0  # bytes of lines before it is worth looking for its end again
        self._rescanned = 0

    def events(self) -> Iterator[Event]:
        yield from super().events()
        has_rows = self._width >= 0 or not (self._to_skip or self.setup.options.header)
        if not has_rows and self.setup.options.skip_lines and self._lead[len(self.byte_order_mark) :].strip():
            raise DataError(f"{self.name}: no header after the lines to skip; try a lower --skip-lines")
        # Copy a file that has nothing else; with several inputs these bytes would be between rows.
        if self._width < 0 and self._lead and self.is_last and not self.first:
            yield bytes(self._lead)

    def parse(self, lines: list[bytes], *, final: bool) -> Iterator[Event]:
        lines = [*self._open, *(self._skip(lines) if self._to_skip else lines)]
        if not final and sum(map(len, lines)) < self._wait_for:
            self._open = lines
            return
        self._wait_for = 0
        texts, bad = self._decode(lines)
        if not bad and (rows := self._single_lines(texts)):
            yield Rows([*map(self._text, rows)], rows if self._needs_values else lines, lines)
            self.advance(len(lines), sum(map(len, lines)))
            self._open = []
            return
        start = begin = 0  # the first line of the record, and the first line that the parser got
        parser = self._dialect.parser(iter(texts))
        while start < len(lines):
            try:
                fields, problem = next(parser), ""
            except csv.Error as error:
                fields, problem = [], str(error)
            end = begin + parser.line_num
            raw = lines[start] if end == start + 1 else b"".join(lines[start:end])
            if problem and end == len(lines) and len(raw) <= self._limit and not final:
                self._wait_for = 2 * len(raw)
                break
            if problem or len(raw) > self._limit:  # a record over the limit has a quote that is not closed
                yield self._malformed(lines[start], problem, len(raw))
                raw = lines[start]
                end = begin = start + 1
                parser = self._dialect.parser(map(texts.__getitem__, range(begin, len(texts))))
            elif len(fields) == self._width and (not bad or bad.keys().isdisjoint(range(start, end))):
                if self._rows_to_skip:
                    self._rows_to_skip -= 1
                    yield raw if self.setup.converts else (None, raw, raw)
                else:
                    yield self._text(fields), fields if self._needs_values else raw, raw
            elif self._width < 0 and fields and bad.keys().isdisjoint(range(start, end)):
                if other := self._other_dialect(fields, texts[start:]):
                    self._open = lines[start:]
                    if end < len(lines) or final:  # else the next records decide
                        self._dialect = other
                        self._report_dialect([lines[number] for number in bad])
                        yield from self.parse([], final=final)
                    return
                has_header = self.setup.options.header
                head = self._begin(fields, raw, texts[start:], final=final)
                if not head:  # more rows are needed for the choice of the text column
                    break
                yield head
                if not has_header:
                    yield self._text(fields), fields if self._needs_values else raw, raw
            else:
                errors = [*map(bad.get, range(start, end))]
                yield from self._unusual(fields, raw, lines[start:end], errors)
            self.advance(end - start, len(raw))
            start = end
        self._open = lines[start:]

    def _single_lines(self, texts: list[str]) -> list[list[str]]:
        """Return the fields of lines if each is a row; empty if any is not."""
        if self._width < 0 or self._rows_to_skip:
            return []
        try:
            rows = [*self._dialect.parser(iter(texts))]
        except csv.Error:
            return []
        return rows if len(rows) == len(texts) and {*map(len, rows)} == {self._width} else []

    def _skip(self, lines: list[bytes]) -> list[bytes]:
        """Keep the lines before the header for the head; return the others."""
        skipped, others = lines[: self._to_skip], lines[self._to_skip :]
        self._to_skip -= len(skipped)
        self._add_to_lead(b"".join(skipped))
        self.advance(len(skipped), sum(map(len, skipped)))
        return others

    def _add_to_lead(self, raw: bytes) -> None:
        self._lead += raw
        if len(self._lead) > self._limit:
            raise DataError(f"{self.name}: no header in its first {self._limit} bytes")

    def _decode(self, lines: list[bytes]) -> tuple[list[str], dict[int, UnicodeDecodeError]]:
        """Decode lines; replace bad bytes by a stand-in, so that records keep their borders.

        :returns: the text of each line, and the errors of bad lines by line number.
        """
        decode = self.encoding.decode
        try:
            return [*map(decode, lines)], {}
        except UnicodeDecodeError:
            pass
        texts, bad = [], {}
        for number, line in enumerate(lines):
            try:
                texts.append(decode(line))
            except UnicodeDecodeError as error:
                record, end = self.encoding.cut_line_end(line)
                texts.append(record.decode(self.encoding.name, "replace") + decode(end))
                bad[number] = error
        return texts, bad

    def _unusual(
        self, fields: list[str], raw: bytes, lines: list[bytes], errors: list[UnicodeDecodeError | None]
    ) -> Iterator[Event]:
        """Yield the events of a record that may not be a row: blank line, wrong number of fields.

        :param errors: for each line of the record, its decoding error or None.
        """
        offset = self.offset
        for line, error in zip(lines, errors, strict=True):
            if error:
                yield self.reject(raw, self.bad_bytes(line, error, offset))
                return
            offset += len(line)
        if not fields and self._width < 0:
            self._add_to_lead(raw)
        elif not fields:
            yield raw
        elif self._rows_to_skip:
            self._rows_to_skip -= 1
            yield raw
        else:
            fields_found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            yield self.reject(raw, f"{fields_found} instead of {self._width}")

    def _begin(self, fields: list[str], raw: bytes, texts: list[str], *, final: bool) -> Head | None:
        """Check the first record, and choose the text column.

        :param texts, final: the lines of the first records with this one, and whether no more follow.
        :returns: None if these records do not decide.
        """
        options = self.setup.options
        is_whole_file = not (self.encoding.is_plain or self.encoding.line_end(raw) or self.byte_order_mark)
        if is_whole_file and b"\n" in raw:  # the line ends of another encoding
            raise DataError(
                f"{self.name}: in {self.encoding.name} all of it would be the first record; "
                "is it another --encoding?"
            )
        columns = tuple(fields) if options.header else tuple(map(str, range(1, len(fields) + 1)))
        records, is_all = self._records(texts)
        self._check_first(records)
        if self.first and (self.first.columns, self.first.style) != (columns, self._dialect):
            raise DataError(
                f"{self.name}: the columns or the encoding differ from the first input; "
                f"{list_columns(columns)}, in the first input {list_columns(self.first.columns)}"
            )
        rows = (row for _, row in records[options.header :] if len(row) == len(columns))
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        wanted = options.text_column
        is_all = is_all or final or wanted is not None or len(columns) == 1
        places, notes = find_texts(columns, {}, wanted, self.name, values, first=self.first, is_all=is_all)
        if not places:
            return None
        check_names(columns, self.setup, self.name)
        self._width, pick = len(columns), itemgetter(*places)
        self._text = pick if len(places) == 1 else lambda fields: join_texts(pick(fields))
        names = tuple(columns[place] for place in places)
        lead = bytes(self._lead + (raw if options.header else b""))
        return Head(columns, names, lead, self._dialect, places, (*self.notes, *notes))

    def _records(self, texts: list[str]) -> tuple[Records, bool]:
        """Return the first records, and whether they are all that count for the choice of a text column."""
        sizes = [*accumulate(map(len, texts))]
        count = bisect_left(sizes, SAMPLE_SIZE) + 1
        parser = self._dialect.parser(iter(texts[:count]))
        records: Records = []
        while len(records) <= SAMPLE_ROWS:
            line = self.line + parser.line_num
            with suppress(csv.Error):
                if (record := next(parser, None)) is None:
                    return records, count <= len(sizes)
                records.append((line, record))
        return records, True

    def _check_first(self, records: Records) -> None:
        """Check that the first record is the header, and the only one; note what may be otherwise.

        :raises DataError: naming the option that reads the file.
        """
        options, (_, fields) = self.setup.options, records[0]
        if not options.header:
            return
        if options.text_column not in fields and (line := line_after_titles(records)):
            hint = f"if the header is line {line}, add --skip-lines {line - 1}"
            raise DataError(f"{self.name}: the first record has one cell, {max(fields)!r:.80}; {hint}")
        if options.text_column is None and not (self.first or any(map(is_usual, fields))):
            if number := next(filter(str.isdecimal, fields), None):
                hint = "if the first line is a row, add --no-header, else --text-column NAME"
                raise DataError(
                    f"{self.name}: a column is called {number:.80}; {hint}; {list_columns(fields)}"
                )
            if len(fields) == 1:
                taken = f"the first line, {fields[0]!r:.80}, is taken for the header"
                self.note(f"{taken}; if it is a text, add --no-header")
        row, line = second_header(records[1:])
        if row > options.skip_rows:
            self.note(f"line {line} looks like a second header; if it is, add --skip-rows {row}")

    def _report_dialect(self, bad: Sequence[bytes]) -> None:
        """Note the delimiter, and the encoding that lines which cannot be decoded may have."""
        found = f"--delimiter {self._dialect.delimiter!r:.9}"
        is_western = self.setup.options.encoding is None and "cp1252" in map(likely_encoding, bad)
        hint = f"; it is not UTF-8, so try --encoding cp1252 {found}" if is_western else ""
        self.note(f"read with {found}{hint}")

    def _other_dialect(self, fields: Sequence[str], texts: Sequence[str]) -> Dialect | None:
        """Return the dialect with the delimiter that the first records share, if it is not the expected one.

        :param fields: the first record. In a header, any likely delimiter counts; in a text, only a tab.
        :param texts: its lines, and those after it.
        :raises DataError: for a single field that may hold whole records.
        """
        options, used = self.setup.options, self._dialect.delimiter
        note = re.fullmatch("sep=(.)", used.join(fields), re.IGNORECASE)
        if note and options.header and options.text_column not in fields:
            hint = f"try --skip-lines {self.line} --delimiter {note[1]!r:.9}"
            raise DataError(f"{self.name}: line {self.line} tells spreadsheets the delimiter; {hint}")
        is_sure = len(fields) > 1 or options.delimiter is not None or options.text_column in fields
        likely = LIKELY_DELIMITERS if options.header else "\t"
        others = [] if is_sure else [mark for mark in likely if mark in fields[0]]
        for dialect in (replace(self._dialect, delimiter=mark) for mark in others):
            with suppress(csv.Error):
                records = islice(filter(None, dialect.parser(iter(texts))), _CHECKED_RECORDS)
                widths = {*map(len, records)}
                if len(widths) == 1 and 1 not in widths:
                    return dialect
        if others:
            hint = f"is it another --delimiter? If not, add --delimiter {used!r:.200}"
            raise DataError(f"{self.name}: {list_columns(fields)}; {hint}")
        return None

    def _malformed(self, line: bytes, error: str, size: int) -> Reject:
        """Reject the first line of a record that cannot be parsed.

        :param error: the message of the csv module; empty: the record is too long.
        :param size: bytes of the record when the error was found.
        """
        if len(line) < size:
            self._rescanned += size
            if self._rescanned > _RESCAN_LIMITS * self._limit + _RESCAN_SHARE * self.offset:
                raise DataError(
                    f"{self.name}: line {self.line}: too many quotes are not closed; try another --quotechar"
                )
        if "expected after" in error and size <= self._limit:
            is_escaped = b'\\"' in line and not self.setup.options.escapechar
            hint = "; try --escapechar '\\'" if is_escaped else ""
            return self.reject(line, f"text after a closing quote{hint}")
        within = f" within the {self._limit} bytes of --max-row-bytes" if size > self._limit else ""
        return self.reject(line, f"a quote is not closed{within}")

    def reject(self, raw: bytes, reason: str) -> Reject:
        if self._width < 0:
            hint = "" if "try --" in reason else "; is it another --encoding, --delimiter or --quotechar?"
            reason = reason.removesuffix(self.encoding_hint)
            raise DataError(f"{self.name}: the first record cannot be read: {reason}{hint}")
        return super().reject(raw, reason)


class Writer:
    """Appends the new fields to the records of the input; writes values of another format as new records."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._dialect = Dialect(_DELIMITERS.get(setup.output_format, ","), '"', Encoding.named(None))

    def begin(self, head: Head) -> bytes:
        has_header = self._setup.options.header
        if self._setup.converts:
            header = self._dialect.record((*head.columns, *self._setup.names))
            return f"{header}\n".encode() if has_header else b""
        self._dialect = head.style
        self._labels(self._setup.labels)
        if not has_header:
            return head.raw
        encoding = self._dialect.encoding
        record, end = encoding.cut_line_end(head.raw)
        return record + encoding.encode(self._dialect.record(("", *self._setup.names))) + end

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        if self._setup.converts:
            records = [self._dialect.record([*map(to_text, row)]).encode() for row in chunk.rows]
            ends = [b"\n"] * len(records)
        else:
            records, ends = self._dialect.encoding.cut_line_ends(chunk.rows)
        return chunk.join(
            records,
            *(
                self._numbers(values) if column.is_number else self._labels(values)
                for column, values in zip(self._setup.results, results, strict=True)
            ),
            ends,
        )

    def close(self) -> bytes:
        return b""

    def _labels(self, labels: Sequence[str | None]) -> list[bytes]:
        """Return the labels as fields, each with a delimiter before it."""
        fields = {label: self._field(label or "") for label in {*labels}}
        return [fields[label] for label in labels]

    def _numbers(self, numbers: Sequence[float | None]) -> list[bytes]:
        """Return the numbers as fields, each with a delimiter before it; quoted if a digit is a separator."""
        dialect = self._dialect
        is_quoted = bool({*_DIGITS} & {dialect.delimiter, dialect.quotechar})
        if not is_quoted and dialect.encoding.encode(_DIGITS) == _DIGITS.encode():
            return six_decimals(numbers, self._field(""), b"")
        return [self._field(digits.decode()) for digits in six_decimals(numbers, b"", b"")]

    def _field(self, value: str) -> bytes:
        return self._dialect.encoding.encode(self._dialect.record(("", value)))
