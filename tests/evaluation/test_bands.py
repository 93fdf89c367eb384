"""The choice of the band of neutral texts."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sentcli.evaluation.bands import choose_band


def invented(counts, seed=1):
    """Return probabilities and classes: neutral texts are around 0.6."""
    random = np.random.default_rng(seed)
    sides = np.repeat([0, 1, 2], counts)
    return random.beta(np.array([1, 6, 8])[sides], np.array([8, 4, 1])[sides]), sides


def macro_f1(probabilities, sides, low, high):
    """Return the macro F1 with each class weighted equally."""
    found = np.where(probabilities < low, 0, np.where(probabilities > high, 2, 1))
    weights = 1 / np.bincount(sides)[sides]
    return f1_score(sides, found, average="macro", sample_weight=weights)


@pytest.mark.parametrize("counts", [(300, 300, 300), (700, 60, 400), (20, 1, 3)])
def test_no_other_band_of_the_quantiles_is_better(counts):
    probabilities, sides = invented(counts)
    low, high = choose_band(probabilities, sides)
    assert 0 <= low <= 0.5 <= high <= 1
    best = macro_f1(probabilities, sides, low, high)
    for quantile in np.linspace(0, 1, 21):
        other = float(np.quantile(probabilities, quantile).round(4))
        ends = (min(other, 0.5), high), (low, max(other, 0.5))
        assert all(macro_f1(probabilities, sides, *band) <= best + 1e-9 for band in ends)


def test_separate_classes_are_found_whatever_their_numbers():
    probabilities = np.repeat([0.05, 0.45, 0.81, 0.95], [50, 2, 3, 1])
    sides = np.repeat([0, 1, 1, 2], [50, 2, 3, 1])
    low, high = choose_band(probabilities, sides)
    assert 0.05 < low <= 0.45
    assert 0.81 <= high < 0.95


def test_the_mix_of_the_classes_changes_nothing():
    probabilities, sides = invented((100, 100, 100))
    repeats = np.array([1, 4, 2])[sides]
    again = np.repeat(probabilities, repeats), np.repeat(sides, repeats)
    assert macro_f1(*again, *choose_band(*again)) == pytest.approx(
        macro_f1(probabilities, sides, *choose_band(probabilities, sides)), abs=0.01
    )


def test_equal_probabilities_have_a_band():
    assert choose_band(np.full(6, 0.5), np.array([0, 1, 2, 0, 1, 2])) == (0.5, 0.5)
