"""Blocks of bytes, and where they are cut into lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_LINE_FEED, _CARRIAGE_RETURN = b"\n\r"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neighbouring lines, or records, with their line ends; each is cut out only when it is needed.

    :param data: the bytes that they lie in.
    :param borders: the start of each line, and the end of the last one; int64, `[lines + 1]`, ascending.
    """

    data: bytes
    borders: Places

    @classmethod
    def of(cls, *lines: bytes) -> "Block":
        return cls(b"".join(lines), np.cumsum([0, *map(len, lines)]))

    @classmethod
    def join(cls, blocks: Iterable["Block"]) -> "Block":
        """Concatenate blocks; a single one that has lines is returned as it is."""
        blocks = [block for block in blocks if len(block)]
        if len(blocks) < 2:
            return blocks[0] if blocks else NO_LINES
        starts = accumulate((block.size for block in blocks), initial=0)
        borders = [
            block.borders[1:] + (start - block.borders[0])
            for block, start in zip(blocks, starts, strict=False)
        ]
        return cls(b"".join(block.raw for block in blocks), np.concatenate([[0], *borders]))

    def __len__(self) -> int:
        return len(self.borders) - 1

    def __iter__(self) -> Iterator[bytes]:
        return iter(cut(self.data, self.borders[:-1], self.borders[1:]))

    def __getitem__(self, number: int) -> bytes:
        start, stop = self.borders[number : number + 2].tolist()
        return self.data[start:stop]

    def part(self, start: int, stop: int) -> "Block":
        """Return the lines from number `start` up to `stop`, without a copy."""
        return Block(self.data, self.borders[start : stop + 1])

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
        """The end of each line without its line end, which is one of ASCII; int64, `[lines]`."""
        data = np.frombuffer(self.data, np.uint8)
        starts, stops = self.borders[:-1], self.borders[1:]
        stops = stops - (data[stops - 1] == _LINE_FEED)
        stops = stops - ((data[stops - 1] == _CARRIAGE_RETURN) & (stops > starts))
        return cast(Places, stops)

    @property
    def are_wide(self) -> Flags:
        """Whether each line has bytes beyond ASCII; `[lines]`."""
        if not len(self) or self.data.isascii():
            return np.zeros(len(self), bool)
        data = np.frombuffer(self.data, np.uint8)[: self.borders[-1]]
        are: Flags = np.maximum.reduceat(data, self.borders[:-1]) >= 0x80
        return are


NO_LINES = Block.of()


def cut(data: bytes, starts: Places, stops: Places) -> list[bytes]:
    """Cut parts out of bytes."""
    return [data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def decode(data: bytes, starts: Places, stops: Places, are_wide: Flags, encoding: str) -> list[str]:
    """Decode parts of bytes in an encoding that is based on ASCII.

    :param starts, stops: where the parts lie, in ascending order; int64, `[parts]`.
    :param are_wide: whether each may have bytes beyond ASCII; `[parts]`.
    :raises UnicodeDecodeError: for a part that is not in the encoding.
    """
    if not len(starts):
        return []
    first = int(starts[0])
    # One character a byte: to cut a string takes less time than to decode each part.
    whole = str(memoryview(data)[first : int(stops[-1])], "latin-1")
    borders = zip((starts - first).tolist(), (stops - first).tolist(), strict=True)
    texts = [whole[start:stop] for start, stop in borders]
    for number in np.flatnonzero(are_wide).tolist():
        texts[number] = str(data[starts[number] : stops[number]], encoding)
    return texts
