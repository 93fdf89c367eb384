"""Train one model: data, fit, n-grams, calibration, neutral head, baseline.

A network is validated on texts set aside, or with few texts by cross-validation on all of them.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from sentcli.config import TrainConfig
from sentcli.errors import option
from sentcli.evaluation.display import accuracy_of_texts, rarest
from sentcli.evaluation.metrics import Evaluation
from sentcli.files.sink import Target, write_file
from sentcli.model import bundle
from sentcli.model.bilstm import choose_device, round_embedding
from sentcli.scoring.labels import STARS
from sentcli.training.classifier import balanced_weights, loss_and_accuracy, predict_logits
from sentcli.training.corpus import Corpus, Examples, Texts, encode_texts
from sentcli.training.even_words import even_words, read_kinds
from sentcli.training.glove import NO_VECTORS, frequent_words
from sentcli.training.heads import Fitted, add_neutral_head, calibrate
from sentcli.training.init_model import InitialModel, init_model, torch_set_up
from sentcli.training.loop import Run, fit
from sentcli.training.ngrams import add_ngrams, compare_with_ngrams
from sentcli.training.record import Record
from sentcli.training.settings import Options, Settings

_log = logging.getLogger("sentcli")

_CHECKPOINT = "model.safetensors"
_SKEWED = 1.5  # the most frequent class has this many times an even share


def train_model(
    texts: Texts, settings: Settings, options: Options, output: Path, work: Path, *, overwrite: bool
) -> None:
    """Train one model and write its folder; continue from its checkpoint in `work` if there is one."""
    started = time.perf_counter()
    with torch_set_up(options.threads, sum(text.count(" ") + 1 for text in texts.train.texts)):
        record = _fit_model(texts, settings, options, work)
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        record.write(folder, output)
    (work / _CHECKPOINT).unlink(missing_ok=True)
    _report(output.name, record, time.perf_counter() - started)
    _warn_of_chance(output.name, record.calibrated.figures, settings.config.class_weight)


def _fit_model(texts: Texts, settings: Settings, options: Options, work: Path) -> Record:
    config, device, glove = settings.config, choose_device(options.device), settings.glove

    # The data, with the vocabulary of the model to fine-tune or one that vectors extend, and the network.
    frequent = list[str]()
    if glove != NO_VECTORS and config.fill_vocab:
        frequent = frequent_words(glove, settings.model.embedding_dim, 2 * config.fill_vocab)
    vocab = settings.base.vocab if settings.base else None
    data = encode_texts(texts, settings.text, config, vocab, frequent)
    class_weights = _class_weights(data.train, config)
    initial = init_model(data, settings)
    initial.before(data, class_weights)

    # The fit. In a cross-validation, that of the folds decides how many epochs the network is trained.
    validated = int(data.validation.has_label.sum())
    run = Run(device, class_weights, validated, quiet=options.quiet, vary=initial.vary)
    validation: ValidationSplit | CrossValidation = ValidationSplit(data.validation, class_weights, device)
    if len(data.folds) > 1:
        validation = cross_validate(initial, data, work, run)
    run = replace(run, checkpoint=work / _CHECKPOINT, last_epoch=len(validation.history))
    network = initial.build()
    epochs = fit(network, initial.rehearse(data.train), validation.measure, config, run)
    best = min(epochs, key=lambda record: record["validation_loss"])
    initial.interpolate(network)
    same = even_words(network, data.vocab, read_kinds(settings.source.even_words))
    round_embedding(network)

    # The n-grams in the logits, and the choice between the network and the one that it started from.
    logits, ngrams = validation.logits(network).astype(np.float64), dict[str, float]()
    if initial.takes_ngrams:
        logits, ngrams = add_ngrams(network, data, logits, class_weights, same)
    fitted = initial.choose(Fitted(network, logits, int(best["epoch"]), ngrams), data, class_weights)

    # The calibration, the neutral head, and the comparison with a model of n-grams alone.
    calibrated = calibrate(fitted, data, class_weights)
    if calibrated.neutral and len(data.folds) == 1:
        add_neutral_head(fitted.network, data, settings.source.data)
    initial.after(fitted.network)
    compared = compare_with_ngrams(calibrated, data)
    seconds = sum(record["seconds"] for record in epochs) + validation.seconds
    return Record(texts, settings, options, data, initial, fitted, calibrated, compared, epochs, seconds)


def _class_weights(train: Examples, config: TrainConfig) -> Tensor | None:
    return balanced_weights(train.targets) if config.class_weight == "balanced" else None


@dataclass(frozen=True)
class ValidationSplit:
    """Validation of a network itself, on texts that it does not learn from."""

    examples: Examples
    class_weights: Tensor | None
    device: torch.device
    history: tuple[()] = ()  # nothing is known before the training
    seconds: float = 0.0

    def measure(self, model: nn.Module, _: int) -> tuple[float, float]:
        """Return loss and accuracy of the model after an epoch."""
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

    def measure(self, _: nn.Module, epoch: int) -> tuple[float, float]:
        """Return mean loss and accuracy of the models of all folds after an epoch, numbered from 0."""
        return self.history[epoch]["validation_loss"], self.history[epoch]["validation_accuracy"]

    def logits(self, _: nn.Module) -> npt.NDArray[np.float32]:
        """Return the logits of models without each text, `[texts, classes]`."""
        return self.unseen


def _fit_fold(
    initial: InitialModel, train: Examples, unseen: Examples, run: Run
) -> tuple[npt.NDArray[np.float32], list[dict[str, float]]]:
    """Return the logits of unseen texts after each epoch, and the result of `fit`."""
    logits: list[npt.NDArray[np.float32]] = []

    def measure(model: nn.Module, _: int) -> tuple[float, float]:
        logits.append(predict_logits(model, unseen, run.device))
        return loss_and_accuracy(logits[-1], unseen, run.class_weights)

    history = fit(initial.build(), initial.rehearse(train), measure, initial.config, run)
    return np.stack(logits), history


def cross_validate(initial: InitialModel, data: Corpus, work: Path, run: Run) -> CrossValidation:
    """Train a model without each fold; choose the best number of epochs. `work` keeps finished folds."""
    histories: list[list[dict[str, float]]] = []
    logits_of: list[npt.NDArray[np.float32]] = []  # after each epoch
    for number, (learned, tested) in enumerate(data.folds, start=1):
        file, title = work / f"fold-{number}.safetensors", f"fold {number}/{len(data.folds)}"
        if not file.exists():
            train, unseen = data.train.take(learned), data.validation.take(tested)
            weights = _class_weights(train, initial.config)
            of_fold = replace(run, class_weights=weights, validated=len(tested), name=f"{title}, ")
            logits, history = _fit_fold(initial, train, unseen, of_fold)
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


def _report(name: str, record: Record, seconds: float) -> None:
    figures, baseline = record.calibrated.figures, record.baseline
    for line in rarest(asdict(figures)):
        _log.info("%s: validation: %s", name, line)
    if record.data.texts.labels == STARS:
        stars = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in figures.ordered.items())
        _log.info("%s: labels are stars: a score is their mean, a label their median: %s", name, stars)
    accuracy = accuracy_of_texts(figures.accuracy, figures.examples)
    of_ngrams = accuracy_of_texts(baseline["accuracy"], figures.examples)
    line = "%s: validation accuracy %s, loss %.4f; %.0f s; n-grams alone: %s; %.1f s"
    _log.info(line, name, accuracy, figures.log_loss, seconds, of_ngrams, baseline["seconds"])
    if baseline["is_better"]:
        use = "docs/training.md shows how to use that one: 'N-grams instead of a network'"
        _log.warning("%s: worse than a linear model of words and characters (n-grams); %s", name, use)
    elif not baseline["is_beaten"]:
        _log.warning("%s: not significantly better than a linear model of n-grams; try more texts", name)


def _warn_of_chance(name: str, figures: Evaluation, class_weight: str) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [row for row in figures.classes if row["support"]]
    most_frequent = max(classes, key=lambda row: row["support"])
    if figures.balanced_accuracy > 1 / len(classes):
        return
    is_skewed = most_frequent["support"] * len(classes) > _SKEWED * figures.examples
    advice = f", or {option('class_weight', 'balanced')}" if is_skewed and class_weight == "none" else ""
    problem = "%s: on validation texts, it is no better than %r for every text; try more texts%s"
    _log.warning(problem, name, most_frequent["name"], advice)
