import math
from itertools import product

import numpy as np
import pytest
from sklearn import metrics as sk

from sentcli.evaluation.display import lengths_of
from sentcli.evaluation.metrics import (
    calibration_error,
    evaluate,
    log_loss,
    scores_by_confidence,
    scores_by_length,
)
from sentcli.scoring.labels import softmax, wilson_interval

NAMES = ("negative", "positive")


def binary(positive):
    """Return rows of two probabilities, given that of the second class."""
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


def random_examples(rows, classes=2, seed=1):
    """Return labels and probabilities that are right more often than not, with ties."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    logits = random.normal(size=(rows, classes)).round(1)
    logits[np.arange(rows), labels] += 1.5
    return labels, softmax(logits)


# Six examples; the third (a positive at 0.4) and the fifth (a negative at 0.9) are wrong.
LABELS = np.array([1, 1, 1, 0, 0, 0])
PROBABILITIES = binary([0.8, 0.7, 0.4, 0.2, 0.9, 0.1])


class TestEvaluate:
    def test_metrics_are_those_computed_by_hand(self):
        figures = evaluate(LABELS, PROBABILITIES, NAMES)
        assert figures["examples"] == 6
        assert figures["confusion"] == ((2, 1), (1, 2))
        assert figures["accuracy"] == pytest.approx(4 / 6)
        assert figures["accuracy_interval"] == wilson_interval(4, 6)
        assert figures["f1"] == pytest.approx(2 / 3)
        assert figures["macro_f1"] == pytest.approx(2 / 3)
        # Of nine pairs of a positive and a negative, the three with the negative at 0.9 are wrong.
        assert figures["roc_auc"] == pytest.approx(6 / 9)
        assert figures["roc_auc_reason"] is None
        expected = -sum(map(math.log, (0.8, 0.7, 0.4, 0.8, 0.1, 0.9))) / 6
        assert figures["log_loss"] == pytest.approx(expected)
        # Bins by confidence: 0.6 (wrong), 0.7 (right), 0.8 twice (both right), 0.9 twice (one right).
        expected = (0.6 + 0.3 + 2 * 0.2 + 2 * abs(0.5 - 0.9)) / 6
        assert figures["expected_calibration_error"] == pytest.approx(expected)

    def test_each_class_is_measured_against_the_others(self):
        labels = np.array([0, 0, 0, 0, 1, 1, 2])
        predicted = np.array([0, 0, 0, 1, 1, 2, 1])
        figures = evaluate(labels, np.eye(3)[predicted], ("a", "b", "c"))
        a, b, c = figures["classes"]
        assert [a[name] for name in ("name", "support", "precision", "recall")] == ["a", 4, 1.0, 0.75]
        assert figures["balanced_accuracy"] == pytest.approx((0.75 + 0.5 + 0) / 3)
        assert (b["support"], b["precision"], b["recall"]) == (2, pytest.approx(1 / 3), 0.5)
        assert c == {"name": "c", "support": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0}
        assert figures["macro_f1"] == pytest.approx((6 / 7 + 0.4) / 3)
        assert figures["f1"] is None
        assert figures["confusion"] == ((3, 1, 0), (0, 1, 1), (0, 1, 0))

    def test_labels_that_are_numbers_have_an_error(self):
        labels, predicted = np.array([0, 1, 2, 2, 3, 3]), np.array([0, 1, 2, 1, 1, 3])
        found = evaluate(labels, np.eye(4)[predicted], ("1", "2", "3", "4"))["ordered"]
        kappa = sk.cohen_kappa_score(labels, predicted, weights="quadratic")
        assert [*found.values()] == pytest.approx([3 / 6, 5 / 6, kappa])
        assert [*found] == ["mean_absolute_error", "within_one", "quadratic_weighted_kappa"]
        apart = evaluate(labels, np.eye(4)[predicted], ("1", "2", "4", "8"))["ordered"]
        assert [*apart.values()][:2] == pytest.approx([8 / 6, 4 / 6])
        same = evaluate(np.array([1, 1]), np.eye(3)[[1, 1]], ("0", "1", "2"))["ordered"]
        assert [*same.values()] == [0, 1, 1]
        assert evaluate(labels, np.eye(4)[predicted], tuple("abcd"))["ordered"] == {}
        assert evaluate(labels % 2, np.eye(2)[predicted % 2], ("0", "1"))["ordered"] == {}

    def test_f1_is_that_of_the_second_of_two_classes(self):
        figures = evaluate(np.array([1, 0, 0, 0]), binary([0.9, 0.9, 0.1, 0.1]), NAMES)
        assert figures["f1"] == pytest.approx(2 / 3)
        assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)

    def test_auc_of_more_classes_is_the_mean_of_one_against_the_rest(self):
        labels, probabilities = random_examples(30, 3)
        aucs = []
        for number in range(3):
            is_positive, scores = labels == number, probabilities[:, number]
            pairs = [*product(scores[is_positive], scores[~is_positive])]
            aucs.append(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))
        assert evaluate(labels, probabilities, ("a", "b", "c"))["roc_auc"] == pytest.approx(np.mean(aucs))

    @pytest.mark.parametrize(("labels", "right"), [(LABELS, 1), (1 - LABELS, 0)])
    def test_extremes(self, labels, right):
        figures = evaluate(LABELS, np.eye(2)[labels], NAMES)
        assert (figures["accuracy"], figures["f1"], figures["macro_f1"], figures["roc_auc"]) == (right,) * 4
        assert figures["expected_calibration_error"] == 1 - right
        assert figures["accuracy_interval"][right] == right
        assert figures["log_loss"] == pytest.approx(0 if right else 36.04, abs=0.01)

    def test_of_two_equal_probabilities_the_first_class_is_predicted(self):
        assert evaluate(np.array([0, 1]), binary([0.5, 0.5]), NAMES)["confusion"] == ((1, 0), (1, 0))

    def test_undefined_metrics_are_none(self):
        figures = evaluate(np.array([0, 1]), np.eye(3)[[1, 1]], ("a", "b", "c"))
        a, b, c = figures["classes"]
        assert (a["precision"], a["recall"], a["f1"]) == (None, 0, 0)
        assert (c["precision"], c["recall"], c["f1"]) == (None, None, None)
        assert figures["balanced_accuracy"] == 0.5  # over `a` and `b`, which occur as labels
        assert figures["macro_f1"] == pytest.approx(b["f1"] / 2)  # over `a` and `b`, which occur
        assert (figures["roc_auc"], figures["roc_auc_reason"]) == (None, "no example of 'c'")


class TestIntervals:
    @pytest.mark.parametrize("classes", [2, 3])
    def test_they_are_close_to_those_of_drawing_the_examples_again(self, classes):
        labels, probabilities = random_examples(400, classes)
        random = np.random.default_rng(2)
        values = {"macro_f1": [], "roc_auc": [], "log_loss": []}
        for _ in range(100):
            rows = random.integers(0, 400, 400)
            drawn, of_drawn = labels[rows], probabilities[rows]
            values["macro_f1"].append(sk.f1_score(drawn, of_drawn.argmax(axis=1), average="macro"))
            ranked = of_drawn[:, 1] if classes == 2 else of_drawn
            values["roc_auc"].append(sk.roc_auc_score(drawn, ranked, multi_class="ovr"))
            values["log_loss"].append(log_loss(drawn, of_drawn))
        found = evaluate(labels, probabilities, [*map(str, range(classes))])["intervals"]
        assert found.keys() == values.keys() | {"f1"}
        assert (found["f1"] is None) == (classes == 3)
        for name, drawn in values.items():
            low, high = np.quantile(drawn, [0.025, 0.975])
            if (name, classes) == ("roc_auc", 3):
                assert found[name] is None
            else:
                assert found[name] == pytest.approx((low, high), abs=0.25 * (high - low))

    def test_too_few_examples_have_none(self):
        assert evaluate(np.array([0, 0, 1]), binary([0.1, 0.2, 0.4]), NAMES)["intervals"]["roc_auc"] is None
        single = evaluate(np.array([0]), binary([0.1]), NAMES)["intervals"]
        assert (single["f1"], single["log_loss"]) == (None, None)

    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_wilson_intervals_are_the_published_ones(self, successes, trials, low, high):
        found = wilson_interval(successes, trials)
        assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
        mirrored = wilson_interval(trials - successes, trials)
        assert found == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))


def test_log_loss_is_finite_for_a_probability_of_0():
    assert log_loss(np.array([1]), binary([0.0])) == pytest.approx(36.04, abs=0.01)
    assert log_loss(np.array([1]), binary([1e-14])) == pytest.approx(-math.log(1e-14))


class TestConfidence:
    def test_a_bin_includes_its_upper_edge(self):
        # Edges at 0.5 and 0.75, exact in binary: they belong to the bins that end there.
        found = scores_by_confidence(np.array([0, 0, 0]), binary([0.5, 0.25, 0.2]), bins=4)
        bins = [(part["low"], part["high"], part["examples"]) for part in found]
        assert bins == [(0.25, 0.5, 1), (0.5, 0.75, 1), (0.75, 1, 1)]

    def test_each_bin_has_its_confidence_and_accuracy(self):
        found = scores_by_confidence(LABELS, PROBABILITIES, bins=4)
        assert [part["examples"] for part in found] == [2, 4]
        assert [part["confidence"] for part in found] == pytest.approx([0.65, 0.85])
        assert [part["accuracy"] for part in found] == pytest.approx([0.5, 0.75])
        assert found[1]["accuracy_interval"] == wilson_interval(3, 4)
        assert calibration_error(found) == pytest.approx((2 * 0.15 + 4 * 0.1) / 6)


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
