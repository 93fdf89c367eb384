"""A linear model of n-grams that stands beside the network: tokens and hashed pairs of neighboring tokens.

The features of a text are the ids that the network reads and the bucket of each pair of neighbors, each with
the log ratio `r` of its counts in positive and negative texts (S. Wang and C. Manning, "Baselines and
Bigrams", ACL 2012), divided by the L2 norm of the text. So the log odds of a text are

    sum(r[f] * coefficient[f] for its features f) / sqrt(sum(r[f] ** 2 for its features f))

which a graph computes from two tables: two gathers, two sums over the text and a division.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import SGDClassifier

from sentcli.config import DataSet
from sentcli.model.bilstm import HASH_FACTOR, HASH_TERM
from sentcli.scoring.labels import Floats
from sentcli.training.examples import Ids, Rows

BUCKETS = 262_139  # of pairs; a prime, so that the product of two tokens reaches all of them
SMOOTHING = 0.5  # of the counts
PENALTY, PASSES = 1e-5, 4
SMALLEST = 1e-6  # norm
# Texts of each label to learn from: of a data set, and of those whose name begins with one of these words.
# More sentences make n-grams worse on reviews.
MOST = 3500
EXCEPTIONS = {"stanfordnlp": 6000, "everyday": 4500, "holes": 1500, "causes": 1500, "short": 0, "labels": 0}


@dataclass(frozen=True)
class Ngrams:
    """The tables `[words + BUCKETS]`: what each feature adds to the log odds, and the square of its value."""

    weights: npt.NDArray[np.float16]
    squares: npt.NDArray[np.float16]
    words: int

    def log_odds(self, ids: Sequence[Ids]) -> Floats:
        """Return the log odds of the second class for texts; a feature counts as often as it occurs."""
        counts = features(ids, self.words)
        norms = np.sqrt(np.maximum(counts @ self.squares.astype(np.float64), SMALLEST**2))
        odds: Floats = counts @ self.weights.astype(np.float64) / norms
        return odds


def features(ids: Sequence[Ids], words: int) -> sparse.csr_array:
    """Return how often each text has each token and each bucket of pairs, `[texts, words + BUCKETS]`."""
    tokens = np.concatenate(ids).astype(np.int64)
    texts = np.repeat(np.arange(len(ids)), [*map(len, ids)])
    buckets = words + (tokens[:-1] * HASH_FACTOR + HASH_TERM) * tokens[1:] % BUCKETS
    is_pair = (texts[1:] == texts[:-1]) & (buckets > words)  # bucket 0 stands for padding in a graph
    rows, columns = np.concatenate([texts, texts[1:][is_pair]]), np.concatenate([tokens, buckets[is_pair]])
    counts = sparse.coo_array(
        (np.ones(len(rows), np.float32), (rows.astype(np.int32), columns.astype(np.int32))),
        shape=(len(ids), words + BUCKETS),
    ).tocsr()
    counts.sum_duplicates()
    return counts


def draw_rows(
    sets: Sequence[DataSet],
    counts: Sequence[int],
    labels: npt.NDArray[np.int64],
    has_label: npt.NDArray[np.bool_],
) -> Rows:
    """Draw the texts to learn from.

    :param counts: the number of texts of each data set, which follow each other.
    :param labels: of the texts, as `has_label` `[texts]`, which is false for neutral ones.
    """
    draw, drawn = np.random.default_rng(0), []
    for data, part in zip(sets, np.split(np.arange(len(labels)), np.cumsum(counts)[:-1]), strict=True):
        path = Path(data.path)
        most = EXCEPTIONS.get(path.stem, EXCEPTIONS.get(path.parts[0], MOST))
        for label in (0, 1):
            drawn.append(draw.permutation(part[has_label[part] & (labels[part] == label)])[:most])
    return np.sort(np.concatenate(drawn))


def fit_ngrams(ids: Sequence[Ids], is_positive: npt.NDArray[np.bool_], words: int) -> Ngrams:
    """Fit the weights of n-grams to labeled texts."""
    counts = features(ids, words)
    has = counts.sign()
    of_classes = [has[rows].sum(axis=0) + SMOOTHING for rows in (is_positive, ~is_positive)]
    positive, negative = (np.log(each / each.sum()) for each in of_classes)
    values = np.where(has.sum(axis=0) > 0, positive - negative, 0)
    norms = np.sqrt(np.maximum(counts @ values**2, SMALLEST**2))
    rows = (sparse.diags_array(1 / norms) @ counts.multiply(values)).tocsr().astype(np.float32)
    rows.indices, rows.indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    model = SGDClassifier(
        loss="log_loss",
        alpha=PENALTY,
        average=True,
        max_iter=PASSES,
        tol=None,
        fit_intercept=False,
        random_state=0,
    )
    coefficients = model.fit(rows, is_positive).coef_[0]
    return Ngrams((values * coefficients).astype(np.float16), (values**2).astype(np.float16), words)
