"""Compare the scores of a whole test split, bit for bit, with those of another commit.

    python benchmarks/same_scores.py --dataset imdb --save before.npy     # at one commit
    python benchmarks/same_scores.py --dataset imdb --against before.npy  # at the other

Run both on one machine: scores depend on the processor and on onnxruntime.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from ending import run

import sentcli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="a folder with test-*.parquet below it")
    parser.add_argument("--model", type=Path, help="a model folder; by default the model in the box")
    parser.add_argument("--save", type=Path, help="write the probabilities to this .npy file")
    parser.add_argument("--against", type=Path, help="compare with the probabilities in this .npy file")
    options = parser.parse_args()

    files = sorted(options.dataset.rglob("test-*.parquet"))
    if not files:
        sys.exit(f"{options.dataset}: there is no test-*.parquet in it")
    texts = [text for file in files for text in pq.read_table(file, columns=["text"])["text"].to_pylist()]
    with sentcli.load(options.model) as scorer:
        probabilities = scorer.probabilities(texts)
    digest = hashlib.sha256(probabilities.tobytes()).hexdigest()
    print(f"{len(texts):,} texts, sha256 of the probabilities {digest}")
    if options.save:
        np.save(options.save, probabilities, allow_pickle=False)
    if options.against:
        before = np.load(options.against, allow_pickle=False)
        changed = ~np.equal(before, probabilities).all(axis=1)
        print(f"{changed.sum():,} texts with other bits, by up to {np.abs(before - probabilities).max():.1e}")
        sys.exit(bool(changed.any()))


if __name__ == "__main__":
    run(main)
