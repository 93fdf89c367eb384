"""From a labelled data set to a model folder, top to bottom."""

import hashlib
import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sentcli import __version__, plots
from sentcli.bundle import (
    CURVES,
    HISTORY,
    METRICS,
    ONNX,
    RECIPE,
    RELIABILITY,
    VOCAB,
    WEIGHTS,
    check_target,
    new_bundle,
    write_config,
)
from sentcli.config import BundleConfig, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.cores import usable_cores
from sentcli.errors import OutputError, UsageError
from sentcli.evaluation import evaluate, fit_temperature, log_loss, reliability, softmax
from sentcli.export.graph import write_onnx
from sentcli.model import BiLSTM, round_embedding, save_weights
from sentcli.training.allocator import keep_freed_memory
from sentcli.training.card import MODEL_STAGE, write_card
from sentcli.training.corpus import (
    Corpus,
    DataSource,
    Texts,
    digest_texts,
    encode_texts,
    read_labeled,
    read_texts,
)
from sentcli.training.defaults import DataSize, settle
from sentcli.training.examples import Examples, evaluation_batches
from sentcli.training.glove import Coverage, check_source, load_glove, random_embedding
from sentcli.training.loop import fit
from sentcli.training.phrases import PhraseSplitter, with_phrase_vectors
from sentcli.training.pretraining import pretrain
from sentcli.training.pseudo_labels import PseudoLabels
from sentcli.training.step import ClassifierTrainer, balanced_weights, check_precision, uses_bf16

logger = logging.getLogger("sentcli")

NO_VECTORS = "none"


@dataclass(frozen=True)
class Settings:
    """How to train, all but the data and the place of the result.

    :param model: the shape; vocabulary and classes are filled in from the data.
    :param auto: fields of `config`, out of `defaults.AUTO`, that the data decides whatever they are.
    :param device: `cpu` or `cuda`; None takes CUDA where there is a device.
    :param threads: threads of PyTorch; None takes every core that this process may use.
    :param licence, command: of the model and the command line that makes it, for the card.
    :param recipe: writes the settings as TOML, given those that the data decided; None leaves the file out.
    """

    text: TextConfig
    model: ModelConfig
    config: TrainConfig
    auto: Collection[str] = ()
    device: str | None = None
    threads: int | None = None
    quiet: bool = False
    licence: str | None = None
    command: str = "sentcli train"
    recipe: Callable[[TrainConfig], str] | None = None

    def settled(self, size: DataSize) -> "Settings":
        """Give the same settings with those filled in that depend on the data."""
        return replace(self, config=settle(self.config, self.auto, size), auto=())

    @property
    def cores(self) -> int:
        # PyTorch's own number minds OMP_NUM_THREADS, but not that this process may not use all cores.
        return self.threads or min(torch.get_num_threads(), usable_cores())


def train_bundle(
    source: DataSource, output: Path, settings: Settings, *, resume: bool, overwrite: bool
) -> None:
    """Train a model on the train split of a data set and write its bundle.

    :raises SentcliError: for data, vectors, settings or an output that will not do.
    """
    check_run(source, output, settings, resume=resume, overwrite=overwrite)
    data = read_labeled(source)
    settings = settings.settled(DataSize.of(data.texts, data.labels))
    texts = read_texts(source, data, settings.config.validation_share)
    train_model(texts, source, output, settings, overwrite=overwrite)


def check_run(source: DataSource, output: Path, settings: Settings, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before hours are spent, what would fail at their end.

    :raises SentcliError: for vectors, a device, a precision or an output that will not do.
    """
    _check_output(output, work_folder(output), resume=resume, overwrite=overwrite)
    if source.glove != NO_VECTORS:
        check_source(source.glove, settings.model.embedding_dim)
    check_precision(settings.config, choose_device(settings.device))


def choose_device(name: str | None) -> torch.device:
    """Give the device of that name; without one, CUDA where there is a device.

    :raises UsageError: when CUDA is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no CUDA device here; try --device cpu")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def work_folder(output: Path) -> Path:
    """Say where a run keeps what it needs to go on after it was stopped."""
    return output.parent / f".{output.name}.training"


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
    """
    started = time.perf_counter()
    work = work_folder(output)
    device = choose_device(settings.device)
    torch.set_num_threads(settings.cores)
    keep_freed_memory()
    config, quiet = settings.config, settings.quiet

    data = encode_texts(texts, pseudo, settings.text, config, passage_sentences)
    model = replace(settings.model, vocab_size=len(data.vocab), num_classes=len(texts.labels))
    embedding, coverage = _embedding(source.glove, data, model.embedding_dim, config.seed, progress=not quiet)
    torch.manual_seed(config.seed)
    network = BiLSTM(model)
    network.embedding.weight.data.copy_(torch.from_numpy(embedding))
    words = hashlib.sha256(repr((texts.labels, data.vocab.words)).encode()).hexdigest()
    of_data = {**asdict(source), **settings.text.to_json(), "words": words}
    vary = PhraseSplitter.of(data.vocab, config.phrase_dropout)
    run: dict[str, Any] = {"resume": True, "quiet": quiet, "vary": vary}
    history: list[dict[str, Any]] = [*map(dict, stages)]
    if config.pretrain:
        records = pretrain(
            network,
            data.train + data.unlabeled,
            data.validation,
            config,
            device=device,
            checkpoint=language_model or work / "pretraining.safetensors",
            fingerprint={
                **of_data,
                "hidden": model.hidden_size,
                "layers": model.num_layers,
                "embedding": model.embedding_dim,
            },
            **run,
        )
        history += [{"stage": "language model", **record} for record in records]
    examples = data.train + data.pseudo
    class_weights = balanced_weights(examples.targets) if config.class_weight == "balanced" else None
    records = fit(
        ClassifierTrainer(network, config, device, class_weights),
        examples,
        data.validation,
        config,
        checkpoint=work / "checkpoint.safetensors",
        fingerprint={**of_data, **model.to_json()},
        name=name,
        **run,
    )
    history += [{"stage": MODEL_STAGE, **record} for record in records]
    round_embedding(network)
    uncalibrated = softmax(predict(network, data.validation))
    temperature = _calibrate(network, data.validation, class_weights)
    probabilities = softmax(predict(network, data.validation))
    figures = evaluate(data.validation.labels, probabilities, texts.labels)
    on_passages = evaluate(data.passages.labels, softmax(predict(network, data.passages)), texts.labels)
    metrics = {
        "command": settings.command,
        "licence": settings.licence,
        "dataset": source.dataset,
        "unlabeled": source.unlabeled,
        "validation": figures.to_json(),
        "validation_passages": {"sentences": passage_sentences, **on_passages.to_json()},
        "calibration": {
            "temperature": temperature,
            "log_loss_before": log_loss(data.validation.labels, uncalibrated),
            "error_before": reliability(data.validation.labels, uncalibrated).error,
            "log_loss_after": figures.log_loss,
            "error_after": figures.expected_calibration_error,
        },
        "best_epoch": min(records, key=lambda record: record["validation_loss"])["epoch"],
        "examples": {
            "train": len(data.train),
            "validation": len(data.validation),
            "unlabeled": len(data.unlabeled),
            "pseudo_labeled": len(data.pseudo),
        },
        "stages": [*stages],
        "split": digest_texts(texts.validation.texts),
        "glove": {"source": Path(source.glove).name, **coverage.to_json()},
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, device),
            "device": device.type,
            "seconds": round(sum(record.get("seconds", 0) for record in history), 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    bundle_config = BundleConfig(model, settings.text, texts.labels)
    with new_bundle(output, overwrite=overwrite) as folder:
        write_config(folder, bundle_config)
        (folder / VOCAB).write_text(data.vocab.to_text(), "utf-8")
        save_weights(network, folder / WEIGHTS)
        write_onnx(network, folder / ONNX, "folded", settings.text.max_tokens)
        if settings.recipe:
            (folder / RECIPE).write_text(settings.recipe(config), "utf-8", "surrogateescape")
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(history).to_csv(folder / HISTORY, index=False)
        plots.curves(folder / CURVES, records)
        plots.reliability_before_after(
            folder / RELIABILITY, data.validation.labels, uncalibrated, probabilities
        )
        write_card(folder, bundle_config, metrics, records, name=output.name)
    shutil.rmtree(work)
    logger.info(
        "%s: validation accuracy %.4f, loss %.4f; of passages accuracy %.4f; %.0f s in all",
        output.name,
        figures.accuracy,
        figures.log_loss,
        on_passages.accuracy,
        time.perf_counter() - started,
    )
    counts = np.bincount(data.validation.labels)
    if figures.accuracy <= counts.max() / counts.sum():
        logger.warning(
            "%s: on validation no better than saying %r of every text; try more texts, or with a rare class "
            "--class-weight balanced",
            output.name,
            texts.labels[int(counts.argmax())],
        )


def _embedding(
    glove: str, data: Corpus, dim: int, seed: int, *, progress: bool
) -> tuple[npt.NDArray[np.float32], Coverage]:
    words = data.vocab.words[: data.vocab.first_phrase]
    if glove == NO_VECTORS:
        embedding, coverage = random_embedding(words, dim, data.counts, seed)
    else:
        embedding, coverage = load_glove(glove, words, dim, data.counts, seed, progress=progress)
        logger.info("%s", coverage)
    return with_phrase_vectors(embedding, data.vocab), coverage


def _calibrate(network: BiLSTM, validation: Examples, class_weights: Tensor | None) -> float:
    """Divide the logits by the temperature that fits the validation part, within the classifier's weights.

    So every backend and every exported graph gives calibrated probabilities, without knowing of it.
    """
    weights = 1.0 if class_weights is None else class_weights.numpy()
    temperature = fit_temperature(validation.labels, predict(network, validation), weights)
    network.classifier.weight.data.div_(temperature)
    network.classifier.bias.data.div_(temperature)
    return temperature


def predict(network: BiLSTM, examples: Examples) -> npt.NDArray[np.float32]:
    """Give the logits `[examples, classes]`, in fp32 on the CPU."""
    logits = np.empty((len(examples), network.config.num_classes), np.float32)
    with torch.inference_mode():
        for rows, (ids, lengths, _) in evaluation_batches(examples, torch.device("cpu")):
            logits[rows] = network(ids, lengths).numpy()
    return logits


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written, before hours are spent on what should go there.

    :raises OutputError: then.
    """
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: no permission to write there")


def _check_output(output: Path, work: Path, *, resume: bool, overwrite: bool) -> None:
    check_target(output, overwrite=overwrite)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output.parent}: the folder cannot be made: {error.strerror}") from None
    check_writable(output.parent)
    if resume and not work.exists():
        raise UsageError(f"--resume: there is no interrupted run at {work}")
    if not resume and work.exists():
        raise UsageError(
            f"{work} is left from an interrupted run: --resume goes on, or delete it to start again"
        )
