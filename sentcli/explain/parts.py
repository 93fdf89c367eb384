"""The part of each word in the score of its text: leave the word out, and read the text again."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from heapq import nlargest
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.explain.pieces import MARKS, Piece, pieces_of
from sentcli.text.encoder import slices
from sentcli.text.tokenizer import truncate
from sentcli.text.vocabulary import UNK_ID, Vocab

Floats = npt.NDArray[np.floating[Any]]

_GROUP = 1 << 15  # characters of texts that are read together
_SHARE, _FEWEST = 3, 4  # in bulk, a third of the words of a text is left out, and at least this many


class Word(NamedTuple):
    """A word of a text in its own spelling, `text[start:end]`, or several that belong together.

    :param part: by how much the log odds of the label fall without the word, in six decimals. The label is
        the second of two, or the predicted one of more.
    """

    text: str
    part: float
    start: int
    end: int
    is_known: bool = True


class _Cut(NamedTuple):
    """The tokens of a text, and the pieces to leave out, each with the places of its tokens."""

    tokens: list[str]
    words: list[tuple[Piece, int, int]]


class Parts:
    """Finds the parts of words. They depend on the text and the model alone. Threads may share it.

    :param logits: returns the logits `[sequences, classes]` of sequences of ids, each of at least one id.
    """

    def __init__(self, vocab: Vocab, max_tokens: int, logits: Callable[[list[list[int]]], Floats]) -> None:
        self._vocab, self._max_tokens, self._logits = vocab, max_tokens, logits

    def words(self, texts: Sequence[str], *, exact: bool = True) -> Iterator[list[Word]]:
        """Yield the words of each text in order. A long text has no words where truncation leaves them out.

        :param exact: leave out every word; else the third of them that says most as texts of their own, in
            less than half of the time. Nearly all words that decide are among them.
        """
        for group in slices(texts, _GROUP):
            cuts = [self._cut(text, exact=exact) for text in group]
            sequences = [ids for cut in cuts for ids in self._variants(cut)]
            ends = np.cumsum([1 + len(cut.words) for cut in cuts])
            logits = np.split(self._logits(sequences), ends[:-1])
            yield from map(self._words, group, cuts, map(_log_odds, logits))

    def _cut(self, text: str, *, exact: bool) -> _Cut:
        pieces = pieces_of(text)
        most = 2 * self._max_tokens  # an id is two words at most
        if len(pieces) > 2 * most:
            pieces = pieces[:most] + pieces[-most:]
        tokens = [token for piece in pieces for token in piece.tokens]
        spans = pairwise(accumulate((len(piece.tokens) for piece in pieces), initial=0))
        words = [
            (piece, *span)
            for piece, span in zip(pieces, spans, strict=True)
            if not MARKS.issuperset(piece.tokens)
        ]
        count = max(_FEWEST, -(-len(words) // _SHARE))
        if not exact and len(words) > count:
            ids = np.array(self._vocab.encode(tokens))
            strengths = self._strengths[ids].repeat(1 + (ids >= self._vocab.first_bigram))  # of each token
            strongest = nlargest(count, words, key=lambda word: strengths[word[1] : word[2]].max())
            words = sorted(strongest)
        return _Cut(tokens, words)

    @cached_property
    def _strengths(self) -> Floats:
        """For each id, how far the log odds of a text of it alone are from those of an unknown word."""
        logits = self._logits([[number] for number in range(len(self._vocab))])
        strengths: Floats = np.ptp(logits - logits[UNK_ID], axis=1)
        return strengths

    def _variants(self, cut: _Cut) -> Iterator[list[int]]:
        """Yield the ids of a text, and those of the text without each of its words."""
        for start, stop in ((0, 0), *(places for _, *places in cut.words)):
            ids = self._vocab.encode(cut.tokens[:start] + cut.tokens[stop:])
            yield truncate(ids, self._max_tokens) or [UNK_ID]

    def _words(self, text: str, cut: _Cut, log_odds: Floats) -> list[Word]:
        """Return the words of a text.

        :param log_odds: those of `_variants`.
        """
        parts = np.round(log_odds[0] - log_odds[1:], 6).tolist()
        return [
            Word(text[start:end], part, start, end, all(token in self._vocab for token in tokens))
            for ((start, end, tokens), *_), part in zip(cut.words, parts, strict=True)
        ]


def _log_odds(logits: Floats) -> Floats:
    """Return the log odds of the second of two classes, or of the class that the first row predicts."""
    exact = logits.astype(np.float64)
    label = 1 if exact.shape[1] == 2 else exact[0].argmax()
    others = np.delete(exact, label, axis=1)
    odds: Floats = exact[:, label] - np.logaddexp.reduce(others, axis=1)
    return odds
