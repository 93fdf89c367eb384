"""Train one model: data, fit, n-grams, calibration, neutral head, baseline.

A network is validated on texts set aside, or with few texts by cross-validation on all of them.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import nn

from sentcli.backends import Logits
from sentcli.config import LOG
from sentcli.errors import option
from sentcli.evaluation.display import accuracy_of_texts, rarest
from sentcli.model import bundle
from sentcli.model.bilstm import choose_device, round_embedding
from sentcli.scoring.labels import STARS
from sentcli.training.classifier import loss_and_accuracy, predict_logits
from sentcli.training.corpus import Corpus, Examples, Texts, encode_texts
from sentcli.training.even_words import even_words, read_kinds
from sentcli.training.glove import INCLUDED, NO_VECTORS, frequent_words
from sentcli.training.heads import Fitted, add_neutral_head, calibrate
from sentcli.training.init_model import InitialModel, init_model, torch_set_up
from sentcli.training.loop import Run, Validate, fit
from sentcli.training.ngrams import add_linear, adds_nothing, compare_with_linear, fit_linear, token_features
from sentcli.training.record import Record
from sentcli.training.settings import Options, Settings

_CHECKPOINT = "model.safetensors"


def train_model(
    texts: Texts, settings: Settings, options: Options, output: Path, work: Path, *, overwrite: bool
) -> None:
    """Train one model and write its folder; continue from its checkpoint in `work` if there is one."""
    started = time.monotonic()
    ends = started + (settings.config.time_limit or math.inf)
    with torch_set_up(options.threads, sum(text.count(" ") + 1 for text in texts.train.texts)):
        record = _fit_model(texts, settings, options, work, ends)
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        record.write(folder, output)
    (work / _CHECKPOINT).unlink(missing_ok=True)
    _report(output.name, record, time.monotonic() - started)
    _warn_of_chance(output.name, record.calibrated.figures)


def _fit_model(texts: Texts, settings: Settings, options: Options, work: Path, ends: float) -> Record:
    config, device, glove = settings.config, choose_device(options.device), settings.glove

    # The data, with the vocabulary of the model to fine-tune or one that vectors extend, and the network.
    frequent = list[str]()
    if glove != NO_VECTORS and config.fill_vocab:
        frequent = frequent_words(glove, settings.model.embedding_dim, 2 * config.fill_vocab)
    vocab = settings.base.vocab if settings.base else None
    data = encode_texts(texts, settings.text, config, vocab, frequent)
    initial = init_model(data, settings, frequent)
    initial.before(data)

    # The linear members, within seconds.
    kinds = read_kinds(settings.source.even_words)
    same = even_words(initial.build(), data.vocab, kinds)
    is_tuned = settings.base is not None and settings.base.keeps_classifier
    linear = fit_linear(data, same, {} if is_tuned else token_features(data, initial.vectors))

    # The fit. In a cross-validation, that of the folds decides how many epochs the network is trained.
    run = Run(device, ends=ends, quiet=options.quiet, vary=initial.vary)
    if initial.takes_linear:
        run = replace(run, is_hopeless=partial(adds_nothing, linear, data))
    unseen, seconds = None, 0.0
    if len(data.folds) > 1:
        known, unseen, seconds = cross_validate(initial, data, work, run)
        run = replace(run, known=known)
    network = initial.build()
    run = replace(run, checkpoint=work / _CHECKPOINT)
    epochs = fit(network, initial.rehearse(data.train), validation_of(data.validation, run), config, run)
    best = min(epochs, key=lambda record: record["validation_loss"])
    initial.interpolate(network)
    even_words(network, data.vocab, kinds)
    round_embedding(network)

    # The n-grams in the logits, and the choice between the network and the one that it started from.
    own = predict_logits(network, data.validation, torch.device("cpu")) if unseen is None else unseen
    logits, ngrams = own.astype(np.float64), dict[str, float]()
    if initial.takes_linear:
        logits, ngrams = add_linear(network, linear, data, logits)
    fitted = initial.choose(Fitted(network, logits, int(best["epoch"]), ngrams), data)

    # The calibration, the neutral head, and the comparison with the linear members alone.
    calibrated = calibrate(fitted, data, is_balanced=config.class_weight == "balanced")
    if calibrated.neutral and len(data.folds) == 1:
        add_neutral_head(fitted.network, data, settings.source.data)
    initial.after(fitted.network)
    compared = compare_with_linear(calibrated, linear, data)
    seconds += sum(record["seconds"] for record in epochs)
    return Record(texts, settings, options, data, initial, fitted, calibrated, compared, epochs, seconds)


def validation_of(examples: Examples, run: Run) -> Validate:
    """Return the function that validates a model on texts, and keeps its logits."""

    def validate(model: nn.Module) -> tuple[float, float]:
        run.logits.append(predict_logits(model, examples, run.device))
        return loss_and_accuracy(run.logits[-1], examples)

    return validate


def cross_validate(
    initial: InitialModel, data: Corpus, work: Path, run: Run
) -> tuple[list[list[float]], Logits, float]:
    """Train a model without each fold, and choose the best number of epochs.

    :param work: the folder of the checkpoints of the folds.
    :returns: for each epoch up to the best one, the mean loss and accuracy on the texts of the folds; the
        logits of these texts after it, `[texts, classes]`, each of a model that has not seen it, or zeros
        and one epoch for a network that was left out after a fold; the seconds.
    """
    histories: list[list[dict[str, float]]] = []
    logits_of: list[Sequence[Logits]] = []  # after each epoch
    started = time.monotonic()
    for number, (learned, tested) in enumerate(data.folds, start=1):
        title, train = f"fold {number}/{len(data.folds)}", data.train.take(learned)
        of_fold = replace(
            run,
            checkpoint=work / f"fold-{number}.safetensors",
            ends=started + (run.ends - started) * number / (len(data.folds) + 1),
            name=f"{title}, ",
            is_hopeless=partial(run.is_hopeless, tested=tested) if number == 1 else Run.is_hopeless,
            logits=[],
        )
        validate = validation_of(data.validation.take(tested), of_fold)
        histories.append(fit(initial.build(), initial.rehearse(train), validate, initial.config, of_fold))
        logits_of.append(of_fold.logits)
        best = min(histories[-1], key=lambda record: record["validation_loss"])
        accuracy = accuracy_of_texts(best["validation_accuracy"], len(tested))
        values = title, best["validation_loss"], accuracy, best["epoch"], len(histories[-1])
        LOG.info("%s: validation loss %.4f, accuracy %s after epoch %d of %d", *values)
        if of_fold.is_hopeless(of_fold.logits[int(best["epoch"]) - 1]):
            LOG.info("left out: the network lowers the loss by less than the standard error of its gain")
            break
    sizes = [len(tested) for _, tested in data.folds][: len(histories)]
    names = "validation_loss", "validation_accuracy"
    curve = [
        [fmean([record[name] for record in records], sizes) for name in names]
        for records in zip(*histories, strict=False)
    ]
    seconds = sum(record["seconds"] for history in histories for record in history)
    unseen_logits = np.zeros_like(data.validation.targets)
    if len(histories) < len(data.folds):
        return curve[:1], unseen_logits, seconds
    losses = [loss for loss, _ in curve]
    last = losses.index(min(losses))
    for (_, tested), of_epochs in zip(data.folds, logits_of, strict=True):
        unseen_logits[tested] = of_epochs[last]
    return curve[: last + 1], unseen_logits, seconds


def _report(name: str, record: Record, seconds: float) -> None:
    figures, baseline = record.calibrated.figures, record.baseline
    for line in rarest(figures):
        LOG.info("%s: validation: %s", name, line)
    if record.data.texts.labels == STARS:
        stars = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in figures["ordered"].items())
        LOG.info("%s: labels are stars: a score is their mean, a label their median: %s", name, stars)
    accuracy = accuracy_of_texts(figures["accuracy"], figures["examples"])
    of_linear = accuracy_of_texts(baseline["accuracy"], figures["examples"])
    line = "%s: validation accuracy %s, loss %.4f; %.0f s; linear model alone: %s; %.1f s"
    LOG.info(line, name, accuracy, figures["log_loss"], seconds, of_linear, baseline["seconds"])
    if baseline["is_better"]:
        LOG.warning("%s: worse than the linear model alone; %s has it", name, option("glove", INCLUDED))


def _warn_of_chance(name: str, figures: Mapping[str, Any]) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [row for row in figures["classes"] if row["support"]]
    if figures["balanced_accuracy"] <= 1 / len(classes):
        most_frequent = max(classes, key=lambda row: row["support"])["name"]
        problem = "%s: on validation texts, it is no better than %r for every text; try more texts"
        LOG.warning(problem, name, most_frequent)
