"""How the figures of an evaluation are displayed."""

import numpy as np
import pytest

pytest.importorskip("sklearn")


from sentcli.evaluation.display import metrics_of, rarest
from sentcli.evaluation.metrics import evaluate


def figures(names, counts, wrong=0):
    """Return the figures of a model that is wrong on the first texts."""
    labels = np.repeat(range(len(names)), counts)
    predicted = np.where(np.arange(len(labels)) < wrong, len(names) - 1, labels)
    return evaluate(labels, np.eye(len(names))[predicted], names)


@pytest.mark.usefixtures("flag_names")
def test_a_rare_class_is_named_with_its_scores_and_the_option_that_makes_it_the_score():
    given = "--positive 'a fraud'"
    scores = "rarest label 'a fraud': precision 1.0000, recall 0.7500, F1 0.8571 of 40 texts"
    assert [*rarest(figures(("a fraud", "ok"), (40, 960), wrong=10))] == [
        scores,
        f"the score is the probability of 'ok'; to train another: {given}",
    ]
    assert len([*rarest(figures(("ok", "spam"), (960, 40)))]) == 1
    assert len([*rarest(figures(("a", "b", "c"), (960, 40, 960)))]) == 1
    assert [*rarest(figures(("a", "b"), (100, 900)))] == []


def test_a_class_with_few_texts_is_named():
    assert [*rarest(figures(("a", "b"), (19, 40)))] == [
        "rarest label 'a': precision 1.0000, recall 1.0000, F1 1.0000 of 19 texts"
    ]
    assert [*rarest(figures(("a", "b"), (20, 40)))] == []
    assert "'b': precision - " not in next(rarest(figures(("a", "b", "c"), (5, 0, 9))))


def test_the_errors_of_ordered_labels_come_last():
    """Classes that are numbers may have no order."""
    shown = [name for name, *_ in metrics_of(figures(("1", "2", "3"), (30, 30, 30)))]
    assert shown[0] == "accuracy"
    assert shown[-3:] == ["mean absolute error", "within one", "quadratic weighted kappa"]
    old = figures(("a", "b"), (30, 30))
    del old["ordered"]
    assert metrics_of(old)[0][0] == "accuracy"
