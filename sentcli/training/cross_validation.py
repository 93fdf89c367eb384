"""The validation of a network: on texts set aside, or with few texts by cross-validation on all of them."""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from sentcli.config import TrainConfig
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.files.sink import Target, write_file
from sentcli.training.classifier import Classification, balanced_weights, loss_and_accuracy, predict_logits
from sentcli.training.corpus import Corpus
from sentcli.training.examples import Examples
from sentcli.training.init_model import InitialModel
from sentcli.training.loop import Run, fit

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class ValidationSplit:
    """Validation of the network itself, on texts that it does not learn from."""

    examples: Examples
    class_weights: Tensor | None
    device: torch.device
    epochs: int | None = None  # the number of epochs to train for, if it is known
    seconds: float = 0.0

    def measure(self, model: nn.Module, _: int) -> tuple[float, float]:
        """Return loss and accuracy of the model."""
        logits = predict_logits(model, self.examples, self.device)
        return loss_and_accuracy(logits, self.examples, self.class_weights)

    def logits(self, network: nn.Module) -> npt.NDArray[np.float32]:
        """Return the logits of the network, `[texts, classes]`."""
        return predict_logits(network, self.examples, torch.device("cpu"))


@dataclass(frozen=True)
class CrossValidation:
    """Validation of one model for each fold, on the texts of the fold, which it has not seen."""

    history: list[dict[str, float]]  # the result of `fit`, up to the epoch with the lowest validation loss
    unseen: npt.NDArray[np.float32]  # the logits after this epoch, `[texts, classes]`
    seconds: float

    @property
    def epochs(self) -> int:
        """The number of epochs to train the network for."""
        return len(self.history)

    def measure(self, _: nn.Module, epoch: int) -> tuple[float, float]:
        """Return mean loss and accuracy of the models of all folds after an epoch, numbered from 0."""
        return self.history[epoch]["validation_loss"], self.history[epoch]["validation_accuracy"]

    def logits(self, _: nn.Module) -> npt.NDArray[np.float32]:
        """Return the logits of models without each text, `[texts, classes]`."""
        return self.unseen


def cross_validate(
    initial: InitialModel, data: Corpus, config: TrainConfig, work: Path, run: Run
) -> CrossValidation:
    """Train a model without each fold; choose the best number of epochs. `work` keeps finished folds."""
    histories: list[list[dict[str, float]]] = []
    logits_of: list[npt.NDArray[np.float32]] = []  # after each epoch
    for number, (learned, tested) in enumerate(data.folds, start=1):
        file, title = work / f"fold-{number}.safetensors", f"fold {number}/{len(data.folds)}"
        if not file.exists():
            train, unseen = data.train.take(learned), data.validation.take(tested)
            of_fold = replace(run, validated=len(tested), name=f"{title}, ")
            history, logits = _fit_fold(initial, train, unseen, config, of_fold)
            write_file(Target(file), save({"logits": logits}, {"history": json.dumps(history)}))
        with safe_open(file, "np") as result:
            histories.append(json.loads(result.metadata()["history"]))
            logits_of.append(result.get_tensor("logits"))
        best = min(histories[-1], key=lambda record: record["validation_loss"])
        accuracy = accuracy_of_texts(best["validation_accuracy"], len(tested))
        values = title, best["validation_loss"], accuracy, best["epoch"], len(histories[-1])
        _log.info("%s: validation loss %.4f, accuracy %s after epoch %d of %d", *values)
    sizes = [len(tested) for _, tested in data.folds]
    curve = [
        {name: fmean([record[name] for record in records], sizes) for name in records[0]}
        for records in zip(*histories, strict=False)
    ]
    best_epoch = int(np.argmin([record["validation_loss"] for record in curve]))
    logits = np.empty_like(data.validation.targets)
    for (_, tested), of_epochs in zip(data.folds, logits_of, strict=True):
        logits[tested] = of_epochs[best_epoch]
    seconds = sum(record["seconds"] for history in histories for record in history)
    return CrossValidation(curve[: best_epoch + 1], logits, seconds)


def _fit_fold(
    initial: InitialModel, train: Examples, unseen: Examples, config: TrainConfig, run: Run
) -> tuple[list[dict[str, float]], npt.NDArray[np.float32]]:
    """Return the history of a model without one fold, and its logits after each epoch on this fold."""
    class_weights = balanced_weights(train.targets) if config.class_weight == "balanced" else None
    objective = Classification(config, run.device, class_weights)
    logits = []

    def validate(model: nn.Module, _: int) -> tuple[float, float]:
        logits.append(predict_logits(model, unseen, run.device))
        return loss_and_accuracy(logits[-1], unseen, class_weights)

    history = fit(initial.build(), objective, initial.rehearse(train), validate, config, run)
    return history, np.stack(logits)
