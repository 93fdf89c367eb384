"""Plain lines: each line is a text; the output has the new columns and the text, separated by tabs.

Lines end with a line feed; a carriage return before it belongs to the line end. From another format, only the
texts are written, with spaces in place of their line breaks.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sentcli.errors import DataError
from sentcli.files.encodings import Encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Results
from sentcli.tables.convert import six_decimals
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import ResultColumn, Setup

_COLUMN = "text"


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    return _LinesReader(source, setup, first, is_last=is_last).chunks(cursor)


class _LinesReader(LineReader):
    def events(self) -> Iterator[Event]:
        if self.is_empty and not self.is_last:
            return  # an empty input has no byte order that later inputs must share
        first = self.first
        if first and not (self.setup.converts or self.is_empty or first.style == self.encoding):
            raise DataError(
                f"{self.name}: not the encoding of the first input; it is {self.encoding.name}, "
                f"there {first.style.name}"
            )
        yield Head((_COLUMN,), (_COLUMN,), self.byte_order_mark, self.encoding, notes=(*self.notes,))
        yield from super().events()

    def parse(self, lines: list[bytes], *, final: bool) -> Iterator[Event]:
        decode, cut = self.encoding.decode, self.encoding.cut_line_end
        for line in lines:
            try:
                text = decode(cut(line)[0])
            except UnicodeDecodeError as error:
                yield self.reject(line, self.bad_bytes(line, error, self.offset))
            else:
                yield text, (text,) if self.setup.converts else line, line
            self.advance(1, len(line))


class Writer:
    """Writes the new columns and the text, separated by tabs; labels get spaces for tabs and line ends."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._encoding = Encoding.named(None)

    def begin(self, head: Head) -> bytes:
        if self._setup.converts:
            return b""
        self._encoding = head.style
        for label in self._setup.labels:
            self._encoding.encode(_in_a_line(label))
        return head.raw

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        lines: Sequence[bytes]
        if self._setup.converts:
            lines = [re.sub(r"[\r\n]+", " ", text or "").encode() + b"\n" for text in chunk.texts]
        else:
            lines = chunk.rows
        return chunk.join(*map(self._fields, self._setup.results, results), lines)

    def _fields(self, column: ResultColumn, values: Sequence[Any]) -> list[bytes]:
        """Return the values of a result column, each with a tab after it."""
        if column.is_number:
            numbers = six_decimals(values, b"", b"")
            return [self._encoding.encode(f"{number.decode()}\t") for number in numbers]
        fields = {label: self._encoding.encode(f"{_in_a_line(label or '')}\t") for label in {*values}}
        return [fields[label] for label in values]

    def close(self) -> bytes:
        return b""


def _in_a_line(label: str) -> str:
    return label if label.isprintable() else re.sub(r"\s+", " ", label)
