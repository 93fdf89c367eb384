"""Measure the time to a first answer, as a ratio to the imports that it needs.

    python benchmarks/startup.py

Commands take turns, so that other work on the machine slows all of them; the medians are compared.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from ending import run

ROUNDS = 21
SENTCLI = str(Path(sys.executable).with_name("sentcli"))
PAIRS = {
    'echo "an absolute joy" | sentcli score': ([SENTCLI, "score"], "import numpy, onnxruntime", 2.5),
    'echo "an absolute joy" | sentcli explain': ([SENTCLI, "explain"], "import numpy, onnxruntime", 2.5),
    "sentcli --help": ([SENTCLI, "--help"], "import click", 3.0),
}


def seconds(command: list[str]) -> float:
    """Run a command with a line on its stdin, and return its wall-clock time."""
    started = time.perf_counter()
    subprocess.run(command, input=b"an absolute joy\n", capture_output=True, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print a table: medians in milliseconds, their ratio, and the highest allowed ratio."""
    print(f"{'command':42} {'ms':>6} {'imports ms':>11} {'ratio':>6} {'limit':>6}")
    for name, (command, imports, limit) in PAIRS.items():
        reference = [sys.executable, "-c", imports]
        seconds(command), seconds(reference)
        taken = [(seconds(command), seconds(reference)) for _ in range(ROUNDS)]
        ours, theirs = (statistics.median(column) * 1000 for column in zip(*taken, strict=True))
        print(f"{name:42} {ours:6.0f} {theirs:11.0f} {ours / theirs:6.2f} {limit:6.1f}")


if __name__ == "__main__":
    run(main)
