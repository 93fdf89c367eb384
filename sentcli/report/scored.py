"""The page of scored rows: shares with intervals, by group, over time and by stars; topics; reviews."""

import calendar
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sentcli.report.collector import LENGTH_BINS, SCORE_BINS, STARS, Collector, Review
from sentcli.report.page import EXCERPT, fill, shade
from sentcli.report.ratings import NPS
from sentcli.report.topics import Card, topics_of
from sentcli.scoring.dates import order_of, settle
from sentcli.scoring.labels import OTHERS, Group, groups_by_column
from sentcli.scoring.scorer import Scorer

_MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_UNSURE = SCORE_BINS[6:14].tolist()  # from 0.3 to 0.7
_COLORS = ("neg", "neu", "mix", "pos")  # of the labels; classes of the style


def render_scored(collected: Collector, scorer: Scorer, title: str) -> bytes:
    """Return the page of what was collected.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    """
    figures, colors = figures_of(collected), dict(zip(collected.labels, _COLORS, strict=True))
    ends, counts = (collected.labels[0], collected.labels[-1]), figures["all"].labels
    return fill(
        "scored.html.jinja",
        title=title,
        model=scorer.bundle.name,
        columns=collected.columns,
        labels=[pair for pair in colors.items() if pair[0] in ends or counts.get(pair[0])],
        colors=colors,
        nps=NPS if collected.columns.is_nps else {},
        rows=collected.rows,
        other_language=collected.other_language,
        **figures,
        **topics_of(collected, scorer),
        shelves={
            name: _cards(collected.settled(shelf.rows), scorer)
            for name, shelf in collected.shelves.items()
            if shelf.rows
        },
    )


def _cards(rows: Sequence[Review], scorer: Scorer) -> list[Card]:
    """Return rows, each with its text as it is shown."""
    return [*zip(rows, shade([row.text for row in rows], scorer, EXCERPT), strict=True)]


def figures_of(collected: Collector) -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template."""
    first, *_, last = collected.labels
    counts, by = (groups_by_column(rows, last) for rows in (collected.counts, collected.by))
    days, stars, lengths, scores = (
        {group.value: group for group in counts.get(column, ()) if group.labeled}
        for column in ("day", "stars", "length", "score")
    )
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
        "groups": [table for table in map(_table, by, by.values()) if len(table["rows"]) > 1],
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
    rows = [group for group in groups if group.value != OTHERS]
    kept = sorted(rows[:_MOST_GROUPS], key=lambda group: (-(group.share or 0.0), group.value))
    rest = sum(group.rows for group in groups if group.value == OTHERS)
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": rest}


def _time(days: Mapping[str, Group], label: str) -> list[Group]:
    """Return the figures by day, month or year; rows without a date do not count."""
    day_first, _ = order_of(days)
    settled = {day: settle(day, day_first=day_first) for day in days.keys() - {"", OTHERS}}
    dated, months = {*settled.values()}, {day[:7] for day in settled.values()}
    size = 10 if len(dated) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    spans = groupby(sorted(settled, key=settled.__getitem__), lambda day: settled[day][:size])
    return [Group.of(_written(name), _sum_labels(map(days.__getitem__, span)), label) for name, span in spans]


def _written(date: str) -> str:
    """Return a day, month or year as people write it."""
    year, month, day = [*map(int, date.split("-")), 0, 0][:3]
    return f"{day or ''} {calendar.month_abbr[month]} {year}".strip()
