"""Decide on the columns of JSON and of JSON Lines, by the first records, and where the records are."""

import logging
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import orjson

from sentcli.errors import DataError, option
from sentcli.files.compression import split_member
from sentcli.files.encodings import marked_encoding
from sentcli.files.source import Source
from sentcli.tables import jsonl
from sentcli.tables.jsonl import JsonTable, parse
from sentcli.tables.line_reader import awaited, first_bytes, physical_lines
from sentcli.tables.table import Table, TextTable, list_columns
from sentcli.tables.text_column import SAMPLE_SIZE, Choice, Sample, is_usual, samples

_DOCUMENT_START = 64
# The start of an array, or of an object on many lines.
_DOCUMENT = re.compile(rb'\s*(\[\s*(\{|\n|$)|\{\s*\n\s*")')
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # a key that jq takes without quotes
_TRANSPOSED = "[(first(.[]) | keys_unsorted[]) as $key | map_values(.[$key])]"  # of columns, as pandas writes
_MOST_WORDS = 2  # of a value that is no text
_LONGEST_PATH = 200  # characters before the last key; deeper values are not looked at


def open_table(source: Source, text: TextTable, like: Table | None) -> JsonTable:
    """Find the records and decide on their columns; see `tables.open.open_table`."""
    if not _is_document(source, text):
        return _JsonStart(source, text, like, is_array=False).table()
    return _JsonStart(source, _inside(source, text) or text, like, is_array=True).table()


class _JsonStart:
    """The first records of JSON."""

    def __init__(self, source: Source, text: TextTable, like: Table | None, *, is_array: bool) -> None:
        self._source = source
        self._text = text
        self._like = like
        self._is_array = is_array
        self._records: list[dict[str, Any]] = []
        self._columns: defaultdict[str, list[Any]] = defaultdict(list)  # their values, see `_flatten`

    def table(self) -> JsonTable:
        """Return the table."""
        choice, records, text = self._read(), self._records, self._text
        if not (choice or self._is_array) and len(records) == 1 and (inner := _inside(self._source, text)):
            return _JsonStart(self._source, inner, self._like, is_array=True).table()
        page = b"" if choice else self._empty_page()
        choice = (None if page else choice or self._choose(is_all=True)) or Choice(())
        with_text = (record for record in records if not _flatten(record).keys().isdisjoint(choice.places))
        first: dict[str, Any] = next(with_text, {})
        return JsonTable(
            text.name,
            text.options,
            tuple(first),
            places=choice.places,
            lead=page or text.lead,
            is_empty=not choice.places,
            notes=(*text.notes, *choice.notes),
            is_array=self._is_array,
            keys=tuple(self._columns),
        )

    def _read(self) -> Choice | None:
        """Read records until they decide on the columns of the texts, or are enough."""
        size, source, text = 0, self._source, self._text
        with source.looking_ahead(len(text.lead)):
            records = jsonl.split_records(awaited(source), text) if self._is_array else None
            for lines in records or filter(None, physical_lines(source, text)):
                for line in lines:
                    self._add(_objects(line, text))
                    width = len(self._records[0]) if self._records else 0
                    size += len(line) if width else 0
                    if is_full := samples(len(self._records), size, width) >= 1:
                        break
                if choice := self._choose(is_all=is_full):
                    return choice
        return None

    def _add(self, records: list[dict[str, Any]]) -> None:
        self._records += records
        for key, value in chain.from_iterable(_flatten(record).items() for record in records):
            self._columns[key].append(value)

    def _choose(self, *, is_all: bool) -> Choice | None:
        """Choose the columns of the texts; None if the records do not decide, or none has a text."""
        records = self._records
        if not records:
            return None
        if self._like:
            choice = Choice(self._like.places)
        else:
            sample = self._sample({key: [value] for key, value in _flatten(records[0]).items()})
            if not sample.is_decided():
                if is_all and len(records) == 1 and not _has_usual_text(records[0]):
                    _refuse_envelope(records[0], self._source)
                sample = self._sample(self._columns)
                if not (is_all or sample.is_decided()):
                    return None
            choice = sample.choose()
            choice = choice._replace(places=tuple(sample.columns[place] for place in choice.places))
        if not self._columns.keys().isdisjoint(choice.places):
            return choice
        if not is_all:
            return None
        hint = f"{list_columns([*records[0]])}; try another {option('text_column')}"
        raise DataError(f"{self._text.name}: no column {jsonl.text_names(choice.places)}; {hint}")

    def _empty_page(self) -> bytes:
        """Return an input that is a page without records, as the last one of a service is; else empty bytes.

        It is one object with empty lists and no text.
        """
        lists = [value for values in self._columns.values() for value in values if type(value) is list]
        if len(self._records) != 1 or not lists or any(lists):
            return b""
        flat = _flatten(self._records[0])
        words = (len(value.split()) for value in flat.values() if type(value) is str)
        if _has_usual_text(flat) or max(words, default=0) > _MOST_WORDS:
            return b""
        with self._source.looking_ahead(len(self._text.lead)):
            data = first_bytes(self._source, SAMPLE_SIZE, is_line=False)
        is_page = len(data) < SAMPLE_SIZE and _objects(data, self._text) == self._records
        return self._text.lead + data if is_page else b""

    def _sample(self, columns: Mapping[str, list[Any]]) -> Sample:
        wanted = self._text.options.text_column
        unfit = {
            key: jsonl.no_string(values[0])
            for key, values in columns.items()
            if wanted is None and jsonl.TEXTS.isdisjoint(map(type, values))
        }
        return Sample([*columns], unfit, wanted, self._text.name, [*columns.values()])


def _is_document(source: Source, text: TextTable) -> bool:
    """Return whether the records are those of an array, or take several lines each."""
    with source.looking_ahead(len(text.lead)):
        data = first_bytes(source, _DOCUMENT_START)
        if marked := marked_encoding(data):
            command = _command(source, f"iconv -f {marked} -t utf-8", "jsonl")
            raise DataError(f"{source.name}: begins with the byte order mark of {marked}; try: {command}")
        if text.format != "json" and not _DOCUMENT.match(data[:_DOCUMENT_START]):
            return False
        for block in chain([b""], awaited(source)):
            data = (data + block).lstrip()
            if data and (b"\n" in data or data[:1] != b"{" or len(data) > text.options.max_row_bytes):
                break
    line = data.partition(b"\n")[0].rstrip()
    return data.startswith(b"[") or (line.startswith(b"{") and not line.endswith(b"}"))


def _inside(source: Source, text: TextTable) -> TextTable | None:
    """Return a text whose lead ends before the first record in the array of an object; None for a record."""
    with source.looking_ahead(len(text.lead)):
        data = first_bytes(source, SAMPLE_SIZE, is_line=False)
    body = data.lstrip()
    if not body.startswith(b"{"):
        return None
    if (end := jsonl.end_of(body, 0)) >= 0:
        record = next(iter(_objects(body[:end], text)), {})
        arrays = [rows for rows in _lists(record).values() if rows and type(rows[0]) is dict]
        if body[end:].strip() or len(arrays) != 1 or _has_usual_text(record):
            return None
    if (place := jsonl.array_in(data)) is None:
        return None
    note = f"{text.name}: the rows are those of one array; what is around it is left out"
    return replace(text, lead=text.lead + data[:place], notes=(*text.notes, (logging.INFO, note)))


def _objects(line: bytes, text: TextTable) -> list[dict[str, Any]]:
    """Return the object of a line, if it is one and has a key."""
    with suppress(orjson.JSONDecodeError):
        record = parse(line if len(line) <= text.options.max_row_bytes else b"")
        return [record] if type(record) is dict and record else []
    return []


def _lists(record: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the lists in an object, by their dotted paths."""
    return {path: value for path, value in _flatten(record).items() if type(value) is list}


def _has_usual_text(record: dict[str, Any]) -> bool:
    usual = (value for key, value in record.items() if is_usual(key.rpartition(".")[2]))
    return any(value is None or type(value) is str for value in usual)


def _refuse_envelope(record: dict[str, Any], source: Source) -> None:
    """Refuse an object without a usual text whose parts are the records; propose to extract these."""
    lists = {path: len(rows) for path, rows in _lists(record).items() if rows and type(rows[0]) is dict}
    parts = [*record.values()]
    if lists:
        keys = max(lists, key=lists.__getitem__).split(".")
        path = "".join(f".{key if _PLAIN_KEY.fullmatch(key) else orjson.dumps(key).decode()}" for key in keys)
    elif len(parts) > 1 and all(type(part) is dict and part for part in parts):
        path = _TRANSPOSED if all(map(str.isdecimal, parts[0])) else "[.[]]"
    else:
        return
    command = _command(source, f"jq {shlex.quote(path)}", "json")
    other = f"if it is a record itself, add {option('text_column', 'NAME')}; if not, try: {command}"
    raise DataError(f"{source.name}: the file is one object, not records: {other}")


def _flatten(record: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a record's keys, and after them those of the dotted paths of nested objects."""
    flat, inner = dict(record), [(f"{key}.", value) for key, value in record.items() if type(value) is dict]
    for before, values in inner:  # grows in the loop
        for key, value in values.items():
            flat.setdefault(before + key, value)
            if type(value) is dict and len(before) < _LONGEST_PATH:
                inner.append((f"{before}{key}.", value))
    return flat


def _command(source: Source, program: str, form: str) -> str:
    """Return a command that scores what another program makes of an input."""
    steps = [program, f"sentcli score --input-format {form} -o OUT.{form}"]
    if source.compression:
        steps.insert(0, {".gz": "gzip -dc", ".zst": "zstd -dc"}[source.compression])
    if member := split_member(source.name):
        steps.insert(0, shlex.join(("unzip", "-p", *member)))
    elif not source.is_stream:
        steps[0] += f" < {shlex.quote(source.name)}"
    return " | ".join(steps)
