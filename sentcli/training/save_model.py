"""What came out of a training, and the files that it is kept in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sentcli.config import BundleConfig
from sentcli.evaluation import plots
from sentcli.evaluation.history import MODEL_STAGE, earlier_epochs
from sentcli.evaluation.metrics_file import Metrics
from sentcli.evaluation.model_card import write_card
from sentcli.export.export import write_onnx
from sentcli.model.bilstm import BiLSTM, save_weights
from sentcli.model.bundle import CURVES, HISTORY, METRICS, ONNX, RELIABILITY, VOCAB, WEIGHTS, write_config
from sentcli.text.vocabulary import Vocab
from sentcli.training.calibration import Calibrated
from sentcli.training.glove import Coverage


@dataclass(frozen=True)
class Trained:
    """A model with what it needs to be used, and how its training went.

    :param language, epochs: a record for each epoch, as a language model and of the classes, as `fit` has it.
    """

    network: BiLSTM
    config: BundleConfig
    vocab: Vocab
    coverage: Coverage
    language: list[dict[str, float]]
    epochs: list[dict[str, float]]
    calibrated: Calibrated

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of all epochs, each with its stage."""
        stages = {"language model": self.language, MODEL_STAGE: self.epochs}
        return [{"stage": stage, **record} for stage, records in stages.items() for record in records]

    @property
    def seconds(self) -> float:
        """The time of all epochs."""
        return round(sum(record["seconds"] for record in [*self.language, *self.epochs]), 1)


def write_model(
    folder: Path,
    trained: Trained,
    history: Sequence[Mapping[str, Any]],
    metrics: Metrics,
    recipes: Mapping[str, str | None],
    name: str,
) -> None:
    """Write all files of a model but the manifest, the card last: it lists the others.

    :param history: of all stages, for `history.csv`.
    :param recipes: by file name, of the run and of what it went on from, as far as there are some.
    :param name: of the model, for its card.
    :raises ExportError: when the ONNX model does not agree with the network.
    """
    network, calibrated = trained.network, trained.calibrated
    write_config(folder, trained.config)
    (folder / VOCAB).write_text(trained.vocab.to_text(), "utf-8")
    save_weights(network, folder / WEIGHTS)
    write_onnx(network, folder / ONNX, "folded", trained.config.text.max_tokens)
    for file, recipe in recipes.items():
        if recipe:
            (folder / file).write_text(recipe, "utf-8", "surrogateescape")
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    pd.DataFrame(history).to_csv(folder / HISTORY, index=False)
    plots.curves(folder / CURVES, trained.epochs, earlier_epochs(history))
    diagrams = {
        "Before calibration": calibrated.uncalibrated,
        "After calibration": calibrated.probabilities,
    }
    plots.reliability(folder / RELIABILITY, calibrated.labels, diagrams)
    write_card(folder, trained.config, metrics, trained.epochs, name=name)
