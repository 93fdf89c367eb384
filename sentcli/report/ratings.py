"""Ratings as people and tools export them. They are compared with labels, and never learnt from."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from sentcli.tables.text_column import find_usual

_USUAL = ("stars", "starrating", "reviewstars", "rating", "reviewrating", "ratings", "overall", "score")
_RATED = re.compile(r"rating|rated|\bstars?\b|score|satisf|csat", re.IGNORECASE)
_RECOMMENDED = re.compile(r"\bnps\b|nps.?score|recommend|promoter", re.IGNORECASE)
_NPS_VALUE = r"(10|\d)(?:\.0*)?(?:\s*[-:=(\u2013].*)?"
_NUMBER = (
    r"(?:rated )?(\d+(?:[.,]\d*)?)(?: ?(?:/|out of|of) ?(5|10|100))?(?:[ -]?stars?| bubbles?| ?[★⭐]\ufe0f?)?"
)
_MARKS = "★⭐"
_WORDS = Path(__file__).with_name("ratings.txt").read_text("utf-8").splitlines()  # from one star to five
_OF_WORD = {word: stars for stars, words in enumerate(_WORDS, start=1) for word in words.split(", ")}
_CACHED = 1 << 14  # values that are read once


@lru_cache(_CACHED)
def stars_of(value: str) -> int:
    """Return the whole number of stars of a rating, such as 4.0, FIVE, 4 out of 5, ★★★★☆ or Very satisfied.

    :returns: from 1 to 5; 0 for anything else.
    """
    text = value.strip().casefold()
    if match := re.fullmatch(_NUMBER, text):
        number = float(match[1].replace(",", ".")) * 5 / int(match[2] or 5)
        return int(number + 0.5) if 0.5 <= number <= 5 else 0
    if text and not text.strip(f"{_MARKS}☆✩\ufe0f"):
        return min(5, sum(map(text.count, _MARKS)))
    text = re.sub(r"^\d+ ?[-:=.)\u2013]+ ?| ?\(\d+\)$|[ -]stars?$", "", text)
    return _OF_WORD.get(text, 0)


@lru_cache(_CACHED)
def nps_of(value: str) -> int:
    """Return the stars that equal an answer from 0 to 10 to how likely one is to recommend.

    Detractors (0 to 6) have one star, passives three, promoters (9 and 10) five.
    """
    match = re.fullmatch(_NPS_VALUE, value.strip())
    likely = int(match[1]) if match else -1
    return 0 if likely < 0 else 1 if likely < 7 else 3 if likely < 9 else 5


def find_rating(rated: Sequence[str]) -> str | None:
    """Return the column with ratings among those whose values are some: by its name, if only one has such."""
    others = [*filter(_RATED.search, rated)]
    return find_usual(rated, _USUAL) or (others[0] if len(others) == 1 else None)


def may_be_nps(name: str, values: Sequence[str]) -> bool:
    """Return whether a column asks how likely one is to recommend, and values have 0 or 6 to 10."""
    return bool(_RECOMMENDED.search(name)) and not all(map(stars_of, values))
