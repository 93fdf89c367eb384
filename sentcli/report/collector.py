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
LENGTHS = (1, 20, 50, 100, 200, 400)  # words; where each slice begins
SAMPLE_SIZE, _SEED = 5_000, 20_261_201
SHELF_SIZE = 12
_MOST_VALUES = 10_000  # of a column that are told apart; further ones are counted together
_LONGEST_VALUE, _LONGEST_TEXT = 80, 4_000  # characters that are kept
_LONG_ENOUGH = 6  # words of a text that is worth reading; shorter ones come last


class Row(NamedTuple):
    """A row that a report may show.

    :param values: those of `Columns.names`.
    """

    text: str
    label: str
    score: float
    values: tuple[str, ...]


class Tally:
    """Counts rows by a value and by label.

    :ivar counts: for each value in the order of its first row, the number of rows with each label.
    """

    def __init__(self, labels: int) -> None:
        self.names: dict[str, int] = {}
        self._labels = labels
        self._counts = np.zeros((_MOST_VALUES + 1, labels), np.int64)  # the last row: further values

    def add(self, values: Sequence[str], labels: Numbers) -> Numbers:
        """Count rows; return the number of the value of each, `_MOST_VALUES` for a further one."""
        names = self.names
        for value in dict.fromkeys(values):
            if value not in names and len(names) < _MOST_VALUES:
                names[value] = len(names)
        find = (
            names.__getitem__ if len(names) < _MOST_VALUES else lambda value: names.get(value, _MOST_VALUES)
        )
        places = np.fromiter(map(find, values), np.int64, len(values))
        is_labeled = labels >= 0
        cells = places[is_labeled] * self._labels + labels[is_labeled]
        self._counts += np.bincount(cells, minlength=self._counts.size).reshape(self._counts.shape)
        return places

    @property
    def counts(self) -> dict[str, Numbers]:
        return {name: self._counts[place] for name, place in self.names.items()}

    @property
    def others(self) -> Numbers:
        """The rows with further values."""
        others: Numbers = self._counts[_MOST_VALUES]
        return others


class _Shelf:
    """Keeps the rows with the smallest keys, of texts that begin alike only one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, int, Row]] = {}
        self._worst = np.inf

    def add(self, keys: Floats, first: int, take: Callable[[int], Row]) -> None:
        """Offer rows with their keys; see `Collector.add`."""
        (candidates,) = (keys < self._worst).nonzero()
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

    def add(self, is_offered: npt.NDArray[np.bool_], first: int, take: Callable[[int], Row]) -> None:
        numbers = self._random.random(len(is_offered))
        for place in (is_offered & (numbers < self._largest)).nonzero()[0].tolist():
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
    """

    def __init__(self, labels: Sequence[str], columns: Columns, *, is_scale: bool = True) -> None:
        self.labels, self.columns, self.is_scale = tuple(labels), columns, is_scale
        self.rows = 0
        self.by_column = {name: Tally(len(labels)) for name in columns.names}
        self.by_length = np.zeros((len(LENGTHS), len(labels)), np.int64)
        self.by_score = np.zeros((BINS, len(labels)), np.int64)
        self._codes = {label: code for code, label in enumerate(labels)} | {None: -1}
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
        texts: Sequence[str | None],
        labels: Sequence[str | None],
        scores: Sequence[float | None],
        values: Sequence[Sequence[str | None]],
    ) -> None:
        """Add consecutive rows.

        :param labels, scores: None for an empty text.
        :param values: for each of `columns.names`, one value per row.
        """
        sides = [[value[:_LONGEST_VALUE] if value else "" for value in column] for column in values]
        if self.columns.time is not None:
            place = len(self.columns.by)
            sides[place] = [day_of(value[:10]) for value in sides[place]]
        codes = np.fromiter(map(self._codes.__getitem__, labels), np.int64, len(labels))
        found: Floats = np.array(scores, np.float64)  # None becomes NaN
        exact = np.round(found, 6)
        words = np.fromiter(map(len, map(str.split, [text or "" for text in texts])), np.int64, len(texts))
        self._count(codes, exact, words)
        for tally, side in zip(self.by_column.values(), sides, strict=True):
            tally.add(side, codes)

        def take(place: int) -> Row:
            text, label = texts[place] or "", labels[place] or ""
            return Row(text[:_LONGEST_TEXT], label, float(exact[place]), tuple(side[place] for side in sides))

        self._sample.add(codes >= 0, self.rows, take)
        late = np.where(words < _LONG_ENOUGH, 2.0, 0.0)
        keys = self._keys(exact, sides)
        for name, shelf in self._shelves.items():
            shelf.add(np.where(codes < 0, np.inf, keys[name]) + late, self.rows, take)
        self.rows += len(texts)

    def _count(self, codes: Numbers, scores: Floats, words: Numbers) -> None:
        is_labeled = codes >= 0
        bins = np.minimum((scores[is_labeled] * BINS).astype(np.int64), BINS - 1)
        slices = np.searchsorted(LENGTHS, words[is_labeled], "right") - 1
        for table, rows in ((self.by_score, bins), (self.by_length, np.maximum(slices, 0))):
            cells = rows * len(self.labels) + codes[is_labeled]
            table += np.bincount(cells, minlength=table.size).reshape(table.shape)

    def _keys(self, scores: Floats, sides: Sequence[Sequence[str]]) -> dict[str, Floats]:
        """Return for each shelf a key per row, small for a row that belongs on it."""
        if not self.is_scale:
            return {"uncertain": scores}
        found = {"negative": scores, "positive": 1 - scores, "uncertain": np.abs(scores - 0.5)}
        found["surprising"] = np.full(len(scores), np.inf)
        if self.columns.stars is not None:
            stars = np.fromiter(map(stars_of, sides[-1]), np.int64, len(scores))
            is_against = ((stars >= 4) & (scores < 0.5)) | ((stars > 0) & (stars <= 2) & (scores > 0.5))
            found["surprising"] = np.where(is_against, 0.5 - np.abs(scores - 0.5), np.inf)
        return found
