"""The pages of an evaluation and of a training."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from sentcli.evaluation.evaluate import Measurement
from sentcli.evaluation.model_card import Epochs, Metrics
from sentcli.report.page import fill, shaded
from sentcli.scoring.labels import Bools, Floats, wilson_interval
from sentcli.scoring.scorer import Scorer

Curve = list[tuple[float, float]]  # points from 0 to 1

_STEPS = np.linspace(0, 1, 101)  # of a curve
_PARTS, _LEAST_RANGE = ("train", "validation"), 1e-4  # of a plot of epochs


def render_evaluation(measured: Measurement, scorer: Scorer) -> bytes:
    """Return the page of an evaluation; the measured model, as a scorer, finds the parts of words."""
    labels, probabilities = measured.labels, measured.probabilities
    classes = [row["name"] for row in measured.record["classes"]]
    return fill(
        "evaluated.html.jinja",
        record=measured.record,
        classes=classes,
        apart=recall_extremes(measured.record["classes"]),
        thresholds=_thresholds(labels == 1, probabilities[:, 1]) if len(classes) == 2 else None,
        errors=measured.errors,
        shaded=partial(shaded, scorer),
    )


def recall_extremes(classes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a class of low and one of high recall, if their 95 % intervals do not meet."""
    known = [row for row in classes if row["support"]]
    bounds = [wilson_interval(round(row["recall"] * row["support"]), row["support"]) for row in known]
    lowest = min(range(len(known)), key=lambda place: bounds[place][1])
    highest = max(range(len(known)), key=lambda place: bounds[place][0])
    return [known[lowest], known[highest]] if bounds[lowest][1] < bounds[highest][0] else []


def _thresholds(is_second: Bools, scores: Floats) -> dict[str, Curve]:
    """Return precision and recall of the second class by threshold."""
    precision, recall, ends = precision_recall_curve(is_second, scores)
    steps = _STEPS[ends[-1] >= _STEPS]
    places = np.searchsorted(ends, steps)
    rates = {"precision": precision[places], "recall": recall[places]}
    return {name: [*zip(steps.tolist(), values.tolist(), strict=True)] for name, values in rates.items()}


def render_training(metrics: Metrics, epochs: Epochs, name: str) -> bytes:
    """Return the page of a training, which shows no texts.

    :param epochs: the records of `history.csv`.
    """
    count = len(epochs)
    return fill(
        "trained.html.jinja",
        name=name,
        metrics=metrics,
        validation=metrics["validation"],
        epochs=epochs,
        curves={metric: _curves(metric, epochs) for metric in ("loss", "accuracy")},
        ticks=[1, count] if count > 1 else ["", 1, ""],
        best=_place(max(metrics["best_epoch"], 1) - 1, count),
    )


def _curves(metric: str, epochs: Epochs) -> dict[str, Any]:
    """Return the curves of a metric over the epochs in points from 0 to 1, and the ticks of its values."""
    values = np.array([[epoch[f"{part}_{metric}"] for epoch in epochs] for part in _PARTS], np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    places = [_place(number, len(epochs)) for number in range(len(epochs))]
    lines = ((values - low) / max(high - low, _LEAST_RANGE)).tolist()
    return {
        "y": [(0, f"{low:.3f}"), (1, f"{high:.3f}")],
        "lines": [(f"l{number}", [*zip(places, line, strict=True)]) for number, line in enumerate(lines)],
    }


def _place(epoch: int, epochs: int) -> float:
    return epoch / (epochs - 1) if epochs > 1 else 0.5
