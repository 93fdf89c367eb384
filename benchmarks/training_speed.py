"""Compare training on padded batches with `nn.LSTM` on packed sequences, on one core.

    python benchmarks/training_speed.py --dataset stanfordnlp/imdb --json training_speed.json

Both routes make the same steps of the default model on the same batches of the first epoch, in one thread.
One of every 11 batches is taken, evenly over their lengths, and the routes take turns from batch to batch.
Times are CPU seconds of this process. With --give-back the C library returns the memory of freed tensors to
the system, as it does by default.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import machine
import numpy as np
import numpy.typing as npt
import torch
from ending import run

from sentcli.config import DEFAULT_DATASET, DataSet, ModelConfig, TextConfig, TrainConfig
from sentcli.datasets.labels import class_names, label_ids
from sentcli.datasets.load import load_split
from sentcli.datasets.splits import train_validation
from sentcli.model.bilstm import BiLSTM
from sentcli.text.tokenizer import Vocab, truncate, words_of
from sentcli.training.classifier import uses_bf16
from sentcli.training.corpus import Examples, collate, epoch_batches
from sentcli.training.init_model import torch_set_up
from sentcli.training.loop import Learner

CPU = torch.device("cpu")
ROUTES = ("padded", "packed")
TEXT, CONFIG = TextConfig(), TrainConfig()
Rows = npt.NDArray[np.intp]


def read(dataset: str) -> tuple[Examples, ModelConfig]:
    """Return the training part that `sentcli train` would read, and the shape of its model."""
    data = load_split(DataSet(dataset), "train")
    labels = class_names(data)
    train, _ = train_validation(data, CONFIG.validation_share)
    tokens = [words_of(text) for text in train.texts]
    vocab = Vocab.of_counts(Counter(chain.from_iterable(tokens)), CONFIG.min_freq)
    ids = [np.array(truncate(vocab.encode(words), TEXT.max_tokens), np.int32) for words in tokens]
    targets = np.eye(len(labels), dtype=np.float32)[label_ids(train.labels, labels, train.where)]
    return Examples(ids, targets), ModelConfig(vocab_size=len(vocab), num_classes=len(labels))


def sample(examples: Examples, every: int) -> list[Rows]:
    """Return one of `every` batches of an epoch, evenly over their lengths."""
    batches = epoch_batches(examples, CONFIG.batch_size, CONFIG.seed, 0)
    batches.sort(key=lambda rows: max(len(examples.ids[row]) for row in rows))
    return batches[every // 2 :: every]


def step_seconds(learner: Learner, examples: Examples, rows: Rows) -> float:
    """Return the CPU seconds of one step of `sentcli.training.loop.fit`."""
    started = time.process_time()
    ids, lengths, targets = collate(examples, rows, CPU)
    learner.step(ids, lengths, targets, CONFIG.lr)
    return time.process_time() - started


def measure(
    examples: Examples, shape: ModelConfig, batches: Sequence[Rows], repeats: int
) -> list[list[float]]:
    """Return the seconds of all batches together for each route, one list per repeat."""
    learners = []
    for packed in (False, True):
        torch.manual_seed(CONFIG.seed)
        model = BiLSTM(shape).train()
        if packed:
            model._padded_states = model._packed_states
        learners.append(Learner(model, CONFIG, CPU))
        step_seconds(learners[-1], examples, batches[0])  # warm
    seconds = [[0.0, 0.0] for _ in range(repeats)]
    for totals in seconds:
        for number, rows in enumerate(batches):
            for route in (0, 1) if number % 2 else (1, 0):
                totals[route] += step_seconds(learners[route], examples, rows)
    return seconds


def report(
    examples: Examples, shape: ModelConfig, batches: Sequence[Rows], seconds: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Return the figures with the machine and the settings, for JSON."""
    reviews = sum(map(len, batches))
    words = sum(len(examples.ids[row]) for rows in batches for row in rows)
    medians = dict(zip(ROUTES, map(statistics.median, zip(*seconds, strict=True)), strict=True))
    ratios = sorted(packed / padded for padded, packed in seconds)
    return {
        "machine": {
            **machine.describe(["torch"]),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "bf16": uses_bf16(CONFIG, CPU),
            "threads": 1,
        },
        "model": shape.to_json(),
        "max_tokens": TEXT.max_tokens,
        "batch_size": CONFIG.batch_size,
        "sample": {"batches": len(batches), "reviews": reviews, "words": words, "of_reviews": len(examples)},
        "seconds": [dict(zip(ROUTES, each, strict=True)) for each in seconds],
        "words_per_second": {route: words / median for route, median in medians.items()},
        "epoch_seconds": {route: median * len(examples) / reviews for route, median in medians.items()},
        "ratio": {"median": statistics.median(ratios), "lowest": ratios[0], "highest": ratios[-1]},
    }


def main() -> None:
    """Measure, print a table and write the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=DEFAULT_DATASET)
    parser.add_argument("--every", type=int, default=11, help="take one of this many batches (default: 11)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--give-back", action="store_true", help="return memory between steps")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()

    torch.set_num_threads(1)
    examples, shape = read(options.dataset)
    batches = sample(examples, options.every)
    with nullcontext() if options.give_back else torch_set_up(threads=1, words=0):
        result = report(examples, shape, batches, measure(examples, shape, batches, options.repeats))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")

    print("{reviews:,} of {of_reviews:,} reviews, {words:,} words, one thread".format(**result["sample"]))
    print(f"{'route':8} {'words/s':>10} {'epoch, s':>10}")
    for route in ROUTES:
        print(f"{route:8} {result['words_per_second'][route]:10,.0f} {result['epoch_seconds'][route]:10,.0f}")
    print("padded to packed: {median:.2f} ({lowest:.2f} to {highest:.2f})".format(**result["ratio"]))


if __name__ == "__main__":
    run(main)
