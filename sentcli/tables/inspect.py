"""Decide what an input is, by its first bytes; the readers below decide nothing.

Each guess is made here: the format of standard input and `.txt` files, the encoding, the delimiter of CSV
and its header, an array of JSON or objects by lines, the columns, and which of them hold the texts. A user is
told of a guess by the notes of a `Table`. Formats that say what they are have an `inspect` of their own.

The first thousand rows decide, or the first MiB. A pipe is read only until what is there decides. What was
read to decide is read again for the rows, see `Source.looking_ahead`.
"""

import csv
import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice
from typing import Any

import orjson

from sentcli.config import NOTE
from sentcli.errors import DataError, UsageError
from sentcli.files.encodings import AUTO, Encoding, detect_encoding, likely_encoding, marked_encoding
from sentcli.files.source import STANDARD, Source
from sentcli.tables.columns import check_names, check_room, list_columns
from sentcli.tables.csv import DELIMITERS, Dialect, decode_lines, lift_field_limit, malformed
from sentcli.tables.json_records import split_records
from sentcli.tables.jsonl import ARRAY, MISSING, no_string, text_names, text_of
from sentcli.tables.line_reader import PAUSE, bad_bytes, blocks_of, physical_lines, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import get_format
from sentcli.tables.sniff import (
    LIKELY_DELIMITERS,
    MAY_BEGIN_TABLE,
    NO_TABLE,
    SAMPLE_BYTES,
    SAMPLE_RECORDS,
    Guess,
    Records,
    line_after_titles,
    sniff,
)
from sentcli.tables.table import Content, Note, Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, Choice, find_texts, is_decided, is_usual

# First bytes of compressed files. `BZh` could begin a text, so the digit and marker after it count too.
_COMPRESSED = {
    ".gz": re.compile(rb"\x1f\x8b"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zX"),
}
_ARCHIVE = b"PK\x03\x04"
_START, _LONG_START = 4, 6  # bytes that show a compression or a byte order mark; further bytes of bzip2
_AUTO_BYTES = 1 << 19  # of a stream, that show its encoding
_CHECKED_RECORDS = 100  # records that have to agree with a delimiter that --delimiter does not name
_DOCUMENT_START = 64
# The start of an array, or of an object on many lines.
_DOCUMENT = re.compile(rb'\s*(\[\s*(\{|\n|$)|\{\s*\n\s*")')
_AHEAD_LINES, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream, to read for the columns before the first row
_MOST_COLUMNS = 1000  # that the keys of JSON may become
_LONGEST_PATH = 200  # characters before the last key; deeper values are not looked at


def inspect(source: Source, request: Request) -> Table:
    """Decide what an input is, without consuming it.

    :param request: its format, and what is to be read from it.
    :raises DataError: if it cannot be scored, or does not fit the first input of the same output.
    """
    known = get_format(request.format)
    if known.module in _TEXT_FORMATS:
        return _TEXT_FORMATS[known.module](_Text.of(source, request), request)
    return known.load().inspect(source, request)  # type: ignore[no-any-return]


def guess_format(source: Source, options: ReadOptions, check: Callable[[], None]) -> Guess | None:
    """Return what a text without a format may be; None if it is empty.

    Waits for the first bytes; if they may begin a table in a pipe, a short time for more.
    """
    with source.looking_ahead():
        while source.live and not source.ready(PAUSE):
            check()
        data = more = source.read()
        while more and source.live and len(data) < SAMPLE_BYTES and data.count(b"\n") <= SAMPLE_RECORDS:
            if not (MAY_BEGIN_TABLE.match(data) and source.ready(PAUSE)):
                break
            more = source.read()
            data += more
    return (sniff(data, options) or Guess(options, (), NO_TABLE)) if data else None


def notes_of(guess: Guess, name: str, *, is_refused: bool) -> tuple[Note, ...]:
    """Return what a user is told of the guess of a format.

    :param name: what the user calls the input.
    :param is_refused: what may be a table cannot be read as lines.
    :raises UsageError: if it is so.
    """
    if guess.doubt == NO_TABLE:
        return ()
    if guess.is_table:
        hint = "; if it is lines of text, add --input-format lines" if guess.doubt else ""
        level = NOTE if guess.doubt else logging.WARNING
        return ((level, f"{name} looks like {guess}: read as such{hint}"),)
    hint = f"{name} may be {guess}: if it is, add {guess.flags}"
    if is_refused:
        raise UsageError(f"{hint}; if each line is a text, add --input-format lines")
    return ((logging.WARNING, f"{hint}; it is read as one review per line"),)


@dataclass(frozen=True)
class _Text:
    """An input of text, and its encoding."""

    source: Source
    encoding: Encoding
    mark: bytes
    notes: tuple[Note, ...]
    is_empty: bool

    @classmethod
    def of(cls, source: Source, request: Request) -> "_Text":
        """Decide on the encoding; refuse compressed bytes, and wide characters without --encoding.

        :raises DataError: because every line would be rejected.
        """
        name = request.options.encoding
        notes: tuple[Note, ...] = ()
        with source.looking_ahead():
            start = _first_bytes(source, _START, request)
            if start.startswith(b"BZh") and not start.endswith(b"\n"):
                start += _first_bytes(source, _LONG_START, request)
        if name in (None, AUTO):
            _refuse_compressed(start, source.name)
        if name is None and (marked := marked_encoding(start)):
            is_json = get_format(request.format).module == "jsonl"
            hint = "JSON Lines are UTF-8: convert it" if is_json else f"try --encoding {marked}"
            raise DataError(f"{source.name}: begins with the byte order mark of {marked}; {hint}")
        if name == AUTO:
            name, notes = _detect(source, request)
        encoding = Encoding.named(name, start)
        return cls(source, encoding, encoding.byte_order_mark(start), notes, not start)

    @contextmanager
    def looking_ahead(self) -> Iterator[None]:
        """Read the input after its byte order mark, without consuming it."""
        with self.source.looking_ahead():
            self.source.skip(len(self.mark))
            yield

    def lines(self, request: Request, *, universal: bool = False) -> Iterator[list[bytes]]:
        limit = request.options.max_row_bytes
        return _awaited(physical_lines(self.source, self.encoding, limit, universal=universal), request)


def _awaited(items: Iterable[Any], request: Request) -> Iterator[Any]:
    """Yield items; check at each pause of a live input whether to go on."""
    for item in items:
        if item is None:
            request.check()
        else:
            yield item


def _first_bytes(source: Source, size: int, request: Request) -> bytes:
    """Return the first bytes; fewer at the end of a line, because a live input may wait for an answer."""
    data = b""
    for block in _awaited(blocks_of(source), request):
        data += block
        if len(data) >= size or data.endswith(b"\n"):
            break
    return data


def _refuse_compressed(start: bytes, name: str) -> None:
    if start.startswith(_ARCHIVE):
        raise DataError(f"{name}: a zip archive or a workbook; unzip it, or add --input-format xlsx")
    for suffix, mark in _COMPRESSED.items():
        if mark.match(start):
            hint = "pipe it decompressed" if name == STANDARD else f"give it a name that ends in {suffix}"
            raise DataError(f"{name}: compressed, as {suffix} is; {hint}")


def _detect(source: Source, request: Request) -> tuple[str, tuple[Note, ...]]:
    """Find the encoding by the bytes: those of a file up to the first one that is not ASCII."""
    with source.looking_ahead():
        is_short = source.is_stream
        blocks = [_first_bytes(source, _AUTO_BYTES, request)] if is_short else iter(source.read, b"")
        name = detect_encoding(blocks)
    if name is None:
        raise DataError(f"{source.name}: not UTF-8; which --encoding is it, in place of {AUTO}?")
    return name, () if name == "utf-8" else (_warning(source, f"read as {name}"),)


def _warning(source: Source, message: str) -> Note:
    return logging.WARNING, f"{source.name}: {message}"


def _inspect_lines(text: _Text, request: Request) -> Table:
    source, first = text.source, request.first
    is_same = first is None or first.style == text.encoding
    if not (is_same or text.is_empty or request.content is not Content.RECORDS):
        raise DataError(
            f"{source.name}: not the encoding of the first input; it is {text.encoding.name}, "
            f"there {first.style.name}"  # type: ignore[union-attr]
        )
    return request.table(
        source.name,
        columns=("text",),
        texts=("text",),
        lead=text.mark,
        style=text.encoding,
        is_empty=text.is_empty,
        notes=text.notes,
    )


def _inspect_csv(text: _Text, request: Request) -> Table:
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
    """The first lines of CSV.

    :param is_all: no more lines follow.
    """

    def __init__(
        self, text: _Text, request: Request, dialect: Dialect, lines: list[bytes], *, is_all: bool
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
        texts, bad = decode_lines(lines[skipped:], text.encoding)
        self._texts = [""] * skipped + texts
        self._bad = {skipped + number: error for number, error in bad.items()}

    def table(self) -> Table:
        """Return the table.

        :raises _MoreNeeded: if the lines do not decide.
        :raises DataError: if the first record is no header, or no column is found.
        """
        fields, end = self._first_record()
        if not fields:
            return self._without_records()
        if other := self._other_dialect(fields):
            if end == len(self._lines):  # the next records decide
                self._need_more()
            self._dialect = other
            self._note_dialect()
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
        """Move to the first record that is not blank; return its fields, and the line after it.

        :returns: no fields if there is no record.
        """
        begin, limit = self._start, self._options.max_row_bytes
        parser = self._dialect.parser(iter(self._texts[begin:]))
        while self._start < len(self._lines):
            try:
                fields, problem = next(parser), ""
            except csv.Error as error:
                fields, problem = [], str(error)
            end = begin + parser.line_num
            size = sum(map(len, self._lines[self._start : end]))
            if problem and end == len(self._lines) and size <= limit:
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
            bad = [number for number in range(self._start, end) if number in self._bad]
            if not bad:
                return
            line, error = self._lines[bad[0]], self._bad[bad[0]]
            offset = len(self._text.mark) + sum(map(len, self._lines[: bad[0]]))
            is_cp1252 = self._options.encoding is None and likely_encoding(line) == "cp1252"
            hint = "; try --encoding cp1252" if is_cp1252 else ""
            reason = bad_bytes(line, error, offset, self._text.encoding) + hint
        hint = "" if "try --" in reason else "; is it another --encoding, --delimiter or --quotechar?"
        raise DataError(f"{self._name}: the first record cannot be read: {reason}{hint}")

    def _without_records(self) -> Table:
        options, lead = self._options, self._lead()
        is_short = len(self._lines) < options.skip_lines
        if options.skip_lines and (is_short or options.header) and lead[len(self._text.mark) :].strip():
            raise DataError(f"{self._name}: no header after the lines to skip; try a lower --skip-lines")
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
            hint = f"try --skip-lines {line} --delimiter {note[1]!r:.9}"
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
            hint = f"is it another --delimiter? If not, add --delimiter {used!r:.200}"
            raise DataError(f"{self._name}: {list_columns(fields)}; {hint}")
        return None

    def _note_dialect(self) -> None:
        """Note the delimiter, and the encoding that lines which cannot be decoded may have."""
        bad = [self._lines[number] for number in self._bad]
        found = f"--delimiter {self._dialect.delimiter!r:.9}"
        is_western = self._options.encoding is None and "cp1252" in map(likely_encoding, bad)
        hint = f"; it is not UTF-8, so try --encoding cp1252 {found}" if is_western else ""
        self._note(f"read with {found}{hint}")

    def _note(self, message: str) -> None:
        self._notes = (*self._notes, _warning(self._text.source, message))

    def _refuse_whole(self, raw: bytes) -> None:
        """Refuse a first record that has the line ends of another encoding."""
        encoding = self._text.encoding
        is_whole_file = not (encoding.is_plain or encoding.line_end(raw) or self._text.mark)
        if is_whole_file and b"\n" in raw:
            raise DataError(
                f"{self._name}: in {encoding.name} all of it would be the first record; "
                "is it another --encoding?"
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
            hint = f"if the header is line {line}, add --skip-lines {line - 1}"
            raise DataError(f"{self._name}: the first record has one cell, {max(fields)!r:.80}; {hint}")
        if options.text_column is None and not (self._request.first or any(map(is_usual, fields))):
            if number := next(filter(str.isdecimal, fields), None):
                hint = "if the first line is a row, add --no-header, else --text-column NAME"
                raise DataError(
                    f"{self._name}: a column is called {number:.80}; {hint}; {list_columns(fields)}"
                )
            if len(fields) == 1:
                taken = f"the first line, {fields[0]!r:.80}, is taken for the header"
                self._note(f"{taken}; if it is a text, add --no-header")

    def _find_texts(self, columns: tuple[str, ...], records: Records, *, is_sample: bool) -> Choice:
        rows = (row for _, row in records[self._options.header :] if len(row) == len(columns))
        values = [*zip(*rows, strict=True)] or [()] * len(columns)
        wanted = self._options.text_column
        is_enough = is_sample or wanted is not None or len(columns) == 1
        if not (is_enough or is_decided(columns, {}, wanted, values)):
            raise _MoreNeeded
        return find_texts(columns, {}, wanted, self._name, values)


def _inspect_json(text: _Text, request: Request) -> Table:
    is_array = _is_document(text, request)
    records: list[dict[str, Any]] = []
    size, found = 0, None
    with text.looking_ahead():
        for lines in _json_lines(text, request, is_array=is_array):
            for line in lines:
                records += _objects(line, request)
                size += len(line) if records else 0
                if is_full := len(records) == SAMPLE_ROWS or size >= SAMPLE_SIZE:
                    break
            if found := _json_start(records, text.source.name, request, is_all=is_full):
                break
    found = found or _json_start(records, text.source.name, request, is_all=True)
    texts, columns, notes = found or ((), (), ())
    if request.content is Content.VALUES and columns:
        columns = request.options.columns or _keys(text, request, is_array=is_array)
        check_room(columns, request.taken, text.source.name)
        if text.source.is_stream and not request.options.columns:
            said = f"the first {_AHEAD_LINES} lines give the columns; or name them: --columns"
            notes = (*notes, (logging.INFO, f"{text.source.name}: {said}"))
    return request.table(
        text.source.name,
        columns,
        texts=texts,
        lead=text.mark,
        style=ARRAY if is_array else None,
        is_empty=not columns,
        notes=(*text.notes, *notes),
    )


def _is_document(text: _Text, request: Request) -> bool:
    """Return whether the records are those of an array, or stand on several lines each."""
    with text.looking_ahead():
        data = _first_bytes(text.source, _DOCUMENT_START, request)
        if request.format != "json" and not _DOCUMENT.match(data[:_DOCUMENT_START]):
            return False
        for block in chain([b""], _awaited(blocks_of(text.source), request)):
            data = (data + block).lstrip()
            if data and (b"\n" in data or data[:1] != b"{" or len(data) > request.options.max_row_bytes):
                break
    line = data.partition(b"\n")[0].rstrip()
    return data.startswith(b"[") or (line.startswith(b"{") and not line.endswith(b"}"))


def _json_lines(text: _Text, request: Request, *, is_array: bool) -> Iterator[list[bytes]]:
    if not is_array:
        return text.lines(request)
    blocks = _awaited(blocks_of(text.source), request)
    return split_records(blocks, request.options.max_row_bytes, text.source.name)


def _objects(line: bytes, request: Request) -> list[dict[str, Any]]:
    """Return the object of a line, if it is one and has a key."""
    with suppress(orjson.JSONDecodeError):
        record = orjson.loads(line if len(line) <= request.options.max_row_bytes else b"")
        return [record] if type(record) is dict and record else []
    return []


def _json_start(
    records: list[dict[str, Any]], name: str, request: Request, *, is_all: bool
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Note, ...]] | None:
    """Return the columns of the texts, the keys of the first record with a text, and notes.

    :param is_all: no more records count.
    :returns: None if the records do not decide.
    """
    if not records:
        return None
    found = (
        (request.first and (request.first.texts, ()))
        or _json_texts(records[:1], name, request, is_all=False)
        or _json_texts(records, name, request, is_all=is_all)
    )
    if not found:
        return None
    texts, notes = found
    for record in records:
        check_room([*record], request.taken, name)
        if text_of(record, texts) is not MISSING:
            return texts, tuple(record), notes
    if not is_all:
        return None
    columns = list_columns([*records[0]])
    raise DataError(f"{name}: no column {text_names(texts)}; {columns}; try another --text-column")


def _json_texts(
    records: list[dict[str, Any]], name: str, request: Request, *, is_all: bool
) -> tuple[tuple[str, ...], tuple[Note, ...]] | None:
    """Choose the columns of the texts among the keys of records; None if they do not decide."""
    wanted = request.options.text_column
    columns: dict[str, list[Any]] = {}
    for record in records:
        for key, value in _flat(record).items():
            columns.setdefault(key, []).append(value)
    others = {
        key: no_string(next(value for value in values if value is not None))
        for key, values in columns.items()
        if wanted is None and not {str, type(None)} & {*map(type, values)}
    }
    values = [*columns.values()]
    if not (is_all or is_decided([*columns], others, wanted, values)):
        return None
    choice = find_texts([*columns], others, wanted, name, values)
    return tuple([*columns][place] for place in choice.places), choice.notes


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a record's keys, and after them those of the dotted paths of nested objects."""
    flat: dict[str, Any] = {}
    inner = [("", record)]
    for before, values in inner:  # grows
        for key, value in values.items():
            flat.setdefault(before + key, value)
            if type(value) is dict and len(before) < _LONGEST_PATH:
                inner.append((f"{before}{key}.", value))
    return flat


def _keys(text: _Text, request: Request, *, is_array: bool) -> tuple[str, ...]:
    """Return the keys of all records of a file, or of the first records of a stream, as they appear."""
    keys: dict[str, None] = {}
    count = size = 0
    with text.looking_ahead():
        for lines in _json_lines(text, request, is_array=is_array):
            request.check()
            for line in lines:
                if text.source.is_stream and (count >= _AHEAD_LINES or size >= _AHEAD_BYTES):
                    return tuple(keys)
                for record in _objects(line, request):
                    keys |= dict.fromkeys(record)
                count += 1
                size += len(line)
            _check_count(keys, text.source.name)
    return tuple(keys)


def columns_of_all(tables: Sequence[Table]) -> tuple[str, ...]:
    """Return the keys of all inputs of JSON as columns.

    :raises DataError: when there are too many, because a chunk has a value for each of its rows and columns.
    """
    columns = tuple(dict.fromkeys(name for table in tables for name in table.columns))
    _check_count(columns, tables[-1].name)
    return columns


def _check_count(columns: Collection[str], name: str) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise DataError(f"{name}: more than {_MOST_COLUMNS:,} keys; write JSON Lines: -o OUT.jsonl")


_TEXT_FORMATS: dict[str, Callable[[_Text, Request], Table]] = {
    "csv": _inspect_csv,
    "jsonl": _inspect_json,
    "lines": _inspect_lines,
}
