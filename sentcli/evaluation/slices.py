"""Accuracy on slices of the examples by the length of the text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sentcli.evaluation.metrics import wilson_interval
from sentcli.scoring.labels import Bools

STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each slice of lengths begins


def scores_by_length(is_right: Bools, tokens: Sequence[int]) -> list[dict[str, Any]]:
    """Measure the accuracy on short and long texts; `tokens` has all tokens of each text.

    :returns: for each slice, `shortest` and `longest` (both included; None for the last slice), `examples`,
        `accuracy` and Wilson's `accuracy_interval` (both None without an example).
    """
    lengths = np.asarray(tokens)
    slices = []
    for start, end in zip(STARTS, [*STARTS[1:], None], strict=True):
        inside = is_right[(lengths >= start) & (lengths < (end or np.inf))]
        bounds = {"shortest": start, "longest": end - 1 if end else None, "examples": len(inside)}
        slices.append(bounds | accuracy_of(inside))
    return slices


def lengths_of(part: Mapping[str, Any]) -> str:
    """Return the lengths of a slice, such as `32-63`."""
    return f"{part['shortest']}+" if part["longest"] is None else f"{part['shortest']}-{part['longest']}"


def accuracy_of(is_right: Bools) -> dict[str, Any]:
    """Return `accuracy` and Wilson's `accuracy_interval`; both None without an example."""
    right, examples = int(is_right.sum()), len(is_right)
    interval = wilson_interval(right, examples) if examples else None
    return {"accuracy": right / examples if examples else None, "accuracy_interval": interval}
