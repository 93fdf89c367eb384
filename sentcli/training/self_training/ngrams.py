"""A linear model over the words, pairs and triples of words of a text: fast, and unlike a network.

S. Wang and C. Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", ACL 2012,
for the features: which n-grams a text has, weighted by the log ratios of naive Bayes. G. Mesnil, T. Mikolov,
M. Ranzato and Y. Bengio, "Ensemble of Generative and Discriminative Techniques for Sentiment Analysis of
Movie Reviews", arXiv:1412.5335, 2014, for logistic regression on them, and for triples.
"""

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax

from sentcli.training.self_training.ngram_index import NgramIndex, Tokens

Floats = npt.NDArray[np.float64]

_ROW_LENGTH = 20.0  # about that of a review of 400 different n-grams; it makes the penalty easy to read
_SMOOTHING = 1.0  # added to the count of each n-gram in each class before the ratios are taken
_TOLERANCE = 1e-6  # of the mean loss in nats from one step to the next


class NgramModel:
    """Multinomial logistic regression over n-grams. It is deterministic: the same texts, the same model.

    The defaults were chosen on the validation part of IMDb.

    :param longest: the number of words in the longest n-gram.
    :param min_count: n-grams seen less often in training are left out.
    :param penalty: of the squared weights, against the loss summed over the texts.
    """

    def __init__(self, *, longest: int = 3, min_count: int = 3, penalty: float = 6.0) -> None:
        self._longest = longest
        self._min_count = min_count
        self._penalty = penalty

    def fit(self, tokens: Tokens, targets: Floats) -> Self:
        """Learn from texts.

        :param targets: probabilities `[texts, classes]`, two or more classes; a hard label is a one-hot row.
        """
        self._ngrams = NgramIndex(tokens, self._longest, self._min_count)
        presence = self._ngrams.presence(tokens)
        ratios = _log_ratios(presence, targets)
        self._weights, self._bias = _regress(_equal_rows(presence), ratios, targets, self._penalty)
        return self

    def probabilities(self, tokens: Tokens) -> Floats:
        """Give probabilities `[texts, classes]`; a text without a known word has those of the bias alone."""
        blocks = [_equal_rows(block) @ self._weights for block in self._ngrams.blocks(tokens)]
        logits = np.concatenate([np.empty((0, len(self._bias))), *blocks]) + self._bias
        probabilities: Floats = np.exp(log_softmax(logits, axis=1))
        return probabilities


def _log_ratios(presence: csr_array, targets: Floats) -> Floats:
    """Give the log of how much likelier each n-gram is in a class than out of it, `[n-grams, classes]`."""
    within = presence.T @ targets + _SMOOTHING
    without = presence.T @ (1 - targets) + _SMOOTHING
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
        log_probabilities = log_softmax(features @ (weights * ratios) + bias, axis=1)
        errors = np.exp(log_probabilities) - targets
        value = penalty / 2 * np.vdot(weights, weights) - np.vdot(targets, log_probabilities)
        gradient = (features.T @ errors) * ratios + penalty * weights
        return float(value) / len(targets), np.append(gradient, errors.sum(0)) / len(targets)

    start = np.zeros(ratios.size + classes)
    parameters: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": _TOLERANCE}).x
    return parameters[:-classes].reshape(ratios.shape) * ratios, parameters[-classes:]
