"""Read physical lines: the common part of the readers of CSV, JSON Lines and plain lines."""

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from sentcli.errors import DataError
from sentcli.files.encodings import AUTO, Encoding, detect_encoding, likely_encoding, marked_encoding
from sentcli.files.source import STANDARD, Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Head, Note, Reject, collect
from sentcli.tables.options import Setup

PAUSE = 0.1  # seconds to wait for a live input before its lines so far are scored
_LONGEST = 16  # times --max-row-bytes; a longer line is an error

# First bytes of compressed files. `BZh` could begin a text, so the digit and marker after it count too.
_COMPRESSED = {
    ".gz": re.compile(rb"\x1f\x8b"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd"),
    ".bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zX"),
}
_ARCHIVE = b"PK\x03\x04"


class LineReader(ABC):
    """Reads one input of physical lines; for the parameters see `registry.Reader`.

    :ivar line, offset: the line (from 1) and the byte offset of the next record.
    """

    universal_line_ends = False  # True: a single carriage return ends a line too
    encoding_hint = "; is it another --encoding?"
    mark_in_head = True  # the head holds the byte order mark; nothing is written before it

    def __init__(self, source: Source, setup: Setup, first: Head | None, *, is_last: bool) -> None:
        self.name = source.name
        self.notes: dict[Note, None] = {}  # for the head
        self.setup = setup
        self.first = first
        self.is_last = is_last
        self._source = source
        self._limit = setup.options.max_row_bytes
        start = source.peek(4)
        self.is_empty = not start
        name = setup.options.encoding
        if name in (None, AUTO):
            _refuse_compressed(source.peek(10) if start.startswith(b"BZh") else start, self.name)
        if name is None:
            self._refuse_wide(start)
        self.encoding = Encoding.named(self._detect() if name == AUTO else name, start)
        self.byte_order_mark = self.encoding.byte_order_mark(start)
        source.skip(len(self.byte_order_mark))
        self.line = 1
        self.offset = len(self.byte_order_mark)
        self._waited = 0.0

    def _detect(self) -> str:
        name = detect_encoding(self._source.sample())
        if name is None:
            raise DataError(f"{self.name}: not UTF-8; which --encoding is it, in place of {AUTO}?")
        if name != "utf-8":
            self.note(f"read as {name}")
        return name

    def _refuse_wide(self, start: bytes) -> None:
        """Refuse UTF-16 and UTF-32 without --encoding, because every line would be rejected.

        :raises DataError: naming the encoding.
        """
        if name := marked_encoding(start):
            hint = f"try --encoding {name}" if self.encoding_hint else "JSON Lines are UTF-8: convert it"
            raise DataError(f"{self.name}: begins with the byte order mark of {name}; {hint}")

    def chunks(self, cursor: Cursor) -> Iterator[Chunk]:
        mark = b"" if self.mark_in_head else self.byte_order_mark
        return collect(self.events(), cursor, keep_gaps=not self.setup.converts, mark=mark)

    @abstractmethod
    def parse(self, lines: list[bytes], *, final: bool) -> Iterator[Event]:
        """Parse the next lines: yield their events, and advance `line` and `offset`.

        :param final: the lines that `parse` has kept so far are complete; no more lines belong to them.
        """

    def events(self) -> Iterator[Event]:
        for lines in self.lines():
            if lines is None:
                yield None
                continue
            start = 0
            for number, line in enumerate(lines if max(map(len, lines)) > self._limit else []):
                if len(line) > self._limit:
                    self._check_length(line)
                    yield from self.parse(lines[start:number], final=True)
                    yield self.reject(line, f"longer than {self._limit} bytes; try a higher --max-row-bytes")
                    self.advance(1, len(line))
                    start = number + 1
            yield from self.parse(lines[start:], final=False)
        yield from self.parse([], final=True)

    def lines(self) -> Iterator[list[bytes] | None]:
        """Yield lists of lines, and None when a live input pauses.

        If another input follows, a last line without a line end gets one.

        :raises DataError: when the input cannot be read, or a line never ends.
        """
        encoding, universal = self.encoding, self.universal_line_ends
        pending: bytes | bytearray = b""  # the start of a line whose end was not read yet
        line_end = encoding.newline
        while True:
            if self._source.live and self._pauses():
                yield None
            block = self._source.read()
            if not block:
                break
            seen = max(0, len(pending) - 2 * encoding.unit)
            pending += block
            # Look for a line end first, so that a long line is not split again with each of its blocks.
            ends = (encoding.newline, encoding.carriage_return) if universal else (encoding.newline,)
            if any(pending.find(end, seen) >= 0 for end in ends):
                lines, pending = encoding.split(bytes(pending), universal=universal)
                if lines:
                    line_end = encoding.line_end(lines[-1])
                    yield lines
            elif isinstance(pending, bytes):
                pending = bytearray(pending)  # grows in place when the line is long
            self._check_length(pending)
        if pending:
            if not self.is_last and not (universal and encoding.line_end(pending)):
                pending += line_end
            yield [bytes(pending)]

    def _check_length(self, line: bytes | bytearray) -> None:
        if len(line) > _LONGEST * self._limit:
            raise DataError(
                f"{self.name}: a line of more than {_LONGEST * self._limit} bytes; is this text? "
                "If it is, try a higher --max-row-bytes"
            )

    def _pauses(self) -> bool:
        """Wait for a live input.

        :returns: whether the waits since the last pause add up to `PAUSE`, so that lines which arrive now
            and then do not delay earlier lines for minutes.
        """
        began = time.monotonic()
        is_ready = self._source.ready(PAUSE - self._waited)
        self._waited += time.monotonic() - began
        if is_ready and self._waited < PAUSE:
            return False
        self._waited = 0.0
        return True

    def note(self, message: str) -> None:
        """Add what is assumed about the input to the notes of the head."""
        self.notes[logging.WARNING, f"{self.name}: {message}"] = None

    def advance(self, lines: int, size: int) -> None:
        """Move on by a number of lines and of bytes."""
        self.line += lines
        self.offset += size

    def reject(self, raw: bytes, reason: str) -> Reject:
        return Reject(self.name, self.line, self.offset, reason, raw)

    def bad_bytes(self, line: bytes, error: UnicodeDecodeError, offset: int) -> str:
        """Return a message that names the first byte that is not in the encoding.

        :param offset: the offset of the line.
        """
        byte, place = line[error.start], offset + error.start
        hint = self.encoding_hint if self.setup.options.encoding is None else ""
        if hint and likely_encoding(line) == "cp1252":
            hint = "; try --encoding cp1252"
        return f"byte 0x{byte:02x} at offset {place} is not {self.encoding.name}{hint}"


def _refuse_compressed(start: bytes, name: str) -> None:
    """Refuse compressed bytes without a suffix that says so, because every line would be rejected.

    :raises DataError: naming the compression.
    """
    if start.startswith(_ARCHIVE):
        raise DataError(f"{name}: a zip archive or a workbook; unzip it, or add --input-format xlsx")
    for suffix, mark in _COMPRESSED.items():
        if mark.match(start):
            hint = "pipe it decompressed" if name == STANDARD else f"give it a name that ends in {suffix}"
            raise DataError(f"{name}: compressed, as {suffix} is; {hint}")
