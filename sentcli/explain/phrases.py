"""Find phrases in texts: words of an aspect, and words with weights of the user's own."""

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Generic, TypeVar

from sentcli.errors import UsageError

# The weights move a text by at most this many log odds, those of a typical clear review: a repeated phrase
# cannot outweigh a whole review.
MOST_SHIFT = 4.0

Value = TypeVar("Value")
Span = tuple[float, int, int]  # the weight of a phrase, its start and its end

_WORD = re.compile(r"[^\W_]+|[^\w\s]")
# One apostrophe for all; the one letter that takes more than one character in lower case.
_SAME = str.maketrans("`\xb4\u02bc\u2018\u2019\u0130", "'''''i")


class Phrases(Generic[Value]):
    """Finds phrases of whole words, in any case, with their values; of several at a word, the longest."""

    def __init__(self, phrases: Mapping[str, Value]) -> None:
        self._beginning: dict[str, list[tuple[Value, list[str]]]] = {}  # by their first word
        for phrase, value in phrases.items():
            words = _words(phrase)
            if not words:
                raise UsageError(f"the phrase {phrase!r:.200} has no word")
            self._beginning.setdefault(words[0], []).append((value, words))
        for entries in self._beginning.values():
            entries.sort(key=lambda entry: -len(entry[1]))

    def find(self, text: str) -> list[tuple[Value, int, int]]:
        """Return the phrases of a text in order: the value, the start and the end of each."""
        words = _words(text) if self._beginning else []
        if self._beginning.keys().isdisjoint(words):
            return []
        found, end = [], 0
        for place, word in enumerate(words):
            for value, own in self._beginning.get(word, ()) if place >= end else ():
                if words[place : place + len(own)] == own:
                    end = place + len(own)
                    found.append((value, place, end - 1))
                    break
        spans = [word.span() for word in _WORD.finditer(text)] if found else []
        return [(value, spans[first][0], spans[last][1]) for value, first, last in found]


class OwnWords(Phrases[float]):
    """Phrases with weights that are added to the log odds of the second label wherever they stand."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        for phrase, weight in weights.items():
            if not isfinite(weight):
                raise UsageError(f"the weight of {phrase!r:.200} is {weight}; it has to be a number")
        super().__init__(weights)

    def shift(self, text: str) -> float:
        """Return by how much the phrases of a text shift its log odds."""
        return shift(self.find(text))


def shift(spans: Iterable[Span]) -> float:
    """Return by how much phrases shift the log odds of their text."""
    return max(-MOST_SHIFT, min(MOST_SHIFT, sum(weight for weight, *_ in spans)))


def read_weights(path: Path) -> dict[str, float]:
    """Read phrases and weights from a file: TOML, or CSV with a line `phrase,weight` each.

    :raises UsageError: for a file that cannot be read, or has other content.
    """
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".toml":
            rows = [[phrase, str(weight)] for phrase, weight in tomllib.loads(text).items()]
        else:
            rows = [row for row in csv.reader(text.splitlines()) if row and row != ["phrase", "weight"]]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"--words {path}: {getattr(error, 'strerror', None) or error}") from error
    weights = {}
    for row in rows:
        try:
            phrase, weight = row
            weights[phrase] = float(weight)
        except ValueError:
            raise UsageError(
                f"--words {path}: {','.join(row)!r:.100} is not a phrase, a comma and a number: killer,2"
            ) from None
    return weights


def _words(text: str) -> list[str]:
    return _WORD.findall(text.translate(_SAME).lower())
