"""Plain lines: each line is a text; the output has the new columns and the text, separated by tabs.

Lines end with a line feed; a carriage return before it belongs to the line end. From another format, only the
texts are written, with spaces in place of their line breaks. For a terminal, the fields are aligned and the
texts are cut to its width.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sentcli.errors import printable
from sentcli.files.encodings import Encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Results, Sheet
from sentcli.tables.convert import LastLine, six_decimals
from sentcli.tables.line_reader import LineReader
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import Content, Layout, Table


def read(source: Source, table: Table, cursor: Cursor, content: Content) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    return _LinesReader(source, table, content, table.style).chunks(cursor)


class _LinesReader(LineReader):
    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        decode, cut = self.encoding.decode, self.encoding.cut_line_end
        has_values = self.content is Content.VALUES
        for line in lines:
            try:
                text = decode(cut(line)[0])
            except UnicodeDecodeError as error:
                yield self.reject(line, self.bad_bytes(line, error, self.offset))
            else:
                misfit = self.table.bounds.misfit([text])
                row = (text,) if has_values else line
                yield self.reject(line, misfit) if misfit else (text, row, line)
            self.advance(1, len(line))


class Writer:
    """Writes the new columns and the text, separated by tabs; labels get spaces for tabs and line ends."""

    def __init__(self, layout: Layout, table: Table) -> None:
        self._layout = layout
        self._lead = b"" if layout.converts or layout.write.width else table.lead
        self._encoding: Encoding = Encoding.named(None) if layout.converts else table.style
        self._last_line = LastLine(self._encoding, universal=False)

    def begin(self) -> bytes:
        for label in self._layout.labels:
            self._encoding.encode(_in_a_line(label))
        return self._lead

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        if self._layout.write.width:
            return b"".join(map(self._aligned, chunk.texts, *results))
        lines: Sequence[bytes] = chunk.rows
        if self._layout.converts:
            lines = [re.sub(r"[\r\n]+", " ", text or "").encode() + b"\n" for text in chunk.texts]
        return self._last_line.then(chunk.join(*map(self._fields, self._layout.results, results), lines))

    def _fields(self, column: ResultColumn, values: Sequence[Any]) -> list[bytes]:
        """Return the values of a result column, each with a tab after it."""
        if column.is_number:
            numbers = six_decimals(values, b"", b"")
            return [self._encoding.encode(f"{number.decode()}\t") for number in numbers]
        fields = {label: self._encoding.encode(f"{_in_a_line(label or '')}\t") for label in {*values}}
        return [fields[label] for label in values]

    def _aligned(self, text: str | None, *values: Any) -> bytes:
        """Return a row as a line for a terminal."""
        width = self._layout.write.width
        longest = max(map(len, self._layout.labels), default=0)
        fields = [
            f"{'' if value is None else f'{value:.6f}':8}" if column.is_number else f"{value or '':{longest}}"
            for column, value in zip(self._layout.results, values, strict=True)
        ]
        start = " ".join((text or "")[: 4 * width].split())
        line = printable("  ".join([*fields, start]))
        return f"{line if len(line) <= width else f'{line[: width - 1]}…'}\n".encode()

    def close(self, summary: Sheet = ()) -> bytes:
        return b""


def _in_a_line(label: str) -> str:
    return label if label.isprintable() else re.sub(r"\s+", " ", label)
