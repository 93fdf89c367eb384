"""Measure accuracy and reviews/s of sentcli and of other tools, in one run.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --dataset reviews.csv --systems sentcli fasttext
    python benchmarks/throughput.py --docs

Each system runs in a process of its own, loads once, and takes turns with the others, in rounds. In a turn it
scores a CSV file to a new CSV file three times, and the middle time counts: other work on the machine moves a
single second by a tenth. Then it scores the same texts from memory. A system that needs longer than --seconds
for all reviews gets a sample. Peers learn from the train split before anything is timed. They come with
`pip install '.[train,peers]'`; a peer that is not installed is left out.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import machine
import numpy as np
from ending import run
from systems import ENTRIES, Entry
from systems.base import LABELS, Context
from systems.worker import Worker, WorkerError, train
from throughput_picture import draw
from throughput_report import ratios, summary_lines, table, write_docs

from sentcli.config import DEFAULT_DATASET
from sentcli.datasets.labels import label_ids
from sentcli.datasets.load import load_split
from sentcli.scoring.cores import usable_cores

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("sentcli", "numpy", "onnxruntime", "torch")
_TIMES = 3  # runs from file to file in a turn


class Reviews:
    """The reviews in random order, so that the first n are a fair sample, as files of any length.

    :param folder: for the files.
    :param rows: number of reviews to keep; None: all.
    """

    def __init__(
        self, texts: Sequence[str], labels: Sequence[int], folder: Path, rows: int | None = None
    ) -> None:
        order = np.random.default_rng(1).permutation(len(texts))[:rows]
        self._texts = [texts[row] for row in order]
        self._labels = [labels[row] for row in order]
        self._folder = folder

    def __len__(self) -> int:
        return len(self._texts)

    def file(self, rows: int) -> Path:
        """Return a CSV file of the first `rows` reviews, without their labels."""
        path = self._folder / f"reviews-{rows}.csv"
        if not path.exists():
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "text"])
                writer.writerows(enumerate(self._texts[:rows]))
        return path

    def accuracy(self, scored: Path, rows: int) -> float:
        """Return the accuracy of a scored file.

        :raises WorkerError: if it does not contain the same rows in the same order.
        """
        with scored.open(newline="", encoding="utf-8") as file:
            found = [(row["id"], row["sentiment"]) for row in csv.DictReader(file)]
        if [number for number, _ in found] != list(map(str, range(rows))):
            raise WorkerError(f"{len(found)} rows came out of {rows}, or not in their order")
        names = [LABELS[label] for label in self._labels[:rows]]
        return sum(name == right for (_, name), right in zip(found, names, strict=True)) / rows


class Contest:
    """The systems that run, their workers and their figures."""

    def __init__(self, reviews: Reviews, context: Context, folder: Path, options: argparse.Namespace) -> None:
        self._reviews = reviews
        self._context = context
        self._folder = folder
        self._options = options
        self._workers: dict[str, Worker] = {}
        self._stack = ExitStack()
        self.records: dict[str, dict[str, Any]] = {}
        self.left_out: list[dict[str, str]] = []

    def __enter__(self) -> "Contest":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def admit(self, entry: Entry) -> None:
        """Start a system, or record why it is left out."""
        if reason := entry.missing():
            self._leave_out(entry, reason)
            return
        say(f"{entry.title}: starting")
        log = self._folder / f"{entry.key}.log"
        try:
            if entry.system.trains or "export" in entry.options:
                self._train(entry, log)
            worker = Worker(entry, self._context, log)
            self._stack.enter_context(closing(worker))
            speed = worker.ask(
                "speed", source=str(self._reviews.file(len(self._reviews))), rows=len(self._reviews)
            )
        except WorkerError as error:
            self._leave_out(entry, str(error))
            return
        rows = max(min(len(self._reviews), round(speed * self._options.seconds)), 16)
        rows = len(self._reviews) if rows > 0.9 * len(self._reviews) else rows
        self._workers[entry.key] = worker
        named = {
            name: getattr(entry, name) for name in ("key", "title", "short", "how", "is_peer", "published")
        }
        if self._context.distilbert and entry.published:
            named["published"] = None
        versions = machine.versions(entry.needs)
        measured: dict[str, Any] = {"pipeline": [], "model": []}
        self.records[entry.key] = {**named, "versions": versions, "rows": rows, **measured}
        self.records[entry.key]["load_seconds"] = round(worker.load_seconds, 3)

    def _train(self, entry: Entry, log: Path) -> None:
        module = sys.modules[entry.system.__module__].__file__ or ""
        name = entry.key.removesuffix("-pool")
        if entry.published and self._context.distilbert:
            name += "-checkpoint"  # a checkpoint has its own vocabulary
        done = self._context.trained(f"{name}.done", module)
        if not done.exists() or "export" in entry.options:  # the model may have changed
            say(f"{entry.title}: preparing")
            train(entry, self._context, log)
            done.touch()

    def round(self, number: int) -> None:
        """Run a turn of each system, each round with another first one; leave out a system that fails."""
        keys = list(self._workers)
        first = number % max(len(keys), 1)
        for key in keys[first:] + keys[:first]:
            with self._or_left_out(key):
                self._turn(key, number)

    def _turn(self, key: str, number: int) -> None:
        record, worker = self.records[key], self._workers[key]
        rows = record["rows"]
        source, target = str(self._reviews.file(rows)), self._folder / f"{key}.csv"
        seconds = [worker.ask("pipeline", source=source, target=str(target)) for _ in range(_TIMES)]
        record["pipeline"].append(rows / statistics.median(seconds))
        if number == 0:
            record["memory_mib"] = round(worker.ask("memory"))
            record |= {"accuracy": self._reviews.accuracy(target, rows), "accuracy_rows": rows}
        record["model"].append(rows / worker.ask("model", source=source, rows=rows))
        speed = record["pipeline"][-1]
        say(f"round {number + 1}: {record['title']}, {record['how']}: {speed:,.0f} reviews/s")

    def complete_accuracy(self) -> None:
        """Measure the accuracy of sampled systems on as many reviews as --accuracy-seconds allow."""
        for key, record in [*self.records.items()]:
            rows = min(len(self._reviews), round(record["pipeline"][0] * self._options.accuracy_seconds))
            if record["published"] or rows <= record["accuracy_rows"]:
                continue
            say(f"{record['title']}: accuracy on {rows:,} reviews")
            target = self._folder / f"{key}.csv"
            with self._or_left_out(key):
                self._workers[key].ask("pipeline", source=str(self._reviews.file(rows)), target=str(target))
                record |= {"accuracy": self._reviews.accuracy(target, rows), "accuracy_rows": rows}

    @contextmanager
    def _or_left_out(self, key: str) -> Iterator[None]:
        """Leave out a system that fails."""
        try:
            yield
        except WorkerError as error:
            del self.records[key]
            self._leave_out(self._workers.pop(key).entry, str(error))

    def _leave_out(self, entry: Entry, reason: str) -> None:
        say(f"{entry.title}: left out: {reason}")
        self.left_out.append({"key": entry.key, "title": entry.title, "reason": reason})


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all systems and return the figures for JSON."""
    ran_on = machine.describe(_PACKAGES)  # before the load of this process counts
    if warning := machine.busy(ran_on):
        say(warning)
    data = load_split(options.dataset, options.split, options.text_column, options.label_column)
    labels = label_ids(data.labels, LABELS, data.where).tolist()
    train_from = options.train or (DEFAULT_DATASET if Path(options.dataset).is_file() else options.dataset)
    options.cache.mkdir(parents=True, exist_ok=True)
    context = Context(str(options.cache), train_from, options.model, options.distilbert, usable_cores())
    with tempfile.TemporaryDirectory() as name:
        reviews = Reviews(data.texts, labels, Path(name), options.rows)
        with Contest(reviews, context, Path(name), options) as contest:
            for entry in ENTRIES:
                if not options.systems or entry.key in options.systems:
                    contest.admit(entry)
            if not contest.records:
                sys.exit("none of the systems works here")
            for number in range(options.repeats):
                contest.round(number)
            contest.complete_accuracy()
    return {
        "machine": ran_on,
        "dataset": {"name": Path(options.dataset).name, "split": options.split, "rows": len(reviews)},
        "settings": {"repeats": options.repeats, "times": _TIMES, "seconds": options.seconds},
        "systems": list(contest.records.values()),
        "left_out": contest.left_out,
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, write the figures and the picture, print the table and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=DEFAULT_DATASET, help="as for sentcli evaluate")
    parser.add_argument("--split", default="test")
    parser.add_argument("--text-column")
    parser.add_argument("--label-column")
    parser.add_argument(
        "--train",
        help="data set whose train split peers learn from; by default --dataset, for a file IMDb",
    )
    parser.add_argument("--rows", type=int, help="size of a sample; by default all reviews")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="longest time of a turn, roughly")
    parser.add_argument(
        "--accuracy-seconds", type=float, default=120, help="longest time for the accuracy of a slow system"
    )
    parser.add_argument("--systems", nargs="+", choices=[entry.key for entry in ENTRIES])
    parser.add_argument("--model", help="a model folder; by default the included model")
    parser.add_argument(
        "--distilbert", help="folder of a fine-tuned DistilBERT with tokenizer.json; its label 1 is positive"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for JSON and picture")
    parser.add_argument("--cache", type=Path, default=RESULTS / "cache", help="folder for the trained peers")
    parser.add_argument(
        "--docs", action="store_true", help="measure nothing: write the last results into docs/"
    )
    options = parser.parse_args()

    file = options.results / "throughput.json"
    if not options.docs:
        result = measure(options)
        result["ratios"] = {ratio.key: ratio.median for ratio in ratios(result)}
        options.results.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        draw(options.results / "throughput.png", result)
        print(table(result), *summary_lines(result), sep="\n")
    else:
        write_docs(ROOT / "docs" / "speed.md", json.loads(file.read_text("utf-8")))


if __name__ == "__main__":
    run(main)
