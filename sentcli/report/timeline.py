"""Time in a report: the period that is compared with the time before it, and the chart."""

from collections.abc import Mapping
from datetime import date
from itertools import accumulate
from typing import Any

import numpy as np

from sentcli.scoring.dates import MONTHS, by_span, span_of, written
from sentcli.scoring.labels import Group

_SPANS = (3, 1)  # months of the period, unless the user names another
_FEWEST, _MOST_SHARE = 30, 1 / 3  # rows of the period
_STRAY = 1 / 1000  # of the rows: as many may be later than the last month, by mistyped dates
_LAST_DAYS = "25"  # a month is full if it has a row from this day on
_LONGEST = {"day": 62, "week": 210, "month": 1_826, "quarter": 5_478, "year": 10**7}  # days of a chart
_TICKS = 5


def find_since(days: Mapping[str, int], asked: str) -> str:
    """Return the first day of the period that is compared with the time before it; "" if there is none.

    :param days: the number of rows of each day.
    :param asked: a day, or a number of full months or years such as 3m or 1y; "" for the last three full
        months or the last one, the first of them that has enough rows.
    """
    total, latest = sum(days.values()), sorted(days, reverse=True)
    later = accumulate(days[day] for day in latest)  # rows from each day on
    last = next((day for day, rows in zip(latest, later, strict=True) if rows > _STRAY * total), "0001-01")
    span = MONTHS.fullmatch(asked)
    sizes = (int(span[1]) * (12 if span[2] == "y" else 1),) if span else _SPANS
    first = np.datetime64(last[:7]) + (last[8:] >= _LAST_DAYS or not last[8:])  # month after the full ones
    for since in [asked] if asked and not span else [f"{first - size}-01" for size in sizes]:
        rows = sum(count for day, count in days.items() if is_since(day, since))
        if 0 < rows < total if asked else _FEWEST <= rows <= _MOST_SHARE * total:
            return since
    return ""


def is_since(day: str, since: str) -> bool:
    """Return whether a day, or the first day of a month, is not before a day."""
    return f"{day}-01"[:10] >= since


def timeline(days: Mapping[str, Mapping[str, int]], since: str, label: str) -> dict[str, Any] | None:
    """Return the points of a chart, and where its period and its ticks are, from 0 to 1; None for one point.

    A point is at its first day with rows.

    :param days: the labels by day or month.
    :param since: the first day of the period; "" without one.
    """
    dated = {day: labels for day, labels in sorted(days.items()) if any(filter(None, labels))}
    numbers = {day: _number(day) for day in dated}
    first, last = (end(numbers.values(), default=0) for end in (min, max))
    names = [*_LONGEST]
    if any(len(day) == len("2025-04") for day in dated):
        names = names[names.index("month") :]
    span = next(name for name in names if last - first < _LONGEST[name])
    groups, starts = by_span(dated, span), {span_of(day, span): numbers[day] for day in reversed(dated)}
    if len(groups) < 2:
        return None

    def place(number: float) -> float:
        return (number - first) / (last - first)

    scale = span if span in ("day", "year") else "month"
    ticks = [first + (last - first) * step // _TICKS for step in range(_TICKS + 1)]
    return {
        "span": span,
        "points": [
            (place(starts[name]), Group.of(written(name), labels, label)) for name, labels in groups.items()
        ],
        "since": place(_number(since)) if since else None,
        "ticks": {written(span_of(str(date.fromordinal(tick)), scale)): place(tick) for tick in ticks},
    }


def _number(day: str) -> int:
    """Return the number of a day, or of the first day of a month."""
    return date.fromisoformat(f"{day}-01"[:10]).toordinal()
