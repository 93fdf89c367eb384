"""Collect what a report shows, chunk by chunk, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sentcli.errors import UsageError
from sentcli.report.columns import Columns, day_of, stars_of
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import LONGEST_VALUE, NEUTRAL, Floats, Groups
from sentcli.text.encoder import Numbers

_BINS = 20
_SCORE_EDGES = np.arange(_BINS + 1) / _BINS
SCORE_BINS = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(_SCORE_EDGES)]
LENGTHS = (1, 100, 250, 500, 1000, 2000)  # characters; where each slice begins
LENGTH_BINS = [*(f"{start} to {stop - 1}" for start, stop in pairwise(LENGTHS)), f"{LENGTHS[-1]} or more"]
STARS = ("", "1", "2", "3", "4", "5")  # "" without stars
_OPINIONS = np.array([0, -1, -1, 0, 1, 1])  # of a number of stars
_LONGEST_TEXT = 4_000  # characters that are kept
SAMPLE_SIZE, _SEED = 5_000, 20_261_201
SHELF_SIZE = 12
_LONG_ENOUGH = 30  # characters of a text that is worth reading; shorter ones come last


class Review(NamedTuple):
    """A row that a report may show. Without a day it has "", without stars 0."""

    text: str
    label: str
    score: float
    groups: tuple[str, ...]
    day: str
    stars: int


_Fields = tuple[str, str, float, tuple[str, ...], str, int]  # making a `Review` of them takes longer


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
    def rows(self) -> list[Review]:
        """The rows, in the order of their keys."""
        self._sort()
        return [Review(*row) for *_, row in self._kept]


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
        self.rows, self.by, self.counts = 0, Groups(), Groups()
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
        by = {name: values.get(name, blank) for name in columns.by}
        days = [*map(day_of, values.get(columns.time, blank))]
        stars = np.fromiter(map(stars_of, values.get(columns.stars, blank)), np.int64, len(texts))
        lengths = np.array([len(text) if text else 0 for text in texts], np.int64)
        exact = np.array(scores, np.float64).round(6)  # as files have them; NaN for None
        self.by.add(by, labels)
        counted = {
            "stars": (STARS, stars),
            "length": (LENGTH_BINS, np.searchsorted(LENGTHS[1:], lengths, "right")),
            "score": (SCORE_BINS, np.searchsorted(_SCORE_EDGES[1:-1], exact, "right")),
        }
        names = {column: np.array(bins, object)[places] for column, (bins, places) in counted.items()}
        self.counts.add({"day": days, **names}, labels)

        def take(places: Numbers) -> Iterable[_Fields]:
            numbers = places.tolist()
            kept = [texts[place][:_LONGEST_TEXT] for place in numbers]
            groups = [[column[place][:LONGEST_VALUE] for place in numbers] for column in by.values()]
            named, dated = ([column[place] for place in numbers] for column in (labels, days))
            of_rows = zip(*groups, strict=True) if by else [()] * len(numbers)
            scored, rated = exact[places].tolist(), stars[places].tolist()
            return zip(kept, named, scored, of_rows, dated, rated, strict=True)

        is_labeled = [label is not None for label in labels]
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
