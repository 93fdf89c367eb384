"""Phrases: the pairs of words that are seen most often."""

import numpy as np
import pytest

from sentcli.text import PAD, UNK, Vocab
from sentcli.training.phrases import with_phrase_vectors, with_phrases

TEXTS = [
    ["not", "a", "good", "film", "not", "a"],
    ["not", "a", "bore"],
    ["a", "good", "bore"],
    ["rare", "film"],
]
WORDS = (PAD, UNK, "a", "not", "bore", "film", "good")


@pytest.mark.parametrize(
    ("count", "min_freq", "phrases"),
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
def test_pairs_seen_most_often(count: int, min_freq: int, phrases: tuple[str, ...]) -> None:
    assert with_phrases(Vocab(WORDS), TEXTS, count, min_freq).words == WORDS + phrases


@pytest.mark.parametrize("texts", [[], [[]], [["film"]], [["new", "new"]]])
def test_without_a_pair(texts: list[list[str]]) -> None:
    assert with_phrases(Vocab(WORDS), texts, 10, 1).words == WORDS


def test_a_phrase_begins_with_the_mean_of_its_words() -> None:
    vectors = np.arange(14, dtype=np.float32).reshape(7, 2)
    found = with_phrase_vectors(vectors, Vocab([*WORDS, "not a", "good film"]))
    np.testing.assert_array_equal(found, [*vectors, [5, 6], [11, 12]])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(with_phrase_vectors(vectors, Vocab(WORDS)), vectors)
