"""Measure `sentcli train` with its defaults on fourteen tasks of which no model has seen a text.

    python benchmarks/held_tasks.py DATA -o results.csv [--tasks topics50,spanish300] [--source FOLDER]

DATA has the folders `labelled` (`ag.train.csv.gz` and others with the columns text and label) and `reviews`
(Parquet files with text, label and stars). Each task has fixed rows to train on and to test. Its row of the
results has the accuracy of the trained model, of the included one where it has the classes, and of logistic
regression (C = 10) on TF-IDF of words and pairs, alone and with characters. CPU seconds are those of the
whole command, on one thread.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

ROOT = Path(__file__).resolve().parents[1]
MOST_TESTED = 1500
TASKS = {  # file, texts to train on, seed
    "topics50": ("ag", 50, 1),
    "topics50b": ("ag", 50, 2),
    "topics200": ("ag", 200, 1),
    "intents770": ("banking", 770, 1),  # ten texts of each
    "intents1500": ("banking", 1500, 1),
    "trec1500": ("trec", 1500, 1),
    "spanish300": ("spanish", 300, 1),
    "chinese300": ("zh", 300, 1),
    "spam100": ("sms", 100, 1),
    "tones900": ("oats", 900, 1),
    "reviews50": ("steam", 50, 1),
    "reviews200": ("steam", 200, 1),
    "reviews1000": ("steam", 1000, 1),
    "stars600": ("tv_reviews", 600, 1),
}
TONES = {0: "negative", 1: "positive", 2: "neutral"}
COLUMNS = ("task", "trained", "included", "words", "words_and_characters", "cpu_seconds", "printed")


def rows_of(data: Path, task: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train on and those to test."""
    name, count, seed = TASKS[task]
    labelled = data / "labelled" / f"{name}.train.csv.gz"
    if labelled.exists():
        train = pd.read_csv(labelled, dtype=str, keep_default_na=False).sample(frac=1, random_state=seed)
        if task == "intents770":
            train = train.groupby("label").head(10)
        test = pd.read_csv(data / "labelled" / f"{name}.test.csv.gz", dtype=str, keep_default_na=False)
        return train[:count], test.sample(min(MOST_TESTED, len(test)), random_state=1)
    rows = pd.read_parquet(data / "reviews" / f"{name}.parquet").sample(frac=1, random_state=seed)
    rows["label"] = rows.stars.astype(int).astype(str) if task == "stars600" else rows.label.map(TONES)
    return rows[:count], rows[count : count + MOST_TESTED]


def linear(train: pd.DataFrame, test: pd.DataFrame, *, has_characters: bool) -> float:
    """Return the accuracy of logistic regression on TF-IDF."""
    kinds = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)]
    if has_characters:
        kinds.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
    model = make_pipeline(make_union(*kinds), LogisticRegression(C=10, max_iter=1000))
    return float((model.fit(train.text, train.label).predict(test.text) == test.label).mean())


def sentcli(source: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sentcli", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)


def accuracy_of(source: Path, folder: Path, model: str) -> float:
    done = sentcli(source, folder, "evaluate", model, "--dataset", "test.csv", "--json", "-q")
    return float(json.loads(done.stdout)["accuracy"])


def measure(data: Path, task: str, source: Path, options: list[str]) -> dict[str, object]:
    train, test = rows_of(data, task)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, rows in (("train", train), ("test", test)):
            rows[["text", "label"]].to_csv(folder / f"{part}.csv", index=False)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = sentcli(
            source, folder, "train", "--dataset", "train.csv", "-o", "own", "--threads", "1", *options
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        metrics = json.loads((folder / "own" / "metrics.json").read_text())
        has_classes = set(train.label) == {"negative", "positive"}
        print(task, metrics["ngrams"], metrics["calibration"], file=sys.stderr)
        sys.stderr.writelines(line + "\n" for line in done.stderr.splitlines() if "linear" in line)
        return {
            "task": task,
            "trained": round(accuracy_of(source, folder, "own"), 4),
            "included": round(accuracy_of(source, folder, "imdb-bilstm"), 4) if has_classes else "",
            "words": round(linear(train, test, has_characters=False), 4),
            "words_and_characters": round(linear(train, test, has_characters=True), 4),
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            "printed": round(metrics["validation"]["accuracy"], 4),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--source", type=Path, default=ROOT, help="the folder with the package to measure")
    parser.add_argument("--glove", help="word vectors of the training")
    arguments = parser.parse_args()
    options = ["--glove", arguments.glove] if arguments.glove else []
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for task in arguments.tasks.split(","):
            writer.writerow(measure(arguments.data, task, arguments.source, options))
            file.flush()


if __name__ == "__main__":
    main()
