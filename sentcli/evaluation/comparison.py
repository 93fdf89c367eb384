"""How far two models are apart on the same texts, such as int8 from fp32."""

from dataclasses import dataclass

import numpy as np

from sentcli.evaluation.metrics import Labels
from sentcli.scoring.labels import Floats


@dataclass(frozen=True)
class Comparison:
    """Two models on the same examples.

    The difference of two scores is that of the probabilities of one class: the one where it is largest.

    :param changed: examples whose predicted class is another one.
    :param accuracy, against_accuracy: of the model, and of the one that it is compared with.
    """

    examples: int
    changed: int
    changed_share: float
    mean_difference: float
    p99_difference: float  # 99 % of the differences are at most this
    max_difference: float
    accuracy: float
    against_accuracy: float


def compare(labels: Labels, probabilities: Floats, against: Floats) -> Comparison:
    """Compare two models.

    :param labels: `[examples]`, at least one.
    :param probabilities, against: of the two models, `[examples, classes]`.
    :raises ValueError: when the sizes do not match.
    """
    if not len(labels) or len(labels) != len(probabilities) or probabilities.shape != against.shape:
        raise ValueError(f"{len(labels)} labels, probabilities {probabilities.shape} and {against.shape}")
    differences = np.abs(probabilities - against).max(axis=1)
    predicted, other = probabilities.argmax(axis=1), against.argmax(axis=1)
    changed = int((predicted != other).sum())
    return Comparison(
        examples=len(labels),
        changed=changed,
        changed_share=changed / len(labels),
        mean_difference=float(differences.mean()),
        p99_difference=float(np.quantile(differences, 0.99, method="higher")),
        max_difference=float(differences.max()),
        accuracy=float((predicted == labels).mean()),
        against_accuracy=float((other == labels).mean()),
    )
