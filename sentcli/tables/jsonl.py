"""JSON Lines and JSON, read by orjson, which is strict; new fields are appended to the bytes of a record.

Lines end with a line feed. Blank lines are not rows and are copied. The first record decides which key holds
the texts if it has a usual name, else the first records do. In an output of another format, all keys are
columns, in a stream those of its first records; strings are copied and other values are written as JSON,
numbers with their digits in the input. A record with another key, or a repeated key, is rejected.
"""

import json
import logging
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import Any

import orjson

from sentcli.errors import DataError
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Reject, Results
from sentcli.tables.columns import check_room, find_taken, list_columns
from sentcli.tables.convert import six_decimals, to_json
from sentcli.tables.json_records import split_records
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import ResultColumn, Setup
from sentcli.tables.text_column import SAMPLE_ROWS, SAMPLE_SIZE, find_texts, join_texts

_log = logging.getLogger("sentcli")

_ARRAY = "array"  # the style of a head: the records are not one per line
_MARK = b"\xef\xbb\xbf"  # a byte order mark, which has no place in an array
_AHEAD_LINES, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream, to read for the columns before the first row
_DOCUMENT_START = 64
_MOST_COLUMNS = 1000  # a chunk has a value for each of its rows and columns
_MISSING: Any = object()
_LONGEST_PATH = 200  # characters before the last key; deeper values are not looked at
# The start of an array, or of an object on many lines.
_DOCUMENT = re.compile(rb'\s*(\[\s*(\{|\n|$)|\{\s*\n\s*")')
_NO_NUMBER = re.compile("NaN|Infinity|nan|inf")  # as Python, JavaScript and C write it
_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    return _JsonlReader(source, setup, first, is_last=is_last).chunks(cursor)


def read_keys(source: Source, setup: Setup, keys: dict[str, None]) -> Iterator[None]:
    """Add the keys of a file's records to `keys` as they appear; yield after each block.

    :raises DataError: when the file cannot be read, or has too many keys.
    """
    reader = _JsonlReader(source, setup, None, is_last=True)
    for lines in reader.lines():
        reader.add_keys(keys, lines or [])
        yield


class _JsonlReader(LineReader):
    encoding_hint = ""  # JSON is UTF-8
    mark_in_head = False  # blank lines before the first record are written before the head

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        super().__init__(source, setup, first, is_last=is_last)
        self._needs_values = setup.needs_values
        self._text_columns = first.text_columns if first else ()
        self._open: list[bytes] = []  # lines that do not decide yet which column is the text
        self._columns = first.columns if first else setup.columns
        self._looks_ahead = self._needs_values and source.is_stream and not (first or setup.options.columns)
        self._new_keys: dict[str, None] = {}  # those that are not columns
        self._has_head = False
        self._is_array = False
        self._without_text: list[tuple[str, ...]] = []  # keys of the records before the first with a text

    def events(self) -> Iterator[Event]:
        yield from super().events()
        self._check_text_column(most=0)
        if self._new_keys:
            columns = shlex.quote(",".join([*self._columns, *self._new_keys]))
            keys = " or ".join(map(repr, self._new_keys))
            _log.warning("%s: no column for the key %s; try --columns %s", self.name, keys, columns)

    def lines(self) -> Iterator[list[bytes] | None]:
        is_document = self.setup.format == "json" or _DOCUMENT.match(self._source.peek(_DOCUMENT_START))
        records = split_records(self._source, self._limit) if is_document else None
        self._is_array = records is not None
        lines: Iterator[list[bytes] | None] = super().lines() if records is None else records
        if self._looks_ahead:  # the first records alone give the columns, wherever the stream pauses
            _log.info(
                "%s: the first %s lines give the columns; or name them: --columns", self.name, _AHEAD_LINES
            )
            ahead: list[bytes] = []
            for some in lines:
                ahead += some or []
                if len(ahead) >= _AHEAD_LINES or sum(map(len, ahead)) >= _AHEAD_BYTES:
                    break
            pairs = zip(ahead[:_AHEAD_LINES], accumulate(map(len, ahead), initial=0), strict=False)
            keys: dict[str, None] = {}
            self.add_keys(keys, [line for line, before in pairs if before < _AHEAD_BYTES])
            self._columns = tuple(keys | dict.fromkeys(self._columns))
            yield ahead or None
        yield from lines

    def add_keys(self, keys: dict[str, None], lines: list[bytes]) -> None:
        """Add the keys of records in lines; raise DataError when there are too many."""
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                record = orjson.loads(line if len(line) <= self._limit else b"")
                if type(record) is dict:
                    keys |= dict.fromkeys(record)
        if len(keys) > _MOST_COLUMNS:
            raise DataError(f"{self.name}: more than {_MOST_COLUMNS:,} keys; write JSON Lines: -o OUT.jsonl")

    def parse(self, lines: list[bytes], *, final: bool) -> Iterator[Event]:
        lines, self._open = [*self._open, *lines], []
        if not (self._text_columns or self._find_texts(lines, final=final)):
            self._open = lines
            return
        for line in lines:
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield self._broken(line, error) if line.strip() else line
            else:
                if not self._has_head and type(record) is dict and record:
                    yield from self._begin(record)
                yield self._row(record, line)
            self.advance(1, len(line))

    def _broken(self, line: bytes, error: orjson.JSONDecodeError) -> Event:
        try:
            text = line.decode()
        except UnicodeDecodeError as bad:
            return self.reject(line, self.bad_bytes(line, bad, 0 if self._is_array else self.offset))
        no_number = _NO_NUMBER.match(text, error.pos)
        what = f"{no_number[0]}, for which JSON has null" if no_number else error.msg
        return self.reject(line, f"not JSON: {what}, at character {error.pos + 1}")

    def _begin(self, record: dict[str, Any]) -> Iterator[Head]:
        columns = tuple(record)
        check_room([*columns, *self._columns], self.setup.names, self.name)
        if self._text(record) is _MISSING:
            self._without_text.append(columns)
            self._check_text_column(most=SAMPLE_ROWS)
            return
        self._without_text.clear()
        self._has_head = True
        self._columns = (self._needs_values and self._columns) or columns
        style = _ARRAY if self._is_array else None
        yield Head(self._columns, self._text_columns, style=style, notes=(*self.notes,))

    def _find_texts(self, lines: list[bytes], *, final: bool) -> bool:
        """Choose the text column by the first record, else by the first records.

        :returns: False if there are records, but not enough.
        """
        records: list[dict[str, Any]] = []
        size = 0
        for line in lines:
            with suppress(orjson.JSONDecodeError):
                if type(record := orjson.loads(line)) is dict and record:
                    records.append(_flat(record))
            size += len(line) if records else 0
            if len(records) == SAMPLE_ROWS or size >= SAMPLE_SIZE:
                final = True
                break
        wanted = self.setup.options.text_column
        for some, is_all in ((records[:1], False), (records, final)) if records else ():
            columns: dict[str, list[Any]] = {}
            for record in some:
                for name, value in record.items():
                    columns.setdefault(name, []).append(value)
            others = {
                name: _no_string(next(value for value in values if value is not None))
                for name, values in columns.items()
                if wanted is None and not {str, type(None)} & {*map(type, values)}
            }
            found = find_texts([*columns], others, wanted, self.name, [*columns.values()], is_all=is_all)
            if found.places:
                self._text_columns = tuple([*columns][place] for place in found.places)
                self.notes |= dict.fromkeys(found.notes)
                return True
        return not records

    def _check_text_column(self, most: int) -> None:
        if len(self._without_text) > most:
            columns = list_columns(self._without_text[0])
            raise DataError(
                f"{self.name}: no column {self._text_names}; {columns}; try another --text-column"
            )

    def reject(self, raw: bytes, reason: str) -> Reject:
        reject = super().reject(raw, reason)
        return replace(reject, offset=None) if self._is_array else reject  # its lines are records

    def _row(self, record: Any, line: bytes) -> Event:
        if type(record) is not dict:
            return self.reject(line, f"{_KINDS[type(record)]}, not an object")
        if (name := find_taken(record, self.setup.names)) is not None:
            return self.reject(line, f"there is a {name!r:.200} already; try --prefix")
        text = self._text(record)
        if text is _MISSING:
            return self.reject(line, f"no {self._text_names}")
        if text is not None and type(text) is not str:
            return self.reject(line, f"{self._text_names} {_no_string(text)}")
        if not self._needs_values:
            return text, line, line
        try:
            return text, self._values(line), line
        except ValueError as error:
            return self.reject(line, str(error))
        except (RecursionError, orjson.JSONEncodeError):  # which one depends on the version of Python
            return self.reject(line, "a value is nested too deeply")

    def _text(self, record: dict[str, Any]) -> Any:
        """Return the text; of several columns, the first value that is no string if there is one."""
        if len(self._text_columns) == 1:
            return _value(record, self._text_columns[0])
        parts = [part for name in self._text_columns if (part := _value(record, name)) is not _MISSING]
        others = [part for part in parts if part is not None and type(part) is not str]
        return others[0] if others else join_texts(parts) if parts else _MISSING

    @property
    def _text_names(self) -> str:
        return " or ".join(f"{name!r:.200}" for name in self._text_columns or ["text"])

    def _values(self, line: bytes) -> list[str | None]:
        """Decode a record again, with the digits of its numbers, for a writer of another format.

        :raises ValueError: when it does not fit the columns.
        """
        record = json.loads(line.decode(), parse_int=_Number, parse_float=_Number, object_pairs_hook=_unique)
        if new := [key for key in record if key not in self._columns]:
            self._new_keys |= dict.fromkeys(new[: _MOST_COLUMNS - len(self._new_keys)])
            raise ValueError(f"the key {new[0]!r:.200} is not among the columns; try --columns")
        return [_cell(record.get(name)) for name in self._columns]


def _value(record: dict[str, Any], name: str) -> Any:
    """Return the value of a key, else that of a dotted path."""
    value = record.get(name, _MISSING)
    if value is _MISSING and "." in name:
        value = record
        for key in name.split("."):
            value = value.get(key, _MISSING) if type(value) is dict else _MISSING
    return value


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


def _no_string(value: Any) -> str:
    return f"is {_KINDS[type(value)]}, not a string"


class _Number:
    """A number kept as its digits, which an int or float could change."""

    def __init__(self, digits: str) -> None:
        self.digits = digits


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=lambda number: orjson.Fragment(number.digits)).decode()


class Writer:
    """Inserts the new fields before a record's closing brace; writes values of another format as objects.

    The records of a JSON output are in an array, unless those of a JSON input are one per line.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._columns: Sequence[str] = ()
        self._names = [b",%b:" % to_json(name) for name in setup.names]
        self._before = b"[\n" if setup.output_format == "json" else b""  # the next record of an array

    def begin(self, head: Head) -> bytes:
        self._columns = head.columns
        if self._setup.format == "json" and head.style != _ARRAY:
            self._before = b""
        return b""  # a byte order mark was written before as a gap

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        if self._setup.converts:
            raws = [to_json(dict(zip(self._columns, row, strict=True))) + b"\n" for row in chunk.rows]
        else:
            raws = [*chunk.rows]
        # A record with a text is not empty, so a comma always precedes the new fields.
        ends = [raw.rindex(b"}") for raw in raws]
        data = chunk.join(
            [raw[:end] for raw, end in zip(raws, ends, strict=True)],
            *map(_fields, self._setup.results, self._names, results),
            [raw[end:] for raw, end in zip(raws, ends, strict=True)],
        )
        lines = (
            [line for line in data.removeprefix(_MARK).split(b"\n") if line.strip()] if self._before else []
        )
        if lines:
            data, self._before = self._before + b",\n".join(lines), b",\n"
        return data if lines or not self._before else b""

    def close(self) -> bytes:
        return {b"": b"", b"[\n": b"[]\n", b",\n": b"\n]\n"}[self._before]


def _fields(column: ResultColumn, name: bytes, values: Sequence[Any]) -> list[bytes]:
    if column.is_number:
        return six_decimals(values, name, b"null")
    fields = {label: name + to_json(label) for label in {*values}}
    return [fields[label] for label in values]
