"""Which pairs of words a model reads as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt

from sentcli.text.vocabulary import PAD, UNK_ID, Vocab

Matrix = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


def with_phrases(vocab: Vocab, texts: Iterable[Sequence[str]], count: int, min_freq: int) -> Vocab:
    """Add the pairs that are seen most often, ties in the order of their words' ids.

    :param vocab: ordinary words.
    :param texts: token lists, of the training part only.
    :param count: phrases at most.
    :param min_freq: pairs seen less often are left out.
    """
    words = np.fromiter(chain.from_iterable(vocab.encode((*tokens, PAD)) for tokens in texts), np.int64)
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
    pairs = np.array(vocab.bigrams, np.int64).reshape(-1, 2)
    return np.concatenate([vectors, vectors[pairs].mean(axis=1)])


@dataclass(frozen=True)
class PhraseSplitter:
    """Turns some phrases back into their two words, drawn anew each time that a text is learnt from.

    So the words are learnt in all that they are part of, not only where they are in no phrase, which texts
    about other things need (after I. Provilkov, D. Emelianenko and E. Voita, "BPE-Dropout", ACL 2020).

    :param pairs: the ids of the words of each phrase, int32 `[phrases, 2]`.
    :param first_phrase: ids from this one on are phrases.
    :param share: of the phrases that are turned back.
    """

    pairs: Ids
    first_phrase: int
    share: float

    @classmethod
    def of(cls, vocab: Vocab, share: float) -> Self | None:
        """Split the phrases of a vocabulary; None where there is nothing to split."""
        if not (vocab.bigrams and share):
            return None
        return cls(np.array(vocab.bigrams, np.int32), vocab.first_bigram, share)

    def __call__(self, random: np.random.Generator, ids: Ids) -> Ids:
        """Give the ids of a text with some phrases split."""
        is_split = (ids >= self.first_phrase) & (random.random(len(ids)) < self.share)
        words = np.repeat(ids, is_split + 1)
        (split,) = is_split.nonzero()
        starts = split + np.arange(len(split))  # one word more behind each
        pairs = self.pairs[ids[split] - self.first_phrase]
        words[starts], words[starts + 1] = pairs[:, 0], pairs[:, 1]
        return words
