"""Open an input: decide what it is, by its first bytes; the readers below decide nothing.

Each guess is made here: the format of standard input and `.txt` files (by `sniff`), the encoding, the
delimiter of CSV and its header (by `csv_header`), an array of JSON or objects by lines (by `json_header`),
the columns, and which of them hold the texts. The notes of a `Table` report the guesses to the user.

The first thousand rows decide, or the first MiB. A pipe is read only as far as the decision needs. The bytes
that decided are read again for the rows, see `Source.looking_ahead`.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.files.encodings import AUTO, Encoding, detect_encoding
from sentcli.files.source import Source, inspect_input
from sentcli.tables.chunk import Chunk, Cursor
from sentcli.tables.line_reader import awaited
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import format_of, get_format
from sentcli.tables.sniff import start_of
from sentcli.tables.table import Note, Table, TextTable, log_notes

# The bytes that show the encoding of a file, and of a stream, where they are held in memory.
_AUTO_BYTES, _AUTO_AHEAD = 8 << 20, 1 << 20
_MOMENT = 0.02  # seconds: an answer is not delayed for more


def open_table(source: Source, options: ReadOptions, like: Table | None = None) -> Table:
    """Decide what an input is, without consuming it.

    :param options: without a format, the suffix names it.
    :param like: the table of an earlier input of the same output, which decides on the text columns.
    :raises DataError: if the input is not of the format, does not fit `like`, or leaves a choice to the user.
    """
    if not options.format:
        options = replace(options, format=format_of(source.name, "input_format"))
    form = get_format(options.format or "")
    with _names_input(source):
        begin = _open_text(source, options, like) if form.opener else options
        return form.load(form.opener).open_table(source, begin, like)  # type: ignore[no-any-return]


def read(source: Source, table: Table, cursor: Cursor) -> Iterator[Chunk]:
    """Yield the rows of an input from its start."""
    with _names_input(source):
        yield from get_format(table.format).load().read(source, table, cursor)


@contextmanager
def _names_input(source: Source) -> Iterator[None]:
    """Raise a DataError with the name of the input for an error of a library."""
    try:
        yield
    except EOFError as error:
        raise DataError(f"{source.name}: damaged: it ends too early") from error
    except MemoryError as error:
        raise DataError(f"{source.name}: it needs more memory than there is") from error


def read_files(names: Sequence[str], options: ReadOptions) -> Iterator[tuple[Table, Chunk]]:
    """Yield the rows of files, one after the other, each chunk with the table of the first file."""
    cursor, first = Cursor(), None
    for name in names:
        with Source(inspect_input(name)) as source:
            table = open_table(source, options, first)
            log_notes(table.notes)
            first = first or (None if table.is_empty else table)
            cursor.open(source)
            for chunk in read(source, table, cursor):
                stop.check()
                if headers := chunk.headers:
                    chunk = chunk.take(range(headers, len(chunk.texts)), {}, cursor.recount(-headers, 0))
                yield first or table, chunk


def _open_text(source: Source, options: ReadOptions, like: Table | None) -> TextTable:
    """Decide on the encoding; refuse what is not a text."""
    start, binary = start_of(source)
    if binary:
        hint = f"add {option('input_format', binary)}"
        raise DataError(f"{source.name}: its first bytes are those of {binary}; {hint}")
    name = options.encoding
    notes: tuple[Note, ...] = ()
    if name in (None, AUTO) and get_format(options.format or "").module != "jsonl":
        name, notes = _detect(source, like)
    encoding = Encoding.named(name, start)
    mark = encoding.byte_order_mark(start)
    return TextTable(source.name, options, lead=mark, notes=notes, is_empty=not start, encoding=encoding)


def _detect(source: Source, like: Table | None) -> tuple[str, tuple[Note, ...]]:
    """Find the encoding by the bytes, and say which one it is if it is not UTF-8."""
    with source.looking_ahead():
        name, is_plain = detect_encoding(_sample(source))
    if not is_plain:
        hint = f"try {option('encoding', name)};" if name else f"which {option('encoding')} is it?"
        hint += f" {option('encoding', 'utf-8')} rejects the rows that are not UTF-8"
        raise DataError(f"{source.name}: neither UTF-8 nor plainly cp1252; {hint}")
    if name == "ascii":  # as the first input, where later bytes may be others
        return like.encoding.name if isinstance(like, TextTable) and like.encoding.is_plain else "utf-8", ()
    return name, () if name == "utf-8" else ((logging.WARNING, f"{source.name}: read as {name}"),)


def _sample(source: Source) -> Iterator[bytes]:
    """Yield the blocks that show the encoding, of a live input those that have arrived."""
    size, limit = 0, _AUTO_AHEAD if source.is_stream else _AUTO_BYTES
    for block in awaited(source):
        yield block
        size += len(block)
        if size >= limit or (source.live and not source.ready(_MOMENT)):
            return
