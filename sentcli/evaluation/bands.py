"""The band of neutral texts: a choice that suits labelled texts."""

import numpy as np
import numpy.typing as npt

from sentcli.scoring.labels import Floats

Sides = npt.NDArray[np.int64]  # [examples]: 0 below the band, 1 in it (neutral), 2 above it

_STEPS = 401  # quantiles of the probabilities that are tried as ends of a band


def choose_band(probabilities: Floats, sides: Sides) -> tuple[float, float]:
    """Return the band of probabilities with the highest macro F1 of negative, neutral and positive texts.

    All three count equally, however many texts they have. Both ends belong to the band.

    :param probabilities: of the second of two classes, `[examples]`.
    :param sides: the true class of each example: 0 negative, 1 neutral, 2 positive; each occurs.
    :returns: the ends, with 0 <= low <= 0.5 <= high <= 1; of equally good bands, the lowest.
    """
    # Ends of four decimals are easy to type.
    ends = np.unique(np.append(np.quantile(probabilities, np.linspace(0, 1, _STEPS)).round(4), 0.5))
    lows, highs = ends[ends <= 0.5], ends[ends >= 0.5]
    sorted_of = [np.sort(probabilities[sides == side]) for side in range(3)]
    # Shares of the texts of each class below `lows`, `[classes, lows, 1]`, and above `highs`.
    below = np.array([np.searchsorted(of, lows) / len(of) for of in sorted_of])[:, :, np.newaxis]
    above = np.array([1 - np.searchsorted(of, highs, "right") / len(of) for of in sorted_of])[:, np.newaxis]
    inside = 1 - below - above
    found = [(below, 0), (inside, 1), (above, 2)]
    f1 = [2 * share[side] / (share.sum(axis=0) + 1) for share, side in found]
    macro_f1 = np.mean(np.broadcast_arrays(*f1), axis=0)
    low, high = np.unravel_index(macro_f1.argmax(), macro_f1.shape)
    return float(lows[low]), float(highs[high])
