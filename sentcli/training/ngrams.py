"""Linear models of n-grams: the baseline of every network, and the part that n-grams have in its logits."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_union
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from sentcli.config import LOG
from sentcli.evaluation.calibration import fit_temperature
from sentcli.evaluation.metrics import Labels, evaluate
from sentcli.files import stop
from sentcli.model.bilstm import SMALLEST_SQUARE, BiLSTM, hash_pairs
from sentcli.scoring.labels import Floats, choose_classes, softmax
from sentcli.text.tokenizer import words_of
from sentcli.training.corpus import Corpus, Indices, TokenIds
from sentcli.training.heads import Calibrated

_FEWEST_TEXTS = 3  # with an n-gram
_MOST_CHARACTERS = 4_000_000  # times classes, of texts whose characters are read too
_MOST_TEXTS = 25_000  # limit of texts to learn from: the n-grams of more take gigabytes
_INVERSE_PENALTY = 10.0  # of the weights of the baseline
_PENALTY, _PENALTY_OF_ALL = 1e-5, 0.1  # of the weights in the logits: the lowest one; times the texts
_SGD = {"max_iter": 20, "tol": None, "fit_intercept": False, "average": True}
_SMOOTHING = 0.5  # of counts
_MOST_LABELED = 75_000  # texts to learn these from
_BUCKETS = 16_381  # of pairs; a prime, so that the product of two tokens reaches all of them
MANY_BUCKETS, _MANY_TOKENS = 262_139, 5_000_000  # with more tokens to train on
_FIGURES = ("accuracy", "accuracy_interval", "macro_f1", "log_loss")  # of those that `evaluate` returns
_SHARES = (0.1, 0.15, 0.2, 0.35, 0.5)  # candidates for the share of n-grams in the logits


def predict_by_ngrams(data: Corpus) -> Floats:
    """Return the probabilities `[texts, classes]` of the validation texts with a label.

    They are those of a linear model of n-grams, which learns from the same texts as the network.
    """
    is_validated = data.validation.has_label
    classes = len(data.texts.labels)
    probabilities = np.empty((len(data.validation), classes))
    for learned, tested in data.folds:
        rows, unseen = draw_labeled(data, learned, _MOST_TEXTS), tested[is_validated[tested]]
        train = [data.texts.train.texts[row] for row in rows]
        validated = [data.texts.validation.texts[row] for row in unseen]
        probabilities[unseen] = classify_by_ngrams(train, data.train.labels[rows], validated, classes)
    return probabilities[is_validated]


def compare_with_ngrams(calibrated: Calibrated, data: Corpus) -> dict[str, Any]:
    """Return the figures of a model of n-grams, the baseline, and the verdict of McNemar's test at 5 %."""
    started, names, sure = time.perf_counter(), data.texts.labels, data.validation.has_label
    labels, baseline = data.validation.labels[sure], predict_by_ngrams(data)
    seconds = time.perf_counter() - started
    figures = evaluate(labels, baseline, names)
    is_right = choose_classes(calibrated.probabilities[sure], names) == labels
    is_baseline_right = choose_classes(baseline, names) == labels
    won, lost = int((is_right & ~is_baseline_right).sum()), int((is_baseline_right & ~is_right).sum())
    chance = 1.96 * math.sqrt(won + lost)
    return {
        **{name: figures[name] for name in _FIGURES},
        "seconds": round(seconds, 1),
        "is_beaten": won - lost > chance,
        "is_better": lost - won > chance,
    }


def classify_by_ngrams(texts: Sequence[str], labels: Labels, unseen: Sequence[str], classes: int) -> Floats:
    """Return the probabilities `[unseen, classes]` of unseen texts from a linear model of n-grams.

    Logistic regression on TF-IDF of words, pairs and triples is fast and unlike a network (G. Mesnil, T.
    Mikolov, M. Ranzato and Y. Bengio, "Ensemble of Generative and Discriminative Techniques for Sentiment
    Analysis of Movie Reviews", arXiv:1412.5335, 2014). Two to five characters of a word help where a
    language has many forms of a word. More than `_MOST_CHARACTERS`, as in thousands of long texts or in tens
    of classes, would take minutes and gigabytes: then there are only words.
    """
    of_words = {"tokenizer": words_of, "token_pattern": None, "lowercase": False, "ngram_range": (1, 3)}
    kinds: list[dict[str, Any]] = [of_words, {"analyzer": "char_wb", "ngram_range": (2, 5)}]
    if classes * sum(map(len, texts)) > _MOST_CHARACTERS:
        del kinds[1]
    fewest = _FEWEST_TEXTS if len(texts) > 100 * _FEWEST_TEXTS else 1
    vectorizer = make_union(
        *(TfidfVectorizer(min_df=fewest, sublinear_tf=True, dtype=np.float32, **kind) for kind in kinds)
    )
    model = LogisticRegression(C=_INVERSE_PENALTY, fit_intercept=False, max_iter=1000)
    weights = _fit(model, vectorizer.fit_transform(texts), labels, classes)
    logits: Floats = vectorizer.transform(unseen) @ weights.T
    logits[:, np.bincount(labels, minlength=classes) == 0] = -np.inf  # in a fold
    return softmax(logits)


def _fit(
    model: LogisticRegression | SGDClassifier,
    features: sparse.csr_array,
    labels: Labels,
    classes: int,
    weights: Floats | None = None,
) -> Floats:
    """Return the weights `[classes, features]` of logistic regression."""
    stop.check()
    table, known = np.zeros((classes, features.shape[1])), np.unique(labels)
    if len(known) > 1:
        with threadpool_limits(1):  # the sums of several threads have other last bits
            fitted = model.fit(features, labels, sample_weight=weights).coef_
        table[known] = fitted if len(known) > 2 else np.vstack([-fitted, fitted]) / 2
    return table


def add_ngrams(
    network: BiLSTM, data: Corpus, logits: Floats, class_weights: Tensor | None, same: Indices
) -> tuple[Floats, dict[str, float]]:
    """Add n-grams to the logits of a network if validation texts show a gain beyond noise.

    :param logits: of the network for the validation texts, `[texts, classes]`.
    :param same: see `learn_ngrams`.
    :returns: the new logits of these texts, and the figures of the choice; no figures if nothing was added.
    """
    train, validation, words = data.train, data.validation, len(data.vocab)
    buckets = MANY_BUCKETS if train.lengths.sum() > _MANY_TOKENS else _BUCKETS
    weights = np.ones(logits.shape[1]) if class_weights is None else class_weights.numpy()
    unseen, added = count_ngrams(validation.ids, words, buckets), np.empty(logits.shape)
    for learned, tested in data.folds:
        table = learn_ngrams(data, learned, buckets, weights, same)
        added[tested] = ngram_logits(unseen[tested], table)
    if len(data.folds) > 1:
        table = learn_ngrams(data, np.arange(len(train)), buckets, weights, same)
    sure = validation.has_label
    labels = validation.labels[sure]
    importance = np.ones(len(labels))
    for column in data.texts.validation.columns:  # names of data sets, which count equally
        _, number, sizes = np.unique(np.array(column)[sure], return_inverse=True, return_counts=True)
        importance = sizes.mean() / sizes[number]
    share, scale = _choose_share(labels, logits[sure], added[sure], weights, importance)
    if not share:
        return logits, {}
    network.config = replace(network.config, ngram_buckets=buckets)
    network.ngrams = nn.Embedding(*table.shape)
    table[:, :-1] *= share * scale
    network.ngrams.weight.data.copy_(torch.from_numpy(table))
    for parameter in network.classifier.parameters():
        parameter.data.mul_(1 - share)
    mixed = (1 - share) * logits + share * scale * added
    before, after = (float((values[sure].argmax(axis=1) == labels).mean()) for values in (logits, mixed))
    LOG.info("n-grams have a share of %g: accuracy %.3f -> %.3f on validation texts", share, before, after)
    return mixed, {"share": share, "accuracy_before": before, "accuracy_after": after}


def draw_labeled(data: Corpus, rows: Indices, most: int) -> Indices:
    """Return rows with a label, at most so many: of the larger data sets a sample."""
    rows = np.random.default_rng(0).permutation(rows[data.train.has_label[rows]])
    ranks = pd.Series(rows).groupby(data.data_sets[rows]).cumcount()
    return np.sort(rows[np.argsort(ranks, kind="stable")[:most]])


def count_ngrams(ids: Sequence[TokenIds], words: int, buckets: int) -> sparse.csr_array:
    """Return how often a text has each token and each pair of neighbors, `[texts, words + buckets]`."""
    columns = []
    for of_text in ids:
        tokens = torch.from_numpy(of_text).long()
        pairs = hash_pairs(tokens[:-1], tokens[1:], buckets).numpy()
        columns.append(np.concatenate([of_text, words + pairs[pairs > 0]]).astype(np.int32))
    ends = np.cumsum([0, *map(len, columns)], dtype=np.int32)
    counts = sparse.csr_array((np.ones(ends[-1]), np.concatenate(columns), ends), (len(ids), words + buckets))
    counts.sum_duplicates()
    return counts


def ngram_logits(counts: sparse.csr_array, table: Floats) -> Floats:
    """Return the logits `[texts, classes]` of n-grams; see `BiLSTM`. Those of the first class are 0."""
    sums = counts @ table
    norms = np.sqrt(np.maximum(sums[:, -1:], SMALLEST_SQUARE))
    return np.hstack([np.zeros_like(norms), sums[:, :-1] / norms])


def learn_ngrams(data: Corpus, rows: Indices, buckets: int, class_weights: Floats, same: Indices) -> Floats:
    """Return the table `[n-grams, classes]` of weights and squares of texts with a label; see `BiLSTM`.

    For two classes, the value of an n-gram is the log ratio of its shares in their texts (S. Wang and C.
    Manning, "Baselines and Bigrams", ACL 2012). For more classes, it is its inverse document frequency.

    :param same: the id that each id is learned as; see `even_words`.
    """
    rows = draw_labeled(data, rows, _MOST_LABELED)
    counts = count_ngrams([same[data.train.ids[row]] for row in rows], len(same), buckets)
    has, labels, known = counts.sign(), data.train.labels[rows], np.unique(data.train.labels[rows])
    weights = (data.importance * data.train.targets.sum(axis=1))[rows] * class_weights[labels]
    values = np.log((1 + len(rows)) / (1 + has.sum(axis=0))) + 1
    if len(known) == 2:
        texts = [weights[labels == label] @ has[labels == label] + _SMOOTHING for label in known]
        values = np.subtract(*(np.log(part / part.sum()) for part in texts))
    values[has.sum(axis=0) == 0] = 0
    norms = np.sqrt(np.maximum(counts @ values**2, SMALLEST_SQUARE))
    counts.data *= values[counts.indices] / np.repeat(norms, np.diff(counts.indptr))
    penalty = max(_PENALTY, _PENALTY_OF_ALL / len(rows))
    model = SGDClassifier("log_loss", alpha=penalty, **_SGD, random_state=0)
    fitted = _fit(model, counts, labels, len(class_weights), weights)
    table = np.column_stack([*(fitted[1:] - fitted[0]) * values, values**2])
    table[: len(same)] = table[same]
    return table


def _choose_share(
    labels: Labels, network: Floats, ngrams: Floats, weights: Floats, importance: Floats
) -> tuple[float, float]:
    """Return the share of n-grams with the lowest log loss, and the scale of their logits.

    The share is 0 unless the loss falls by more than the standard error of the differences between texts, and
    for a network without an error, whose loss could be as low at another temperature.

    :param weights: of the classes; `importance` is that of the texts.
    """

    def losses_of(logits: Floats) -> Floats:
        temperature = fit_temperature(labels, logits, weights)
        of_label = softmax(logits / temperature)[np.arange(len(labels)), labels]
        return np.asarray(-np.log(np.maximum(of_label, np.finfo(float).tiny)) * weights[labels] * importance)

    if (network.argmax(axis=1) == labels).all():
        return 0.0, 1.0
    scale = fit_temperature(labels, network, weights) / fit_temperature(labels, ngrams, weights)
    before, best, highest = losses_of(network), 0.0, 0.0
    for share in _SHARES:
        gains = before - losses_of((1 - share) * network + share * scale * ngrams)
        if gains.mean() > max(highest, gains.std() / len(gains) ** 0.5):
            best, highest = share, gains.mean()
    return best, scale
