"""Train one model: initialize, fit, calibrate, write its folder."""

import copy
import json
import logging
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sentcli import __version__
from sentcli.config import BundleConfig
from sentcli.datasets.splits import are_learned, hash_texts
from sentcli.errors import option
from sentcli.evaluation.bands import shrink_band
from sentcli.evaluation.display import accuracy_of_texts, rarest
from sentcli.evaluation.metrics import Evaluation, evaluate
from sentcli.evaluation.metrics_file import MODEL_STAGE, Metrics
from sentcli.evaluation.model_card import hub_id_of, write_card
from sentcli.evaluation.predictions import prediction_rows, write_predictions
from sentcli.export.export import write_onnx
from sentcli.model import bundle
from sentcli.model.bilstm import BiLSTM, choose_device, round_embedding
from sentcli.report.trained import render_training
from sentcli.scoring.labels import STARS, Floats, choose_classes
from sentcli.training.calibration import Calibrated, add_neutral_head, calibrate, is_better
from sentcli.training.classifier import Classification, balanced_weights, measure, predict_logits, uses_bf16
from sentcli.training.corpus import Corpus, Texts, encode_texts
from sentcli.training.cross_validation import assign_folds, cross_validate
from sentcli.training.examples import Examples
from sentcli.training.finetune import MOST_LEARNED
from sentcli.training.glove import Coverage, frequent_words
from sentcli.training.init_model import init_model, torch_set_up
from sentcli.training.loop import Run, fit
from sentcli.training.ngrams import add_ngrams, baseline_probabilities
from sentcli.training.recipe import recipe
from sentcli.training.settings import NO_VECTORS, Options, Settings

_log = logging.getLogger("sentcli")

_CHECKPOINT = "model.safetensors"
_MOST_OF_CURVE = 5000  # texts, whose learning curve takes seconds
_SKEWED = 1.5  # the most frequent class has this many times an even share


@dataclass(frozen=True)
class Trained:
    """A calibrated network, and how it was trained."""

    network: BiLSTM
    calibrated: Calibrated
    ngrams: dict[str, float]  # see `add_ngrams`
    baseline: dict[str, Any]
    data: Corpus
    validation: Examples  # the texts that it was validated on; in a cross-validation, all of them
    coverage: Coverage
    start: dict[str, float]  # see `Base.measure` and `Base.compare`
    epochs: list[dict[str, float]]
    best_epoch: int  # 0: the weights are those of the base model
    seconds: float  # the time of all epochs, those of folds included


def train_model(
    texts: Texts, settings: Settings, options: Options, output: Path, work: Path, *, overwrite: bool
) -> None:
    """Train one model and write its folder; continue from its checkpoint in `work` if there is one."""
    started, config = time.perf_counter(), settings.config
    with torch_set_up(options.threads, sum(text.count(" ") + 1 for text in texts.train.texts)):
        trained = _fit_model(texts, settings, options, work)
    metrics = _metrics(trained, texts, settings, options, output)
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        _write_model(folder, trained, metrics, settings, name=output.name)
    (work / _CHECKPOINT).unlink(missing_ok=True)
    _report(output.name, trained, time.perf_counter() - started)
    _warn_of_chance(output.name, trained.calibrated.figures, is_balanced=config.class_weight == "balanced")


def _fit_model(texts: Texts, settings: Settings, options: Options, work: Path) -> Trained:
    config, base, device = settings.config, settings.base, choose_device(options.device)
    frequent = []
    if settings.glove != NO_VECTORS and config.fill_vocab:
        width, count = settings.model.embedding_dim, 2 * config.fill_vocab
        frequent = frequent_words(settings.glove, width, count, quiet=options.quiet)
    data = encode_texts(
        texts,
        settings.text,
        config,
        vocab=base.vocab if base else None,
        frequent=frequent,
    )
    initial = init_model(data, settings, quiet=options.quiet)
    run = Run(device, len(data.validation), quiet=options.quiet, vary=initial.vary)
    fold_of = assign_folds(data.train, config.folds) if config.folds else None
    started = time.perf_counter()
    baseline = baseline_probabilities(data, fold_of)
    baseline_seconds = time.perf_counter() - started
    half = baseline_probabilities(data, fold_of, every=2) if len(data.train) <= _MOST_OF_CURVE else None
    validation, folds = data.validation if fold_of is None else data.train, None
    class_weights = balanced_weights(data.train.targets) if config.class_weight == "balanced" else None
    of_base, start = base.measure(validation, class_weights) if base and base.keeps_classifier else (None, {})
    if fold_of is not None:
        folds = cross_validate(initial, data.train, fold_of, config, work, run)
    network = initial.build()
    objective = Classification(config, device, class_weights)

    def validate(model: nn.Module, epoch: int) -> tuple[float, float]:
        if folds:
            return folds.epochs[epoch]["validation_loss"], folds.epochs[epoch]["validation_accuracy"]
        return measure(predict_logits(model, validation, device), validation, class_weights)

    run = replace(
        run,
        validated=int(validation.has_label.sum()),
        checkpoint=work / _CHECKPOINT,
        last_epoch=len(folds.epochs) if folds else None,
    )
    epochs = fit(network, objective, initial.rehearse(data.train), validate, config, run)
    if base:
        base.interpolate(network, config.interpolate)
    round_embedding(network)
    logits = folds.logits if folds else predict_logits(network, validation, torch.device("cpu"))
    mixed, ngrams = logits.astype(np.float64), dict[str, float]()
    # N-grams know only the new texts, so they would undo what rehearsal keeps.
    if of_base is None or (base and base.config.model.ngram_buckets):
        mixed, ngrams = add_ngrams(network, data, fold_of, mixed, class_weights)
    best = min(epochs, key=lambda record: record["validation_loss"])
    unseen = data.texts.train if folds else data.texts.validation
    is_new = not base or of_base is None or are_learned(unseen.texts, base.learned).mean() <= MOST_LEARNED
    if base and of_base is not None and not (is_new and is_better(mixed, of_base, validation, class_weights)):
        reason = "training did not lower the loss" if is_new else "it has learned the validation texts"
        _log.info("epoch 0, the weights of %s, wins: %s", base.origin["name"], reason)
        network, mixed, ngrams, best = copy.deepcopy(base.model), of_base, {}, start
    calibrated = calibrate(network, validation, mixed, texts.labels, data.train, class_weights, fits=is_new)
    if calibrated.neutral and not folds:
        add_neutral_head(network, data, settings.source.data)
    return Trained(
        network=network,
        calibrated=calibrated,
        ngrams=ngrams,
        baseline=_compare(baseline, half, baseline_seconds, calibrated, texts.labels),
        data=data,
        validation=validation,
        coverage=initial.coverage,
        start=start | (base.compare(network) if base and start else {}),
        epochs=epochs,
        best_epoch=int(best["epoch"]),
        seconds=sum(record["seconds"] for record in epochs) + (folds.seconds if folds else 0),
    )


def _metrics(trained: Trained, texts: Texts, settings: Settings, options: Options, output: Path) -> Metrics:
    config, base, source = settings.config, settings.base, settings.source
    device = choose_device(options.device)
    return {
        "command": options.command,
        "licence": options.license,
        "output": str(output),
        "dataset": source.data[0].path,
        "data": [
            {**asdict(data), "hub_id": hub_id_of(data.path), "texts": count}
            for data, count in zip(source.data, texts.counts, strict=True)
        ],
        "base": base.origin if base else None,
        "validation_data": source.validation,
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, device),
            "device": device.type,
            "seconds": round(trained.seconds, 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "validation": asdict(trained.calibrated.figures),
        "calibration": trained.calibrated.to_json(),
        "ngrams": trained.ngrams,
        "baseline": trained.baseline,
        "start": trained.start,
        "best_epoch": trained.best_epoch,
        "examples": {"train": len(trained.data.train), "validation": len(trained.validation)},
        "glove": {
            "source": base.origin["glove"]["source"] if base else Path(settings.glove).name,
            **asdict(trained.coverage),
        },
    }


def _write_model(folder: Path, trained: Trained, metrics: Metrics, settings: Settings, *, name: str) -> None:
    """Write the files for scoring, then those about the training."""
    base, network, calibrated = settings.base, trained.network, trained.calibrated
    neutral = base.config.neutral if base and base.keeps_classifier else None
    if calibrated.neutral:
        neutral = shrink_band(calibrated.neutral, int((trained.validation.sides == 1).sum()), neutral)
    config = BundleConfig(network.config, settings.text, trained.data.texts.labels, neutral)
    bundle.write_config(folder, config)
    (folder / bundle.VOCAB).write_text(trained.data.vocab.to_text(), "utf-8")
    write_onnx(network, folder / bundle.ONNX, "folded", settings.text.max_tokens)
    content = recipe(settings, metrics["licence"])
    (folder / bundle.RECIPE).write_text(content, "utf-8", "surrogateescape")
    (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    own = [{"stage": MODEL_STAGE, **record} for record in trained.epochs]
    pd.DataFrame([*(base.history if base else ()), *own]).to_csv(folder / bundle.HISTORY, index=False)
    texts = trained.data.texts
    learned = hash_texts([*texts.train.texts, *texts.validation.texts])
    (folder / bundle.LEARNED).write_bytes(np.union1d(learned, base.learned if base else learned).tobytes())
    _write_validation(folder / bundle.VALIDATION, trained)
    (folder / bundle.TRAINING).write_bytes(render_training(metrics, trained.epochs, name))
    write_card(folder, config, metrics, trained.epochs, name=name)  # last: it lists all files


def _write_validation(path: Path, trained: Trained) -> None:
    """Write the predictions for the validation texts, in a cross-validation those of models without them."""
    texts, validation = trained.data.texts, trained.validation
    examples = texts.train if validation is trained.data.train else texts.validation
    labels = np.where(validation.has_label, validation.labels, len(texts.labels))
    rows = prediction_rows(examples, labels, trained.calibrated.of_all, texts.labels)
    for row, *data_set in zip(rows, *examples.sides, strict=True):
        del row["text"]
        row |= dict(zip(["data_set"], data_set, strict=False))
    write_predictions(path, rows)


def _compare(
    baseline: Floats, half: Floats | None, seconds: float, calibrated: Calibrated, names: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of the model of n-grams, and the verdict of McNemar's test at 5 %.

    :param half: the probabilities of the same model after half of the texts.
    """
    labels = calibrated.labels
    figures = evaluate(labels, baseline, names)
    is_right = choose_classes(calibrated.probabilities, names) == labels
    is_baseline_right = choose_classes(baseline, names) == labels
    won, lost = int((is_right & ~is_baseline_right).sum()), int((is_baseline_right & ~is_right).sum())
    chance = 1.96 * math.sqrt(won + lost)
    return {
        "accuracy": figures.accuracy,
        "accuracy_interval": figures.accuracy_interval,
        "macro_f1": figures.macro_f1,
        "log_loss": figures.log_loss,
        "seconds": round(seconds, 1),
        "is_beaten": won - lost > chance,
        "is_better": lost - won > chance,
        "accuracy_of_half": None if half is None else evaluate(labels, half, names).accuracy,
    }


def _report(name: str, trained: Trained, seconds: float) -> None:
    figures, baseline = trained.calibrated.figures, trained.baseline
    for line in rarest(asdict(figures)):
        _log.info("%s: validation: %s", name, line)
    if trained.data.texts.labels == STARS:
        stars = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in figures.ordered.items())
        _log.info("%s: labels are stars: a score is their mean, a label their median: %s", name, stars)
    _log.info(
        "%s: validation accuracy %s, loss %.4f; %.0f s; n-grams alone: %s; %.1f s",
        name,
        accuracy_of_texts(figures.accuracy, figures.examples),
        figures.log_loss,
        seconds,
        accuracy_of_texts(baseline["accuracy"], figures.examples),
        baseline["seconds"],
    )
    if baseline["accuracy_of_half"] is not None:
        # Accuracy grows about as much with each doubling of the texts.
        gain = baseline["accuracy"] - baseline["accuracy_of_half"]
        points = 100 * gain * math.log2(1 + 100 / len(trained.data.train))
        curve = "%s: n-grams of half of the texts: %.3f; 100 more labels bring n-grams about %+.1f points"
        _log.info(curve, name, baseline["accuracy_of_half"], points)
    if baseline["is_better"]:
        use = "docs/training.md shows how to use that one: 'N-grams instead of a network'"
        _log.warning("%s: worse than a linear model of words and characters (n-grams); %s", name, use)
    elif not baseline["is_beaten"]:
        _log.warning("%s: not significantly better than a linear model of n-grams; try more texts", name)


def _warn_of_chance(name: str, figures: Evaluation, *, is_balanced: bool) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [scores for scores in figures.classes if scores.support]
    most_frequent = max(classes, key=lambda scores: scores.support)
    if figures.balanced_accuracy > 1 / len(classes):
        return
    is_skewed = most_frequent.support * len(classes) > _SKEWED * figures.examples
    advice = f", or {option('class_weight', 'balanced')}" if is_skewed and not is_balanced else ""
    problem = "%s: on validation texts, it is no better than %r for every text; try more texts%s"
    _log.warning(problem, name, most_frequent.name, advice)
