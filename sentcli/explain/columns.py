"""The columns that say why texts have their scores: deciding words, sentences, and aspects."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sentcli.explain.explanation import Score, Sentence, phrases
from sentcli.explain.parts import Parts
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import sentences_of

# Where a clause may end. It does if both sides have a word with this effect alone, in log odds: "fair price,
# rude staff", but not "the price, the staff and the food". A word with this effect keeps the "with" after it:
# "bad rooms with good beds", but not "happy with the beds".
_CLAUSE_END = re.compile(
    r"[,;]\s+|\b([^\W_]+)\s(?=with\s)|\s(?=(?:and|while|whereas|though|yet)\s)", re.IGNORECASE
)
_SAYS = 1.0


def deciding_words(texts: Sequence[str], parts: Parts, limit: int) -> list[str]:
    """Return for each text the phrases with the largest parts, as JSON: `[["lovely", 2.753]]`."""
    return [
        _to_json([(phrase.text, round(phrase.part, 3)) for phrase in phrases(text, words)[:limit]])
        for text, words in zip(texts, parts.words(texts, exact=False), strict=True)
    ]


def sentences_json(sentences: Iterable[Sentence]) -> str:
    """Return sentences as JSON: `[[0, 14, "negative", 0.016121]]`."""
    return _to_json([(row.start, row.end, row.label, row.score and round(row.score, 6)) for row in sentences])


class Aspects:
    """Scores what texts say of aspects: the clauses that have one of its words, joined.

    :param words: of each aspect; their plurals count too.
    """

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._aspects: dict[str, list[str]] = {}  # the aspects of each form of a word
        for name, forms in words.items():
            for form in {form for word in forms for form in _forms(word.lower())}:
                self._aspects.setdefault(form, []).append(name)
        self._names = [*words]
        self._phrases = Phrases(self._aspects)

    def scores(self, texts: Sequence[str], parts: Parts, score: Score) -> dict[str, list[float | None]]:
        """Return for each aspect a score per text; None for a text without its words."""
        asked: dict[tuple[int, str], list[str]] = {}
        for row, clause, found in self._clauses(texts, parts):
            for name in found:
                asked.setdefault((row, name), []).append(clause)
        scores = {
            key: number
            for key, (_, number) in zip(asked, score([*map(" ".join, asked.values())]), strict=True)
        }
        return {name: [scores.get((row, name)) for row in range(len(texts))] for name in self._names}

    def _clauses(self, texts: Sequence[str], parts: Parts) -> Iterator[tuple[int, str, list[str]]]:
        """Yield the row of each clause that has a word of an aspect, the clause, and its aspects."""
        found = [self._phrases.find(text) for text in texts]
        cut = []  # the row, the start of the sentence, and a possible clause: its start, end, and word before
        for row, text in enumerate(texts):
            places = [place for _, place, _ in found[row]]
            for start, end in sentences_of(text) if places else ():
                if any(start <= place < end for place in places):
                    marks = [*_CLAUSE_END.finditer(text, start, end)]
                    spans = pairwise([start, *(mark.end() for mark in marks), end])
                    words = ["", *(mark[1] or "" for mark in marks)]
                    cut += [(row, start, *span, word) for span, word in zip(spans, words, strict=True)]
        says = parts.alone([texts[row][start:end] for row, _, start, end, _ in cut])
        words_say = parts.alone([word for *_, word in cut])
        clauses: list[tuple[int, int, int, int, float]] = []
        for (row, sentence, start, end, _), said, word_says in zip(cut, says, words_say, strict=True):
            last = clauses[-1] if clauses else (-1, -1, -1, -1, 0.0)
            if last[:2] == (row, sentence) and (min(said, last[4]) < _SAYS or word_says >= _SAYS):
                clauses[-1] = (*last[:3], end, max(said, last[4]))
            else:
                clauses.append((row, sentence, start, end, said))
        for row, _, start, end, _ in clauses:
            phrases = [phrase for phrase, place, _ in found[row] if start <= place < end]
            names = dict.fromkeys(name for phrase in phrases for name in self._aspects[phrase])
            yield row, texts[row][start:end], [*names]


def _forms(word: str) -> list[str]:
    """Return a word and its plural, by each rule."""
    return [word, f"{word}s", f"{word}es", *([f"{word[:-1]}ies"] if word.endswith("y") else [])]


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
