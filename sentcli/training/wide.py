"""The wide path of a model: class weights of tokens and hashed pairs, and their share in its logits."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from sentcli.evaluation.calibration import fit_temperature
from sentcli.evaluation.metrics import Labels
from sentcli.model.bilstm import BiLSTM, hash_pairs, ngram_table
from sentcli.scoring import stop
from sentcli.scoring.labels import Floats, softmax
from sentcli.training.corpus import Corpus
from sentcli.training.cross_validation import Folds
from sentcli.training.examples import Examples

_log = logging.getLogger("sentcli")

Logits = npt.NDArray[np.float32]  # [texts, classes]

BUCKETS = 16_381  # of pairs; a prime, so that the product of two tokens reaches all of them
_SHARES = (0.2, 0.35, 0.5)
_INVERSE_PENALTY = 10.0  # for the weights
_ABSENT = -10.0  # the logit of a class without a text in a fold
_MOST_TEXTS = 25_000  # to learn from


@dataclass(frozen=True)
class Wide:
    """A linear model of the features of `BiLSTM._ngram_logits`."""

    table: Floats  # `[tokens + BUCKETS, classes + 1]`: times IDF, and the square of IDF
    bias: Floats  # `[classes]`

    @classmethod
    def fit(cls, examples: Examples, words: int, class_weights: Floats) -> "Wide":
        """Fit logistic regression to the texts with a label, or to a draw of them if they are many."""
        stop.check()
        (sure,) = examples.has_label.nonzero()
        examples = examples.take(np.sort(np.random.default_rng(0).permutation(sure)[:_MOST_TEXTS]))
        counts, classes = _counts(examples, words), len(class_weights)
        texts = np.bincount(counts.indices, minlength=counts.shape[1])  # with each n-gram
        idf = np.where(texts, np.log((1 + len(examples)) / (1 + texts)) + 1, 0)
        squares = (idf**2).astype(np.float16).astype(np.float64)  # as a bundle stores them
        used = np.flatnonzero(idf)
        features = sparse.diags_array(1 / _norms(counts @ squares)) @ (counts[:, used] * idf[used])
        table, bias = np.zeros((len(idf), classes + 1)), np.full(classes, _ABSENT)
        table[:, -1] = squares
        known = np.unique(examples.labels)
        bias[known] = 0
        if len(known) > 1:
            model = LogisticRegression(C=_INVERSE_PENALTY, tol=1e-3, max_iter=200)
            weights = examples.targets.sum(axis=1) * class_weights[examples.labels]
            with threadpool_limits(1):  # the sums of several threads have other last bits
                model.fit(features.astype(np.float32), examples.labels, weights)
            coefficients, intercept = model.coef_, model.intercept_
            if len(known) == 2:
                coefficients = np.concatenate([-coefficients, coefficients]) / 2
                intercept = np.concatenate([-intercept, intercept]) / 2
            table[np.ix_(used, known)] = coefficients.T * idf[used, None]
            bias[known] = intercept
        return cls(table, bias)

    def logits(self, examples: Examples, words: int) -> Floats:
        """Return the logits `[texts, classes]`."""
        sums = _counts(examples, words) @ self.table
        logits: Floats = sums[:, :-1] / _norms(sums[:, -1])[:, None] + self.bias
        return logits


def _norms(squares: Floats) -> Floats:
    return np.sqrt(np.maximum(squares, 1e-9))


def _counts(examples: Examples, words: int) -> sparse.csr_array:
    """Return how often each text has each token and each pair, `[texts, words + BUCKETS]`."""
    places = []
    for ids in examples.ids:
        tokens = torch.from_numpy(ids).long()
        pairs = hash_pairs(tokens[:-1], tokens[1:], BUCKETS).numpy()
        places.append(np.concatenate([ids, words + pairs[pairs > 0]]))
    starts = np.cumsum([0, *map(len, places)])
    columns = np.concatenate(places)
    counts = sparse.csr_array((np.ones(len(columns)), columns, starts), (len(examples), words + BUCKETS))
    counts.sum_duplicates()
    return counts


def add_ngrams(
    network: BiLSTM, data: Corpus, fold_of: Folds | None, logits: Logits, class_weights: Tensor | None
) -> tuple[Floats, dict[str, float]]:
    """Add n-grams to the logits of a network if validation texts show a gain beyond noise.

    :param logits: of the network for the validation texts; with folds, for the texts to train on.
    :returns: the new logits of these texts, and the figures of the choice; no figures if nothing was added.
    """
    words, classes = len(data.vocab), logits.shape[1]
    weights = np.ones(classes) if class_weights is None else class_weights.numpy()
    validation, found = data.validation, np.empty((0, classes))
    if fold_of is not None:
        validation, found = data.train, np.empty(logits.shape)
        for fold in range(fold_of.max() + 1):
            unseen = fold_of == fold
            wide = Wide.fit(data.train.take(np.flatnonzero(~unseen)), words, weights)
            found[unseen] = wide.logits(data.train.take(np.flatnonzero(unseen)), words)
    wide = Wide.fit(data.train, words, weights)
    if fold_of is None:
        found = wide.logits(validation, words)
    sure = validation.has_label
    labels, exact = validation.labels[sure], logits.astype(np.float64)
    share, scale = choose_share(labels, exact[sure], found[sure], weights)
    if not share:
        return exact, {}
    mixed = (1 - share) * exact + share * scale * found
    network.config = replace(network.config, ngram_buckets=BUCKETS)
    network.ngrams = ngram_table(network.config)
    wide.table[:, :-1] *= share * scale
    network.ngrams.weight.data.copy_(torch.from_numpy(wide.table))
    network.classifier.weight.data.mul_(1 - share)
    network.classifier.bias.data.mul_(1 - share).add_(torch.from_numpy(share * scale * wide.bias))
    before, after = (float((some[sure].argmax(axis=1) == labels).mean()) for some in (exact, mixed))
    kind = "validation" if fold_of is None else "out-of-fold"
    _log.info("n-grams have a share of %g: %s accuracy %.3f -> %.3f", share, kind, before, after)
    return mixed, {"share": share, "accuracy_before": before, "accuracy_after": after}


def choose_share(labels: Labels, network: Floats, ngrams: Floats, weights: Floats) -> tuple[float, float]:
    """Return the share of n-grams with the lowest log loss, and the scale of their logits.

    The share is 0 unless the loss falls by more than the standard error of the differences between texts.
    """
    before, temperature = _losses(labels, network, weights)
    scale = temperature / fit_temperature(labels, ngrams, weights)
    best, highest = 0.0, 0.0
    for share in _SHARES:
        losses, _ = _losses(labels, (1 - share) * network + share * scale * ngrams, weights)
        gains = before - losses
        if gains.mean() > max(highest, gains.std() / len(gains) ** 0.5):
            best, highest = share, gains.mean()
    return best, scale


def _losses(labels: Labels, logits: Floats, weights: Floats) -> tuple[Floats, float]:
    """Return the log loss of each text after the temperature that suits all, and this temperature."""
    temperature = fit_temperature(labels, logits, weights)
    of_label = softmax(logits / temperature)[np.arange(len(labels)), labels]
    return -np.log(np.maximum(of_label, np.finfo(float).tiny)) * weights[labels], temperature
