"""What `sentcli train` says of a finished model."""

import numpy as np
import pytest

pytest.importorskip("torch")

from sentcli.evaluation.metrics import evaluate
from sentcli.training.train_model import _warn_of_chance


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({0: 1, 1: 0}, ""),
        ({0: 10, 1: 0}, "no better than 'positive' for every text; try more texts"),
        ({0: 5, 1: 5}, ""),  # half of the few negative texts are right, and most of the positive ones
    ],
)
def test_a_model_that_one_label_equals_is_reported(caplog, wrong, says):
    labels = np.repeat([0, 1], [10, 90])
    predicted = labels.copy()
    for label, count in wrong.items():
        predicted[np.flatnonzero(labels == label)[:count]] = 1 - label
    probabilities = np.where(np.eye(2, dtype=bool)[predicted], 0.9, 0.1)
    figures = evaluate(labels, probabilities, ["negative", "positive"])
    _warn_of_chance("model", figures)
    assert says in caplog.text
    assert bool(caplog.text) == bool(says)
