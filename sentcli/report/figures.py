"""The figures of a page: shares of rows with their intervals, by group, over time and by stars."""

import calendar
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sentcli.report.collector import BINS, DAYS, LENGTHS, LONGEST_VALUE, Collector
from sentcli.scoring.groups import OTHERS, wilson_interval

Share = dict[str, Any]

_MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_UNSURE = slice(round(0.3 * BINS), round(0.7 * BINS))  # bins of scores


def share(name: str, counts: Sequence[int]) -> Share:
    """Return the counts of rows, and the share of those with the last label with its 95 % interval."""
    rows = sum(counts)
    low, high = wilson_interval(counts[-1], rows) if rows else (0.0, 1.0)
    return {
        "name": name,
        "rows": rows,
        "counts": counts,
        "share": counts[-1] / max(1, rows),
        "low": low,
        "high": high,
    }


def figures_of(collected: Collector) -> dict[str, Any]:
    """Return the figures of what was collected, by the names that the template has for them."""
    by_score, (low, *_, high) = collected.by_score, collected.by_stars.T
    bins = [f"{place / BINS:.2f} to {(place + 1) / BINS:.2f}" for place in range(BINS)]
    ends = [f"to {stop - 1}" for stop in LENGTHS[1:]] + ["or more"]
    lengths = [f"{start} {end}" for start, end in zip(LENGTHS, ends, strict=True)]
    groups = [_groups(name, counts, collected.labels) for name, counts in collected.groups.items()]
    time = _time(collected.days.get(DAYS, {}), collected.labels)
    disagree, agree = high[1:3].sum() + low[4:].sum(), low[1:3].sum() + high[4:].sum()
    return {
        "all": share("", by_score.sum(axis=0).tolist()),
        "unsure": float(by_score[_UNSURE].sum() / max(1, by_score.sum())),
        "bins": [*map(share, bins, by_score.tolist())],
        "lengths": [of for of in map(share, lengths, collected.by_length.tolist()) if of["rows"]],
        "groups": [table for table in groups if len(table["rows"]) > 1],
        "time": time if len(time) > 1 else [],
        "stars": [of for of in map(share, "54321", collected.by_stars[:0:-1].tolist()) if of["rows"]],
        "agree": share("", [int(disagree), int(agree)]),
    }


def total(shares: Sequence[Share]) -> Share:
    """Return several shares as one."""
    return share("", [*map(sum, zip(*(of["counts"] for of in shares), strict=True))])


def _groups(column: str, by_value: Mapping[str, Counter[str]], labels: Sequence[str]) -> dict[str, Any]:
    named = {value: counts for value, counts in by_value.items() if value != OTHERS}
    rows = [share(name[:LONGEST_VALUE], [of[label] for label in labels]) for name, of in named.items()]
    rows.sort(key=lambda row: -row["rows"])
    kept = sorted(rows[:_MOST_GROUPS], key=lambda row: (-row["share"], row["name"]))
    others = sum(by_value.get(OTHERS, {}).values())
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": others}


def _time(by_day: Mapping[str, Counter[str]], labels: Sequence[str]) -> list[Share]:
    """Return the figures by day, month or year; rows without a date do not count."""
    days = {day: counts for day, counts in by_day.items() if day not in ("", OTHERS)}
    months = {day[:7] for day in days}
    size = 10 if len(days) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    sums: dict[str, Counter[str]] = {}
    for day, counts in days.items():
        sums.setdefault(day[:size], Counter()).update(counts)
    return [share(_spelled(name), [sums[name][label] for label in labels]) for name in sorted(sums)]


def _spelled(date: str) -> str:
    """Return a day, month or year as people write it."""
    year, *rest = date.split("-")
    month = [calendar.month_abbr[int(rest[0])]] if rest else []
    return " ".join([*(f"{int(day)}" for day in rest[1:]), *month, year])
