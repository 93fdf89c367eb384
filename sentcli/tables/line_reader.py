"""Reading by physical lines, which the readers of CSV, JSON Lines and plain lines share."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from sentcli.errors import DataError
from sentcli.files.encodings import Encoding, marked_encoding
from sentcli.files.source import STANDARD, Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Reject, collect
from sentcli.tables.options import Setup

PAUSE = 0.1  # seconds of waiting for a live input after which its lines so far are scored
_MAX_PIECES = 16

# First bytes of compressed files. Those of bzip2 alone could be text: a size, then a block or the end.
_COMPRESSED = {
    ".gz": re.compile(rb"\x1f\x8b"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zX"),
}
_ARCHIVE = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line that is longer than the limit."""

    data: bytes
    first: bool


class PhysicalLines:
    """The lines of an input, some at a time.

    :param universal: a carriage return alone ends a line as well.
    :param limit: bytes; a longer line comes in pieces of this size, one of more than 16 pieces is an error.
    :param complete: add a line end to the last line if it has none, because another input follows.
    """

    def __init__(
        self, source: Source, encoding: Encoding, *, universal: bool, limit: int, complete: bool
    ) -> None:
        self._source = source
        self._encoding = encoding
        self._universal = universal
        self._limit = max(limit - limit % encoding.unit, encoding.unit)
        self._complete = complete
        self._pieces = 0  # so far of the line that is being cut
        self._waited = 0.0

    def __iter__(self) -> Iterator[list[bytes] | Piece | None]:
        """Yield lines, pieces of long ones, and None where a live input pauses.

        :raises DataError: when the input cannot be read, or a line never ends.
        """
        pending: bytes | bytearray = b""  # a line without its end yet
        line_end = self._encoding.newline
        while True:
            if self._source.live and self._pauses():
                yield None
            block = self._source.read()
            if not block:
                break
            seen = max(0, len(pending) - 2 * self._encoding.unit)
            pending += block
            if self._has_end(pending, seen):
                lines, pending = self._encoding.split(bytes(pending), universal=self._universal)
                if lines:
                    line_end = self._encoding.line_end(lines[-1])
                    yield from self._bounded(lines)
            elif isinstance(pending, bytes):
                pending = bytearray(pending)  # with a long line it grows in place
            # Whole code units alone: a carriage return that waits for the next one may end the line.
            while len(pending) - len(pending) % self._encoding.unit > self._limit:
                yield self._piece(bytes(pending[: self._limit]))
                pending = pending[self._limit :]
        if pending:
            if self._complete and not (self._universal and self._encoding.line_end(pending)):
                pending += line_end
            yield from self._bounded([bytes(pending)])

    def _pauses(self) -> bool:
        """Wait for a live input.

        :returns: whether all waits since the last pause took `PAUSE`; else lines that come now and then
            would hold those before them back for minutes.
        """
        began = time.monotonic()
        is_ready = self._source.ready(PAUSE - self._waited)
        self._waited += time.monotonic() - began
        if is_ready and self._waited < PAUSE:
            return False
        self._waited = 0.0
        return True

    def _has_end(self, pending: bytes | bytearray, start: int) -> bool:
        """Look for a line end first, so that a long line is not split anew with each of its blocks."""
        ends = (self._encoding.newline, *([self._encoding.carriage_return] if self._universal else []))
        return any(pending.find(end, start) >= 0 for end in ends)

    def _bounded(self, lines: list[bytes]) -> Iterator[list[bytes] | Piece]:
        first = 0  # of the lines that are short
        for number, line in enumerate(lines):
            if not self._pieces and len(line) <= self._limit:
                continue
            if first < number:
                yield lines[first:number]
            first = number + 1
            for start in range(0, len(line), self._limit):
                yield self._piece(line[start : start + self._limit])
            self._pieces = 0
        if first < len(lines):
            yield lines[first:]

    def _piece(self, data: bytes) -> Piece:
        self._pieces += 1
        if self._pieces > _MAX_PIECES:
            raise DataError(
                f"{self._source.name}: a line of more than {_MAX_PIECES * self._limit} bytes; is this text? "
                "If it is, try a higher --max-row-bytes"
            )
        return Piece(data, first=self._pieces == 1)


class LineReader(ABC):
    """Reads one input of physical lines; for the parameters see `registry.Reader`.

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
        self._lines = PhysicalLines(
            source,
            self.encoding,
            universal=self.universal_line_ends,
            limit=setup.options.max_row_bytes,
            complete=not is_last,
        )

    def _refuse_wide(self, start: bytes) -> None:
        """Refuse UTF-16 and UTF-32, of which each line would be rejected.

        :raises DataError: then.
        """
        if name := marked_encoding(start):
            hint = f"try --encoding {name}" if self.encoding_hint else "JSON Lines are UTF-8: convert it"
            raise DataError(f"{self.name}: begins with the byte order mark of {name}; {hint}")

    def chunks(self, cursor: Cursor) -> Iterator[Chunk]:
        mark = b"" if self.mark_in_head else self.byte_order_mark
        return collect(self.events(), cursor, keep_gaps=not self.setup.converts, mark=mark)

    @abstractmethod
    def parse(self, lines: list[bytes], *, final: bool) -> Iterator[Event]:
        """Yield what is in the next lines, and advance `line` and `offset`.

        :param final: no more lines belong to those that `parse` has kept so far.
        """

    def events(self) -> Iterator[Event]:
        for lines in self._lines:
            if lines is None:
                yield None
            elif isinstance(lines, Piece):
                yield from self.parse([], final=True)
                yield self._long_line(lines)
            else:
                yield from self.parse(lines, final=False)
        yield from self.parse([], final=True)

    def advance(self, lines: int, size: int) -> None:
        """Move to the record after so many lines and bytes."""
        self.line += lines
        self.offset += size

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
    """Refuse compressed bytes without the suffix, of which each line would be rejected.

    :raises DataError: then.
    """
    if start.startswith(_ARCHIVE):
        raise DataError(f"{name}: a zip archive or a workbook; unzip it, or save its sheet as CSV")
    for suffix, mark in _COMPRESSED.items():
        if mark.match(start):
            hint = "pipe it decompressed" if name == STANDARD else f"give it a name that ends in {suffix}"
            raise DataError(f"{name}: compressed, as {suffix} is; {hint}")
