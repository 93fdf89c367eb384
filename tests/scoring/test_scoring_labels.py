"""From logits to labels: softmax and neutral bands."""

import math

import numpy as np
import pytest

from sentcli.errors import UsageError
from sentcli.scoring.labels import Band, Counts, Scores, softmax
from sentcli.tables.options import WriteOptions


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
    ("band", "scores", "sides"),
    [
        (Band(0.25, 0.75), [0.2, 0.25, 0.5, 0.75, 0.8], [0, 1, 1, 1, 2]),
        (Band(0, 0.1), [0.05, 0.5, 0.95], [1, 2, 2]),
        (Band(0.5, 0.5), [0.4, 0.5, 0.6], [0, 1, 2]),
    ],
)
def test_a_band_has_two_sides(band, scores, sides):
    assert band.sides(np.array(scores)).tolist() == sides


@pytest.mark.parametrize("ends", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5), (0.5, math.nan)])
def test_an_invalid_band_is_refused(ends):
    with pytest.raises(UsageError, match=r"^neutral .*from 0 to 1"):
        Band(*ends)


def test_each_new_column_knows_its_values() -> None:
    scores = Scores(labels=["b"], scores=[0.9], counts=Counts(), probabilities=[[0.1], [0.9]])
    columns = WriteOptions(prefix="x_").columns(("a", "b"))
    assert {column.name: column.values(scores) for column in columns} == {
        "x_sentiment": ["b"],
        "x_sentiment_score": [0.9],
        "x_probability_a": [0.1],
        "x_probability_b": [0.9],
    }
