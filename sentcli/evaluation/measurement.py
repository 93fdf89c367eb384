"""All that `sentcli evaluate` measures of a model on one set of texts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sentcli.evaluation.bootstrap import Interval, bootstrap_intervals
from sentcli.evaluation.comparison import Comparison, compare
from sentcli.evaluation.lengths import LengthScores, scores_by_length
from sentcli.evaluation.metrics import Evaluation, Labels, evaluate, without_blank
from sentcli.evaluation.uncertainty import BandScores, scores_by_band, usual_bands
from sentcli.scoring.labels import Floats
from sentcli.text.tokenizer import tokenize


@dataclass(frozen=True)
class Measurement:
    """What was measured, on the texts that have a word in them.

    :param labels: the true classes, `[examples]`.
    :param probabilities: `[examples, classes]`.
    :param blank: texts that were left out.
    :param intervals: of figures, by name, see `bootstrap_intervals`.
    :param comparison: with another model, if there was one.
    """

    labels: Labels
    probabilities: Floats
    blank: int
    figures: Evaluation
    intervals: dict[str, Interval | None]
    by_length: list[LengthScores]
    bands: list[BandScores]
    comparison: Comparison | None

    def to_json(self) -> dict[str, Any]:
        """Give the figures as plain values: those of `Evaluation` side by side with the rest."""
        return {
            "blank": self.blank,
            **asdict(self.figures),
            "intervals": self.intervals,
            "by_length": [*map(asdict, self.by_length)],
            "bands": [*map(asdict, self.bands)],
            "comparison": asdict(self.comparison) if self.comparison else None,
        }


def measure(
    texts: Sequence[str],
    labels: Labels,
    probabilities: Floats,
    names: Sequence[str],
    against: Floats | None = None,
) -> Measurement:
    """Measure a model.

    :param labels: the true class of each text.
    :param probabilities: what the model gives, `[texts, classes]`, rows of NaN for blank texts.
    :param names: the name of each class; of two, the second is the positive.
    :param against: what another model gives for the same texts.
    :raises DataError: when no text has a word in it.
    """
    kept, of_model = without_blank(labels, probabilities)
    tokens = [count for count in map(len, map(tokenize, texts)) if count]
    return Measurement(
        labels=kept,
        probabilities=of_model,
        blank=len(labels) - len(kept),
        figures=evaluate(kept, of_model, names),
        intervals=bootstrap_intervals(kept, of_model),
        by_length=scores_by_length(kept, of_model, tokens),
        bands=scores_by_band(kept, of_model, usual_bands(len(names))),
        comparison=None if against is None else compare(kept, of_model, without_blank(labels, against)[1]),
    )
