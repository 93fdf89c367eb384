"""Read physical lines: the common part of the readers of CSV, JSON Lines and plain lines."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.files.encodings import AUTO, likely_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Records, Reject, collect
from sentcli.tables.registry import get_format
from sentcli.tables.table import TextTable

PAUSE = 0.1  # seconds to wait for a live input before its lines so far are scored
LONGEST = 16  # times --max-row-bytes; a longer line, or record of JSON, is an error


class LineReader(ABC):
    """Reads one input of physical lines.

    :ivar line, offset: the line (from 1) and the byte offset of the next record.
    """

    universal_line_ends = False  # True: a single carriage return ends a line too
    has_offsets = True  # False: lines are not those of the input
    chunk_type = Chunk

    def __init__(self, source: Source, table: TextTable) -> None:
        self.name = table.name
        self.table = table
        self.encoding = table.encoding
        self._source = source
        self._limit = table.options.max_row_bytes
        lines, rest = self.encoding.split(table.lead, universal=self.universal_line_ends)
        self.line = 1 + len(lines) + bool(self.encoding.line_end(rest))
        self.offset = len(table.lead)

    @classmethod
    def read(cls, source: Source, table: TextTable, cursor: Cursor) -> Iterator[Chunk]:
        """Read one file; see `tables.open.read`."""
        source.skip(len(table.lead))
        events = cls(source, table).events()
        return collect(events, cursor, table, lead=table.lead, kind=cls.chunk_type)

    @abstractmethod
    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        """Parse the next lines: yield their events, and advance `line` and `offset`."""

    def finish(self) -> Iterator[Event]:
        """Yield the events of lines that `parse` has kept, because no more lines belong to them."""
        yield from ()

    def lines(self) -> Iterator[list[bytes] | None]:
        """Yield lists of lines, and None when a live input pauses."""
        return physical_lines(self._source, self.table, universal=self.universal_line_ends)

    def events(self) -> Iterator[Event]:
        for lines in self.lines():
            if lines is None:
                yield None
                continue
            start = 0
            for number, line in enumerate(lines if max(map(len, lines)) > self._limit else []):
                if len(line) > self._limit:
                    check_length(line, self._limit, self.name)
                    if start < number:
                        yield from self.parse(lines[start:number])
                    yield from self.finish()
                    yield self.reject(line, too_long(self._limit))
                    self.advance(1, len(line))
                    start = number + 1
            if start < len(lines):
                yield from self.parse(lines[start:])
        yield from self.finish()

    def advance(self, lines: int, size: int) -> None:
        """Move on by a number of lines and of bytes."""
        self.line += lines
        self.offset += size

    def rows(self, texts: Sequence[str | None], rows: Sequence[Any], raw: Sequence[bytes]) -> Records:
        """Return rows that begin at the next record."""
        lines = range(self.line, self.line + len(texts))
        return Records(texts, rows, raw, lines, self.offset if self.has_offsets else None)

    def reject(self, raw: bytes, reason: str) -> Reject:
        return Reject(self.name, self.line, self.offset if self.has_offsets else None, reason, raw)


def bad_bytes(line: bytes, error: UnicodeDecodeError, offset: int, table: TextTable) -> str:
    """Return a message that names the first byte that is not in the encoding, and what to try."""
    hint = ""
    if table.options.encoding in (None, AUTO) and get_format(table.format).module != "jsonl":
        is_western = likely_encoding(line) == ("cp1252", True)
        hint = "; try --encoding cp1252" if is_western else "; is it another --encoding?"
    where = f"byte 0x{line[error.start]:02x} at offset {offset + error.start}"
    return f"{where} is not {table.encoding.name}{hint}"


def too_long(limit: int) -> str:
    return f"longer than {limit} bytes; try a higher --max-row-bytes"


def physical_lines(
    source: Source, table: TextTable, *, universal: bool = False
) -> Iterator[list[bytes] | None]:
    """Yield lists of lines; for a live input also None, now and then while it has no bytes."""
    encoding = table.encoding
    pending: bytes | bytearray = b""  # the start of a line whose end was not read yet
    for block in blocks_of(source):
        if block is None:
            yield None
            continue
        seen = max(0, len(pending) - 2 * encoding.unit)
        pending += block
        # Look for a line end first, so that a long line is not split again with each of its blocks.
        ends = (encoding.newline, encoding.carriage_return) if universal else (encoding.newline,)
        if any(pending.find(end, seen) >= 0 for end in ends):
            lines, pending = encoding.split(bytes(pending), universal=universal)
            if lines:
                yield lines
        elif isinstance(pending, bytes):
            pending = bytearray(pending)  # grows in place when the line is long
        check_length(pending, table.options.max_row_bytes, source.name)
    if pending:
        yield [bytes(pending)]


def blocks_of(source: Source) -> Iterator[bytes | None]:
    """Yield the blocks of an input, and None whenever a live input pauses.

    Waits add up to a pause, so that lines which arrive now and then do not delay earlier lines for minutes.
    """
    waited = 0.0
    while True:
        while source.live:
            began = time.monotonic()
            is_ready = source.ready(PAUSE - waited)
            waited += time.monotonic() - began
            if is_ready and waited < PAUSE:
                break
            waited = 0.0
            yield None
            stop.check()
        block = source.read()
        if not block:
            return
        yield block


def awaited(source: Source) -> Iterator[bytes]:
    """Yield the blocks of an input; wait for those of a live input."""
    return filter(None, blocks_of(source))


def first_bytes(source: Source, size: int, *, is_line: bool = True) -> bytes:
    """Return the first bytes.

    :param is_line: fewer do if they hold a line, because a live input may wait for an answer.
    """
    data = b""
    for block in awaited(source):
        data += block
        if len(data) >= size or (is_line and b"\n" in data):
            break
    return data


def check_length(line: bytes | bytearray, limit: int, name: str) -> None:
    if len(line) > LONGEST * limit:
        hint = f"is this text? If it is, try a higher {option('max_row_bytes')}"
        raise DataError(f"{name}: a line of more than {LONGEST * limit} bytes; {hint}")
