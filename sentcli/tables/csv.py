"""CSV and TSV as the standard csv module reads them in strict mode; records go out as their own bytes.

A malformed record costs its first physical line: that line is rejected and reading continues with the next
one, so that a quote which is never closed does not take the rest of the file with it. Blank lines are no rows
and pass through. A quote inside a field that does not begin with one is part of the value.
"""

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

from sentcli.errors import DataError, OutputError
from sentcli.files.encodings import Encoding
from sentcli.files.lines import Block, cut
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Labels, Reject, RowsBuilder, Scores
from sentcli.tables.columns import check_room, check_unique, find_text_column, is_usual, list_columns
from sentcli.tables.convert import six_decimals, to_text
from sentcli.tables.csv_fast import PlainRecords
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import Setup

_log = logging.getLogger("sentcli")

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_DIGITS = "0123456789."  # of a score
_LIKELY_DELIMITERS = frozenset(",;\t|")

# The lines after a quote that is not closed are parsed again. Beyond this many times the limit of a record,
# plus this many times the bytes read so far, the file is given up: one made for it would take hours.
_RESCAN_LIMITS, _RESCAN_SHARE = 32, 4


@dataclass(frozen=True)
class Dialect:
    """How the records of a file are written.

    :param quotechar: empty: nothing is quoted.
    """

    delimiter: str
    quotechar: str
    encoding: Encoding

    def parser(self, lines: Iterator[str]) -> Any:  # the type of csv.reader has no public name
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quotechar or None,  # None, given explicitly: the default '"' may be the delimiter
            quoting=csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE,
            strict=True,
        )

    @property
    def is_based_on_ascii(self) -> bool:
        """Each byte of a delimiter, quote or line end stands for that character alone."""
        return (self.delimiter + self.quotechar).isascii() and self.encoding.is_based_on_ascii

    @cached_property
    def _special(self) -> re.Pattern[str]:
        return re.compile(f"[\r\n{re.escape(self.delimiter + self.quotechar)}]")

    def record(self, values: Sequence[str]) -> str:
        """Write values as one record, quoted where necessary, without a line end.

        :raises OutputError: when one has to be quoted, and nothing may be.
        """
        search = self._special.search
        return self.delimiter.join([self._quote(value) if search(value) else value for value in values])

    def _quote(self, value: str) -> str:
        if not self.quotechar:
            raise OutputError(f"{value!r:.200} cannot be written without quotes; try another --quotechar")
        return f"{self.quotechar}{value.replace(self.quotechar, 2 * self.quotechar)}{self.quotechar}"


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`.

    :raises UsageError: when the delimiter of the format is the quotechar of the options.
    """
    csv.field_size_limit((1 << 31) - 1)  # of the whole process; the reader bounds records itself
    return _CsvReader(source, setup, first, is_last=is_last).chunks(cursor)


class _CsvReader(LineReader):
    universal_line_ends = True

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        super().__init__(source, setup, first, is_last=is_last)
        options = setup.options
        self._dialect = Dialect(*options.separators(_DELIMITERS[setup.format]), self.encoding)
        self._limit = options.max_row_bytes
        self._lead = bytearray(self.byte_order_mark)  # the bytes before the header
        self._to_skip = options.skip_lines
        self._width = -1  # until there is a header
        self._column = -1
        self._open: list[Block] = []  # lines of a record that may continue
        self._wait_for = 0  # bytes of lines before it is worth looking for its end again
        self._rescanned = 0

    def events(self) -> Iterator[Event]:
        yield from super().events()
        has_rows = self._width >= 0 or not (self._to_skip or self.setup.options.header)
        if not has_rows and self.setup.options.skip_lines and self._lead[len(self.byte_order_mark) :].strip():
            raise DataError(f"{self.name}: no header after the lines to skip; try a lower --skip-lines")
        # A file of nothing else comes back as it is; in a run of several it would come between their rows.
        if self._width < 0 and self._lead and self.is_last and not self.first:
            yield bytes(self._lead)

    def parse(self, lines: Block, *, final: bool) -> Iterator[Event]:
        self._open.append(self._skip(lines) if self._to_skip else lines)
        if not final and sum(block.size for block in self._open) < self._wait_for:
            return
        lines = Block.join(self._open)
        self._wait_for = 0
        borders: list[int] = lines.borders.tolist()
        rows = RowsBuilder(lines, has_values=self.setup.needs_values)
        plain: PlainRecords | None = None
        texts: list[str] = []  # of all lines, once one of them is not plain
        start = 0
        while start < len(lines):
            if plain is None and self._width >= 0 and self._dialect.is_based_on_ascii:
                plain = PlainRecords(
                    lines, self._dialect.delimiter, self._dialect.quotechar, self.encoding, self._width
                )
                plain_texts, plain_values = self._plain_values(plain)
            if plain and (end := plain.stop(start)) > start:
                found = slice(plain.ranks[start] - 1, plain.ranks[end - 1])
                rows.add(plain_texts[found], plain_values[found], start, range(start + 1, end + 1))
                self.advance(end - start, borders[end] - borders[start])
                start = end
                continue
            if not texts:
                texts, bad = self._decode(lines)
            fields, error, end = self._parse_record(texts, start)
            size = borders[end] - borders[start]
            if error and end == len(lines) and size <= self._limit and not final:
                self._wait_for = 2 * size
                break
            if error or size > self._limit:  # then a quote counts as never closed, wherever the block ends
                yield from rows.take()
                yield self._malformed(lines[start], error, size)
                end = start + 1
            else:
                for event in self._record(fields, lines.part(start, end), [*map(bad.get, range(start, end))]):
                    if isinstance(event, list):
                        rows.add([event[self._column]], [event], start, [end])
                    else:
                        yield from rows.take()
                        yield event
            self.advance(end - start, borders[end] - borders[start])
            start = end
        yield from rows.take()
        self._open = [lines.part(start, len(lines))]

    def _skip(self, lines: Block) -> Block:
        """Put lines before the header aside; return the others."""
        count = min(self._to_skip, len(lines))
        skipped, others = lines.part(0, count), lines.part(count, len(lines))
        self._to_skip -= len(skipped)
        self._add_to_lead(skipped.raw)
        self.advance(len(skipped), skipped.size)
        return others

    def _add_to_lead(self, raw: bytes | memoryview) -> None:
        self._lead += raw
        if len(self._lead) > self._limit:
            raise DataError(f"{self.name}: no header in its first {self._limit} bytes")

    def _plain_values(self, plain: PlainRecords) -> tuple[list[str], list[Any]]:
        """Return the texts of the plain lines, and the values of all columns where the writer needs them."""
        if not self.setup.needs_values:
            return plain.values(self._column), []
        columns = [plain.values(number) for number in range(self._width)]
        return columns[self._column], [*zip(*columns, strict=True)]

    def _decode(self, lines: Block) -> tuple[list[str], dict[int, UnicodeDecodeError]]:
        """Decode lines; those not in the encoding get a stand-in, so that records keep their borders.

        :returns: a text for each line, and the errors of the bad ones by their number.
        """
        decode = self.encoding.decode
        texts, bad = [], {}
        for number, line in enumerate(lines):
            try:
                texts.append(decode(line))
            except UnicodeDecodeError as error:
                record, end = self.encoding.cut_line_end(line)
                texts.append(record.decode(self.encoding.name, "replace") + decode(end))
                bad[number] = error
        return texts, bad

    def _parse_record(self, texts: list[str], start: int) -> tuple[list[str], str, int]:
        """Parse the record that begins at a line.

        :returns: its fields, the error of the csv module or an empty string, and the line after it.
        """
        parser = self._dialect.parser(map(texts.__getitem__, range(start, len(texts))))
        fields, problem = [], ""
        try:
            fields = next(parser)
        except csv.Error as error:
            problem = str(error)
        return fields, problem, start + parser.line_num

    def _record(
        self, fields: list[str], lines: Block, errors: list[UnicodeDecodeError | None]
    ) -> Iterator[Event | list[str]]:
        """Yield what a record is: a list for a row, else a reject, the head, or bytes for a blank line.

        :param errors: of each of its lines that is not in the encoding.
        """
        raw, offset = bytes(lines.raw), self.offset
        for line, error in zip(lines, errors, strict=True):
            if error:
                yield self.reject(raw, self.bad_bytes(line, error, offset))
                return
            offset += len(line)
        if not fields:
            if self._width < 0:
                self._add_to_lead(raw)
            else:
                yield raw
            return
        if self._width < 0:
            yield self._begin(fields, raw)
            if self.setup.options.header:
                return
        if len(fields) != self._width:
            fields_found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            yield self.reject(raw, f"{fields_found} instead of {self._width}")
        else:
            yield fields

    def _begin(self, fields: list[str], raw: bytes) -> Head:
        options = self.setup.options
        if self._is_another_encoding(fields, raw):
            raise DataError(
                f"{self.name}: in {self.encoding.name} all of it would be the first record; "
                "is it another --encoding?"
            )
        columns = tuple(fields) if options.header else tuple(map(str, range(1, len(fields) + 1)))
        self._check_delimiter(fields)
        text_column = find_text_column(columns, {}, options.text_column, self.name)
        if options.header and options.text_column is None and not (self.first or is_usual(text_column)):
            _log.warning(
                "%s: the first line, %.80r, is taken for the header; if it is a text, add --no-header",
                *(self.name, text_column),
            )
        check_room(columns, self.setup.names, self.name)
        if self.setup.needs_values:
            check_unique(columns, self.name)
        head = Head(columns, text_column, bytes(self._lead + (raw if options.header else b"")), self._dialect)
        if self.first and (self.first.columns, self.first.style) != (columns, self._dialect):
            raise DataError(
                f"{self.name}: not the columns and encoding of the first input; {list_columns(columns)}, "
                f"there {list_columns(self.first.columns)}"
            )
        self._width, self._column = len(columns), columns.index(text_column)
        return head

    def _is_another_encoding(self, fields: Sequence[str], raw: bytes) -> bool:
        """Return whether a first record without a line end has some in another encoding."""
        encoding = self.encoding
        if encoding.is_plain or encoding.line_end(raw) or self.byte_order_mark:
            return False
        is_swapped = fields[0].startswith("\ufffe")  # the byte order mark of the other order
        return is_swapped or (b"\n" in raw and b"\0" not in raw)

    def _check_delimiter(self, fields: Sequence[str]) -> None:
        """Refuse a single field that has another delimiter: whole records would be scored for their texts.

        :param fields: of the first record. In a name each likely delimiter counts, in a text only a tab.
        """
        options, used = self.setup.options, self._dialect.delimiter
        likely = _LIKELY_DELIMITERS if options.header else {"\t"}
        note = re.fullmatch("sep=(.)", used.join(fields), re.IGNORECASE)
        if note and options.header and options.text_column not in fields:
            hint = f"try --skip-lines {self.line} --delimiter {note[1]!r:.9}"
            raise DataError(f"{self.name}: line {self.line} tells spreadsheets the delimiter; {hint}")
        is_sure = len(fields) > 1 or options.delimiter is not None or options.text_column in fields
        if not is_sure and any(other in fields[0] for other in likely - {used}):
            hint = f"is it another --delimiter? If not, add --delimiter {used!r:.200}"
            raise DataError(f"{self.name}: {list_columns(fields)}; {hint}")

    def _malformed(self, line: bytes, error: str, size: int) -> Reject:
        """Reject the first line of a record that cannot be parsed.

        :param error: of the csv module; empty: the record is too long.
        :param size: bytes up to where that was seen.
        """
        if len(line) < size:
            self._rescanned += size
            if self._rescanned > _RESCAN_LIMITS * self._limit + _RESCAN_SHARE * self.offset:
                raise DataError(
                    f"{self.name}: line {self.line}: too many quotes are not closed; try another --quotechar"
                )
        if "expected after" in error and size <= self._limit:
            return self.reject(line, "text after a closing quote")
        within = f" within the {self._limit} bytes of --max-row-bytes" if size > self._limit else ""
        return self.reject(line, f"a quote is not closed{within}")

    def reject(self, raw: bytes, reason: str) -> Reject:
        if self._width < 0:
            raise DataError(
                f"{self.name}: the first record cannot be read: {reason.removesuffix(self.encoding_hint)}; "
                "is it another --encoding, --delimiter or --quotechar?"
            )
        return super().reject(raw, reason)


class Writer:
    """Writes the records of the input with two more fields; values of another format as new records."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._dialect = Dialect(_DELIMITERS.get(setup.output_format, ","), '"', Encoding.named(None))

    def begin(self, head: Head) -> bytes:
        has_header = self._setup.options.header
        if self._setup.converts:
            header = self._dialect.record((*head.columns, *self._setup.names))
            return f"{header}\n".encode() if has_header else b""
        self._dialect = head.style
        for label in self._setup.labels:
            self._label_field(label)
        if not has_header:
            return head.raw
        encoding = self._dialect.encoding
        record, end = encoding.cut_line_end(head.raw)
        return record + encoding.encode(self._dialect.record(("", *self._setup.names))) + end

    def encode(self, chunk: Chunk, labels: Labels, scores: Scores) -> bytes:
        fields = {label: self._label_field(label) for label in {*labels}}
        records, ends = self._converted(chunk) if self._setup.converts else self._cut(chunk)
        return chunk.join(records, map(fields.__getitem__, labels), self._numbers(scores), ends)

    def close(self) -> bytes:
        return b""

    def _converted(self, chunk: Chunk) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """Write values as records, and return the line end of each."""
        records = [self._dialect.record([*map(to_text, row)]).encode() for row in chunk.rows]
        return records, repeat(b"\n", len(records))

    def _cut(self, chunk: Chunk) -> tuple[list[bytes], list[bytes]]:
        """Cut records from their line ends."""
        records: list[bytes] = []
        ends: list[bytes] = []
        for block in chunk.rows:
            if self._dialect.encoding.is_plain:
                records += cut(block.data, block.borders[:-1], block.stops)
                ends += cut(block.data, block.stops, block.borders[1:])
            else:
                for record, end in map(self._dialect.encoding.cut_line_end, block):
                    records.append(record)
                    ends.append(end)
        return records, ends

    def _label_field(self, label: str | None) -> bytes:
        """Return the label between two delimiters."""
        return self._dialect.encoding.encode(self._dialect.record(("", label or "", "")))

    def _numbers(self, scores: Scores) -> list[bytes]:
        """Write the scores; quoted where a separator is one of their digits."""
        numbers, dialect = six_decimals(scores, b""), self._dialect
        is_quoted = bool({*_DIGITS} & {dialect.delimiter, dialect.quotechar})
        if not is_quoted and dialect.encoding.encode(_DIGITS) == _DIGITS.encode():
            return numbers
        return [dialect.encoding.encode(dialect.record([number.decode()])) for number in numbers]
