"""Self-training: a teacher of unlike models labels texts without labels, and a student learns from both."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentcli.config import SelfTrainingConfig
from sentcli.errors import BundleError, OutputError, TrainingError, UsageError
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.files.storage import resolve
from sentcli.model.bundle import Bundle, check_writable, load_bundle
from sentcli.training.corpus import DataSource, Texts, read_labeled, read_texts
from sentcli.training.defaults import DataSize
from sentcli.training.preflight import check_run
from sentcli.training.self_training.lexicon import ask_lexicon
from sentcli.training.self_training.pseudo_labels import PseudoLabels, read_pseudo_labels
from sentcli.training.self_training.rounds import Rounds, new_name
from sentcli.training.self_training.teacher import check_labels
from sentcli.training.settings import Settings
from sentcli.training.train import train_model
from sentcli.training.workdir import noted, read_note, work_folder

_log = logging.getLogger("sentcli")

_AUTO = "auto"
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
    # As it stands now: a teacher that is asked by PyTorch leaves it with a thread of its own.
    settings = replace(settings, threads=settings.cores)
    folder = work_folder(output)
    is_given = _has_labels(pseudo_labels, output, read_note(folder))
    if not source.unlabeled and not is_given:
        raise UsageError("self-training needs texts without labels; try --unlabeled")
    auto = _AUTO in teachers
    _check_teachers(plan, auto=auto, has_base=settings.base is not None)
    bundles: dict[str, Bundle] = {}
    for name in dict.fromkeys(teachers):
        if name != _AUTO:
            bundle = load_bundle(Path(name))
            bundles[new_name(bundle.name, bundles)] = bundle
    data = read_labeled(source)
    size = DataSize.of(data.texts, data.labels)
    settings = settings.settled_by_labels(size)
    texts = read_texts(source, data, settings.config.validation_share)
    if settings.base:
        texts = settings.base.check(data, texts)
    for bundle in bundles.values():
        check_labels(bundle, texts.labels)
        _check_split(bundle, texts)
    given = read_pseudo_labels(pseudo_labels, texts.labels) if pseudo_labels and is_given else None
    if given:
        _check_labels(given, texts, pseudo_labels)
    elif not texts.unlabeled:
        raise UsageError(f"--unlabeled {source.unlabeled}: no text is left to label; all are held out")
    whole = texts.unlabeled or (given.whole_texts() if given else [])
    besides = texts.sentences.texts * settings.config.sentence_repeats
    settings = settings.settled(size.with_more([*whole, *besides]))
    rounds = Rounds(texts, source, settings, plan, folder, bundles)
    note = {**rounds.to_json(), "auto": auto, "file": str(pseudo_labels), _GIVEN: _digest(given)}
    with noted(folder, note):
        pseudo = given or rounds.run(size if auto else None, pseudo_labels)
        if given:
            rounds.stages += given.notes.get("earlier", [])
            rounds.add_stages(given)
        try:
            train_model(
                texts,
                source,
                output,
                settings,
                pseudo=ask_lexicon(pseudo.without(texts.validation.texts), texts, settings, plan),
                passage_sentences=plan.passage_sentences,
                stages=rounds.stages,
                overwrite=overwrite,
            )
        except TrainingError as error:
            if pseudo_labels:
                raise
            raise TrainingError(
                f"{error}, and with --pseudo-labels and a copy of {rounds.labels_of(plan.rounds)}, which has "
                "all that the teachers said: another --lr is another run, and they would be trained again"
            ) from error


def _check_teachers(plan: SelfTrainingConfig, *, auto: bool, has_base: bool) -> None:
    """Refuse options of teachers that would not be asked."""
    if plan.teacher_pretrain and not auto:
        raise UsageError(
            "--teacher-pretrain is for teachers that are trained first; try --teacher auto as well"
        )
    if has_base and (auto or plan.rounds > 1):
        raise UsageError(
            "--from is for the student: teachers that are trained first or in more rounds begin with word "
            "vectors; train such a one without --from, then name it as --teacher"
        )


def _has_labels(path: Path | None, output: Path, begun: Mapping[str, Any] | None) -> bool:
    """Tell whether a file holds the labels already: not those that this run wrote and was stopped then.

    :param output: the folder of the model.
    :param begun: the note of the run that is resumed.
    :raises UsageError: for a file in that folder.
    :raises OutputError: when they are to be written there and cannot be, or its links lead in a circle.
    """
    if path is None:
        return False
    if resolve(output) in resolve(path).parents:
        raise UsageError(f"--pseudo-labels {path}: {output} is replaced as a whole; keep it elsewhere")
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
