"""Decide on the columns of JSON and of JSON Lines, by the first records, and where the records are."""

import logging
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import orjson

from sentcli.errors import DataError, option
from sentcli.files.archive import split_member
from sentcli.files.encodings import marked_encoding
from sentcli.files.source import Source
from sentcli.tables.columns import check_key_count, check_room, list_columns
from sentcli.tables.json_records import array_in, end_of, split_records
from sentcli.tables.jsonl import ARRAY, INSIDE, MISSING, no_string, parse, text_names, text_of
from sentcli.tables.line_reader import Text, awaited, first_bytes
from sentcli.tables.table import Content, Note, Request, Table
from sentcli.tables.text_column import (
    SAMPLE_ROWS,
    SAMPLE_SIZE,
    find_columns,
    find_texts,
    is_decided,
    is_usual,
)

_DOCUMENT_START = 64
# The start of an array, or of an object on many lines.
_DOCUMENT = re.compile(rb'\s*(\[\s*(\{|\n|$)|\{\s*\n\s*")')
_AHEAD_LINES, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream, to read for the columns before the first row
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # a key that jq takes without quotes
_TRANSPOSED = "[(first(.[]) | keys_unsorted[]) as $key | map_values(.[$key])]"  # of columns, as pandas writes
_MOST_WORDS = 2  # of a value that is no text
_LONGEST_PATH = 200  # characters before the last key; deeper values are not looked at


def inspect_json(text: Text, request: Request) -> Table:
    """Find the records and decide on their columns; see `inspect.inspect`."""
    style = ARRAY if _is_document(text, request) else None
    if style and (lead := _envelope(text, request)):
        return _inspect_records(replace(text, mark=lead), request, INSIDE)
    return _inspect_records(text, request, style)


def _inspect_records(text: Text, request: Request, style: str | None) -> Table:
    records: list[dict[str, Any]] = []
    size, found = 0, None
    with text.looking_ahead():
        for lines in _json_lines(text, request, style):
            for line in lines:
                records += _objects(line, request)
                size += len(line) if records else 0
                if is_full := len(records) == SAMPLE_ROWS or size >= SAMPLE_SIZE:
                    break
            if found := _json_start(records, text.source, request, is_all=is_full):
                break
    if not (found or style) and len(records) == 1 and (lead := _envelope(text, request)):
        return _inspect_records(replace(text, mark=lead), request, INSIDE)
    page = b"" if found else _empty_page(text, request, records)
    if not page:
        found = found or _json_start(records, text.source, request, is_all=True)
    texts, columns, notes = found or ((), (), ())
    named = request.options.sides
    keys = [*dict.fromkeys(key for record in records for key in _flat(record))] if named else []
    sides = find_columns(keys, named if found else {}, text.source.name)
    keep = request.options.keep if text.source.is_stream else None
    if columns and (request.content is Content.VALUES or request.options.is_partial):
        columns = request.columns or keep or _keys(text, request, style)
        check_room([*filter(request.options.keeps, columns)], request.taken, text.source.name)
        if text.source.is_stream and not (request.columns or keep):
            said = f"the first {_AHEAD_LINES} lines give the columns; or name them: {option('keep')}"
            notes = (*notes, (logging.INFO, f"{text.source.name}: {said}"))
    left_out = f"{text.source.name}: the rows are those of one array; what is around it is left out"
    return request.table(
        text.source.name,
        columns,
        texts=texts,
        sides=tuple(keys[place] for place in sides),
        lead=page or text.mark,
        style=style,
        is_empty=not columns,
        notes=(*text.notes, *notes, *([(logging.INFO, left_out)] if style == INSIDE else [])),
    )


def _is_document(text: Text, request: Request) -> bool:
    """Return whether the records are those of an array, or take several lines each."""
    with text.looking_ahead():
        data = first_bytes(text.source, _DOCUMENT_START, request.check)
        _refuse_wide(text.source, data)
        if request.format != "json" and not _DOCUMENT.match(data[:_DOCUMENT_START]):
            return False
        for block in chain([b""], awaited(text.source, request.check)):
            data = (data + block).lstrip()
            if data and (b"\n" in data or data[:1] != b"{" or len(data) > request.options.max_row_bytes):
                break
    line = data.partition(b"\n")[0].rstrip()
    return data.startswith(b"[") or (line.startswith(b"{") and not line.endswith(b"}"))


def _envelope(text: Text, request: Request) -> bytes:
    """Return the bytes before the first record of the one array in an object that is no record itself."""
    data = _beginning(text, request)
    body = data.lstrip()
    end = end_of(body, 0) if body.startswith(b"{") else -1
    if not body.startswith(b"{") or (end >= 0 and body[end:].strip()):
        return b""
    if end >= 0:
        record = next(iter(_objects(body[:end], request)), {})
        arrays = [rows for _, rows in _lists(record) if rows and type(rows[0]) is dict]
        if len(arrays) != 1 or _has_usual_text(record):
            return b""
    place = array_in(data)
    return b"" if place is None else text.mark + data[:place]


def _beginning(text: Text, request: Request) -> bytes:
    """Return the bytes after the byte order mark, up to the size of a sample."""
    data = b""
    with text.looking_ahead():
        for block in awaited(text.source, request.check):
            data += block
            if len(data) >= SAMPLE_SIZE:
                break
    return data


def _json_lines(text: Text, request: Request, style: str | None) -> Iterator[list[bytes]]:
    if style is None:
        return text.lines(request)
    blocks, limit = awaited(text.source, request.check), request.options.max_row_bytes
    return split_records(blocks, limit, text.source.name, is_inside=style == INSIDE)


def _objects(line: bytes, request: Request) -> list[dict[str, Any]]:
    """Return the object of a line, if it is one and has a key."""
    with suppress(orjson.JSONDecodeError):
        record = parse(line if len(line) <= request.options.max_row_bytes else b"")
        return [record] if type(record) is dict and record else []
    return []


def _json_start(
    records: list[dict[str, Any]], source: Source, request: Request, *, is_all: bool
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Note, ...]] | None:
    """Return the columns of the texts, the keys of the first record with a text, and notes.

    :returns: None if the records do not decide.
    """
    if not records:
        return None
    name = source.name
    found = (request.first and (request.first.texts, ())) or _json_texts(
        records[:1], name, request, is_all=False
    )
    if not found and is_all and len(records) == 1 and not _has_usual_text(records[0]):
        _refuse_envelope(records[0], source)
    found = found or _json_texts(records, name, request, is_all=is_all)
    if not found:
        return None
    texts, notes = found
    for record in records:
        check_room([*filter(request.options.keeps, record)], request.taken, name)
        if text_of(record, texts) is not MISSING:
            return texts, tuple(record), notes
    if not is_all:
        return None
    hint = f"{list_columns([*records[0]])}; try another {option('text_column')}"
    raise DataError(f"{name}: no column {text_names(texts)}; {hint}")


def _lists(record: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists in an object, each with its path in the language of jq."""
    for key, value in record.items():
        place = f"{path}.{key if _PLAIN_KEY.fullmatch(key) else orjson.dumps(key).decode()}"
        if type(value) is dict and len(place) < _LONGEST_PATH:
            yield from _lists(value, place)
        elif type(value) is list:
            yield place, value


def _empty_page(text: Text, request: Request, records: list[dict[str, Any]]) -> bytes:
    """Return an input that is a page without records, as the last one of a service is; else empty bytes."""
    if len(records) != 1 or not _is_empty(records[0]):
        return b""
    data = _beginning(text, request)
    is_page = len(data) < SAMPLE_SIZE and _objects(data, request) == records
    return text.mark + data if is_page else b""


def _is_empty(record: dict[str, Any]) -> bool:
    """Return whether an object has empty lists and no text."""
    lists = [rows for _, rows in _lists(record)]
    flat = _flat(record)
    texts = (value for value in flat.values() if type(value) is str)
    has_text = _has_usual_text(flat) or any(len(text.split()) > _MOST_WORDS for text in texts)
    return bool(lists) and not any(lists) and not has_text


def _has_usual_text(record: dict[str, Any]) -> bool:
    usual = (value for key, value in record.items() if is_usual(key.rpartition(".")[2]))
    return any(value is None or type(value) is str for value in usual)


def _refuse_envelope(record: dict[str, Any], source: Source) -> None:
    """Refuse an object without a usual text whose parts are the records; propose to extract these."""
    lists = {path: len(rows) for path, rows in _lists(record) if rows and type(rows[0]) is dict}
    parts = [*record.values()]
    if lists:
        path = max(lists, key=lists.__getitem__)
    elif len(parts) > 1 and all(type(part) is dict and part for part in parts):
        path = _TRANSPOSED if all(map(str.isdecimal, parts[0])) else "[.[]]"
    else:
        return
    command = _command(source, f"jq {shlex.quote(path)}", "json")
    other = f"if it is a record itself, add {option('text_column', 'NAME')}; if not, try: {command}"
    raise DataError(f"{source.name}: one object that holds the records: {other}")


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
    for before, values in inner:  # grows in the loop
        for key, value in values.items():
            flat.setdefault(before + key, value)
            if type(value) is dict and len(before) < _LONGEST_PATH:
                inner.append((f"{before}{key}.", value))
    return flat


def _keys(text: Text, request: Request, style: str | None) -> tuple[str, ...]:
    """Return the keys of all records of a file, or of the first records of a stream, in order.

    Their values decide on the types of the columns.
    """
    keys: dict[str, None] = {}
    count = size = 0
    with text.looking_ahead():
        for lines in _json_lines(text, request, style):
            request.check()
            records: list[dict[str, Any]] = []
            for line in lines:
                if text.source.is_stream and (count >= _AHEAD_LINES or size >= _AHEAD_BYTES):
                    return tuple(keys)
                for record in _objects(line, request):
                    keys |= dict.fromkeys(record)
                    records.append(record)
                count += 1
                size += len(line)
            check_key_count(keys, text.source.name)
            if request.types:
                request.types.add(records)
    return tuple(keys)


def _refuse_wide(source: Source, start: bytes) -> None:
    """Refuse JSON that is not UTF-8."""
    if marked := marked_encoding(start):
        command = _command(source, f"iconv -f {marked} -t utf-8", "jsonl")
        raise DataError(f"{source.name}: begins with the byte order mark of {marked}; try: {command}")


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
