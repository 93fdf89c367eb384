"""The page of a training, from the metrics and the history of its model folder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sentcli.evaluation.metrics_file import Metrics
from sentcli.report.page import fill

Epoch = Mapping[str, Any]

_PARTS, _COLORS = ("train", "validation"), ("l0", "l1")
_MOST_TICKS = 12


def render_training(metrics: Metrics, epochs: Sequence[Epoch], name: str) -> bytes:
    """Return the page of a training, which shows no texts.

    :param epochs: the records of `history.csv` of the model itself.
    """
    return fill(
        "trained.html.jinja",
        name=name,
        metrics=metrics,
        validation=metrics["validation"],
        baseline=metrics.get("baseline"),
        epochs=epochs,
        curves={metric: _curves(metric, epochs) for metric in ("loss", "accuracy")},
        ticks=_ticks_of_epochs(len(epochs)),
        best=_place(max(metrics["best_epoch"], 1) - 1, len(epochs)),
    )


def _curves(metric: str, epochs: Sequence[Epoch]) -> dict[str, Any]:
    """Return the curves of a metric over the epochs in points from 0 to 1, and the ticks of its values."""
    values = np.array([[epoch[f"{part}_{metric}"] for epoch in epochs] for part in _PARTS], np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-4)))
    step /= 1 if high - low > 3 * step else 2
    first, digits = math.floor(low / step), -math.floor(math.log10(step))
    size = max(1, math.ceil(high / step) - first)
    places = [_place(number, len(epochs)) for number in range(len(epochs))]
    scaled = ((values / step - first) / size).tolist()
    return {
        "y": [(tick / size, f"{(first + tick) * step:.{max(0, digits)}f}") for tick in range(size + 1)],
        "lines": [
            (color, [*zip(places, line, strict=True)]) for color, line in zip(_COLORS, scaled, strict=True)
        ],
    }


def _place(epoch: int, epochs: int) -> float:
    return epoch / (epochs - 1) if epochs > 1 else 0.5


def _ticks_of_epochs(epochs: int) -> list[int | str]:
    if epochs == 1:
        return ["", 1, ""]
    return [*range(1, epochs + 1)] if epochs <= _MOST_TICKS else [1, epochs]
