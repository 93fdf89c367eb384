"""Intervals by drawing again, against figures of the drawn examples themselves."""

import math

import numpy as np
import pytest

from sentcli.evaluation import bootstrap
from sentcli.evaluation.bootstrap import bootstrap_intervals
from sentcli.evaluation.metrics import evaluate, log_loss

NAMES = ("no", "yes")


def invented(examples, classes=2, seed=1):
    """Labels and probabilities that are right more often than not, with ties."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, examples)
    logits = random.normal(size=(examples, classes)).round(1)
    logits[np.arange(examples), labels] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities


@pytest.mark.parametrize("classes", [2, 3])
def test_they_are_the_ends_of_what_evaluate_gives_for_each_draw(monkeypatch, classes):
    monkeypatch.setattr(bootstrap, "_DRAWS", 100)
    labels, probabilities = invented(150, classes)
    names = [*map(str, range(classes))]
    random = np.random.default_rng(0)
    draws = [random.integers(0, 150, 150) for _ in range(100)]
    figures = [evaluate(labels[rows], probabilities[rows], names) for rows in draws]
    found = bootstrap_intervals(labels, probabilities)
    assert found.keys() == {"f1", "macro_f1", "roc_auc", "log_loss"}
    for name, ends in found.items():
        values = [getattr(each, name) for each in figures]
        if values[0] is None:
            assert (name, ends) == ("f1", None)
        else:
            assert ends == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_of_a_mean_they_are_those_of_the_normal_distribution():
    labels, probabilities = invented(5000)
    losses = [log_loss(labels[row : row + 1], probabilities[row : row + 1]) for row in range(5000)]
    margin = 1.96 * np.std(losses) / math.sqrt(5000)
    low, high = bootstrap_intervals(labels, probabilities)["log_loss"]
    assert (high - low) / 2 == pytest.approx(margin, rel=0.1)
    assert (low + high) / 2 == pytest.approx(np.mean(losses), abs=0.1 * margin)


def test_they_are_the_same_each_time():
    assert bootstrap_intervals(*invented(40)) == bootstrap_intervals(*invented(40))


def test_what_some_draws_leave_undefined_has_none():
    labels, probabilities = np.array([0, 0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    found = bootstrap_intervals(labels, probabilities)
    assert found["roc_auc"] is None  # a draw without the only positive one
    assert found["log_loss"] is not None
    assert bootstrap_intervals(labels[:1], probabilities[:1])["f1"] is None


def test_of_very_many_examples_there_are_fewer_draws(monkeypatch):
    labels, probabilities = invented(100)
    wanted = bootstrap_intervals(labels, probabilities)
    monkeypatch.setattr(bootstrap, "_TEXTS_IN_ALL", 20_000)
    fewer = bootstrap_intervals(labels, probabilities)
    assert fewer != wanted
    assert fewer["macro_f1"] == pytest.approx(wanted["macro_f1"], abs=0.05)
