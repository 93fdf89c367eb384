"""The neutral band: a choice that suits labeled texts, and the figures of labels with a band."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from sentcli.evaluation.metrics import Labels, accuracy_of, evaluate
from sentcli.scoring.labels import NEUTRAL, Band, Bools, Floats, Sides

_log = logging.getLogger("sentcli")

Ends = tuple[float, float]  # the lowest and the highest score of a band

_BANDS: list[Ends] = [(0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9)]  # measured for every model
_SIDE_OF = np.array([0, 2, 1])  # of the classes and of 2, which is neutral
_USUAL: Ends = (0.3, 0.7)  # of a model whose base has none
_FEW = 50  # neutral texts
_STEPS = 401  # quantiles of the scores that are tried as ends of a band
_THREE = ("examples", "accuracy", "accuracy_interval", "macro_f1", "intervals", "classes", "confusion")


def choose_band(scores: Floats, sides: Sides) -> Ends:
    """Return the band with the highest macro F1 of negative, neutral and positive texts.

    All three count equally, however many texts they have. Both ends belong to the band.

    :param sides: the true class of each example: 0 negative, 1 neutral, 2 positive; each occurs.
    :returns: the ends, with 0 <= low <= 0.5 <= high <= 1; of equally good bands, the lowest.
    """
    tried = np.unique([*np.quantile(scores, np.linspace(0, 1, _STEPS)).round(4), 0.5])
    lows, highs = tried[tried <= 0.5], tried[tried >= 0.5]
    by_side = [scores[sides == side] for side in range(3)]
    # Shares of the texts of each class below `lows`, `[classes, lows, 1]`, and above `highs`.
    below = np.array([_beyond(own, lows, 0) / len(own) for own in by_side])[:, :, np.newaxis]
    above = np.array([_beyond(own, highs, 2) / len(own) for own in by_side])[:, np.newaxis]
    shares_of = (below, 1 - below - above, above)
    f1 = [2 * shares[side] / (shares.sum(axis=0) + 1) for side, shares in enumerate(shares_of)]
    macro_f1 = np.mean(np.broadcast_arrays(*f1), axis=0)
    low, high = np.unravel_index(macro_f1.argmax(), macro_f1.shape)
    return float(lows[low]), float(highs[high])


def shrink_band(chosen: Ends, neutral_texts: int, base: Ends | None) -> Ends:
    """Return a band nearer to that of the base model, or to 0.3 to 0.7; few texts do not choose one."""
    kept, own = min(_FEW / neutral_texts, 1), base or _USUAL
    low, high = (round(kept * old + (1 - kept) * new, 4) for old, new in zip(own, chosen, strict=True))
    values = low, high, neutral_texts, 100 * kept, *own
    _log.info("neutral band %g to %g: chosen on %d neutral texts, and %d %% of %g to %g", *values)
    return low, high


def band_figures(
    labels: Labels, probabilities: Floats, names: Sequence[str], own: Ends | None, precision: float | None
) -> dict[str, Any]:
    """Report coverage and accuracy of a binary model when scores inside a neutral band are left out.

    :param labels: the class of each text; 2 is neutral.
    :returns: `bands`, for each the share of texts outside (`coverage`) and the accuracy on them; `three_way`,
        the metrics of three labels with `own`, None without neutral texts; and `thresholds`, for each class
        the score nearest to 0.5 beyond which it has the precision, and the share of texts there
        (`coverage`), both None if no score reaches it. With more classes, all are empty.
    """
    figures: dict[str, Any] = {"bands": [], "three_way": None, "thresholds": []}
    if len(names) > 2:
        return figures
    scores, sides = probabilities[:, 1], _SIDE_OF[labels]
    for ends in dict.fromkeys([*_BANDS, *([own] if own else [])]):
        predicted = Band(*ends).sides(scores)
        kept = predicted != 1
        band = {"low": ends[0], "high": ends[1], "of_model": ends == own, "coverage": float(kept.mean())}
        figures["bands"].append(band | accuracy_of((predicted == sides)[kept]))
    if own and (sides == 1).any():
        figures["three_way"] = three_way(labels, np.eye(3)[Band(*own).sides(scores)], names, own)
    if precision:
        figures["thresholds"] = [
            {"label": name, "precision": precision, **_threshold(scores, sides == side, side, precision)}
            for name, side in zip(names, (0, 2), strict=True)
        ]
    return figures


def three_way(
    labels: Labels, probabilities: Floats, names: Sequence[str], band: Ends | None = None
) -> dict[str, Any]:
    """Return the figures of three labels from `[texts, 3]` probabilities, which a band may have made."""
    scored = ~np.isnan(probabilities[:, 0])
    three = evaluate(_SIDE_OF[labels[scored]], probabilities[scored], [names[0], NEUTRAL, names[1]])
    low, high = band or (None, None)
    return {"low": low, "high": high, **{name: asdict(three)[name] for name in _THREE}}


def _threshold(scores: Floats, is_right: Bools, side: int, precision: float) -> dict[str, float | None]:
    """Return `threshold` and `coverage` of the class on one side of 0.5; see `band_figures`."""
    ends = (0.5 + (side - 1) * np.linspace(0, 0.5, 5001)).round(4)
    count = _beyond(scores, ends, side)
    reached = _beyond(scores[is_right], ends, side) / np.maximum(count, 1) >= precision
    if not reached.any():
        return {"threshold": None, "coverage": None}
    first = reached.argmax()
    return {"threshold": float(ends[first]), "coverage": float(count[first] / len(scores))}


def _beyond(scores: Floats, ends: Floats, side: int) -> npt.NDArray[np.intp]:
    """Return how many scores are below each end, for side 0, or above it, for side 2."""
    below = np.searchsorted(np.sort(scores), ends, "right" if side else "left")
    return len(scores) - below if side else below
