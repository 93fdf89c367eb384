"""Bigrams: pairs of words that a model reads as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import numpy.typing as npt

from sentcli.text.tokenizer import PAD, UNK_ID, Vocab
from sentcli.training.examples import TokenIds


def with_bigrams(vocab: Vocab, texts: Iterable[Sequence[str]], count: int, min_freq: int) -> Vocab:
    """Add the most frequent bigrams to a vocabulary of words; break ties by the ids of their words."""
    words = np.fromiter(chain.from_iterable(vocab.encode((*tokens, PAD)) for tokens in texts), np.int64)
    known = (words[:-1] != UNK_ID) & (words[1:] != UNK_ID)
    pairs, counts = np.unique((words[:-1] * len(vocab) + words[1:])[known], return_counts=True)
    chosen = np.argsort(-counts, kind="stable")[:count]
    chosen = chosen[counts[chosen] >= min_freq]
    bigrams = (
        f"{vocab.words[first]} {vocab.words[second]}"
        for first, second in zip(*(ids.tolist() for ids in np.divmod(pairs[chosen], len(vocab))), strict=True)
    )
    return Vocab([*vocab.words, *bigrams])


def with_bigram_vectors(vectors: npt.NDArray[np.float32], vocab: Vocab) -> npt.NDArray[np.float32]:
    """Append a vector for each bigram: the mean of the vectors of its words."""
    pairs = np.array(vocab.bigrams, np.int64).reshape(-1, 2)
    return np.concatenate([vectors, vectors[pairs].mean(axis=1)])


@dataclass(frozen=True)
class BigramSplitter:
    """Replace a random share of the bigrams of a text by their words, anew in each step.

    This also trains the words of bigrams, which texts on other subjects have in other pairs (after I.
    Provilkov, D. Emelianenko and E. Voita, "BPE-Dropout", ACL 2020).
    """

    pairs: npt.NDArray[np.int32]  # the words of each bigram, `[bigrams, 2]`
    first_bigram: int  # ids from this one on are bigrams
    share: float

    @classmethod
    def of(cls, vocab: Vocab, share: float) -> Self | None:
        """Return the splitter of a vocabulary; None if there is nothing to split."""
        if not (vocab.bigrams and share):
            return None
        return cls(np.array(vocab.bigrams, np.int32), vocab.first_bigram, share)

    def __call__(self, random: np.random.Generator, ids: TokenIds) -> TokenIds:
        """Return the ids of a text with some bigrams replaced."""
        is_split = (ids >= self.first_bigram) & (random.random(len(ids)) < self.share)
        words = np.repeat(ids, is_split + 1)
        (split,) = is_split.nonzero()
        starts = split + np.arange(len(split))  # each split adds a word
        pairs = self.pairs[ids[split] - self.first_bigram]
        words[starts], words[starts + 1] = pairs[:, 0], pairs[:, 1]
        return words
