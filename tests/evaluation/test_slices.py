import numpy as np
import pytest

from sentcli.evaluation.metrics import wilson_interval
from sentcli.evaluation.slices import lengths_of, scores_by_band, scores_by_length


def test_a_slice_of_lengths_includes_both_ends():
    is_right = np.array([True, True, False, True, True, False])
    slices = scores_by_length(is_right, [1, 31, 32, 63, 511, 512])
    assert [(lengths_of(part), part["examples"]) for part in slices] == [
        ("1-31", 2),
        ("32-63", 2),
        ("64-127", 0),
        ("128-255", 0),
        ("256-511", 1),
        ("512+", 1),
    ]
    assert [part["accuracy"] for part in slices] == [1, 0.5, None, None, 1, 0]
    assert slices[1]["accuracy_interval"] == wilson_interval(1, 2)
    assert slices[2]["accuracy_interval"] is None


def test_accuracy_outside_of_a_band_is_that_of_the_other_texts():
    positive = np.array([0.05, 0.9, 0.45, 0.7, 0.95])
    labels = np.array([0, 0, 1, 1, 1])
    bands = scores_by_band(labels, np.stack([1 - positive, positive], axis=1))
    assert [(band["low"], band["high"]) for band in bands] == [(0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9)]
    assert (bands[0]["labeled"], bands[0]["share"], bands[0]["accuracy"]) == (4, 0.8, 0.75)
    assert bands[0]["accuracy_interval"] == wilson_interval(3, 4)
    assert [band["labeled"] for band in bands] == [4, 3, 3, 2]


def test_bands_of_three_classes_start_at_0():
    bands = scores_by_band(np.array([2]), np.array([[0.1, 0.25, 0.65]]))
    assert [(band["low"], band["high"]) for band in bands] == [
        (0, high) for high in (0.5, 0.6, 0.7, 0.8, 0.9)
    ]
    assert [band["labeled"] for band in bands] == [1, 1, 0, 0, 0]
    assert (bands[-1]["accuracy"], bands[-1]["accuracy_interval"]) == (None, None)
    assert bands[0]["accuracy"] == pytest.approx(1)
