import numpy as np
import pytest

from sentcli.evaluation.comparison import compare

LABELS = np.array([0, 1, 1, 0])
ONE = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.6, 0.4]])
OTHER = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.6, 0.4]])


def test_figures_are_those_that_a_hand_gives():
    found = compare(LABELS, ONE, OTHER)
    assert (found.examples, found.changed, found.changed_share) == (4, 1, 0.25)
    assert found.mean_difference == pytest.approx(0.1)
    assert found.max_difference == pytest.approx(0.3)
    assert (found.accuracy, found.against_accuracy) == (0.75, 1.0)


def test_the_99th_percentile_is_a_difference_that_no_more_than_one_in_a_hundred_exceeds():
    for count, expected in ((1000, 990), (50, 49)):
        other = np.tile([0.5, 0.5], (count, 1))
        shifts = np.arange(count)[:, None] / 1e4 * np.array([1, -1])
        found = compare(np.zeros(count, int), other + shifts, other)
        assert found.p99_difference == pytest.approx(expected / 1e4)
        assert found.max_difference == pytest.approx((count - 1) / 1e4)


def test_of_more_classes_the_largest_difference_counts():
    one, other = np.array([[0.5, 0.3, 0.2]]), np.array([[0.45, 0.35, 0.2]])
    assert compare(np.array([0]), one, other).mean_difference == pytest.approx(0.05)


def test_a_model_does_not_differ_from_itself():
    found = compare(LABELS, ONE, ONE.copy())
    assert (found.changed, found.max_difference, found.accuracy) == (0, 0, found.against_accuracy)


def test_refuses_other_sizes():
    for arguments in ((LABELS, ONE, OTHER[:3]), (LABELS[:3], ONE, OTHER), (LABELS[:0], ONE[:0], OTHER[:0])):
        with pytest.raises(ValueError):
            compare(*arguments)
