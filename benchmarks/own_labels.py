"""Measure what labels of one's own bring.

    python benchmarks/own_labels.py steam.csv --title "video games"

400 rows of the file, drawn at random, train a model; the other rows measure it and the included model. The
figures go to `results/own_labels.json`, from which `figures.py` writes them into README.
"""

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import OWN_LABELS
from throughput_report import ROOT

from sentcli.model.bundle import ONNX, default_bundle_path, load_bundle

LEARNED = 400


def sentcli(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "sentcli", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def measure(folder: Path, file: Path, label_column: str, title: str) -> dict:
    with file.open(newline="", encoding="utf-8") as source:
        reader = csv.reader(source)
        header, rows = next(reader), [*reader]
    random.Random(1).shuffle(rows)
    for name, part in (("learned", rows[:LEARNED]), ("measured", rows[LEARNED:])):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as target:
            csv.writer(target).writerows([header, *part])
    labels = ("--label-column", label_column)
    sentcli(folder, "train", "--dataset", "learned.csv", *labels, "-o", "own", "--threads", "1", "-q")
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    before, after = (
        json.loads(sentcli(folder, "evaluate", model, "--dataset", "measured.csv", *labels, "--json", "-q"))
        for model in ("imdb-bilstm", "own")
    )
    options = f"--label-column {label_column} --title '{title}'"
    return {
        "command": f"python benchmarks/own_labels.py {file.name} {options}",
        "model": load_bundle(default_bundle_path()).digests[ONNX],
        "texts": title,
        "learned": LEARNED,
        "measured": after["examples"],
        "cpu_seconds": round(seconds),
        "before": before["accuracy"],
        "before_interval": before["accuracy_interval"],
        "after": after["accuracy"],
        "after_interval": after["accuracy_interval"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--title", default="", help="the subject of the texts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        title = options.title or options.file.stem
        result = measure(Path(folder), options.file.resolve(), options.label_column, title)
    OWN_LABELS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
