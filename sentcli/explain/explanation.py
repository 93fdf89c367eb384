"""Why texts have their scores: the words that decided, the scores of sentences, and those of aspects."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from sentcli.explain.parts import Parts, Word
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import Span, clauses_of, sentences_of

# A word decides if its part has these log odds and this share of the largest part, and if it says something
# alone: these log odds, or this share of what says most. Without "the", the score of a sentence may change,
# but "the" decides nothing.
_PART, _PART_SHARE = 0.1, 0.2
_ALONE, _ALONE_SHARE = 1.5, 0.3
# Words that say nothing alone. A negation belongs to the next word that is none of them.
_BARE = "|".join((Path(__file__).parent / "bare_words.txt").read_text("utf-8").split())
_NOT = r"(?:not|no|nor|never|cannot|without|hardly|barely|[a-z]+n['`\xb4\u02bc\u2018\u2019]t)"
_IS_BARE = re.compile(rf"(?:{_BARE}|{_NOT})\W*", re.IGNORECASE)
_NEGATED = re.compile(rf"\b{_NOT}\s+(?:(?:{_BARE})\s+){{0,3}}(?!(?:{_BARE})\b)[^\W_]+", re.IGNORECASE)


class Sentence(NamedTuple):
    """A sentence or clause, `text[start:end]` of the whole, with the label and the score of it alone."""

    text: str
    label: str | None
    score: float | None
    start: int
    end: int


# Returns the label and the score of each text.
Score = Callable[[Sequence[str | None]], Iterable[tuple[str | None, float | None]]]


@dataclass(frozen=True)
class Explanation:
    """The explanation of a score. An empty text has no label, score, words and sentences.

    :param label, score: as in `Scores`.
    :param words: the words that the model reads, in order. A part above 0 speaks for the second of two
        labels, or for the predicted one of more.
    :param phrases: the words that decided, with the largest part first; neighbors of one sign are joined.
    :param own_words: the phrases with a weight of the user's own, which is their part.
    """

    text: str
    label: str | None
    score: float | None
    words: list[Word]
    phrases: list[Word]
    sentences: list[Sentence]
    own_words: list[Word]

    @property
    def unknown(self) -> list[Word]:
        """The words that the model does not know."""
        return [word for word in self.words if not word.is_known]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON, with scores of six decimals as in files."""
        groups = {"phrases": self.phrases, "words": self.words, "unknown": self.unknown}
        groups |= {"own_words": self.own_words} if self.own_words else {}
        return {
            "text": self.text,
            "label": self.label,
            "score": _rounded(self.score),
            **{name: [word[:4] for word in words] for name, words in groups.items()},
            "sentences": [sentence._replace(score=_rounded(sentence.score)) for sentence in self.sentences],
        }


def explain(texts: Sequence[str | None], parts: Parts, score: Score) -> list[Explanation]:
    """Return the explanation of each text."""
    scores = list(score(texts))
    read = [text if text and label else "" for text, (label, _) in zip(texts, scores, strict=True)]
    explanations = []
    rows = zip(texts, scores, parts.words(read), score_sentences(read, score), strict=True)
    for text, labeled, words, sentences in rows:
        text = text or ""
        own = [Word(text[start:end], weight, start, end) for weight, start, end in parts.own_words(text)]
        explanations.append(Explanation(text, *labeled, words, phrases(text, words), sentences, own))
    return explanations


def score_sentences(texts: Sequence[str], score: Score) -> list[list[Sentence]]:
    """Return the sentences of each text."""
    spans = [[(text[start:end], start, end) for start, end in sentences_of(text)] for text in texts]
    alone = iter(score([sentence for row in spans for sentence, _, _ in row]))
    return [[Sentence(sentence, *next(alone), start, end) for sentence, start, end in row] for row in spans]


def phrases(text: str, words: Sequence[Word]) -> list[Word]:
    """Return the words that decided, with the largest part first; neighbors of one sign become a phrase.

    The part of a phrase is the largest of its words: without both, "not bad" says as little as with both. A
    sentence does not decide which words of another one are shown.
    """
    least_alone = min(_ALONE, max((_ALONE_SHARE * word.alone for word in words), default=0))
    negated = [found.span() for found in _NEGATED.finditer(text)]
    deciding: list[Word] = []
    for begin, stop in sentences_of(text):
        own = [word for word in words if begin <= word.start < stop]
        least = max([_PART, *(_PART_SHARE * abs(word.part) for word in own)])
        for word in own:
            if abs(word.part) < least or (word.alone < least_alone and not word.shift):
                continue
            spans = (span for span in negated if span[0] <= word.start < span[1])
            start, end = next(spans, (word.end, word.end))
            if start != word.start and not word.shift and _IS_BARE.fullmatch(word.text):
                continue
            start, end = min(start, word.start), max(end, word.end)
            part = word.part
            last = deciding[-1] if deciding else word
            is_neighbor = text[last.end : start].isspace() and (last.part > 0) == (part > 0)
            if deciding and (start < last.end or is_neighbor):
                deciding.pop()
                start, part = last.start, max(last.part, part, key=abs)
            deciding.append(Word(text[start:end], part, start, end))
    return sorted(deciding, key=lambda word: -abs(word.part))


def deciding_words(texts: Sequence[str], parts: Parts, limit: int) -> list[str]:
    """Return for each text the phrases with the largest parts, as JSON: `[["lovely", 2.753]]`."""
    return [
        _to_json([(phrase.text, round(phrase.part, 3)) for phrase in phrases(text, words)[:limit]])
        for text, words in zip(texts, parts.words(texts, exact=False), strict=True)
    ]


def sentences_json(sentences: Iterable[Sentence]) -> str:
    """Return sentences as JSON: `[[0, 14, "negative", 0.016121]]`."""
    return _to_json([(row.start, row.end, row.label, _rounded(row.score)) for row in sentences])


class Aspects:
    """Scores what texts say of aspects: for each aspect, the clauses with one of its words, joined.

    :param words: of each aspect; their plurals count too.
    """

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        aspects: dict[str, list[str]] = {}  # of each form of a word
        for name, forms in words.items():
            for form in {form for word in forms for form in forms_of(word.lower())}:
                aspects.setdefault(form, []).append(name)
        self._names = [*words]
        self._phrases = Phrases(aspects)

    def scores(self, texts: Sequence[str], parts: Parts, score: Score) -> dict[str, list[float | None]]:
        """Return for each aspect a score per text; None for a text without its words."""
        found = [self._phrases.find(text) for text in texts]
        read = [text if places else "" for text, places in zip(texts, found, strict=True)]

        def is_wanted(row: int, span: Span) -> bool:
            return any(span[0] <= place < span[1] for _, place, _ in found[row])

        asked: dict[tuple[int, str], list[str]] = {}
        for row, _, (start, end) in clauses_of(read, parts.alone, is_wanted):
            names = chain.from_iterable(names for names, place, _ in found[row] if start <= place < end)
            for name in dict.fromkeys(names):
                asked.setdefault((row, name), []).append(texts[row][start:end])
        numbers = [number for _, number in score([*map(" ".join, asked.values())])]
        scores = dict(zip(asked, numbers, strict=True))
        return {name: [scores.get((row, name)) for row in range(len(texts))] for name in self._names}


def forms_of(word: str) -> list[str]:
    """Return a word and its plural, by each rule."""
    return [word, f"{word}s", f"{word}es", *([f"{word[:-1]}ies"] if word.endswith("y") else [])]


def _rounded(score: float | None) -> float | None:
    return score and round(score, 6)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
