"""The probabilities of all texts of a list, with a progress bar."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sentcli.model.bundle import Bundle
from sentcli.scoring import stop
from sentcli.scoring.labels import Floats
from sentcli.scoring.progress import progress_bar
from sentcli.scoring.scorer import Scorer

_CHUNK = 4096  # texts between two steps of the bar


def predict(bundle: Bundle, texts: Sequence[str], *, title: str = "", quiet: bool, **options: Any) -> Floats:
    """Give the probabilities of a model, float64 `[texts, classes]`; of a blank text, NaN.

    :param title: what the bar says.
    :param options: of `Scorer`, whose errors are raised.
    """
    probabilities = np.empty((len(texts), len(bundle.config.labels)))
    with (
        Scorer(bundle, **options) as scorer,
        progress_bar(quiet=quiet, total=len(texts), desc=title, unit="texts") as bar,
    ):
        for start in range(0, len(texts), _CHUNK):
            stop.check()
            chunk = texts[start : start + _CHUNK]
            probabilities[start : start + len(chunk)] = scorer.probabilities(chunk)
            bar.update(len(chunk))
    return probabilities
