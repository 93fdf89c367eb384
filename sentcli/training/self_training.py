"""Self-training: a teacher of unlike models labels texts without labels, and a student learns from both."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from sentcli.bundle import Bundle, load_bundle
from sentcli.config import ModelConfig, SelfTrainingConfig, TrainConfig
from sentcli.errors import BundleError, OutputError, UsageError
from sentcli.model import choose_device
from sentcli.training.auto_teachers import first_teachers, next_teachers
from sentcli.training.checks import check_run, check_writable
from sentcli.training.corpus import DataSource, Texts, read_labeled, read_texts
from sentcli.training.defaults import AUTO as AUTO_SETTINGS
from sentcli.training.defaults import DataSize, settle
from sentcli.training.labeling import RESERVED, VECTORS, label, learn_vectors
from sentcli.training.learnt import digest_texts
from sentcli.training.lexicon import ask_lexicon
from sentcli.training.metrics import read_metrics
from sentcli.training.pseudo_labels import PseudoLabels, read_pseudo_labels, write_pseudo_labels
from sentcli.training.run_folder import noted, read_note, work_folder
from sentcli.training.settings import Settings
from sentcli.training.side_by_side import Work, run_side_by_side
from sentcli.training.teacher import check_labels
from sentcli.training.train import train_model

_log = logging.getLogger("sentcli")

AUTO = "auto"
_GIVEN = "labels_given"  # in the note: the digest of labels that were there before the run


def self_train(
    source: DataSource,
    output: Path,
    settings: Settings,
    plan: SelfTrainingConfig,
    *,
    teachers: Sequence[str] = (),
    pseudo_labels: Path | None = None,
    resume: bool,
    overwrite: bool,
) -> None:
    """Train a student, in rounds, and write its bundle.

    Finished steps stay in the folder of the run until its end, so that `resume` does none of them twice.

    :param teachers: model folders; `auto` in their place has teachers trained first.
    :param pseudo_labels: a file with the labels of the last round; if it is there, the student learns from
        them and no teacher is asked, else it gets them.
    :raises SentcliError: for data, teachers, settings or an output that will not do.
    """
    check_run(source, output, settings, resume=resume, overwrite=overwrite)
    folder = work_folder(output)
    if pseudo_labels and output.resolve() in pseudo_labels.resolve().parents:
        raise UsageError(
            f"--pseudo-labels {pseudo_labels}: {output} is replaced as a whole; keep it elsewhere"
        )
    is_given = _has_labels(pseudo_labels, read_note(folder))
    if not source.unlabeled and not is_given:
        raise UsageError("self-training needs texts without labels; try --unlabeled")
    if plan.teacher_pretrain and AUTO not in teachers:
        raise UsageError(
            "--teacher-pretrain is for teachers that are trained first; try --teacher auto as well"
        )
    bundles: dict[str, Bundle] = {}
    for name in dict.fromkeys(teachers):
        if name != AUTO:
            bundles[_new_name(Path(name).name, bundles)] = load_bundle(Path(name))
    data = read_labeled(source)
    size = DataSize.of(data.texts, data.labels)
    of_labels = settings.settled(size)  # what data of that size would be trained with
    texts = read_texts(source, data, of_labels.config.validation_share)
    for bundle in bundles.values():
        check_labels(bundle, texts.labels)
        _check_split(bundle, texts)
    given = read_pseudo_labels(pseudo_labels, texts.labels) if pseudo_labels and is_given else None
    if given:
        _check_labels(given, texts, pseudo_labels)
    elif not texts.unlabeled:
        raise UsageError(f"--unlabeled {source.unlabeled}: no text is left to label; all are held out")
    whole = texts.unlabeled or (given.whole_texts() if given else [])
    settings = _settled(settings, of_labels, size, whole)
    run = _Run(texts, source, settings, plan, folder, bundles)
    auto = AUTO in teachers
    with noted(folder, {**run.to_json(), "auto": auto, "file": str(pseudo_labels), _GIVEN: _digest(given)}):
        pseudo = given or _labels_of_rounds(run, size if auto else None, pseudo_labels)
        if given:
            run.stages += given.notes.get("earlier", [])
            run.add_stages(given)
        train_model(
            texts,
            source,
            output,
            settings,
            pseudo=ask_lexicon(pseudo, texts, settings, plan),
            passage_sentences=plan.passage_sentences,
            stages=run.stages,
            overwrite=overwrite,
        )


def _labels_of_rounds(run: "_Run", labeled: DataSize | None, file: Path | None) -> PseudoLabels:
    """Label round after round, each with what learnt from the labels of the one before as well.

    :param labeled: size of the data that the first teachers learn from; None: no teachers are trained first.
    :param file: for the labels of the last round.
    :returns: those.
    """
    plan = run.plan
    if labeled:
        usual = settle(TrainConfig(), AUTO_SETTINGS, labeled)  # whatever the student is told
        run.train_teachers("teacher", first_teachers(usual, plan), None)
    for number in range(1, plan.rounds + 1):
        is_last = number == plan.rounds
        labels = file if file and is_last else run.folder / f"labels-{number}.parquet"
        if not labels.exists():
            said = label(run.texts, run.bundles, run.settings, plan, number, run.folder)
            write_pseudo_labels(labels, replace(said, notes={**said.notes, "earlier": run.stages}))
        pseudo = read_pseudo_labels(labels, run.texts.labels)
        run.add_stages(pseudo)
        _log.info("round %d of %d: %d texts with pseudo-labels", number, plan.rounds, len(pseudo.texts))
        if not is_last:
            changes = next_teachers(run.settings.config, plan) if labeled else [{}]
            run.train_teachers(f"student-{number}", changes, pseudo)
    return pseudo


def _has_labels(path: Path | None, begun: Mapping[str, Any] | None) -> bool:
    """Tell whether a file holds the labels already: not those that this run wrote and was stopped then.

    :param begun: the note of the run that is resumed.
    :raises OutputError: when they are to be written there and cannot be.
    """
    if path is None:
        return False
    if begun.get(_GIVEN) if begun else path.exists():
        return True
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")
    check_writable(path.parent)
    return False


def _check_labels(given: PseudoLabels, texts: Texts, path: Path | None) -> None:
    """Warn of labels that are of other texts, or of a teacher that learnt what is held out now."""
    if (split := given.notes.get("split")) and split != digest_texts(texts.validation.texts):
        _log.warning(
            "%s: others were held out then; passages of texts that are held out now may be in it", path
        )
    unlabeled, labeled = set(texts.unlabeled), set(given.whole_texts())
    others = sum(text not in unlabeled for text in given.whole_texts()) if unlabeled else 0
    if others:
        _log.warning("%s: %d of its texts are not among those without labels", path, others)
    missing = sum(text not in labeled for text in texts.unlabeled)
    if missing:
        _log.warning(
            "%s: it says nothing of %d of the texts without labels, which stay without; "
            "try the name of a new file to have all of them labelled",
            path,
            missing,
        )


def _digest(labels: PseudoLabels | None) -> str | None:
    return hashlib.sha256(labels.targets.tobytes()).hexdigest() if labels else None


def _settled(settings: Settings, of_labels: Settings, labeled: DataSize, whole: Sequence[str]) -> Settings:
    """Choose what is left to the data for all that a student learns from."""
    of_classes = ("validation_share", "class_weight")  # what has no label says nothing about them
    chosen = {name: getattr(of_labels.config, name) for name in of_classes}
    settings = replace(
        settings,
        config=replace(settings.config, **chosen),
        auto=[name for name in settings.auto if name not in of_classes],
    )
    words = labeled.words + sum(text.count(" ") + 1 for text in whole)
    return settings.settled(replace(labeled, texts=labeled.texts + len(whole), words=words))


@dataclass
class _Run:
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
        labeled = (self.texts.train, self.texts.validation)
        texts = (*(part.texts for part in labeled), self.texts.unlabeled)
        return {
            **asdict(self.source),
            **self.settings.text.to_json(),
            **self.settings.model.to_json(),
            **self.settings.config.to_json(),
            **self.plan.to_json(),
            "teachers": {name: bundle.digest for name, bundle in self.bundles.items()},
            "texts": [*map(digest_texts, texts)],
            "labels": [digest_texts(part.labels) for part in labeled],
        }

    def add_stages(self, pseudo: PseudoLabels) -> None:
        """Keep what the teachers of a round reached."""
        members, number = pseudo.notes.get("members", {}), pseudo.notes.get("round")
        self.stages += [{"stage": f"round {number}: {name}", **reached} for name, reached in members.items()]

    def train_teachers(
        self, name: str, all_changes: Sequence[dict[str, Any]], pseudo: PseudoLabels | None
    ) -> None:
        """Train teachers for the next round, those that are not there yet, each with a seed of its own.

        On a CPU they are trained side by side, and share the threads; beside the first of several, the
        vectors of the texts are learnt.

        :param all_changes: what each changes in the settings of the student.
        """
        numbers = range(1, len(all_changes) + 1)
        outputs = [self.folder / (f"{name}-{number}" if len(all_changes) > 1 else name) for number in numbers]
        waiting = [number for number, output in zip(numbers, outputs, strict=True) if not output.exists()]
        # By the number of all: with other threads, the last one of an interrupted run would be another model.
        cores = self.settings.cores
        threads = threads_of_each(cores, len(outputs), choose_device(self.settings.device).type)
        trainings = [
            partial(
                train_model,
                self.texts,
                self.source,
                outputs[number - 1],
                _changed(
                    replace(self.settings, threads=threads),
                    {"seed": self.settings.config.seed + number, **all_changes[number - 1]},
                ),
                pseudo=pseudo,
                passage_sentences=self.plan.passage_sentences,
                language_model=self.folder / f"language-model-{number}.safetensors",
                name=outputs[number - 1].name,
            )
            for number in waiting
        ]
        if threads < cores:
            works: list[Work] = [*trainings]
            learns_vectors = self.plan.document_vectors and pseudo is None
            if learns_vectors and not (self.folder / VECTORS).exists():
                one = replace(self.settings, threads=1, recipe=None)
                works.append(partial(learn_vectors, self.texts, one, self.plan, self.folder))
            run_side_by_side(works, at_once=cores // threads)
        else:
            for train in trainings:
                train()
        for output in outputs:
            bundle = load_bundle(output)
            self.bundles[_new_name(output.name, self.bundles)] = bundle
            self.stages.append({"stage": output.name, **_validation(bundle)})


def threads_of_each(cores: int, teachers: int, device: str) -> int:
    """Share the cores among the teachers of a round; where they are trained in turn, each has all of them.

    :param device: `cpu`, or one that a single teacher keeps busy.
    """
    return max(cores // teachers, 1) if device == "cpu" else cores


def _new_name(name: str, taken: Collection[str]) -> str:
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
        recipe=None,
    )


def _validation(bundle: Bundle) -> dict[str, float]:
    validation = read_metrics(bundle)["validation"]
    return {"validation_loss": validation["log_loss"], "validation_accuracy": validation["accuracy"]}


def _check_split(bundle: Bundle, texts: Texts) -> None:
    """Warn of a teacher that may have learnt the texts on which teachers are weighed."""
    try:
        split = read_metrics(bundle).get("split")
    except BundleError:  # of a folder that `sentcli train` did not write
        split = None
    if split != digest_texts(texts.validation.texts):
        _log.warning(
            "%s: it was validated on other texts; if it was trained on those that are held out now, "
            "the teacher trusts it too much",
            bundle.path,
        )
