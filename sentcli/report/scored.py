"""The page of scored rows: shares with intervals, by group, over time and by stars; subjects; reviews."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sentcli.report.collector import EARLIER, LENGTH_BINS, SCORE_BINS, STARS, Collector
from sentcli.report.findings import tables_of, told_of, whole_of
from sentcli.report.page import EXCERPT, fill, shade
from sentcli.report.ratings import NPS
from sentcli.report.subjects import topics_of
from sentcli.report.timeline import find_since, is_since, timeline
from sentcli.scoring.labels import Group
from sentcli.scoring.scorer import Scorer

_UNSURE = SCORE_BINS[6:14].tolist()  # from 0.3 to 0.7
_COLORS = ("neg", "neu", "mix", "pos")  # of the labels; classes of the style
_WEAK, _REPEATED = 0.02, 4  # the share of texts that is worth a warning, and the number of equal ones


def render_scored(
    collected: Collector, scorer: Scorer, names: Mapping[str, str], since: str = "", rejected: int = 0
) -> bytes:
    """Return the page of what was collected.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    :param names: `title` and, of files with which the rows are compared, `earlier`.
    :param since: see `find_since`.
    :param rejected: rows that could not be read.
    """
    figures, colors = figures_of(collected, since), dict(zip(collected.labels, _COLORS, strict=True))
    tables = figures["groups"]
    ends, counts = (collected.labels[0], collected.labels[-1]), figures["all"].labels
    shelves = {name: collected.settled(shelf.rows) for name, shelf in collected.shelves.items()}
    return fill(
        "scored.html.jinja",
        **names,
        model=scorer.bundle.name,
        columns=collected.columns,
        labels=[pair for pair in colors.items() if pair[0] in ends or counts.get(pair[0])],
        colors=colors,
        nps=NPS if collected.columns.is_nps else {},
        rows=collected.rows,
        asked=since,
        rejected=rejected,
        weak=_weak_shares(collected, scorer),
        **figures,
        **topics_of(collected, scorer, figures["since"], tables[0].column if tables else None),
        shelves={
            name: [*zip(rows, shade([row.text for row in rows], scorer, EXCERPT), strict=True)]
            for name, rows in shelves.items()
            if rows
        },
    )


def _weak_shares(collected: Collector, scorer: Scorer) -> dict[str, float]:
    """Return which shares of the sample weaken the page: other languages, cut texts, one text many times."""
    texts = [row.text for row in collected.sample.rows]
    doubts = scorer.count_doubts(texts)
    repeated = max(Counter(texts).values(), default=0)
    counts = {
        "foreign": doubts.other_language,
        "cut": doubts.truncated,
        "repeated": repeated if repeated >= _REPEATED else 0,
    }
    return {name: count / len(texts) for name, count in counts.items() if count > _WEAK * len(texts)}


def figures_of(collected: Collector, asked: str = "") -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template.

    :param asked: the period that is compared, see `find_since`.
    """
    first, *middle, last = collected.labels
    stars, lengths, scores = (
        _margin(collected, axis, names) for axis, names in enumerate((STARS, LENGTH_BINS, SCORE_BINS))
    )
    low, high = (_sum_labels(stars[number] for number in pair) for pair in ((1, 2), (4, 5)))
    days: dict[str, Counter[str]] = {}
    for day, labels in collected.days.items():
        days.setdefault(collected.settle(day), Counter()).update(labels)
    undated, earlier = (days.pop(period, Counter()) for period in ("", EARLIER))
    dated = {day: sum(rows for label, rows in labels.items() if label) for day, labels in days.items()}
    since = "" if earlier else find_since(dated, asked)

    def side_of(period: str) -> bool | None:
        if earlier:
            return period != EARLIER
        day = collected.settle(period)
        return is_since(day, since) if since and day else None

    marks = {f"{day} {label}": rows for day, of in collected.days.items() for label, rows in of.items()}
    whole = whole_of(marks, last, side_of)
    tables = tables_of(collected.by, last, side_of)
    agreement = {"disagree": low[last] + high[first], "agree": low[first] + high[last]}
    return {
        "all": Group.of("", _sum_labels(scores), last),
        "unsure": sum(group.labeled for group in scores if group.value in _UNSURE),
        "bins": [(group, max(collected.labels, key=Counter(group.labels).__getitem__)) for group in scores],
        "lengths": [group for group in lengths if group.labeled],
        "whole": whole if whole.is_compared else None,
        "told": told_of(tables, whole),
        "groups": tables,
        "since": since,
        "time": timeline(days, since, last),
        "undated": undated.total() - undated[""],
        "stars": [group for group in stars[:0:-1] if group.labeled],
        "agree": Group.of("", agreement, "agree"),
        "undecided": sum(labels[label] for labels in (low, high) for label in middle),
    }


def _margin(collected: Collector, axis: int, names: Iterable[str]) -> list[Group]:
    """Return the groups by stars, length or score."""
    others = tuple({0, 1, 2} - {axis})
    counts = collected.bins.sum(axis=others)[:, :-1].tolist()
    return [
        Group.of(name, +Counter(dict(zip(collected.labels, row, strict=True))), collected.labels[-1])
        for name, row in zip(names, counts, strict=True)
    ]


def _sum_labels(groups: Iterable[Group]) -> Counter[str]:
    """Return how many rows of several groups have each label."""
    return sum((Counter(group.labels) for group in groups), Counter())
