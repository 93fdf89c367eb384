"""What the readers of CSV, JSON Lines and plain lines share: physical lines, and where they stand."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator

from sentcli.errors import DataError
from sentcli.files.encodings import Encoding, marked_encoding
from sentcli.files.lines import NO_LINES, Block
from sentcli.files.source import STANDARD, Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Reject, collect
from sentcli.tables.format import Setup
from sentcli.tables.line_reader import PhysicalLines, Piece

# Their first bytes. Those of bzip2 alone could be text: a size, then the beginning of a block or of the end.
_COMPRESSED = {
    ".gz": re.compile(rb"\x1f\x8b"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zX"),
}
_ARCHIVE = b"PK\x03\x04"


class TextReader(ABC):
    """Reads one input of physical lines; for the parameters see `format.Reader`.

    `line` (from 1) and `offset` (in bytes) are those of the next record.
    """

    universal_line_ends = False  # a carriage return alone ends a line
    encoding_hint = "; is it another --encoding?"
    mark_in_head = True  # the byte order mark goes out with the head, before which nothing does

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        self.name = source.name
        self.setup = setup
        self.first = first
        self.is_last = is_last
        start = source.peek(4)
        self.is_empty = not start
        if setup.options.encoding is None:
            _refuse_compressed(source.peek(10) if start.startswith(b"BZh") else start, self.name)
            self._refuse_wide(start)
        self.encoding = Encoding.named(setup.options.encoding, start)
        self.byte_order_mark = self.encoding.byte_order_mark(start)
        source.skip(len(self.byte_order_mark))
        self.line = 1
        self.offset = len(self.byte_order_mark)
        self._blocks = PhysicalLines(
            source,
            self.encoding,
            universal=self.universal_line_ends,
            limit=setup.options.max_row_bytes,
            complete=not is_last,
        )

    def _refuse_wide(self, start: bytes) -> None:
        """Say so of UTF-16 and UTF-32, before all of their lines are taken for odd ones.

        :raises DataError: then.
        """
        if name := marked_encoding(start):
            hint = f"try --encoding {name}" if self.encoding_hint else "JSON Lines are UTF-8: convert it"
            raise DataError(f"{self.name}: begins with the byte order mark of {name}; {hint}")

    def chunks(self, cursor: Cursor) -> Iterator[Chunk]:
        mark = b"" if self.mark_in_head else self.byte_order_mark
        return collect(self.events(), cursor, keep_gaps=not self.setup.converts, mark=mark)

    @abstractmethod
    def parse(self, lines: Block, *, final: bool) -> Iterator[Event]:
        """Give what is in the next lines, moving `line` and `offset` on.

        :param final: no more lines belong to what was held back so far.
        """

    def events(self) -> Iterator[Event]:
        for block in self._blocks:
            if block is None:
                yield None
            elif isinstance(block, Piece):
                yield from self.parse(NO_LINES, final=True)
                yield self._long_line(block)
            else:
                yield from self.parse(block, final=False)
        yield from self.parse(NO_LINES, final=True)

    def reject(self, raw: bytes, reason: str) -> Reject:
        return Reject(self.name, self.line, self.offset, reason, raw)

    def bad_bytes(self, line: bytes, error: UnicodeDecodeError, offset: int) -> str:
        """Name the first byte that is not in the encoding.

        :param offset: of the line.
        """
        byte, place = line[error.start], offset + error.start
        hint = self.encoding_hint if self.setup.options.encoding is None else ""
        return f"byte 0x{byte:02x} at offset {place} is not {self.encoding.name}{hint}"

    def _long_line(self, piece: Piece) -> Reject:
        if piece.first:
            reason = f"longer than {self.setup.options.max_row_bytes} bytes; try a higher --max-row-bytes"
            reject = self.reject(piece.data, reason)
            self.line += 1
        else:
            reject = Reject(
                self.name, self.line - 1, self.offset, "the same line goes on", piece.data, continued=True
            )
        self.offset += len(piece.data)
        return reject


def _refuse_compressed(start: bytes, name: str) -> None:
    """Say so of compressed bytes without the suffix, before all of their lines are rejected.

    :raises DataError: then.
    """
    if start.startswith(_ARCHIVE):
        raise DataError(f"{name}: a zip archive or a workbook; unzip it, or save its sheet as CSV")
    for suffix, mark in _COMPRESSED.items():
        if mark.match(start):
            hint = "pipe it decompressed" if name == STANDARD else f"give it a name that ends in {suffix}"
            raise DataError(f"{name}: compressed, as {suffix} is; {hint}")
