"""The page of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentcli.evaluation.metrics import lengths_of, reliability
from sentcli.evaluation.report import four, interval, metrics_of
from sentcli.report.page import fill, shade
from sentcli.scoring.labels import Floats

if TYPE_CHECKING:
    from sentcli.evaluation.evaluate import Measurement
    from sentcli.scoring.scorer import Scorer

Curve = list[tuple[float, float]]  # points from 0 to 1

_MOST_CLASSES = 12  # in a confusion matrix
_EXCERPT = 380  # characters of a text
_POINTS = 101  # of a curve


def render(measured: "Measurement", record: Mapping[str, Any], scorer: "Scorer") -> bytes:
    """Return the page of an evaluation.

    :param measured, record: what `evaluate_bundle` returned.
    :param scorer: the measured model; it finds the parts of words.
    """
    errors = measured.errors
    spans = shade([error["text"] for error in errors], scorer, _EXCERPT)
    classes = [of["name"] for of in record["classes"]]
    bins = reliability(measured.labels, measured.probabilities)
    used = bins.counts > 0
    return fill(
        "evaluated.html.jinja",
        record=record,
        metrics=metrics_of(record),
        classes=classes,
        confusion=[_row(counts) for counts in record["confusion"]] if len(classes) <= _MOST_CLASSES else [],
        curves=_curves(measured.labels == 1, measured.probabilities[:, 1]) if len(classes) == 2 else {},
        reliability=[*zip(bins.confidence[used].tolist(), bins.accuracy[used].tolist(), strict=True)],
        lengths=[_accuracy(lengths_of(part), part) for part in record["by_length"] if part["examples"]],
        bands=[(band, _accuracy(f"{band['low']:g} to {band['high']:g}", band)) for band in record["bands"]],
        errors=[error | {"spans": excerpt} for error, excerpt in zip(errors, spans, strict=True)],
        four=four,
        interval=interval,
    )


def _row(counts: Sequence[int]) -> list[tuple[int, float]]:
    """Return counts of the confusion matrix with their shares of the row."""
    return [(count, count / max(1, sum(counts))) for count in counts]


def _accuracy(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """Return an accuracy as the template shows a share."""
    low, high = part["accuracy_interval"] or (0.0, 1.0)
    return {
        "name": name,
        "rows": part.get("examples"),
        "share": part["accuracy"] or 0.0,
        "low": low,
        "high": high,
    }


def _curves(is_second: Any, scores: Floats) -> dict[str, Curve]:
    """Return precision and recall of the second class by threshold, and the ROC curve."""
    positive, negative = np.sort(scores[is_second]), np.sort(scores[~is_second])
    steps = np.linspace(0, 1, _POINTS)
    found = {}
    for name, thresholds in (("threshold", steps), ("roc", np.quantile(scores, steps))):
        right = len(positive) - np.searchsorted(positive, thresholds)
        wrong = len(negative) - np.searchsorted(negative, thresholds)
        found[name] = thresholds, right, wrong
    thresholds, right, wrong = found["threshold"]
    is_any = right + wrong > 0
    recall = right / max(1, len(positive))
    _, hits, alarms = found["roc"]
    rates = alarms / max(1, len(negative)), hits / max(1, len(positive))
    return {
        "precision": _points(thresholds[is_any], right[is_any] / (right + wrong)[is_any]),
        "recall": _points(thresholds, recall),
        "roc": [(0.0, 0.0), *_points(*rates)[::-1], (1.0, 1.0)],
    }


def _points(x: Floats, y: Floats) -> Curve:
    return [*zip(x.tolist(), y.tolist(), strict=True)]
