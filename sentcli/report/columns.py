"""Find the columns that a report reads in addition to the texts: groups, a date, stars."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sentcli.tables.text_column import find_usual

_STARS = ("stars", "starrating", "reviewstars", "rating", "reviewrating", "ratings", "overall", "score")
_TIME = re.compile(
    r"date|time|day$|month|created|updated|published|posted|(^|_)(at|ts)$|unix|epoch", re.IGNORECASE
)
_DAY = re.compile(r"[12]\d{3}([-/])(0[1-9]|1[0-2])(\1(0[1-9]|[12]\d|3[01]))?(?!\d)")
_SECONDS = range(10**8, 2**32)  # since 1970, of years that reviews have
_NUMBER = re.compile(r"[-+.,\d]+")
_MOST_SHARE = 0.95  # of the first values of a column of dates or stars
_MOST_GROUP_COLUMNS = 3  # that are found without --by
_MOST_GROUPS, _ROWS_PER_GROUP, _LONGEST_GROUP = 30, 5, 60
_CACHED = 1 << 14  # values that are read once


@dataclass(frozen=True)
class Columns:
    """The names of the columns that a report reads in addition to the texts."""

    by: tuple[str, ...] = ()
    time: str | None = None
    stars: str | None = None

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
    stars = find_usual([name for name in free if _are(stars_of, free[name])], _STARS)
    dates = [name for name in free if name != stars and _are(day_of, free[name])]
    # Other numbers look like seconds too.
    dates = [name for name in dates if _TIME.search(name) or not _are(_NUMBER.fullmatch, free[name])]
    if time is None and dates:
        time = next(filter(_TIME.search, dates), dates[0])
    if not by:
        groups = (name for name in free if name not in (*dates, stars) and _are_groups(free[name]))
        by = tuple(groups)[:_MOST_GROUP_COLUMNS]
    return Columns(by, time, stars)


def _are(read: Callable[[str], object], values: Sequence[str]) -> bool:
    """Return whether nearly all values can be read in this way."""
    return sum(map(bool, map(read, values))) >= _MOST_SHARE * len(values)


def _are_groups(values: Sequence[str]) -> bool:
    """Return whether these are few names, and not only numbers."""
    names = {*values}
    limit = min(_MOST_GROUPS, max(1, len(values) // _ROWS_PER_GROUP))
    is_short = max(map(len, names)) <= _LONGEST_GROUP
    return len(names) <= limit and is_short and not all(map(_NUMBER.fullmatch, names))


@lru_cache(_CACHED)
def stars_of(value: str) -> int:
    """Return the nearest whole number of a value from 1 to 5, such as 4.0; 0 for anything else."""
    if not re.fullmatch(r"\s*[1-5]([.,]\d*)?\s*", value):
        return 0
    stars = float(value.replace(",", "."))
    return int(stars + 0.5) if stars <= 5 else 0


@lru_cache(_CACHED)
def day_of(value: str) -> str:
    """Return the day of an ISO date, a timestamp, or a number of seconds or milliseconds since 1970.

    :returns: such as 2024-01-31, or 2024-01 for a month; "" for anything else.
    """
    start = value[:10]  # of milliseconds, the seconds
    if found := _DAY.match(start):
        return found[0].replace("/", "-")
    if start.isdecimal() and int(start) in _SECONDS:
        return date.fromordinal(date(1970, 1, 1).toordinal() + int(start) // 86_400).isoformat()
    return ""
