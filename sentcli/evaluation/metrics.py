"""Metrics of a classifier: point estimates, 95 % intervals and calibration, from labels and probabilities."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn import metrics as sk

from sentcli.datasets.labels import are_numbers
from sentcli.scoring.labels import NORMAL_975, Bools, Floats, Interval, choose_classes, wilson_interval

Labels = npt.NDArray[np.int64]  # [examples], class numbers

ECE_BINS = 15
_STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each slice of lengths begins
_DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class against all others; None where the denominator is 0."""

    name: str
    support: int  # examples with this label
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one model on one set of examples. An undefined metric is None, never NaN."""

    examples: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float  # mean recall of the classes that occur as a label
    f1: float | None  # of the positive class, the second of two; None with more classes
    macro_f1: float  # mean F1 of the classes that occur as a label or as a prediction
    roc_auc: float | None  # of the positive class; of more than two classes, the mean of one-vs-rest
    roc_auc_reason: str | None
    log_loss: float
    expected_calibration_error: float  # over `by_confidence`
    ordered: dict[str, float]  # see `ordered_errors`
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]  # counts, `[label][predicted class]`
    intervals: dict[str, Interval | None]  # 95 %, of `f1`, `macro_f1`, `roc_auc` and `log_loss`
    by_confidence: tuple[dict[str, Any], ...]  # in `ECE_BINS` bins, see `scores_by_confidence`


def evaluate(labels: Labels, probabilities: Floats, names: Sequence[str]) -> Evaluation:
    """Measure predictions `[examples, classes]`: the first class with the highest probability."""
    classes, examples = len(names), len(labels)
    numbers = np.arange(classes)
    predicted = choose_classes(probabilities, names)
    confusion = sk.confusion_matrix(labels, predicted, labels=numbers)
    by_class = sk.precision_recall_fscore_support(labels, predicted, labels=numbers, zero_division=np.nan)
    scores = tuple(
        ClassScores(name, int(support), *map(_defined, of_class))
        for name, support, *of_class in zip(names, by_class[3], *by_class[:3], strict=True)
    )
    absent = [repr(score.name) for score in scores if not score.support]
    loss = log_loss(labels, probabilities)
    of_label = np.maximum(probabilities[np.arange(examples), labels], np.finfo(probabilities.dtype).eps)
    losses = -np.log(of_label)
    of_loss = _normal_interval(loss, losses.var(ddof=1) / examples, math.inf) if examples > 1 else None
    auc = of_auc = None
    if not absent:
        ranked = probabilities[:, 1] if classes == 2 else probabilities
        auc = float(sk.roc_auc_score(labels, ranked, multi_class="ovr"))
        of_auc = _auc_interval(labels, ranked, auc) if classes == 2 else None
    of_f1, of_macro_f1 = _f1_intervals(confusion)
    correct, by_confidence = int(confusion.trace()), scores_by_confidence(labels, probabilities)
    return Evaluation(
        examples=examples,
        accuracy=correct / examples,
        accuracy_interval=wilson_interval(correct, examples),
        balanced_accuracy=float(np.nanmean(by_class[1])),
        f1=scores[1].f1 if classes == 2 else None,
        macro_f1=float(np.nanmean(by_class[2])),
        roc_auc=auc,
        roc_auc_reason=f"no example of {', '.join(absent):.200}" if absent else None,
        log_loss=loss,
        expected_calibration_error=calibration_error(by_confidence),
        ordered=ordered_errors(labels, predicted, names),
        classes=scores,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        intervals={"f1": of_f1, "macro_f1": of_macro_f1, "roc_auc": of_auc, "log_loss": of_loss},
        by_confidence=tuple(by_confidence),
    )


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
    right, examples = int(is_right.sum()), len(is_right)
    interval = wilson_interval(right, examples) if examples else None
    return {"accuracy": right / examples if examples else None, "accuracy_interval": interval}
