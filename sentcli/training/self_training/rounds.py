"""The rounds of self-training: models trained on the labels of one round are teachers in the next."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sentcli.config import SEEDS, ModelConfig, SelfTrainingConfig, TrainConfig
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bundle import Bundle, load_bundle
from sentcli.training.corpus import DataSource, Texts
from sentcli.training.self_training.pseudo_labels import (
    PseudoLabels,
    read_pseudo_labels,
    write_pseudo_labels,
)
from sentcli.training.self_training.teacher import check_labels, label, own_name
from sentcli.training.settings import DataSize, Settings, choices
from sentcli.training.train_model import train_model

_log = logging.getLogger("sentcli")


@dataclass
class Rounds:
    """The rounds of one run. Results stay in the work folder, so that a continued run repeats no step.

    :param work: the work folder of the run.
    :param bundles: the teachers so far, by name.
    :param stages: the figures of each step, for `history.csv` and the card.
    """

    texts: Texts
    source: DataSource
    settings: Settings
    plan: SelfTrainingConfig
    work: Path
    bundles: dict[str, Bundle]
    stages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for bundle in self.bundles.values():
            check_labels(bundle, self.texts.labels)

    def run(self, labelled: DataSize | None) -> PseudoLabels:
        """Label the texts, round after round, and train teachers for the next round in between.

        :param labelled: size of the labelled data, to train teachers before the first round; None: do not.
        :returns: the labels of the last round.
        :raises SentcliError, MemoryError: as `train_model` and `label`.
        """
        if labelled:
            self._train_teachers("teacher", [first_teacher(labelled)], None)
        for number in range(1, self.plan.rounds + 1):
            file = self.work / f"labels-{number}.parquet"
            if not file.exists():
                said = label(self.texts, self.bundles, self.settings, self.plan, number)
                write_pseudo_labels(file, said)
            pseudo = read_pseudo_labels(file)
            self.stages += [
                {"stage": f"round {number}: {name}", **figures} for name, figures in pseudo.reached.items()
            ]
            _log.info("round %d of %d: %d labelled texts", number, self.plan.rounds, len(pseudo.texts))
            if number < self.plan.rounds:
                changes = next_teachers(self.settings.config) if labelled else [{}]
                self._train_teachers(f"student-{number}", changes, pseudo)
        return pseudo

    def _train_teachers(
        self, name: str, all_changes: Sequence[dict[str, Any]], pseudo: PseudoLabels | None
    ) -> None:
        """Train the teachers that are not finished yet, one after the other, each with its own seed.

        :param all_changes: for each teacher, the settings that differ from those of the student.
        """
        for number, changes in enumerate(all_changes, start=1):
            own = f"{name}-{number}" if len(all_changes) > 1 else name
            output = self.work / own
            if not output.exists():
                seed = (self.settings.config.seed + number) % SEEDS
                train_model(
                    self.texts,
                    self.source,
                    output,
                    _changed(self.settings, {"seed": seed, **changes}),
                    self.work,
                    plan=self.plan,
                    pseudo=pseudo,
                    name=own,
                )
            bundle = load_bundle(output)
            self.bundles[own_name(own, self.bundles)] = bundle
            validation = read_metrics(bundle)["validation"]
            figures = {"loss": validation["log_loss"], "accuracy": validation["accuracy"]}
            self.stages.append(
                {"stage": own, **{f"validation_{key}": value for key, value in figures.items()}}
            )


def first_teacher(labelled: DataSize) -> dict[str, Any]:
    """Return the settings that differ from the student's, for a teacher that learns only from labels.

    It has no bigrams, which only make the student faster.

    :param labelled: the amount of data, which decides epochs and batch size.
    """
    usual = TrainConfig(**choices(labelled))
    return {
        "hidden_size": 128,
        "batch_size": usual.batch_size,
        "embedding_dropout": 0.3,
        "dropout": 0.5,
        "epochs": usual.epochs + 1,
        "lr": usual.lr,
        "label_smoothing": 0.1,
        "word_dropout": 0.2,
        "bigrams": 0,
    }


def next_teachers(student: TrainConfig) -> list[dict[str, Any]]:
    """Return the settings that differ from the student's, for teachers that learn from pseudo-labels.

    Models of different sizes and seeds make different errors. They are trained without the adversarial pass,
    but for one epoch more.
    """
    changes = {
        "embedding_dropout": 0.1,
        "dropout": 0.3,
        "lr": 2e-3,
        "word_dropout": 0.1,
        "bigrams": 0,
        "epochs": student.epochs + 1,
        "adversarial": 0.0,
    }
    return [{"hidden_size": 96, **changes}, {"hidden_size": 64, **changes}]


def _changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Return the settings with these changes to the shape of the model and to its training."""
    shape = {name: value for name, value in changes.items() if name in ModelConfig.__dataclass_fields__}
    training = {name: value for name, value in changes.items() if name in TrainConfig.__dataclass_fields__}
    model, config = replace(settings.model, **shape), replace(settings.config, **training)
    return replace(settings, model=model, config=config, recipe=None, base=None)
