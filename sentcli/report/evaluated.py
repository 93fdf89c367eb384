"""The page of an evaluation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from sentcli.evaluation.evaluate import Measurement
from sentcli.report.page import EXCERPT, fill, shade
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

Curve = list[tuple[float, float]]  # points from 0 to 1

_MOST_CURVES = 6  # in a ROC plot
_POINTS = 101  # of a curve


def render_evaluation(measured: Measurement, record: Mapping[str, Any], scorer: Scorer) -> bytes:
    """Return the page of an evaluation.

    :param measured, record: what `evaluate_bundle` returned.
    :param scorer: the measured model; it finds the parts of words.
    """
    labels, probabilities = measured.labels, measured.probabilities
    classes = [row["name"] for row in record["classes"]]
    shown = [1] if len(classes) == 2 else range(min(_MOST_CURVES, len(classes)))
    return fill(
        "evaluated.html.jinja",
        record=record,
        classes=classes,
        roc=[
            (classes[number], *_roc(labels == number, probabilities[:, number]))
            for number in shown
            if 0 < (labels == number).sum() < len(labels)
        ],
        thresholds=_thresholds(labels == 1, probabilities[:, 1]) if len(classes) == 2 else None,
        errors=measured.errors,
        excerpts=shade([row["text"] for row in measured.errors], scorer, EXCERPT),
    )


def _roc(is_class: Any, scores: Floats) -> tuple[float, Curve]:
    """Return the ROC curve of a class, and before it the area under it."""
    false, true, _ = roc_curve(is_class, scores)
    places = np.linspace(0, len(false) - 1, _POINTS).astype(int)
    return float(auc(false, true)), _points(false[places], true[places])


def _thresholds(is_second: Any, scores: Floats) -> dict[str, Curve]:
    """Return precision and recall of the second class by threshold."""
    precision, recall, ends = precision_recall_curve(is_second, scores)
    steps = np.linspace(0, 1, _POINTS)
    steps = steps[steps <= ends[-1]]
    places = np.searchsorted(ends, steps)
    return {"precision": _points(steps, precision[places]), "recall": _points(steps, recall[places])}


def _points(x: Floats, y: Floats) -> Curve:
    return [*zip(x.tolist(), y.tolist(), strict=True)]
