"""The page of scored rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sentcli.report.collector import Collector, Review
from sentcli.report.figures import figures_of
from sentcli.report.page import EXCERPT, Spans, fill, shade
from sentcli.report.words import Term, Terms
from sentcli.scoring.scorer import Scorer

_COLORS = ("neg", "neu", "mix", "pos")  # of the labels; classes of the style
_TOPICS, _JUDGING, _GROUP_TOPICS = 10, 6, 4  # terms of a list
_FEWEST_OF_GROUP = 100  # texts of a group with topics
_QUOTE = 220  # characters of a sentence with a term


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
        rows=collected.rows,
        **figures,
        **_words(collected, scorer),
        shelves={name: _cards(shelf.rows, scorer) for name, shelf in collected.shelves.items() if shelf.rows},
    )


def _words(collected: Collector, scorer: Scorer) -> dict[str, Any]:
    """Return the terms of praise and of complaints, and the topics of the groups of the first column."""
    sample = collected.sample.rows[::-1]
    terms = Terms([row.text for row in sample], lambda texts: np.array(scorer.score(texts).scores, float))
    sample = sample[: terms.texts]
    everyone = np.arange(len(sample))
    sides = [
        [_quoted(ranked, sample, scorer) for ranked in terms.of(everyone, sign, _TOPICS, _JUDGING)]
        for sign in (1, -1)
    ]
    groups = np.array([row.groups[0] if row.groups else "" for row in sample], object)
    topics = {}
    for group in dict.fromkeys(groups.tolist()):
        members = np.flatnonzero(groups == group)
        if _FEWEST_OF_GROUP <= len(members) < len(sample):
            by_sign = [terms.of(members, sign, _GROUP_TOPICS, 0)[0] for sign in (1, -1)]
            topics[group] = [[term.name for term in ranked] for ranked in by_sign]
    return {"sides": sides, "topics": topics, "sample": len(sample)}


def _quoted(
    terms: Sequence[Term], sample: Sequence[Review], scorer: Scorer
) -> list[tuple[Term, list[tuple[Review, Spans]]]]:
    """Return each term with the rows of its quotes."""
    quotes = [sample[text]._replace(text=quote) for term in terms for text, quote in term.quotes]
    cards = iter(_cards(quotes, scorer, _QUOTE))
    return [(term, [next(cards) for _ in term.quotes]) for term in terms]


def _cards(rows: Sequence[Review], scorer: Scorer, limit: int = EXCERPT) -> list[tuple[Review, Spans]]:
    """Return rows, each with its text as it is shown, in at most so many characters."""
    return [*zip(rows, shade([row.text for row in rows], scorer, limit), strict=True)]
