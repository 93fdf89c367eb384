"""From logits to labels: softmax and uncertain bands."""

import math

import numpy as np
import pytest

from sentcli.errors import UsageError
from sentcli.scoring.labels import Band, softmax


def binary(positive):
    """Return rows of two probabilities, given that of the second class."""
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


def test_softmax_returns_probabilities_in_float64():
    logits = np.array([[0, math.log(3)], [5, 5]], np.float32)
    result = softmax(logits)
    assert result.dtype == np.float64
    assert result == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert logits[1].tolist() == [5, 5]
    assert softmax(np.empty((0, 2), np.float32)).shape == (0, 2)


def test_softmax_neither_overflows_nor_underflows():
    with np.errstate(all="raise", under="ignore"):
        assert softmax(np.array([[1e4, 0], [-1e4, -1e4]])).tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize("classes", [2, 3, 9, 40])
def test_a_row_has_the_same_bits_in_any_batch_and_layout(classes):
    logits = np.random.default_rng(0).normal(0, 4, (67, classes)).astype(np.float32)
    whole = softmax(logits)
    assert np.array_equal(np.concatenate([softmax(row[None]) for row in logits]), whole)
    assert np.array_equal(softmax(np.asfortranarray(logits)), whole)
    assert np.array_equal(np.concatenate([softmax(logits[:13]), softmax(logits[13:])]), whole)


@pytest.mark.parametrize(
    ("band", "positive", "expected"),
    [
        (Band(0.25, 0.75), [0.2, 0.25, 0.5, 0.75, 0.8], [False, True, True, True, False]),
        (Band(0, 0.1), [0.05, 0.5, 0.95], [True, False, False]),
        (Band(0.5, 0.5), [0.4, 0.5, 0.6], [False, True, False]),
    ],
)
def test_of_two_classes_the_probability_of_the_second_counts(band, positive, expected):
    assert band.holds(binary(positive)).tolist() == expected


def test_of_more_classes_the_highest_probability_counts():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
    assert Band(0, 0.6).holds(probabilities).tolist() == [True, False, True]


@pytest.mark.parametrize("ends", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5), (0.5, math.nan)])
def test_an_invalid_band_is_refused(ends):
    with pytest.raises(UsageError, match=r"--uncertain.*from 0 to 1"):
        Band(*ends)
