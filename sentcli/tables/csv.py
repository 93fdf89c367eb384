"""CSV and TSV as the standard csv module reads them in strict mode; records go out as their own bytes.

A malformed record costs its first physical line: that line is rejected and reading goes on with the next one,
so that a quote which is never closed does not take the rest of the file with it. Blank lines are no rows and
pass through. A quote inside a field that does not begin with one is part of the value.
"""

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from sentcli.errors import DataError
from sentcli.files.encodings import Encoding
from sentcli.files.lines import Block
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Field, Head, Reject, Rows
from sentcli.tables.columns import check_room, check_unique, find_text_column, list_columns
from sentcli.tables.convert import to_text
from sentcli.tables.csv_fast import PlainRecords
from sentcli.tables.dialect import Dialect
from sentcli.tables.format import Labels, Scores, Setup
from sentcli.tables.format_scores import six_decimals
from sentcli.tables.text_reader import TextReader

_log = logging.getLogger("sentcli")

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_DIGITS = "0123456789."  # of a score
_SENTENCE = re.compile(r"[.!?](?:\s|$)|\S\s+\S+\s+\S+\s+\S")
_LIKELY_DELIMITERS = frozenset(",;\t|")

# Lines behind a quote that is not closed are parsed again. Beyond so many times the limit of a record, plus
# so many times what was read so far, the file is given up: one that was made for it would take hours.
_RESCAN_LIMITS, _RESCAN_SHARE = 32, 4


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `format.Reader`.

    :raises UsageError: when the delimiter that was not said is the quotechar that was.
    """
    csv.field_size_limit((1 << 31) - 1)  # of the whole process; the reader bounds records itself
    return _CsvReader(source, setup, first, is_last=is_last).chunks(cursor)


class _CsvReader(TextReader):
    universal_line_ends = True

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        super().__init__(source, setup, first, is_last=is_last)
        options = setup.options
        self._dialect = Dialect(*options.separators(_DELIMITERS[setup.format]), self.encoding)
        self._limit = options.max_row_bytes
        self._lead = bytearray(self.byte_order_mark)  # what stands before the header
        self._to_skip = options.skip_lines
        self._width = -1  # until there is a header
        self._column = -1
        self._open: list[Block] = []  # lines of a record that may go on
        self._wait_for = 0  # bytes of lines before it is worth looking for its end again
        self._rescanned = 0

    def events(self) -> Iterator[Event]:
        yield from super().events()
        has_rows = self._width >= 0 or not (self._to_skip or self.setup.options.header)
        if not has_rows and self.setup.options.skip_lines and self._lead[len(self.byte_order_mark) :].strip():
            raise DataError(f"{self.name}: nothing behind the lines to skip; try a lower --skip-lines")
        # A file of nothing else comes back as it is; in a run of several it would come between their rows.
        if self._width < 0 and self._lead and self.is_last and not self.first:
            yield bytes(self._lead)

    def parse(self, lines: Block, *, final: bool) -> Iterator[Event]:
        self._open.append(self._skip(lines) if self._to_skip else lines)
        if not final and sum(block.size for block in self._open) < self._wait_for:
            return
        lines = Block.join(self._open)
        self._wait_for = 0
        plain: PlainRecords | None = None
        cut: list[bytes] = []  # lines, once one of them is not plain
        start = 0
        while start < len(lines):
            if plain is None and self._width >= 0 and self._dialect.is_based_on_ascii:
                plain = PlainRecords(lines, self._dialect, self._width)
                rows = self._plain_rows(plain, lines)
            if plain and (end := plain.stop(start)) > start:
                first = plain.ranks[start] - 1
                some = rows.part(first, first + end - start, lines.part(start, end))
                yield from some.events()
                self.line += end - start
                self.offset += some.raws.size
                start = end
                continue
            if not cut:
                cut = [*lines]
                texts, bad = self._decode(cut)
            parser = self._dialect.parser(map(texts.__getitem__, range(start, len(texts))))
            try:
                fields = next(parser)
                end = start + parser.line_num
                raw = self._join(cut[start:end])
            except csv.Error as error:
                end = start + parser.line_num
                size = sum(map(len, cut[start:end]))
                if end == len(cut) and size <= self._limit and not final:
                    self._wait_for = 2 * size
                    break
                yield self._malformed(cut[start], str(error), size)
                end, raw = start + 1, cut[start]
            else:
                errors = [*map(bad.get, range(start, end))]
                yield from self._unusual(fields, raw, cut[start:end], errors)
            self.line += end - start
            self.offset += len(raw)
            start = end
        self._open = [lines.part(start, len(lines))]

    def _skip(self, lines: Block) -> Block:
        """Put lines before the header aside; give the others."""
        count = min(self._to_skip, len(lines))
        skipped, others = lines.part(0, count), lines.part(count, len(lines))
        self._to_skip -= len(skipped)
        self._add_to_lead(skipped.raw)
        self.line += len(skipped)
        self.offset += skipped.size
        return others

    def _add_to_lead(self, raw: bytes | memoryview) -> None:
        self._lead += raw
        if len(self._lead) > self._limit:
            raise DataError(f"{self.name}: no header in its first {self._limit} bytes")

    def _plain_rows(self, plain: PlainRecords, lines: Block) -> Rows:
        """Take the plain lines, in a block of all lines."""
        if self.setup.needs_values:
            columns = [plain.values(number) for number in range(self._width)]
            return Rows(columns[self._column], [*zip(*columns, strict=True)], lines)
        return Rows(plain.values(self._column), None, lines)

    def _decode(self, lines: list[bytes]) -> tuple[list[str], dict[int, UnicodeDecodeError]]:
        """Decode lines; those not in the encoding get a stand-in, so that records keep their borders.

        :returns: a text for each line, and the errors of the bad ones by their number.
        """
        decode = self.encoding.decode
        try:
            return list(map(decode, lines)), {}
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

    def _join(self, lines: list[bytes]) -> bytes:
        raw = b"".join(lines)
        if len(raw) > self._limit:
            raise csv.Error  # the quote counts as never closed, however the block happens to end
        return raw

    def _unusual(
        self, fields: list[str], raw: bytes, lines: list[bytes], errors: list[UnicodeDecodeError | None]
    ) -> Iterator[Event]:
        """Handle a record that may be no plain row: the header, a blank line, a wrong number of fields."""
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
        elif self._width < 0:
            yield self._begin(fields, raw)
            if not self.setup.options.header:
                yield fields[self._column], fields if self.setup.needs_values else raw, raw
        elif len(fields) != self._width:
            fields_found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            yield self.reject(raw, f"{fields_found} instead of {self._width}")
        else:
            yield fields[self._column], fields if self.setup.needs_values else raw, raw

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
        self._tell_of_text(fields)
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
        """Tell whether a first record without a line end has some that another encoding would see."""
        encoding = self.encoding
        if encoding.is_plain or encoding.line_end(raw) or self.byte_order_mark:
            return False
        is_swapped = fields[0].startswith("\ufffe")  # the byte order mark of the other order
        return is_swapped or (b"\n" in raw and b"\0" not in raw)

    def _check_delimiter(self, fields: Sequence[str]) -> None:
        """Refuse a single field that looks like several: whole records would be scored for their texts.

        :param fields: of the first record. Of a name each likely delimiter looks so, of a text only a tab.
        """
        options, used = self.setup.options, self._dialect.delimiter
        likely = _LIKELY_DELIMITERS if options.header else {"\t"}
        note = re.fullmatch("sep=(.)", used.join(fields), re.IGNORECASE)
        if note and options.header and options.text_column not in fields:
            hint = f"try --skip-lines {self.line} --delimiter {note[1]!r:.9}"
            raise DataError(f"{self.name}: line {self.line} tells spreadsheets the delimiter; {hint}")
        is_sure = len(fields) > 1 or options.delimiter is not None or options.text_column in fields
        if not is_sure and any(other in fields[0] for other in likely - {used}):
            hint = f"is it another --delimiter? If not, say --delimiter {used!r:.200}"
            raise DataError(f"{self.name}: {list_columns(fields)}; {hint}")

    def _tell_of_text(self, fields: Sequence[str]) -> None:
        """Warn of a header of one field that reads like a sentence: it may be the first text."""
        options = self.setup.options
        is_said = not options.header or options.text_column is not None or self.first is not None
        if len(fields) == 1 and _SENTENCE.search(fields[0]) and not is_said:
            _log.warning(
                "%s: the first line, %.80r, is taken for the header; if it is a text, say --no-header",
                *(self.name, fields[0]),
            )

    def _malformed(self, line: bytes, error: str, size: int) -> Reject:
        """Reject the first line of what is no record.

        :param error: what csv says; empty: it is too long.
        :param size: bytes up to where that was seen.
        """
        if len(line) < size:
            self._rescanned += size
            if self._rescanned > _RESCAN_LIMITS * self._limit + _RESCAN_SHARE * self.offset:
                raise DataError(
                    f"{self.name}: line {self.line}: too many quotes are not closed; try another --quotechar"
                )
        if "expected after" in error and size <= self._limit:
            reason = "text after a closing quote"
        else:
            within = f" within the {self._limit} bytes of --max-row-bytes" if size > self._limit else ""
            reason = f"a quote is not closed{within}"
        return self.reject(line, reason)

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

    def encode(self, chunk: Chunk, labels: Labels, scores: Scores) -> Iterator[bytes]:
        fields = {label: self._label_field(label) for label in {*labels}}
        records, ends = self._converted(chunk) if self._setup.converts else self._cut(chunk)
        return chunk.join(records, map(fields.__getitem__, labels), self._numbers(scores), ends)

    def close(self) -> bytes:
        return b""

    def _converted(self, chunk: Chunk) -> tuple[Iterable[bytes], Iterable[bytes]]:
        """Write values as records, of which none has its line end."""
        records = (self._dialect.record([*map(to_text, row)]).encode() for row in chunk.rows)
        return records, repeat(b"\n", len(chunk.texts))

    def _cut(self, chunk: Chunk) -> tuple[list[Field], list[bytes]]:
        """Cut records from their line ends."""
        records: list[Field] = []
        ends: list[bytes] = []
        for row in chunk.rows:
            if isinstance(row, Block):
                some, their_ends = row.cut()
                records += some
                ends += their_ends
            else:
                record, end = self._dialect.encoding.cut_line_end(row)
                records.append(record)
                ends.append(end)
        return records, ends

    def _label_field(self, label: str | None) -> bytes:
        """Give the label between two delimiters."""
        return self._dialect.encoding.encode(self._dialect.record(("", label or "", "")))

    def _numbers(self, scores: Scores) -> list[bytes]:
        """Write the scores, each behind its label."""
        numbers, dialect = six_decimals(scores, b""), self._dialect
        is_quoted = bool({*_DIGITS} & {dialect.delimiter, dialect.quotechar})
        if not is_quoted and dialect.encoding.encode(_DIGITS) == _DIGITS.encode():
            return numbers
        write = dialect.encoding.encode
        return [write(dialect.record([number.decode()])) for number in numbers]
