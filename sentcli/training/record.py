"""The record of a training: the files of a model folder are written from it, but for the exports."""

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from sentcli import __version__
from sentcli.config import PROBABILITY, BundleConfig, DataSet, settable
from sentcli.datasets.splits import digest_texts, hash_texts
from sentcli.evaluation.calibration import shrink_band
from sentcli.evaluation.evaluate import prediction_rows, write_predictions
from sentcli.evaluation.model_card import Metrics, hub_id_of, model_card
from sentcli.model import bundle
from sentcli.model.bilstm import choose_device
from sentcli.report.measured import render_training
from sentcli.training.classifier import uses_bf16
from sentcli.training.corpus import Corpus, Texts
from sentcli.training.even_words import read_kinds
from sentcli.training.heads import Calibrated, Fitted
from sentcli.training.init_model import InitialModel
from sentcli.training.settings import Options, Settings

_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)


@dataclass(frozen=True)
class Record:
    """A training: what it was given, and what came out."""

    texts: Texts
    settings: Settings
    options: Options
    data: Corpus
    initial: InitialModel
    fitted: Fitted
    calibrated: Calibrated
    baseline: dict[str, Any]  # see `compare_with_linear`
    epochs: Sequence[Mapping[str, float]]
    seconds: float  # the time of all epochs, those of folds included

    def write(self, folder: Path, output: Path) -> None:
        """Write the files for scoring, then those about the training; `output` will be the model folder."""
        from sentcli.export.export import write_onnx  # imports onnx, late

        texts, base, network = self.data.texts, self.settings.base, self.fitted.network
        # The band of neutral texts starts from that of the model to fine-tune.
        neutral = base.bundle.config.neutral if base and base.keeps_classifier else None
        if self.calibrated.neutral:
            count = int((self.data.validation.sides == 1).sum())
            neutral = shrink_band(self.calibrated.neutral, count, neutral)
        config = BundleConfig(network.config, self.settings.text, texts.labels, neutral)
        metrics = self.metrics(output)
        bundle.write_config(folder, config)
        (folder / bundle.VOCAB).write_text(self.data.vocab.to_text(), "utf-8")
        write_onnx(network, folder / bundle.ONNX, "folded", config.text.max_tokens)
        recipe = to_toml(recipe_of(self.settings, self.options.license))
        (folder / bundle.RECIPE).write_text(recipe, "utf-8", "surrogateescape")
        (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(self.epochs).to_csv(folder / bundle.HISTORY, index=False)
        is_labeled = [data.targets != PROBABILITY for data in self.settings.source.data]  # not by a model
        labeled = compress(texts.train.texts, np.repeat(is_labeled, texts.counts))
        learned = hash_texts([*labeled, *texts.validation.texts])
        learned = np.union1d(learned, base.learned if base and base.keeps_network else learned)
        (folder / bundle.LEARNED).write_bytes(learned.tobytes())
        self._write_validation(folder / bundle.VALIDATION)
        (folder / bundle.TRAINING).write_bytes(render_training(metrics, self.epochs, output.name))
        files = [file.name for file in folder.iterdir()]
        (folder / bundle.CARD).write_bytes(model_card(config, metrics, self.epochs, output.name, files))

    def metrics(self, output: Path) -> Metrics:
        """Return the content of `metrics.json`."""
        base, source = self.settings.base, self.settings.source
        device = choose_device(self.options.device)
        versions = {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()}
        return {
            "command": self.options.command,
            "licence": self.options.license,
            "output": str(output),
            "dataset": source.data[0].path,
            "data": [
                {**asdict(data), "hub_id": hub_id_of(data.path), "texts": count}
                for data, count in zip(source.data, self.texts.counts, strict=True)
            ],
            "base": base.origin if base else None,
            "validation_data": source.validation,
            "training": {
                **self.settings.config.to_json(),
                "bf16": uses_bf16(self.settings.config, device),
                "device": device.type,
                "seconds": round(self.seconds, 1),
            },
            "versions": versions,
            "validation": self.calibrated.figures,
            "calibration": self.calibrated.record,
            "ngrams": self.fitted.ngrams,
            "classes": dict(zip(self.texts.labels, self.data.train.targets.sum(0).tolist(), strict=True)),
            "baseline": self.baseline,
            "start": self.initial.figures,
            "best_epoch": self.fitted.best_epoch,
            "examples": {"train": len(self.data.train), "validation": len(self.data.validation)},
            "glove": self.initial.glove,
        }

    def _write_validation(self, path: Path) -> None:
        """Write the predictions for the validation texts; in folds, those of models without them."""
        texts, validation = self.data.texts, self.data.validation
        labels = np.where(validation.has_label, validation.labels, len(texts.labels))
        rows = prediction_rows(texts.validation, labels, self.calibrated.probabilities, texts.labels)
        hashes = hash_texts(texts.validation.texts)
        for row, key, *data_set in zip(rows, hashes, *texts.validation.columns, strict=True):
            del row["text"]
            row |= dict(zip(["data_set"], data_set, strict=False)) | {"hash": bytes(key).hex()}
        write_predictions(path, rows)


def facts_of(settings: Settings, texts: Texts) -> dict[str, Any]:
    """Return everything that the weights depend on, as JSON: the recipe, the versions, and the texts."""
    recipe, base = recipe_of(settings), settings.base
    del recipe["max_rejects"]  # it decides whether a run begins
    data_sets = {
        f"{name} of data set {number}": value
        for number, table in enumerate(recipe.pop("data"), start=1)
        for name, value in table.items()
    }
    digests = [
        digest_texts([*part.texts, *part.labels, part.class_targets(texts.labels).tobytes().hex()])
        for part in (texts.train, texts.validation)
    ]
    if kinds := read_kinds(settings.source.even_words):
        digests.append(digest_texts(map(" ".join, kinds.items())))
    if base:
        digests.append(digest_texts([base.learned.tobytes().hex(), base.sentences.targets.tobytes().hex()]))
    return {
        **recipe,
        **data_sets,
        "finetune": base.bundle.digest if base else None,
        "texts": digest_texts(digests),
        "sentcli": __version__,
        "torch": torch.__version__,
    }


def recipe_of(settings: Settings, license: str | None = None) -> dict[str, Any]:  # noqa: A002
    """Return everything that a model depends on, by the keys of a file for `sentcli train --config`.

    This includes defaults and what the data decided. The `data` are empty if the first keys say the same.
    """
    source, base = settings.source, settings.base
    first, resolved = source.data[0], vars(settings.text) | vars(settings.model) | vars(settings.config)
    plain: dict[str, Any] = {"text_column": first.text_column, "label_column": first.label_column}
    is_plain = source.data == (DataSet(first.path, **plain),)
    start: dict[str, Any] = {"glove": settings.glove}
    if base:
        start = {"finetune": base.bundle.path.name if base.bundle.is_shipped else str(base.bundle.path)}
    return {
        **({"dataset": first.path, **plain} if is_plain else {}),
        "positive": source.positive,
        **{name: getattr(source.csv, name) for name in ("delimiter", "encoding", "quotechar")},
        "skip_lines": source.csv.skip_lines or None,
        "max_rejects": source.max_rejects,
        "validation": source.validation,
        "even_words": source.even_words,
        **start,
        **{field.name: resolved[field.name] for field in settable()},
        "license": license,
        "data": [] if is_plain else [*map(asdict, source.data)],
    }


def to_toml(recipe: Mapping[str, Any]) -> str:
    """Return a recipe as TOML.

    Encode it with `surrogateescape`, because a path need not be valid UTF-8.
    """
    lines = _pairs({name: value for name, value in recipe.items() if name != "data"})
    for data in recipe["data"]:
        lines += ["", "[[data]]", *_pairs(data)]
    return "".join(f"{line}\n" for line in lines)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    """Return a line for each key with a value, spelled as options are."""
    spelled = {name.replace("_", "-"): value for name, value in table.items() if value is not None}
    return [f"{key} = {_toml(value)}" for key, value in spelled.items()]


def _toml(value: Any) -> str:
    """Return a value as TOML: as in JSON, except that TOML escapes DEL and writes tables with `=`."""
    if isinstance(value, Mapping):  # The keys are labels, which keep their spelling.
        keys = {key: key if _BARE_KEY.fullmatch(key) else _toml(key) for key in value}
        return f"{{ {', '.join(f'{keys[key]} = {_toml(value[key])}' for key in value)} }}"
    plain = value if isinstance(value, bool | int | float) else str(value)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
