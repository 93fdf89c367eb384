"""The steps of self-training: train a teacher if one is wanted, and label the texts without labels."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentcli.config import SEEDS, SelfTrainingConfig, TrainConfig
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bundle import Bundle, load_bundle
from sentcli.training.corpus import DataSource, Texts
from sentcli.training.self_training.pseudo_labels import (
    PseudoLabels,
    read_pseudo_labels,
    write_pseudo_labels,
)
from sentcli.training.self_training.teacher import label, own_name
from sentcli.training.settings import DataSize, Settings, choices
from sentcli.training.train_model import train_model

_TEACHER = "teacher"


def teach(
    texts: Texts,
    source: DataSource,
    settings: Settings,
    plan: SelfTrainingConfig,
    work: Path,
    bundles: Mapping[str, Bundle],
    labelled: DataSize | None,
) -> tuple[PseudoLabels, list[dict[str, Any]]]:
    """Label the texts. Results stay in the work folder, so that a continued run repeats no step.

    :param bundles: the teachers, by name.
    :param labelled: size of the labelled data, to train one more teacher first; None: do not.
    :returns: the labels, and the figures of each teacher for `history.csv` and the card.
    :raises SentcliError, MemoryError: as `train_model` and `label`.
    """
    stages = []
    if labelled:
        output = work / _TEACHER
        if not output.exists():
            train_model(texts, source, output, _for_teacher(settings, labelled), work, name=_TEACHER)
        bundle = load_bundle(output)
        bundles = {**bundles, own_name(_TEACHER, bundles): bundle}
        validation = read_metrics(bundle)["validation"]
        figures = {"validation_loss": validation["log_loss"], "validation_accuracy": validation["accuracy"]}
        stages.append({"stage": _TEACHER, **figures})
    file = work / "labels.parquet"
    if not file.exists():
        write_pseudo_labels(file, label(texts, bundles, settings, plan))
    pseudo = read_pseudo_labels(file)
    stages += [{"stage": f"labels of {name}", **figures} for name, figures in pseudo.reached.items()]
    return pseudo, stages


def _for_teacher(settings: Settings, labelled: DataSize) -> Settings:
    """Return the settings of a teacher that learns only from labels.

    It has another seed, and no bigrams, which only make the student faster.

    :param labelled: the amount of data, which decides epochs and batch size.
    """
    usual = TrainConfig(**choices(labelled))
    config = replace(
        settings.config,
        seed=(settings.config.seed + 1) % SEEDS,
        epochs=usual.epochs + 1,
        batch_size=usual.batch_size,
        lr=usual.lr,
        label_smoothing=0.1,
        word_dropout=0.2,
        bigrams=0,
    )
    model = replace(settings.model, hidden_size=128, embedding_dropout=0.3, dropout=0.5)
    return replace(settings, model=model, config=config, recipe=None, base=None)
