"""The part of a page on subjects: the user's own, those of complaints and of praise, and those of groups."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sentcli.report.collector import Collector, Review
from sentcli.report.page import Spans, shade
from sentcli.report.subjects import Figures, Subjects, figures_of
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

Card = tuple[Review, Spans]  # a row with its text, or a sentence of it, as it is shown

_SUBJECTS, _QUOTES, _LONGEST = 10, 3, 200  # of a list; of a subject; characters of a quote
_GRID_SUBJECTS, _GRID_GROUPS, _GRID_QUOTES = 8, 12, 2


class Cell(NamedTuple):
    """How many reviews of a group complain of a subject, of how many, and some of these."""

    complain: int
    reviews: int
    cards: list[Card]


def topics_of(collected: Collector, scorer: Scorer, since: str = "") -> dict[str, Any]:
    """Return what the sampled rows say of subjects.

    :param since: the day whose complaints are compared with those before it; "" for none.
    """
    sample = collected.settled(collected.sample.rows)[::-1]
    texts = [row.text for row in sample]
    subjects = Subjects(texts, scorer.parts, partial(_log_odds, scorer), scorer.extras.about)
    sample = sample[: subjects.texts]
    is_positive = np.array([row.label == collected.labels[-1] for row in sample], bool)
    is_since = np.array([bool(since) and row.day >= since for row in sample], bool)
    is_before = np.array([row.day != "" for row in sample], bool) & ~is_since
    periods = [is_before, is_since] if since else []
    taken: set[int] = set()

    def quoted(rows: Sequence[Figures], *signs: int) -> list[tuple[Figures, list[Card]]]:
        choose = partial(subjects.quotes, limit=_QUOTES, taken=taken, is_first=is_since)
        quotes = [[quote for sign in signs for quote in choose(row.subject, sign)] for row in rows]
        cited = [sample[text]._replace(text=quote) for of_row in quotes for text, quote in of_row]
        cards = iter(zip(cited, shade([row.text for row in cited], scorer, _LONGEST), strict=True))
        return [(row, [next(cards) for _ in of_row]) for row, of_row in zip(rows, quotes, strict=True)]

    figures = partial(figures_of, is_positive=is_positive, periods=periods)
    own, found = [*map(figures, subjects.own)], [*map(figures, subjects.found)]
    praised, blamed = subjects.sides(found, _SUBJECTS)
    columns = [row.subject for row in (*own, *blamed)][:_GRID_SUBJECTS]
    groups = np.array([row.groups[0] if row.groups else "" for row in sample], object)
    grid: dict[str, list[Cell]] = {}
    for group, reviews in Counter(filter(None, groups)).most_common(_GRID_GROUPS):
        rows, rest = groups == group, {*np.flatnonzero(groups != group).tolist()}
        grid[group] = []
        for subject in columns:
            quotes = subjects.quotes(subject, -1, _GRID_QUOTES, {*rest}, is_since)
            cards: list[Card] = [(sample[text], [(quote, 0.0)]) for text, quote in quotes]
            grid[group].append(Cell(int(subject.complains[rows].sum()), reviews, cards))
    return {
        "own": quoted(own, -1, 1),
        "blamed": quoted(blamed, -1),
        "praised": quoted(praised, 1),
        "grid_subjects": [subject.name for subject in columns],
        "grid": grid,
        "sample": len(sample),
    }


def _log_odds(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the log odds of the second label for each text; 0 for a text without a label."""
    scores = np.nan_to_num(np.array(scorer.score_alone(texts).scores, float), nan=0.5).clip(1e-9, 1 - 1e-9)
    return np.asarray(np.log(scores / (1 - scores)))
