"""JSON Lines and JSON, read by orjson, which is strict; new fields are appended to the bytes of a record.

Records in an array, or on several lines each, are found by their brackets and not parsed, so that their
numbers and strings are written as they were read, and one that is not JSON costs no other. Line breaks
between values become blanks.

Lines end with a line feed. Blank lines are not rows and are copied. The first record decides which key holds
the texts if it has a usual name, else the first records do. In an output of another format, all keys are
columns, in a stream those of its first records; strings are copied and other values are written as JSON,
numbers with their digits in the input. A record with another key, or a repeated key, is rejected.
"""

import json
import re
import shlex
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, takewhile
from operator import itemgetter
from typing import Any

import orjson

from sentcli.errors import DataError
from sentcli.files.encodings import UTF_8
from sentcli.files.source import Source
from sentcli.tables import registry
from sentcli.tables.chunk import Chunk, Event, Results, Sheet
from sentcli.tables.convert import LastLine, six_decimals, to_json
from sentcli.tables.line_reader import LONGEST, LineReader, bad_bytes
from sentcli.tables.options import ResultColumn, WriteOptions
from sentcli.tables.table import Table, TextTable, find_taken
from sentcli.tables.text_column import join_texts

_MOST_NAMED = 180  # characters of the columns that a reason proposes to keep
_BLANK_BYTES = 99  # before the first object of an array
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|%b)*+([{}\[\]]?)' % _STRING, re.DOTALL)  # after strings and others
_CONSTANTS = re.compile(rb"(%b?)|-?(?:NaN|Infinity)" % _STRING, re.DOTALL)  # strings, and what JSON lacks
_SCALAR = re.compile(rb'%b|[^\s,\[\]{"]++(?=.)' % _STRING, re.DOTALL)
_BETWEEN = re.compile(rb"[\s,\[\]]*+")
_BLANKS = re.compile(rb"(%b)|\s++" % _STRING, re.DOTALL)
_DEEP = 200  # brackets in a record that may be nested more deeply than orjson writes
TEXTS = {str, type(None)}
_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


@dataclass(frozen=True)
class JsonTable(TextTable):
    """A table of JSON.

    :param is_array: the records are those of an array, or take several lines each; False: they are one per
        line. An array in an object begins at the end of the lead.
    :param keys: those of the first records, and the dotted paths of nested ones.
    """

    is_array: bool = False
    keys: tuple[str, ...] = ()

    @cached_property
    def paths(self) -> Sequence[tuple[str, Any]]:
        return [(key, key) for key in self.keys]

    def parse(self, raw: Sequence[bytes]) -> list[Any]:
        return [*map(parse, raw)]


class JsonChunk(Chunk):
    """Consecutive records; their rows are objects, with the place of a value as its key or dotted path."""

    def cells(self, place: Any) -> list[Any]:
        return [_value(record, place) for record in self.rows]

    @cached_property
    def exact(self) -> list[dict[str, Any] | str]:
        """The records with the digits of their numbers; the reason for each that cannot be written anew."""
        return [_parse_exactly(line, orjson.Fragment) for line in self.raw]

    @cached_property
    def values(self) -> Sequence[Any]:
        columns = {*self.table.columns}
        rows = (_parse_exactly(line, lambda constant: None) for line in self.raw)
        return [row if isinstance(row, str) else self._values_of(row, columns) for row in rows]

    def _values_of(self, record: dict[str, Any], columns: Container[str]) -> list[str | None] | str:
        """Return the values of a record, or a message if a key has no column."""
        kept, keeps = self.table.kept_columns, self.table.options.keeps
        if new := [key for key in record if key not in columns and keeps(key)]:
            names = ",".join([*kept, *new])
            is_short = len(names) < _MOST_NAMED and names.isprintable()
            keep = f"--keep {shlex.quote(names)}" if is_short else "--keep"
            return f"the key {new[0]!r:.200} is not among the columns; try {keep}"
        return [_cell(record.get(name)) for name in kept]


class _JsonReader(LineReader):
    chunk_type = JsonChunk

    def __init__(self, source: Source, table: JsonTable) -> None:
        super().__init__(source, table)
        self.has_offsets = not table.is_array  # else lines are records

    def lines(self) -> Iterator[list[bytes] | None]:
        if self.has_offsets:
            return super().lines()
        return split_records(iter(self._source.read, b""), self.table)

    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        """Parse lines at once if each is a row, else one by one."""
        try:
            records = [*map(orjson.loads, lines)]
        except orjson.JSONDecodeError:
            records = []
        if records and {*map(type, records)} == {dict} and all(records):
            texts = [text_of(record, self.table) for record in records]
            if {*map(type, texts)} <= TEXTS:
                yield self.rows(texts, records, lines)
                self.advance(len(lines), sum(map(len, lines)))
                return
        for line in lines:
            yield self._event(line)
            self.advance(1, len(line))

    def _event(self, line: bytes) -> Event:
        try:
            record = parse(line)
        except orjson.JSONDecodeError as error:
            return self._broken(line, error) if line.strip() else line
        if type(record) is not dict:
            return self.reject(line, f"{_KINDS.get(type(record), 'a number')}, not an object")
        if not record:
            return self.reject(line, "an object without keys")
        text = text_of(record, self.table)
        if text is not None and type(text) is not str:
            return self.reject(line, f"{text_names(self.table.texts)} {no_string(text)}")
        return self.rows((text,), (record,), (line,))

    def _broken(self, line: bytes, error: orjson.JSONDecodeError) -> Event:
        try:
            line.decode()
        except UnicodeDecodeError as bad:
            offset = self.offset if self.has_offsets else 0
            return self.reject(line, bad_bytes(line, bad, offset, self.table))
        return self.reject(line, f"not JSON: {error.msg}, at character {error.pos + 1}")


read = _JsonReader.read


def split_records(blocks: Iterator[bytes], text: TextTable) -> Iterator[list[bytes]]:
    """Yield the records of a document, each as a line.

    If the lead of the text ends in an array, only that array is read. If its end is missing, a bracket
    follows as a last record, which is then rejected.
    """
    name, limit, is_inside = text.name, text.options.max_row_bytes, text.lead.endswith(b"[")
    depth = int(is_inside)
    data, enough = b"", 0
    for block in chain(blocks, [b""]):
        data += block
        if block and len(data) < enough:
            continue
        records: list[bytes] = []
        place = 0
        while True:
            between = next(_BETWEEN.finditer(data, place))[0]
            place += len(between)
            depth += between.count(b"[") - between.count(b"]")
            if is_inside and not depth:
                _refuse_array(data[place:] + b"".join(blocks), name)
                yield records
                return
            end = end_of(data, place)
            if place == len(data) or (end < 0 and block):
                break
            if end < 0:  # the document is cut off
                end, depth = len(data), 0
            records.append(_in_a_line(data[place:end]))
            place = end
        data = data[place:]
        enough = 2 * len(data)
        if len(data) > LONGEST * limit:
            raise DataError(f"{name}: a record of more than {LONGEST * limit} bytes; is this JSON?")
        if records:
            yield records
    if depth > 0:
        yield [b"["]


def array_in(data: bytes) -> int | None:
    """Return the place of the first object in the first array of objects; None if there is none."""
    for end, change in _brackets(data, 0):
        after = data[end : end + _BLANK_BYTES].lstrip()
        if change > 0 and data[end - 1 : end] == b"[" and after.startswith(b"{"):
            return end
    return None


def _refuse_array(rest: bytes, name: str) -> None:
    if array_in(rest) is not None:
        raise DataError(f"{name}: several arrays of objects; write one to a file: jq .NAME FILE > NEW.json")


def end_of(data: bytes, start: int) -> int:
    """Return the end of the value at `start`; -1 if its end is not in the data."""
    if not data.startswith(b"{", start):
        scalar = _SCALAR.match(data, start)
        return scalar.end() if scalar else -1
    depth = 0
    for end, change in _brackets(data, start):
        depth += change
        if not depth:
            return end
    return -1


def _brackets(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the end of each bracket outside of strings, and 1 or -1 for the change of the depth."""
    for found in takewhile(itemgetter(1), _BRACKET.finditer(data, start)):
        yield found.end(), 1 if found[1] in b"{[" else -1


def _in_a_line(record: bytes) -> bytes:
    is_line = b"\n" not in record
    return (record if is_line else _BLANKS.sub(lambda found: found[1] or b" ", record)) + b"\n"


def parse(line: bytes) -> Any:
    """Parse JSON, in which NaN and infinity, as Python writes them, are null."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        with_null = _CONSTANTS.sub(lambda found: found[1] or b"null", line)
        if with_null == line:
            raise
        return orjson.loads(with_null)


def text_of(record: dict[str, Any], table: TextTable) -> Any:
    """Return the text of a record; of several columns, the first value that is no string."""
    if len(table.texts) == 1:
        return _value(record, table.texts[0])
    parts = [_value(record, name) for name in table.texts]
    others = [part for part in parts if part is not None and type(part) is not str]
    return others[0] if others else join_texts(parts, table.options.nulls)


def text_names(names: Sequence[str]) -> str:
    return " or ".join(f"{name!r:.200}" for name in names or ["text"])


def _value(record: dict[str, Any], name: str) -> Any:
    """Return the value of a key, else that of a dotted path; None if there is neither."""
    if name in record:
        return record[name]
    value: Any = record
    for key in name.split("."):
        value = value.get(key) if type(value) is dict else None
    return value


def no_string(value: Any) -> str:
    return f"is {_KINDS.get(type(value), 'a number')}, not a string"


def _parse_exactly(line: bytes, constant: Callable[[str], Any]) -> dict[str, Any] | str:
    """Return a record with the digits of its numbers, which an int or float could change.

    :param constant: returns the value of NaN or infinity, which JSON lacks.
    :returns: a message if it cannot be written anew.
    """
    try:
        record: dict[str, Any] = json.loads(line.decode(), **_EXACTLY, parse_constant=constant)
        if line.count(b"[") + line.count(b"{") > _DEEP:
            orjson.dumps(record)
    except ValueError as error:
        return str(error)
    except (RecursionError, orjson.JSONEncodeError):  # which one depends on the version of Python
        return "a value is nested too deeply"
    return record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


_EXACTLY: Any = {"parse_int": orjson.Fragment, "parse_float": orjson.Fragment, "object_pairs_hook": _unique}


def _cell(value: Any) -> str | None:
    """Return a value as text."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


class Writer(registry.Writer):
    """Inserts the new fields before a record's closing brace; writes values of another format as objects.

    The records of a JSON output are in an array, unless those of a JSON input are one per line.
    """

    def __init__(self, table: Table, write: WriteOptions, *others: Any) -> None:
        super().__init__(table, write, *others)
        self._fields = [b",%b:" % to_json(name) for name in self.names]
        self._new = {name.lower() for name in self.names}
        is_by_lines = table.format == "json" and isinstance(table, JsonTable) and not table.is_array
        is_array = write.format == "json" and not (is_by_lines and not table.is_empty)
        self._before = b"[\n" if is_array else b""  # the next record
        self._last_line = LastLine(UTF_8, universal=False)

    def misfits(self, chunk: Chunk) -> dict[int, str]:
        if not isinstance(chunk, JsonChunk) or self.converts:
            return super().misfits(chunk)
        records = enumerate(chunk.exact if self.table.options.is_partial else ())
        bad = {row: record for row, record in records if isinstance(record, str)}
        for row, record in enumerate(chunk.rows):
            if not self._new.isdisjoint(map(str.lower, record)):
                name = find_taken(filter(self.table.options.keeps, record), self.names)
                if name is not None:
                    hint = _room_for(name, chunk.table.name)
                    bad.setdefault(row, f"there is a {name!r:.200} already; try {hint}")
        return bad

    def begin(self) -> bytes:
        return b"" if self.converts or self._before else UTF_8.byte_order_mark(self.table.lead)

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        raws, gaps = self._records(chunk), () if self.converts else chunk.gaps
        # A record with a text is not empty, so a comma always precedes the new fields.
        parts = [raw.rpartition(b"}") for raw in raws]
        heads, ends = [head for head, _, _ in parts], [brace + end for _, brace, end in parts]
        data = chunk.join(heads, *map(_fields, self.results, self._fields, results), ends, gaps=gaps)
        if not self._before:
            return self._last_line.then(data)
        lines = [line for line in data.split(b"\n") if line.strip()]
        if not lines:
            return b""
        data, self._before = self._before + b",\n".join(lines), b",\n"
        return data

    def _records(self, chunk: Chunk) -> Sequence[bytes]:
        names, keeps = self.table.kept_columns, self.table.options.keeps
        if self.converts:
            return [to_json(dict(zip(names, row, strict=True))) + b"\n" for row in chunk.values]
        if not (self.table.options.is_partial and isinstance(chunk, JsonChunk)):
            return chunk.raw
        records = [record for record in chunk.exact if isinstance(record, dict)]  # all: others are misfits
        kept = ({key: record[key] for key in filter(keeps, record)} for record in records)
        return [orjson.dumps(record or {names[0]: None}) + b"\n" for record in kept]

    def close(self, summary: Sheet = ()) -> bytes:
        return {b"": b"", b"[\n": b"[]\n", b",\n": b"\n]\n"}[self._before]


def _room_for(name: str, where: str) -> str:
    """Return the option that makes room for a key with the name of a folder or of a new column."""
    folder = re.search(f"(?:^|/)({re.escape(name)})=", where, re.IGNORECASE)
    return f"--drop {shlex.quote(folder[1])}" if folder else "--prefix new_"


def _fields(column: ResultColumn, name: bytes, values: Sequence[Any]) -> list[bytes]:
    if column.is_number:
        return six_decimals(values, name, b"null")
    if column.items:
        return [name + (text or "null").encode() for text in values]
    return [*map(cache(lambda label: name + to_json(label)), values)]
