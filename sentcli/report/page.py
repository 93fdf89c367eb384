"""Lay out what was collected as one HTML page, which loads nothing and in which a text cannot do anything."""

import base64
import calendar
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from sentcli.errors import requires
from sentcli.explain.explanation import phrases
from sentcli.report.collector import BINS, LENGTHS, Collector, Numbers, Row, Tally
from sentcli.report.columns import stars_of
from sentcli.report.words import Quote, Term, Terms

if TYPE_CHECKING:
    import jinja2

    from sentcli.explain.parts import Word
    from sentcli.scoring.scorer import Scorer

_FOLDER = Path(__file__).parent
_TOPICS, _JUDGING, _GROUP_TOPICS = 10, 6, 4  # terms of a list
_FEWEST_OF_GROUP, _FEWEST_NAMED = (
    100,
    30,
)  # texts of a group with terms of its own, and in the sentences on top
_MOST_GROUPS = 40  # rows of a table
_MOST_DAYS, _MOST_MONTHS = 62, 120  # points of a line
_EXCERPT, _QUOTE = 380, 220  # characters of a review, and of a sentence with a term
_MOST_MARKS, _FULL = 12, 2.5  # shaded phrases; log odds of the strongest shade
_UNSURE = slice(round(0.3 * BINS), round(0.7 * BINS))  # bins of scores
_Z = NormalDist().inv_cdf(0.975)
_TAG = re.compile(r"</?(?:br|p|div|li|ul|b|i|em|strong|span)\s*/?>|\s+", re.IGNORECASE)
_SHELVES = {
    "negative": ("Most negative", "The lowest scores."),
    "positive": ("Most positive", "The highest scores."),
    "uncertain": ("Least certain", "Mixed reviews, or reviews without a verdict."),
    "surprising": ("Against their stars", "Irony, wrong stars, or an error of the model."),
}


def render(collected: Collector, scorer: "Scorer", title: str) -> bytes:
    """Return the page of what was collected.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    """
    total = collected.by_score.sum(axis=0)
    script = (_FOLDER / "page.js").read_text("utf-8")
    page = _template().render(
        title=title,
        model=scorer.bundle.name,
        columns=collected.columns,
        rows=collected.rows,
        all=_share("", total),
        labels=_labels(collected, total),
        of_labels=[(label, color) for label, color, _ in _labels(collected, total)],
        unsure=float(collected.by_score[_UNSURE].sum() / max(1, total.sum())),
        bins=[
            {"main": collected.labels[of.argmax()]}
            | _share(f"{place / BINS:.2f} to {(place + 1) / BINS:.2f}", of)
            for place, of in enumerate(collected.by_score)
        ],
        lengths=[
            _share(name, of) for name, of in zip(_lengths(), collected.by_length, strict=True) if of.sum()
        ],
        **_figures(collected),
        **_words(collected, scorer),
        shelves=[
            (name, *_SHELVES[name], _cards(rows, collected, scorer))
            for name, rows in collected.shelves.items()
            if rows
        ],
        style=(_FOLDER / "page.css").read_text("utf-8"),
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "replace")


@cache
def _template() -> "jinja2.Template":
    with requires("report"):
        import jinja2
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
    return environment.get_template("scored.html.jinja")


def _labels(collected: Collector, total: Numbers) -> list[tuple[str, str, int]]:
    """Return the labels that are shown, each with the class of its color and its place in counts."""
    labels, last = collected.labels, len(collected.labels) - 1
    if not collected.is_scale:
        return [(label, f"l{place % 6}", place) for place, label in enumerate(labels)]
    colors = ["neg", *["neu"] * (last - 1), "pos"]
    shown = [place for place in range(last + 1) if place in (0, last) or total[place]]
    return [(labels[place], colors[place], place) for place in shown]


def _share(name: str, counts: Numbers) -> dict[str, Any]:
    """Return the counts of a group of rows, and the share of the last label with Wilson's 95 % interval.

    L. Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16
    (2001), equation (4).
    """
    rows, own = int(counts.sum()), int(counts[-1])
    share, n = own / max(1, rows), max(1, rows)
    center = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    margin = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    bounds = {"low": max(0.0, center - margin), "high": min(1.0, center + margin)}
    return {"name": name, "rows": rows, "counts": counts.tolist(), "share": share, **bounds}


def _lengths() -> Iterator[str]:
    for start, stop in zip(LENGTHS, (*LENGTHS[1:], None), strict=True):
        yield f"{start} to {stop - 1}" if stop else f"{start} or more"


def _figures(collected: Collector) -> dict[str, Any]:
    """Return the figures by column."""
    columns, tallies = collected.columns, collected.by_column
    groups = [_groups(name, tallies[name]) for name in columns.by]
    time = _time(tallies[columns.time].counts) if columns.time is not None else []
    stars = _stars(tallies[columns.stars].counts, collected) if columns.stars is not None else {}
    groups = [table for table in groups if len(table["rows"]) > 1]
    named = (
        [row for row in groups[0]["rows"] if row["name"] and row["rows"] >= _FEWEST_NAMED] if groups else []
    )
    return {
        "groups": groups,
        "extremes": (named[0], named[-1]) if len(named) > 1 else None,
        "time": time if len(time) > 1 else [],
        "halves": [
            _share("", sum(np.array(row["counts"]) for row in half))
            for half in (time[: len(time) // 2], time[len(time) // 2 :])
        ]
        if len(time) > 1
        else [],
        "stars": stars,
    }


def _groups(column: str, tally: Tally) -> dict[str, Any]:
    rows = [_share(name, counts) for name, counts in tally.counts.items() if counts.any()]
    rows.sort(key=lambda row: -row["rows"])
    kept = sorted(rows[:_MOST_GROUPS], key=lambda row: (-row["share"], row["name"]))
    return {"column": column, "rows": kept, "more": len(rows) - len(kept), "others": int(tally.others.sum())}


def _time(by_day: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """Return the figures by day, month or year, without those of rows without a date."""
    days = {day: counts for day, counts in by_day.items() if day and counts.any()}
    months = {day[:7] for day in days}
    size = 10 if len(days) <= _MOST_DAYS and len(months) <= 2 else 7 if len(months) <= _MOST_MONTHS else 4
    sums: dict[str, Any] = {}
    for day, counts in days.items():
        sums[day[:size]] = sums.get(day[:size], 0) + counts
    return [_share(_date(name), sums[name]) for name in sorted(sums)]


def _date(day: str) -> str:
    """Return a day, month or year as people write it."""
    year, *rest = day.split("-")
    month = [calendar.month_abbr[int(rest[0])]] if rest else []
    return " ".join([*(f"{int(number)}" for number in rest[1:]), *month, year])


def _stars(by_value: Mapping[str, Numbers], collected: Collector) -> dict[str, Any]:
    """Return the figures by stars, and how many rows have the label of their stars."""
    counts = np.zeros((6, len(collected.labels)), np.int64)
    for value, of in by_value.items():
        counts[stars_of(value)] += of
    clear = counts[[1, 2, 4, 5]][:, [0, -1]] if collected.is_scale else np.zeros((4, 2), np.int64)
    agree = np.array([clear[:2, 1].sum() + clear[2:, 0].sum(), clear[:2, 0].sum() + clear[2:, 1].sum()])
    rows = [_share(str(stars), counts[stars]) for stars in (5, 4, 3, 2, 1) if counts[stars].any()]
    return {"rows": rows, "agree": _share("", agree)}


def _words(collected: Collector, scorer: "Scorer") -> dict[str, Any]:
    """Return the terms of praise and complaints, of all texts and of the groups of the first column."""
    sample = collected.sample
    if not (collected.is_scale and sample):
        return {"sides": [], "sample": 0, "terms": {}}
    terms = Terms(
        [row.text for row in sample], lambda texts: np.array(scorer.score(texts).scores, np.float64)
    )
    scale = int(collected.by_score.sum()) / len(sample)
    sides = []
    for sign in (1, -1):
        found = terms.of(np.arange(len(sample)), sign, _TOPICS)
        lists = [
            _term_rows(of[:most], scale, collected, scorer)
            for of, most in zip(found, (_TOPICS, _JUDGING), strict=True)
        ]
        sides.append(lists)
    groups: dict[str, list[list[str]]] = {}
    if collected.columns.by:
        values = np.array([row.values[0] for row in sample], object)
        for value in dict.fromkeys(values):
            members = np.flatnonzero(values == value)
            if len(members) >= _FEWEST_OF_GROUP:
                both = [terms.of(members, sign, _GROUP_TOPICS)[0] for sign in (1, -1)]
                groups[value] = [[term.name for term in of] for of in both]
    return {"sides": sides, "sample": len(sample), "terms": groups}


def _term_rows(
    terms: Sequence[Term], scale: float, collected: Collector, scorer: "Scorer"
) -> list[dict[str, Any]]:
    rows = [collected.sample[quote.text] for term in terms for quote in term.quotes]
    quotes = [quote for term in terms for quote in term.quotes]
    cards = iter(_cards(rows, collected, scorer, quotes))
    most = max((term.texts for term in terms), default=1)
    return [
        {
            "name": term.name,
            "texts": round(scale * term.texts),
            "share": term.texts / most,
            "cards": [next(cards) for _ in term.quotes],
        }
        for term in terms
    ]


def _cards(
    rows: Sequence[Row], collected: Collector, scorer: "Scorer", quotes: Sequence[Quote] = ()
) -> list[dict[str, Any]]:
    """Return rows as they are shown: whole texts, or only a sentence of each."""
    texts = [row.text for row in rows]
    if quotes:
        texts = [text[quote.start : quote.end] for text, quote in zip(texts, quotes, strict=True)]
    columns = collected.columns
    cards = []
    for row, text, words in zip(rows, texts, scorer.parts.words(texts, exact=False), strict=True):
        values = dict(zip(columns.names, row.values, strict=True))
        found = phrases(text, words)[:_MOST_MARKS]
        cards.append(
            {
                "spans": [*_spans(text, found, _QUOTE if quotes else _EXCERPT)],
                "score": "< 0.001"
                if row.score < 0.001
                else "> 0.999"
                if row.score > 0.999
                else f"{row.score:.3f}",
                "label": row.label,
                "groups": [values[name] for name in columns.by if values[name]],
                "day": values.get(columns.time or "", ""),
                "stars": stars_of(values.get(columns.stars or "", "")),
            }
        )
    return cards


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
            yield _TAG.sub(" ", text[start:first]), 0.0
            yield _TAG.sub(" ", text[first:last]), max(-1.0, min(1.0, word.part / _FULL))
            start = last
    yield _TAG.sub(" ", text[start:end]) + " …" * (end < len(text)), 0.0
