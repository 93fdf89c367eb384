"""What is fitted to validation texts: the temperature, the correction for rare classes, the band."""

import math

import numpy as np
import numpy.typing as npt

from sentcli.config import LOG
from sentcli.evaluation.metrics import Ends, Labels, scores_beyond
from sentcli.scoring.labels import Floats, Sides, softmax

TEMPERATURES = (0.1, 10.0)  # lowest and highest; real networks have 0.5 to 5
_PRIOR_TEXTS, _MANY = 50, 1000  # with many texts, the prior is left out

STRENGTHS = (0.25, 0.5, 0.75, 1.0)  # of the correction
_LEAST_GAIN, _MOST_LOSS = 0.01, 0.01  # of macro F1 and of accuracy
_DRAWS, _QUANTILE = 200, 0.05  # of the bootstrap of the gain

_USUAL: Ends = (0.3, 0.7)  # the band of a model whose base has none
_FEW = 50  # neutral texts
_STEPS = 401  # quantiles of the scores that are tried as ends of a band


def fit_temperature(labels: Labels, logits: npt.NDArray[np.floating]) -> float:
    """Return the temperature T at which softmax(logits / T) has the lowest log loss.

    Temperature scaling: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural
    Networks", ICML 2017, section 4.2. It changes no prediction. The loss is convex in 1 / T: bisection of its
    slope finds the minimum within `TEMPERATURES`. T is 1 where each label has the highest logit, as the loss
    then keeps falling as T goes to 0.
    """
    exact = np.asarray(logits, np.float64)
    above_label = exact - exact[np.arange(len(labels)), labels][:, None]
    if above_label.max() <= 0:
        return 1.0
    low, high = (math.log(temperature) for temperature in TEMPERATURES)
    for _ in range(40):  # until the logarithm of T is exact to 4e-12
        middle = (low + high) / 2
        slope = (softmax(exact / math.exp(middle)) * above_label).sum()  # of the loss, in 1 / T
        low, high = (low, middle) if slope < 0 else (middle, high)
    return math.exp((low + high) / 2)


def cooled_losses(labels: Labels, logits: Floats) -> Floats:
    """Return the log loss of each text at the best temperature."""
    cooled = softmax(logits / fit_temperature(labels, logits))
    of_label = np.maximum(cooled[np.arange(len(labels)), labels], np.finfo(float).tiny)
    return np.asarray(-np.log(of_label))


def shrink_temperature(temperature: float, texts: int) -> float:
    """Return a temperature nearer to 1: its logarithm is averaged with a 0 that counts as 50 texts.

    A temperature that was fitted to ten texts says little; as it is, it can make a poor model very sure.
    """
    return float(temperature ** (texts / (texts + _PRIOR_TEXTS))) if texts < _MANY else temperature


def choose_strength(labels: Labels, logits: Floats, log_priors: Floats) -> float:
    """Return the tau with the highest macro F1 of the predictions argmax(logits - tau * log priors).

    Logit adjustment after training: A. Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021,
    equation 9. A tau above 0 has to raise macro F1 by a point and by more than noise (in 19 of 20 bootstrap
    samples), and to cost less than a point of accuracy.
    """
    plain = logits.argmax(axis=1)
    draws = np.random.default_rng(0).integers(len(labels), size=(_DRAWS, len(labels)))
    best, highest = 0.0, _macro_f1(labels, plain) + _LEAST_GAIN
    for strength in STRENGTHS:
        adjusted = (logits - strength * log_priors).argmax(axis=1)
        reached = _macro_f1(labels, adjusted)
        loss = (plain == labels).mean() - (adjusted == labels).mean()
        if reached <= highest or loss >= _MOST_LOSS:
            continue
        gains = [
            _macro_f1(labels[rows], adjusted[rows]) - _macro_f1(labels[rows], plain[rows]) for rows in draws
        ]
        if np.quantile(gains, _QUANTILE) > 0:
            best, highest = strength, reached
    return best


def _macro_f1(labels: Labels, predicted: Labels) -> float:
    """Return the mean F1 of the classes that occur as a label or as a prediction."""
    counts = np.bincount(np.append(labels, predicted))
    right = np.bincount(labels[labels == predicted], minlength=len(counts))
    return float((2 * right[counts > 0] / counts[counts > 0]).mean())


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
    below = np.array([scores_beyond(own, lows, 0) / len(own) for own in by_side])[:, :, np.newaxis]
    above = np.array([scores_beyond(own, highs, 2) / len(own) for own in by_side])[:, np.newaxis]
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
    LOG.info("neutral band %g to %g: chosen on %d neutral texts, and %d %% of %g to %g", *values)
    return low, high
