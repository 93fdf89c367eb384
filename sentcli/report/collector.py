"""Collect what a report shows, chunk by chunk, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sentcli.errors import UsageError
from sentcli.report.columns import Columns, day_of, stars_of
from sentcli.scoring.extras import MIXED
from sentcli.scoring.groups import LONGEST_VALUE, LabelCounter
from sentcli.scoring.labels import NEUTRAL, Floats

_BINS = 20
_SCORE_EDGES = np.arange(_BINS + 1) / _BINS
SCORE_BINS = np.array([f"{low:.2f} to {high:.2f}" for low, high in pairwise(_SCORE_EDGES)], object)
LENGTHS = (1, 100, 250, 500, 1000, 2000)  # characters; where each slice begins
_UP_TO = [f"{start} to {stop - 1}" for start, stop in pairwise(LENGTHS)]
LENGTH_BINS = np.array([*_UP_TO, f"{LENGTHS[-1]} or more"], object)
STARS = np.array(["", *"12345"], object)  # "" without stars
_OPINIONS = np.array([0, -1, -1, 0, 1, 1])  # of a number of stars
_LONGEST_TEXT = 4_000  # characters that are kept
SAMPLE_SIZE, _SEED = 5_000, 20_261_201
SHELF_SIZE, _SHELVES = 12, ("negative", "positive", "uncertain", "surprising")
_LONG_ENOUGH = 30  # characters of a text that is worth reading; shorter ones come last


class Review(NamedTuple):
    """A row that a report may show. Without a day it has "", without stars 0."""

    text: str
    label: str
    score: float
    groups: tuple[str, ...]
    day: str
    stars: int


class Shelf:
    """Keeps the rows with the smallest keys.

    :param distinct: of several rows whose texts begin alike, keep one.
    """

    def __init__(self, size: int, *, distinct: bool) -> None:
        self._size, self._distinct = size, distinct
        self._kept: list[tuple[float, int, Review]] = []
        self._worst = np.inf

    def add(self, keys: Floats, first: int, take: Callable[[int], Review]) -> None:
        """Offer consecutive rows, of which the first one has this number."""
        places = np.flatnonzero(keys < self._worst).tolist()
        self._kept += [(float(keys[place]), first + place, take(place)) for place in places]
        if len(self._kept) > 2 * self._size:
            self._sort()

    def _sort(self) -> None:
        rows: dict[Any, tuple[float, int, Review]] = {}
        for key, number, row in sorted(self._kept):
            rows.setdefault(row.text[:60].casefold() if self._distinct else number, (key, number, row))
        self._kept = [*rows.values()][: self._size]
        if len(self._kept) == self._size:
            self._worst = self._kept[-1][0]

    @property
    def rows(self) -> list[Review]:
        """The rows, in the order of their keys."""
        self._sort()
        return [row for *_, row in self._kept]


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: the two labels of a model; rows may also be neutral or mixed.
    :ivar rows: the number of rows, also of those without a label.
    :ivar by: the labels by the columns of `columns.by`.
    :ivar counts: the labels by `day`, `stars`, `length` and `score`.
    :ivar sample: a random sample of the rows: those with the smallest of random numbers.
    """

    def __init__(self, labels: Sequence[str], columns: Columns) -> None:
        if len(labels) != 2:
            hint = "sentcli score --by COLUMN --summary FILE counts other labels"
            raise UsageError(f"a report is for models with two labels, not {len(labels)}; {hint}")
        self.labels, self.columns = (labels[0], NEUTRAL, MIXED, labels[1]), columns
        self.rows, self.by, self.counts = 0, LabelCounter(self.labels), LabelCounter(self.labels)
        self._random = np.random.default_rng(_SEED)
        self.sample = Shelf(SAMPLE_SIZE, distinct=False)
        self.shelves = {name: Shelf(SHELF_SIZE, distinct=True) for name in _SHELVES}

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
        by = {name: values.get(name, blank) for name in columns.by}
        days = [*map(day_of, values.get(columns.time, blank))]
        stars = np.fromiter(map(stars_of, values.get(columns.stars, blank)), np.int64, len(texts))
        lengths = np.array([len(text) if text else 0 for text in texts], np.int64)
        exact = np.array(scores, np.float64).round(6)  # as files have them; NaN for None
        counted: dict[str, Any] = {
            "day": days,
            "stars": STARS[stars],
            "length": LENGTH_BINS[np.searchsorted(LENGTHS[1:], lengths, "right")],
            "score": SCORE_BINS[np.searchsorted(_SCORE_EDGES[1:-1], exact, "right")],
        }
        self.by.add(by, labels)
        self.counts.add(counted, labels)

        def take(place: int) -> Review:
            text, score, rating = texts[place][:_LONGEST_TEXT], float(exact[place]), int(stars[place])
            groups = tuple(column[place][:LONGEST_VALUE] for column in by.values())
            return Review(text, labels[place], score, groups, days[place], rating)

        is_labeled = [label is not None for label in labels]
        self.sample.add(np.where(is_labeled, self._random.random(len(texts)), np.inf), self.rows, take)
        unsure = np.abs(exact - 0.5)
        against = np.where(_OPINIONS[stars] * (exact - 0.5) < 0, 0.5 - unsure, np.inf)
        late = np.where(lengths < _LONG_ENOUGH, 2.0, 0.0)  # NaN, of rows without a score, is no key
        for shelf, keys in zip(self.shelves.values(), (exact, 1 - exact, unsure, against), strict=True):
            shelf.add(keys + late, self.rows, take)
        self.rows += len(texts)
