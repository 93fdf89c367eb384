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
from dataclasses import replace
from typing import Any

import orjson

from sentcli.errors import option
from sentcli.files.encodings import Encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Reject, Results, Sheet
from sentcli.tables.columns import find_taken
from sentcli.tables.convert import LastLine, six_decimals, to_json, to_text
from sentcli.tables.json_records import CONSTANTS, split_records
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import Content, Layout, Table
from sentcli.tables.text_column import join_texts

_log = logging.getLogger("sentcli")

# The styles of tables whose records are in an array, or in an array in an object, and not one per line.
ARRAY, INSIDE = "array", "inside"
_MOST_NAMED = 1000  # keys that have no column
MISSING: Any = object()
_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def read(source: Source, table: Table, cursor: Cursor, content: Content) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    return _JsonlReader(source, table, content, Encoding.named(None)).chunks(cursor)


class _JsonlReader(LineReader):
    may_be_encoded = False

    def __init__(self, source: Source, table: Table, content: Content, encoding: Encoding) -> None:
        super().__init__(source, table, content, encoding)
        self._is_array = table.style in (ARRAY, INSIDE)
        self._new_keys: dict[str, None] = {}  # those that are not columns

    def events(self) -> Iterator[Event]:
        yield from super().events()
        if self._new_keys:
            columns = option("keep", ",".join([*self.table.kept_columns, *self._new_keys]))
            keys = " or ".join(map(repr, self._new_keys))
            _log.warning(
                "%s: records with the unexpected key %s were rejected; try %s", self.name, keys, columns
            )

    def lines(self) -> Iterator[list[bytes] | None]:
        if self._is_array:
            is_inside = self.table.style == INSIDE
            return split_records(iter(self._source.read, b""), self._limit, self.name, is_inside=is_inside)
        return super().lines()

    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        for line in lines:
            try:
                record = parse(line)
            except orjson.JSONDecodeError as error:
                yield self._broken(line, error) if line.strip() else line
            else:
                yield self._row(record, line)
            self.advance(1, len(line))

    def _broken(self, line: bytes, error: orjson.JSONDecodeError) -> Event:
        try:
            line.decode()
        except UnicodeDecodeError as bad:
            return self.reject(line, self.bad_bytes(line, bad, 0 if self._is_array else self.offset))
        return self.reject(line, f"not JSON: {error.msg}, at character {error.pos + 1}")

    def reject(self, raw: bytes, reason: str) -> Reject:
        reject = super().reject(raw, reason)
        return replace(reject, offset=None) if self._is_array else reject  # its lines are records

    def _row(self, record: Any, line: bytes) -> Event:
        if type(record) is not dict:
            return self.reject(line, f"{_KINDS[type(record)]}, not an object")
        if not record:
            return self.reject(line, "an object without keys")
        names = filter(self.table.options.keeps, record) if self.table.options.is_partial else record
        if (name := find_taken(names, self.table.taken)) is not None:
            return self.reject(line, f"there is a {name!r:.200} already; try {self._room_for(name)}")
        text = text_of(record, self.table.texts)
        text = None if text is MISSING else text
        if text is not None and type(text) is not str:
            return self.reject(line, f"{text_names(self.table.texts)} {no_string(text)}")
        sides = [tuple(_side(_value(record, name)) for name in self.table.sides)] if self.table.sides else []
        if self.content is not Content.VALUES and not self.table.options.is_partial:
            return text, line, line, *sides
        try:
            row = self._again(line)
        except ValueError as error:
            return self.reject(line, str(error))
        except (RecursionError, orjson.JSONEncodeError):  # which one depends on the version of Python
            return self.reject(line, "a value is nested too deeply")
        if misfit := self.table.bounds.misfit(row):
            return self.reject(line, misfit)
        return text, row, line, *sides

    def _room_for(self, name: str) -> str:
        """Return the option that makes room for a key with the name of a folder or of a new column."""
        folder = re.search(f"(?:^|/)({re.escape(name)})=", self.name, re.IGNORECASE)
        return f"--drop {shlex.quote(folder[1])}" if folder else "--prefix new_"

    def _again(self, line: bytes) -> bytes | list[str | None]:
        """Decode a record again, with the digits of its numbers; return its values, or a part of it."""
        is_record = self.content is Content.RECORDS
        record = json.loads(
            line.decode(),
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number if is_record else lambda _: None,
            object_pairs_hook=_unique,
        )
        keeps = self.table.options.keeps
        if is_record:
            kept = {key: value for key, value in record.items() if keeps(key)}
            return _dump(kept or {self.table.kept_columns[0]: None}) + b"\n"
        if new := [key for key in record if key not in self.table.columns and keeps(key)]:
            self._new_keys |= dict.fromkeys(new[: _MOST_NAMED - len(self._new_keys)])
            raise ValueError(f"the key {new[0]!r:.200} is not among the columns; try --keep")
        return [_cell(record.get(name)) for name in self.table.kept_columns]


def parse(line: bytes) -> Any:
    """Parse JSON, in which NaN and infinity, as Python writes them, are null."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        with_null = CONSTANTS.sub(lambda found: found[1] or b"null", line)
        if with_null == line:
            raise
        return orjson.loads(with_null)


def text_of(record: dict[str, Any], names: Sequence[str]) -> Any:
    """Return the text of a record, or `MISSING`; of several columns, the first value that is no string."""
    if len(names) == 1:
        return _value(record, names[0])
    parts = [part for name in names if (part := _value(record, name)) is not MISSING]
    others = [part for part in parts if part is not None and type(part) is not str]
    return others[0] if others else join_texts(parts) if parts else MISSING


def text_names(names: Sequence[str]) -> str:
    return " or ".join(f"{name!r:.200}" for name in names or ["text"])


def _value(record: dict[str, Any], name: str) -> Any:
    """Return the value of a key, else that of a dotted path."""
    value = record.get(name, MISSING)
    if value is MISSING and "." in name:
        value = record
        for key in name.split("."):
            value = value.get(key, MISSING) if type(value) is dict else MISSING
    return value


def _side(value: Any) -> str:
    return "" if value is MISSING else to_text(value)


def no_string(value: Any) -> str:
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
    return _dump(value).decode()


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, default=lambda number: orjson.Fragment(number.digits))


class Writer:
    """Inserts the new fields before a record's closing brace; writes values of another format as objects.

    The records of a JSON output are in an array, unless those of a JSON input are one per line.
    """

    def __init__(self, layout: Layout, table: Table) -> None:
        self._layout = layout
        self._table = table
        self._names = [b",%b:" % to_json(name) for name in layout.names]
        is_by_lines = table.format == "json" and table.style is None and not table.is_empty
        self._before = b"[\n" if layout.format == "json" and not is_by_lines else b""  # the next record
        self._last_line = LastLine(Encoding.named(None), universal=False)

    def begin(self) -> bytes:
        is_new = self._layout.converts or self._before
        return b"" if is_new else Encoding.named(None).byte_order_mark(self._table.lead)

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        if self._layout.converts:
            names = self._table.kept_columns
            raws = [to_json(dict(zip(names, row, strict=True))) + b"\n" for row in chunk.rows]
        else:
            raws = [*chunk.rows]
        # A record with a text is not empty, so a comma always precedes the new fields.
        ends = [raw.rindex(b"}") for raw in raws]
        data = chunk.join(
            [raw[:end] for raw, end in zip(raws, ends, strict=True)],
            *map(_fields, self._layout.results, self._names, results),
            [raw[end:] for raw, end in zip(raws, ends, strict=True)],
        )
        if not self._before:
            return self._last_line.then(data)
        lines = [line for line in data.split(b"\n") if line.strip()]
        if not lines:
            return b""
        data, self._before = self._before + b",\n".join(lines), b",\n"
        return data

    def close(self, summary: Sheet = ()) -> bytes:
        return {b"": b"", b"[\n": b"[]\n", b",\n": b"\n]\n"}[self._before]


def _fields(column: ResultColumn, name: bytes, values: Sequence[Any]) -> list[bytes]:
    if column.is_number:
        return six_decimals(values, name, b"null")
    if column.items:
        return [name + (text or "null").encode() for text in values]
    fields = {label: name + to_json(label) for label in {*values}}
    return [fields[label] for label in values]
