"""How good the probabilities are: metrics, intervals and calibration from labels and probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentcli.errors import DataError
from sentcli.scoring.labels import Bools, Floats

Labels = npt.NDArray[np.int64]  # [examples], class numbers

ECE_BINS = 15
LOG_CLIP = 1e-15  # the smallest probability that the log loss sees: one wrong 0 costs 34.5, not infinity
_Z_95 = 1.959963984540054  # the standard normal's 97.5 % point


@dataclass(frozen=True)
class ClassScores:
    """One class against all others; a share of nothing is None."""

    name: str
    support: int  # examples of the class
    precision: float | None  # None: never predicted
    recall: float | None  # None: no example
    f1: float | None  # None: neither


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one set of examples. What is undefined is None, never NaN.

    :param accuracy_interval: Wilson's 95 % interval of the accuracy, low and high.
    :param f1: of the positive class (the second of two); None with more than two classes.
    :param macro_f1: mean F1 over the classes that occur, as labels or as predictions.
    :param roc_auc: of the positive class; with more than two classes, the mean over one-vs-rest.
    :param roc_auc_reason: why `roc_auc` is None, else None.
    :param log_loss: mean of -ln(probability of the label), the probability at least `LOG_CLIP`.
    :param expected_calibration_error: over `ECE_BINS` bins, see `Reliability`.
    :param confusion: examples by `[label][predicted class]`.
    """

    examples: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    f1: float | None
    macro_f1: float
    roc_auc: float | None
    roc_auc_reason: str | None
    log_loss: float
    expected_calibration_error: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1), one for each distinct score."""

    false_positive_rate: Floats  # [points], rising
    true_positive_rate: Floats  # [points], rising
    auc: float


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in bins of equal width over the confidence of the predicted class.

    Bin m of M holds the confidences in ((m - 1) / M, m / M]: C. Guo, G. Pleiss, Y. Sun and K. Weinberger,
    "On Calibration of Modern Neural Networks", ICML 2017, section 2.
    """

    edges: Floats  # [bins + 1]
    counts: Labels  # [bins], examples
    confidence: Floats  # [bins], mean; NaN in an empty bin
    accuracy: Floats  # [bins]; NaN in an empty bin

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between the two, weighted by the counts."""
        used = self.counts > 0
        gaps = np.abs(self.accuracy[used] - self.confidence[used])
        return float(gaps @ self.counts[used] / self.counts.sum())


def without_blank(labels: Labels, probabilities: Floats) -> tuple[Labels, Floats]:
    """Leave out the examples that have no probabilities: blank texts, whose rows are NaN throughout.

    :raises ValueError: when the two differ in length.
    :raises DataError: when nothing is left.
    """
    if len(labels) != len(probabilities):
        raise ValueError(f"{len(labels)} labels for {len(probabilities)} rows of probabilities")
    kept = ~np.isnan(probabilities).all(axis=1)
    if not kept.any():
        raise DataError(f"of {len(labels)} texts none has a word in it; try another --text-column or --split")
    return labels[kept], probabilities[kept]


def evaluate(labels: Labels, probabilities: Floats, names: Sequence[str]) -> Evaluation:
    """Measure predictions against labels. The predicted class is the most probable one, of equals the first.

    :param labels: the true class of each example, `[examples]`.
    :param probabilities: `[examples, classes]`, each row summing to 1.
    :param names: the name of each class; of two, the second is the positive.
    :raises ValueError: when the sizes do not match, there is no example, or a value is out of range.
    """
    _check(labels, probabilities, len(names))
    classes = len(names)
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    scores = tuple(_class_scores(name, confusion, number) for number, name in enumerate(names))
    defined_f1 = [score.f1 for score in scores if score.f1 is not None]
    correct = int(confusion.trace())
    absent = [repr(score.name) for score in scores if not score.support]
    curves = roc_curves(labels, probabilities, names).values()
    return Evaluation(
        examples=len(labels),
        accuracy=correct / len(labels),
        accuracy_interval=wilson_interval(correct, len(labels)),
        f1=scores[1].f1 if classes == 2 else None,
        macro_f1=sum(defined_f1) / len(defined_f1),
        roc_auc=None if absent else sum(curve.auc for curve in curves) / len(curves),
        roc_auc_reason=f"no example of {', '.join(absent):.200}" if absent else None,
        log_loss=log_loss(labels, probabilities),
        expected_calibration_error=reliability(labels, probabilities).error,
        classes=scores,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Bound a proportion by Wilson's 95 % score interval.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
    American Statistical Association 22 (1927), 209-212; as equation (4) of Brown, Cai and DasGupta,
    "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001).

    :param trials: at least 1.
    """
    share, z = successes / trials, _Z_95
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    margin = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, centre - margin), min(1.0, centre + margin)


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Give the mean of -ln(probability of the label), the probability at least `LOG_CLIP`."""
    of_label = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(of_label, LOG_CLIP, 1)).mean())


def roc_curve(is_positive: Bools, scores: Floats) -> RocCurve | None:
    """Trace the rates of true and false positives as the threshold falls through the scores.

    The area below, by trapezoids, is the share of pairs of a positive and a negative that the scores order
    rightly, ties half.

    :returns: None when either side has no example.
    """
    if is_positive.all() or not is_positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # the last of each tie
    true = np.append(0, np.cumsum(is_positive[order])[ends])
    false = np.append(0, ends + 1) - true
    area = float(np.trapezoid(true, false) / (true[-1] * false[-1]))
    return RocCurve(false / false[-1], true / true[-1], area)


def roc_curves(labels: Labels, probabilities: Floats, names: Sequence[str]) -> dict[str, RocCurve]:
    """Trace the curve of the positive class or, with more than two classes, of each against the rest.

    :returns: by class name, without the classes for which a curve is undefined.
    """
    measured = range(len(names)) if len(names) > 2 else (1,)
    traced = {names[number]: roc_curve(labels == number, probabilities[:, number]) for number in measured}
    return {name: curve for name, curve in traced.items() if curve is not None}


def reliability(labels: Labels, probabilities: Floats, bins: int = ECE_BINS) -> Reliability:
    """Sort the predictions into bins by confidence, see `Reliability`."""
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    edges = np.arange(bins + 1) / bins
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        mean_confidence = np.bincount(bin_of, confidence, bins) / counts
        accuracy = np.bincount(bin_of, is_right, bins) / counts
    return Reliability(edges, counts, mean_confidence, accuracy)


def _check(labels: Labels, probabilities: Floats, classes: int) -> None:
    if labels.ndim != 1 or probabilities.shape != (len(labels), classes):
        raise ValueError(f"labels {labels.shape}, probabilities {probabilities.shape} and {classes} classes")
    if not len(labels) or classes < 2:
        raise ValueError(f"{len(labels)} examples of {classes} classes; the least are one of two")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}, outside 0 to {classes - 1}")
    # Negated, so that a NaN fails the test too; 1e-3 lets rounded probabilities pass, not logits.
    if not (probabilities.min() >= 0 and np.abs(probabilities.sum(axis=1) - 1).max() <= 1e-3):
        raise ValueError("probabilities: a row does not sum to 1, or a value is negative or NaN")


def _class_scores(name: str, confusion: Labels, number: int) -> ClassScores:
    right, support, predicted = (
        int(part) for part in (confusion[number, number], confusion[number].sum(), confusion[:, number].sum())
    )
    return ClassScores(
        name=name,
        support=support,
        precision=right / predicted if predicted else None,
        recall=right / support if support else None,
        f1=2 * right / (support + predicted) if support + predicted else None,
    )
