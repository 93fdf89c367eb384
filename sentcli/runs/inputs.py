"""The inputs of one output: check that they fit together, and read their chunks in order."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sentcli.errors import OutputError, UsageError
from sentcli.files.compression import WRITABLE, compression_of
from sentcli.files.source import STANDARD, InputFile, Source
from sentcli.scoring import stop
from sentcli.tables.chunk import Chunk, Cursor, Head, Position, log_notes
from sentcli.tables.jsonl import read_keys
from sentcli.tables.line_reader import PAUSE
from sentcli.tables.options import ReadOptions, Setup, WriteOptions
from sentcli.tables.registry import check_options, format_of, get_format, suffix_of
from sentcli.tables.sniff import MAY_BEGIN_TABLE, SAMPLE_BYTES, SAMPLE_RECORDS, Guess, sniff

_HEAD_CHUNKS = 100  # read to find a head; a file with only bad records has none


def make_setup(
    inputs: Sequence[str], output: str, read: ReadOptions, write: WriteOptions, classes: Sequence[str] = ()
) -> Setup:
    """Choose the formats of the inputs and the output: from the options, else from the suffixes.

    :param classes: the labels whose probabilities get a column each.
    :raises UsageError: if formats or options contradict each other.
    """
    formats = {
        read.format or ("lines" if name == STANDARD else format_of(name, "--input-format")) for name in inputs
    }
    if len(formats) > 1:
        what = "add --input-format (without it, - is read as lines)" if STANDARD in inputs else "give -o DIR/"
        raise UsageError(
            f"inputs of several formats ({', '.join(sorted(formats))}) cannot go to one output; {what}"
        )
    (form,) = formats
    check_options(read, form, inputs[0])
    if compression_of(output) not in ("", *WRITABLE):
        raise UsageError(f"{output}: output is compressed with {' or '.join(WRITABLE)} only")
    names_format = write.format or (output != STANDARD and suffix_of(output))
    output_form = (write.format or format_of(output, "--output-format")) if names_format else form
    get_format(output_form)
    if write.prefix and output_form == "lines":
        raise UsageError(f"--prefix does not apply to lines output, which has no column names: {output}")
    setup = Setup(read, write.columns(classes), form, output_form, columns=read.columns or ())
    if read.columns is not None and not setup.needs_values:
        raise UsageError(f"--columns does not apply to {output_form} output: {output}")
    return setup


def find_columns(files: Sequence[InputFile], setup: Setup) -> tuple[str, ...]:
    """Return the keys of all records of JSON Lines, as columns of another format; or those of --columns.

    Files are read once more for this; streams are not, but the reader looks ahead in one that comes first.

    :raises DataError: if a file cannot be read, or has too many keys.
    """
    if setup.columns or setup.format not in ("json", "jsonl") or not setup.needs_values:
        return setup.columns
    keys: dict[str, None] = {}
    for file in (file for file in files if not file.is_stream):
        with Source(file) as source:
            for _ in read_keys(source, setup, keys):
                stop.check()
    return tuple(keys)


def sniff_inputs(files: list[InputFile], read: ReadOptions) -> tuple[list[InputFile], Guess | None]:
    """Find out whether standard input or `.txt` files are a table, or may be one.

    :returns: the files, standard input with the bytes that were read for this; and what they are.
    :raises UsageError: if only some of the files are tables, or their formats differ.
    """
    paths = [file.path for file in files]
    is_known = any(path != STANDARD and suffix_of(path) != ".txt" for path in paths)
    if read.format or is_known or paths.count(STANDARD) > 1:
        return files, None
    starts = [_first_bytes(file) for file in files]
    guesses = [sniff(start, read) for start in starts if start]
    best = min(guesses, key=lambda guess: guess.doubt if guess else 3, default=None)
    if len({guess.read if guess and guess.doubt <= 1 else None for guess in guesses}) > 1:
        raise UsageError(f"{files[0].name}: some inputs look like {best}, others do not; add --input-format")
    pairs = zip(files, starts, strict=True)
    return [replace(file, start=start) if file.path == STANDARD else file for file, start in pairs], best


def _first_bytes(file: InputFile) -> bytes:
    """Return the bytes that are there already, or that a table in a pipe has within a short wait."""
    if file.size is None and file.path != STANDARD:  # a named pipe can be read only once
        return b""
    with Source(file) as source:
        while source.live and not source.ready(PAUSE):
            stop.check()
        data = more = source.read()
        while more and source.live and len(data) < SAMPLE_BYTES and data.count(b"\n") <= SAMPLE_RECORDS:
            if not (MAY_BEGIN_TABLE.match(data) and source.ready(PAUSE)):
                break
            more = source.read()
            data += more
    return data


def refuse_inputs(files: Sequence[InputFile], outputs: Sequence[str]) -> None:
    """Refuse to write to an input, whatever name the output has for it.

    :raises OutputError: naming the output and the input.
    """
    names = {file.path: file.name for file in files if file.path != STANDARD}
    identities = {file.identity: file.name for file in files if file.identity}
    for output in outputs:
        try:
            status = os.fstat(sys.stdout.fileno()) if output == STANDARD else Path(output).stat()
            identity = (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
        except (OSError, AttributeError):  # no such file yet; standard output closed or replaced
            identity = None
        name = names.get(output) or (identity and identities.get(identity))
        if name:
            raise OutputError(f"{output} is the input {name}; give another name")


def check_heads(files: Sequence[InputFile], setup: Setup) -> None:
    """Read the beginning of each file, so that columns that do not match fail now and not after hours.

    Streams are skipped: they can be read only once.

    :raises DataError: for a file whose beginning cannot be scored.
    """
    read = get_format(setup.format).reader()
    if setup.format in ("json", "jsonl"):
        setup = replace(setup, output_format="jsonl")  # the columns of another format are not known yet
    first: Head | None = None
    knows_first = True
    for number, file in enumerate(files, start=1):
        if file.is_stream:
            knows_first &= first is not None
            continue
        with Source(file) as source:
            cursor = Cursor()
            cursor.open(source)
            chunks = read(source, setup, cursor, first, is_last=number == len(files))
            head = next((chunk.head for chunk in islice(chunks, _HEAD_CHUNKS) if chunk.head), None)
        if knows_first:
            first = first or head


class Reader:
    """An iterator over the chunks of the inputs, in order; only the head of the first input is in a chunk.

    :param files: the inputs, in the order in which their rows are written.
    :ivar position: the end of the last chunk.
    :ivar is_finished: True when all inputs were read to their end.
    :ivar text_columns: empty before the first chunk, and always for lines, which have no columns.
    :ivar total_bytes: size of the inputs on disk; None if one is a pipe.
    :raises DataError: during iteration, if an input cannot be read.
    """

    def __init__(self, files: Sequence[InputFile], setup: Setup) -> None:
        self.position = Position(input=0, offset=0, rows=0, rejected=0, xxh3="")
        self.is_finished = False
        self.text_columns: list[str] = []
        sizes = [file.size for file in files if file.size is not None]
        self.total_bytes = sum(sizes) if len(sizes) == len(files) else None
        self._chunks = self._read(files, setup)

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def _read(self, files: Sequence[InputFile], setup: Setup) -> Iterator[Chunk]:
        read = get_format(setup.format).reader()
        cursor = Cursor(setup.options.limit)
        first: Head | None = None
        for number, file in enumerate(files, start=1):
            if not cursor.rows_left:
                break
            with Source(file) as source:
                cursor.open(source)
                for chunk in read(source, setup, cursor, first, is_last=number == len(files)):
                    self.position = chunk.position
                    if chunk.head:
                        log_notes(chunk.head.notes)
                    if chunk.head and first:
                        chunk = replace(chunk, head=None)
                    elif chunk.head:
                        first = chunk.head
                        self.text_columns = [*first.text_columns] if setup.format != "lines" else []
                    yield chunk
                    if not cursor.rows_left:
                        break
        self.is_finished = True
