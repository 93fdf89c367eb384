"""Plain lines: each line is a text; the output has the new columns and the text, separated by tabs.

Lines end with a line feed; a carriage return before it belongs to the line end. From another format, only the
texts are written, with spaces in place of their line breaks. For a terminal, the fields are aligned and the
texts are cut to its width.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sentcli.errors import printable
from sentcli.files.encodings import UTF_8
from sentcli.files.source import Source
from sentcli.tables import registry
from sentcli.tables.chunk import Chunk, Event, Results
from sentcli.tables.convert import LastLine, six_decimals, to_text
from sentcli.tables.line_reader import LineReader, bad_bytes
from sentcli.tables.options import ResultColumn, WriteOptions
from sentcli.tables.table import Table, TextTable

_NUMBER_WIDTH = 8


def open_table(_: Source, text: TextTable, __: Table | None) -> TextTable:
    """Return the table of lines; see `tables.open.open_table`."""
    return replace(text, columns=("text",), places=(0,))


class _LinesReader(LineReader):
    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        try:
            rows = self.table.parse(lines)
            yield self.rows([text for (text,) in rows], rows, lines)
            self.advance(len(lines), sum(map(len, lines)))
        except UnicodeDecodeError as error:
            if len(lines) > 1:
                for line in lines:
                    yield from self.parse([line])
            else:
                yield self.reject(lines[0], bad_bytes(lines[0], error, self.offset, self.table))
                self.advance(1, len(lines[0]))


read = _LinesReader.read


class Writer(registry.Writer):
    """Writes the new columns and the text, separated by tabs; labels get spaces for tabs and line ends."""

    def __init__(self, table: Table, write: WriteOptions, *others: Any) -> None:
        super().__init__(table, write, *others)
        self._encoding = UTF_8 if self.converts or not isinstance(table, TextTable) else table.encoding
        self._last_line = LastLine(self._encoding, universal=False)

    def misfits(self, chunk: Chunk) -> dict[int, str]:
        return {}  # no value but the text is written

    def begin(self) -> bytes:
        for column in self.results:
            self._fields(column, column.labels)  # all can be written
        return b"" if self.converts or self.write.width else self.table.lead

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        if self.write.width:
            return b"".join(map(self._aligned, chunk.texts, *results))
        lines: Sequence[bytes] = chunk.raw
        if self.converts:
            lines = [re.sub(r"[\r\n]+", " ", text or "").encode() + b"\n" for text in chunk.texts]
        return self._last_line.then(chunk.join(*map(self._fields, self.results, results), lines))

    def _fields(self, column: ResultColumn, values: Sequence[Any]) -> list[bytes]:
        """Return the values of a result column, each with a tab after it."""
        if column.is_number:
            numbers = six_decimals(values, b"", b"")
            return [self._encoding.encode(f"{number.decode()}\t") for number in numbers]
        return [*map(cache(lambda label: self._encoding.encode(f"{_in_a_line(to_text(label))}\t")), values)]

    def _aligned(self, text: str | None, *values: Any) -> bytes:
        """Return a row as a line for a terminal."""
        width = self.write.width
        longest = max((len(label) for column in self.results for label in column.labels), default=0)
        widths = [_NUMBER_WIDTH if column.is_number else longest for column in self.results]
        shown = [f"{value:.6f}" if isinstance(value, float) else to_text(value) for value in values]
        fields = map(str.ljust, shown, widths)
        start = " ".join((text or "")[: 4 * width].split())
        line = printable("  ".join([*fields, start]))
        return f"{line if len(line) <= width else f'{line[: width - 1]}…'}\n".encode()


def _in_a_line(label: str) -> str:
    return label if label.isprintable() else re.sub(r"\s+", " ", label)
