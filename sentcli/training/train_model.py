"""Train one model: initialise, fit, calibrate, write its folder."""

import json
import logging
import math
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import torch
from torch import nn

from sentcli import __version__
from sentcli.config import BundleConfig
from sentcli.datasets.splits import digest_texts
from sentcli.evaluation import plots
from sentcli.evaluation.metrics import Evaluation, evaluate
from sentcli.evaluation.metrics_file import MODEL_STAGE
from sentcli.evaluation.model_card import hub_id_of, write_card
from sentcli.evaluation.report import accuracy_of_texts
from sentcli.export.export import write_onnx
from sentcli.model import bundle
from sentcli.model.bilstm import BiLSTM, choose_device, round_embedding, save_weights
from sentcli.training.calibration import Calibrated, calibrate
from sentcli.training.classifier import Classification, balanced_weights, predict_logits
from sentcli.training.corpus import Corpus, DataSource, Texts, encode_texts
from sentcli.training.cross_validation import assign_folds, cross_validate
from sentcli.training.glove import frequent_words
from sentcli.training.init_model import init_model, torch_set_up
from sentcli.training.loop import fit, has_more_to_learn
from sentcli.training.ngrams import Baseline, fit_baseline
from sentcli.training.precision import uses_bf16
from sentcli.training.settings import NO_VECTORS, Settings

_log = logging.getLogger("sentcli")

_SKEWED = 1.5  # the commonest class has this many times an even share


def train_model(
    texts: Texts,
    source: DataSource,
    output: Path,
    settings: Settings,
    work: Path,
    *,
    overwrite: bool = False,
) -> None:
    """Train one model and write its folder; continue from its checkpoint if there is one.

    :param work: the folder with the checkpoints.
    :raises SentcliError: for data, vectors or settings that cannot be used.
    :raises MemoryError: when memory runs out, also on a GPU.
    """
    started = time.perf_counter()
    config, base, device = settings.config, settings.base, choose_device(settings.device)
    checkpoint = work / "model.safetensors"
    with torch_set_up(settings.cores):
        data = encode_texts(
            *(texts, settings.text, config, base.vocab if base else None), _frequent(source, settings)
        )
        initial = init_model(data, len(texts.labels), source.glove, settings)
        fold_of = assign_folds(data.train, config.folds) if config.folds else None
        baseline = fit_baseline(data, fold_of)
        folds = None
        if fold_of is not None:
            folds = cross_validate(
                *(initial, data.train, fold_of, config, device, work), quiet=settings.quiet
            )
        network = initial.build()
        class_weights = balanced_weights(data.train.targets) if config.class_weight == "balanced" else None
        objective = Classification(config, device, class_weights)
        validation = data.train if folds else data.validation

        def validate(model: nn.Module, epoch: int) -> tuple[float, float]:
            if folds:
                return folds.epochs[epoch]["validation_loss"], folds.epochs[epoch]["validation_accuracy"]
            return objective.measure(predict_logits(model, validation, device), validation)

        epochs = fit(
            *(network, objective, data.train, validate, config, device),
            texts=int(validation.has_label.sum()),
            checkpoint=checkpoint,
            last_epoch=len(folds.epochs) if folds else None,
            quiet=settings.quiet,
            vary=initial.vary,
        )
        if base:
            base.interpolate(network, config.interpolate)
        round_embedding(network)
        logits = folds.logits if folds else predict_logits(network, validation, torch.device("cpu"))
        calibrated = calibrate(network, validation, logits, texts.labels, data.train, class_weights)
    metrics: Any = {
        **_provenance(source, texts, output, settings),
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, device),
            "device": device.type,
            "seconds": round(sum(each["seconds"] for each in epochs) + (folds.seconds if folds else 0), 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
        **calibrated.to_json(),
        "baseline": _compare(baseline, calibrated, texts.labels),
        "best_epoch": min(epochs, key=lambda record: record["validation_loss"])["epoch"],
        "examples": {"train": len(data.train), "validation": len(validation)},
        "split": None if folds else digest_texts(texts.validation.texts),
        "glove": {
            "source": base.origin["glove"]["source"] if base else Path(source.glove).name,
            **asdict(initial.coverage),
        },
    }
    before = base.history if base else []
    own = [{"stage": MODEL_STAGE, **record} for record in epochs]
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        neutral = calibrated.neutral or (base.config.neutral if base and base.keeps_classifier else None)
        bundle_config = BundleConfig(network.config, settings.text, texts.labels, neutral)
        _write_model(folder, network, bundle_config, data, settings)
        (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(before + own).to_csv(folder / bundle.HISTORY, index=False)
        plots.curves(folder / bundle.CURVES, epochs, before)
        diagrams = {
            "Before calibration": calibrated.uncalibrated,
            "After calibration": calibrated.probabilities,
        }
        plots.reliability(folder / bundle.RELIABILITY, calibrated.labels, diagrams)
        write_card(folder, bundle_config, metrics, epochs, name=output.name)  # last: it lists all files
    checkpoint.unlink(missing_ok=True)
    _report(output.name, calibrated.figures, metrics["baseline"], time.perf_counter() - started)
    _warn_of_chance(output.name, calibrated.figures, is_balanced=class_weights is not None)
    if not config.folds and has_more_to_learn(epochs, config.epochs):
        _log.info("the validation loss still falls: more --epochs may help")


def _frequent(source: DataSource, settings: Settings) -> list[str]:
    """Return the words that fill the vocabulary."""
    count = settings.config.fill_vocab
    if source.glove == NO_VECTORS or not count:
        return []
    return frequent_words(source.glove, settings.model.embedding_dim, 2 * count, quiet=settings.quiet)


def _provenance(source: DataSource, texts: Texts, output: Path, settings: Settings) -> dict[str, Any]:
    """Return the part of `metrics.json` on how the model was made."""
    csv, first = source.csv, source.data[0]
    return {
        "command": settings.command,
        "licence": settings.licence,
        "output": str(output),
        "dataset": first.path,
        "data": [
            {**asdict(each), "hub_id": hub_id_of(each.path), "texts": count}
            for each, count in zip(source.data, texts.counts, strict=True)
        ],
        "base": settings.base.origin if settings.base else None,
        "validation_data": source.validation,
        "columns": {
            "text_column": first.text_column,
            "label_column": first.label_column,
            "delimiter": csv.delimiter,
            "quotechar": csv.quotechar,
            "encoding": csv.encoding,
            "skip_lines": csv.skip_lines or None,
        },
    }


def _write_model(
    folder: Path, network: BiLSTM, config: BundleConfig, data: Corpus, settings: Settings
) -> None:
    """Write the files for scoring, and the recipes.

    :raises ExportError: when the ONNX model does not agree with the network.
    """
    bundle.write_config(folder, config)
    (folder / bundle.VOCAB).write_text(data.vocab.to_text(), "utf-8")
    save_weights(network, folder / bundle.WEIGHTS)
    write_onnx(network, folder / bundle.ONNX, "folded", config.text.max_tokens)
    recipe = settings.recipe(settings) if settings.recipe else None
    for file, content in (
        (bundle.RECIPE, recipe),
        (bundle.BASE_RECIPE, settings.base.recipe if settings.base else None),
    ):
        if content:
            (folder / file).write_text(content, "utf-8", "surrogateescape")


def _compare(baseline: Baseline, calibrated: Calibrated, names: Sequence[str]) -> dict[str, Any]:
    """Return the figures of the model of n-grams, and whether the network beats it: McNemar's test at 5 %."""
    labels = calibrated.labels
    figures = evaluate(labels, baseline.probabilities, names)
    is_right, other = (each.probabilities.argmax(axis=1) == labels for each in (calibrated, baseline))
    won, lost = int((is_right & ~other).sum()), int((other & ~is_right).sum())
    return {
        "accuracy": figures.accuracy,
        "accuracy_interval": figures.accuracy_interval,
        "macro_f1": figures.macro_f1,
        "log_loss": figures.log_loss,
        "seconds": round(baseline.seconds, 1),
        "is_beaten": won - lost > 1.96 * math.sqrt(won + lost),
    }


def _report(name: str, figures: Evaluation, baseline: Mapping[str, Any], seconds: float) -> None:
    """Log the validation figures of the network and of the model of n-grams."""
    _log.info(
        "%s: validation accuracy %s, loss %.4f; %.0f s; n-grams alone: %s; %.1f s",
        *(name, accuracy_of_texts(figures.accuracy, figures.examples), figures.log_loss, seconds),
        *(accuracy_of_texts(baseline["accuracy"], figures.examples), baseline["seconds"]),
    )
    if not baseline["is_beaten"]:
        _log.warning("%s: not better than a linear model of n-grams beyond chance; try more texts", name)


def _warn_of_chance(name: str, figures: Evaluation, *, is_balanced: bool) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [scores for scores in figures.classes if scores.support]
    commonest = max(classes, key=lambda scores: scores.support)
    if is_balanced and fmean(scores.recall or 0.0 for scores in classes) <= 1 / len(classes):
        _log.warning("%s: the mean recall on validation texts is no better than chance; try more texts", name)
    elif not is_balanced and figures.accuracy <= commonest.support / figures.examples:
        is_skewed = commonest.support * len(classes) > _SKEWED * figures.examples
        advice = "try more texts" + (", or --class-weight balanced" if is_skewed else "")
        _log.warning(
            "%s: on validation texts no better than %r for every text; %s", name, commonest.name, advice
        )
