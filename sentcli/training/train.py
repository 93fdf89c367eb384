"""From a labelled data set to a model folder, top to bottom."""

import json
import logging
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sentcli import __version__, plots
from sentcli.batching import length_buckets
from sentcli.bundle import (
    CARD,
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
from sentcli.errors import DataError, UsageError
from sentcli.evaluation import evaluate, softmax
from sentcli.export.graph import write_onnx
from sentcli.model import BiLSTM, round_embedding, save_weights
from sentcli.scoring import usable_cores
from sentcli.text import Vocab, tokenize, truncate
from sentcli.training.card import model_card
from sentcli.training.dataset import class_names, label_ids, load_split, train_validation
from sentcli.training.glove import load_glove, random_embedding
from sentcli.training.loop import Examples, collate, fit, uses_bf16

logger = logging.getLogger("sentcli")

NO_VECTORS = "none"


@dataclass(frozen=True)
class DataSource:
    """Where texts, labels and word vectors come from: what `sentcli.training.dataset` and `glove` take."""

    dataset: str
    text_column: str | None
    label_column: str | None
    glove: str


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
    check_target(output, overwrite=overwrite)
    checkpoint = output.parent / f".{output.name}.checkpoint"
    _check_checkpoint(checkpoint, resume=resume)
    where = _device(device)
    torch.set_num_threads(threads or usable_cores())

    data = load_split(source.dataset, "train", source.text_column, source.label_column)
    labels = class_names(data)
    train, validation = train_validation(data, config.validation_share, config.seed)
    tokens = [tokenize(text) for text in train.texts]
    vocab = Vocab.build(tokens, config.min_freq)
    counts = Counter(word for words in tokens for word in words)
    train_examples = _encode(tokens, label_ids(train.labels, labels, source.dataset), vocab, text)
    validation_tokens = [tokenize(text) for text in validation.texts]
    validation_ids = label_ids(validation.labels, labels, source.dataset)
    validation_examples = _encode(validation_tokens, validation_ids, vocab, text)
    logger.info(
        "%s: %d texts to train on, %d to validate; %d classes: %s; %d words seen %d times or more",
        source.dataset,
        len(train_examples),
        len(validation_examples),
        len(labels),
        ", ".join(labels),
        len(vocab) - 2,
        config.min_freq,
    )

    if source.glove == NO_VECTORS:
        embedding, coverage = random_embedding(vocab.words, model.embedding_dim, counts, config.seed)
    else:
        embedding, coverage = load_glove(
            source.glove, vocab.words, model.embedding_dim, counts, config.seed, progress=not quiet
        )
        logger.info("%s", coverage)
    model = replace(model, vocab_size=len(vocab), num_classes=len(labels))
    torch.manual_seed(config.seed)
    network = BiLSTM(model)
    network.embedding.weight.data.copy_(torch.from_numpy(embedding))
    history = fit(
        network,
        train_examples,
        validation_examples,
        config,
        device=where,
        checkpoint=checkpoint,
        fingerprint={"dataset": source.dataset, "glove": source.glove, **text.to_json(), **model.to_json()},
        resume=resume,
        quiet=quiet,
    )
    round_embedding(network)

    bundle_config = BundleConfig(model, text, labels)
    logits = predict(network, validation_examples)
    figures = evaluate(validation_examples.labels, softmax(logits), labels)
    best = min(history, key=lambda record: record["validation_loss"])
    metrics = {
        "dataset": source.dataset,
        "validation": figures.to_json(),
        "best_epoch": best["epoch"],
        "examples": {"train": len(train_examples), "validation": len(validation_examples)},
        "glove": {"source": Path(source.glove).name, **coverage.to_json()},
        "training": {
            **config.to_json(),
            "bf16": uses_bf16(config, where),
            "device": where.type,
            "seconds": round(sum(record["seconds"] for record in history), 1),
        },
        "versions": {"sentcli": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    with new_bundle(output, overwrite=overwrite) as folder:
        write_config(folder, bundle_config)
        (folder / VOCAB).write_text(vocab.to_text(), "utf-8")
        save_weights(network, folder / WEIGHTS)
        write_onnx(network, folder / ONNX, "folded", text.max_tokens)
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        pd.DataFrame(history).to_csv(folder / HISTORY, index=False)
        plots.curves(folder / CURVES, history)
        card = model_card(bundle_config, metrics, history, command, name=output.name, licence=licence)
        (folder / CARD).write_text(card, "utf-8")
    checkpoint.unlink()
    logger.info(
        "validation accuracy %.4f, loss %.4f; %.0f s in all",
        figures.accuracy,
        figures.log_loss,
        time.perf_counter() - started,
    )


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


def _check_checkpoint(checkpoint: Path, *, resume: bool) -> None:
    if resume and not checkpoint.exists():
        raise UsageError(f"--resume: there is no interrupted run at {checkpoint}")
    if not resume and checkpoint.exists():
        raise UsageError(
            f"{checkpoint} is left from an interrupted run: --resume goes on, or delete it to start again"
        )
