"""From logits to probabilities, and the range of uncertain probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError

Floats = npt.NDArray[np.float64]  # probabilities: [texts, classes]; scores: [texts]
Bools = npt.NDArray[np.bool_]

UNCERTAIN = "uncertain"  # the label of a text whose probability lies in the band


@dataclass(frozen=True)
class Band:
    """The range of probabilities that are uncertain, both ends included.

    With two classes, this is the probability of the second class; with more, that of the most probable class.

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
        """Return for each row of probabilities `[texts, classes]` whether it is uncertain."""
        shown = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.max(axis=1)
        return (self.low <= shown) & (shown <= self.high)


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Return probabilities for logits `[examples, classes]`; each row depends on its own logits alone."""
    # C order: in another memory order NumPy sums the classes differently, which changes the last digit.
    exact = np.array(logits, dtype=np.float64, order="C")
    exact -= exact.max(axis=1, keepdims=True)
    np.exp(exact, out=exact)
    exact /= exact.sum(axis=1, keepdims=True)
    return exact
