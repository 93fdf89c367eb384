"""What a model of another size or seed reaches by the same recipe, and how fast it is.

    python benchmarks/sizes.py exports/imdb-bilstm --pseudo-labels labels.parquet --folder sizes

Each is trained by `sentcli train` with the recipe of the model named and the pseudo-labels given, into a
folder of its own; one that is there already is taken as it is, and one that was interrupted goes on.
Accuracy, log loss and calibration error are those on the validation part. Speed is that of `sentcli.load` on
one core, the models in turn. With --card, the figures go into the card of the model.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

from ending import run
from machine import describe, in_a_line

import sentcli
from sentcli.errors import TrainingError
from sentcli.evaluation.card_update import find_card, record_variants
from sentcli.evaluation.splits import CsvFormat
from sentcli.model.bundle import BASE_RECIPE, METRICS, RECIPE, Bundle, load_bundle
from sentcli.training.corpus import DataSource, read_labeled, read_texts

SIZES = ("32", "40", "48", "64", "96", "128", "48x2")  # hidden units; x layers
SEEDS = (1, 2, 3)


def size(text: str) -> tuple[int, int]:
    """Read hidden units and layers, as in `48x2`."""
    hidden, _, layers = text.partition("x")
    return int(hidden), int(layers or 1)


def train(
    model: Path, folder: Path, options: argparse.Namespace, hidden: int, layers: int, seed: int
) -> Bundle:
    """Train a model of that size and seed, unless it is there."""
    output = folder / f"hidden-{hidden}-layers-{layers}-seed-{seed}"
    if not output.exists():
        # What went on from a model has its size from there.
        recipe = model / (BASE_RECIPE if (model / BASE_RECIPE).exists() else RECIPE)
        command = [sys.executable, "-m", "sentcli", "train", "--config", str(recipe)]
        command += ["--hidden", str(hidden), "--layers", str(layers), "--seed", str(seed)]
        for name in ("dataset", "unlabeled", "glove", "pseudo_labels", "threads"):
            if value := getattr(options, name):
                command += [f"--{name.replace('_', '-')}", str(value)]
        if output.with_name(f".{output.name}.training").exists():
            command.append("--resume")
        code = subprocess.run([*command, "-o", str(output)]).returncode
        if code:
            raise TrainingError(f"{output}: sentcli train ended with exit code {code}")
    return load_bundle(output)


def metrics(bundle: Bundle) -> dict[str, Any]:
    return json.loads(bundle.read(METRICS))


def reached(bundle: Bundle) -> dict[str, float]:
    """Give what a model reached on the validation part."""
    found = metrics(bundle)["validation"]
    return {
        "validation_accuracy": found["accuracy"],
        "validation_loss": found["log_loss"],
        "validation_calibration_error": found["expected_calibration_error"],
    }


def speeds(bundles: list[Bundle], texts: list[str], repeats: int) -> list[float]:
    """Give reviews/s of each on one core, the median of rounds in which they take turns."""
    scorers = [sentcli.load(bundle.path, workers=1) for bundle in bundles]
    seconds: list[list[float]] = [[] for _ in scorers]
    for _ in range(repeats):
        for scorer, of in zip(scorers, seconds, strict=True):
            started = time.perf_counter()
            scorer.probabilities(texts)
            of.append(time.perf_counter() - started)
    return [len(texts) / statistics.median(of) for of in seconds]


def main() -> None:
    """Train, measure, print a table, and write the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a model folder with a recipe")
    parser.add_argument("--folder", type=Path, required=True, help="for the models")
    parser.add_argument(
        "--pseudo-labels", type=Path, help="labels of the teacher in its last round, the same for all"
    )
    parser.add_argument(
        "--sizes", type=size, nargs="+", default=[*map(size, SIZES)], metavar="HIDDEN[xLAYERS]"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the model's own size")
    parser.add_argument("--dataset", help="another place of the data set of the recipe")
    parser.add_argument("--unlabeled", help="another place of its texts without labels")
    parser.add_argument("--glove", help="another place of its word vectors")
    parser.add_argument("--threads", type=int, help="threads of each training")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (default: 1)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of the timing (default: 5)")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--card", action="store_true", help="write them into the card of the model")
    options = parser.parse_args()

    own = load_bundle(options.model)
    carded = find_card(own, None) if options.card else None
    options.folder.mkdir(parents=True, exist_ok=True)
    shape = own.config.model
    usual, first = (shape.hidden_size, shape.num_layers), options.seeds[0]
    wanted = list(
        dict.fromkeys(
            [*((*each, first) for each in options.sizes), *((*usual, seed) for seed in options.seeds)]
        )
    )
    found = metrics(own)
    columns = found["columns"]
    source = DataSource(
        options.dataset or found["dataset"],
        columns["text_column"],
        columns["label_column"],
        glove="none",
        csv=CsvFormat(*(columns.get(field.name) for field in fields(CsvFormat))),
        validation=found["validation_data"],
    )
    texts = read_texts(source, read_labeled(source), found["training"]["validation_share"]).validation.texts
    with ThreadPoolExecutor(options.jobs) as pool:
        trained = pool.map(lambda each: train(options.model, options.folder, options, *each), wanted)
        bundles = dict(zip(wanted, trained, strict=True))
    of_sizes = [bundles[*each, first] for each in options.sizes]
    of_seeds = [bundles[*usual, seed] for seed in options.seeds]

    sizes = [
        {
            "hidden": hidden,
            "layers": layers,
            **reached(bundle),
            "reviews_per_second": speed,
        }
        for (hidden, layers), bundle, speed in zip(
            options.sizes, of_sizes, speeds(of_sizes, texts, options.repeats), strict=True
        )
    ]
    seeds = [{"seed": seed, **reached(bundle)} for seed, bundle in zip(options.seeds, of_seeds, strict=True)]
    machine = describe(["torch", "onnxruntime"])
    result = {"machine": machine, "sizes": sizes, "seeds": seeds}
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    if carded:
        command = shlex.join(["python", *sys.argv])
        record_variants(carded, sizes, seeds, command=command, machine=in_a_line(machine))

    print(f"{'hidden':>6} {'layers':>6} {'accuracy':>8} {'loss':>7} {'error':>7} {'reviews/s':>10}")
    for of in sizes:
        figures = "{validation_accuracy:8.4f} {validation_loss:7.4f} {validation_calibration_error:7.4f}"
        shape = f"{of['hidden']:6} {of['layers']:6}"
        print(shape, figures.format(**of), f"{of['reviews_per_second']:10,.0f}")
    accuracies = [of["validation_accuracy"] for of in seeds]
    spread = f"{min(accuracies):.4f} to {max(accuracies):.4f}"
    print(f"hidden {usual[0]}, seeds {options.seeds}: mean {statistics.mean(accuracies):.4f}, {spread}")


if __name__ == "__main__":
    run(main)
