"""Physical lines: blocks of bytes cut at line ends, bounded however long a line is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sentcli.errors import DataError
from sentcli.files.encodings import Encoding
from sentcli.files.lines import Block
from sentcli.files.source import Source

PAUSE = 0.1  # seconds of waiting for a live input after which its lines go on to be scored
_MAX_PIECES = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line that is longer than the limit."""

    data: bytes
    first: bool


class PhysicalLines:
    """The lines of an input, block by block.

    :param universal: a carriage return alone ends a line as well.
    :param limit: bytes; a longer line comes in pieces of this size, one of more than 16 pieces is an error.
    :param complete: give the last line a line end if it has none, because another input follows.
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

    def __iter__(self) -> Iterator[Block | Piece | None]:
        """Give lines, pieces of long ones, and None where a live input pauses.

        :raises DataError: when the input cannot be read, or a line never ends.
        """
        pending: bytes | bytearray = b""  # a line without its end yet
        line_end = self._encoding.newline
        waited = 0.0  # in all, or a line that comes now and then would hold those before it back for minutes
        while True:
            if self._source.live:
                began = time.monotonic()
                is_ready = self._source.ready(PAUSE - waited)
                waited += time.monotonic() - began
                if not is_ready or waited >= PAUSE:
                    yield None
                    waited = 0.0
            block = self._source.read()
            if not block:
                break
            seen = max(0, len(pending) - len(self._encoding.line_ends[0]))
            pending += block
            if self._has_end(pending, seen):
                lines, pending = self._encoding.split(bytes(pending), universal=self._universal)
                if len(lines):
                    line_end = self._encoding.line_end(lines[len(lines) - 1])
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
            yield from self._bounded(Block.of(bytes(pending)))

    def _has_end(self, pending: bytes | bytearray, start: int) -> bool:
        """Look for a line end first, so that a long line is not split anew with each of its blocks."""
        ends = self._encoding.line_ends[1 : 3 if self._universal else 2]
        return any(pending.find(end, start) >= 0 for end in ends)

    def _bounded(self, lines: Block) -> Iterator[Block | Piece]:
        if not self._pieces and lines.longest <= self._limit:
            yield lines
            return
        first = 0  # of the lines that are short
        for number, line in enumerate(lines):
            if not self._pieces and len(line) <= self._limit:
                continue
            if first < number:
                yield lines.part(first, number)
            first = number + 1
            for start in range(0, len(line), self._limit):
                yield self._piece(line[start : start + self._limit])
            self._pieces = 0
        if first < len(lines):
            yield lines.part(first, len(lines))

    def _piece(self, data: bytes) -> Piece:
        self._pieces += 1
        if self._pieces > _MAX_PIECES:
            raise DataError(
                f"{self._source.name}: a line of more than {_MAX_PIECES * self._limit} bytes; is this text? "
                "If it is, try a higher --max-row-bytes"
            )
        return Piece(data, first=self._pieces == 1)
