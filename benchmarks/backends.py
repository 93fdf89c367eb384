"""Compare the runtimes of one model: `python benchmarks/throughput.py --backends`.

In each round, onnxruntime (both graphs), PyTorch and TorchScript take turns to score a CSV file of one row
and one of reviews in a new process.
"""

import csv
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine

SENTCLI = (sys.executable, "-m", "sentcli")
# The name, the backend, the format and the graph of the export that it runs; None: the model folder itself.
RUNTIMES = (
    ("onnxruntime, folded graph", "onnx", None),
    ("onnxruntime, portable graph", "onnx", ("onnx", "portable")),
    ("PyTorch", "torch", None),
    ("TorchScript", "torchscript", ("torchscript", "portable")),
)


@dataclass
class Figures:
    """What was measured of a runtime."""

    start: list[float] = field(default_factory=list)  # seconds for one row
    reviews: list[float] = field(default_factory=list)  # reviews per second, without the start
    scores: list[float | None] = field(default_factory=list)


def export(model: Path, folder: Path, form: str, graph: str) -> Path:
    target = folder / f"{form}-{graph}"
    if not target.exists():
        command = [
            *SENTCLI,
            "export",
            str(model),
            "-o",
            str(target),
            "--format",
            form,
            "--graph",
            graph,
            "-q",
        ]
        subprocess.run(command, check=True)
    return target


def score(model: Path, backend: str, source: Path, target: Path) -> float:
    """Score a file, and return the seconds that it takes."""
    target.unlink(missing_ok=True)
    command = [*SENTCLI, "score", str(source), "-o", str(target), "-q", "--text-column", "text"]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--model", str(model), "--backend", backend], check=True, env=machine.all_cores()
    )
    return time.perf_counter() - started


def read_scores(path: Path) -> list[float | None]:
    with path.open(newline="", encoding="utf-8") as file:
        return [float(value) if (value := row["sentiment_score"]) else None for row in csv.DictReader(file)]


def measure(model: Path, one: Path, reviews: Path, folder: Path, rounds: int) -> dict[str, Figures]:
    """Return the figures of each runtime.

    :param one, reviews: CSV files with the columns `id` and `text`.
    :param folder: for exports and outputs.
    """
    models = {name: model if form is None else export(model, folder, *form) for name, _, form in RUNTIMES}
    figures = {name: Figures() for name, *_ in RUNTIMES}
    target = folder / "scored.csv"
    for number in range(rounds):
        for name, backend, _ in RUNTIMES[number % len(RUNTIMES) :] + RUNTIMES[: number % len(RUNTIMES)]:
            start = score(models[name], backend, one, target)
            taken = score(models[name], backend, reviews, target)
            found = figures[name]
            found.scores = read_scores(target)
            found.start.append(start)
            found.reviews.append(len(found.scores) / max(taken - start, 1e-9))
    return figures


def table(figures: dict[str, Figures]) -> str:
    """Return the figures as lines: reviews per second, start, and agreement with the first runtime."""
    reference = next(iter(figures.values())).scores
    lines = [
        f"{'runtime':28} {'reviews/s':>9} {'lowest':>7} {'start, s':>8} {'same label':>10} {'max diff':>9}"
    ]
    for name, found in figures.items():
        pairs = [
            (one, other)
            for one, other in zip(reference, found.scores, strict=True)
            if one is not None and other is not None
        ]
        same = statistics.mean((one >= 0.5) == (other >= 0.5) for one, other in pairs)
        most = max(abs(one - other) for one, other in pairs)
        speed, lowest = statistics.median(found.reviews), min(found.reviews)
        start = statistics.median(found.start)
        lines.append(f"{name:28} {speed:9,.0f} {lowest:7,.0f} {start:8.2f} {same:10.2%} {most:9.1e}")
    return "\n".join(lines)


def main(model: Path, one: Path, reviews: Path, folder: Path, rounds: int) -> None:
    """Print the table, and write the figures to `backends.json` in a folder."""
    described = machine.describe(("sentcli", "numpy", "onnxruntime", "torch"))
    figures = measure(model, one, reviews, folder, rounds)
    print(machine.in_a_line(described))
    print(table(figures))
    content = {name: {"start": of.start, "reviews": of.reviews} for name, of in figures.items()}
    (folder / "backends.json").write_text(json.dumps({"machine": described, "runtimes": content}, indent=1))
