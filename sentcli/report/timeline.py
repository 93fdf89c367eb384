"""The share of a label over time: days, weeks, months, quarters or years at their places, gaps as gaps."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sentcli.report.changes import is_since
from sentcli.scoring.labels import Group

# The days of a span, and how many spans a chart has at most; a longer time has longer spans.
_SPANS = {
    "day": (1, 62),
    "week": (7, 30),
    "month": (30.4, 60),
    "quarter": (91.3, 60),
    "year": (365.25, 10_000),
}
_OF_MONTHS = ("month", "quarter", "year")
_MONTH = len("2025-04")  # characters of a month without a day
_TICKS = 5


def timeline(days: Mapping[str, Mapping[str, int]], since: str, label: str) -> dict[str, Any] | None:
    """Return the points of a chart, and where its period and its ticks are, from 0 to 1; None for one point.

    :param days: the labels by day or month.
    :param since: the first day of the period; "" without one.
    """
    dated = sorted(day for day, labels in days.items() if any(filter(None, labels)))
    length = (_first_day(dated[-1]) - _first_day(dated[0])).days + 1 if dated else 0
    spans = _OF_MONTHS if any(len(day) == _MONTH for day in dated) else _SPANS
    span = next(name for name in spans if length <= _SPANS[name][0] * _SPANS[name][1])
    groups: dict[date, Counter[str]] = {}
    for day in dated:
        groups.setdefault(_start_of(_first_day(day), span), Counter()).update(days[day])
    if len(groups) < 2:
        return None
    begin, width = min(groups), _SPANS[span][0]
    whole = (max(groups) - begin).days + width

    def place(start: date, shift: float = width / 2) -> float:
        return ((start - begin).days + shift) / whole

    ticks = {_start_of(begin + timedelta(int(whole * step / _TICKS)), span) for step in range(_TICKS)}
    return {
        "span": span,
        "points": [
            (place(start), Group.of(_written(start, span), labels, label), is_since(str(start), since or "9"))
            for start, labels in groups.items()
        ],
        "since": place(_first_day(since), 0) if since else None,
        "ticks": [(place(tick), _written(tick, span)) for tick in sorted({*ticks, max(groups)})],
    }


def _first_day(day: str) -> date:
    return date.fromisoformat(f"{day}-01"[:10])


def _start_of(day: date, span: str) -> date:
    """Return the first day of the span of a day."""
    if span == "week":
        return day - timedelta(min(day.weekday(), day.toordinal() - 1))
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1}.get(span, 1)
    return day if span == "day" else day.replace(month=month, day=1)


def _written(start: date, span: str) -> str:
    """Return a span as people write it; a week is its first day."""
    quarter = f"Q{(start.month + 2) // 3} {start.year}"
    names = {"year": f"{start.year}", "quarter": quarter, "month": f"{start:%b} {start.year}"}
    return names.get(span, f"{start.day} {start:%b} {start.year}")


def written(day: str) -> str:
    """Return the first day of a period as people write it: a month, if it is the first day of one."""
    start = _first_day(day)
    return f"{start.day if start.day > 1 else ''} {start:%B} {start.year}".strip()
