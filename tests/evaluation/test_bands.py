"""The choice of the band of neutral texts."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from sentcli.evaluation.calibration import choose_band, shrink_band
from sentcli.evaluation.metrics import band_figures
from sentcli.scoring.labels import wilson_interval


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


@pytest.mark.parametrize(
    ("texts", "base", "expected"),
    [
        (5, (0.1, 0.8), (0.1, 0.8)),
        (50, (0.1, 0.8), (0.1, 0.8)),
        (200, (0.1, 0.8), (0.325, 0.575)),
        (5, None, (0.3, 0.7)),
        (100_000, None, (0.4, 0.5001)),
    ],
)
def test_few_neutral_texts_leave_the_band_of_the_base_model(texts, base, expected, caplog):
    caplog.set_level("INFO", "sentcli")
    assert shrink_band((0.4, 0.5), texts, base) == expected
    assert f"chosen on {texts} neutral texts" in caplog.text


NAMES = ("bad", "good")


def figures(scores, sides, own=None, precision=None):
    """Return the figures of a model for its scores, and the classes 0 negative, 1 neutral, 2 positive."""
    labels = np.array([0, 2, 1])[sides]
    return band_figures(labels, np.stack([1 - scores, scores], axis=1), NAMES, own, precision)


def test_accuracy_outside_of_a_band_is_that_of_the_other_texts():
    scores, sides = np.array([0.05, 0.9, 0.45, 0.7, 0.95, 0.96]), np.array([0, 0, 2, 2, 2, 1])
    bands = figures(scores, sides, own=(0.45, 0.9))["bands"]
    assert [(of["low"], of["high"]) for of in bands if not of["of_model"]] == [
        *((0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9))
    ]
    assert (bands[0]["coverage"], bands[0]["accuracy"]) == (5 / 6, 0.6)  # wrong: 0.9, and the neutral text
    assert bands[0]["accuracy_interval"] == wilson_interval(3, 5)
    assert (bands[4]["low"], bands[4]["high"], bands[4]["coverage"]) == (0.45, 0.9, 0.5)
    again = figures(scores, sides, own=(0.3, 0.7))["bands"]
    assert [of["of_model"] for of in again] == [False, True, False, False]
    nothing = figures(np.array([0.5]), np.array([0]))["bands"][0]
    assert (nothing["coverage"], nothing["accuracy"], nothing["accuracy_interval"]) == (0, None, None)


def test_three_labels_are_measured_as_scikit_learn_measures_them():
    scores, sides = invented((80, 60, 90))
    found = figures(scores, sides, own=(0.35, 0.7))["three_way"]
    predicted = np.where(scores < 0.35, 0, np.where(scores > 0.7, 2, 1))
    assert (found["low"], found["high"], found["examples"]) == (0.35, 0.7, 230)
    assert found["accuracy"] == pytest.approx(accuracy_score(sides, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(sides, predicted, average="macro"))
    assert [of["name"] for of in found["classes"]] == ["bad", "neutral", "good"]
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        wanted = score(sides, predicted, average=None)
        assert [of[name] for of in found["classes"]] == pytest.approx(wanted)
    assert np.sum(found["confusion"]) == 230
    assert figures(scores, sides)["three_way"] is None  # without a band
    assert figures(scores[:80], sides[:80], own=(0.35, 0.7))["three_way"] is None  # without neutral texts


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95, 1])
def test_beyond_a_threshold_the_precision_is_reached(precision):
    scores, sides = invented((300, 100, 300))
    for of, side, name in zip(
        figures(scores, sides, precision=precision)["thresholds"], (0, 2), NAMES, strict=True
    ):
        distances = (scores - 0.5) * (side - 1)
        reached = round(abs(of["threshold"] - 0.5) * 10_000)  # steps from 0.5
        beyond = distances > reached / 10_000
        assert (of["label"], of["coverage"]) == (name, pytest.approx(beyond.mean()))
        assert (sides[beyond] == side).mean() >= precision
        for nearer in range(0, reached, 13):
            assert (sides[distances > nearer / 10_000] == side).mean() < precision


def test_no_threshold_reaches_a_precision():
    found = figures(np.array([0.1, 0.2, 0.9, 0.95]), np.array([0, 2, 2, 0]), precision=0.9)["thresholds"]
    assert found[1] == {"label": "good", "precision": 0.9, "threshold": None, "coverage": None}
    assert found[0] == {"label": "bad", "precision": 0.9, "threshold": 0.2, "coverage": 0.25}
