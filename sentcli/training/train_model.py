"""Train one model: initialise, fit, calibrate, write its folder."""

import json
import logging
import platform
import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import torch

from sentcli import __version__
from sentcli.config import BundleConfig
from sentcli.evaluation import plots
from sentcli.evaluation.history import MODEL_STAGE, earlier_epochs
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.metrics import Evaluation
from sentcli.evaluation.model_card import hub_id_of, write_card
from sentcli.export.export import write_onnx
from sentcli.model import bundle
from sentcli.model.bilstm import choose_device, round_embedding, save_weights
from sentcli.training.calibration import Calibrated, calibrate
from sentcli.training.classifier import Classification, balanced_weights
from sentcli.training.corpus import Corpus, DataSource, Texts, encode_texts
from sentcli.training.init_model import InitialModel, init_model, torch_set_up
from sentcli.training.loop import fit
from sentcli.training.precision import uses_bf16
from sentcli.training.settings import Settings

_log = logging.getLogger("sentcli")


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
        data = encode_texts(texts, settings.text, config, base.vocab if base else None)
        initial = init_model(data, len(texts.labels), source.glove, settings)
        network = initial.network
        class_weights = balanced_weights(data.train.targets) if config.class_weight == "balanced" else None
        epochs = fit(
            network,
            Classification(config, device, class_weights),
            data.train,
            data.validation,
            config,
            device,
            checkpoint=checkpoint,
            quiet=settings.quiet,
            vary=initial.vary,
        )
        if base:
            base.interpolate(network, config.interpolate)
        round_embedding(network)
        calibrated = calibrate(network, data, texts.labels, class_weights)
    metrics: Any = {
        **_provenance(source, texts, output, settings),
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, device),
            "device": device.type,
            "seconds": round(sum(record["seconds"] for record in epochs), 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
        **calibrated.to_json(),
        "best_epoch": min(epochs, key=lambda record: record["validation_loss"])["epoch"],
        "examples": {"train": len(data.train), "validation": len(data.validation)},
        "split": digest_texts(texts.validation.texts),
        "glove": {
            "source": base.origin["glove"]["source"] if base else Path(source.glove).name,
            **asdict(initial.coverage),
        },
    }
    own = [{"stage": MODEL_STAGE, **record} for record in epochs]
    history = [*(base.history if base else ()), *own]
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        neutral = calibrated.neutral or (base.config.neutral if base else None)
        bundle_config = BundleConfig(network.config, settings.text, texts.labels, neutral)
        _write_model(folder, initial, bundle_config, data, settings)
        (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(history).to_csv(folder / bundle.HISTORY, index=False)
        plots.curves(folder / bundle.CURVES, epochs, earlier_epochs(history))
        diagrams = {
            "Before calibration": calibrated.uncalibrated,
            "After calibration": calibrated.probabilities,
        }
        plots.reliability(folder / bundle.RELIABILITY, calibrated.labels, diagrams)
        write_card(folder, bundle_config, metrics, epochs, name=output.name)  # last: it lists all files
    checkpoint.unlink(missing_ok=True)
    _report(output.name, calibrated, time.perf_counter() - started)
    _warn_of_chance(output.name, calibrated.figures, is_balanced=class_weights is not None)


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
    folder: Path, initial: InitialModel, config: BundleConfig, data: Corpus, settings: Settings
) -> None:
    """Write the files for scoring, and the recipes.

    :raises ExportError: when the ONNX model does not agree with the network.
    """
    bundle.write_config(folder, config)
    (folder / bundle.VOCAB).write_text(data.vocab.to_text(), "utf-8")
    save_weights(initial.network, folder / bundle.WEIGHTS)
    write_onnx(initial.network, folder / bundle.ONNX, "folded", config.text.max_tokens)
    recipe = settings.recipe(settings.config) if settings.recipe else None
    for file, content in (
        (bundle.RECIPE, recipe),
        (bundle.BASE_RECIPE, settings.base.recipe if settings.base else None),
    ):
        if content:
            (folder / file).write_text(content, "utf-8", "surrogateescape")


def _report(name: str, calibrated: Calibrated, seconds: float) -> None:
    _log.info(
        "%s: validation accuracy %.4f, loss %.4f; %.0f s",
        *(name, calibrated.figures.accuracy, calibrated.figures.log_loss, seconds),
    )


def _warn_of_chance(name: str, figures: Evaluation, *, is_balanced: bool) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [scores for scores in figures.classes if scores.support]
    commonest = max(classes, key=lambda scores: scores.support)
    if is_balanced and fmean(scores.recall or 0.0 for scores in classes) <= 1 / len(classes):
        _log.warning("%s: the mean recall on validation texts is no better than chance; try more texts", name)
    elif not is_balanced and figures.accuracy <= commonest.support / figures.examples:
        _log.warning(
            "%s: on validation texts no better than %r for every text; try more texts, or "
            "--class-weight balanced if a class is rare",
            name,
            commonest.name,
        )
