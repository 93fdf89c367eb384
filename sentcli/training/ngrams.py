"""A linear model over the words, pairs and triples of words of a text: fast, and unlike a network.

S. Wang and C. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", ACL 2012,
for the features: which n-grams a text has, weighted by the log ratios of naive Bayes. G. Mesnil, T. Mikolov,
M. Ranzato and Y. Bengio, "Ensemble of Generative and Discriminative Techniques for Sentiment Analysis of
Movie Reviews", arXiv:1412.5335, 2014, for logistic regression on them, and for triples.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array, vstack

from sentcli.text import PAD, UNK_ID, Vocab

Tokens = Sequence[Sequence[str]]  # the tokens of each text
Floats = npt.NDArray[np.float64]
_Ids = npt.NDArray[np.int64]

_BLOCK = 2048  # texts at a time: it bounds the memory, not the result
_ROW_LENGTH = 20.0  # about that of a review of 400 different n-grams; it makes the penalty easy to read
_TOLERANCE = 1e-6  # of the mean loss in nats from one step to the next


class NgramModel:
    """Multinomial logistic regression over n-grams. There is no chance in it: the same texts, the same model.

    The defaults were chosen on the validation part of IMDb.

    :param longest: the number of words in the longest n-gram.
    :param min_count: n-grams seen less often in training are left out.
    :param smoothing: added to the count of each n-gram in each class before the ratios are taken.
    :param penalty: of the squared weights, against the loss summed over the texts.
    """

    def __init__(
        self, *, longest: int = 3, min_count: int = 3, smoothing: float = 1.0, penalty: float = 6.0
    ) -> None:
        self._longest = longest
        self._min_count = min_count
        self._smoothing = smoothing
        self._penalty = penalty

    def fit(self, tokens: Tokens, targets: Floats) -> Self:
        """Learn from texts.

        :param targets: probabilities `[texts, classes]`, two or more classes; a hard label is a one-hot row.
        """
        self._ngrams = _Ngrams(tokens, self._longest, self._min_count)
        presence = vstack(list(self._ngrams.presence(tokens)), format="csr")
        ratios = _log_ratios(presence, targets, self._smoothing)
        self._weights, self._bias = _regress(_equal_rows(presence), ratios, targets, self._penalty)
        return self

    def probabilities(self, tokens: Tokens) -> Floats:
        """Give probabilities `[texts, classes]`; a text without a known word has those of the bias alone."""
        blocks = [_equal_rows(block) @ self._weights for block in self._ngrams.presence(tokens)]
        logits = np.concatenate([np.empty((0, len(self._bias))), *blocks]) + self._bias
        return np.exp(_log_softmax(logits))


class _Ngrams:
    """The n-grams seen often enough, numbered: first all words, then all pairs, and so on.

    A word and a shorter n-gram are numbers, so that a longer n-gram is the number of all its words but the
    last, times the size of the vocabulary, plus its last word: one sorted array of integers for each length.
    An n-gram that is left out makes every longer one that begins with it as rare, so nothing is missed.
    """

    def __init__(self, tokens: Tokens, longest: int, min_count: int) -> None:
        self._vocab = Vocab.build(tokens, min_count)
        self._tables: list[_Ids] = []
        words = grams = self._words(tokens)
        for _ in range(longest - 1):
            keys = self._extend(grams, words)
            table, counts = _count(keys[keys >= 0])
            self._tables.append(table[counts >= min_count])
            grams = _find(self._tables[-1], keys)

    def __len__(self) -> int:
        return sum(self._sizes())

    def presence(self, tokens: Tokens) -> Iterator[csr_array]:
        """Give a matrix `[texts, n-grams]` for each block of texts: 1 where the text has the n-gram."""
        for start in range(0, len(tokens), _BLOCK):
            yield self._block(tokens[start : start + _BLOCK])

    def _block(self, tokens: Tokens) -> csr_array:
        rows = np.repeat(np.arange(len(tokens)), [len(text) + 1 for text in tokens])
        cells = []
        first = 0
        for grams, size in zip(self._by_length(tokens), self._sizes(), strict=True):
            known = np.flatnonzero(grams >= 0)
            cells.append(rows[known] * len(self) + first + grams[known])
            first += size
        places, _ = _count(np.concatenate(cells))
        row, column = np.divmod(places, len(self))
        ends = np.searchsorted(row, np.arange(len(tokens) + 1))
        indices = column.astype(np.int32), ends.astype(np.int32)  # int64 would be kept, and is slower
        return csr_array((np.ones(len(row)), *indices), shape=(len(tokens), len(self)))

    def _sizes(self) -> list[int]:
        return [len(self._vocab), *map(len, self._tables)]

    def _by_length(self, tokens: Tokens) -> Iterator[_Ids]:
        """Give, for each length, the numbers of the n-grams that begin at each place, -1 for unknown ones."""
        words = grams = self._words(tokens)
        yield grams
        for table in self._tables:
            grams = _find(table, self._extend(grams, words))
            yield grams

    def _words(self, tokens: Tokens) -> _Ids:
        """Give the numbers of all words in a row; -1 for an unknown one and after each text."""
        words = np.array(self._vocab.encode(chain.from_iterable((*text, PAD) for text in tokens)), np.int64)
        words[words == UNK_ID] = -1
        return words

    def _extend(self, grams: _Ids, words: _Ids) -> _Ids:
        """Give the key of each n-gram with the word after it, -1 where one of the two is unknown."""
        following = words[len(words) - len(grams) + 1 :]
        known = (grams[:-1] >= 0) & (following >= 0)
        return np.where(known, grams[:-1] * len(self._vocab) + following, -1)


def _count(keys: _Ids) -> tuple[_Ids, _Ids]:
    """Give the different keys in order and how often each occurs: `np.unique`, but 20 times as fast."""
    keys = np.sort(keys)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.diff(starts, append=len(keys))


def _find(table: _Ids, keys: _Ids) -> _Ids:
    """Give the place of each key in a sorted table, -1 where it is not there."""
    places = np.searchsorted(table[:-1], keys)
    return np.where(table[places] == keys, places, -1) if len(table) else np.full(len(keys), -1)


def _log_ratios(presence: csr_array, targets: Floats, smoothing: float) -> Floats:
    """Give the log of how much likelier each n-gram is in a class than out of it, `[n-grams, classes]`."""
    within = presence.T @ targets + smoothing
    without = presence.T @ (1 - targets) + smoothing
    ratios: Floats = np.log(within / within.sum(0)) - np.log(without / without.sum(0))
    return ratios


def _equal_rows(presence: csr_array) -> csr_array:
    """Scale each row to one length, so that a short text is judged as firmly as a long one."""
    counts = np.diff(presence.indptr)
    scales = _ROW_LENGTH / np.sqrt(np.maximum(counts, 1))
    return csr_array((np.repeat(scales, counts), presence.indices, presence.indptr), presence.shape)


def _regress(features: csr_array, ratios: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Minimise the cross-entropy plus the penalty. The ratios scale the columns, for each class its own way.

    :returns: weights of the unscaled columns `[n-grams, classes]`, and the bias `[classes]`.
    """
    classes = targets.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights, bias = parameters[:-classes].reshape(ratios.shape), parameters[-classes:]
        log_probabilities = _log_softmax(features @ (weights * ratios) + bias)
        errors = np.exp(log_probabilities) - targets
        value = penalty / 2 * np.vdot(weights, weights) - np.vdot(targets, log_probabilities)
        gradient = (features.T @ errors) * ratios + penalty * weights
        return float(value) / len(targets), np.append(gradient, errors.sum(0)) / len(targets)

    start = np.zeros(ratios.size + classes)
    parameters: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": _TOLERANCE}).x
    return parameters[:-classes].reshape(ratios.shape) * ratios, parameters[-classes:]


def _log_softmax(logits: Floats) -> Floats:
    logits = logits - logits.max(axis=1, keepdims=True)
    normalizers: Floats = np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits - normalizers
