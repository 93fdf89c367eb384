"""Words of which only the kind counts, such as first names: all words of a kind have the same weights."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from sentcli.config import DataSet
from sentcli.datasets.load import load_split
from sentcli.model.bilstm import BiLSTM
from sentcli.text.tokenizer import Vocab, words_of
from sentcli.training.corpus import Indices


def read_kinds(path: str | None) -> dict[str, str]:
    """Return the kind of each word in a table with the columns `word` and `kind`; no words for no path."""
    if path is None:
        return {}
    data = load_split(DataSet(path, "word", "kind"), "train")
    return {" ".join(words_of(word)): kind for word, kind in zip(data.texts, data.labels, strict=True)}


def even_words(network: BiLSTM, vocab: Vocab, kinds: Mapping[str, str]) -> Indices:
    """Replace the vectors of words by the mean of their kind, those of bigrams by that of their words.

    :returns: for each id the first id of its kind; a bigram has that of a bigram of the same kinds.
    """
    same, firsts, vectors = np.arange(len(vocab)), dict[tuple[int, int], int](), network.embedding.weight.data
    kind_of = pd.Series(vocab.words[: vocab.first_bigram]).map(kinds)
    for ids in kind_of.groupby(kind_of).indices.values():
        rows = torch.from_numpy(ids)
        same[ids] = ids[0]
        vectors[rows] = vectors[rows].mean(dim=0)
    has_kind = kind_of.notna().to_numpy()
    for index, pair in enumerate(vocab.bigrams, vocab.first_bigram):
        if has_kind[[*pair]].any():
            same[index] = firsts.setdefault(tuple(same[[*pair]]), index)
            vectors[index] = vectors[[*pair]].mean(dim=0)
    return same
