import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.evaluation.metrics import log_loss
from sentcli.evaluation.temperature import TEMPERATURES, fit_temperature
from sentcli.scoring.labels import softmax


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.5])
def test_finds_the_temperature_that_the_labels_were_drawn_with(classes, temperature):
    random = np.random.default_rng(4)
    calibrated = random.normal(0, 2, (40_000, classes))
    labels = (calibrated + random.gumbel(size=calibrated.shape)).argmax(axis=1)  # drawn by softmax
    assert fit_temperature(labels, calibrated * temperature) == pytest.approx(temperature, rel=0.03)


@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 30))
@settings(max_examples=50)
def test_no_other_temperature_has_a_lower_loss(seed, classes, rows):
    random = np.random.default_rng(seed)
    labels, logits = random.integers(0, classes, rows), random.normal(0, 3, (rows, classes))
    fitted = fit_temperature(labels, logits)
    low, high = TEMPERATURES
    assert low <= fitted <= high
    if (logits.argmax(axis=1) == labels).all():
        assert fitted == 1
        return
    losses = [log_loss(labels, softmax(logits / t)) for t in np.geomspace(low, high, 300)]
    assert log_loss(labels, softmax(logits / fitted)) <= min(losses) + 1e-9


def test_a_class_of_twice_the_weight_counts_as_if_its_examples_came_twice():
    random = np.random.default_rng(6)
    logits = random.normal(0, 3, (60, 2))
    labels = (logits / 2 + random.gumbel(size=logits.shape)).argmax(axis=1)
    twice = np.concatenate([np.arange(60), np.flatnonzero(labels == 1)])
    weighed = fit_temperature(labels, logits, [1.0, 2.0])
    assert weighed == pytest.approx(fit_temperature(labels[twice], logits[twice]), rel=1e-9)
    assert weighed != pytest.approx(fit_temperature(labels, logits), rel=1e-4)


def test_moves_no_prediction():
    random = np.random.default_rng(5)
    labels, logits = random.integers(0, 3, 50), random.normal(0, 3, (50, 3)).astype(np.float32)
    calibrated = softmax(logits / fit_temperature(labels, logits))
    assert calibrated.argmax(axis=1).tolist() == logits.argmax(axis=1).tolist()


def test_examples_that_are_all_right_say_nothing():
    assert fit_temperature(np.array([0, 1]), np.array([[2.0, -1], [0, 3]])) == 1
    assert fit_temperature(np.array([1, 1, 1]), np.array([[0, 1.0]] * 3)) == 1  # of one class
    assert fit_temperature(np.array([0, 1]), np.zeros((2, 2))) == 1  # any fits as well


def test_one_class_with_mistakes_has_a_minimum():
    # Two of three right, with logits 1 apart: the loss is lowest where the probability is 2/3.
    logits = np.array([[0, 1.0], [0, 1], [1, 0]])
    assert fit_temperature(np.array([1, 1, 1]), logits) == pytest.approx(1 / math.log(2))


def test_examples_that_are_all_wrong_meet_the_bound():
    assert fit_temperature(np.array([1, 0]), np.array([[1.0, 0], [0, 1]])) == pytest.approx(10)


@pytest.mark.filterwarnings("error")
def test_logits_may_be_as_large_as_floats_are():
    logits = np.array([[0, 1e30], [1e30, 0], [0, 1e30]])
    assert fit_temperature(np.array([1, 1, 1]), logits) == pytest.approx(10)


@pytest.mark.parametrize(
    ("labels", "logits"),
    [
        (np.ones(6, int), np.zeros((5, 2))),
        (np.ones(6, int), np.zeros(6)),
        (np.ones(0, int), np.zeros((0, 2))),
        (np.array([1]), np.array([[0, np.nan]])),
        (np.array([1]), np.array([[0, np.inf]])),
    ],
)
def test_refuses_what_does_not_go_together(labels, logits):
    with pytest.raises(ValueError):
        fit_temperature(labels, logits)
