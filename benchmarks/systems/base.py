"""What every system of the comparison does: texts to scores, and a CSV file to a CSV file."""

import csv
import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

csv.field_size_limit(1 << 24)  # bytes: what sentcli reads by default

LABELS = ("negative", "positive")
_CHUNK = 4096  # rows that a peer gets at once: enough for any batch, and the same memory for any file
_POOLED_CHUNK = 512  # small enough for all processes to end at about the same time


@dataclass(frozen=True)
class Context:
    """What systems need to know.

    :param cache: folder for what is trained or exported once.
    :param train: data set whose train split the peers learn from, as `sentcli train --dataset` takes it.
    :param model: model folder of sentcli; None: the model in the box.
    :param distilbert: folder of a fine-tuned DistilBERT; None: its shape with random weights.
    :param cores: what a system may use.
    """

    cache: str
    train: str
    model: str | None
    distilbert: str | None
    cores: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def trained(self, name: str, module: str) -> Path:
        """Give the place of what a file's code learned from the train split, of this code and data alone."""
        data = Path(self.train)
        state = f"{data.stat().st_size} {data.stat().st_mtime_ns}" if data.is_file() else ""
        digest = hashlib.sha256(f"{self.train} {state}".encode() + Path(module).read_bytes()).hexdigest()
        return Path(self.cache, f"{digest[:8]}-{name}")


class System:
    """A system that is ready to score; what comes before, `__init__` does.

    :param pooled: give chunks to a process a core, for a library that works on one core.
    """

    trains = False  # whether `train` has something to do

    def __init__(self, context: Context, *, pooled: bool = False) -> None:
        self.context = context
        self._chunk = _POOLED_CHUNK if pooled else _CHUNK
        self._pool = None
        if pooled:
            fork = multiprocessing.get_context("fork")  # the model is in memory once
            self._pool = fork.Pool(context.cores, _adopt, (self,))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    @classmethod
    def train(cls, context: Context, **options: Any) -> None:
        """Put into the cache what is learned or exported, so that its cost is not in the figures.

        :param options: those of `__init__`.
        """

    def positive(self, texts: Sequence[str]) -> Sequence[float]:
        """Give a number for each text; 0.5 and more is positive."""
        raise NotImplementedError

    def score_texts(self, texts: Sequence[str]) -> list[float]:
        """Score texts that are in memory, in chunks as `score_file` does."""
        starts = range(0, len(texts), self._chunk)
        chunks = (texts[start : start + self._chunk] for start in starts)
        return [score for scores in self._each(chunks) for score in scores]

    def score_file(self, source: Path, target: Path) -> None:
        """Read a CSV file with a column `text`, write it with two more columns."""
        with (
            source.open(newline="", encoding="utf-8") as reading,
            target.open("w", newline="", encoding="utf-8") as writing,
        ):
            reader, writer = csv.reader(reading), csv.writer(writing)
            header = next(reader)
            column = header.index("text")
            writer.writerow([*header, "sentiment", "sentiment_score"])
            waiting: list[list[list[str]]] = []

            def texts() -> Iterator[list[str]]:
                while rows := list(islice(reader, self._chunk)):
                    waiting.append(rows)
                    yield [row[column] for row in rows]

            for scores in self._each(texts()):
                rows = waiting.pop(0)
                writer.writerows(
                    [*row, LABELS[score >= 0.5], score] for row, score in zip(rows, scores, strict=True)
                )

    def _each(self, chunks: Iterator[Sequence[str]]) -> Iterator[Sequence[float]]:
        if self._pool is None:
            return map(self.positive, chunks)
        return self._pool.imap(_positive, chunks)


_adopted: System  # in a process of the pool


def _adopt(system: System) -> None:
    global _adopted
    _adopted = system


def _positive(texts: Sequence[str]) -> Sequence[float]:
    return _adopted.positive(texts)


def train_split(context: Context) -> tuple[list[str], list[int]]:
    """Read what the peers learn from; the model in the box learned from the same.

    :returns: texts, and 1 for the positive of them.
    """
    from sentcli.evaluation.datasets import load_split
    from sentcli.evaluation.labels import label_ids

    data = load_split(context.train, "train", None, None)
    return data.texts, label_ids(data.labels, LABELS, data.where).tolist()
