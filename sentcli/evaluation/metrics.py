"""Metrics of a classifier: estimates with 95 % intervals, calibration, and the figures of neutral bands."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn import metrics as sk

from sentcli.datasets.labels import are_numbers
from sentcli.scoring.labels import NEUTRAL, NORMAL_975, Band, Bools, Floats, Interval, choose_classes, rate_of

Labels = npt.NDArray[np.int64]  # [examples], class numbers
Ends = tuple[float, float]  # the lowest and the highest score of a band

ECE_BINS = 15
_STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each slice of lengths begins
_DRAWS = 1000  # of the bootstrap
_OF_CLASS = ("precision", "recall", "f1")
_BANDS: list[Ends] = [(0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9)]  # measured for every model
_SIDE_OF = np.array([0, 2, 1])  # of the classes and of 2, which is neutral
_THREE = ("examples", "accuracy", "accuracy_interval", "macro_f1", "intervals", "classes", "confusion")


def evaluate(labels: Labels, probabilities: Floats, names: Sequence[str]) -> dict[str, Any]:
    """Measure predictions `[examples, classes]`: the first class with the highest probability.

    :returns: the metrics as a record has them; an undefined metric is None, never NaN.
    """
    count, examples = len(names), len(labels)
    numbers = np.arange(count)
    predicted = choose_classes(probabilities, names)
    confusion = sk.confusion_matrix(labels, predicted, labels=numbers)
    by_class = sk.precision_recall_fscore_support(labels, predicted, labels=numbers, zero_division=np.nan)
    classes = tuple(
        {"name": name, "support": int(support), **dict(zip(_OF_CLASS, map(_defined, scores), strict=True))}
        for name, support, *scores in zip(names, by_class[3], *by_class[:3], strict=True)
    )
    absent = [repr(row["name"]) for row in classes if not row["support"]]
    loss = log_loss(labels, probabilities)
    of_label = np.maximum(probabilities[np.arange(examples), labels], np.finfo(probabilities.dtype).eps)
    losses = -np.log(of_label)
    of_loss = _normal_interval(loss, losses.var(ddof=1) / examples, math.inf) if examples > 1 else None
    auc = of_auc = None
    if not absent:
        ranked = probabilities[:, 1] if count == 2 else probabilities
        auc = float(sk.roc_auc_score(labels, ranked, multi_class="ovr"))
        of_auc = _auc_interval(labels, ranked, auc) if count == 2 else None
    of_f1, of_macro_f1 = _f1_intervals(confusion)
    by_confidence = scores_by_confidence(labels, probabilities)
    return {
        "examples": examples,
        **accuracy_of(predicted == labels),
        "balanced_accuracy": float(np.nanmean(by_class[1])),  # mean recall of classes that occur as a label
        "f1": classes[1]["f1"] if count == 2 else None,  # of the positive class, the second of two
        "macro_f1": float(np.nanmean(by_class[2])),  # of classes that occur as a label or as a prediction
        "roc_auc": auc,  # of the positive class; of more than two classes, the mean of one-vs-rest
        "roc_auc_reason": f"no example of {', '.join(absent):.200}" if absent else None,
        "log_loss": loss,
        "expected_calibration_error": calibration_error(by_confidence),
        "ordered": ordered_errors(labels, predicted, names),
        "classes": classes,  # each with its `support`, the number of examples with this label
        "confusion": tuple(tuple(row) for row in confusion.tolist()),  # counts, `[label][predicted class]`
        "intervals": {"f1": of_f1, "macro_f1": of_macro_f1, "roc_auc": of_auc, "log_loss": of_loss},  # 95 %
        "by_confidence": tuple(by_confidence),
    }


def ordered_errors(labels: Labels, predicted: Labels, names: Sequence[str]) -> dict[str, float]:
    """Return how far predictions are from labels that are numbers; nothing for other labels.

    The kappa has squares of differences as weights (J. Cohen, "Weighted Kappa: Nominal Scale Agreement with
    Provision for Scaled Disagreement or Partial Credit", Psychological Bulletin 70, 1968).
    """
    if len(names) == 2 or not are_numbers(names):
        return {}
    true, given = np.array(names, np.float64)[np.stack([labels, predicted])]
    by_chance = true.var() + given.var() + (true.mean() - given.mean()) ** 2
    errors = np.abs(true - given)
    return {
        "mean_absolute_error": float(errors.mean()),
        "within_one": float((errors <= 1).mean()),
        "quadratic_weighted_kappa": float(1 - (errors**2).mean() / by_chance) if by_chance else 1.0,
    }


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Return the mean of -ln(probability of the label), probabilities clipped as scikit-learn does."""
    return float(sk.log_loss(labels, probabilities, labels=np.arange(probabilities.shape[1])))


def scores_by_confidence(labels: Labels, probabilities: Floats, bins: int = ECE_BINS) -> list[dict[str, Any]]:
    """Measure the accuracy in bins of equal width over the confidence of the predicted class.

    Bin m of M holds the confidences in ((m - 1) / M, m / M]: C. Guo, G. Pleiss, Y. Sun and K. Weinberger,
    "On Calibration of Modern Neural Networks", ICML 2017, section 2.

    :returns: for each bin with examples `low` and `high`, `examples`, their mean `confidence`, `accuracy` and
        Wilson's `accuracy_interval`.
    """
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.arange(bins + 1) / bins
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")
    found = []
    for place in np.unique(bin_of).tolist():
        inside = bin_of == place
        part = {"low": float(edges[place]), "high": float(edges[place + 1]), "examples": int(inside.sum())}
        part["confidence"] = float(confidence[inside].mean(dtype=np.float64))
        found.append(part | accuracy_of(is_right[inside]))
    return found


def calibration_error(by_confidence: Sequence[Mapping[str, Any]]) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy, weighted by count."""
    gaps = [part["examples"] * abs(part["accuracy"] - part["confidence"]) for part in by_confidence]
    return float(sum(gaps) / sum(part["examples"] for part in by_confidence))


def _f1_intervals(confusion: Labels) -> tuple[Interval | None, Interval]:
    """Return the percentile bootstrap intervals of the F1 of the second of two classes and of macro F1.

    Resampling examples is the same as resampling cells of the confusion matrix. The seed is fixed. An F1 that
    is undefined in a draw has no interval. B. Efron and R. Tibshirani, "An Introduction to the Bootstrap",
    1993, chapter 13.
    """
    random, examples = np.random.default_rng(0), confusion.sum()
    draws = []
    for _ in range(_DRAWS):
        drawn = random.multinomial(examples, confusion.ravel() / examples).reshape(confusion.shape)
        with np.errstate(invalid="ignore"):  # 0 / 0: neither a label nor a prediction
            f1 = 2 * drawn.diagonal() / (drawn.sum(axis=0) + drawn.sum(axis=1))
        draws.append((f1[1] if len(f1) == 2 else np.nan, np.nanmean(f1)))
    low, high = np.quantile(draws, (0.025, 0.975), axis=0).tolist()
    return None if np.isnan(low[0]) else (low[0], high[0]), (low[1], high[1])


def _auc_interval(labels: Labels, scores: Floats, auc: float) -> Interval | None:
    """Return the interval of the area under the ROC curve from the variance of its placement values.

    E. DeLong, D. DeLong and D. Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
    Operating Characteristic Curves: A Nonparametric Approach", Biometrics 44 (1988), 837-845. It needs two
    examples of each class.
    """
    ranks, variance = rankdata(scores), 0.0
    for side in (labels == 0, labels == 1):
        if side.sum() < 2:
            return None
        placements = (ranks[side] - rankdata(scores[side])) / (~side).sum()  # share of the others below
        variance += placements.var(ddof=1) / side.sum()
    return _normal_interval(auc, variance, 1.0)


def _normal_interval(mean: float, variance: float, highest: float) -> Interval:
    """Return the normal interval of a mean with this variance, within 0 and `highest`."""
    margin = NORMAL_975 * math.sqrt(variance)
    return max(0.0, mean - margin), min(highest, mean + margin)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def scores_by_length(is_right: Bools, tokens: Sequence[int]) -> list[dict[str, Any]]:
    """Measure the accuracy on short and long texts; `tokens` has all tokens of each text.

    :returns: for each slice, `shortest` and `longest` (both included; None for the last slice), `examples`,
        `accuracy` and Wilson's `accuracy_interval` (both None without an example).
    """
    lengths = np.asarray(tokens)
    slices = []
    for start, end in zip(_STARTS, [*_STARTS[1:], None], strict=True):
        inside = is_right[(lengths >= start) & (lengths < (end or np.inf))]
        bounds = {"shortest": start, "longest": end - 1 if end else None, "examples": len(inside)}
        slices.append(bounds | accuracy_of(inside))
    return slices


def accuracy_of(is_right: Bools) -> dict[str, Any]:
    """Return `accuracy` and Wilson's `accuracy_interval`; both None without an example."""
    share, interval = rate_of(int(is_right.sum()), len(is_right))
    return {"accuracy": share, "accuracy_interval": interval}


def band_figures(
    labels: Labels, probabilities: Floats, names: Sequence[str], own: Ends | None, precision: float | None
) -> dict[str, Any]:
    """Return coverage and accuracy of a binary model when scores inside a neutral band are left out.

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
    return {"low": low, "high": high, **{name: three[name] for name in _THREE}}


def _threshold(scores: Floats, is_right: Bools, side: int, precision: float) -> dict[str, float | None]:
    """Return `threshold` and `coverage` of the class on one side of 0.5; see `band_figures`."""
    ends = (0.5 + (side - 1) * np.linspace(0, 0.5, 5001)).round(4)
    count = scores_beyond(scores, ends, side)
    reached = scores_beyond(scores[is_right], ends, side) / np.maximum(count, 1) >= precision
    if not reached.any():
        return {"threshold": None, "coverage": None}
    first = reached.argmax()
    return {"threshold": float(ends[first]), "coverage": float(count[first] / len(scores))}


def scores_beyond(scores: Floats, ends: Floats, side: int) -> npt.NDArray[np.intp]:
    """Return how many scores are below each end, for side 0, or above it, for side 2."""
    below = np.searchsorted(np.sort(scores), ends, "right" if side else "left")
    return len(scores) - below if side else below
