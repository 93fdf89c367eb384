"""Bigrams: which pairs of words become one id, and how training replaces them by their words."""

import numpy as np
import pytest

from sentcli.text.tokenizer import PAD, UNK, Vocab
from sentcli.training.bigrams import BigramSplitter, with_bigram_vectors, with_bigrams

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


def test_a_bigram_starts_with_the_mean_of_its_words() -> None:
    vectors = np.arange(14, dtype=np.float32).reshape(7, 2)
    found = with_bigram_vectors(vectors, Vocab([*WORDS, "not a", "good film"]))
    np.testing.assert_array_equal(found, [*vectors, [5, 6], [11, 12]])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(with_bigram_vectors(vectors, Vocab(WORDS)), vectors)


SPLIT = Vocab([*WORDS, "not a", "good film", "a a"])


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
    splitter = BigramSplitter.of(SPLIT, share)
    assert splitter is not None
    found = splitter(np.random.default_rng(0), np.array(ids, np.int32))
    assert found.tolist() == split
    assert found.dtype == np.int32


def test_a_random_share_of_the_bigrams_is_replaced() -> None:
    splitter = BigramSplitter.of(SPLIT, 0.25)
    assert splitter is not None
    ids = np.full(4000, 7, np.int32)
    random = np.random.default_rng(0)
    first, second = splitter(random, ids), splitter(random, ids)
    assert len(first) / 4000 == pytest.approx(1.25, abs=0.03)
    assert first.tolist() != second.tolist()
    assert (ids == 7).all()


def test_nothing_to_split() -> None:
    assert BigramSplitter.of(Vocab(WORDS), 0.5) is None
    assert BigramSplitter.of(SPLIT, 0.0) is None
