"""Accuracy on slices of the examples: by the length of the text, and outside of an uncertain band."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sentcli.evaluation.metrics import Labels, wilson_interval
from sentcli.scoring.labels import Band, Bools, Floats

STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each slice of lengths begins


def scores_by_length(is_right: Bools, tokens: Sequence[int]) -> list[dict[str, Any]]:
    """Measure the accuracy on short and long texts.

    :param is_right: whether each prediction is its label, `[examples]`.
    :param tokens: all tokens of each text, not only those that the model reads.
    :returns: for each slice, `shortest` and `longest` (both included; None for the last slice), `examples`,
        `accuracy` and Wilson's `accuracy_interval` (both None without an example).
    """
    lengths = np.asarray(tokens)
    slices = []
    for start, end in zip(STARTS, [*STARTS[1:], None], strict=True):
        inside = is_right[(lengths >= start) & (lengths < (end or np.inf))]
        bounds = {"shortest": start, "longest": end - 1 if end else None, "examples": len(inside)}
        slices.append(bounds | _accuracy(inside))
    return slices


def scores_by_band(labels: Labels, probabilities: Floats) -> list[dict[str, Any]]:
    """Measure the accuracy on the texts that keep their label under `sentcli score --uncertain LOW HIGH`.

    :param labels, probabilities: as for `sentcli.evaluation.metrics.evaluate`.
    :returns: for each band (around 0.5 for two classes, from 0 up for more), `low`, `high`, the number of
        texts that keep their label (`labeled`), their `share`, `accuracy` and `accuracy_interval`.
    """
    if probabilities.shape[1] == 2:
        bands = [Band(0.4, 0.6), Band(0.3, 0.7), Band(0.2, 0.8), Band(0.1, 0.9)]
    else:
        bands = [Band(0, high) for high in (0.5, 0.6, 0.7, 0.8, 0.9)]
    is_right = probabilities.argmax(axis=1) == labels
    slices = []
    for band in bands:
        kept = is_right[~band.holds(probabilities)]
        counts = {"labeled": len(kept), "share": len(kept) / len(labels)}
        slices.append({"low": band.low, "high": band.high, **counts, **_accuracy(kept)})
    return slices


def lengths_of(part: Mapping[str, Any]) -> str:
    """Return the lengths of a slice, such as `32-63`."""
    return f"{part['shortest']}+" if part["longest"] is None else f"{part['shortest']}-{part['longest']}"


def _accuracy(is_right: Bools) -> dict[str, Any]:
    right, examples = int(is_right.sum()), len(is_right)
    interval = wilson_interval(right, examples) if examples else None
    return {"accuracy": right / examples if examples else None, "accuracy_interval": interval}
