"""The correction for rare classes: only where it helps beyond chance."""

import numpy as np
import pytest

from sentcli.evaluation.prior import STRENGTHS, choose_strength


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
