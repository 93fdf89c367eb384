"""The inputs of one output: whether they fit together, and their chunks one after the other."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sentcli.errors import OutputError, UsageError
from sentcli.files.compression import WRITABLE, compression_of
from sentcli.files.remote import is_url
from sentcli.files.source import STANDARD, InputFile, Source
from sentcli.tables.chunk import Chunk, Cursor, Head, Position
from sentcli.tables.options import ReadOptions, Setup, WriteOptions
from sentcli.tables.registry import check_options, format_of, get_format, suffix_of

_HEAD_CHUNKS = 100  # to read in search of a head: a file of bad records alone may have none


def make_setup(inputs: Sequence[str], output: str, read: ReadOptions, write: WriteOptions) -> Setup:
    """Choose the formats of the inputs and of the output, by the options and then by the suffixes.

    :raises UsageError: if they or the options do not fit together.
    """
    formats = {
        read.format or ("lines" if name == STANDARD else format_of(name, "--input-format")) for name in inputs
    }
    if len(formats) > 1:
        what = "say --input-format, without which - is lines" if STANDARD in inputs else "give -o DIR/"
        raise UsageError(
            f"inputs of several formats ({', '.join(sorted(formats))}) do not fit one output; {what}"
        )
    (form,) = formats
    check_options(read, form, inputs[0])
    if compression_of(output) not in ("", *WRITABLE):
        raise UsageError(f"{output}: output is compressed with {' or '.join(WRITABLE)} only")
    names_format = write.format or (output != STANDARD and suffix_of(output))
    output_form = (write.format or format_of(output, "--output-format")) if names_format else form
    get_format(output_form)
    if write.prefix and output_form == "lines":
        raise UsageError(f"--prefix means nothing for lines output, which has no column names: {output}")
    return Setup(read, () if output_form == "lines" else write.names, form, output_form)


def refuse_inputs(files: Sequence[InputFile], outputs: Sequence[str]) -> None:
    """Refuse to write a file that is read, under any name.

    :raises OutputError: naming both.
    """
    names = {file.name: file.name for file in files if file.name != STANDARD}
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
    """Read the beginning of each file: columns that do not fit must not end a run after hours.

    This leaves out what can be read once only: standard input and pipes; and URLs.

    :raises DataError: for a file that does not begin as one that can be scored.
    """
    read = get_format(setup.format).reader()
    first: Head | None = None
    knows_first = True
    for number, file in enumerate(files, start=1):
        if file.name == STANDARD or file.size is None or is_url(file.name):
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
    """An iterator over the chunks of the inputs, in order; only the first one's head is in a chunk.

    :param files: in the order in which their rows go out.
    :ivar position: the end of the last chunk.
    :ivar is_finished: the inputs were read to their end.
    :ivar text_column: None before the first chunk, and of lines, which have no columns.
    :ivar total_bytes: size of the inputs as they lie on the disk; None if one is a pipe.
    :raises DataError: from the iteration, if an input cannot be read.
    """

    def __init__(self, files: Sequence[InputFile], setup: Setup) -> None:
        self.position = Position(input=0, offset=0, rows=0, rejected=0, xxh3="")
        self.is_finished = False
        self.text_column: str | None = None
        sizes = [file.size for file in files if file.size is not None]
        self.total_bytes = sum(sizes) if len(sizes) == len(files) else None
        self._chunks = self._read(files, setup)

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def _read(self, files: Sequence[InputFile], setup: Setup) -> Iterator[Chunk]:
        read = get_format(setup.format).reader()
        cursor = Cursor()
        first: Head | None = None
        for number, file in enumerate(files, start=1):
            with Source(file) as source:
                cursor.open(source)
                for chunk in read(source, setup, cursor, first, is_last=number == len(files)):
                    self.position = chunk.position
                    if chunk.head and first:
                        chunk = replace(chunk, head=None)
                    elif chunk.head:
                        first = chunk.head
                        self.text_column = None if setup.format == "lines" else first.text_column
                    yield chunk
        self.is_finished = True
