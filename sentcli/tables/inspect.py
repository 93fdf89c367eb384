"""Decide what an input is, by its first bytes; the readers below decide nothing.

Each guess is made here: the format of standard input and `.txt` files, the encoding, the delimiter of CSV
and its header (by `csv_header`), an array of JSON or objects by lines, the columns, and which of them hold
the texts. The notes of a `Table` report the guesses to the user. Formats that describe themselves, as Parquet
does, have an `inspect` of their own.

The first thousand rows decide, or the first MiB. A pipe is read only as far as the decision needs. The bytes
that decided are read again for the rows, see `Source.looking_ahead`.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from sentcli.config import NOTE
from sentcli.errors import DataError, UsageError, option
from sentcli.files.compression import compression_in
from sentcli.files.encodings import AUTO, WIDE, Encoding, detect_encoding
from sentcli.files.source import Source
from sentcli.tables.line_reader import PAUSE, Text, awaited, first_bytes, other_encoding
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import FORMATS, get_format, instead_of
from sentcli.tables.signatures import SIGNATURE_BYTES, signature_of
from sentcli.tables.sniff import MAY_BEGIN_TABLE, NO_TABLE, SAMPLE_BYTES, SAMPLE_RECORDS, Guess, sniff
from sentcli.tables.table import Content, Note, Request, Table

# The bytes that show the encoding of a file, and of a stream, where they are held in memory.
_AUTO_BYTES, _AUTO_AHEAD = 8 << 20, 1 << 20
_MOMENT = 0.02  # seconds: an answer is not delayed for more


def inspect(source: Source, request: Request) -> Table:
    """Decide what an input is, without consuming it."""
    known = get_format(request.format)
    if known.module == "csv":  # the other formats start without this module
        from sentcli.tables.csv_header import inspect_csv

        return inspect_csv(_text_of(source, request), request)
    if known.module == "jsonl":
        from sentcli.tables.json_header import inspect_json

        return inspect_json(_text_of(source, request), request)
    if known.module == "lines":
        return _inspect_lines(_text_of(source, request), request)
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
        raise DataError(f"{source.name}: neither a text nor a format known by its first bytes; {hint}")
    return (sniff(data, options) or Guess(options, (), NO_TABLE)) if data else None


def notes_of(guess: Guess, name: str, *, is_refused: bool) -> tuple[Note, ...]:
    """Return the notes about the guess of a format."""
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
            start = first_bytes(source, SIGNATURE_BYTES, check)
        if not (compression := compression_in(start)):
            return start
        source.decompress(compression)


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
    if name in (None, AUTO) and get_format(request.format).module != "jsonl":
        name, notes = _detect(source, request)
    encoding = Encoding.named(name, start)
    return Text(source, encoding, encoding.byte_order_mark(start), notes, not start)


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
    """Yield the blocks that show the encoding, of a live input those that have arrived."""
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
