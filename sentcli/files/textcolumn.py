"""Columns of texts: strings, or parts of bytes of which each becomes a string only when it is looked at.

Texts are encoded as bytes, and most files have them so: to make a string of each takes time, and the
interpreter's lock, for which other threads wait.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Union, overload

import numpy as np
import numpy.typing as npt

# Bytes from text to text. Beyond, to decode each takes less time (380 ns) than what lies between them.
_FAR = 6 << 10
_LOSSLESS = "surrogatepass"  # the lone surrogates, which have no UTF-8, too

Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

# Keys. Multiplied by an odd number, the golden ratio in 64 bits, all bits of one place take part in the next:
# Knuth, The Art of Computer Programming, volume 3, 6.4.
_PLACE = 8  # bytes of a text that are looked at together
_MIXER = np.uint64(0x9E3779B97F4A7C15)

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class TextBlock(Sequence[str]):
    """Texts that lie in bytes, in an encoding that is based on ASCII.

    :param data: the bytes, and others between them.
    :param starts, stops: where each of them lies, in ascending order; int64, `[texts]`.
    :param are_wide: whether each may have bytes beyond ASCII, which then are in the encoding; `[texts]`.
    """

    data: bytes
    starts: Places
    stops: Places
    are_wide: Flags
    encoding: str

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice | Places) -> "TextBlock": ...
    def __getitem__(self, place: int | slice | Places) -> Union[str, "TextBlock"]:
        """Give a text, or some of them, by a slice or their numbers."""
        starts, stops = self.starts[place], self.stops[place]
        if isinstance(place, slice | np.ndarray):
            return TextBlock(self.data, starts, stops, self.are_wide[place], self.encoding)
        return str(self.data[starts:stops], self.encoding, _LOSSLESS)

    def __iter__(self) -> Iterator[str]:
        first, last = (int(self.starts[0]), int(self.stops[-1])) if len(self) else (0, 0)
        if last - first > _FAR * len(self):
            return map(self.__getitem__, range(len(self)))
        # A character a byte: to cut that is faster than to decode each part.
        whole = str(memoryview(self.data)[first:last], "latin-1")
        borders = zip((self.starts - first).tolist(), (self.stops - first).tolist(), strict=True)
        texts = [whole[start:stop] for start, stop in borders]
        for number in self.wide:
            texts[number] = self[number]
        return iter(texts)

    @property
    def wide(self) -> list[int]:
        """The numbers of the texts that may have bytes beyond ASCII."""
        numbers: list[int] = np.flatnonzero(self.are_wide).tolist()
        return numbers

    def cut(self) -> list[bytes | memoryview]:
        """Return the bytes of each text."""
        return [
            self.data[start:stop]
            for start, stop in zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        ]

    def to_utf8(self) -> list[bytes | memoryview]:
        """Give the bytes of each text in UTF-8."""
        encoded = self.cut()
        for number in self.wide if self.encoding != "utf-8" else ():
            encoded[number] = self[number].encode("utf-8")
        return encoded

    @property
    def sizes(self) -> Places:
        """Bytes of each text."""
        return self.stops - self.starts

    def keys(self) -> Keys:
        """Give each text a number that equal ones share, by its length and the bytes at three places.

        Of fewer than eight bytes it is 0.
        """
        data, keys = np.frombuffer(self.data, np.uint8), np.zeros(len(self), np.uint64)
        rows = np.flatnonzero(self.sizes >= _PLACE)
        starts, last = self.starts[rows], self.stops[rows] - _PLACE
        mixed = self.sizes[rows].astype(np.uint64)
        for places in (starts, (starts + last) // 2, last):
            some = data[places[:, np.newaxis] + np.arange(_PLACE)]
            mixed = mixed * _MIXER ^ some.view(np.uint64).ravel()
        keys[rows] = mixed
        return keys


class TextColumn(Sequence[str]):
    """Texts in parts, of which each is a list of strings or a `TextBlock`."""

    def __init__(self, parts: Sequence[list[str] | TextBlock]) -> None:
        self.parts = [part for part in parts if len(part)]
        self._borders = np.cumsum([0, *map(len, self.parts)])

    @classmethod
    def of(cls, *texts: Sequence[str | None]) -> "TextColumn":
        """Put texts behind one another; None is a blank one."""
        parts: list[list[str] | TextBlock] = []
        for some in texts:
            if isinstance(some, TextColumn):
                parts += some.parts
            else:
                parts.append(some if isinstance(some, TextBlock) else [text or "" for text in some])
        return cls(parts)

    def __len__(self) -> int:
        return int(self._borders[-1])

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.parts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice | Places) -> "TextColumn": ...
    def __getitem__(self, place: int | slice | Places) -> Union[str, "TextColumn"]:
        """Give a text, or some of them, by a slice or their numbers: in ascending order, each once."""
        if not isinstance(place, slice | np.ndarray):
            number = range(len(self))[place]
            behind = int(np.searchsorted(self._borders, number, side="right"))
            return self.parts[behind - 1][number - int(self._borders[behind - 1])]
        numbers = np.arange(len(self))[place]
        of_parts = np.split(numbers, np.searchsorted(numbers, self._borders[1:-1]))
        return TextColumn(
            [
                _take(part, of_part - border)
                for part, border, of_part in zip(self.parts, self._borders, of_parts, strict=False)
                if len(of_part)
            ]
        )

    @property
    def sizes(self) -> Places:
        """Bytes of each text, or the characters of a string."""
        sizes = [
            part.sizes if isinstance(part, TextBlock) else np.fromiter(map(len, part), np.intp, len(part))
            for part in self.parts
        ]
        return np.concatenate([np.empty(0, np.intp), *sizes])

    def to_utf8(self) -> list[bytes | memoryview]:
        """Give the bytes of each text in UTF-8."""
        encoded: list[bytes | memoryview] = []
        for part in self.parts:
            if isinstance(part, TextBlock):
                encoded += part.to_utf8()
            else:
                encoded += [text.encode("utf-8", _LOSSLESS) for text in part]
        return encoded

    def distinct(self) -> tuple["TextColumn", Places]:
        """Leave out the texts that are there before; a string and an equal text in bytes may both stay.

        :returns: the others in their order, and of each text the number of the one that it is like.
        """
        # Strings may all be equal ones: to look at their places would take longer than to hash them.
        keys = [
            part.keys() if isinstance(part, TextBlock) else np.zeros(len(part), np.uint64)
            for part in self.parts
        ]
        every = np.concatenate([np.empty(0, np.uint64), *keys])
        ordered = np.sort(every)
        shared = ordered[1:][ordered[1:] == ordered[:-1]]
        numbers = np.arange(len(self))
        if len(shared):
            rows = np.flatnonzero(shared.take(shared.searchsorted(every), mode="clip") == every)
            seen: dict[str, int] = {}
            of_rows = zip(rows.tolist(), self[rows], strict=True)
            numbers[rows] = [seen.setdefault(text, row) for row, text in of_rows]
        firsts = np.flatnonzero(numbers == np.arange(len(self)))
        if len(firsts) == len(self):
            return self, numbers
        return self[firsts], firsts.searchsorted(numbers)


def _take(part: list[str] | TextBlock, rows: Places) -> list[str] | TextBlock:
    """Give some texts of a part: at least one, by their numbers in ascending order, each once."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows):  # neighbours
        return part[first : last + 1]
    return part[rows] if isinstance(part, TextBlock) else [part[row] for row in rows.tolist()]


def are_wide(data: bytes, borders: Places) -> Flags:
    """Return for the bytes from each border to the next whether some are beyond ASCII."""
    are = np.zeros(len(borders) - 1, bool)
    filled = np.flatnonzero(borders[1:] > borders[:-1])
    if len(filled) and not data.isascii():
        some = np.frombuffer(data, np.uint8)[: borders[-1]]
        are[filled] = np.maximum.reduceat(some, borders[filled]) >= 0x80
    return are
