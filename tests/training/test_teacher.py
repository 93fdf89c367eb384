"""The teacher: how its members are weighed, and what it takes."""

import numpy as np
import pytest

from sentcli.errors import DataError
from sentcli.evaluation.metrics import log_loss
from sentcli.training.self_training.teacher import (
    StackedEnsemble,
    check_labels,
    classify_by_ngrams,
    score_with,
)


def opinions(labels: np.ndarray, classes: int, share: float, seed: int) -> np.ndarray:
    """Probabilities that favour the label in a share of the texts, and another class in the rest."""
    draw = np.random.default_rng(seed)
    wrong = (labels + draw.integers(1, classes, len(labels))) % classes
    said = np.where(draw.random(len(labels)) < share, labels, wrong)
    values = draw.uniform(0.1, 0.5, (len(labels), classes))
    values[np.arange(len(labels)), said] += 1
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_better_than_its_best_member(classes):
    labels = np.random.default_rng(0).integers(0, classes, 1200)
    members = {name: opinions(labels, classes, 0.8, seed) for seed, name in enumerate("abc")}
    members["noise"] = opinions(labels, classes, 1 / classes, 9)
    teacher = StackedEnsemble(labels[:600], {name: values[:600] for name, values in members.items()})
    together = teacher.probabilities({name: values[600:] for name, values in members.items()})
    assert together.shape == (600, classes)
    assert together.sum(axis=1) == pytest.approx(np.ones(600), abs=1e-5)
    alone = max((values[600:].argmax(axis=1) == labels[600:]).mean() for values in members.values())
    accuracy = (together.argmax(axis=1) == labels[600:]).mean()
    assert accuracy > alone + 0.03
    # Its own figures are of texts that the weights were not fitted to.
    assert teacher.accuracy == pytest.approx(accuracy, abs=0.04)
    assert teacher.loss == pytest.approx(log_loss(labels[600:], together.astype(float)), abs=0.1)


def test_a_member_that_is_sure_and_wrong_breaks_nothing():
    labels = np.array([0, 1] * 30)
    sure = np.eye(2)[labels]
    sure[0] = sure[0, ::-1]
    together = StackedEnsemble(labels, {"sure": sure}).probabilities({"sure": sure})
    assert np.isfinite(together).all()
    assert together.argmax(axis=1)[1:].tolist() == labels[1:].tolist()


@pytest.mark.parametrize("labels", [[0, 1], [0, 0, 0, 1], [0, 1, 0, 1, 1]])
def test_a_validation_part_of_a_few_texts_will_do(labels):
    labels = np.array(labels)
    member = opinions(labels, 2, 1.0, 0)
    together = StackedEnsemble(labels, {"one": member}).probabilities({"one": member})
    assert np.isfinite(together).all()


def test_bundles_score_and_blank_texts_are_even(trained):
    said = score_with(
        trained, ["the film was wonderful", " ", "a dreadful bore"], name="x", workers=1, quiet=True
    )
    assert said[0].argmax() == 1
    assert said[1].tolist() == [0.5, 0.5]
    assert said[2].argmax() == 0


def test_ngrams_learn_from_labels():
    texts = ["it was good", "it was bad"] * 20
    probabilities = classify_by_ngrams(texts, np.array([1, 0] * 20), 2, ["good", "bad"])
    assert probabilities.argmax(axis=1).tolist() == [1, 0]


def test_a_teacher_of_other_classes_is_refused(trained):
    check_labels(trained, ["negative", "positive"])
    with pytest.raises(DataError, match=r"trained.*negative, positive.*the data has bad, good"):
        check_labels(trained, ["bad", "good"])
