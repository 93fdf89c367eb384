"""The part of each word in the score of its text: leave the word out, and read the text again."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.backends import Logits
from sentcli.explain.phrases import Span, shift
from sentcli.explain.pieces import MARKS, Piece, pieces_of
from sentcli.text.encoder import Floats, slices
from sentcli.text.tokenizer import UNK_ID, Vocab, truncate, words_of

_GROUP = 1 << 15  # characters of texts that are read together
_SHARE, _FEWEST = 4, 4  # in bulk, a quarter of the words of a text is left out, and at least this many


class Word(NamedTuple):
    """A word of a text in its own spelling, `text[start:end]`, or several that belong together.

    :param part: by how much the log odds of the label fall without the word, in six decimals. The label is
        the second of two, or the predicted one of more.
    :param alone: how far the log odds of the word as a text of its own are from those of an unknown word.
    :param shift: how much of the part comes from weights of the user's own.
    """

    text: str
    part: float
    start: int
    end: int
    is_known: bool = True
    alone: float = 0.0
    shift: float = 0.0


# The tokens of a text, and its words, still without their parts, each with the places of its tokens.
_Cut = tuple[list[str], list[tuple[Word, int, int]]]


@dataclass
class Parts:
    """Finds the parts of words. They depend on the text and the model alone. Threads may share it.

    :param begin: begins to compute the logits `[sequences, classes]` of sequences of ids, none of them empty,
        and returns a function that waits for them.
    :param own_words: returns the weights of the user's own that stand in a text.
    :param choose: returns the classes that probabilities `[texts, classes]` predict.
    """

    vocab: Vocab
    max_tokens: int
    begin: Callable[[list[list[int]]], Callable[[], Logits]]
    own_words: Callable[[str], list[Span]] = lambda _: []
    choose: Callable[[Floats], npt.NDArray[Any]] = lambda probabilities: probabilities.argmax(axis=1)
    _alone: dict[str, float] = field(default_factory=dict)  # of the known tokens that were read so far

    def words(self, texts: Sequence[str], *, exact: bool = True) -> Iterator[list[Word]]:
        """Yield the words of each text in order. A long text has no words where truncation leaves them out.

        :param exact: leave out every word; else only the quarter with the largest effect alone. That takes a
            third of the time, and nearly all words that decide are among them.
        """
        for group in slices(texts, _GROUP):
            read = [self._pieces(text) for text in group]
            self._read_alone({token for pieces in read for piece in pieces for token in piece.tokens})
            cuts = [self._cut(text, pieces, exact=exact) for text, pieces in zip(group, read, strict=True)]
            yield from self._finish(cuts, self.begin([ids for cut in cuts for ids in self._variants(cut)]))

    def alone(self, texts: Sequence[str]) -> list[float]:
        """Return for each text the largest `Word.alone` of its words."""
        read = [words_of(text) if text else [] for text in texts]
        self._read_alone({token for tokens in read for token in tokens})
        return [max((self._alone.get(token, 0.0) for token in tokens), default=0.0) for tokens in read]

    def _pieces(self, text: str) -> list[Piece]:
        """Return the pieces that the model reads, and perhaps a few more."""
        pieces = [piece for piece in pieces_of(text) if piece.tokens]
        limit = 2 * self.max_tokens  # an id is two tokens at most
        return pieces[:limit] + pieces[-limit:] if len(pieces) > 2 * limit else pieces

    def _cut(self, text: str, pieces: Sequence[Piece], *, exact: bool) -> _Cut:
        tokens = [token for piece in pieces for token in piece.tokens]
        placed = self.own_words(text)
        words: list[tuple[Word, int, int]] = []
        last = 0
        for start, end, own in pieces:
            first, last = last, last + len(own)
            if not MARKS.issuperset(own):
                is_known = all(token in self._alone for token in own)
                alone = max(self._alone.get(token, 0.0) for token in own)
                rest = [span for span in placed if span[2] <= start or span[1] >= end]
                moved = shift(placed) - shift(rest) if placed else 0.0
                words.append((Word(text[start:end], 0.0, start, end, is_known, alone, moved), first, last))
        if not exact:
            count = max(_FEWEST, -(-len(words) // _SHARE))
            kept = nlargest(count, words, key=lambda word: (word[0].shift != 0, word[0].alone))
            words = sorted(kept, key=itemgetter(1))
        return tokens, words

    def _read_alone(self, tokens: set[str]) -> None:
        """Score tokens as texts of their own, each once."""
        new = [token for token in tokens if token in self.vocab and token not in self._alone]
        if new:
            logits = self.begin([[UNK_ID], *(self.vocab.encode([token]) for token in new)])()
            self._alone.update(zip(new, np.ptp(logits[1:] - logits[0], axis=1).tolist(), strict=True))

    def _variants(self, cut: _Cut) -> Iterator[list[int]]:
        """Yield the ids of a text, and those of the text without each of its words.

        Only the tokens around a word are encoded again, up to the next places that no bigram spans.
        """
        (tokens, words), encode = cut, self.vocab.encode
        pairs = enumerate(pairwise(tokens), start=1)
        places = [0, *(place for place, pair in pairs if " ".join(pair) not in self.vocab), len(tokens)]
        runs = [encode(tokens[start:end]) for start, end in pairwise(places)]
        before = dict(zip(places, accumulate(map(len, runs), initial=0), strict=True))  # ids
        ids = [*chain.from_iterable(runs)]
        yield truncate(ids, self.max_tokens) or [UNK_ID]
        for _, first, last in words:
            start = places[max(bisect_left(places, first) - 1, 0)]
            end = places[min(bisect_right(places, last), len(places) - 1)]
            middle = encode(tokens[start:first] + tokens[last:end])
            without = ids[: before[start]] + middle + ids[before[end] :]
            yield truncate(without, self.max_tokens) or [UNK_ID]

    def _finish(self, cuts: Sequence[_Cut], finish: Callable[[], Logits]) -> Iterator[list[Word]]:
        """Yield the words of each text with their parts."""
        ends = np.cumsum([1 + len(words) for _, words in cuts])
        for (_, words), logits in zip(cuts, np.split(finish(), ends[:-1]), strict=True):
            odds = self._log_odds(logits.astype(np.float64))
            parts = np.round(odds[0] - odds[1:] + [word.shift for word, *_ in words], 6).tolist()
            yield [word._replace(part=part) for (word, *_), part in zip(words, parts, strict=True)]

    def _log_odds(self, logits: Floats) -> Floats:
        """Return the log odds of the second of two classes, or of the class that the first row predicts."""
        first = logits[:1] - np.logaddexp.reduce(logits[:1], axis=1, keepdims=True)
        label = 1 if logits.shape[1] == 2 else int(self.choose(np.exp(first))[0])
        rest = np.delete(logits, label, axis=1)
        odds: Floats = logits[:, label] - np.logaddexp.reduce(rest, axis=1)
        return odds
