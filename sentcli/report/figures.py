"""The figures of a page: shares of rows with their intervals, by group, over time and by stars."""

import calendar
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sentcli.report.collector import BINS, LENGTHS, Collector, Tally
from sentcli.scoring.groups import wilson_interval

Share = dict[str, Any]

MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_UNSURE = slice(round(0.3 * BINS), round(0.7 * BINS))  # bins of scores


def share(name: str, counts: Sequence[int]) -> Share:
    """Return the counts of rows, and the share of those with the last label with its 95 % interval."""
    rows, own = sum(counts), counts[-1]
    low, high = wilson_interval(own, rows) if rows else (0.0, 1.0)
    part = own / max(1, rows)
    return {"name": name, "rows": rows, "counts": counts, "share": part, "low": low, "high": high}


def accuracy(name: str, part: Mapping[str, Any]) -> Share:
    """Return an accuracy with its interval as a template shows a share."""
    low, high = part["accuracy_interval"] or (0.0, 1.0)
    shown = part["accuracy"] or 0.0
    return {"name": name, "rows": part.get("examples"), "share": shown, "low": low, "high": high}


def accuracy_by_confidence(figures: Mapping[str, Any]) -> list[Share]:
    """Return the accuracies of bins of confidence; models of earlier versions have none in their metrics."""
    parts = figures.get("by_confidence", ())
    return [accuracy(f"{part['low']:.2f} to {part['high']:.2f}", part) for part in parts]


def figures_of(collected: Collector) -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template."""
    by_score, (low, *_, high) = collected.by_score, collected.by_stars.T
    ends = [f"to {stop - 1}" for stop in LENGTHS[1:]] + ["or more"]
    lengths = [f"{start} {end}" for start, end in zip(LENGTHS, ends, strict=True)]
    *tallies, days = collected.tallies
    groups, time = [*map(_groups, collected.columns.by, tallies)], _time(days)
    disagree, agree = high[1:3].sum() + low[4:].sum(), low[1:3].sum() + high[4:].sum()
    return {
        "all": share("", by_score.sum(axis=0).tolist()),
        "unsure": float(by_score[_UNSURE].sum() / max(1, by_score.sum())),
        "bins": by_score.tolist(),
        "lengths": [of for of in map(share, lengths, collected.by_length.tolist()) if of["rows"]],
        "groups": [table for table in groups if len(table["rows"]) > 1],
        "time": time if len(time) > 1 else [],
        "stars": [of for of in map(share, "54321", collected.by_stars[:0:-1].tolist()) if of["rows"]],
        "agree": share("", [int(disagree), int(agree)]),
    }


def total(shares: Sequence[Share]) -> Share:
    """Return several shares as one."""
    return share("", [*map(sum, zip(*(of["counts"] for of in shares), strict=True))])


def _groups(column: str, tally: Tally) -> dict[str, Any]:
    found = [row for row in map(share, tally, tally.counts.tolist()) if row["rows"]]
    rows = sorted(found, key=lambda row: -row["rows"])
    kept = sorted(rows[:MOST_GROUPS], key=lambda row: (-row["share"], row["name"]))
    others = int(tally.counts[-1].sum())
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": others}


def _time(tally: Tally) -> list[Share]:
    """Return the figures by day, month or year; rows without a date do not count."""
    days = [day for day, number in tally.items() if day and tally.counts[number].any()]
    months = {day[:7] for day in days}
    size = 10 if len(days) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    sums = {day[:size]: np.zeros(tally.counts.shape[1], np.int64) for day in sorted(days)}
    for day in days:
        sums[day[:size]] += tally.counts[tally[day]]
    return [share(_spelled(name), counts.tolist()) for name, counts in sums.items()]


def _spelled(date: str) -> str:
    """Return a day, month or year as people write it."""
    year, *rest = date.split("-")
    month = [calendar.month_abbr[int(rest[0])]] if rest else []
    return " ".join([*(f"{int(day)}" for day in rest[1:]), *month, year])
