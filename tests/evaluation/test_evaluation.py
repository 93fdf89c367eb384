import json
import math
from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.errors import DataError
from sentcli.evaluation.metrics import (
    LOG_CLIP,
    evaluate,
    log_loss,
    reliability,
    roc_curve,
    roc_curves,
    wilson_interval,
    without_blank,
)
from sentcli.scoring.labels import softmax

NAMES = ("negative", "positive")


def binary(positive):
    """Make rows of two probabilities from that of the second class."""
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


# Six examples; the third (a positive at 0.4) and the fifth (a negative at 0.9) are wrong.
LABELS = np.array([1, 1, 1, 0, 0, 0])
PROBABILITIES = binary([0.8, 0.7, 0.4, 0.2, 0.9, 0.1])


class TestEvaluate:
    def test_gives_the_figures_that_a_hand_gives(self):
        figures = evaluate(LABELS, PROBABILITIES, NAMES)
        assert figures.examples == 6
        assert figures.confusion == ((2, 1), (1, 2))
        assert figures.accuracy == pytest.approx(4 / 6)
        assert figures.accuracy_interval == wilson_interval(4, 6)
        assert figures.f1 == pytest.approx(2 / 3)
        assert figures.macro_f1 == pytest.approx(2 / 3)
        # Of nine pairs of a positive and a negative, the three with the negative at 0.9 are wrong.
        assert figures.roc_auc == pytest.approx(6 / 9)
        assert figures.roc_auc_reason is None
        expected = -sum(map(math.log, (0.8, 0.7, 0.4, 0.8, 0.1, 0.9))) / 6
        assert figures.log_loss == pytest.approx(expected)
        # Bins by confidence: 0.6 (wrong), 0.7 (right), 0.8 twice (both right), 0.9 twice (one right).
        expected = (0.6 + 0.3 + 2 * 0.2 + 2 * abs(0.5 - 0.9)) / 6
        assert figures.expected_calibration_error == pytest.approx(expected)

    def test_counts_each_class_against_the_others(self):
        labels = np.array([0, 0, 0, 0, 1, 1, 2])
        predicted = np.array([0, 0, 0, 1, 1, 2, 1])
        figures = evaluate(labels, np.eye(3)[predicted], ("a", "b", "c"))
        a, b, c = figures.classes
        assert (a.name, a.support, a.precision, a.recall) == ("a", 4, 1.0, 0.75)
        assert (b.support, b.precision, b.recall) == (2, pytest.approx(1 / 3), 0.5)
        assert (c.support, c.precision, c.recall, c.f1) == (1, 0.0, 0.0, 0.0)
        assert a.f1 == pytest.approx(6 / 7)
        assert b.f1 == pytest.approx(0.4)
        assert figures.macro_f1 == pytest.approx((6 / 7 + 0.4) / 3)
        assert figures.f1 is None
        assert figures.confusion == ((3, 1, 0), (0, 1, 1), (0, 1, 0))

    def test_f1_is_that_of_the_second_class(self):
        figures = evaluate(np.array([1, 0, 0, 0]), binary([0.9, 0.9, 0.1, 0.1]), NAMES)
        assert figures.f1 == pytest.approx(2 / 3)
        assert figures.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)

    def test_auc_of_many_classes_is_the_mean_of_one_against_the_rest(self):
        labels = np.array([0, 1, 2, 0, 1, 2])
        probabilities = softmax(
            np.array([[3, 1, 0], [0, 1, 2], [1, 2, 1], [0, 1, 0], [1, 0, 0], [0, 0, 3.0]])
        )
        each = [brute_force_auc(labels == number, probabilities[:, number]) for number in range(3)]
        assert len(set(each)) == 3
        assert evaluate(labels, probabilities, ("a", "b", "c")).roc_auc == pytest.approx(sum(each) / 3)

    def test_perfect(self):
        figures = evaluate(LABELS, np.eye(2)[LABELS], NAMES)
        assert (figures.accuracy, figures.f1, figures.macro_f1, figures.roc_auc) == (1, 1, 1, 1)
        assert (figures.log_loss, figures.expected_calibration_error) == (0, 0)
        assert figures.accuracy_interval[1] == 1

    def test_inverted(self):
        figures = evaluate(LABELS, np.eye(2)[1 - LABELS], NAMES)
        assert (figures.accuracy, figures.f1, figures.macro_f1, figures.roc_auc) == (0, 0, 0, 0)
        assert figures.log_loss == pytest.approx(-math.log(LOG_CLIP))
        assert figures.expected_calibration_error == 1
        assert figures.accuracy_interval[0] == 0

    def test_of_two_equal_probabilities_the_first_class_is_predicted(self):
        assert evaluate(np.array([0, 1]), binary([0.5, 0.5]), NAMES).confusion == ((1, 0), (1, 0))

    def test_a_single_example(self):
        figures = evaluate(np.array([1]), binary([0.7]), NAMES)
        assert figures.accuracy == 1
        assert figures.accuracy_interval == (pytest.approx(0.2065, abs=1e-4), 1)
        assert figures.log_loss == pytest.approx(-math.log(0.7))
        assert figures.expected_calibration_error == pytest.approx(0.3)
        assert figures.roc_auc is None

    @pytest.mark.parametrize(("label", "absent"), [(0, "positive"), (1, "negative")])
    def test_a_class_without_example_leaves_the_auc_undefined(self, label, absent):
        figures = evaluate(np.array([label, label]), binary([0.9, 0.2]), NAMES)
        assert figures.roc_auc is None
        assert figures.roc_auc_reason == f"no example of '{absent}'"

    def test_one_absent_class_of_three_leaves_the_auc_undefined(self):
        figures = evaluate(np.array([0, 2]), np.eye(3)[[0, 2]], ("a", "b", "c"))
        assert figures.roc_auc is None
        assert figures.roc_auc_reason == "no example of 'b'"

    def test_a_share_of_nothing_is_none(self):
        figures = evaluate(np.array([0, 1]), np.eye(3)[[1, 1]], ("a", "b", "c"))
        a, b, c = figures.classes
        assert (a.precision, a.recall, a.f1) == (None, 0, 0)
        assert (c.precision, c.recall, c.f1) == (None, None, None)
        assert figures.macro_f1 == pytest.approx(b.f1 / 2)  # over `a` and `b`, which occur

    @pytest.mark.parametrize("labels", [LABELS, np.array([1])])
    def test_json_holds_every_figure_and_no_nan(self, labels):
        figures = evaluate(labels, PROBABILITIES[: len(labels)], NAMES)
        values = json.loads(json.dumps(asdict(figures), allow_nan=False))
        assert values["accuracy_interval"] == list(figures.accuracy_interval)
        assert values["confusion"] == [list(row) for row in figures.confusion]
        assert values["classes"][1]["name"] == "positive"
        assert values["roc_auc"] == figures.roc_auc
        assert values.keys() == vars(figures).keys()

    @pytest.mark.parametrize(
        ("labels", "probabilities", "names"),
        [
            (LABELS[:5], PROBABILITIES, NAMES),
            (LABELS, PROBABILITIES[:5], NAMES),
            (LABELS, PROBABILITIES, ("a", "b", "c")),
            (LABELS, PROBABILITIES[:, 1], NAMES),
            (LABELS[:, None], PROBABILITIES, NAMES),
            (LABELS[:0], PROBABILITIES[:0], NAMES),
            (np.array([0]), np.array([[1.0]]), ("a",)),
            (LABELS + 1, PROBABILITIES, NAMES),
            (LABELS - 1, PROBABILITIES, NAMES),
            (LABELS, PROBABILITIES * 2, NAMES),
            (LABELS, np.stack([PROBABILITIES[:, 0] + 1, PROBABILITIES[:, 1] - 1], axis=1), NAMES),
            (LABELS, np.where(PROBABILITIES == 0.9, np.nan, PROBABILITIES), NAMES),
        ],
    )
    def test_refuses_what_does_not_go_together(self, labels, probabilities, names):
        with pytest.raises(ValueError):
            evaluate(labels, probabilities, names)


class TestWilsonInterval:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_published_values(self, successes, trials, low, high):
        assert wilson_interval(successes, trials) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )

    @given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_holds_the_share_and_stays_within_0_and_1(self, case):
        successes, trials = case
        low, high = wilson_interval(successes, trials)
        assert 0 <= low <= successes / trials + 1e-12
        assert successes / trials - 1e-12 <= high <= 1
        mirrored = wilson_interval(trials - successes, trials)
        assert (1 - high, 1 - low) == pytest.approx(mirrored)


def test_log_loss_clips_a_probability_of_zero():
    assert log_loss(np.array([1]), binary([0.0])) == pytest.approx(-math.log(1e-15))
    assert log_loss(np.array([1]), binary([1e-14])) == pytest.approx(-math.log(1e-14))


def brute_force_auc(is_positive, scores):
    """Follow the definition: the share of pairs in order, ties half."""
    pairs = list(product(scores[is_positive], scores[~is_positive]))
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)


scored = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 1.0])), max_size=30
)


class TestRoc:
    @given(scored)
    def test_auc_is_the_share_of_ordered_pairs(self, examples):
        is_positive = np.array([positive for positive, _ in examples], bool)
        scores = np.array([score for _, score in examples])
        if is_positive.any() and not is_positive.all():
            curve = roc_curve(is_positive, scores)
            assert curve.auc == pytest.approx(brute_force_auc(is_positive, scores))
        else:
            assert roc_curve(is_positive, scores) is None

    @pytest.mark.parametrize("positives", range(1, 100, 7))
    def test_what_is_told_apart_without_a_mistake_has_an_auc_of_1(self, positives):
        assert roc_curve(np.arange(100) < positives, -np.arange(100.0)).auc == 1

    @given(scored)
    def test_each_point_has_the_rates_of_one_threshold(self, examples):
        is_positive = np.array([positive for positive, _ in examples], bool)
        scores = np.array([score for _, score in examples])
        curve = roc_curve(is_positive, scores)
        if curve is None:
            return
        thresholds = [math.inf, *sorted(set(scores), reverse=True)]
        assert curve.true_positive_rate.tolist() == [np.mean(scores[is_positive] >= t) for t in thresholds]
        assert curve.false_positive_rate.tolist() == [np.mean(scores[~is_positive] >= t) for t in thresholds]
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert curve.auc == pytest.approx(area)

    def test_two_classes_have_the_curve_of_the_second(self):
        curves = roc_curves(LABELS, PROBABILITIES, NAMES)
        assert {name: curve.auc for name, curve in curves.items()} == {"positive": pytest.approx(6 / 9)}

    def test_three_classes_have_a_curve_each_but_for_the_absent(self):
        probabilities = np.array([[0.6, 0.3, 0.1], [0.5, 0.1, 0.4]])
        curves = roc_curves(np.array([0, 2]), probabilities, ("a", "b", "c"))
        assert {name: curve.auc for name, curve in curves.items()} == {"a": 1, "c": 1}


class TestReliability:
    def test_a_bin_holds_its_upper_edge(self):
        # Edges at 0.5 and 0.75, exact in binary: they belong to the bins that end there.
        result = reliability(np.array([0, 0, 0]), binary([0.5, 0.25, 0.2]), bins=4)
        assert result.counts.tolist() == [0, 1, 1, 1]
        assert result.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]

    def test_confidence_and_accuracy_of_each_bin(self):
        result = reliability(LABELS, PROBABILITIES, bins=4)
        assert result.counts.tolist() == [0, 0, 2, 4]
        assert result.confidence[2:] == pytest.approx([0.65, 0.85])
        assert result.accuracy[2:] == pytest.approx([0.5, 0.75])
        assert np.isnan(result.confidence[:2]).all()
        assert np.isnan(result.accuracy[:2]).all()
        assert result.error == pytest.approx((2 * 0.15 + 4 * 0.1) / 6)

    @given(
        st.lists(st.tuples(st.integers(0, 2), st.lists(st.floats(-5, 5), min_size=3, max_size=3)), min_size=1)
    )
    @settings(max_examples=50)
    def test_error_is_the_weighted_gap_of_the_bins(self, examples):
        labels = np.array([label for label, _ in examples])
        probabilities = softmax(np.array([logits for _, logits in examples]))
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        gaps = 0.0
        for number in range(15):
            inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
            if inside.any():
                gaps += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
        result = reliability(labels, probabilities)
        assert result.error == pytest.approx(gaps / len(labels), abs=1e-12)
        assert result.counts.sum() == len(labels)


class TestSoftmax:
    def test_gives_probabilities_in_float64(self):
        result = softmax(np.array([[0, math.log(3)], [5, 5]], np.float32))
        assert result.dtype == np.float64
        assert result == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))

    def test_neither_overflows_nor_underflows(self):
        with np.errstate(all="raise", under="ignore"):
            assert softmax(np.array([[1e4, 0], [-1e4, -1e4]])).tolist() == [[1, 0], [0.5, 0.5]]

    def test_leaves_its_input_alone(self):
        logits = np.array([[1.0, 2.0]])
        softmax(logits)
        assert logits.tolist() == [[1.0, 2.0]]

    def test_no_row_is_fine(self):
        assert softmax(np.empty((0, 2), np.float32)).shape == (0, 2)

    def test_a_row_of_nan_stays_alone(self):
        result = softmax(np.array([[np.nan, np.nan], [0, 0]]))
        assert np.isnan(result[0]).all()
        assert result[1].tolist() == [0.5, 0.5]

    @pytest.mark.parametrize("classes", [2, 3, 9, 40])
    def test_a_row_is_the_same_bits_alone_and_in_any_batch_and_layout(self, classes):
        logits = np.random.default_rng(0).normal(0, 4, (67, classes)).astype(np.float32)
        whole = softmax(logits)
        assert np.array_equal(np.concatenate([softmax(row[None]) for row in logits]), whole)
        assert np.array_equal(softmax(np.asfortranarray(logits)), whole)
        assert np.array_equal(np.concatenate([softmax(logits[:13]), softmax(logits[13:])]), whole)


class TestWithoutBlank:
    def test_leaves_out_rows_of_nan(self):
        probabilities = np.array([[0.1, 0.9], [np.nan, np.nan], [0.8, 0.2]])
        labels, kept = without_blank(np.array([1, 0, 0]), probabilities)
        assert labels.tolist() == [1, 0]
        assert kept.tolist() == [[0.1, 0.9], [0.8, 0.2]]

    def test_a_row_that_is_nan_in_part_stays_for_evaluate_to_refuse(self):
        probabilities = np.array([[np.nan, 0.9]])
        labels, kept = without_blank(np.array([1]), probabilities)
        with pytest.raises(ValueError):
            evaluate(labels, kept, NAMES)

    @pytest.mark.parametrize("rows", [0, 2])
    def test_nothing_left_is_an_error(self, rows):
        with pytest.raises(DataError, match=f"of {rows} texts none has a word"):
            without_blank(np.zeros(rows, int), np.full((rows, 2), np.nan))

    def test_refuses_other_sizes(self):
        with pytest.raises(ValueError):
            without_blank(np.array([1]), PROBABILITIES)
