"""Collect what a report shows, chunk by chunk, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

from collections.abc import Callable, Sequence
from heapq import heappush, heapreplace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.report.columns import Columns, day_of, stars_of
from sentcli.scoring.labels import Floats

Numbers = npt.NDArray[np.int64]

BINS = 20  # of scores
LENGTHS = (1, 100, 250, 500, 1000, 2000)  # characters; where each slice begins
SAMPLE_SIZE, _SEED = 5_000, 20_261_201
SHELF_SIZE = 12
_MOST_VALUES = 10_000  # of a column that are told apart; further ones are counted together
_LONGEST_VALUE, _LONGEST_TEXT = 80, 4_000  # characters that are kept
_LONG_ENOUGH = 30  # characters of a text that is worth reading; shorter ones come last


class Row(NamedTuple):
    """A row that a report may show.

    :param values: those of `Columns.names`.
    """

    text: str
    label: str
    score: float
    values: tuple[str, ...]


class Tally(dict[str, int]):
    """Counts rows by a value and by label. Maps each value to the number of what it counts as.

    :param read: returns what a value counts as.
    :ivar names: what was counted, in the order of the first rows, each with its number.
    """

    def __init__(self, labels: int, read: Callable[[str], str]) -> None:
        self.names: dict[str, int] = {}
        self.read, self._labels = read, labels
        self._counts = np.zeros(0, np.int64)  # of the labels of each number

    def __missing__(self, value: str) -> int:
        name = self.read(value)
        if name not in self.names and len(self.names) < _MOST_VALUES:
            self.names[name] = len(self.names)
        number = self.names.get(name, _MOST_VALUES)
        if len(self) < _MOST_VALUES and len(value) <= _LONGEST_VALUE:
            self[value] = number
        return number

    def add(self, values: Sequence[str], labels: Numbers) -> Numbers:
        """Count rows; return the number of what the value of each counts as."""
        numbers = np.array([*map(self.__getitem__, values)], np.int64)
        before, size = self._counts, self._labels * (len(self.names) + 1)
        self._counts = np.bincount(numbers * self._labels + labels, minlength=max(size, len(before)))
        self._counts[: len(before)] += before
        return numbers

    @property
    def counts(self) -> dict[str, Numbers]:
        """For each name the number of rows with each label."""
        return dict(zip(self.names, self._counts.reshape(-1, self._labels), strict=False))

    @property
    def others(self) -> int:
        """The number of rows with values that are not told apart."""
        return int(self._counts[_MOST_VALUES * self._labels :].sum())


def _count(table: Numbers, rows: Numbers, labels: Numbers) -> None:
    """Add 1 to a table of counts for each pair of a row of the table and a label."""
    table += np.bincount(rows * table.shape[1] + labels, minlength=table.size).reshape(table.shape)


class _Shelf:
    """Keeps the rows with the smallest keys, of texts that begin alike only one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, int, Row]] = {}
        self._worst = np.inf

    def add(self, keys: Floats, first: int, take: Callable[[int], Row]) -> None:
        """Offer rows with their keys; see `Collector.add`."""
        candidates = np.flatnonzero(keys < self._worst)
        for place in candidates[np.argsort(keys[candidates], kind="stable")].tolist():
            if keys[place] >= self._worst:
                return
            row = take(place)
            begin = row.text[:60].casefold()
            if begin not in self._kept or keys[place] < self._kept[begin][0]:
                self._kept[begin] = (float(keys[place]), first + place, row)
            if len(self._kept) > SHELF_SIZE:
                del self._kept[max(self._kept, key=lambda begin: self._kept[begin][:2])]
            if len(self._kept) == SHELF_SIZE:
                self._worst = max(key for key, *_ in self._kept.values())

    @property
    def rows(self) -> list[Row]:
        return [row for *_, row in sorted(self._kept.values(), key=lambda kept: kept[:2])]


class _Reservoir:
    """A random sample of rows: those with the smallest of random numbers."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(_SEED)
        self._kept: list[tuple[float, int, Row]] = []  # a heap, with the largest number first
        self._largest = 1.0

    def add(self, count: int, first: int, take: Callable[[int], Row]) -> None:
        numbers = self._random.random(count)
        for place in np.flatnonzero(numbers < self._largest).tolist():
            if numbers[place] < self._largest:
                entry = -float(numbers[place]), first + place, take(place)
                push: Callable[..., Any] = heapreplace if len(self._kept) == SAMPLE_SIZE else heappush
                push(self._kept, entry)
                self._largest = -self._kept[0][0] if len(self._kept) == SAMPLE_SIZE else 1.0

    @property
    def rows(self) -> list[Row]:
        """The sample in random order."""
        return [row for *_, row in sorted(self._kept, key=lambda kept: kept[:2])]


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: all labels that a row may have; the last one is that of high scores, the first that of low
        ones if there are two, or three with neutral in the middle.
    :param is_scale: whether the score is the probability of the last label; else, that of the row's label.
    :ivar rows: the number of rows, also of those without a label.
    """

    def __init__(self, labels: Sequence[str], columns: Columns, *, is_scale: bool = True) -> None:
        self.labels, self.columns, self.is_scale = tuple(labels), columns, is_scale
        self.rows = self._labeled = 0
        reads = [(name, _cut) for name in columns.by] + [(columns.time, day_of), (columns.stars, stars_of)]
        self.by_column = {name: Tally(len(labels), read) for name, read in reads if name is not None}
        self.by_length = np.zeros((len(LENGTHS), len(labels)), np.int64)
        self.by_score = np.zeros((BINS, len(labels)), np.int64)
        self._codes = {label: code for code, label in enumerate(labels)}
        self._sample = _Reservoir()
        names = ("negative", "positive", "uncertain", "surprising") if is_scale else ("uncertain",)
        self._shelves = {name: _Shelf() for name in names}

    @property
    def sample(self) -> list[Row]:
        return self._sample.rows

    @property
    def shelves(self) -> dict[str, list[Row]]:
        return {name: shelf.rows for name, shelf in self._shelves.items()}

    def add(
        self,
        texts: Sequence[Any],
        labels: Sequence[Any],
        scores: Sequence[Any],
        values: Sequence[Sequence[str]],
    ) -> None:
        """Add consecutive rows.

        :param texts, labels, scores: as of `Scores`; None for an empty text.
        :param values: for each of `columns.names`, one value per row; "" where it is missing.
        """
        self.rows += len(texts)
        if None in labels:
            kept = [place for place, label in enumerate(labels) if label is not None]
            texts, labels, scores, *values = (
                [of[place] for place in kept] for of in (texts, labels, scores, *values)
            )
        codes = np.array([*map(self._codes.__getitem__, labels)], np.int64)
        exact: Floats = np.array(scores, np.float64)
        exact = np.round(exact, 6)  # as files have them
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        _count(self.by_score, np.minimum((exact * BINS).astype(np.int64), BINS - 1), codes)
        _count(self.by_length, np.searchsorted(LENGTHS, lengths, "right") - 1, codes)
        tallies = [*self.by_column.values()]
        numbers = [tally.add(column, codes) for tally, column in zip(tallies, values, strict=True)]

        def take(place: int) -> Row:
            side = tuple(tally.read(column[place]) for tally, column in zip(tallies, values, strict=True))
            return Row(texts[place][:_LONGEST_TEXT], labels[place], float(exact[place]), side)

        self._sample.add(len(texts), self._labeled, take)
        late = np.where(lengths < _LONG_ENOUGH, 2.0, 0.0)
        for name, keys in self._keys(exact, numbers).items():
            self._shelves[name].add(keys + late, self._labeled, take)
        self._labeled += len(texts)

    def _keys(self, scores: Floats, numbers: Sequence[Numbers]) -> dict[str, Floats]:
        """Return for each shelf a key per row, small for a row that belongs on it."""
        if not self.is_scale:
            return {"uncertain": scores}
        unsure = np.abs(scores - 0.5)
        found = {"negative": scores, "positive": 1 - scores, "uncertain": unsure}
        if self.columns.stars is not None:
            of_numbers = [*map(int, self.by_column[self.columns.stars].names)]
            stars = np.array(of_numbers, np.int64)[numbers[-1]]
            is_against = ((stars >= 4) & (scores < 0.5)) | ((stars > 0) & (stars <= 2) & (scores > 0.5))
            found["surprising"] = np.where(is_against, 0.5 - unsure, np.inf)
        return found


def _cut(value: str) -> str:
    return value[:_LONGEST_VALUE]
