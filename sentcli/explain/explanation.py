"""Why a text has its score: the words that decided, and the score of each sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sentcli.explain.parts import Parts, Word
from sentcli.explain.pieces import sentences_of

# A word decides if its part has these log odds and this share of the largest part, and if it says something
# alone: these log odds, or this share of what says most. Without "the", a model may score a sentence higher,
# but "the" decides nothing.
_PART, _PART_SHARE = 0.1, 0.2
_ALONE, _ALONE_SHARE = 1.5, 0.3


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
            "score": self.score and round(self.score, 6),
            **{name: [word[:4] for word in words] for name, words in groups.items()},
            "sentences": [
                sentence._replace(score=sentence.score and round(sentence.score, 6))
                for sentence in self.sentences
            ],
        }


def explain(texts: Sequence[str | None], parts: Parts, score: Score) -> list[Explanation]:
    """Return the explanation of each text."""
    scores = list(score(texts))
    read = [text if text and label else "" for text, (label, _) in zip(texts, scores, strict=True)]
    explanations = []
    for text, labeled, words, sentences in zip(
        texts, scores, parts.words(read), score_sentences(read, score), strict=True
    ):
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

    The part of a phrase is the largest of its words: without both, "not bad" says as little as with both.
    """
    least = max([_PART, *(_PART_SHARE * abs(word.part) for word in words)])
    least_alone = min(_ALONE, max((_ALONE_SHARE * word.alone for word in words), default=0))
    deciding: list[Word] = []
    for word in words:
        last = deciding[-1] if deciding else word
        if abs(word.part) < least or (word.alone < least_alone and not word.shift):
            continue
        if text[last.end : word.start].isspace() and (last.part > 0) == (word.part > 0):
            part = max(last.part, word.part, key=abs)
            deciding[-1] = Word(text[last.start : word.end], part, last.start, word.end)
        else:
            deciding.append(word)
    return sorted(deciding, key=lambda word: -abs(word.part))
