"""Cross-validation: with few labeled texts, every text is trained on and every text is validated on."""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save
from torch import nn

from sentcli.config import TrainConfig
from sentcli.errors import DataError, option
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.files.sink import Target, write_file
from sentcli.training.classifier import Classification, balanced_weights, measure, predict_logits
from sentcli.training.examples import Examples
from sentcli.training.init_model import InitialModel
from sentcli.training.loop import Run, fit

_log = logging.getLogger("sentcli")

Folds = npt.NDArray[np.intp]


@dataclass(frozen=True)
class CrossValidated:
    """What the models of all folds say about the texts that each of them did not see."""

    epochs: list[dict[str, float]]  # as in `fit`, up to the one with the lowest validation loss
    logits: npt.NDArray[np.float32]  # after the last of these epochs, `[texts, classes]`
    seconds: float


def assign_folds(examples: Examples, folds: int) -> Folds:
    """Return the fold of each text, `[n]`.

    Each class is cut into runs of neighboring rows, see `datasets.splits`. Copies are in one fold.
    """
    fold_of = np.zeros(len(examples), np.intp)
    for number in range(examples.targets.shape[1]):
        (rows,) = (examples.labels == number).nonzero()
        fold_of[rows] = np.arange(len(rows)) * folds // max(len(rows), 1)
    first: dict[bytes, int] = {}
    copies = [
        first.setdefault(ids.tobytes(), fold)
        for ids, fold in zip(examples.ids, fold_of.tolist(), strict=True)
    ]
    if not any(copies):
        flag = option("validation")
        raise DataError(f"the texts are copies of a few; try different texts, or name others with {flag}")
    return np.array(copies, np.intp)


def cross_validate(
    initial: InitialModel,
    examples: Examples,
    fold_of: Folds,
    config: TrainConfig,
    work: Path,
    run: Run,
) -> CrossValidated:
    """Train a model without each fold; choose the best number of epochs. `work` keeps finished folds."""
    folds = int(fold_of.max()) + 1
    rows_of = [(fold_of == fold).nonzero()[0] for fold in range(folds)]
    histories: list[list[dict[str, float]]] = []
    logits_of: list[npt.NDArray[np.float32]] = []  # after each epoch
    for fold, rows in enumerate(rows_of):
        file = work / f"fold-{fold + 1}.safetensors"
        if not file.exists():
            train, unseen = examples.take((fold_of != fold).nonzero()[0]), examples.take(rows)
            of_fold = replace(run, validated=len(rows), name=f"fold {fold + 1}/{folds}, ")
            history, logits = _fit_fold(initial, train, unseen, config, of_fold)
            write_file(Target(file), save({"logits": logits}, {"history": json.dumps(history)}))
        with safe_open(file, "np") as result:
            histories.append(json.loads(result.metadata()["history"]))
            logits_of.append(result.get_tensor("logits"))
        best = min(histories[-1], key=lambda record: record["validation_loss"])
        _log.info(
            "fold %d/%d: validation loss %.4f, accuracy %s after epoch %d of %d",
            fold + 1,
            folds,
            best["validation_loss"],
            accuracy_of_texts(best["validation_accuracy"], len(rows)),
            best["epoch"],
            len(histories[-1]),
        )
    sizes = [*map(len, rows_of)]
    curve = [
        {name: fmean([record[name] for record in records], sizes) for name in records[0]}
        for records in zip(*histories, strict=False)
    ]
    best_epoch = int(np.argmin([record["validation_loss"] for record in curve]))
    logits = np.empty_like(examples.targets)
    for rows, of_epochs in zip(rows_of, logits_of, strict=True):
        logits[rows] = of_epochs[best_epoch]
    seconds = sum(record["seconds"] for history in histories for record in history)
    return CrossValidated(curve[: best_epoch + 1], logits, seconds)


def _fit_fold(
    initial: InitialModel,
    train: Examples,
    unseen: Examples,
    config: TrainConfig,
    run: Run,
) -> tuple[list[dict[str, float]], npt.NDArray[np.float32]]:
    """Return the history of a model without one fold, and its logits after each epoch on this fold."""
    class_weights = balanced_weights(train.targets) if config.class_weight == "balanced" else None
    objective = Classification(config, run.device, class_weights)
    logits = []

    def validate(model: nn.Module, _: int) -> tuple[float, float]:
        logits.append(predict_logits(model, unseen, run.device))
        return measure(logits[-1], unseen, class_weights)

    history = fit(initial.build(), objective, initial.rehearse(train), validate, config, run)
    return history, np.stack(logits)
