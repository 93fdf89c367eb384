"""Compare `sentcli train` with its default settings and a linear model of n-grams on labeled files.

    python benchmarks/train/defaults.py --train trec.train.csv --test trec.test.csv
    python benchmarks/train/defaults.py --train hotels.parquet --draw 50 --draws 5 --labels 0,1
    python benchmarks/train/defaults.py --train a.csv --test b.csv -- --glove glove.6B.100d.txt.gz --threads 1

Both learn from all rows of --train and are measured on --test. With --draw N, the training set is N rows that
are drawn at random, once for each of --draws seeds; without --test, the other rows are the test set. What
follows -- goes to `sentcli train`. `interval` says whether the 95 % interval that the training printed holds
the accuracy on the test set; `frequencies` is the log loss of the class frequencies.
"""

import argparse
import csv
import json
import logging
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.datasets.labels import LabeledTexts, class_names, label_ids
from sentcli.datasets.load import load_split
from sentcli.evaluation.metrics import evaluate
from sentcli.training.ngrams import classify_by_ngrams

Row = tuple[str, str]  # text and label
FIGURES = ("accuracy", "macro_f1", "log_loss")


def main() -> None:
    """Train on each draw, and print one line for each of the two models."""
    own, _, further = (" ".join(sys.argv[1:]) + " ").partition(" -- ")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", required=True, help="labeled file")
    parser.add_argument("--test", help="labeled file; by default the rows that are not drawn")
    parser.add_argument("--labels", help="use the rows with these labels alone, such as 0,1")
    parser.add_argument("--draw", type=int, help="number of rows to train on")
    parser.add_argument("--draws", type=int, default=5, help="number of draws")
    parser.add_argument("--most", type=int, default=5000, help="most rows of a test set")
    parser.add_argument("--json", type=Path, help="file to add a line of JSON for each draw to")
    options = parser.parse_args(own.split())
    logging.getLogger("sentcli").setLevel(logging.ERROR)
    every = rows_of(options.train, options.labels)
    others = rows_of(options.test, options.labels) if options.test else None
    print(f"{'model':10} {'rows':>6} {'accuracy':>8} {'macro F1':>8} {'log loss':>8} {'CPU s':>7}  interval")
    for seed in range(options.draws if options.draw else 1):
        train, test = draw(every, others, options.draw, options.most, seed)
        record = {
            "train": options.train,
            "seed": seed,
            "rows": len(train),
            **compare(train, test, further.split()),
        }
        if options.json:
            with options.json.open("a") as file:
                file.write(json.dumps(record) + "\n")
        for name in ("sentcli", "n-grams"):
            of = record[name]
            figures = " ".join(f"{of[figure]:8.4f}" for figure in FIGURES)
            low, high = record["interval"]
            holds = f"{low:.3f} to {high:.3f} {'holds' if record['holds'] else 'DOES NOT HOLD'}"
            print(
                f"{name:10} {len(train):6} {figures} {of['seconds']:7.1f}  "
                + (f"{holds}; frequencies {record['frequencies']:.4f}" if name == "sentcli" else ""),
                flush=True,
            )


def rows_of(path: str, labels: str | None) -> list[Row]:
    data = load_split(path, "train", None, None)
    rows = zip(data.texts, data.labels, strict=True)
    return [row for row in rows if labels is None or row[1] in labels.split(",")]


def draw(
    every: Sequence[Row], others: Sequence[Row] | None, count: int | None, most: int, seed: int
) -> tuple[list[Row], list[Row]]:
    """Return training and test rows; no text of the second is one of the first."""
    random_rows = random.Random(seed)
    train = random_rows.sample(every, count) if count else [*every]
    seen = {text for text, _ in train}
    rest = [row for row in every if row[0] not in seen] if others is None else [*others]
    return train, random_rows.sample(rest, min(most, len(rest)))


def compare(train: Sequence[Row], test: Sequence[Row], further: Sequence[str]) -> dict[str, Any]:
    """Return the figures of both models, and whether the printed interval holds the test accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("train", train), ("test", test)):
            with Path(folder, f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
        seconds = run(folder, "train", "--dataset", "train.csv", "-o", "model", *further)[0]
        printed = json.loads(Path(folder, "model", "metrics.json").read_text())
        measured = json.loads(run(folder, "evaluate", "model", "--dataset", "test.csv", "--json")[1])
    texts, labels = (list(column) for column in zip(*train, strict=True))
    names = class_names(LabeledTexts(texts, labels))
    started = time.process_time()
    others, wanted = zip(*test, strict=True)
    truth = label_ids(wanted, names, "test")
    found = classify_by_ngrams(texts, label_ids(labels, names, "train"), others, len(names))
    taken = time.process_time() - started
    counts = Counter(labels)
    frequencies = -np.mean([np.log(counts[label] / len(labels)) for label in wanted])
    ngrams = evaluate(truth, found, names)
    low, high = printed["validation"]["accuracy_interval"]
    return {
        "sentcli": {**{name: measured[name] for name in FIGURES}, "seconds": seconds},
        "n-grams": {**{name: getattr(ngrams, name) for name in FIGURES}, "seconds": taken},
        "interval": (low, high),
        "holds": low <= measured["accuracy"] <= high,
        "frequencies": float(frequencies),
        "epoch": printed["best_epoch"],
        "training": printed["training"],
        "calibration": printed["calibration"],
        "base": (printed["base"] or {}).get("name"),
    }


def run(folder: str, *arguments: str) -> tuple[float, str]:
    """Run `sentcli`, and return its CPU seconds and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "sentcli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


if __name__ == "__main__":
    main()
