"""A vector for each text, learnt without a label: it foretells which n-grams the text has.

Q. Le and T. Mikolov, "Distributed Representations of Sentences and Documents", ICML 2014, for vectors that
foretell words (PV-DBOW). B. Li, T. Liu, X. Du, D. Zhang and Z. Zhao, "Learning Document Embeddings by
Predicting N-grams for Sentiment Classification of Long Movie Reviews", arXiv:1512.08183, 2015, for n-grams.
T. Thongtan and T. Phienthrakul, "Sentiment Classification Using Document Embeddings Trained with Cosine
Similarity", ACL Student Research Workshop 2019, for the cosine, its scale and five negatives.

Theirs begin at random and take a hundred passes over the texts. These begin as a factorisation of the
matrix of TF-IDF, and a batch of texts takes all n-grams of its other texts as negatives: matrix products, of
which ten passes are enough.
"""

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd
from torch import Tensor
from torch.nn.functional import normalize

from sentcli.scoring.progress import progress_bar
from sentcli.training.self_training.ngram_index import NgramIndex, Tokens

_SCALE = 6.0  # of a cosine, to make a logit of it
_NEGATIVES = 5.0  # all n-grams that a text does not have weigh as much as so many for each that it has
_BATCH = 64  # texts
_TEXT_STEP = 0.4  # the first step of a text on the unit sphere; steps fall linearly to 0
_NGRAM_STEP = 0.3  # the same of an n-gram, for which AdaGrad makes the later ones smaller
_POWER_ITERATIONS = 2  # of the factorisation, which is a beginning alone


def document_vectors(
    tokens: Tokens,
    *,
    size: int = 300,
    longest: int = 3,
    min_count: int = 10,
    max_ngrams: int = 500_000,
    epochs: int = 10,
    seed: int = 1,
    quiet: bool = False,
) -> npt.NDArray[np.float32]:
    """Learn a vector for each text from the texts together.

    The defaults were chosen on the validation part of IMDb. Memory: `4 * size` bytes for each text and for
    each of at most `max_ngrams` n-grams, and 12 bytes for each n-gram of each text.

    :param size: of a vector; fewer when there are fewer texts or n-grams.
    :param longest: the number of words in the longest n-gram.
    :param min_count: n-grams seen less often are left out; of the others stay the `max_ngrams` that are in
        most texts.
    :param epochs: passes over the texts.
    :returns: `[texts, size]`, each of length 1, or 0 where no n-gram in a text's batches tells texts apart. A
        text without n-grams lies away from the n-grams of its batches.
    """
    presence = _most_frequent(NgramIndex(tokens, longest, min_count).presence(tokens), max_ngrams)
    size = min(size, *(side - 1 for side in presence.shape))
    if size < 1:
        return np.ones((len(tokens), 1), np.float32)
    texts, ngrams = (_OnSphere(vectors) for vectors in _factors(presence, size, seed))
    random = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(len(tokens), generator=random) for _ in range(epochs))
    batches = [rows for order in orders for rows in torch.split(order, _BATCH)]
    with progress_bar(
        quiet=quiet, total=epochs * len(tokens), desc="document vectors", unit="texts", unit_scale=True
    ) as bar:
        for number, rows in enumerate(batches):
            _learn(texts, ngrams, rows, presence[rows.numpy()], 1 - number / len(batches))
            bar.update(len(rows))
    return texts.vectors.numpy()


def _most_frequent(presence: csr_array, count: int) -> csr_array:
    """Keep the columns of the n-grams that are in most texts."""
    if presence.shape[1] <= count:
        return presence
    frequencies = np.bincount(presence.indices, minlength=presence.shape[1])
    return presence[:, np.sort(np.argsort(-frequencies, kind="stable")[:count])]


def _factors(presence: csr_array, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Give vectors of texts and of n-grams whose products are about the TF-IDF."""
    counts = np.diff(presence.indptr)
    frequencies = np.bincount(presence.indices, minlength=presence.shape[1])
    idf = np.log(len(counts) / np.maximum(frequencies, 1))
    values = idf[presence.indices]
    squares = np.bincount(np.repeat(np.arange(len(counts)), counts), values**2, minlength=len(counts))
    values /= np.repeat(np.sqrt(np.maximum(squares, 1e-12)), counts)
    tf_idf = csr_array((values.astype(np.float32), presence.indices, presence.indptr), presence.shape)
    left, scales, right = randomized_svd(tf_idf, size, n_iter=_POWER_ITERATIONS, random_state=seed)
    roots = np.sqrt(scales)
    return torch.from_numpy((left * roots).copy()), torch.from_numpy((right.T * roots).copy())


class _OnSphere:
    """Vectors of length 1.

    :param vectors: `[count, size]`, of any length.
    """

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = normalize(vectors.float())
        self._squares = torch.zeros(len(vectors))  # of all gradients, for AdaGrad with one rate a vector

    def step(self, rows: Tensor, gradient: Tensor, rate: float, *, adagrad: bool = False) -> None:
        """Move some vectors along their gradient, by an angle of about `rate`, and back on the sphere."""
        vectors = self.vectors[rows]
        tangent = gradient - (gradient * vectors).sum(1, keepdim=True) * vectors
        squares = tangent.square().sum(1)
        if adagrad:
            squares += self._squares[rows]
            self._squares[rows] = squares
        self.vectors[rows] = normalize(vectors - (rate / (squares.sqrt() + 1e-6))[:, None] * tangent)


def _learn(texts: _OnSphere, ngrams: _OnSphere, rows: Tensor, presence: csr_array, share_left: float) -> None:
    """Move a batch of texts, and then their n-grams.

    A text meets its n-grams once an epoch and takes the whole step. An n-gram is met time and again, and each
    time by few of its texts: its steps get smaller.

    :param presence: of the batch, `[texts, n-grams]`.
    :param share_left: of the steps, 1 at first.
    """
    columns, places = np.unique(presence.indices, return_inverse=True)
    if not len(columns):
        return
    cells = np.repeat(np.arange(len(rows)), np.diff(presence.indptr)), places
    present = torch.from_numpy(cells[0]), torch.from_numpy(cells[1])
    known = torch.from_numpy(columns.astype(np.int64))
    vectors = ngrams.vectors[known]
    errors = _errors(texts.vectors[rows], vectors, present)
    texts.step(rows, errors @ vectors, _TEXT_STEP * share_left)
    moved = texts.vectors[rows]
    errors = _errors(moved, vectors, present)
    ngrams.step(known, errors.T @ moved, _NGRAM_STEP * share_left, adagrad=True)


def _errors(texts: Tensor, ngrams: Tensor, present: tuple[Tensor, Tensor]) -> Tensor:
    """Give the derivative of the logistic loss by the logit of each text and n-gram, `[texts, n-grams]`.

    :param present: the rows and the columns where a text has an n-gram.
    """
    probabilities = torch.sigmoid_(_SCALE * (texts @ ngrams.T))
    found = probabilities[present]
    absent = max(probabilities.numel() - len(found), 1)
    errors = probabilities.mul_(_NEGATIVES * len(found) / absent)
    errors[present] = found - 1
    return errors
