import math

import numpy as np
import pytest

from sentcli.errors import UsageError
from sentcli.evaluation.metrics import wilson_interval
from sentcli.evaluation.uncertainty import scores_by_band, usual_bands
from sentcli.scoring.labels import Band


def binary(positive):
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


def test_of_two_classes_the_probability_of_the_second_counts_and_both_ends_belong():
    found = Band(0.25, 0.75).holds(binary([0.2, 0.25, 0.5, 0.75, 0.8]))
    assert found.tolist() == [False, True, True, True, False]


def test_a_band_need_not_lie_around_the_middle():
    assert Band(0, 0.1).holds(binary([0.05, 0.5, 0.95])).tolist() == [True, False, False]


def test_of_more_classes_the_highest_probability_counts():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
    assert Band(0, 0.6).holds(probabilities).tolist() == [True, False, True]


@pytest.mark.parametrize("ends", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5), (0.5, math.nan)])
def test_what_is_no_band_is_refused(ends):
    with pytest.raises(UsageError, match=r"--uncertain.*from 0 to 1"):
        Band(*ends)


def test_what_is_left_by_a_band_is_counted():
    labels = np.array([0, 0, 1, 1, 1])
    probabilities = binary([0.1, 0.9, 0.45, 0.7, 0.95])
    middle, everything = scores_by_band(labels, probabilities, [Band(0.4, 0.6), Band(0, 1)])
    assert (middle.labeled, middle.share, middle.accuracy) == (4, 0.8, 0.75)
    assert middle.accuracy_interval == wilson_interval(3, 4)
    assert (everything.labeled, everything.share) == (0, 0)
    assert (everything.accuracy, everything.accuracy_interval) == (None, None)


def test_the_usual_bands_widen():
    for classes in (2, 3):
        widths = [band.high - band.low for band in usual_bands(classes)]
        assert widths == sorted(widths)
    assert all(band.low + band.high == pytest.approx(1) for band in usual_bands(2))
    assert all(band.low == 0 for band in usual_bands(5))


def test_a_band_of_one_probability_holds_that_one():
    assert Band(0.5, 0.5).holds(binary([0.4, 0.5, 0.6])).tolist() == [False, True, False]


def test_the_usual_bands_are_those_of_the_card():
    found = [(band.low, band.high) for band in usual_bands(2)]
    assert found == [(0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9)]
    assert [band.high for band in usual_bands(3)] == [0.5, 0.6, 0.7, 0.8, 0.9]
