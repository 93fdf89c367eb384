"""Accuracy on slices of the examples: by the length of the text, and outside of an uncertain band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentcli.evaluation.metrics import Interval, Labels, wilson_interval
from sentcli.scoring.labels import Band, Bools, Floats

STARTS = (1, 32, 64, 128, 256, 512)  # tokens; where each slice of lengths begins


@dataclass(frozen=True)
class LengthScores:
    """The accuracy on texts of some lengths.

    :param shortest, longest: tokens, both included; `longest` is None for the last slice.
    :param accuracy, accuracy_interval: with Wilson's 95 % interval; None without an example.
    """

    shortest: int
    longest: int | None
    examples: int
    accuracy: float | None
    accuracy_interval: Interval | None

    @property
    def name(self) -> str:
        return f"{self.shortest}+" if self.longest is None else f"{self.shortest}-{self.longest}"


@dataclass(frozen=True)
class BandScores:
    """The accuracy on texts that keep their label under `sentcli score --uncertain LOW HIGH`.

    :param share: of all texts, those that keep their label.
    """

    low: float
    high: float
    labeled: int
    share: float
    accuracy: float | None
    accuracy_interval: Interval | None


def scores_by_length(is_right: Bools, tokens: Sequence[int]) -> list[LengthScores]:
    """Measure the accuracy on short and long texts.

    :param is_right: whether each prediction is its label, `[examples]`.
    :param tokens: all tokens of each text, not only those that the model reads.
    """
    lengths = np.asarray(tokens)
    slices = []
    for start, end in zip(STARTS, [*STARTS[1:], None], strict=True):
        inside = is_right[(lengths >= start) & (lengths < (end or np.inf))]
        slices.append(LengthScores(start, end - 1 if end else None, len(inside), *_accuracy(inside)))
    return slices


def scores_by_band(labels: Labels, probabilities: Floats) -> list[BandScores]:
    """Measure the accuracy outside of a few bands: around 0.5 for two classes, from 0 up for more.

    :param labels, probabilities: as for `sentcli.evaluation.metrics.evaluate`.
    """
    if probabilities.shape[1] == 2:
        bands = [Band(0.4, 0.6), Band(0.3, 0.7), Band(0.2, 0.8), Band(0.1, 0.9)]
    else:
        bands = [Band(0, high) for high in (0.5, 0.6, 0.7, 0.8, 0.9)]
    is_right = probabilities.argmax(axis=1) == labels
    slices = []
    for band in bands:
        kept = is_right[~band.holds(probabilities)]
        slices.append(BandScores(band.low, band.high, len(kept), len(kept) / len(labels), *_accuracy(kept)))
    return slices


def _accuracy(is_right: Bools) -> tuple[float | None, Interval | None]:
    right, examples = int(is_right.sum()), len(is_right)
    return (right / examples, wilson_interval(right, examples)) if examples else (None, None)
