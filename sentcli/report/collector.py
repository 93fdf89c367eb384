"""Find the columns of a report, and collect what it shows, in memory that does not grow with the rows.

The result depends on the rows and their order alone, not on the ends of chunks.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sentcli.errors import UsageError
from sentcli.report.ratings import find_rating, may_be_nps, nps_of, stars_of
from sentcli.scoring.dates import day_of, month_of, order_of, settle
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import LONGEST_VALUE, NEUTRAL, Groups

_SCORE_EDGES = np.arange(1, 20) / 20
SCORE_BINS = [f"{step / 20:.2f} to {(step + 1) / 20:.2f}" for step in range(20)]
LENGTHS = (1, 100, 250, 500, 1000, 2000)  # characters; where each slice begins
LENGTH_BINS = [*(f"{start} to {stop - 1}" for start, stop in pairwise(LENGTHS)), f"{LENGTHS[-1]} or more"]
_LONGEST_TEXT = 4_000  # characters that are kept
SAMPLE_SIZE, _SEED = 5_000, 20_261_201

_TIME = re.compile(
    r"date|time|day$|month|created|updated|published|posted|(^|_)(at|ts)$|unix|epoch", re.IGNORECASE
)
# With the letters of a name alone; not: guest type, customer country, hotel name.
_NOUNS, _VERBS = Path(__file__).with_name("people.txt").read_text("utf-8").replace(" ", "|").splitlines()
_PEOPLE = re.compile(
    rf"({_NOUNS})s?(name|id|no|nr|number|handle|email|mail|phone)?s?$|({_VERBS})(by|to)$|"
    "e?mail(address)?$|phone$"
)
_WHOLE = re.compile(r"\d+([.,]\d+)?")
_NUMBER = re.compile(r"[-+.,\d]+")
_MOST_SHARE = 0.95  # of the first values of a column of dates or stars
_MOST_GROUP_COLUMNS = 6  # that are found without --by
_MOST_GROUPS, _ROWS_PER_GROUP, _LONGEST_GROUP = 30, 5, 60
_RARE = 3  # rows of a value, such as a person; if most values have no more, they are no groups


Values = Mapping[Any, Sequence[str]]  # of rows, by the names of their columns


class Review(NamedTuple):
    """A row that a report may show. Without a day it has "", without stars 0."""

    text: str
    label: str
    score: float
    groups: tuple[str, ...]
    day: str
    stars: int


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
    dates.sort(key=lambda name: not _TIME.search(name))
    times = tuple(dates) if time is None else (time,)
    if not by:
        others = (name for name in free if name not in (*dates, stars) and not is_of_people(name))
        groups = (name for name in others if _are_groups(free[name]))
        by = tuple(groups)[:_MOST_GROUP_COLUMNS]
    return Columns(by, next(iter(times), None), stars, is_nps, times[1:])


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
    """Return the month and the label of a row; of a day in the month of `since`, the day."""
    return f"{month_of(day, since)} {label or ''}"


class Collector:
    """Collects the figures and the rows of a report.

    :param labels: the two labels of a model; rows may also be neutral or mixed.
    :param day_first: whether days come first in dates such as 3/4/2025; None: as all dates show.
    :param since: a day on which a period begins; "" for the first day of a month.
    :ivar rows: the number of rows, also of those without a label.
    :ivar by: the periods and labels, as `2026-09 positive`, by the columns of `columns.by`.
    :ivar counts: the labels by day, as it is written, and by stars, length and score.
    """

    def __init__(
        self, labels: Sequence[str], columns: Columns, day_first: bool | None = None, since: str = ""
    ) -> None:
        if len(labels) != 2:
            hint = "sentcli score --by COLUMN --summary FILE counts other labels"
            raise UsageError(f"a report is for models with two labels, not {len(labels)}; {hint}")
        self.labels, self.columns = (labels[0], NEUTRAL, MIXED, labels[1]), columns
        self.rows, self.by, self.counts = 0, Groups(), Groups(day={}, stars={}, length={}, score={})
        self._day_first, self._since = day_first, since
        self._random = np.random.default_rng(_SEED)
        self._sample: list[tuple[float, int, Review]] = []  # with their random numbers and their places

    def add(self, texts: Sequence[Any], labels: Sequence[Any], scores: Sequence[Any], values: Values) -> None:
        """Add consecutive rows.

        :param texts, labels, scores: as of `Scores`; None for an empty text.
        :param values: for each of `columns.names`, one value per row; "" where it is missing.
        """
        columns, blank = self.columns, [""] * len(texts)
        days = [day_of(date, self._day_first) for date in values.get(columns.time, blank)]
        stars = [*map(nps_of if columns.is_nps else stars_of, values.get(columns.stars, blank))]
        exact = np.array(scores, np.float64).round(6)  # as files have them; NaN for None
        lengths = np.searchsorted(LENGTHS[1:], [len(text or "") for text in texts], "right")
        steps = np.searchsorted(_SCORE_EDGES, exact, "right")
        slices = {"length": np.array(LENGTH_BINS)[lengths], "score": np.array(SCORE_BINS)[steps]}
        self.counts.add({name: names.tolist() for name, names in slices.items()}, labels)
        self.counts.add({"day": days, "stars": [*map(str, stars)]}, labels)
        marks = [_mark_of(day, label, self._since) for day, label in zip(days, labels, strict=True)]
        self.by.add({name: values[name] for name in columns.by}, marks)

        keys = np.where(np.isnan(exact), np.inf, self._random.random(len(texts)))
        largest = self._sample[-1][0] if len(self._sample) == SAMPLE_SIZE else np.inf
        for place in np.flatnonzero(keys < largest).tolist():
            groups = tuple(values[name][place][:LONGEST_VALUE] for name in columns.by)
            scored = texts[place][:_LONGEST_TEXT], labels[place], float(exact[place])
            row = Review(*scored, groups, days[place], stars[place])
            self._sample.append((float(keys[place]), self.rows + place, row))
        self._sample = sorted(self._sample)[:SAMPLE_SIZE]
        self.rows += len(texts)

    @cached_property
    def settle(self) -> Callable[[str], str]:
        """Return days as 2025-12-31, once all rows are known."""
        return partial(settle, day_first=order_of(self.counts["day"])[0])

    @property
    def sample(self) -> list[Review]:
        """A random sample of the rows with a score: those with the smallest random numbers."""
        return [row._replace(day=self.settle(row.day)) for *_, row in self._sample]
