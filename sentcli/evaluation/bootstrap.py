"""How far a figure may lie from that of other texts of the kind: intervals by drawing the texts again."""

import numpy as np
import numpy.typing as npt

from sentcli.evaluation.metrics import LOG_CLIP, Labels
from sentcli.scoring.labels import Bools, Floats

Interval = tuple[float, float]

# As many draws as the ends of an interval need; of very many texts fewer, as their intervals are narrow.
_DRAWS, _FEWEST_DRAWS, _TEXTS_IN_ALL = 1000, 100, 10_000_000
_ENDS = (0.025, 0.975)


def bootstrap_intervals(labels: Labels, probabilities: Floats) -> dict[str, Interval | None]:
    """Bound figures of `metrics.evaluate` by their 95 % percentile intervals, the same each time.

    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. There is none of the
    accuracy, which has Wilson's, and of the calibration error: to have drawn some texts twice and others not
    at all is itself an error of calibration, so its draws lie above it.

    :param labels, probabilities: as `evaluate` takes them.
    :returns: of `f1`, `macro_f1`, `roc_auc`, `log_loss`; None where a figure is undefined, if only in a draw.
    """
    examples, classes = probabilities.shape
    random = np.random.default_rng(0)
    cells = labels * classes + probabilities.argmax(axis=1)
    losses = -np.log(np.clip(probabilities[np.arange(examples), labels], LOG_CLIP, 1))
    rankings = [
        _Ranking(labels == number, probabilities[:, number])
        for number in (range(classes) if classes > 2 else (1,))
    ]
    draws = []
    auc = 0.0
    for _ in range(max(min(_DRAWS, _TEXTS_IN_ALL // examples), _FEWEST_DRAWS)):
        times = np.bincount(random.integers(0, examples, examples), minlength=examples)
        confusion = np.bincount(cells, times, classes**2).reshape(classes, classes)
        with np.errstate(invalid="ignore"):  # 0 / 0: a class that is neither there nor predicted
            of_classes = 2 * confusion.diagonal() / (confusion.sum(axis=0) + confusion.sum(axis=1))
        if not np.isnan(auc):  # undefined in one draw, the interval is: the rest would be for nothing
            auc = float(np.mean([ranking.auc(times) for ranking in rankings]))
        draws.append((of_classes[1], np.nanmean(of_classes), auc, times @ losses / examples))
    low, high = np.quantile(draws, _ENDS, axis=0).tolist()
    found = dict(zip(("f1", "macro_f1", "roc_auc", "log_loss"), zip(low, high, strict=True), strict=True))
    if classes > 2:
        found["f1"] = (np.nan, np.nan)
    return {name: None if np.isnan(ends).any() else ends for name, ends in found.items()}


class _Ranking:
    """Examples in the order of their scores, which no draw changes."""

    def __init__(self, is_positive: Bools, scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._is_positive = is_positive[self._order]
        is_first = np.append(True, np.diff(scores[self._order]) > 0)  # of those with the same score
        self._starts = np.flatnonzero(is_first)

    def auc(self, times: npt.NDArray[np.int64]) -> float:
        """Give the area under the ROC curve, each example there so many times; NaN where it is undefined."""
        drawn = times[self._order]
        positives = np.add.reduceat(drawn * self._is_positive, self._starts)
        negatives = np.add.reduceat(drawn * ~self._is_positive, self._starts)
        pairs = positives.sum() * negatives.sum()
        below = np.cumsum(negatives) - negatives
        return float(positives @ (below + negatives / 2) / pairs) if pairs else np.nan
