"""Compare the backends on a whole test split, in fp32.

    python benchmarks/agreement.py --dataset stanfordnlp/imdb --json agreement.json

The folded ONNX graph, which scoring runs, is compared with PyTorch, TorchScript and the portable ONNX graph.
A label may differ only in a tie: the two most probable classes are within 1e-5 of each other.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ending import run

from sentcli.config import DEFAULT_DATASET
from sentcli.datasets.labels import label_ids
from sentcli.datasets.load import load_split
from sentcli.export.export import export_bundle
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.scoring.scorer import Scorer

TIE = 1e-5  # of probability
Floats = npt.NDArray[np.float64]


def compare(wanted: Floats, found: Floats) -> dict[str, Any]:
    """Return the largest difference of a probability, and how many labels differ outside and in ties."""
    highest = np.sort(wanted, axis=1)[:, -2:]
    tied = highest[:, 1] - highest[:, 0] <= TIE
    differ = wanted.argmax(axis=1) != found.argmax(axis=1)
    return {
        "largest_difference": float(np.nanmax(np.abs(wanted - found))),  # NaN for a text without a word
        "labels_that_differ": int((differ & ~tied).sum()),
        "ties_that_differ": int((differ & tied).sum()),
    }


def main() -> None:
    """Score with each backend, print a table and write the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=default_bundle_path())
    parser.add_argument("--dataset", default=DEFAULT_DATASET)
    parser.add_argument("--split", default="test")
    parser.add_argument("--workers", type=int, help="threads; by default one per usable core")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()

    bundle = load_bundle(options.model)
    examples = load_split(options.dataset, options.split, None, None)
    labels = label_ids(examples.labels, bundle.config.labels, examples.where)
    results: dict[str, dict[str, Any]] = {}
    wanted = None
    print(f"{len(examples):,} texts of {examples.where}")
    print(f"{'':16} {'accuracy':>8} {'difference':>10} {'labels':>6} {'ties':>4} {'texts/s':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "exported")
        export_bundle(bundle, folder, formats=("onnx", "torchscript"), graph="portable")
        exported = load_bundle(folder)
        for name, of, backend in (
            ("onnx, folded", bundle, "onnx"),
            ("onnx, portable", exported, "onnx"),
            ("torch", bundle, "torch"),
            ("torchscript", exported, "torchscript"),
        ):
            with Scorer(of, backend=backend, device="cpu", workers=options.workers) as scorer:
                started = time.perf_counter()
                found = scorer.probabilities(examples.texts)
                seconds = time.perf_counter() - started
            wanted = found if wanted is None else wanted
            accuracy = float((found.argmax(axis=1) == labels).mean())
            result = {
                "accuracy": accuracy,
                **compare(wanted, found),
                "texts_per_second": len(found) / seconds,
            }
            results[name] = result
            print(
                "{:16} {accuracy:8.4f} {largest_difference:10.1e} {labels_that_differ:6} "
                "{ties_that_differ:4} {texts_per_second:8,.0f}".format(name, **result),
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    run(main)
