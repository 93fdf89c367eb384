"""Define a system of the comparison: texts to scores, and a CSV file to a CSV file."""

import csv
import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

csv.field_size_limit(1 << 24)  # bytes; the default of sentcli

LABELS = ("negative", "positive")
_CHUNK = 4096  # rows per call: enough for any batch, and bounded memory
_POOLED_CHUNK = 512  # small, so that all processes end at about the same time


@dataclass(frozen=True)
class Context:
    """The data and the machine that systems use.

    :param cache: folder for models that are trained or exported once.
    :param train: data set whose train split the peers learn from, as `sentcli train --dataset` takes it.
    :param model: model folder of sentcli; None: the included model.
    :param distilbert: folder of a fine-tuned DistilBERT; None: random weights.
    :param cores: number of usable cores.
    """

    cache: str
    train: str
    model: str | None
    distilbert: str | None
    cores: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def trained(self, name: str, module: str) -> Path:
        """Return the path of a trained file; the name depends on the code of `module` and on the data."""
        data = Path(self.train)
        state = f"{data.stat().st_size} {data.stat().st_mtime_ns}" if data.is_file() else ""
        digest = hashlib.sha256(f"{self.train} {state}".encode() + Path(module).read_bytes()).hexdigest()
        return Path(self.cache, f"{digest[:8]}-{name}")


class System:
    """A system that is ready to score once it is constructed.

    :param pooled: run one process per core, for a library that uses one core.
    """

    trains = False  # whether `train` has something to do

    def __init__(self, context: Context, *, pooled: bool = False) -> None:
        self.context = context
        self._chunk = _POOLED_CHUNK if pooled else _CHUNK
        self._pool = None
        if pooled:
            fork = multiprocessing.get_context("fork")  # the processes share the memory of the model
            self._pool = fork.Pool(context.cores, _adopt, (self,))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    @classmethod
    def train(cls, context: Context, **options: Any) -> None:
        """Train or export into the cache, so that the cost is not in the figures.

        :param options: arguments of `__init__`.
        """

    def positive(self, texts: Sequence[str]) -> Sequence[float]:
        """Return a score for each text; 0.5 and more is positive."""
        raise NotImplementedError

    def score_texts(self, texts: Sequence[str]) -> list[float]:
        """Score texts in memory, in chunks of the same size as `score_file`."""
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
    """Read the train split, which the included model learned from too.

    :returns: texts, and 1 for each positive one.
    """
    from sentcli.datasets.labels import label_ids
    from sentcli.datasets.load import load_split

    data = load_split(context.train, "train", None, None)
    return data.texts, label_ids(data.labels, LABELS, data.where).tolist()
