"""The figures of a page of scored rows: shares with their intervals, by group, over time and by stars."""

import calendar
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sentcli.report.collector import LENGTH_BINS, SCORE_BINS, STARS, Collector
from sentcli.scoring.labels import OTHERS, Group, groups_by_column

_MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_UNSURE = SCORE_BINS[6:14]  # from 0.3 to 0.7


def figures_of(collected: Collector) -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template."""
    first, *_, last = collected.labels
    counts, by = (groups_by_column(rows, last) for rows in (collected.counts, collected.by))
    days, stars, lengths, scores = (
        {group.value: group for group in counts.get(column, ()) if group.labeled}
        for column in ("day", "stars", "length", "score")
    )
    tables = [_table(column, groups) for column, groups in by.items()]
    bins = [scores.get(name, Group.of(name, {}, last)) for name in SCORE_BINS]
    low, high = (_sum_labels(stars[star] for star in pair if star in stars) for pair in ("12", "45"))
    agreement = {"disagree": low[last] + high[first], "agree": low[first] + high[last]}
    everyone, time = Group.of("", _sum_labels(bins), last), _time(days, last)
    half = len(time) // 2
    return {
        "all": everyone,
        "unsure": sum(group.labeled for group in bins if group.value in _UNSURE) / max(1, everyone.labeled),
        "bins": [(group, max(collected.labels, key=Counter(group.labels).__getitem__)) for group in bins],
        "lengths": [lengths[name] for name in LENGTH_BINS if name in lengths],
        "groups": [table for table in tables if len(table["rows"]) > 1],
        "time": time if len(time) > 1 else [],
        "halves": [Group.of("", _sum_labels(part), last) for part in (time[:half], time[half:])],
        "stars": [stars[star] for star in STARS[:0:-1] if star in stars],
        "agree": Group.of("", agreement, "agree"),
    }


def _sum_labels(groups: Iterable[Group]) -> Counter[str]:
    """Return how many rows of several groups have each label."""
    return sum((Counter(group.labels) for group in groups), Counter())


def _table(column: str, groups: Iterable[Group]) -> dict[str, Any]:
    """Return the largest groups of a column, the highest share first."""
    rows = [group for group in groups if group.labeled and group.value != OTHERS]
    rows.sort(key=lambda group: -group.labeled)
    kept = sorted(rows[:_MOST_GROUPS], key=lambda group: (-(group.share or 0.0), group.value))
    rest = sum(group.labeled for group in groups if group.value == OTHERS)
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": rest}


def _time(days: Mapping[str, Group], label: str) -> list[Group]:
    """Return the figures by day, month or year; rows without a date do not count."""
    dated = sorted(days.keys() - {"", OTHERS})
    months = {day[:7] for day in dated}
    size = 10 if len(dated) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    spans: dict[str, list[Group]] = {}
    for day in dated:
        spans.setdefault(day[:size], []).append(days[day])
    return [Group.of(_written(name), _sum_labels(span), label) for name, span in spans.items()]


def _written(date: str) -> str:
    """Return a day, month or year as people write it."""
    year, *rest = date.split("-")
    month = [calendar.month_abbr[int(rest[0])]] if rest else []
    return " ".join([*(f"{int(day)}" for day in rest[1:]), *month, year])
