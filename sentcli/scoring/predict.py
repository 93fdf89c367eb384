"""The probabilities of a list of texts, with a progress bar."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from sentcli.model.bundle import Bundle
from sentcli.scoring import stop
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

_CHUNK = 8192  # texts between two steps of the bar


def predict(bundle: Bundle, texts: Sequence[str], *, title: str = "", quiet: bool, **options: Any) -> Floats:
    """Return the probabilities that a model predicts, float64 `[texts, classes]`; NaN for a blank text."""
    with (
        Scorer(bundle, **options) as scorer,
        progress_bar(quiet=quiet, total=len(texts), desc=title, unit="texts") as bar,
    ):
        probabilities = np.empty((len(texts), len(scorer.classes)))
        for start in range(0, len(texts), _CHUNK):
            stop.check()
            chunk = texts[start : start + _CHUNK]
            probabilities[start : start + len(chunk)] = scorer.probabilities(chunk)
            bar.update(len(chunk))
    return probabilities


def progress_bar(items: Iterable[Any] | None = None, *, quiet: bool, **options: Any) -> "tqdm[Any]":
    """Return a progress bar on stderr; it is hidden if `quiet` is set or stderr is not a terminal."""
    # stderr is None if it was closed at the start; tqdm would take that for a terminal.
    is_off = True if quiet or sys.stderr is None else None
    return tqdm(items, **{"leave": False, "disable": is_off} | options)
