"""Run one system in a process of its own, which loads once and then takes its turns.

As a module this is the process: it reads and writes one JSON object per line. `Worker` is the other end.
"""

import csv
import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import machine

from systems import ENTRIES, Entry
from systems.base import Context, System

_FIRST_ROWS = 32
_LONG_ENOUGH = 0.5  # seconds that are enough to measure a speed


class WorkerError(Exception):
    """A system that does not work here, with its own message."""


class Worker:
    """The process of one system, ready to score; a context manager."""

    def __init__(self, entry: Entry, context: Context, log: Path) -> None:
        self.entry = entry
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                _command(entry, context),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=_environment(),
                text=True,
            )
        self.load_seconds: float = self._answer()

    def ask(self, task: str, **options: Any) -> Any:
        """Run a task, one of the methods of `_Turns`, and return its result."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"task": task, **options}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(_last_line(self._log)) from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(_last_line(self._log))
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class _Turns:
    """The tasks of a worker, one method each."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._texts: list[str] = []

    def speed(self, source: str, rows: int) -> float:
        """Return reviews/s, measured on few reviews; this also warms up the system."""
        count = _FIRST_ROWS
        while True:
            texts = _read(source, min(count, rows))
            seconds = min(self._seconds(texts) for _ in range(2))  # the first call may load something
            if seconds > _LONG_ENOUGH or count >= rows:
                return len(texts) / seconds
            count *= 4

    def pipeline(self, source: str, target: str) -> float:
        Path(target).unlink(missing_ok=True)  # replacing a file of 30 MB takes some ms
        started = time.perf_counter()
        self._system.score_file(Path(source), Path(target))
        return time.perf_counter() - started

    def model(self, source: str, rows: int) -> float:
        if len(self._texts) != rows:
            self._texts = _read(source, rows)
        return self._seconds(self._texts)

    def memory(self) -> float:
        """Return the peak MiB of this process plus the private memory of its children.

        Memory that they share, such as a model that was loaded before the fork, counts once.
        """
        threads = Path("/proc/self/task").iterdir()
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
        held = _kibibytes(Path("/proc/self/status"), "VmHWM")
        own = [_kibibytes(Path("/proc", child, "smaps_rollup"), "Private_") for child in children]
        return (held + sum(own)) / 1024

    def _seconds(self, texts: list[str]) -> float:
        started = time.perf_counter()
        self._system.score_texts(texts)
        return time.perf_counter() - started


def _read(source: str, rows: int) -> list[str]:
    with Path(source).open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in islice(csv.DictReader(file), rows)]


def _kibibytes(file: Path, field: str) -> int:
    """Return the sum of the values of the fields whose names begin with `field`."""
    lines = file.read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))


def train(entry: Entry, context: Context, log: Path) -> None:
    """Train a peer in a process of its own, so that the cost is not in the figures.

    :raises WorkerError: if it fails.
    """
    command = [*_command(entry, context), "--train"]
    with log.open("wb") as file:
        code = subprocess.run(command, stderr=file, stdout=file, env=_environment()).returncode
    if code:
        raise WorkerError(_last_line(log))


def _command(entry: Entry, context: Context) -> list[str]:
    return [sys.executable, "-m", "systems.worker", entry.key, json.dumps(context.to_json())]


def _environment() -> dict[str, str]:
    environment = machine.all_cores()
    folders = [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a message"


def _serve() -> None:
    key, values, *rest = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of a library is not an answer
    entry = next(entry for entry in ENTRIES if entry.key == key)
    context = Context(**json.loads(values))
    if rest == ["--train"]:
        entry.system.train(context, **entry.options)
        return
    started = time.perf_counter()
    turns = _Turns(entry.system(context, **entry.options))
    print(json.dumps(time.perf_counter() - started), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(getattr(turns, job.pop("task"))(**job)), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
