"""Bigrams: which pairs of words become one id, and how training replaces them by their words."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sentcli.config import DataSet
from sentcli.text.tokenizer import PAD, UNK, Vocab
from sentcli.training.corpus import DataSource, split_bigrams, with_bigrams
from sentcli.training.init_model import init_model
from sentcli.training.settings import resolve_settings

TEXTS = [
    ["not", "a", "good", "film", "not", "a"],
    ["not", "a", "bore"],
    ["a", "good", "bore"],
    ["rare", "film"],
]
WORDS = (PAD, UNK, "a", "not", "bore", "film", "good")


@pytest.mark.parametrize(
    ("count", "min_freq", "bigrams"),
    [
        (0, 1, ()),
        (1, 1, ("not a",)),
        (2, 1, ("not a", "a good")),
        (100, 2, ("not a", "a good")),
        # Ties in the order of the words; neither across the end of a text nor with a word that is not known.
        (100, 1, ("not a", "a good", "a bore", "film not", "good bore", "good film")),
        (100, 4, ()),
    ],
)
def test_the_most_frequent_bigrams(count: int, min_freq: int, bigrams: tuple[str, ...]) -> None:
    assert with_bigrams(Vocab(WORDS), TEXTS, count, min_freq).words == WORDS + bigrams


@pytest.mark.parametrize("texts", [[], [[]], [["film"]], [["new", "new"]]])
def test_without_a_pair(texts: list[list[str]]) -> None:
    assert with_bigrams(Vocab(WORDS), texts, 10, 1).words == WORDS


SPLIT = Vocab([*WORDS, "not a", "good film", "a a"])


def test_a_bigram_starts_with_the_mean_of_its_words(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{word} {number} {number / 7}\n" for number, word in enumerate(WORDS)))
    data = SimpleNamespace(vocab=SPLIT, counts=Counter(), texts=SimpleNamespace(labels=("bad", "good")))
    settings = resolve_settings(DataSource((DataSet("-"),), str(path)), {"embedding_dim": 2})
    weights = init_model(data, settings).weights["embedding.weight"].numpy()
    np.testing.assert_array_equal(weights[7:], weights[[[3, 2], [6, 5], [2, 2]]].mean(axis=1))


def split_text(share, random, ids):
    pairs = np.array(SPLIT.bigrams, np.int32)
    return split_bigrams(pairs, SPLIT.first_bigram, share, random, np.array(ids, np.int32))


@pytest.mark.parametrize(
    ("share", "ids", "split"),
    [
        (1.0, [7, 8, 4, 9], [3, 2, 6, 5, 4, 2, 2]),
        (1.0, [2, 3], [2, 3]),
        (1.0, [9], [2, 2]),
        (1e-9, [7, 8, 4], [7, 8, 4]),
    ],
)
def test_bigrams_are_replaced_by_their_words(share: float, ids: list[int], split: list[int]) -> None:
    found = split_text(share, np.random.default_rng(0), ids)
    assert found.tolist() == split
    assert found.dtype == np.int32


def test_a_random_share_of_the_bigrams_is_replaced() -> None:
    ids = np.full(4000, 7, np.int32)
    random = np.random.default_rng(0)
    first, second = (split_text(0.25, random, ids) for _ in range(2))
    assert len(first) / 4000 == pytest.approx(1.25, abs=0.03)
    assert first.tolist() != second.tolist()
    assert (ids == 7).all()
