"""The temperature of logits, and the correction for rare classes: only where it helps beyond chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.evaluation.calibration import (
    STRENGTHS,
    TEMPERATURES,
    choose_strength,
    fit_temperature,
    shrink_temperature,
)
from sentcli.scoring.labels import softmax


@pytest.mark.parametrize("classes", [2, 7])
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

    def loss(temperature):
        return -np.log(softmax(logits / temperature)[np.arange(rows), labels]).mean()

    assert loss(fitted) <= min(map(loss, np.geomspace(low, high, 100))) + 1e-9


def test_few_texts_change_little():
    assert shrink_temperature(4.0, 50) == pytest.approx(2.0)
    assert shrink_temperature(0.25, 10) == pytest.approx(0.25 ** (1 / 6))
    assert shrink_temperature(0.5, 1000) == 0.5


def test_it_stays_within_its_limits():
    assert fit_temperature(np.array([1, 0]), np.array([[1.0, 0], [0, 1]])) == pytest.approx(10)
    huge = np.array([[0, 1e30], [1e30, 0], [0, 1e30]])
    assert fit_temperature(np.array([1, 1, 1]), huge) == pytest.approx(10)


def drawn(shares, rows, separation, seed=2):
    """Return labels, and the calibrated logits of normal evidence for each class."""
    random, log_priors = np.random.default_rng(seed), np.log(shares)
    labels = random.choice(len(shares), rows, p=shares)
    evidence = random.normal(0, 1, (rows, len(shares)))
    evidence[np.arange(rows), labels] += separation
    return labels, separation * evidence + log_priors, log_priors


def test_a_rare_class_that_is_missed_is_corrected():
    labels, logits, log_priors = drawn([0.9, 0.06, 0.04], 4000, 1.5)
    strength = choose_strength(labels, logits, log_priors)
    assert strength in STRENGTHS
    plain, adjusted = (
        (each.argmax(axis=1) == labels).mean() for each in (logits, logits - strength * log_priors)
    )
    assert plain - adjusted < 0.01


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.4, 0.3, 0.3]])
def test_even_classes_need_no_correction(shares):
    assert choose_strength(*drawn(shares, 4000, 1.5)) == 0


def test_a_gain_of_a_few_texts_is_noise():
    labels = np.array([0] * 18 + [1] * 2)
    logits = np.where(np.arange(20)[:, None] == 18, [[1.0, 0.0]], [[3.0, 0.0]])
    log_priors = np.log([0.9, 0.1])
    assert choose_strength(labels, logits, log_priors) == 0  # though the 19th text would be right
