"""Find the columns of a report, and collect what it shows, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sentcli.errors import UsageError
from sentcli.report.ratings import find_rating, may_be_nps, nps_of, stars_of
from sentcli.scoring.dates import day_of, order_of, settle
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import LONGEST_VALUE, NEUTRAL, Floats, Groups

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

_TIME = re.compile(
    r"date|time|day$|month|created|updated|published|posted|(^|_)(at|ts)$|unix|epoch", re.IGNORECASE
)
_WHOLE = re.compile(r"\d+([.,]\d+)?")
_NUMBER = re.compile(r"[-+.,\d]+")
_MOST_SHARE = 0.95  # of the first values of a column of dates or stars
_MOST_GROUP_COLUMNS = 3  # that are found without --by
_MOST_GROUPS, _ROWS_PER_GROUP, _LONGEST_GROUP = 30, 5, 60


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


@dataclass(frozen=True)
class Columns:
    """The names of the columns that a report reads in addition to the texts.

    :param is_nps: whether the ratings are answers from 0 to 10, see `nps_of`.
    """

    by: tuple[str, ...] = ()
    time: str | None = None
    stars: str | None = None
    is_nps: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.by, *(name for name in (self.time, self.stars) if name is not None))


def find_columns(values: Mapping[str, Sequence[str]], by: tuple[str, ...], time: str | None) -> Columns:
    """Choose the columns of a report among those that are neither texts nor results.

    :param values: the first values of each column as text, "" for a missing one.
    :param by, time: the columns that the user named; those that are not named are found by their values.
    """
    filled = {name: [value for value in column if value] for name, column in values.items()}
    free = {name: column for name, column in filled.items() if column and name not in (*by, time)}
    nps = [name for name in free if may_be_nps(name, free[name]) and _are(nps_of, free[name])]
    stars = find_rating([name for name in free if name not in nps and _are(stars_of, free[name])])
    is_nps = stars is None and bool(nps)
    stars = nps[0] if is_nps else stars
    dates = [name for name in free if name != stars and _are(day_of, free[name])]
    # Other numbers look like seconds and days of Excel too.
    dates = [name for name in dates if _TIME.search(name) or not _are(_WHOLE.fullmatch, free[name])]
    if time is None and dates:
        time = next(filter(_TIME.search, dates), dates[0])
    if not by:
        groups = (name for name in free if name not in (*dates, stars) and _are_groups(free[name]))
        by = tuple(groups)[:_MOST_GROUP_COLUMNS]
    return Columns(by, time, stars, is_nps)


def _are(read: Callable[[str], object], values: Sequence[str]) -> bool:
    """Return whether nearly all values can be read in this way."""
    return sum(map(bool, map(read, values))) >= _MOST_SHARE * len(values)


def _are_groups(values: Sequence[str]) -> bool:
    """Return whether these are few names, and not only numbers."""
    names = {*values}
    limit = min(_MOST_GROUPS, max(1, len(values) // _ROWS_PER_GROUP))
    is_short = max(map(len, names)) <= _LONGEST_GROUP
    return len(names) <= limit and is_short and not all(map(_NUMBER.fullmatch, names))


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: the two labels of a model; rows may also be neutral or mixed.
    :param day_first: whether days come first in dates such as 3/4/2025; None: as all dates show.
    :ivar rows: the number of rows, also of those without a label.
    :ivar other_language: the number of rows that are perhaps in another language.
    :ivar by: the labels by the columns of `columns.by`.
    :ivar counts: the labels by `day`, as written, `stars`, `length` and `score`.
    :ivar sample: a random sample of the rows: those with the smallest of random numbers.
    """

    def __init__(self, labels: Sequence[str], columns: Columns, day_first: bool | None = None) -> None:
        if len(labels) != 2:
            hint = "sentcli score --by COLUMN --summary FILE counts other labels"
            raise UsageError(f"a report is for models with two labels, not {len(labels)}; {hint}")
        self.labels, self.columns = (labels[0], NEUTRAL, MIXED, labels[1]), columns
        self.rows, self.by, self.counts = 0, Groups(), Groups(day={})
        self._day_of = partial(day_of, day_first=day_first)
        self.other_language = 0
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
        days = [*map(self._day_of, values.get(columns.time, blank))]
        read = nps_of if columns.is_nps else stars_of
        stars = np.fromiter(map(read, values.get(columns.stars, blank)), np.int64, len(texts))
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
            text, score = texts[place][:_LONGEST_TEXT], float(exact[place])
            rating = 0 if columns.is_nps else int(stars[place])
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

    def settled(self, rows: Sequence[Review]) -> list[Review]:
        """Return rows whose days are settled, once all rows are known."""
        day_first, _ = order_of(self.counts["day"])
        return [row._replace(day=settle(row.day, day_first=day_first)) for row in rows]
