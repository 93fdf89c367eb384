"""From a labelled data set to a model folder, top to bottom."""

import hashlib
import json
import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sentcli import __version__, plots
from sentcli.batching import length_buckets
from sentcli.bundle import (
    CURVES,
    HISTORY,
    METRICS,
    ONNX,
    VOCAB,
    WEIGHTS,
    check_target,
    new_bundle,
    write_config,
)
from sentcli.config import BundleConfig, ModelConfig, TextConfig, TrainConfig
from sentcli.errors import DataError, OutputError, UsageError
from sentcli.evaluation import evaluate, softmax
from sentcli.export.graph import write_onnx
from sentcli.model import BiLSTM, round_embedding, save_weights
from sentcli.scoring import usable_cores
from sentcli.text import Vocab, tokenize, truncate
from sentcli.training.card import write_card
from sentcli.training.dataset import class_names, label_ids, load_split, train_validation
from sentcli.training.glove import Coverage, check_source, load_glove, random_embedding
from sentcli.training.loop import Examples, collate, fit
from sentcli.training.step import uses_bf16

logger = logging.getLogger("sentcli")

NO_VECTORS = "none"


@dataclass(frozen=True)
class DataSource:
    """Where texts, labels and word vectors come from: what `sentcli.training.dataset` and `glove` take."""

    dataset: str
    text_column: str | None
    label_column: str | None
    glove: str


@dataclass(frozen=True)
class _Data:
    """What is trained on.

    :param labels: the name of each class.
    :param counts: how often each word of the training part occurs in it.
    """

    train: Examples
    validation: Examples
    labels: tuple[str, ...]
    vocab: Vocab
    counts: Counter[str]

    @property
    def digest(self) -> str:
        """Tell this training part from another one by its classes and its words, the most frequent first."""
        return hashlib.sha256(repr((self.labels, self.vocab.words)).encode()).hexdigest()


def train_bundle(
    source: DataSource,
    output: Path,
    *,
    text: TextConfig,
    model: ModelConfig,
    config: TrainConfig,
    device: str | None,
    threads: int | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    licence: str | None,
    command: str,
) -> None:
    """Train a model on the train split of a data set and write its bundle.

    :param model: the shape; vocabulary and classes are filled in from the data.
    :param licence, command: of the model and the command line that makes it, for the card.
    :raises SentcliError: for data, vectors, settings or an output that will not do.
    """
    started = time.perf_counter()
    checkpoint = output.parent / f".{output.name}.checkpoint"
    _check_output(output, checkpoint, resume=resume, overwrite=overwrite)
    if source.glove != NO_VECTORS:
        check_source(source.glove, model.embedding_dim)
    where = _device(device)
    torch.set_num_threads(threads or usable_cores())

    data = _read(source, text, config)
    model = replace(model, vocab_size=len(data.vocab), num_classes=len(data.labels))
    embedding, coverage = _embedding(source.glove, data, model.embedding_dim, config.seed, progress=not quiet)
    torch.manual_seed(config.seed)
    network = BiLSTM(model)
    network.embedding.weight.data.copy_(torch.from_numpy(embedding))
    history = fit(
        network,
        data.train,
        data.validation,
        config,
        device=where,
        checkpoint=checkpoint,
        fingerprint={**asdict(source), **text.to_json(), **model.to_json(), "words": data.digest},
        resume=resume,
        quiet=quiet,
    )
    round_embedding(network)

    figures = evaluate(data.validation.labels, softmax(predict(network, data.validation)), data.labels)
    metrics = {
        "command": command,
        "licence": licence,
        "dataset": source.dataset,
        "validation": figures.to_json(),
        "best_epoch": min(history, key=lambda record: record["validation_loss"])["epoch"],
        "examples": {"train": len(data.train), "validation": len(data.validation)},
        "glove": {"source": Path(source.glove).name, **coverage.to_json()},
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, where),
            "device": where.type,
            "seconds": round(sum(record["seconds"] for record in history), 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    bundle_config = BundleConfig(model, text, data.labels)
    with new_bundle(output, overwrite=overwrite) as folder:
        write_config(folder, bundle_config)
        (folder / VOCAB).write_text(data.vocab.to_text(), "utf-8")
        save_weights(network, folder / WEIGHTS)
        write_onnx(network, folder / ONNX, "folded", text.max_tokens)
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(history).to_csv(folder / HISTORY, index=False)
        plots.curves(folder / CURVES, history)
        write_card(folder, bundle_config, metrics, history, name=output.name)
    checkpoint.unlink()
    logger.info(
        "validation accuracy %.4f, loss %.4f; %.0f s in all",
        figures.accuracy,
        figures.log_loss,
        time.perf_counter() - started,
    )


def _read(source: DataSource, text: TextConfig, config: TrainConfig) -> _Data:
    """Read the train split, hold a part of it out, and turn both into ids."""
    data = load_split(source.dataset, "train", source.text_column, source.label_column)
    labels = class_names(data)
    train, validation = train_validation(data, config.validation_share, config.seed)
    tokens = [tokenize(text) for text in train.texts]
    vocab = Vocab.build(tokens, config.min_freq)
    held_out = [tokenize(text) for text in validation.texts]
    read = _Data(
        train=_encode(tokens, label_ids(train.labels, labels, train.where), vocab, text),
        validation=_encode(held_out, label_ids(validation.labels, labels, validation.where), vocab, text),
        labels=labels,
        vocab=vocab,
        counts=Counter(chain.from_iterable(tokens)),
    )
    logger.info(
        "%s: %d texts to train on, %d to validate; %d classes: %s; %d words seen %d times or more",
        source.dataset,
        len(read.train),
        len(read.validation),
        len(labels),
        ", ".join(labels),
        len(vocab) - 2,
        config.min_freq,
    )
    return read


def _embedding(
    glove: str, data: _Data, dim: int, seed: int, *, progress: bool
) -> tuple[npt.NDArray[np.float32], Coverage]:
    if glove == NO_VECTORS:
        return random_embedding(data.vocab.words, dim, data.counts, seed)
    embedding, coverage = load_glove(glove, data.vocab.words, dim, data.counts, seed, progress=progress)
    logger.info("%s", coverage)
    return embedding, coverage


def predict(network: BiLSTM, examples: Examples) -> npt.NDArray[np.float32]:
    """Give the logits `[examples, classes]`, in fp32 on the CPU."""
    logits = np.empty((len(examples), network.config.num_classes), np.float32)
    with torch.inference_mode():
        for rows in length_buckets([len(ids) for ids in examples.ids], 32_768):
            ids, lengths, _ = collate(examples, rows, torch.device("cpu"))
            logits[rows] = network(ids, lengths).numpy()
    return logits


def _encode(
    tokens: Sequence[Sequence[str]], labels: npt.NDArray[np.int64], vocab: Vocab, text: TextConfig
) -> Examples:
    ids = [truncate(vocab.encode(words), text.max_tokens) for words in tokens]
    kept = [row for row, sequence in enumerate(ids) if sequence]
    if len(kept) < len(ids):
        logger.info("%d texts without a word were left out", len(ids) - len(kept))
    if not kept:
        raise DataError("no text with a word in it is left to train or validate on")
    return Examples([ids[row] for row in kept], labels[kept])


def _device(name: str | None) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no CUDA device here; try --device cpu")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def _check_output(output: Path, checkpoint: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse, before hours are spent, what could not be written at their end."""
    check_target(output, overwrite=overwrite)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output.parent}: the folder cannot be made: {error.strerror}") from None
    if not os.access(output.parent, os.W_OK):
        raise OutputError(f"{output.parent}: no permission to write there")
    if resume and not checkpoint.exists():
        raise UsageError(f"--resume: there is no interrupted run at {checkpoint}")
    if not resume and checkpoint.exists():
        raise UsageError(
            f"{checkpoint} is left from an interrupted run: --resume goes on, or delete it to start again"
        )
