"""From logits to probabilities, and the band of neutral probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError

Floats = npt.NDArray[np.float64]  # probabilities: [texts, classes]; scores: [texts]
Bools = npt.NDArray[np.bool_]

Sides = npt.NDArray[np.int64]  # [texts]: 0 is negative, 1 neutral, 2 positive

NEUTRAL = "neutral"  # the label of a text whose probability lies in the band


@dataclass(frozen=True)
class Band:
    """The range of probabilities of the second of two classes that are neutral, both ends included.

    :raises UsageError: unless 0 <= low <= high <= 1.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:  # a NaN fails this too
            raise UsageError(
                f"--neutral {self.low:g},{self.high:g}: two probabilities are needed, from 0 to 1, "
                "the lower one first, such as --neutral 0.3,0.7"
            )

    def sides(self, scores: Floats) -> Sides:
        """Return for each probability of the second class 0 below the band, 1 in it and 2 above it."""
        return (scores >= self.low).astype(np.int64) + (scores > self.high)


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Return probabilities for logits `[examples, classes]`; each row depends on its own logits alone."""
    # C order: in another memory order NumPy sums the classes differently, which changes the last digit.
    exact = np.array(logits, dtype=np.float64, order="C")
    exact -= exact.max(axis=1, keepdims=True)
    np.exp(exact, out=exact)
    exact /= exact.sum(axis=1, keepdims=True)
    return exact
