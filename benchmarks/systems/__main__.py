"""Train a peer, or score a file with it: the process that `throughput.py` starts and times."""

import json
import sys
from pathlib import Path

from systems import ENTRIES, PROCESSES, THREADS
from systems.base import score_file


def train(key: str, data: str, folder: str) -> None:
    """Train the model of an entry on a Parquet file with the columns `text` and `label`."""
    import pyarrow.parquet as pq

    entry = next(entry for entry in ENTRIES if entry.key == key)
    columns = pq.read_table(data).to_pydict()
    entry.system.train(columns["text"], columns["label"], Path(folder), **entry.options)


def score(key: str, folder: str, source: str, target: str, cores: str) -> None:
    """Score a CSV file and print the peak of memory in MiB."""
    entry = next(entry for entry in ENTRIES if entry.key == key)
    system = entry.system(Path(folder), int(cores) if entry.how == THREADS else 1)
    processes = int(cores) if entry.how == PROCESSES else 1
    print(json.dumps(score_file(system, Path(source), Path(target), processes)))


if __name__ == "__main__":
    {"train": train, "score": score}[sys.argv[1]](*sys.argv[2:])
