"""The page of scored rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentcli.report.collector import Collector, Row
from sentcli.report.figures import figures_of, total
from sentcli.report.page import fill, shade
from sentcli.report.words import Term, Terms

if TYPE_CHECKING:
    from sentcli.scoring.labels import Floats
    from sentcli.scoring.scorer import Scorer

_SCORE_COLORS, _COLORS = (
    ("neg", "neu", "mix", "pos"),
    ("l0", "l1", "l2", "l3", "l4", "l5"),
)  # classes of the style
_TOPICS, _JUDGING, _GROUP_TOPICS = 10, 6, 4  # terms of a list
_FEWEST_OF_GROUP, _FEWEST_NAMED = 100, 30  # texts of a group with topics, and in the first sentence
_EXCERPT, _QUOTE = 380, 220  # characters of a review, and of a sentence with a term


def render(collected: Collector, scorer: "Scorer", title: str) -> bytes:
    """Return the page of what was collected.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    """
    layout, figures = _Layout(collected, scorer), figures_of(collected)
    groups, time = figures["groups"], figures["time"]
    known = (
        [row for row in groups[0]["rows"] if row["name"] and row["rows"] >= _FEWEST_NAMED] if groups else []
    )
    middle = len(time) // 2
    return fill(
        "scored.html.jinja",
        title=title,
        model=scorer.bundle.name,
        columns=collected.columns,
        labels=layout.labels(figures["all"]["counts"]),
        rows=collected.rows,
        extremes=(known[0], known[-1]) if len(known) > 1 else None,
        halves=(total(time[:middle]), total(time[middle:])) if time else None,
        **figures,
        **layout.words(),
        shelves={name: layout.cards(rows) for name, rows in collected.shelves.items() if rows},
    )


class _Layout:
    """Turns the rows of a report into what the template shows of them."""

    def __init__(self, collected: Collector, scorer: "Scorer") -> None:
        self._collected, self._scorer = collected, scorer

    def labels(self, counts: Sequence[int]) -> list[tuple[str, str, int]]:
        """Return the labels that are shown, each with the class of its color and its place in counts."""
        labels = self._collected.labels
        colors = _SCORE_COLORS if self._collected.is_scale else _COLORS
        shown = [place for place in range(len(labels)) if counts[place] or place in (0, len(labels) - 1)]
        return [(labels[place], colors[place % len(colors)], place) for place in shown]

    def words(self) -> dict[str, Any]:
        """Return the terms of praise and of complaints, and the topics of the groups of the first column."""
        sample = self._collected.sample if self._collected.is_scale else []
        if not sample:
            return {"sides": [], "topics": {}, "sample": 0}
        terms = Terms([row.text for row in sample], self._scores)
        sample = sample[: terms.texts]
        everyone = np.arange(len(sample))
        sides = [
            [self._term_rows(of, sample) for of in terms.of(everyone, sign, _TOPICS, _JUDGING)]
            for sign in (1, -1)
        ]
        groups = np.array([row.values[0] if self._collected.columns.by else "" for row in sample], object)
        topics = {}
        for group in dict.fromkeys(groups.tolist()):
            members = np.flatnonzero(groups == group)
            if _FEWEST_OF_GROUP <= len(members) < len(sample):
                found = [terms.of(members, sign, _GROUP_TOPICS, 0)[0] for sign in (1, -1)]
                topics[group] = [[term.name for term in of] for of in found]
        return {"sides": sides, "topics": topics, "sample": len(sample)}

    def _scores(self, texts: Sequence[str]) -> "Floats":
        return np.array(self._scorer.score(texts).scores, np.float64)

    def _term_rows(self, terms: Sequence[Term], sample: Sequence[Row]) -> list[dict[str, Any]]:
        """Return terms with the number of rows that have them, estimated from the sample."""
        scale = int(self._collected.by_score.sum()) / len(sample)
        most = max((term.texts for term in terms), default=1)
        quotes = [sample[text]._replace(text=quote) for term in terms for text, quote in term.quotes]
        cards = iter(self.cards(quotes, _QUOTE))
        return [
            {
                "name": term.name,
                "rows": round(scale * term.texts),
                "share": term.texts / most,
                "cards": [next(cards) for _ in term.quotes],
            }
            for term in terms
        ]

    def cards(self, rows: Sequence[Row], most: int = _EXCERPT) -> list[dict[str, Any]]:
        """Return rows as they are shown, with at most so many characters of their texts."""
        columns = self._collected.columns
        spans = shade([row.text for row in rows], self._scorer, most)
        return [
            {
                "spans": excerpt,
                "score": min(max(row.score, 0.001), 0.999),
                "label": row.label,
                "groups": [value for value in row.values[: len(columns.by)] if value],
                "day": values.get(columns.time or "", ""),
                "stars": int(values.get(columns.stars or "", "0")),
            }
            for row, excerpt in zip(rows, spans, strict=True)
            for values in [dict(zip(columns.names, row.values, strict=True))]
        ]
