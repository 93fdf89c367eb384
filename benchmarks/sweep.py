"""Vary the settings of scoring one at a time, and measure speed, padding and memory.

    python benchmarks/sweep.py reviews.csv --rows 16384 --json sweep.json

A file of reviews is scored from CSV to CSV with the default settings and with one of them changed. They take
turns, so that other work on the machine slows all of them. Reviews/s are measured by the clock and by CPU
seconds, which are more reliable on a busy machine.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import machine
import numpy as np
import onnxruntime
from ending import run

from sentcli.model.bundle import Bundle, default_bundle_path, load_bundle
from sentcli.runs.job import JobOptions
from sentcli.runs.run import score_files
from sentcli.scoring import scorer as scoring
from sentcli.scoring.batches import BATCH_ROWS, BATCH_TOKENS
from sentcli.scoring.cores import usable_cores
from sentcli.scoring.scorer import Scorer


@dataclass(frozen=True)
class Settings:
    """The settings, with the values of scoring as defaults.

    :param arena: whether onnxruntime keeps memory between runs.
    """

    batch_tokens: int = BATCH_TOKENS
    batch_rows: int = BATCH_ROWS
    arena: bool = False
    workers: int = usable_cores()


TRIED: dict[str, Sequence[int]] = {
    "batch_tokens": (32_768, 65_536, 98_304, 131_072),
    "batch_rows": (64, 128, 256, 512, 768),
    "arena": (False, True),
    "workers": (1, 2, 4, 8, 16, 32, 64),
}


class Counted:
    """A backend that counts the steps that it computes, and the tokens among them."""

    def __init__(self, backend: Any) -> None:
        self.name, self.runtime, self.batch_factor = backend.name, backend.runtime, backend.batch_factor
        self._backend = backend
        self.words = self.steps = 0

    def prepare(self) -> None:
        self._backend.prepare()

    def logits(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.steps += ids.size
        self.words += int(lengths.sum())
        return self._backend.logits(ids, lengths)


def choices() -> list[Settings]:
    """Return the default settings, and copies with one value changed."""
    default = Settings()
    tried = [default]
    for name, values in TRIED.items():
        others = [value for value in values if value != getattr(default, name)]
        if name == "workers":
            others = [value for value in others if value <= usable_cores()]
        tried += [replace(default, **{name: value}) for value in others]
    return tried


def make_scorer(bundle: Bundle, settings: Settings) -> Scorer:
    """Load the model with these settings."""
    scoring.BATCH_TOKENS, scoring.BATCH_ROWS = settings.batch_tokens, settings.batch_rows
    session = onnxruntime.InferenceSession

    def load(content: bytes, options: Any, **others: Any) -> Any:
        options.enable_cpu_mem_arena = settings.arena
        return session(content, options, **others)

    onnxruntime.InferenceSession = load
    try:
        scorer = Scorer(bundle, backend="onnx", workers=settings.workers)
        # Enough texts to load the model and the bulk encoder.
        scorer.probabilities(["warm " * count for count in range(400)])
    finally:
        onnxruntime.InferenceSession = session
    return scorer


def peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(model: Path, settings: Settings, source: Path, output: Path) -> dict[str, float]:
    """Score the file once, in a process of its own, without the time to load the model."""
    with make_scorer(load_bundle(model), settings) as scorer:
        counted = Counted(scorer._inference._backend)
        scorer._inference._backend = counted
        clock, processors = time.perf_counter(), time.process_time()
        summary = score_files(scorer, [str(source)], str(output), JobOptions(overwrite=True))
        clock, processors = time.perf_counter() - clock, time.process_time() - processors
    return {
        "reviews_per_second": summary.rows / clock,
        "reviews_per_processor_second": summary.rows / processors,
        "padding": 1 - counted.words / counted.steps,
        "peak_mib": peak_memory(),
    }


def main() -> None:
    """Measure, print a table and write the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "csv", type=Path, help="a file of reviews; no field of its first rows has a line break"
    )
    parser.add_argument("--model", type=Path, help="a model folder; by default the one in the box")
    parser.add_argument("--rows", type=int, default=16_384, help="take the first so many (default: 16384)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()

    model = options.model or default_bundle_path()
    tried = choices()
    found: list[list[dict[str, float]]] = [[] for _ in tried]
    described = machine.describe(("onnxruntime", "pyarrow", "numpy"))
    if busy := machine.busy(described):
        print(busy, file=sys.stderr)
    processes = ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
    with tempfile.TemporaryDirectory() as folder, processes:
        source = Path(folder, "in.csv")
        with options.csv.open("rb") as file:
            source.write_bytes(b"".join(islice(file, options.rows + 1)))
        for _ in range(options.repeats):
            for results, settings in zip(found, tried, strict=True):
                arguments = (model, settings, source, Path(folder, "out.csv"))
                results.append(processes.submit(measure, *arguments).result())
    rows = []
    for results, settings in zip(found, tried, strict=True):
        medians = {name: statistics.median(result[name] for result in results) for name in results[0]}
        rows.append({"settings": asdict(settings), **medians, "repeats": results})
    if options.json:
        digest = load_bundle(model).digest
        content = {"machine": described, "model": {"name": model.name, "digest": digest}}
        content |= {"rows": options.rows, "results": rows}
        options.json.write_text(json.dumps(content, indent=2) + "\n", "utf-8")

    print(f"{'setting':22} {'reviews/s':>10} {'a core':>8} {'ratio':>6} {'padding':>8} {'MiB':>6}")
    for settings, row in zip(tried, rows, strict=True):
        changed = [name for name in TRIED if getattr(settings, name) != getattr(tried[0], name)]
        label = ", ".join(f"{name} {getattr(settings, name)}" for name in changed) or "as scoring has them"
        ratio = row["reviews_per_processor_second"] / rows[0]["reviews_per_processor_second"]
        print(
            f"{label:22} {row['reviews_per_second']:10,.0f} {row['reviews_per_processor_second']:8,.0f} "
            f"{ratio:6.3f} {row['padding']:8.2%} {row['peak_mib']:6.0f}"
        )


if __name__ == "__main__":
    run(main)
