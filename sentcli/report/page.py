"""Lay out what was collected as one HTML page, which loads nothing and in which a text cannot do anything."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from sentcli.explain.explanation import phrases
from sentcli.report.collector import Collector, Row
from sentcli.report.columns import stars_of
from sentcli.report.figures import figures_of, total
from sentcli.report.words import Term, Terms

if TYPE_CHECKING:
    from sentcli.explain.parts import Word
    from sentcli.scoring.labels import Floats
    from sentcli.scoring.scorer import Scorer

_FOLDER = Path(__file__).parent
_SCORE_COLORS, _COLORS = ("neg", "neu", "pos"), ("l0", "l1", "l2", "l3", "l4", "l5")  # classes of the style
_TOPICS, _JUDGING, _GROUP_TOPICS = 10, 6, 4  # terms of a list
_FEWEST_OF_GROUP, _FEWEST_NAMED = 100, 30  # texts of a group with terms of its own, and in the first sentence
_EXCERPT, _QUOTE = 380, 220  # characters of a review, and of a sentence with a term
_MOST_MARKS, _FULL = 12, 2.5  # shaded phrases; log odds of the strongest shade
_BLANK = re.compile(r"</?(?:br|p|div|li|ul|b|i|em|strong|span)\s*/?>|\s+", re.IGNORECASE)


def render(collected: Collector, scorer: "Scorer", title: str) -> bytes:
    """Return the page of what was collected.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    """
    layout = _Layout(collected, scorer)
    figures = figures_of(collected)
    groups, time = figures["groups"], figures["time"]
    known = (
        [row for row in groups[0]["rows"] if row["name"] and row["rows"] >= _FEWEST_NAMED] if groups else []
    )
    middle = len(time) // 2
    script = (_FOLDER / "page.js").read_text("utf-8")
    page = _template().render(
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
        style=(_FOLDER / "page.css").read_text("utf-8"),
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "replace")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["percent"] = lambda share: f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
    environment.filters["exact"] = lambda share: f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
    environment.filters["place"] = lambda share: f"{100 * share:.4g}%"
    environment.filters["colors"] = lambda labels: {label: color for label, color, _ in labels}
    return environment.get_template("scored.html.jinja")


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
        words = self._scorer.parts.words([row.text for row in rows], exact=False)
        return [
            {
                "spans": [*_spans(row.text, phrases(row.text, found)[:_MOST_MARKS], most)],
                "score": min(max(row.score, 0.001), 0.999),
                "label": row.label,
                "groups": [value for value in row.values[: len(columns.by)] if value],
                "day": values.get(columns.time or "", ""),
                "stars": stars_of(values.get(columns.stars or "", "")),
            }
            for row, found in zip(rows, words, strict=True)
            for values in [dict(zip(columns.names, row.values, strict=True))]
        ]


def _spans(text: str, found: Sequence["Word"], most: int) -> Iterator[tuple[str, float]]:
    """Yield an excerpt of a text around the phrase that decided most, with parts from -1 to 1."""
    start, end = 0, len(text)
    if end > most:
        center = (found[0].start + found[0].end) // 2 if found else 0
        start = max(0, min(center - most // 2, end - most))
        end = max(text.rfind(" ", start + most // 2, start + most), start + most // 2)
        start = text.find(" ", start, center) + 1 if start else 0
    yield "… " * (start > 0), 0.0
    for word in sorted(found, key=lambda word: word.start):
        first, last = max(word.start, start), min(word.end, end)
        if first < last:
            yield _BLANK.sub(" ", text[start:first]), 0.0
            yield _BLANK.sub(" ", text[first:last]), max(-1.0, min(1.0, word.part / _FULL))
            start = last
    yield _BLANK.sub(" ", text[start:end]) + " …" * (end < len(text)), 0.0
