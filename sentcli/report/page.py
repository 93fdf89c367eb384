"""Fill in the templates of pages. A page loads nothing, and its texts are inert."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from sentcli.evaluation.display import fill_in
from sentcli.explain.explanation import phrases
from sentcli.scoring.dates import written
from sentcli.scoring.scorer import Scorer

_FOLDER = Path(__file__).parent
_EXCERPT = 380  # characters of a text
_MOST_MARKS, _FULL = 12, 2.5  # shaded phrases; log odds of the strongest shade
_BLANK = re.compile(r"</?(?:br|p|div|li|ul|b|i|em|strong|span)\s*/?>|\s+", re.IGNORECASE)


def fill(template: str, **values: Any) -> bytes:
    """Return the page of a template."""
    filters = {
        "percent": _percent,
        "exact": lambda share: _percent(share, 1),
        "points": lambda share: f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}"),
        "place": lambda share: f"{100 * share:.4g}%",
        "within": _within,
        "written": lambda day: written(day.removesuffix("-01")),
        "zip": zip,
    }
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = fill_in(_FOLDER / template, filters, style=style, script=script, digest=digest, **values)
    return page.encode("utf-8", "replace")


def _within(parts: Sequence[str], room: int) -> list[str]:
    """Return the first parts that have so many characters in total."""
    return [part for part, size in zip(parts, accumulate(map(len, parts)), strict=True) if size <= room]


def _percent(share: float | None, digits: int = 0) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def shaded(scorer: Scorer, text: str) -> Iterator[tuple[str, float]]:
    """Yield an excerpt of a text in spans, each with the part from -1 to 1 of the words that decided.

    The excerpt is around the phrase that decided most.
    """
    (words,) = scorer.parts.words([text], exact=False)
    found = phrases(text, words)[:_MOST_MARKS]
    start, end = 0, len(text)
    if end > _EXCERPT:
        center = (found[0].start + found[0].end) // 2 if found else 0
        start = max(0, min(center - _EXCERPT // 2, end - _EXCERPT))
        end = max(text.rfind(" ", start + _EXCERPT // 2, start + _EXCERPT), start + _EXCERPT // 2)
        start = text.find(" ", start, center) + 1 if start else 0
    yield "… " * (start > 0), 0.0
    for word in sorted(found, key=lambda word: word.start):
        first, last = max(word.start, start), min(word.end, end)
        if first < last:
            yield _BLANK.sub(" ", text[start:first]), 0.0
            yield _BLANK.sub(" ", text[first:last]), max(-1.0, min(1.0, word.part / _FULL))
            start = last
    yield _BLANK.sub(" ", text[start:end]) + " …" * (end < len(text)), 0.0
