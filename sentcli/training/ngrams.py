"""Linear models of n-grams and of features of tokens: a part of the logits, and the baseline of a network."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from threadpoolctl import threadpool_limits
from torch import nn

from sentcli.backends import Logits
from sentcli.config import LOG
from sentcli.evaluation.calibration import cooled_losses, fit_temperature
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.evaluation.metrics import Labels, evaluate
from sentcli.files import stop
from sentcli.model.bilstm import SMALLEST_SQUARE, BiLSTM, hash_pairs
from sentcli.scoring.labels import Floats, choose_classes, softmax
from sentcli.text.tokenizer import PAD_ID, UNK_ID
from sentcli.training.corpus import Corpus, Indices, TokenIds
from sentcli.training.heads import Calibrated

_MOST_TEXTS = 25_000  # with more, texts have enough words of their own, and few features say more
_INVERSE_PENALTY = 10.0  # of the weights of features
_PENALTY, _PENALTY_OF_ALL = 1e-5, 0.1  # of the weights of n-grams: the lowest one; times the texts
_SGD = {"max_iter": 20, "tol": None, "fit_intercept": False, "average": True}
_SMOOTHING = 0.5  # of counts
_MOST_LABELED = 75_000  # texts to learn these from
_BUCKETS = 16_381  # of pairs; a prime, so that the product of two tokens reaches all of them
MANY_BUCKETS, _MANY_TOKENS = 262_139, 5_000_000  # with more tokens to train on
_FIGURES = ("accuracy", "accuracy_interval", "macro_f1", "log_loss")  # of those that `evaluate` returns
# Candidates for the share of a member in the logits.
_SHARES = (0.0, 0.1, 0.15, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
_PARTS = 3  # of the validation texts, each with a share that is chosen on the others
_STEPS = 100  # of a fit of token features, enough for the accuracy

TokenFeatures: TypeAlias = Floats | sparse.csr_array


def compare_with_linear(calibrated: Calibrated, linear: "Linear", data: Corpus) -> dict[str, Any]:
    """Return the figures of the linear members alone, and the verdict of McNemar's test at 5 %."""
    names, sure = data.texts.labels, data.validation.has_label
    labels, logits = data.validation.labels[sure], linear.logits[sure]
    baseline = softmax(logits / fit_temperature(labels, logits))
    figures = evaluate(labels, baseline, names)
    is_right = choose_classes(calibrated.probabilities[sure], names) == labels
    is_baseline_right = choose_classes(baseline, names) == labels
    won, lost = int((is_right & ~is_baseline_right).sum()), int((is_baseline_right & ~is_right).sum())
    chance = 1.96 * math.sqrt(won + lost)
    return {
        **{name: figures[name] for name in _FIGURES},
        "shares": linear.shares,
        "seconds": round(linear.seconds, 1),
        "is_beaten": won - lost > chance,
        "is_better": lost - won > chance,
    }


@dataclass(frozen=True)
class Linear:
    """The linear members of a model, mixed: their table, see `BiLSTM`, and their logits out of fold."""

    table: Floats  # `[n-grams, classes]`
    logits: Floats  # of the validation texts, `[texts, classes]`
    shares: dict[str, float]  # of each member; for many texts, only of n-grams
    seconds: float  # of their fit


def fit_linear(data: Corpus, same: Indices, features: Mapping[str, TokenFeatures]) -> Linear:
    """Fit the linear members, and choose the share of each on validation texts.

    :param same: see `learn_tables`, as for the features.
    """
    started, train, words = time.perf_counter(), data.train, len(data.vocab)
    buckets = MANY_BUCKETS if train.lengths.sum() > _MANY_TOKENS else _BUCKETS
    unseen = count_ngrams(data.validation.ids, words, buckets)
    members = [np.empty(data.validation.targets.shape) for _ in range(1 + len(features))]
    for learned, tested in data.folds:
        tables = learn_tables(data, learned, buckets, same, [*features.values()])
        for logits, table in zip(members, tables, strict=True):
            logits[tested] = ngram_logits(unseen[tested], table)
    if len(data.folds) > 1:
        tables = learn_tables(data, np.arange(len(train)), buckets, same, [*features.values()])
    mixed, whole, shares = members[0], tables[0], {"ngrams": 1.0}
    for name, logits, table in zip(features, members[1:], tables[1:], strict=True):
        mixed, share, scale = mix(data, mixed, logits)
        whole[:, :-1] = (1 - share) * whole[:, :-1] + share * scale * table[:, :-1]
        shares = {**{key: (1 - share) * value for key, value in shares.items()}, name: share}
    listed = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    accuracy = accuracy_of_texts(accuracy_of(mixed, data), int(data.validation.has_label.sum()))
    LOG.info("linear model alone: accuracy %s on validation texts; %s", accuracy, listed)
    return Linear(whole, mixed, shares, time.perf_counter() - started)


def add_linear(
    network: BiLSTM, linear: Linear, data: Corpus, logits: Floats
) -> tuple[Floats, dict[str, float]]:
    """Add the linear members to the logits of a network, with the share that is best on validation texts.

    :param logits: of the network for the validation texts, `[texts, classes]`; zeros if it has no part.
    :returns: the new logits of these texts, and the figures of the choice; no figures if nothing was added.
    """
    mixed, share, scale = linear.logits, 1.0, 1.0
    if logits.any():
        mixed, share, scale = mix(data, logits, linear.logits, is_sure=len(linear.shares) == 1)
    if not share:
        return logits, {}
    table = linear.table.copy()
    table[:, :-1] *= share * scale
    network.config = replace(network.config, ngram_buckets=len(table) - len(data.vocab))
    network.ngrams = nn.Embedding(*table.shape)
    network.ngrams.weight.data.copy_(torch.from_numpy(table))
    for parameter in network.classifier.parameters():
        parameter.data.mul_(1 - share)
    before, after = accuracy_of(logits, data), accuracy_of(mixed, data)
    text = "linear members have a share of %g: accuracy %.3f -> %.3f on validation texts"
    LOG.info(text, share, before, after)
    return mixed, {"share": share, "accuracy_before": before, "accuracy_after": after}


def adds_nothing(linear: Linear, data: Corpus, logits: Logits, tested: Indices | slice = slice(None)) -> bool:
    """Return whether a network lowers the loss of linear members by less than a standard error."""
    sure, labels = data.validation.has_label[tested], data.validation.labels[tested]
    gains, _ = gains_of(labels[sure], linear.logits[tested][sure], logits[sure].astype(np.float64))
    return not best_share(gains, is_sure=True)


def accuracy_of(logits: Floats, data: Corpus) -> float:
    """Return the accuracy on the validation texts with a label."""
    sure = data.validation.has_label
    return float((logits[sure].argmax(axis=1) == data.validation.labels[sure]).mean())


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


def learn_tables(
    data: Corpus, rows: Indices, buckets: int, same: Indices, features: Sequence[TokenFeatures] = ()
) -> list[Floats]:
    """Return tables `[n-grams, classes]` of weights and squares, learned from labeled texts; see `BiLSTM`.

    The first is that of tokens and pairs. For two classes, the value of an n-gram is the log ratio of its
    shares in their texts (S. Wang and C. Manning, "Baselines and Bigrams", ACL 2012). For more classes, it is
    its inverse document frequency.

    The others have weights of all tokens of the vocabulary, those that follow from their features. All have
    the same squares, so a sum of their weights is a table too.

    :param same: the id that each id is learned as; see `even_words`.
    :param features: of each token, `[tokens, features]`, such as its word vector.
    """
    rows = draw_labeled(data, rows, _MOST_LABELED)
    counts = count_ngrams([same[data.train.ids[row]] for row in rows], len(same), buckets)
    has, labels, known = counts.sign(), data.train.labels[rows], np.unique(data.train.labels[rows])
    weights = (data.importance * data.train.targets.sum(axis=1))[rows]
    values = np.log((1 + len(rows)) / (1 + has.sum(axis=0))) + 1
    if len(known) == 2:
        texts = [weights[labels == label] @ has[labels == label] + _SMOOTHING for label in known]
        values = np.subtract(*(np.log(part / part.sum()) for part in texts))
    is_new = has.sum(axis=0) == 0
    values[is_new] = 0
    if features:  # new tokens have weights too, so they have a part in the norm
        is_new[[PAD_ID, *range(len(same), len(values))]] = False
        values[is_new] = np.sqrt(np.mean(values[values != 0] ** 2))

    def fit(model: LogisticRegression | SGDClassifier, features: sparse.csr_array) -> Floats:
        """Return the weights `[classes, features]` of logistic regression."""
        stop.check()
        weights_of = np.zeros((len(data.texts.labels), features.shape[1]))
        if len(known) > 1:
            with threadpool_limits(1):  # the sums of several threads have other last bits
                fitted = model.fit(features, labels, sample_weight=weights).coef_
            weights_of[known] = fitted if len(known) > 2 else np.vstack([-fitted, fitted]) / 2
        return weights_of

    norms = np.sqrt(np.maximum(counts @ values**2, SMALLEST_SQUARE))
    counts.data /= np.repeat(norms, np.diff(counts.indptr))
    of_tokens = counts[:, : len(same)]
    counts.data *= values[counts.indices]
    penalty = max(_PENALTY, _PENALTY_OF_ALL / len(rows))
    model = SGDClassifier("log_loss", alpha=penalty, **_SGD, random_state=0)
    fitted = fit(model, counts)
    tables = [np.column_stack([*(fitted[1:] - fitted[0]) * values, values**2])]
    for described in features:
        of_texts = of_tokens @ described
        scale = np.sqrt((of_texts * of_texts).sum()) / len(rows) ** 0.5
        model = LogisticRegression(C=_INVERSE_PENALTY, fit_intercept=False, max_iter=_STEPS)
        fitted = described @ (fit(model, of_texts / scale).T / scale)
        table = np.zeros_like(tables[0])
        table[: len(same), :-1] = fitted[:, 1:] - fitted[:, :1]
        table[:, -1] = tables[0][:, -1]
        tables.append(table)
    for table in tables:
        table[: len(same)] = table[same]
    return tables


def token_features(data: Corpus, vectors: Floats | None) -> dict[str, TokenFeatures]:
    """Return what tokens are described by: characters and, if known, vectors; nothing for many texts.

    Few texts have few of the words of a language, and the weights of the others follow from these.
    """
    if data.train.has_label.sum() > _MOST_TEXTS:
        return {}
    counted = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    words = data.vocab.words
    frequencies = np.bincount(np.concatenate([*map(np.unique, data.train.ids)]), minlength=len(words))
    characters = counted.fit([words[index] for index in np.flatnonzero(frequencies)]).transform(words)
    weights = np.log((1 + len(data.train)) / (1 + frequencies)) + 1
    weights[: UNK_ID + 1] = 0
    described: TokenFeatures = sparse.csr_array(sparse.diags_array(weights) @ characters)
    return {"characters": described} | ({} if vectors is None else {"vectors": vectors})


def mix(data: Corpus, first: Floats, second: Floats, *, is_sure: bool = False) -> tuple[Floats, float, float]:
    """Return a mix of two logits, the best share of the second ones on validation texts, and their scale.

    Figures of the mix are not too good: each third of the texts has the share that is best on the others.

    :param first, second: `[validation texts, classes]`; of data sets, which count equally.
    :param is_sure: see `best_share`.
    """
    (rows,) = data.validation.has_label.nonzero()
    importance = np.ones(len(rows))
    for column in data.texts.validation.columns:
        _, number, sizes = np.unique(np.array(column)[rows], return_inverse=True, return_counts=True)
        importance = sizes.mean() / sizes[number]
    labels = data.validation.labels[rows]
    gains, scale = gains_of(labels, first[rows], second[rows], importance)
    share = best_share(gains, is_sure=is_sure)
    shares, part = np.full((len(first), 1), share), np.random.default_rng(0).permutation(len(rows)) % _PARTS
    for chosen in range(_PARTS):
        shares[rows[part == chosen]] = best_share(gains[:, part != chosen], is_sure=is_sure)
    return (1 - shares) * first + shares * scale * second, share, scale


def gains_of(
    labels: Labels, first: Floats, second: Floats, importance: Floats | float = 1.0
) -> tuple[Floats, float]:
    """Return how much the log loss of texts falls by each share of the second logits, and their scale.

    Nothing is gained on first logits without an error, whose loss could be as low at another temperature.

    :param importance: of the texts.
    :returns: the gains `[shares, texts]`.
    """
    if (first.argmax(axis=1) == labels).all():
        return np.zeros((len(_SHARES), len(labels))), 1.0
    scale = fit_temperature(labels, first) / fit_temperature(labels, second)
    mixes = ((1 - share) * first + share * scale * second for share in _SHARES)
    losses = np.array([cooled_losses(labels, logits) for logits in mixes]) * importance
    return losses[0] - losses, scale


def best_share(gains: Floats, *, is_sure: bool) -> float:
    """Return the share with the largest mean gain, 0 if there is none.

    :param is_sure: whether a gain has to be larger than its standard error.
    """
    means = gains.mean(axis=1)
    means[means <= is_sure * gains.std(axis=1) / gains.shape[1] ** 0.5] = 0
    return _SHARES[int(means.argmax())]
