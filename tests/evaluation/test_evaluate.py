"""All metrics of one set of texts, and two models compared."""

import numpy as np
import pytest

from sentcli.evaluation.evaluate import compare, measure_texts
from sentcli.scoring.labels import STARS

NAMES = ("negative", "positive")
LABELS = np.array([0, 1, 1, 0])
ONE = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.6, 0.4]])
OTHER = np.array([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.6, 0.4]])


def test_blank_texts_are_left_out_of_all_metrics():
    blank = np.full((1, 2), np.nan)
    texts, labels = ["one", " ", "two words", "x", "y"], np.insert(LABELS, 1, 1)
    both = (np.concatenate([part[:1], blank, part[1:]]) for part in (ONE, OTHER))
    _, measured = measure_texts(texts, labels, next(both), ("negative", "positive"), next(both))
    assert (measured["blank"], measured["examples"], measured["by_length"][0]["examples"]) == (1, 4, 4)
    assert measured["comparison"] == compare(LABELS, ONE, OTHER, NAMES)


def test_neutral_texts_count_only_in_the_figures_of_bands():
    texts, neutral = ["one", "two words", "x", "y"], np.array([[0.55, 0.45], [0.05, 0.95], [np.nan, np.nan]])
    _, alone = measure_texts(texts, LABELS, ONE, ("negative", "positive"))
    labels, probabilities = np.append(LABELS, [2, 2, 2]), np.concatenate([ONE, neutral])
    _, found = measure_texts([*texts, "z", "z", " "], labels, probabilities, NAMES, probabilities)
    assert {name for name in found if found[name] != alone[name]} == {
        "neutral",
        "blank",
        "bands",
        "comparison",
    }
    assert (found["neutral"], found["blank"], alone["neutral"]) == (2, 1, 0)
    assert found["comparison"]["examples"] == 4
    # Outside of 0.2 to 0.8: one neutral text of six. `ONE` has a score of 0.2 at the end of the band.
    assert [band["coverage"] for band in found["bands"]][2:] == pytest.approx([1 / 6, 1 / 6])


def test_two_models_are_compared_on_the_texts_that_both_score():
    nothing = np.full(2, np.nan)
    one, other = ONE.copy(), OTHER.copy()
    one[0], other[3] = nothing, nothing
    _, measured = measure_texts(["a", "b", "c", "d"], LABELS, one, ("negative", "positive"), other)
    assert (measured["blank"], measured["examples"]) == (2, 2)
    assert measured["comparison"] == compare(LABELS[1:3], ONE[1:3], OTHER[1:3], NAMES)


def test_a_comparison_counts_changed_labels_and_differences():
    found = compare(LABELS, ONE, OTHER, NAMES)
    assert found == pytest.approx(
        {
            "examples": 4,
            "changed": 1,
            "changed_share": 0.25,
            "mean_difference": 0.1,
            "p99_difference": 0.3,
            "max_difference": 0.3,
            "accuracy": 0.75,
            "against_accuracy": 1.0,
        }
    )
    same = compare(LABELS, ONE, ONE.copy(), NAMES)
    assert (same["changed"], same["max_difference"], same["accuracy"]) == (0, 0, same["against_accuracy"])


def test_at_most_one_in_a_hundred_differences_exceeds_the_99th_percentile():
    for count, expected in ((1000, 990), (50, 49)):
        other = np.tile([0.5, 0.5], (count, 1))
        shifts = np.arange(count)[:, None] / 1e4 * np.array([1, -1])
        found = compare(np.zeros(count, int), other + shifts, other, NAMES)
        assert found["p99_difference"] == pytest.approx(expected / 1e4)


def test_stars_are_measured_by_their_median():
    labels, probabilities = np.array([2]), np.array([[0.35, 0.1, 0.1, 0.15, 0.3]])
    _, found = measure_texts(["one"], labels, probabilities, STARS, probabilities[:, ::-1])
    assert found["accuracy"] == found["by_length"][0]["accuracy"] == found["comparison"]["accuracy"] == 1
    assert found["comparison"]["changed"] == 0
    _, found = measure_texts(["one"], labels, probabilities, "abcde", probabilities[:, ::-1])
    assert (found["accuracy"], found["comparison"]["changed"]) == (0, 1)
