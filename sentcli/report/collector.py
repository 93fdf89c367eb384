"""Find the columns of a report, and collect what it shows, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sentcli.errors import UsageError
from sentcli.report.ratings import find_rating, may_be_nps, nps_of, stars_of
from sentcli.scoring.dates import day_of, month_of, order_of, settle
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import LONGEST_VALUE, NEUTRAL, OTHERS, Floats, Groups

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
# With the letters of a name alone; not: guest type, customer country, hotel name.
_NOUNS, _VERBS = (Path(__file__).with_name("people.txt").read_text("utf-8").replace(" ", "|")).splitlines()
_PEOPLE = re.compile(
    rf"({_NOUNS})s?(name|id|no|nr|number|handle|email|mail|phone)?s?$|({_VERBS})(by|to)$|"
    "e?mail(address)?$|phone$"
)
_WHOLE = re.compile(r"\d+([.,]\d+)?")
_NUMBER = re.compile(r"[-+.,\d]+")
_TIME_COLUMN = "time"
EARLIER = "earlier"  # the period of the rows of another file, with which those of this one are compared
_MOST_SHARE = 0.95  # of the first values of a column of dates or stars
_MOST_GROUP_COLUMNS = 6  # that are found without --by
_MOST_GROUPS, _ROWS_PER_GROUP, _LONGEST_GROUP = 30, 5, 60
_RARE = 3  # rows of a value, such as a person; if most values have no more, they are no groups


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
        self._kept: dict[Any, tuple[float, int, Review]] = {}
        self._worst = np.inf

    def add(self, keys: Floats, first: int, take: Callable[[int], Review]) -> None:
        """Offer consecutive rows, of which the first one has this number."""
        places = np.flatnonzero(keys < self._worst)
        for place in places[np.argsort(keys[places], kind="stable")].tolist():
            row = take(place)
            name = row.text[:60].casefold() if self._distinct else first + place
            entry = float(keys[place]), first + place, row
            self._kept[name] = min(entry, self._kept.get(name, entry))
        if len(self._kept) > 2 * self._size:
            self._cut()

    def _cut(self) -> None:
        kept = sorted(self._kept.items(), key=itemgetter(1))[: self._size]
        self._kept = dict(kept)
        if len(kept) == self._size:
            self._worst = kept[-1][1][0]

    @property
    def rows(self) -> list[Review]:
        """The rows, in the order of their keys."""
        self._cut()
        return [row for *_, row in self._kept.values()]


@dataclass(frozen=True)
class Columns:
    """The names of the columns that a report reads in addition to the texts.

    :param is_nps: whether the ratings are answers from 0 to 10, see `nps_of`.
    :param more_times: further columns of dates.
    """

    by: tuple[str, ...] = ()
    time: str | None = None
    stars: str | None = None
    is_nps: bool = False
    more_times: tuple[str, ...] = ()

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
    more_times: tuple[str, ...] = ()
    if time is None and dates:
        time = next(filter(_TIME.search, dates), dates[0])
        more_times = tuple(name for name in dates if name != time)
    if not by:
        others = (name for name in free if name not in (*dates, stars) and not is_of_people(name))
        groups = (name for name in others if _are_groups(free[name]))
        by = tuple(groups)[:_MOST_GROUP_COLUMNS]
    return Columns(by, time, stars, is_nps, more_times)


def is_of_people(name: str) -> bool:
    """Return whether a column names people, such as `Guest name`, `assigned_to` or `reviewer.id`."""
    return bool(_PEOPLE.search("".join(filter(str.isalnum, name)).casefold()))


def _are(read: Callable[[str], object], values: Sequence[str]) -> bool:
    """Return whether nearly all values can be read in this way."""
    return sum(map(bool, map(read, values))) >= _MOST_SHARE * len(values)


def _are_groups(values: Sequence[str]) -> bool:
    """Return whether these are few names of many rows, and not only numbers."""
    names = Counter(values)
    limit = min(_MOST_GROUPS, max(1, len(values) // _ROWS_PER_GROUP))
    is_short = max(map(len, names)) <= _LONGEST_GROUP
    are_rare = 2 * sum(rows <= _RARE for rows in names.values()) > len(names)
    return len(names) <= limit and is_short and not are_rare and not all(map(_NUMBER.fullmatch, names))


@lru_cache(1 << 14)
def _mark_of(day: str, label: str | None, since: str) -> str:
    """Return the period of a day and a label as one key."""
    return f"{month_of(day, since)} {label or ''}"


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: the two labels of a model; rows may also be neutral or mixed.
    :param day_first: whether days come first in dates such as 3/4/2025; None: as all dates show.
    :param since: a day on which a period begins; "" for the first day of a month.
    :ivar rows: the number of rows, also of those without a label.
    :ivar by: the periods and labels, as `2026-09 positive`, by the columns of `columns.by`.
    :ivar bins: the number of rows by stars, length, score and label.
    :ivar sample: a random sample of the rows: those with the smallest of random numbers.
    """

    def __init__(
        self, labels: Sequence[str], columns: Columns, day_first: bool | None = None, since: str = ""
    ) -> None:
        if len(labels) != 2:
            hint = "sentcli score --by COLUMN --summary FILE counts other labels"
            raise UsageError(f"a report is for models with two labels, not {len(labels)}; {hint}")
        self.labels, self.columns = (labels[0], NEUTRAL, MIXED, labels[1]), columns
        self.rows, self.by, self._days = 0, Groups(), Groups({_TIME_COLUMN: {}})
        self.bins = np.zeros((len(STARS), len(LENGTHS), _BINS, len(self.labels) + 1), np.int64)
        self._day_first, self._since = day_first, since
        self._number_of = {label: number for number, label in enumerate((*self.labels, None))}
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
        days = [*map(day_of, values.get(columns.time, blank), repeat(self._day_first))]
        by = self._count(labels, days, values)
        read = nps_of if columns.is_nps else stars_of
        stars = np.fromiter(map(read, values.get(columns.stars, blank)), np.int64, len(texts))
        lengths = np.array([len(text) if text else 0 for text in texts], np.int64)
        exact = np.array(scores, np.float64).round(6)  # as files have them; NaN for None
        steps = np.searchsorted(LENGTHS[1:], lengths, "right")
        bins = np.searchsorted(_SCORE_EDGES[1:-1], exact, "right")
        numbers = np.fromiter(map(self._number_of.__getitem__, labels), np.int64, len(texts))
        cells = np.ravel_multi_index((stars, steps, bins, numbers), self.bins.shape)
        self.bins += np.bincount(cells, minlength=self.bins.size).reshape(self.bins.shape)

        def take(place: int) -> Review:
            text, score = texts[place][:_LONGEST_TEXT], float(exact[place])
            rating = 0 if columns.is_nps else int(stars[place])
            groups = tuple(column[place][:LONGEST_VALUE] for column in by.values())
            return Review(text, labels[place], score, groups, days[place], rating)

        is_labeled = numbers < len(self.labels)
        self.sample.add(np.where(is_labeled, self._random.random(len(texts)), np.inf), self.rows, take)
        unsure = np.abs(exact - 0.5)
        against = np.where(_OPINIONS[stars] * (exact - 0.5) < 0, 0.5 - unsure, np.inf)
        late = np.where(lengths < _LONG_ENOUGH, 2.0, 0.0)  # NaN, of rows without a score, is no key
        for shelf, keys in zip(self.shelves.values(), (exact, 1 - exact, unsure, against), strict=True):
            shelf.add(keys + late, self.rows, take)
        self.rows += len(texts)

    def add_earlier(self, labels: Sequence[Any], values: Mapping[Any, Sequence[str]]) -> None:
        """Add rows that are counted only to compare those of `add` with them."""
        self._count(labels, [EARLIER] * len(labels), values)

    def _count(
        self, labels: Sequence[Any], days: Sequence[str], values: Mapping[Any, Sequence[str]]
    ) -> dict[str, Sequence[str]]:
        """Count rows by periods and labels, and return the values of the columns of groups."""
        by = {name: values.get(name, [""] * len(labels)) for name in self.columns.by}
        self.by.add(by, [*map(_mark_of, days, labels, repeat(self._since))])
        self._days.add({_TIME_COLUMN: days}, labels)
        return by

    @property
    def days(self) -> dict[str, Counter[str]]:
        """The labels by day, as it is written."""
        return {day: labels for day, labels in self._days[_TIME_COLUMN].items() if day != OTHERS}

    @cached_property
    def settle(self) -> Callable[[str], str]:
        """Return days as 2025-12-31, once all rows are known."""
        return partial(settle, day_first=order_of(self.days)[0])

    def settled(self, rows: Sequence[Review]) -> list[Review]:
        """Return rows whose days are settled."""
        return [row._replace(day=self.settle(row.day)) for row in rows]
