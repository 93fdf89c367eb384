"""Compare the runtimes of sentcli, or sentcli and other tools: accuracy, reviews/s, memory, dollars.

    python benchmarks/throughput.py --backends   # onnxruntime, PyTorch and TorchScript: minutes
    python benchmarks/throughput.py --prepare    # train and measure all peers, once: an hour of one core
    python benchmarks/throughput.py              # then time them in turn, on a quiet machine
    python benchmarks/figures.py                 # measure nothing: write the last figures into the documents

The included model continues from one that learned the unseen reviews. `--unseen my-model` names a model that
the recipe makes from GloVe (docs/models.md): on these reviews, sentcli's accuracy is that of this model.

Run it in the folder of the recipe (docs/models.md) with the folder `snippets` (benchmarks/snippets.py), after
`pip install '.[train]' --group peers`. Each peer learns once from IMDb and once from IMDb and the reviews of
the recipe. It is measured on IMDb's test split and on whole sources that the recipe does not name. The second
model is timed: in each round, each tool scores a file of one row, of reviews and of sentences, in a new
process. A peer that does not work here is left out, with its reason. What is trained and measured is kept.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import re
import select
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import backends
import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ending import run
from systems import ALL_REVIEWS, CORE, ENTRIES, SHORT_ROWS, Entry
from systems.base import LABELS, kibibytes
from throughput_pictures import draw
from throughput_report import ROOT, pages

from sentcli.config import DEFAULT_DATASET, DataSet
from sentcli.datasets.labels import label_ids
from sentcli.datasets.load import load_split
from sentcli.evaluation.metrics import evaluate
from sentcli.model.bundle import ONNX, default_bundle_path, load_bundle
from sentcli.scoring.pool import usable_cores

RESULTS = Path(__file__).parent / "results"
TRAININGS = ("imdb", "mix")
TASKS = ("start", "reviews", "short")
Texts = tuple[list[str], list[int]]


class PeerError(Exception):
    """A peer that does not work here, with its own message."""


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    memory_mib: float
    output: str


def spend(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, on_one_core: bool = False
) -> Spent:
    """Run a process to its end.

    :raises PeerError: if it fails.
    """

    def bind() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    with log.open("wb") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            text=True,
            preexec_fn=bind if on_one_core else None,
        )
        assert process.stdout
        memory = 0
        while not select.select([process.stdout], [], [], 0.05)[0]:  # a process that ended has no memory
            memory = max(memory, kibibytes(Path(f"/proc/{process.pid}/status"), "VmHWM"))
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        raise PeerError(lines[-1] if lines else f"it ended with code {process.returncode}")
    return Spent(seconds, usage.ru_utime + usage.ru_stime, memory / 1024, output)


def read_labeled(path: str, split: str, most: int | None = None) -> Texts:
    """Return the texts with one of the two labels, at most so many of each."""
    data = load_split(DataSet(path), split)
    data = data.take([row for row, label in enumerate(data.labels) if label not in ("2", "neutral")])
    labels = label_ids(data.labels, LABELS, data.where).tolist()
    rows = [[row for row, label in enumerate(labels) if label == side] for side in (0, 1)]
    drawn = sorted(
        row for side in rows for row in random.Random(1).sample(side, min(most or len(side), len(side)))
    )
    return [data.texts[row] for row in drawn], [labels[row] for row in drawn]


class Data:
    """The texts that peers learn from, those that they are measured on, and the files that are timed."""

    def __init__(self, recipe: Path, snippets: Path, cache: Path) -> None:
        tables = tomllib.loads(recipe.read_text("utf-8"))["data"]
        self._learned = [table for table in tables if Path(table["path"]).parent.name == "reviews"]
        folder = Path(self._learned[0]["path"]).parent
        names = {Path(table["path"]).stem for table in self._learned}
        self._reviews = [path for path in sorted(folder.glob("*.parquet")) if path.stem not in names]
        self._sentences = sorted(path for path in snippets.glob("*.csv") if path.stem != "passages")
        drawn = [(table["path"], table.get("most")) for table in self._learned]
        digest = hashlib.sha256(json.dumps(drawn).encode())
        for path in [*self._reviews, *self._sentences]:
            digest.update(path.read_bytes())
        self.folder = cache / digest.hexdigest()[:8]
        self.folder.mkdir(parents=True, exist_ok=True)

    def describe(self) -> dict[str, list[str]]:
        return {
            "learned": [Path(table["path"]).stem for table in self._learned],
            "reviews": [path.stem for path in self._reviews],
            "sentences": [path.stem for path in self._sentences],
        }

    def training(self, name: str) -> Path:
        """Return a Parquet file of the training texts."""

        def write(path: Path) -> None:
            parts = [read_labeled(DEFAULT_DATASET, "train")]
            if name == "mix":
                parts += [read_labeled(table["path"], "train", table.get("most")) for table in self._learned]
            texts, labels = (
                [each for part in column for each in part] for column in zip(*parts, strict=True)
            )
            pq.write_table(pa.table({"text": texts, "label": labels}), path)

        return self._made(f"{name}.parquet", write)

    def measured(self, one_of: int) -> Path:
        """Return a CSV file of one of so many of the texts to measure on, in random order."""

        def write(path: Path) -> None:
            rows = []
            unseen = [*self._reviews, *self._sentences]
            for name, source, split in [("imdb", DEFAULT_DATASET, "test")] + [
                (path.stem, str(path), "train") for path in unseen
            ]:
                rows += [
                    (name, label, text) for text, label in zip(*read_labeled(source, split), strict=True)
                ]
            random.Random(1).shuffle(rows)
            _write_csv(path, ("set", "label", "text"), rows[::one_of])

        return self._made(f"measured-{one_of}.csv", write)

    def timed(self, task: str, rows: int) -> Path:
        """Return a CSV file of one text, of reviews, or of sentences of reviews, all of them different."""
        return timed_file(self.folder, task, rows)

    def _made(self, name: str, write: Callable[[Path], None]) -> Path:
        return made(self.folder / name, write)


def made(path: Path, write: Callable[[Path], None]) -> Path:
    """Return a file, which is written if it does not exist."""
    if not path.exists():
        write(path.with_suffix(".tmp"))
        path.with_suffix(".tmp").rename(path)
    return path


def timed_file(folder: Path, task: str, rows: int, dataset: str = DEFAULT_DATASET) -> Path:
    """Return a CSV file of texts of IMDb's test split, for a time."""

    def write(path: Path) -> None:
        texts, _ = read_labeled(dataset, "test")
        random.Random(1).shuffle(texts)
        if task == "short":
            sentences = (part for text in texts for part in re.split(r"(?<=[.!?])\s+|<br />", text))
            texts = [*dict.fromkeys(part.strip() for part in sentences if any(map(str.isalpha, part)))]
        _write_csv(path, ("id", "text"), list(enumerate(texts[:rows])))

    return made(folder / f"{task}-{rows}.csv", write)


class Contest:
    """The tools that work here, and their figures."""

    def __init__(self, data: Data, model: Path, unseen: Path, entries: Iterable[Entry]) -> None:
        self._data = data
        self._bundle, self._unseen = model, unseen
        self._cores = usable_cores()
        self._entries = [*entries]
        self._log = data.folder / "log"
        self.left_out: dict[str, str] = {}
        self.records: dict[str, dict[str, Any]] = {}

    def prepare(self) -> None:
        """Train and measure what is not in the cache."""
        for entry in self._entries:
            if entry.is_missing:
                self._leave_out(entry, f"{entry.package} is not installed")
                continue
            try:
                self._install(entry)
                accuracy = {name: self._measure(entry, name) for name in self._trainings(entry)}
            except PeerError as error:
                self._leave_out(entry, str(error))
                continue
            versions = machine.versions([entry.package])
            names = {name: getattr(entry, name) for name in ("key", "title", "how", "model")}
            sizes = {"cores": 1 if entry.how == CORE else self._cores, "size_mb": self._size_mb(entry)}
            rows = {"start": 1, "reviews": entry.reviews, "short": SHORT_ROWS * entry.reviews}
            figures = {"seconds": {task: [] for task in TASKS}, "cpu_seconds": {task: [] for task in TASKS}}
            self.records[entry.key] = {
                **names,
                **sizes,
                "versions": versions,
                "one_of": entry.one_of,
                "accuracy": accuracy,
                "rows": rows,
                **figures,
            }

    def time(self, rounds: int, reviews: int) -> None:
        """Let the tools take turns, each round with another first one; leave out one that fails.

        :param reviews: most reviews to time, for a trial.
        """
        for record in self.records.values():
            record["rows"]["reviews"] = min(record["rows"]["reviews"], reviews)
            record["rows"]["short"] = min(record["rows"]["short"], SHORT_ROWS * reviews)
        for number in range(rounds):
            entries = [entry for entry in self._entries if entry.key in self.records]
            for entry in entries[number:] + entries[:number]:
                try:
                    self._turn(entry)
                except PeerError as error:
                    del self.records[entry.key]
                    self._leave_out(entry, str(error))

    def _turn(self, entry: Entry) -> None:
        record, target = self.records[entry.key], self._data.folder / f"{entry.key}.csv"
        for task in TASKS:
            rows = record["rows"][task]
            spent = self._score(entry, TRAININGS[-1], self._data.timed(task, rows), target)
            record["seconds"][task].append(round(spent.seconds, 4))
            record["cpu_seconds"][task].append(round(spent.cpu_seconds, 3))
            if task == "reviews":
                record["memory_mib"] = round(max(spent.memory_mib, json.loads(spent.output or "0")))
            if [row["id"] for row in _read_csv(target)] != [str(row) for row in range(rows)]:
                raise PeerError("the rows that came out are not those that went in, in their order")
        say(f"{entry.title}, {entry.how}: {record['seconds']['reviews'][-1]:.2f} s")

    def _install(self, entry: Entry) -> None:
        """Install a package by itself."""
        if entry.apart and not self._apart(entry).exists():
            install = [
                "-m",
                "pip",
                "install",
                "--no-deps",
                "--target",
                str(self._apart(entry)),
                entry.package,
            ]
            spend([sys.executable, *install], self._log, os.environ)

    def _trainings(self, entry: Entry) -> Sequence[str]:
        return TRAININGS if entry.model else TRAININGS[-1:]

    def _measure(self, entry: Entry, training: str) -> dict[str, Any]:
        """Return the accuracy of an entry on each data set."""
        if entry.factory:
            # The cores make no difference: the entries of one factory and model share their figures.
            return self._figures(entry, training, f"{entry.factory}-{entry.model}")
        included, unseen = (
            self._figures(entry, training, load_bundle(model).digest, model)
            for model in (self._bundle, self._unseen)
        )
        return included | {name: unseen[name] for name in self._data.describe()["reviews"]}

    def _figures(self, entry: Entry, training: str, name: str, bundle: Path | None = None) -> dict[str, Any]:
        file = self._data.folder / training / f"{name}.json"
        if not file.exists():
            self._train(entry, training)
            say(f"{entry.title}, {entry.how}: measuring, {training}")
            source, target = self._data.measured(entry.one_of), self._data.folder / f"{entry.key}.csv"
            self._score(entry, training, source, target, bundle)
            file.write_text(json.dumps(figures_of(_read_csv(target))), "utf-8")
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found

    def _train(self, entry: Entry, training: str) -> None:
        folder = self._model(entry, training)
        folder.mkdir(parents=True, exist_ok=True)
        if not entry.model or (folder / "trained.json").exists():
            return
        say(f"{entry.title}: training, {training}")
        data = str(self._data.training(training))
        command = [sys.executable, "-m", "systems", "train", entry.key, data, str(folder)]
        spent = spend(command, self._log, _paths(dict(os.environ)))
        (folder / "trained.json").write_text(json.dumps({"cpu_seconds": round(spent.cpu_seconds)}), "utf-8")

    def _score(
        self, entry: Entry, training: str, source: Path, target: Path, bundle: Path | None = None
    ) -> Spent:
        target.unlink(missing_ok=True)  # replacing a large file takes some ms
        environment, is_on_one_core = machine.all_cores(), entry.how == CORE
        if entry.factory:
            folder, cores = str(self._model(entry, training)), str(1 if is_on_one_core else self._cores)
            command = ["-m", "systems", "score", entry.key, folder, str(source), str(target), cores]
            environment = _paths(environment, *([self._apart(entry)] if entry.apart else []))
        else:
            command = [
                "-m",
                "sentcli",
                "score",
                str(source),
                "-o",
                str(target),
                "-q",
                "--text-column",
                "text",
            ]
            command += ["--model", str(bundle or self._bundle)]
        return spend([sys.executable, *command], self._log, environment, on_one_core=is_on_one_core)

    def _model(self, entry: Entry, training: str) -> Path:
        return self._data.folder / training / (entry.model or "none")

    def _apart(self, entry: Entry) -> Path:
        return self._data.folder.parent / entry.package

    def _size_mb(self, entry: Entry) -> float:
        """Return the size of what is loaded: a model, or the package of a lexicon."""
        if entry.model:
            folder, pattern = self._model(entry, TRAININGS[-1]), "*"
        elif entry.factory:
            found = find_spec(entry.needs)
            assert found
            assert found.origin
            folder, pattern = Path(found.origin).parent, "*"
        else:
            folder, pattern = self._bundle, "[mv]*[xt]"  # model.onnx and vocab.txt: scoring reads no other
        return round(sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file()) / 1e6, 1)

    def _leave_out(self, entry: Entry, reason: str) -> None:
        say(f"{entry.title}, {entry.how}: left out: {reason}")
        self.left_out[entry.key] = reason


def figures_of(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the figures of scored rows for each data set.

    :param rows: with `set`, the right `label`, and what was added; a text without a score has the score 0.5.
    """
    found = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        of_set = [row for row in rows if row["set"] == name]
        positive = np.array([float(row["sentiment_score"] or 0.5) for row in of_set])
        positive = positive.clip(0, 1)  # fastText's can be 1.00001
        labels = np.array([int(row["label"]) for row in of_set])
        figures = evaluate(labels, np.column_stack([1 - positive, positive]), LABELS)
        found[name] = {
            "texts": figures["examples"],
            "balanced_accuracy": figures["balanced_accuracy"],
            "calibration_error": figures["expected_calibration_error"],
        }
    return found


def lengths_of(texts: Iterable[str]) -> dict[str, float]:
    """Return the mean number of characters, and of the units that services charge for."""
    lengths = np.array([*map(len, texts)])
    units = {"units_100": np.maximum(np.ceil(lengths / 100), 3), "units_1000": np.ceil(lengths / 1000)}
    return {"characters": float(lengths.mean())} | {name: float(each.mean()) for name, each in units.items()}


def measure(options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the figures for JSON; None if peers are only prepared."""
    data = Data(options.recipe, options.snippets, options.cache)
    entries = [entry for entry in ENTRIES if not options.systems or entry.key in options.systems]
    contest = Contest(data, options.model, options.unseen or options.model, entries)
    contest.prepare()
    if options.prepare:
        return None
    described = machine.describe(("sentcli", "numpy", "onnxruntime", "torch"))
    if warning := machine.busy(described):
        say(warning)
    contest.time(options.rounds, options.reviews)
    git = shutil.which("git")
    assert git
    commit = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    return {
        "commit": commit.strip(),
        "model": load_bundle(options.model).digests[ONNX],
        "has_unseen_model": bool(options.unseen),
        "machine": described,
        "data": data.describe(),
        "lengths": lengths_of(read_labeled(DEFAULT_DATASET, "test")[0]),
        "rounds": options.rounds,
        "systems": [*contest.records.values()],
        "left_out": contest.left_out,
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, write the figures, the pictures and the documents."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, default=ROOT / "data" / "recipe.toml")
    parser.add_argument("--snippets", type=Path, default=Path("snippets"), help="folder of sentences")
    parser.add_argument("--model", type=Path, default=default_bundle_path(), help="a model folder of sentcli")
    parser.add_argument(
        "--unseen", type=Path, help="a model for the unseen reviews, if --model has seen them"
    )
    parser.add_argument("--systems", nargs="+", choices=[entry.key for entry in ENTRIES])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reviews", type=int, default=ALL_REVIEWS, help="time so many at most, for a trial")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for JSON and pictures")
    parser.add_argument("--cache", type=Path, default=Path("peers"), help="folder for the trained peers")
    parser.add_argument("--backends", action="store_true", help="compare the runtimes of --model only")
    parser.add_argument("--dataset", default=DEFAULT_DATASET, help="--backends: a local copy of IMDb")
    parser.add_argument("--prepare", action="store_true", help="train and measure the peers, time nothing")
    options = parser.parse_args()

    if options.backends:
        options.cache.mkdir(parents=True, exist_ok=True)
        one, reviews = (
            timed_file(options.cache, "reviews", rows, options.dataset)
            for rows in (1, min(options.reviews, ALL_REVIEWS))
        )
        backends.main(options.model, one, reviews, options.cache, options.rounds)
        return
    result = measure(options)
    if result is None:
        return
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "throughput.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    draw(options.results, result)
    if options.results == RESULTS:
        for path, page in pages(result).items():
            path.write_text(page, "utf-8")


def _paths(environment: dict[str, str], *first: Path) -> dict[str, str]:
    """Return the environment in which Python finds the peers, and `data/teacher.py`."""
    folders = [
        *map(str, first),
        str(ROOT / "benchmarks"),
        str(ROOT / "data"),
        environment.get("PYTHONPATH", ""),
    ]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


if __name__ == "__main__":
    run(main)
