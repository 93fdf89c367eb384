"""Blocks of bytes, and where they are cut into lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_LONG = 512  # bytes of a part

_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"

# By what `_line_ends` tells of a line.
_LINE_ENDS = np.array([b"", b"\n", b"\r", b"\r\n"], object)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neighbouring lines with their line ends, each cut out only when it is looked at.

    To make an object of each would take longer than to find where lines end.

    :param data: the bytes that they lie in.
    :param borders: where each of them begins, and where the last one ends; int64, `[lines + 1]`.
    """

    data: bytes
    borders: Places

    @classmethod
    def of(cls, *lines: bytes) -> "Block":
        return cls(b"".join(lines), np.cumsum([0, *map(len, lines)]))

    def __len__(self) -> int:
        return len(self.borders) - 1

    def __iter__(self) -> Iterator[bytes]:
        for start, stop in pairwise(self.borders.tolist()):
            yield self.data[start:stop]

    def __getitem__(self, number: int) -> bytes:
        start, stop = self.borders[number : number + 2].tolist()
        return self.data[start:stop]

    @classmethod
    def join(cls, blocks: Iterable["Block"]) -> "Block":
        """Put the lines of blocks behind one another; where one block has all of them, it is given back."""
        blocks = [block for block in blocks if len(block)]
        if len(blocks) < 2:
            return blocks[0] if blocks else NO_LINES
        starts = accumulate((block.size for block in blocks), initial=0)
        borders = [
            block.borders[1:] + (start - block.borders[0])
            for block, start in zip(blocks, starts, strict=False)
        ]
        return cls(b"".join(block.raw for block in blocks), np.concatenate([[0], *borders]))

    @property
    def raw(self) -> memoryview:
        """The bytes of all lines."""
        return memoryview(self.data)[self.borders[0] : self.borders[-1]]

    @property
    def size(self) -> int:
        """Bytes of all lines."""
        return int(self.borders[-1] - self.borders[0])

    @property
    def longest(self) -> int:
        """Bytes of the longest line; there is at least one."""
        return int(np.diff(self.borders).max())

    @property
    def stops(self) -> Places:
        """Where each line ends before its line end, which is one of ASCII."""
        has_feed, has_return = self._line_ends()
        return self.borders[1:] - has_feed - has_return

    @property
    def are_wide(self) -> Flags:
        """Whether each line has bytes beyond ASCII."""
        return are_wide(self.data, self.borders)

    def cut(self) -> tuple[list[bytes | memoryview], list[bytes]]:
        """Cut lines from their line ends, which are those of ASCII."""
        has_feed, has_return = self._line_ends()
        stops = self.borders[1:] - has_feed - has_return
        ends: list[bytes] = _LINE_ENDS[has_feed + 2 * has_return].tolist()
        return cut(self.data, self.borders[:-1], stops), ends

    def _line_ends(self) -> tuple[Flags, Flags]:
        """Tell of each line whether it has a line feed at its end, and whether a carriage return."""
        data = np.frombuffer(self.data, np.uint8)
        starts, ends = self.borders[:-1], self.borders[1:]
        has_feed: Flags = data[ends - 1] == _LINE_FEED
        before = ends - has_feed
        return has_feed, (data[before - 1] == _CARRIAGE_RETURN) & (before > starts)

    def part(self, start: int, stop: int) -> "Block":
        """Give the lines from one number to another, without copying them."""
        return Block(self.data, self.borders[start : stop + 1])


NO_LINES = Block.of()


def decode(data: bytes, starts: Places, stops: Places, are_wide: Flags, encoding: str) -> list[str]:
    """Decode parts of bytes in an encoding that is based on ASCII.

    :param starts, stops: where each of them lies, in ascending order; int64, `[parts]`.
    :param are_wide: whether each may have bytes beyond ASCII, which then are in the encoding; `[parts]`.
    """
    if not len(starts):
        return []
    first = int(starts[0])
    # One character a byte: slices of a string take less time than to decode each part.
    whole = str(memoryview(data)[first : int(stops[-1])], "latin-1")
    borders = zip((starts - first).tolist(), (stops - first).tolist(), strict=True)
    texts = [whole[start:stop] for start, stop in borders]
    for number in np.flatnonzero(are_wide).tolist():
        texts[number] = str(data[starts[number] : stops[number]], encoding)
    return texts


def cut(data: bytes, starts: Places, stops: Places) -> list[bytes | memoryview]:
    """Give parts of bytes."""
    # Short ones are copied sooner than a view is made, of which the garbage collector takes notice.
    is_short = int((stops - starts).sum()) < _LONG * len(starts)
    whole = data if is_short else memoryview(data)
    return [whole[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def are_wide(data: bytes, borders: Places) -> Flags:
    """Tell of the bytes from each border to the next whether some are beyond ASCII."""
    are = np.zeros(len(borders) - 1, bool)
    filled = np.flatnonzero(borders[1:] > borders[:-1])
    if len(filled) and not data.isascii():
        some = np.frombuffer(data, np.uint8)[: borders[-1]]
        are[filled] = np.maximum.reduceat(some, borders[filled]) >= 0x80
    return are
