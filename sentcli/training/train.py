"""From a labelled data set to a model folder, top to bottom."""

import logging
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from sentcli import __version__
from sentcli.config import BundleConfig, SelfTrainingConfig
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.leakage import Sample, sample, sample_to_json, united
from sentcli.evaluation.metrics import Evaluation
from sentcli.evaluation.model_card import hub_id_of
from sentcli.model.bilstm import choose_device, round_embedding
from sentcli.model.bundle import BASE_RECIPE, RECIPE, new_bundle
from sentcli.training.calibration import calibrate
from sentcli.training.corpus import (
    Corpus,
    DataSource,
    Texts,
    encode_texts,
    read_labeled,
    read_texts,
)
from sentcli.training.defaults import DataSize
from sentcli.training.finetune import Base
from sentcli.training.init_model import LANGUAGE_MODEL, Begun, begin, set_up
from sentcli.training.loop import fit
from sentcli.training.preflight import check_run
from sentcli.training.save_model import Trained, write_model
from sentcli.training.self_training.pseudo_labels import PseudoLabels
from sentcli.training.settings import Settings
from sentcli.training.step import ClassifierTrainer, balanced_weights, uses_bf16
from sentcli.training.workdir import check_plain_run, work_folder

_log = logging.getLogger("sentcli")


def train_bundle(
    source: DataSource, output: Path, settings: Settings, *, resume: bool, overwrite: bool
) -> None:
    """Train a model on the train split of a data set and write its bundle.

    :raises SentcliError: for data, vectors, settings or an output that will not do.
    """
    check_run(source, output, settings, resume=resume, overwrite=overwrite)
    check_plain_run(work_folder(output))
    data = read_labeled(source)
    size = DataSize.of(data.texts, data.labels)
    settings = settings.settled_by_labels(size) if source.sentences else settings.settled(size)
    texts = read_texts(source, data, settings.config.validation_share)
    settings = settings.settled(size.with_more(texts.sentences.texts * settings.config.sentence_repeats))
    if settings.base:
        texts = settings.base.check(data, texts)
    train_model(texts, source, output, settings, overwrite=overwrite)


def train_model(
    texts: Texts,
    source: DataSource,
    output: Path,
    settings: Settings,
    *,
    pseudo: PseudoLabels | None = None,
    passage_sentences: int = SelfTrainingConfig.passage_sentences,
    stages: Sequence[Mapping[str, Any]] = (),
    language_model: Path | None = None,
    overwrite: bool = False,
    name: str = "",
) -> None:
    """Train one model and write its bundle; go on where an interrupted run of the same model stopped.

    :param pseudo: what a teacher says of more texts.
    :param passage_sentences: sentences at most of the passages that the model is also validated on.
    :param stages: records of what came before, for `history.csv` and the card.
    :param language_model: where the language model is kept for other models of the same shape and seed that
        begin with it; None: with what else the run needs, until its end.
    :param name: tells it from other trainings of the same run, in bar and log.
    :raises SentcliError: for data, vectors or settings that will not do.
    :raises MemoryError: when memory is short, that of a GPU too.
    """
    started = time.perf_counter()
    work = work_folder(output)
    with set_up(settings):
        vocab = settings.base.vocab if settings.base else None
        data = encode_texts(texts, pseudo, settings.text, settings.config, passage_sentences, vocab)
        begun = begin(data, texts.labels, source, settings, language_model or work / LANGUAGE_MODEL)
        trained = _train(begun, data, texts.labels, settings, work / "checkpoint.safetensors", name)
    base = settings.base
    history = [*(base.history if base else ()), *stages, *trained.history]
    metrics: Any = {
        **_of_run(source, output, settings, trained.seconds),
        **_of_model(trained, data, pseudo, passage_sentences),
        "stages": [*(base.stages if base else ()), *stages],
        "self_training": pseudo.notes.get("plan") if pseudo else None,
        "split": digest_texts(texts.validation.texts),
        "learnt_sample": sample_to_json(_learnt(texts, pseudo, base)),
        "glove": {
            "source": base.origin["glove"]["source"] if base else Path(source.glove).name,
            **trained.coverage.to_json(),
        },
    }
    recipe = settings.recipe(settings.config) if settings.recipe else None
    with new_bundle(output, overwrite=overwrite, within=work) as folder:
        recipes = {RECIPE: recipe, BASE_RECIPE: base.recipe if base else None}
        write_model(folder, trained, history, metrics, recipes, output.name)
    shutil.rmtree(work)
    reached = trained.calibrated
    _log.info(
        "%s: validation accuracy %.4f, loss %.4f; of passages accuracy %.4f; %.0f s in all",
        output.name,
        reached.figures.accuracy,
        reached.figures.log_loss,
        reached.on_passages.accuracy,
        time.perf_counter() - started,
    )
    is_balanced = settings.config.class_weight == "balanced"
    _warn_of_one_answer(output.name, reached.figures, is_balanced=is_balanced)


def _train(
    begun: Begun, data: Corpus, labels: tuple[str, ...], settings: Settings, checkpoint: Path, name: str
) -> Trained:
    config, network = settings.config, begun.network
    examples = data.train + data.pseudo + config.sentence_repeats * data.sentences
    class_weights = balanced_weights(examples.targets) if config.class_weight == "balanced" else None
    epochs = fit(
        ClassifierTrainer(network, config, choose_device(settings.device), class_weights),
        examples,
        data.validation,
        config,
        checkpoint=checkpoint,
        fingerprint=begun.fingerprint,
        quiet=settings.quiet,
        name=name,
        vary=begun.vary,
    )
    if settings.base:
        settings.base.mix(network, config.keep)
    round_embedding(network)
    calibrated = calibrate(network, data, labels, class_weights)
    bundle_config = BundleConfig(network.config, settings.text, labels)
    return Trained(network, bundle_config, data.vocab, begun.coverage, begun.language, epochs, calibrated)


def _learnt(texts: Texts, pseudo: PseudoLabels | None, base: Base | None) -> Sample:
    learnt = united(texts.read, sample(pseudo.whole_texts() if pseudo else ()))
    return united(learnt, base.learnt) if base else learnt


def _of_run(source: DataSource, output: Path, settings: Settings, seconds: float) -> dict[str, Any]:
    """Give what `metrics.json` says of how a model was made."""
    device = choose_device(settings.device)
    return {
        "command": settings.command,
        "licence": settings.licence,
        "output": str(output),
        "dataset": source.dataset,
        "hub_id": hub_id_of(source.dataset),
        "unlabeled": source.unlabeled,
        "base": settings.base.origin if settings.base else None,
        "sentences": source.sentences,
        "validation_data": source.validation,
        "columns": {
            "text_column": source.text_column,
            "label_column": source.label_column,
            **asdict(source.csv),
        },
        "training": {
            **settings.config.to_json(),
            "bf16": uses_bf16(settings.config, device),
            "device": device.type,
            "seconds": seconds,
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _of_model(
    trained: Trained, data: Corpus, pseudo: PseudoLabels | None, passage_sentences: int
) -> dict[str, Any]:
    """Give what `metrics.json` says of what a model reached, and of how many texts."""
    return {
        **trained.calibrated.to_json(passage_sentences),
        "best_epoch": min(trained.epochs, key=lambda record: record["validation_loss"])["epoch"],
        "examples": {
            "train": len(data.train),
            "validation": len(data.validation),
            "unlabeled": len(data.unlabeled),
            "pseudo_labeled": len(data.pseudo),
            "passages": pseudo.notes.get("passages", int(pseudo.is_passage.sum())) if pseudo else 0,
            "sentences": len(data.sentences),
        },
    }


def _warn_of_one_answer(name: str, figures: Evaluation, *, is_balanced: bool) -> None:
    """Warn of a model that could as well give every text the same label."""
    classes = [scores for scores in figures.classes if scores.support]
    commonest = max(classes, key=lambda scores: scores.support)
    if is_balanced and fmean(scores.recall or 0.0 for scores in classes) <= 1 / len(classes):
        _log.warning("%s: on validation no better than by chance, class by class; try more texts", name)
    elif not is_balanced and figures.accuracy <= commonest.support / figures.examples:
        _log.warning(
            "%s: on validation no better than saying %r of every text; try more texts, or with a rare class "
            "--class-weight balanced",
            name,
            commonest.name,
        )
