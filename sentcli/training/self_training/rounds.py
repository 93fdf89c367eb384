"""The rounds of self-training: what learnt from the labels of one round is among the teachers of the next."""

import filecmp
import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from sentcli.config import SEEDS, ModelConfig, SelfTrainingConfig, TrainConfig
from sentcli.errors import OutputError
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bilstm import choose_device
from sentcli.model.bundle import Bundle, load_bundle
from sentcli.training.corpus import DataSource, Texts
from sentcli.training.defaults import DataSize, choices
from sentcli.training.extra_data import NO_SENTENCES
from sentcli.training.init_model import LANGUAGE_MODEL, train_language_model
from sentcli.training.parallel import Work, run_side_by_side
from sentcli.training.self_training.choices import first_teachers, next_teachers
from sentcli.training.self_training.labels import RESERVED, VECTORS, label, learn_vectors
from sentcli.training.self_training.pseudo_labels import (
    PseudoLabels,
    copy_pseudo_labels,
    read_pseudo_labels,
    write_pseudo_labels,
)
from sentcli.training.settings import Settings
from sentcli.training.train import train_model

_log = logging.getLogger("sentcli")


@dataclass
class Rounds:
    """What the rounds of a run share.

    :param folder: where finished teachers stay until the end of the run.
    :param bundles: the teachers so far, by name.
    :param stages: what each step reached, for `history.csv` and the card.
    """

    texts: Texts
    source: DataSource
    settings: Settings
    plan: SelfTrainingConfig
    folder: Path
    bundles: dict[str, Bundle]
    stages: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give what the numbers of the run depend on, as it begins."""
        labeled, sentences = (self.texts.train, self.texts.validation), self.texts.sentences
        texts = (*(part.texts for part in labeled), self.texts.unlabeled)
        return {
            **asdict(self.source),
            **self.settings.text.to_json(),
            **self.settings.model.to_json(),
            **self.settings.config.to_json(),
            **self.plan.to_json(),
            "base": self.settings.base.digest if self.settings.base else None,
            "teachers": {name: bundle.digest for name, bundle in self.bundles.items()},
            "texts": [*map(digest_texts, texts)],
            "labels": [digest_texts(part.labels) for part in labeled],
            "texts of sentences": digest_texts(sentences.texts),
            "labels of sentences": digest_texts(sentences.labels),
        }

    def labels_of(self, number: int) -> Path:
        """Say where the labels of a round are kept until the end of the run."""
        return self.folder / f"labels-{number}.parquet"

    def add_stages(self, pseudo: PseudoLabels) -> None:
        """Keep what the teachers of a round reached."""
        members, number = pseudo.notes.get("members", {}), pseudo.notes.get("round")
        self.stages += [{"stage": f"round {number}: {name}", **reached} for name, reached in members.items()]

    def run(self, labeled: DataSize | None, file: Path | None) -> PseudoLabels:
        """Label round after round, each with what learnt from the labels of the one before as well.

        :param labeled: size of the data that the first teachers learn from; None: none are trained first.
        :param file: for a copy of the labels of the last round.
        :returns: those.
        :raises OutputError: when the file is there and is no such copy, or cannot be written.
        """
        plan = self.plan
        if file:
            self._check_copy(file)
        if labeled:
            usual = TrainConfig(**choices(labeled))  # whatever the student is told
            self.train_teachers("teacher", first_teachers(usual, plan), None)
        for number in range(1, plan.rounds + 1):
            is_last = number == plan.rounds
            labels = self.labels_of(number)
            if not labels.exists():
                said = label(self.texts, self.bundles, self.settings, plan, number, self.folder)
                write_pseudo_labels(labels, replace(said, notes={**said.notes, "earlier": self.stages}))
            pseudo = read_pseudo_labels(labels, self.texts.labels)
            self.add_stages(pseudo)
            _log.info("round %d of %d: %d texts with pseudo-labels", number, plan.rounds, len(pseudo.texts))
            if not is_last:
                changes = next_teachers(self.settings.config, plan) if labeled else [{}]
                self.train_teachers(f"student-{number}", changes, pseudo)
        if file:
            self._check_copy(file)
            copy_pseudo_labels(labels, file)
        return pseudo

    def _check_copy(self, file: Path) -> None:
        """Refuse labels that came from elsewhere since the run began: they are no work of its teachers."""
        labels = self.labels_of(self.plan.rounds)
        if file.exists() and not (labels.exists() and filecmp.cmp(labels, file, shallow=False)):
            raise OutputError(
                f"{file}: it appeared since the run began, and its labels are not those of this run; "
                "move it away, then try again"
            )

    def train_teachers(
        self, name: str, all_changes: Sequence[dict[str, Any]], pseudo: PseudoLabels | None
    ) -> None:
        """Train teachers for the next round, those that are not there yet, each with a seed of its own.

        On a CPU they are trained side by side, and share the threads; beside the first of several, the
        vectors of the texts are learnt, and the language model that the student begins with.

        :param all_changes: what each changes in the settings of the student.
        """
        teachers = len(all_changes)
        outputs = [self.folder / (f"{name}-{n}" if teachers > 1 else name) for n in range(1, teachers + 1)]
        # Divided by all teachers, not by those that are left: the bits of a model depend on its threads.
        cores = self.settings.cores
        threads = threads_of_each(cores, teachers, choose_device(self.settings.device).type)
        settings = replace(self.settings, threads=threads, recipe=None)
        trainings = [
            partial(
                train_model,
                replace(self.texts, sentences=NO_SENTENCES),  # they tell of no text without labels
                self.source,
                output,
                _changed(settings, {"seed": (self.settings.config.seed + number) % SEEDS, **changes}),
                pseudo=pseudo,
                passage_sentences=self.plan.passage_sentences,
                language_model=self.folder / f"language-model-{number}.safetensors",
                name=output.name,
            )
            for number, (output, changes) in enumerate(zip(outputs, all_changes, strict=True), start=1)
            if not output.exists()
        ]
        if threads < cores:
            works: list[Work] = [*trainings]
            learns_vectors = self.plan.document_vectors and pseudo is None
            if learns_vectors and not (self.folder / VECTORS).exists():
                one = replace(settings, threads=1)
                works.append(partial(learn_vectors, self.texts, one, self.plan, self.folder))
            ahead = self.folder / LANGUAGE_MODEL
            if pseudo is None and self.settings.config.pretrain and not ahead.exists():
                works.append(partial(train_language_model, self.texts, self.source, settings, ahead))
            run_side_by_side(works, at_once=cores // threads)
        else:
            for train in trainings:
                train()
        for output in outputs:
            bundle = load_bundle(output)
            self.bundles[new_name(output.name, self.bundles)] = bundle
            self.stages.append({"stage": output.name, **_validation(bundle)})


def threads_of_each(cores: int, teachers: int, device: str) -> int:
    """Share the cores among the teachers of a round; where they are trained in turn, each has all of them.

    :param device: `cpu`, or one that a single teacher keeps busy.
    """
    return max(cores // teachers, 1) if device == "cpu" else cores


def new_name(name: str, taken: Collection[str]) -> str:
    """Tell a teacher from others whose folder has the same name, and from what is no network."""
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(each for each in names if each not in (*taken, *RESERVED))


def _changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Give the settings with some fields of the model's shape and of the training changed."""
    of_model = {name: value for name, value in changes.items() if name in ModelConfig.__dataclass_fields__}
    of_training = {name: value for name, value in changes.items() if name in TrainConfig.__dataclass_fields__}
    return replace(
        settings,
        model=replace(settings.model, **of_model),
        config=replace(settings.config, **of_training),
    )


def _validation(bundle: Bundle) -> dict[str, float]:
    validation = read_metrics(bundle)["validation"]
    return {"validation_loss": validation["log_loss"], "validation_accuracy": validation["accuracy"]}
