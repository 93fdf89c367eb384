"""Make names, nationalities and kin count for nothing in a score.

`data/names.csv` lists words by their kind. The vector of each word becomes the mean of its kind, and that of
a bigram with such a word the mean of the vectors of its words. A name that the vocabulary lacks reads as an
unknown word. Words with a second meaning, such as "grace" and "old", are not in the list. First names are
from Faker (MIT License), as far as reviews write them with a capital, and some were added by hand.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sentcli.text.vocabulary import Vocab

LIST = Path(__file__).with_name("names.csv")


def read_kinds(path: Path = LIST) -> dict[str, str]:
    """Return the kind of each listed word."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["word"]: row["kind"] for row in csv.DictReader(file)}


def same_ids(vocab: Vocab, kinds: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """Return for each id the first id of its kind, for a bigram that of a bigram of the same kinds.

    Other ids are their own.
    """
    same, firsts = np.arange(len(vocab)), dict[object, int]()
    for index, word in enumerate(vocab.words[: vocab.first_bigram]):
        if kind := kinds.get(word):
            same[index] = firsts.setdefault(kind, index)
    for index, (first, second) in enumerate(vocab.bigrams, vocab.first_bigram):
        if kinds.keys() & {vocab.words[first], vocab.words[second]}:
            same[index] = firsts.setdefault((same[first], same[second]), index)
    return same


def even_vectors(vectors: Tensor, vocab: Vocab, kinds: Mapping[str, str]) -> None:
    """Replace the vectors `[words, dimensions]` of listed words and of their bigrams in place."""
    groups = defaultdict(list)
    for index, word in enumerate(vocab.words[: vocab.first_bigram]):
        if word in kinds:
            groups[kinds[word]].append(index)
    for group in groups.values():
        vectors[group] = vectors[group].mean(dim=0)
    for index, pair in enumerate(vocab.bigrams, vocab.first_bigram):
        if any(vocab.words[word] in kinds for word in pair):
            vectors[index] = vectors[[*pair]].mean(dim=0)
