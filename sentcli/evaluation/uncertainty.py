"""Texts that are too close to call: the rule of `sentcli score --uncertain`, and what it costs and brings."""

from collections.abc import Sequence
from dataclasses import dataclass

from sentcli.evaluation.metrics import Labels, wilson_interval
from sentcli.scoring.labels import Band, Floats


@dataclass(frozen=True)
class BandScores:
    """What a band leaves: the texts outside of it, which keep their label.

    :param share: of all texts.
    :param accuracy, accuracy_interval: on those texts, with Wilson's 95 % interval; None where there is none.
    """

    low: float
    high: float
    labeled: int
    share: float
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None


def usual_bands(classes: int) -> list[Band]:
    """Give bands to choose from: around the middle for two classes, from 0 up for more."""
    if classes == 2:
        return [Band(0.4, 0.6), Band(0.3, 0.7), Band(0.2, 0.8), Band(0.1, 0.9)]
    return [Band(0, high) for high in (0.5, 0.6, 0.7, 0.8, 0.9)]


def scores_by_band(labels: Labels, probabilities: Floats, bands: Sequence[Band]) -> list[BandScores]:
    """Measure what is left of a set of examples by each band.

    :param labels, probabilities: as for `sentcli.evaluation.metrics.evaluate`.
    """
    is_right = probabilities.argmax(axis=1) == labels
    measured = []
    for band in bands:
        kept = is_right[~band.holds(probabilities)]
        right, labeled = int(kept.sum()), len(kept)
        measured.append(
            BandScores(
                band.low,
                band.high,
                labeled,
                labeled / len(labels),
                right / labeled if labeled else None,
                wilson_interval(right, labeled) if labeled else None,
            )
        )
    return measured
