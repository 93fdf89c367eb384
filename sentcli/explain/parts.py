"""The part of each word in the score of its text: leave the word out, and read the text again."""

from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.explain.pieces import MARKS, pieces_of
from sentcli.text.encoder import slices
from sentcli.text.tokenizer import truncate
from sentcli.text.vocabulary import UNK_ID, Vocab

Floats = npt.NDArray[np.floating[Any]]

_GROUP = 1 << 15  # characters of texts that are read together
_SHARE, _FEWEST = 4, 4  # in bulk, a quarter of the words of a text is left out, and at least this many


class Word(NamedTuple):
    """A word of a text in its own spelling, `text[start:end]`, or several that belong together.

    :param part: by how much the log odds of the label fall without the word, in six decimals. The label is
        the second of two, or the predicted one of more.
    :param alone: how far the log odds of the word as a text of its own are from those of an unknown word.
    """

    text: str
    part: float
    start: int
    end: int
    is_known: bool = True
    alone: float = 0.0


class _Cut(NamedTuple):
    """The tokens of a text, and its words, still without their parts, each with the places of its tokens."""

    tokens: list[str]
    words: list[tuple[Word, int, int]]


class Parts:
    """Finds the parts of words. They depend on the text and the model alone. Threads may share it.

    :param logits: returns the logits `[sequences, classes]` of sequences of ids, each of at least one id.
    """

    def __init__(self, vocab: Vocab, max_tokens: int, logits: Callable[[list[list[int]]], Floats]) -> None:
        self._vocab, self._max_tokens, self._logits = vocab, max_tokens, logits
        self._alone: dict[str, float] = {}  # of the known tokens that were read so far

    def words(self, texts: Sequence[str], *, exact: bool = True) -> Iterator[list[Word]]:
        """Yield the words of each text in order. A long text has no words where truncation leaves them out.

        :param exact: leave out every word; else only the quarter that says most alone. That takes a third of
            the time, and nearly all words that decide are among them.
        """
        for group in slices(texts, _GROUP):
            cuts = [self._cut(text, exact=exact) for text in group]
            logits = self._logits([ids for cut in cuts for ids in self._variants(cut)])
            ends = np.cumsum([1 + len(cut.words) for cut in cuts])
            for cut, found in zip(cuts, np.split(logits, ends[:-1]), strict=True):
                odds = _log_odds(found)
                parts = np.round(odds[0] - odds[1:], 6).tolist()
                yield [word._replace(part=part) for (word, *_), part in zip(cut.words, parts, strict=True)]

    def _cut(self, text: str, *, exact: bool) -> _Cut:
        pieces = [piece for piece in pieces_of(text) if piece.tokens]
        most = 2 * self._max_tokens  # an id is two tokens at most
        if len(pieces) > 2 * most:
            pieces = pieces[:most] + pieces[-most:]
        tokens = [token for piece in pieces for token in piece.tokens]
        self._read_alone({*tokens})
        words: list[tuple[Word, int, int]] = []
        last = 0
        for start, end, own in pieces:
            first, last = last, last + len(own)
            if not MARKS.issuperset(own):
                is_known = all(token in self._alone for token in own)
                alone = max(self._alone.get(token, 0.0) for token in own)
                words.append((Word(text[start:end], 0.0, start, end, is_known, alone), first, last))
        if not exact:
            count = max(_FEWEST, -(-len(words) // _SHARE))
            words = sorted(nlargest(count, words, key=lambda word: word[0].alone), key=itemgetter(1))
        return _Cut(tokens, words)

    def _read_alone(self, tokens: set[str]) -> None:
        """Score tokens as texts of their own, each once."""
        new = [token for token in tokens if token in self._vocab and token not in self._alone]
        if new:
            logits = self._logits([[UNK_ID], *(self._vocab.encode([token]) for token in new)])
            self._alone.update(zip(new, np.ptp(logits[1:] - logits[0], axis=1).tolist(), strict=True))

    def _variants(self, cut: _Cut) -> Iterator[list[int]]:
        """Yield the ids of a text, and those of the text without each of its words."""
        for first, last in ((0, 0), *(places for _, *places in cut.words)):
            ids = self._vocab.encode(cut.tokens[:first] + cut.tokens[last:])
            yield truncate(ids, self._max_tokens) or [UNK_ID]


def _log_odds(logits: Floats) -> Floats:
    """Return the log odds of the second of two classes, or of the class that the first row predicts."""
    exact = logits.astype(np.float64)
    label = 1 if exact.shape[1] == 2 else exact[0].argmax()
    others = np.delete(exact, label, axis=1)
    odds: Floats = exact[:, label] - np.logaddexp.reduce(others, axis=1)
    return odds
