"""Jobs with a fake scorer, for tests that need no model, and their fixtures."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from sentcli.errors import StopRequested
from sentcli.files.sink import Target, write_file
from sentcli.files.source import inspect_input
from sentcli.runs import run as runs
from sentcli.runs.inputs import Inputs, find_formats
from sentcli.runs.job import JobOptions, SummaryFile, score_output
from sentcli.runs.summary import Summary
from sentcli.scoring.extras import Extras
from sentcli.scoring.labels import Counts, Scores
from sentcli.tables.chunk import Chunk
from sentcli.tables.options import ReadOptions, WriteOptions


class ParityScorer:
    """Labels a text by the parity of its length; a blank one has no label.

    :param stop_after: chunks after which a signal stops the run.
    """

    def __init__(
        self,
        stop_after: int | None = None,
        model: str = "parity",
        given_labels: tuple[str, str] = ("even", "odd"),
        *,
        probabilities: bool = False,
    ) -> None:
        self.labels = self.given_labels = given_labels
        self.shown_classes = given_labels if probabilities else ()
        self.bundle = SimpleNamespace(name=model)
        self.extras = Extras()
        self.fingerprint = {"model": model, "probabilities": probabilities}
        self.scored = 0  # texts
        self._stop_after = stop_after

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        for number, chunk in enumerate(chunks):
            if number == self._stop_after:
                raise StopRequested(15)
            self.scored += len(chunk.texts)
            scores = score(chunk.texts, self.given_labels)
            first = [None if number is None else 1 - number for number in scores.scores]
            yield chunk, replace(scores, probabilities=[first, scores.scores] if self.shown_classes else ())


def score(texts: Sequence[str | None], names: Sequence[str]) -> Scores:
    is_blank = [not (text and text.strip()) for text in texts]
    pairs = list(zip(map(len, (text or "" for text in texts)), is_blank, strict=True))
    labels = [None if blank else names[length % 2] for length, blank in pairs]
    scores = [None if blank else (length % 7) / 7 for length, blank in pairs]
    given = Counter(label for label in labels if label is not None)
    counts = Counts(blank=sum(is_blank), tokens=len(texts), labels=given)
    return Scores(labels=labels, scores=scores, counts=counts)


def run_job(
    inputs: Path | str | Sequence[Path | str], output: Path | str, *, scorer: Any = None, **options: Any
) -> Summary:
    """Score inputs to an output as `sentcli score` does, with a fake model."""
    names = [str(name) for name in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    given = {name: value for name, value in options.items() if value is not None}
    return score_output(scorer or ParityScorer(), names, Target(output), JobOptions(**given))


def score_files(scorer: Any, inputs: Sequence[str], output: str, **options: Any) -> Summary:
    """Score files as `sentcli score` does; the fields of `JobOptions` are options as the others."""
    given = {
        name: options.pop(name)
        for name in ("read", "write", "rejects", "overwrite", "update")
        if name in options
    }
    if name := options.pop("summary_file", None):
        given["summary"] = SummaryFile(Target(name), lambda summary: write_file(Target(name), b"{}"))
    return runs.score_files(scorer, inputs, output, JobOptions(**given), **options)


class Reading(Inputs):
    """The inputs of a job, which can be iterated over once."""

    def __iter__(self) -> Iterator[Chunk]:
        return self.chunks


def read_chunks(
    *inputs: Path | str,
    output: str = "out",
    read: ReadOptions | None = None,
    write: WriteOptions | None = None,
) -> Reading:
    """Return the inputs that a job with this output would have."""
    names = [str(name) for name in inputs]
    options = find_formats(names, output, read or ReadOptions(), write or WriteOptions())
    results = options[1].columns(labels=ParityScorer().given_labels)
    return Reading([inspect_input(name) for name in names], Target(output), *options, results, {})


def content(folder: Path | str) -> dict[str, bytes]:
    """Return the files of a folder, but for hidden ones."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name[0] != "."}


def write_to_pipe(path: Path, *parts: bytes, pause: float = 0.0) -> Path:
    """Make a named pipe, to which a thread writes parts, with a pause after each."""
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            for part in parts:
                pipe.write(part)
                time.sleep(pause)

    Thread(target=write, daemon=True).start()
    return path


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the disk; tests of durability patch fsync themselves."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the chunks of small files grow from few rows, as those of large ones do."""
    monkeypatch.setattr("sentcli.tables.chunk._SMALL_BYTES", 0)


@pytest.fixture
def run() -> Callable[..., Summary]:
    return run_job


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., bytes]:
    """Write an input, score it, return the output; its rejects are in what `rejects` returns."""

    def convert(data: bytes, source: str = "in.csv", target: str | None = None, **options: Any) -> bytes:
        path, output = tmp_path / source, tmp_path / ("out" + (target or "".join(Path(source).suffixes)))
        path.write_bytes(data)
        run_job(path, output, overwrite=True, **options)
        return output.read_bytes()

    return convert
