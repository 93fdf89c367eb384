"""Accuracy by the length of the text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentcli.evaluation.metrics import Labels, wilson_interval
from sentcli.scoring.labels import Floats

STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each bin of lengths begins


@dataclass(frozen=True)
class LengthScores:
    """The examples of some lengths.

    :param shortest, longest: tokens, both included; None: without end.
    :param accuracy, accuracy_interval: with Wilson's 95 % interval; None where there is no example.
    """

    shortest: int
    longest: int | None
    examples: int
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None

    @property
    def name(self) -> str:
        return f"{self.shortest}+" if self.longest is None else f"{self.shortest}-{self.longest}"


def scores_by_length(labels: Labels, probabilities: Floats, lengths: Sequence[int]) -> list[LengthScores]:
    """Measure the accuracy on short and long texts apart.

    :param labels, probabilities: as for `sentcli.evaluation.metrics.evaluate`.
    :param lengths: tokens of each text, all of them and not only those that the model reads.
    """
    is_right = probabilities.argmax(axis=1) == labels
    tokens = np.asarray(lengths)
    measured = []
    for start, end in zip(STARTS, [*STARTS[1:], None], strict=True):
        inside = is_right[(tokens >= start) & (tokens < (end or np.inf))]
        right, examples = int(inside.sum()), len(inside)
        measured.append(
            LengthScores(
                start,
                end - 1 if end else None,
                examples,
                right / examples if examples else None,
                wilson_interval(right, examples) if examples else None,
            )
        )
    return measured
