"""The heads of a fitted network: the calibration of its classifier, and the fit of its neutral head."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from sentcli.config import PROBABILITY, SIDES, DataSet
from sentcli.evaluation.calibration import choose_band, choose_strength, fit_temperature, shrink_temperature
from sentcli.evaluation.metrics import calibration_error, evaluate, log_loss, scores_by_confidence
from sentcli.model.bilstm import BiLSTM, round_embedding
from sentcli.scoring.labels import STARS, Floats, softmax
from sentcli.training.classifier import predict_logits
from sentcli.training.corpus import Corpus

# Of a neutral head: the fewest neutral texts to learn from; the most texts of one side and one data set, so
# that none outweighs the others; the inverse penalty of its weights, chosen on validation texts.
_FEWEST, _MOST, _INVERSE_PENALTY = 100, 600, 0.003


@dataclass(frozen=True)
class Fitted:
    """A network that has learned the classes, before its calibration."""

    network: BiLSTM
    logits: Floats  # for the validation texts, `[texts, classes]`
    best_epoch: int  # 0: the weights are those of the model to fine-tune
    ngrams: dict[str, float] = field(default_factory=dict)  # see `add_ngrams`
    has_learned_validation: bool = False  # its logits are then too sure to fit anything to them


@dataclass(frozen=True)
class Calibrated:
    """The figures of a calibrated model on the validation texts."""

    probabilities: Floats  # `[texts, classes]`, also of the texts without a label
    figures: dict[str, Any]  # see `evaluate`
    neutral: tuple[float, float] | None  # the band of neutral texts; None without such texts
    record: dict[str, float]  # see `Metrics.calibration`


def calibrate(fitted: Fitted, data: Corpus, *, is_balanced: bool) -> Calibrated:
    """Fold the temperature and the correction for rare classes into the weights of classifier and n-grams.

    So every backend and every exported graph returns calibrated probabilities without an extra step. The
    logits are divided by the temperature that fits the validation texts, then a part of the log priors is
    subtracted: all of it, if all classes are to count equally.
    """
    network, exact, validation = fitted.network, fitted.logits, data.validation
    sure = validation.has_label
    labels = validation.labels[sure]
    counts = data.train.targets.sum(axis=0, dtype=np.float64)
    log_priors = np.log(np.maximum(counts, 1) / max(counts.sum(), 1))
    temperature, strength = 1.0, float(is_balanced)
    if not fitted.has_learned_validation:
        temperature = shrink_temperature(fit_temperature(labels, exact[sure]), len(labels))
        if data.texts.labels != STARS:  # their label is the median, not the most probable one
            strength = strength or choose_strength(labels, exact[sure] / temperature, log_priors)
    shift = strength * log_priors
    divide_logits(network, temperature)
    network.classifier.bias.data.sub_(torch.from_numpy(shift))
    round_embedding(network)
    probabilities, before = softmax(exact / temperature - shift), softmax(exact[sure])
    figures = evaluate(labels, probabilities[sure], data.texts.labels)
    record = {
        "temperature": temperature,
        "prior_strength": strength,  # the part of the log priors that was subtracted from the logits
        "log_loss_before": log_loss(labels, before),
        "error_before": calibration_error(scores_by_confidence(labels, before)),
        "log_loss_after": figures["log_loss"],
        "error_after": figures["expected_calibration_error"],
    }
    sides = validation.sides
    band = choose_band(probabilities[:, 1], sides) if {*sides.tolist()} == {0, 1, 2} else None
    return Calibrated(probabilities, figures, band, record)


def divide_logits(network: BiLSTM, divisor: float) -> None:
    """Divide the logits of the classes by a number, which changes the weights."""
    for parameter in network.classifier.parameters():
        parameter.data.div_(divisor)
    if network.ngrams is not None:
        network.ngrams.weight.data[:, :-1].div_(divisor)  # the last column has squares


def add_neutral_head(network: BiLSTM, data: Corpus, sets: Sequence[DataSet]) -> None:
    """Fit logits of negative, neutral and positive on the pooled states, unless few texts are neutral.

    The fit has as many texts of each side from each labeled data set, so that the style of a data set is no
    hint of a side. The classes and their probabilities do not change.
    """
    draw, drawn = np.random.default_rng(0), [np.empty(0, np.intp)]
    sides, data_sets = data.train.sides, data.data_sets
    for number, source in enumerate(sets):
        rows = [np.flatnonzero((data_sets == number) & (sides == side)) for side in range(SIDES)]
        if source.targets != PROBABILITY:  # there, texts in the middle are uncertain, not neutral
            drawn += [draw.permutation(side)[: min(_MOST, *map(len, rows))] for side in rows]
    taken = np.sort(np.concatenate(drawn))
    examples = data.train.take(taken)
    if len(examples) < SIDES * _FEWEST:
        return
    pooling = copy.deepcopy(network)
    pooling.classifier = nn.Identity()  # type: ignore[assignment]
    pooling.ngrams = pooling.neutral_head = None
    states = predict_logits(pooling, examples, torch.device("cpu"))
    scaler, model = StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000)
    model.fit(scaler.fit_transform(states), examples.sides, data.importance[taken])
    weight = model.coef_ / scaler.scale_  # of states that are not standardized
    network.config = replace(network.config, neutral_head=True)
    network.neutral_head = nn.Linear(states.shape[1], SIDES)
    network.neutral_head.weight.data.copy_(torch.from_numpy(weight))
    network.neutral_head.bias.data.copy_(torch.from_numpy(model.intercept_ - weight @ scaler.mean_))
