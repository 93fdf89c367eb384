"""Which pairs of words a model reads as one."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.text import PAD, UNK_ID, Vocab

Matrix = npt.NDArray[np.float32]


def with_phrases(vocab: Vocab, texts: Sequence[Sequence[str]], count: int, min_freq: int) -> Vocab:
    """Add the pairs that are seen most often, ties in the order of their words' ids.

    :param vocab: ordinary words.
    :param texts: token lists, of the training part only.
    :param count: phrases at most.
    :param min_freq: pairs seen less often are left out.
    """
    words = np.array(vocab.encode(chain.from_iterable((*tokens, PAD) for tokens in texts)), np.int64)
    known = (words[:-1] != UNK_ID) & (words[1:] != UNK_ID)
    pairs, counts = np.unique((words[:-1] * len(vocab) + words[1:])[known], return_counts=True)
    chosen = np.argsort(-counts, kind="stable")[:count]
    chosen = chosen[counts[chosen] >= min_freq]
    phrases = (
        f"{vocab.words[first]} {vocab.words[second]}"
        for first, second in zip(*(ids.tolist() for ids in np.divmod(pairs[chosen], len(vocab))), strict=True)
    )
    return Vocab([*vocab.words, *phrases])


def with_phrase_vectors(vectors: Matrix, vocab: Vocab) -> Matrix:
    """Let each phrase begin with the mean of its words' vectors.

    :param vectors: of the words of the vocabulary, `<pad>` and `<unk>` included, `[words, dimensions]`.
    :returns: `[len(vocab), dimensions]`.
    """
    pairs = np.array([*vocab.phrases], np.int64).reshape(-1, 2)
    return np.concatenate([vectors, vectors[pairs].mean(axis=1)])
