"""Collect what a report shows, chunk by chunk, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError
from sentcli.report.columns import Columns, day_of, stars_of
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import NEUTRAL, Floats

Numbers = npt.NDArray[np.int64]

BINS = 20  # of scores
LENGTHS = (1, 100, 250, 500, 1000, 2000)  # characters; where each slice begins
_MOST_VALUES = 10_000  # of a column that are counted separately; further ones are counted together
_LONGEST_VALUE, _LONGEST_TEXT = 80, 4_000  # characters that are kept
SAMPLE_SIZE, _SEED = 5_000, 20_261_201
SHELF_SIZE = 12
_LONG_ENOUGH = 30  # characters of a text that is worth reading; shorter ones come last
_OPINIONS = np.array([0, -1, -1, 0, 1, 1])  # of a number of stars


class Row(NamedTuple):
    """A row that a report may show. Without a day it has "", without stars 0."""

    text: str
    label: str
    score: float
    groups: tuple[str, ...]
    day: str
    stars: int


_Fields = tuple[str, str, float, tuple[str, ...], str, int]  # of a row; making a `Row` takes longer


class Tally(dict[str, int]):
    """Numbers the values of a column in the order of their first rows.

    :ivar counts: rows by number and label; in the last row those with further values.
    """

    def __init__(self, labels: int) -> None:
        self.counts = np.zeros((_MOST_VALUES + 1, labels), np.int64)

    def __missing__(self, value: str) -> int:
        if len(value) > _LONGEST_VALUE:
            return self[value[:_LONGEST_VALUE]]
        if len(self) == _MOST_VALUES:
            return _MOST_VALUES
        return self.setdefault(value, len(self))


class Shelf:
    """Keeps the rows with the smallest keys.

    :param distinct: of several rows whose texts begin alike, keep one.
    """

    def __init__(self, size: int, *, distinct: bool) -> None:
        self._size, self._distinct = size, distinct
        self._kept: list[tuple[float, int, _Fields]] = []
        self._worst = np.inf

    def add(self, keys: Floats, first: int, take: Callable[[Numbers], Iterable[_Fields]]) -> None:
        """Offer consecutive rows, of which the first one has this number."""
        places = np.flatnonzero(keys < self._worst)
        places = places[np.argsort(keys[places], kind="stable")]  # the best rows first: few of them are taken
        for start in range(0, len(places), self._size):
            best = places[start : start + self._size]
            if keys[best[0]] >= self._worst:
                break
            self._kept += zip(keys[best].tolist(), (first + best).tolist(), take(best), strict=True)
            if len(self._kept) > 2 * self._size:
                self._sort()

    def _sort(self) -> None:
        self._kept.sort()
        if self._distinct:
            first: dict[str, tuple[float, int, _Fields]] = {}
            for entry in self._kept:
                *_, (text, *_) = entry
                first.setdefault(text[:60].casefold(), entry)
            self._kept = [*first.values()]
        del self._kept[self._size :]
        if len(self._kept) == self._size:
            self._worst = self._kept[-1][0]

    @property
    def rows(self) -> list[Row]:
        """The rows, in the order of their keys."""
        self._sort()
        return [Row(*row) for *_, row in self._kept]


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: the two labels of a model; rows may also be neutral or mixed.
    :ivar rows: the number of rows, also of those without a label.
    :ivar tallies: those of `columns.by`, and of the days.
    :ivar sample: a random sample of the rows: those with the smallest of random numbers.
    """

    def __init__(self, labels: Sequence[str], columns: Columns) -> None:
        if len(labels) != 2:
            hint = "sentcli score --by COLUMN --summary FILE counts other labels"
            raise UsageError(f"a report is for models with two labels, not {len(labels)}; {hint}")
        self.labels, self.columns = (labels[0], NEUTRAL, MIXED, labels[1]), columns
        self.rows = 0
        self._codes: dict[str | None, int] = {label: code for code, label in enumerate(self.labels)}
        self._codes[None] = -1
        self.tallies = [Tally(len(self.labels)) for _ in (*columns.by, columns.time)]
        self.by_stars, self.by_length, self.by_score = (
            np.zeros((size, len(self.labels)), np.int64) for size in (len(_OPINIONS), len(LENGTHS), BINS)
        )
        self._random = np.random.default_rng(_SEED)
        self.sample = Shelf(SAMPLE_SIZE, distinct=False)
        names = ("negative", "positive", "uncertain", "surprising")
        self.shelves = {name: Shelf(SHELF_SIZE, distinct=True) for name in names}

    def add(
        self,
        texts: Sequence[Any],
        labels: Sequence[Any],
        scores: Sequence[Any],
        values: Mapping[Any, Sequence[str]],
    ) -> None:
        """Add consecutive rows.

        :param texts, labels, scores: as of `Scores`; None for an empty text.
        :param values: for each of `columns.names`, one value per row; "" where it is missing.
        """
        columns, blank = self.columns, [""] * len(texts)
        sides = [values.get(name, blank) for name in (*columns.by, columns.time, columns.stars)]
        by, days, stars = sides[:-2], [*map(day_of, sides[-2])], _numbers(stars_of, sides[-1])
        codes = _numbers(self._codes.__getitem__, labels)
        lengths = np.array([len(text) if text else 0 for text in texts], np.int64)
        exact = np.array(scores, np.float64).round(6)  # as files have them; NaN for None
        is_labeled = codes >= 0
        tallied = zip(self.tallies, (*by, days), strict=True)
        for table, places in (
            *((tally.counts, _numbers(tally.__getitem__, column)) for tally, column in tallied),
            (self.by_stars, stars),
            (self.by_score, np.minimum(np.nan_to_num(exact * BINS), BINS - 1).astype(np.int64)),
            (self.by_length, np.searchsorted(LENGTHS, lengths, "right") - 1),
        ):
            cells = (places * len(self.labels) + codes)[is_labeled]
            table += np.bincount(cells, minlength=table.size).reshape(table.shape)

        def take(places: Numbers) -> Iterable[_Fields]:
            numbers = places.tolist()
            kept = [texts[place][:_LONGEST_TEXT] for place in numbers]
            groups = [[column[place][:_LONGEST_VALUE] for place in numbers] for column in by]
            named, dated = ([column[place] for place in numbers] for column in (labels, days))
            of_rows = zip(*groups, strict=True) if by else [()] * len(numbers)
            scored, rated = exact[places].tolist(), stars[places].tolist()
            return zip(kept, named, scored, of_rows, dated, rated, strict=True)

        self.sample.add(np.where(is_labeled, self._random.random(len(texts)), np.inf), self.rows, take)
        unsure = np.abs(exact - 0.5)
        is_against = _OPINIONS[stars] * (exact - 0.5) < 0
        late = np.where(lengths < _LONG_ENOUGH, 2.0, 0.0)  # NaN, of rows without a score, is no key
        for name, keys in (
            ("negative", exact),
            ("positive", 1 - exact),
            ("uncertain", unsure),
            ("surprising", np.where(is_against, 0.5 - unsure, np.inf)),
        ):
            self.shelves[name].add(keys + late, self.rows, take)
        self.rows += len(texts)


def _numbers(read: Callable[[Any], int], values: Sequence[Any]) -> Numbers:
    return np.fromiter(map(read, values), np.int64, len(values))
