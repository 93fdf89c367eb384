"""The temperature that calibrates the logits of a model."""

import math

import numpy as np
import numpy.typing as npt

from sentcli.evaluation.metrics import Labels
from sentcli.scoring.labels import softmax

TEMPERATURES = (0.1, 10.0)  # lowest and highest; real networks have 0.5 to 5
_PRIOR_TEXTS, _MANY = 50, 1000  # with many texts, the prior is left out


def fit_temperature(
    labels: Labels, logits: npt.NDArray[np.floating], class_weights: npt.ArrayLike = 1.0
) -> float:
    """Return the temperature T at which softmax(logits / T) has the lowest log loss.

    Temperature scaling: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural
    Networks", ICML 2017, section 4.2. It changes no prediction. The loss is convex in 1 / T:
    bisection of its slope finds the minimum.

    :returns: a value within `TEMPERATURES`; 1 where each label has the highest logit, since the loss then
        keeps falling as T goes to 0.
    """
    if labels.ndim != 1 or logits.ndim != 2 or len(labels) != len(logits) or not len(labels):
        raise ValueError(f"labels {labels.shape} and logits {logits.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("logits: a value is not finite")
    exact = np.asarray(logits, np.float64)
    above_label = exact - exact[np.arange(len(labels)), labels][:, None]
    if above_label.max() <= 0:
        return 1.0
    above_label *= np.broadcast_to(class_weights, exact.shape[1:])[labels][:, None]
    low, high = (math.log(temperature) for temperature in TEMPERATURES)
    for _ in range(40):  # until the logarithm of T is exact to 4e-12
        middle = (low + high) / 2
        slope = (softmax(exact / math.exp(middle)) * above_label).sum()  # of the loss, in 1 / T
        low, high = (low, middle) if slope < 0 else (middle, high)
    return math.exp((low + high) / 2)


def shrink_temperature(temperature: float, texts: int) -> float:
    """Return a temperature nearer to 1: its logarithm is averaged with a 0 that counts as 50 texts.

    A temperature that was fitted to ten texts says little; as it is, it can make a poor model very sure.
    """
    return float(temperature ** (texts / (texts + _PRIOR_TEXTS))) if texts < _MANY else temperature
