"""The page of scored rows: shares with intervals, by group, over time and by stars; topics; reviews."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sentcli.report.changes import change_of_all, find_since, split
from sentcli.report.collector import EARLIER, LENGTH_BINS, SCORE_BINS, STARS, Collector, Review
from sentcli.report.groups import tables_of
from sentcli.report.lead import lead_of
from sentcli.report.page import EXCERPT, fill, shade
from sentcli.report.ratings import NPS
from sentcli.report.timeline import timeline, written
from sentcli.report.topics import Card, topics_of
from sentcli.scoring.dates import order_of, settle
from sentcli.scoring.labels import OTHERS, Group
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
    ends, counts = (collected.labels[0], collected.labels[-1]), figures["all"].labels
    heading, sentences = lead_of(figures, ends[1], names)
    return fill(
        "scored.html.jinja",
        **names,
        heading=heading,
        sentences=sentences,
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
        **topics_of(collected, scorer, figures["since_day"]),
        shelves={
            name: _cards(collected.settled(shelf.rows), scorer)
            for name, shelf in collected.shelves.items()
            if shelf.rows
        },
    )


def _weak_shares(collected: Collector, scorer: Scorer) -> dict[str, float]:
    """Return which shares of the sample weaken the page: other languages, cut texts, one text many times."""
    texts = [row.text for row in collected.sample.rows]
    doubts, (_, repeated) = scorer.count_doubts(texts), Counter(texts).most_common(1)[0] if texts else ("", 0)
    counts = {
        "foreign": (doubts.other_language, 1),
        "cut": (doubts.truncated, 1),
        "repeated": (repeated, _REPEATED),
    }
    least = _WEAK * len(texts)
    return {
        name: count / len(texts) if count >= max(few, least) else 0.0 for name, (count, few) in counts.items()
    }


def _cards(rows: Sequence[Review], scorer: Scorer) -> list[Card]:
    """Return rows, each with its text as it is shown."""
    return [*zip(rows, shade([row.text for row in rows], scorer, EXCERPT), strict=True)]


def figures_of(collected: Collector, asked: str = "") -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template.

    :param asked: the period that is compared, see `find_since`.
    """
    first, *middle, last = collected.labels
    stars, lengths, scores = (_margin(collected, place, last) for place in range(3))
    bins = [scores.get(name, Group.of(name, {}, last)) for name in SCORE_BINS]
    low, high = (_sum_labels(stars[star] for star in pair if star in stars) for pair in ("12", "45"))
    everyone = Group.of("", _sum_labels(bins), last)
    written_days = {day: labels for day, labels in collected.counts["day"].items() if day != OTHERS}
    day_first, _ = order_of(written_days)
    days: dict[str, Counter[str]] = {}
    for day, labels in written_days.items():
        days.setdefault(settle(day, day_first=day_first), Counter()).update(labels)
    undated, earlier = (days.pop(period, Counter()) for period in ("", EARLIER))
    since = "" if earlier else find_since({day: _labeled(labels) for day, labels in days.items()}, asked)
    compare = partial(split, since=since, label=last, day_first=day_first) if since or earlier else None
    marks = {f"{day} {label}": rows for day, of in written_days.items() for label, rows in of.items()}
    change = change_of_all(compare({"": marks})) if compare else None
    return {
        "all": everyone,
        "unsure": sum(group.labeled for group in bins if group.value in _UNSURE) / max(1, everyone.labeled),
        "bins": [(group, max(collected.labels, key=Counter(group.labels).__getitem__)) for group in bins],
        "lengths": [lengths[name] for name in LENGTH_BINS if name in lengths],
        "groups": tables_of(collected.by, last, compare),
        "change": change if change and change.before[1] and change.since[1] else None,
        "since_day": since,
        "since": since and written(since),
        "time": timeline(days, since, last),
        "undated": _labeled(undated),
        "stars": [stars[star] for star in STARS[:0:-1] if star in stars],
        "agree": Group.of(
            "", {"disagree": low[last] + high[first], "agree": low[first] + high[last]}, "agree"
        ),
        "undecided": sum(labels[label] for labels in (low, high) for label in middle),
    }


def _sum_labels(groups: Iterable[Group]) -> Counter[str]:
    """Return how many rows of several groups have each label."""
    return sum((Counter(group.labels) for group in groups), Counter())


def _labeled(labels: Mapping[str, int]) -> int:
    return sum(rows for label, rows in labels.items() if label)


def _margin(collected: Collector, place: int, label: str) -> dict[str, Group]:
    """Return the groups by one of the names of `BINS`."""
    margin: dict[str, Counter[str]] = {}
    for names, labels in collected.counts["bins"].items():
        margin.setdefault(names.split("|")[place], Counter()).update(labels)
    groups = {name: Group.of(name, labels, label) for name, labels in margin.items()}
    return {name: group for name, group in groups.items() if name and group.labeled}
