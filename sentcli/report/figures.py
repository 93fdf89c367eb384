"""The figures of a page: shares of rows with their intervals, by group, over time and by stars."""

import calendar
from collections.abc import Mapping
from typing import Any

import numpy as np

from sentcli.report.collector import BINS, LENGTHS, Collector, Numbers, Tally
from sentcli.scoring.groups import wilson_interval

Share = dict[str, Any]

_MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_UNSURE = slice(round(0.3 * BINS), round(0.7 * BINS))  # bins of scores


def share(name: str, counts: Numbers) -> Share:
    """Return the counts of rows, and the share of those with the last label with its 95 % interval."""
    rows, own = int(counts.sum()), int(counts[-1])
    low, high = wilson_interval(own, rows) if rows else (0.0, 1.0)
    part = own / max(1, rows)
    return {"name": name, "rows": rows, "counts": counts.tolist(), "share": part, "low": low, "high": high}


def figures_of(collected: Collector) -> dict[str, Any]:
    """Return the figures of what was collected, by the names that the template has for them."""
    columns, tallies, by_score = collected.columns, collected.by_column, collected.by_score
    groups = [_groups(name, tallies[name]) for name in columns.by]
    time = _time(tallies[columns.time].counts) if columns.time is not None else []
    bins = [(f"{place / BINS:.2f} to {(place + 1) / BINS:.2f}", of) for place, of in enumerate(by_score)]
    ends = [f"to {stop - 1}" for stop in LENGTHS[1:]] + ["or more"]
    lengths = [f"{start} {end}" for start, end in zip(LENGTHS, ends, strict=True)]
    return {
        "all": share("", by_score.sum(axis=0)),
        "unsure": float(by_score[_UNSURE].sum() / max(1, by_score.sum())),
        "bins": [share(name, of) | {"main": collected.labels[of.argmax()]} for name, of in bins],
        "lengths": [share(*of) for of in zip(lengths, collected.by_length, strict=True) if of[1].any()],
        "groups": [table for table in groups if len(table["rows"]) > 1],
        "time": time if len(time) > 1 else [],
        "stars": _stars(tallies[columns.stars].counts, collected) if columns.stars is not None else None,
    }


def total(shares: list[Share]) -> Share:
    """Return several shares as one."""
    return share("", np.sum([of["counts"] for of in shares], axis=0))


def _groups(column: str, tally: Tally) -> dict[str, Any]:
    rows = [share(name, counts) for name, counts in tally.counts.items()]
    rows.sort(key=lambda row: -row["rows"])
    kept = sorted(rows[:_MOST_GROUPS], key=lambda row: (-row["share"], row["name"]))
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": tally.others}


def _time(by_day: Mapping[str, Numbers]) -> list[Share]:
    """Return the figures by day, month or year; rows without a date do not count."""
    days = {day: counts for day, counts in by_day.items() if day}
    months = {day[:7] for day in days}
    size = 10 if len(days) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    sums: dict[str, Numbers] = {}
    for day, counts in days.items():
        sums[day[:size]] = sums.get(day[:size], 0) + counts
    return [share(_spelled(name), sums[name]) for name in sorted(sums)]


def _spelled(date: str) -> str:
    """Return a day, month or year as people write it."""
    year, *rest = date.split("-")
    month = [calendar.month_abbr[int(rest[0])]] if rest else []
    return " ".join([*(f"{int(day)}" for day in rest[1:]), *month, year])


def _stars(counts: Mapping[str, Numbers], collected: Collector) -> dict[str, Any]:
    """Return the figures by stars, and how many rows have the label of their stars."""
    nothing = np.zeros(len(collected.labels), np.int64)
    low, high = (sum((counts.get(stars, nothing) for stars in pair), nothing) for pair in ("12", "45"))
    agree = np.array([low[-1] + high[0], low[0] + high[-1]] if collected.is_scale else [0, 0])
    rows = [share(stars, counts[stars]) for stars in "54321" if stars in counts]
    return {"rows": rows, "agree": share("", agree)}
