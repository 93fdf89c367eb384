"""Decide what an input is, by its first bytes; the readers below decide nothing.

Each guess is made here: the format of standard input and `.txt` files, the encoding, the delimiter of CSV
and its header (by `csv_header`), an array of JSON or objects by lines, the columns, and which of them hold
the texts. A user is told of a guess by the notes of a `Table`. Formats that say what they are, as Parquet
does, have an `inspect` of their own.

The first thousand rows decide, or the first MiB. A pipe is read only as far as the decision needs. The bytes
that decided are read again for the rows, see `Source.looking_ahead`.
"""

import logging
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import orjson

from sentcli.config import NOTE
from sentcli.errors import DataError, UsageError, option
from sentcli.files.archive import split_member
from sentcli.files.compression import compression_in
from sentcli.files.encodings import AUTO, WIDE, Encoding, detect_encoding, marked_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Cursor
from sentcli.tables.columns import check_room, list_columns
from sentcli.tables.json_records import array_in, end_of, split_records
from sentcli.tables.jsonl import ARRAY, INSIDE, MISSING, no_string, parse, text_names, text_of
from sentcli.tables.line_reader import PAUSE, Text, awaited, other_encoding
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import FORMATS, get_format, instead_of
from sentcli.tables.signatures import SIGNATURE_BYTES, signature_of
from sentcli.tables.sniff import (
    MAY_BEGIN_TABLE,
    NO_TABLE,
    SAMPLE_BYTES,
    SAMPLE_RECORDS,
    Guess,
    sniff,
)
from sentcli.tables.table import Content, Note, Request, Table
from sentcli.tables.text_column import (
    SAMPLE_ROWS,
    SAMPLE_SIZE,
    find_columns,
    find_texts,
    is_decided,
    is_usual,
)
from sentcli.tables.types import Types

# That show the encoding: of a file, and of a stream, which are held in memory.
_AUTO_BYTES, _AUTO_AHEAD = 8 << 20, 1 << 20
_MOMENT = 0.02  # seconds: an answer is not delayed for more
_DOCUMENT_START = 64
# The start of an array, or of an object on many lines.
_DOCUMENT = re.compile(rb'\s*(\[\s*(\{|\n|$)|\{\s*\n\s*")')
_AHEAD_LINES, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream, to read for the columns before the first row
_MOST_COLUMNS = 1000  # that the keys of JSON may become
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # that jq takes without quotes
_TRANSPOSED = "[(first(.[]) | keys_unsorted[]) as $key | map_values(.[$key])]"  # of columns, as pandas writes
_MOST_WORDS = 2  # of a value that is no text
_LONGEST_PATH = 200  # characters before the last key; deeper values are not looked at


def inspect(source: Source, request: Request) -> Table:
    """Decide what an input is, without consuming it."""
    known = get_format(request.format)
    if known.module in _TEXT_FORMATS:
        return _TEXT_FORMATS[known.module](_text_of(source, request), request)
    return known.load().inspect(source, request)  # type: ignore[no-any-return]


def guess_format(source: Source, options: ReadOptions, check: Callable[[], None]) -> Guess | None:
    """Return what a text without a format may be; None if it is empty.

    Waits for the first bytes; if they may begin a table in a pipe, a short time for more.
    """
    if binary := _binary_format(source, _start_of(source, check)):
        return Guess(replace(options, format=binary), (), 0)
    with source.looking_ahead():
        data = more = source.read()
        while more and source.live and len(data) < SAMPLE_BYTES and data.count(b"\n") <= SAMPLE_RECORDS:
            if not (MAY_BEGIN_TABLE.match(data) and source.ready(PAUSE)):
                break
            more = source.read()
            data += more
    if options.encoding in (None, AUTO) and b"\0" in data and detect_encoding([data]) not in WIDE:
        hint = f"if it is lines of text, add {option('input_format', 'lines')}"
        raise DataError(f"{source.name}: not a text, and no format that is known by its first bytes; {hint}")
    return (sniff(data, options) or Guess(options, (), NO_TABLE)) if data else None


def notes_of(guess: Guess, name: str, *, is_refused: bool) -> tuple[Note, ...]:
    """Return what a user is told of the guess of a format."""
    if guess.doubt == NO_TABLE:
        return ()
    if guess.is_table:
        hint = f"; if it is lines of text, add {option('input_format', 'lines')}" if guess.doubt else ""
        level = NOTE if guess.doubt else logging.WARNING
        return ((level, f"{name} looks like {guess}: read as such{hint}"),)
    hint = f"{name} may be {guess}: if it is, add {guess.flags}"
    if is_refused:
        raise UsageError(f"{hint}; if each line is a text, add {option('input_format', 'lines')}")
    return ((logging.WARNING, f"{hint}; it is read as one review per line"),)


def _start_of(source: Source, check: Callable[[], None]) -> bytes:
    """Return the first bytes of an input, which is decompressed from now on if they are compressed."""
    while True:
        with source.looking_ahead():
            start = _first_bytes(source, SIGNATURE_BYTES, check)
        if not (compression := compression_in(start)):
            return start
        source.decompress(compression)


def _first_bytes(source: Source, size: int, check: Callable[[], None]) -> bytes:
    """Return the first bytes; fewer if they hold a line, because a live input may wait for an answer."""
    data = b""
    for block in awaited(source, check):
        data += block
        if len(data) >= size or b"\n" in data:
            break
    return data


def _binary_format(source: Source, start: bytes) -> str:
    """Return the binary format of an input, empty for a text; raise a DataError if it is not read."""
    found = signature_of(start)
    if not found or found in FORMATS:
        return found
    hint = f"give it a name that ends in {found}"
    if source.is_stream:
        hint = instead_of(found, f"FILE{found}")
    raise DataError(f"{source.name}: its first bytes are those of {found}; {hint}")


def _text_of(source: Source, request: Request) -> Text:
    """Decide on the encoding; refuse what is not a text."""
    start = _start_of(source, request.check)
    if binary := _binary_format(source, start):
        hint = f"add {option('input_format', binary)}"
        raise DataError(f"{source.name}: its first bytes are those of {binary}; {hint}")
    name = request.options.encoding
    notes: tuple[Note, ...] = ()
    if get_format(request.format).module == "jsonl":
        _refuse_wide(source, start)
    elif name in (None, AUTO):
        name, notes = _detect(source, request)
    encoding = Encoding.named(name, start)
    return Text(source, encoding, encoding.byte_order_mark(start), notes, not start)


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


def _detect(source: Source, request: Request) -> tuple[str, tuple[Note, ...]]:
    """Find the encoding by the bytes, and say which one it is if it is not UTF-8."""
    with source.looking_ahead():
        name = detect_encoding(_sample(source, request))
    if name is None:
        named, utf_8 = option("encoding"), option("encoding", "utf-8")
        raise DataError(
            f"{source.name}: neither UTF-8 nor plainly cp1252; which {named} is it? "
            f"{utf_8} rejects the rows that are not UTF-8"
        )
    if name == "ascii":  # as the first input, where later bytes may be others
        style = request.first and request.first.style
        first = getattr(style, "encoding", style)
        return first.name if first and first.is_plain else "utf-8", ()
    return name, () if name == "utf-8" else ((logging.WARNING, f"{source.name}: read as {name}"),)


def _sample(source: Source, request: Request) -> Iterator[bytes]:
    """Yield the blocks that show the encoding, of a live input those that are there."""
    size, most = 0, _AUTO_AHEAD if source.is_stream else _AUTO_BYTES
    for block in awaited(source, request.check):
        yield block
        size += len(block)
        if size >= most or (source.live and not source.ready(_MOMENT)):
            return


def _inspect_lines(text: Text, request: Request) -> Table:
    source, first = text.source, request.first
    is_same = first is None or first.style == text.encoding
    if not (is_same or text.is_empty or request.content is not Content.RECORDS):
        raise other_encoding(source.name, text.encoding, first.style)  # type: ignore[union-attr]
    return request.table(
        source.name,
        columns=("text",),
        texts=("text",),
        lead=text.mark,
        style=text.encoding,
        is_empty=text.is_empty,
        notes=text.notes,
    )


def _inspect_json(text: Text, request: Request) -> Table:
    style = ARRAY if _is_document(text, request) else None
    lead = _envelope(text, request) if style else b""
    return (
        _inspect_records(replace(text, mark=lead), request, INSIDE)
        if lead
        else _inspect_records(text, request, style)
    )


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
    keys = [*dict.fromkeys(key for record in records for key in _flat(record))] if request.options.by else []
    sides = find_columns(keys, request.options.by if found else (), "by", text.source.name)
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
    """Return whether the records are those of an array, or stand on several lines each."""
    with text.looking_ahead():
        data = _first_bytes(text.source, _DOCUMENT_START, request.check)
        if request.format != "json" and not _DOCUMENT.match(data[:_DOCUMENT_START]):
            return False
        for block in chain([b""], awaited(text.source, request.check)):
            data = (data + block).lstrip()
            if data and (b"\n" in data or data[:1] != b"{" or len(data) > request.options.max_row_bytes):
                break
    line = data.partition(b"\n")[0].rstrip()
    return data.startswith(b"[") or (line.startswith(b"{") and not line.endswith(b"}"))


def _envelope(text: Text, request: Request) -> bytes:
    """Return the bytes before the first record of the one array in an object, if that is no record itself."""
    data = b""
    with text.looking_ahead():
        for block in awaited(text.source, request.check):
            data += block
            if len(data) >= SAMPLE_SIZE:
                break
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
    data = b""
    with text.source.looking_ahead():
        for block in awaited(text.source, request.check):
            data += block
            if len(data) > SAMPLE_SIZE:
                return b""
    return data if _objects(data.removeprefix(text.mark), request) == records else b""


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
    for before, values in inner:  # grows
        for key, value in values.items():
            flat.setdefault(before + key, value)
            if type(value) is dict and len(before) < _LONGEST_PATH:
                inner.append((f"{before}{key}.", value))
    return flat


def _keys(text: Text, request: Request, style: str | None) -> tuple[str, ...]:
    """Return the keys of all records of a file, or of the first records of a stream, as they appear.

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
            _check_count(keys, text.source.name)
            if request.types:
                request.types.add(records)
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


def _inspect_csv(text: Text, request: Request) -> Table:
    from sentcli.tables.csv_header import inspect_csv  # the other formats start without it

    table = inspect_csv(text, request)
    if request.types and not table.is_empty:
        _add_types(text.source, table, request, request.types)
    return table


def _add_types(source: Source, table: Table, request: Request, types: Types) -> None:
    """Read the values of all rows, until no column can have a type."""
    cursor = Cursor(request.options.limit)
    with source.looking_ahead():
        cursor.open(source)
        for chunk in get_format(request.format).reader()(source, table, cursor, Content.VALUES):
            request.check()
            columns = zip(*(chunk.rows or [[""] * len(table.kept)]), strict=True)
            may_have = types.add_texts(dict(zip(table.kept_columns, columns, strict=True)))
            if not (may_have and cursor.rows_left):
                break


_TEXT_FORMATS: dict[str, Callable[[Text, Request], Table]] = {
    "csv": _inspect_csv,
    "jsonl": _inspect_json,
    "lines": _inspect_lines,
}
