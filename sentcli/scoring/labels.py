"""From logits to labels: probabilities, and texts that are too close to call."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError

Floats = npt.NDArray[np.float64]  # probabilities: [texts, classes]; scores: [texts]
Bools = npt.NDArray[np.bool_]

UNCERTAIN = "uncertain"  # the label of such a text


@dataclass(frozen=True)
class Band:
    """What is uncertain, both ends included.

    Of two classes it is a text whose probability of the second lies in the band; of more, one whose most
    probable class has a probability in it.

    :raises UsageError: unless 0 <= low <= high <= 1.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:  # a NaN fails this too
            raise UsageError(
                f"--uncertain {self.low:g} {self.high:g}: two probabilities are needed, "
                "from 0 to 1, the lower one first"
            )

    def holds(self, probabilities: Floats) -> Bools:
        """Tell of each row of probabilities `[texts, classes]` whether it is uncertain."""
        shown = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.max(axis=1)
        return (self.low <= shown) & (shown <= self.high)


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Turn logits `[examples, classes]` into probabilities; a row's result depends on that row alone."""
    # C order, whatever came: with the classes spread in memory NumPy would add them up in another order.
    exact = np.array(logits, dtype=np.float64, order="C")
    exact -= exact.max(axis=1, keepdims=True)
    np.exp(exact, out=exact)
    exact /= exact.sum(axis=1, keepdims=True)
    return exact
