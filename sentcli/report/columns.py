"""Find the columns that a report reads in addition to the texts: groups, a date, stars."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentcli.tables.text_column import find_usual

_STARS = (
    "stars",
    "starrating",
    "reviewstars",
    "rating",
    "reviewrating",
    "ratings",
    "overall",
    "score",
    "note",
)
_TIME = re.compile(r"date|time|day$|month|created|updated|published|posted|_at$|^at$", re.IGNORECASE)
_DAY = re.compile(r"[12]\d{3}([-/])(0[1-9]|1[0-2])(\1(0[1-9]|[12]\d|3[01]))?(?!\d)")
_MOST_GROUP_COLUMNS = 3  # that are found alone
_MOST_GROUPS, _ROWS_PER_GROUP, _LONGEST_GROUP = 30, 5, 60
_DAY_SECONDS, _FIRST_SECOND, _FIRST_MILLISECOND = 86_400, 10**8, 10**11


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
    stars = find_usual([name for name in free if all(map(stars_of, free[name]))], _STARS)
    dates = [name for name in free if name != stars and all(days_of(free[name]))]
    if time is None and dates:
        time = next((name for name in dates if _TIME.search(name)), dates[0])
    if not by:
        others = (name for name in free if name not in (*dates, stars) and _are_groups(free[name]))
        by = tuple(others)[:_MOST_GROUP_COLUMNS]
    return Columns(by, time, stars)


def _are_groups(values: Sequence[str]) -> bool:
    """Return whether these are few names, and not only numbers."""
    names = {*values}
    is_short = max(map(len, names)) <= _LONGEST_GROUP
    is_few = len(names) <= min(_MOST_GROUPS, max(1, len(values) // _ROWS_PER_GROUP))
    return is_short and is_few and not all(re.fullmatch(r"[-+.,\d]+", name) for name in names)


def stars_of(value: str) -> int:
    """Return the whole stars of a value from 1 to 5, such as 4.0; 0 for anything else."""
    match = re.fullmatch(r"([1-5])([.,]\d*)?", value.strip())
    stars = float(value.strip().replace(",", ".")) if match else 0.0
    return int(stars + 0.5) if stars <= 5 else 0


def days_of(values: Sequence[str]) -> list[str]:
    """Return the day of each ISO date, timestamp, or number of seconds or milliseconds since 1970.

    :returns: such as 2024-01-31, or 2024-01 for a month; "" for anything else.
    """
    if not all(value[:2].isdecimal() and value[4:5] in "-/" for value in values):
        values = _from_seconds(values)
    return [_day(value[:10]) for value in values]


def _from_seconds(values: Sequence[str]) -> list[str]:
    """Return dates in place of numbers."""
    numbers = np.zeros(len(values), np.int64)
    for place, value in enumerate(values):
        whole = value.partition(".")[0]
        if whole.isdecimal() and len(whole) <= len(str(_FIRST_MILLISECOND)) + 1:
            numbers[place] = int(whole)
    numbers[numbers >= _FIRST_MILLISECOND] //= 1000
    days = (numbers // _DAY_SECONDS).astype("datetime64[D]").astype(str).tolist()
    is_number = (numbers >= _FIRST_SECOND).tolist()
    return [day if known else value for value, day, known in zip(values, days, is_number, strict=True)]


def _day(start: str) -> str:
    found = _DAY.match(start)
    return found[0].replace("/", "-") if found else ""
