"""The temperature of a trained model, and its figures on the validation part."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sentcli.evaluation.bands import choose_band
from sentcli.evaluation.metrics import Evaluation, evaluate, log_loss, reliability
from sentcli.evaluation.temperature import fit_temperature
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.labels import Floats, softmax
from sentcli.training.corpus import Corpus
from sentcli.training.examples import Examples, evaluation_batches


@dataclass(frozen=True)
class Calibrated:
    """The figures of a calibrated model on the validation part.

    :param uncalibrated, probabilities: `[texts, classes]`, before and after calibration.
    :param neutral: the band of neutral texts; None without such texts in the validation part.
    """

    temperature: float
    labels: npt.NDArray[np.int64]
    uncalibrated: Floats
    probabilities: Floats
    figures: Evaluation
    neutral: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Return the figures for `metrics.json`."""
        return {
            "validation": asdict(self.figures),
            "calibration": {
                "temperature": self.temperature,
                "log_loss_before": log_loss(self.labels, self.uncalibrated),
                "error_before": reliability(self.labels, self.uncalibrated).error,
                "log_loss_after": self.figures.log_loss,
                "error_after": self.figures.expected_calibration_error,
            },
        }


def calibrate(
    network: BiLSTM, data: Corpus, names: Sequence[str], class_weights: Tensor | None
) -> Calibrated:
    """Divide the classifier's weights by the temperature that fits the validation part.

    So every backend and every exported graph returns calibrated probabilities without an extra step.

    :param network: changed in place.
    :param names: the names of the classes.
    :param class_weights: `[classes]`, as in training; the temperature is fitted with them.
    """
    validation = data.validation.labelled()
    labels = validation.labels
    logits = _predict(network, validation)
    weights = 1.0 if class_weights is None else class_weights.numpy()
    temperature = fit_temperature(labels, logits, weights)
    network.classifier.weight.data.div_(temperature)
    network.classifier.bias.data.div_(temperature)
    probabilities = softmax(_predict(network, validation))
    return Calibrated(
        temperature,
        labels,
        softmax(logits),
        probabilities,
        evaluate(labels, probabilities, names),
        _choose_band(network, data.validation),
    )


def _choose_band(network: BiLSTM, examples: Examples) -> tuple[float, float] | None:
    """Return the band of neutral texts; None if the examples lack neutral texts or one of two classes."""
    sides = np.where(examples.has_label, 2 * examples.labels, 1)
    if {*sides.tolist()} != {0, 1, 2}:
        return None
    return choose_band(softmax(_predict(network, examples))[:, 1], sides)


def _predict(network: BiLSTM, examples: Examples) -> npt.NDArray[np.float32]:
    """Return the logits `[examples, classes]`, in fp32 on the CPU."""
    logits = np.empty((len(examples), network.config.num_classes), np.float32)
    with torch.inference_mode():
        for rows, (ids, lengths, _) in evaluation_batches(examples, torch.device("cpu")):
            logits[rows] = network(ids, lengths).numpy()
    return logits
