"""From texts to labels and scores: the pipeline between the tables and a backend. No torch here."""

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from sentcli.backends import load_backend
from sentcli.batching import length_buckets, pad
from sentcli.bundle import Bundle
from sentcli.errors import DataError, UsageError
from sentcli.evaluation import softmax
from sentcli.readahead import ReadAhead
from sentcli.tables.columns import check_room, find_text_column
from sentcli.text import UNK_ID, tokenize, truncate
from sentcli.uncertainty import UNCERTAIN, Band

if TYPE_CHECKING:
    import pandas as pd

Logits = npt.NDArray[np.float32]  # [batch, classes]

BATCH_TOKENS = 65_536  # padded tokens a batch: 256 reviews of 256, where the folded graph is at its best
BATCH_ROWS = (
    256  # of short texts too: the state of more leaves the cache, and their lengths lie further apart
)
_CHUNKS_AHEAD = 2  # read, and in work, before the oldest has to be finished
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class HasTexts(Protocol):
    """A piece of a table as `sentcli.tables` reads it."""

    @property
    def texts(self) -> Sequence[str | None]: ...


Chunk = TypeVar("Chunk", bound=HasTexts)


@dataclass(frozen=True)
class Scores:
    """What a model says of a sequence of texts.

    :param labels: the name of the most probable class, or `uncertain`; None for a blank text.
    :param scores: of two classes the probability of the second, of more that of the most probable; None for
        a blank text.
    :param blank: texts without a token.
    :param truncated: texts of more than the model's `max_tokens`.
    :param tokens, unknown: all tokens, and those that the model's vocabulary lacks.
    """

    labels: list[str | None]
    scores: list[float | None]
    blank: int
    truncated: int
    tokens: int
    unknown: int


@dataclass(frozen=True)
class _Work:
    """Texts whose batches are on their way: `batches` holds row numbers and the logits to come."""

    texts: int
    batches: list[tuple[npt.NDArray[np.intp], "Future[Logits]"]]
    blank: int
    truncated: int
    tokens: int
    unknown: int


class Scorer:
    """Scores texts with a model; a context manager that ends its threads.

    :param bundle: the model.
    :param backend: `onnx`, `torch` or `torchscript`; None lets the bundle's file decide.
    :param device: for the torch backends `cpu` or `cuda`.
    :param workers: threads that run batches; None takes every core that this process may use.
    :param uncertain: low and high end of the probabilities whose texts get the label `uncertain`, see
        `sentcli.uncertainty.Band`; their scores stay. None labels every text.
    :raises UsageError: when those are not two rising probabilities, or a class is called `uncertain` itself.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        backend: str | None = None,
        device: str | None = None,
        workers: int | None = None,
        uncertain: tuple[float, float] | None = None,
    ) -> None:
        self.bundle = bundle
        self.labels = bundle.config.labels
        self.uncertain = Band(*uncertain) if uncertain is not None else None
        if self.uncertain and UNCERTAIN in self.labels:
            raise UsageError(
                f"--uncertain: the model {bundle.name} has a label {UNCERTAIN!r} of its own, and the two "
                "could not be told apart; leave the option out"
            )
        self._vocab = bundle.vocab
        self._max_tokens = bundle.config.text.max_tokens
        self._backend = load_backend(backend, bundle, device)
        self.backend = self._backend.name
        self._pool = ThreadPoolExecutor(workers or usable_cores(), "sentcli-worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def score(self, texts: Sequence[str | None]) -> Scores:
        """Label texts.

        :param texts: any number; None counts as blank.
        :raises TypeError: for a single string, whose characters would be taken for texts.
        """
        return self._finish(self._submit(texts))

    def probabilities(self, texts: Sequence[str | None]) -> npt.NDArray[np.float64]:
        """Give the probability of each class, `[texts, classes]`; a row of NaN for a blank text."""
        return softmax(self._logits(self._submit(texts)))

    def score_frame(
        self, frame: "pd.DataFrame", text_column: str | None = None, prefix: str = ""
    ) -> "pd.DataFrame":
        """Give a copy of a pandas data frame with a label and a score in each row.

        :param frame: any index and columns; a missing text counts as blank.
        :param text_column: found by its name when None, as in `sentcli score`.
        :param prefix: goes before the names of the new columns, `sentiment` and `sentiment_score`.
        :returns: the same rows in the same order; both new columns are missing for a blank text.
        :raises DataError: for a column that is not there, is there already, or holds anything but texts.
        """
        columns = list(frame.columns)
        names = (f"{prefix}sentiment", f"{prefix}sentiment_score")
        check_room(columns, names, "the data frame")
        candidates = [name for name in columns if _holds_texts(frame[name])]
        column = find_text_column(columns, candidates, text_column, "the data frame")
        if column not in candidates:
            raise DataError(f"the data frame: the column {column!r:.200} does not hold texts")
        texts = frame[column]
        result = self.score(texts.astype(object).where(texts.notna(), None).tolist())
        added: dict[str, Any] = {names[0]: result.labels, names[1]: result.scores}
        return frame.assign(**added)

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        """Score chunks as they come, in order, reading ahead while batches run.

        A chunk is given back as soon as it is finished when the next one is not there yet, so a slow stream
        gets its answers at once. Memory holds at most `2 * _CHUNKS_AHEAD + 2` chunks. What the iterable
        raises comes out after the chunks before it.
        """
        pending: deque[tuple[Chunk, _Work]] = deque()
        with ReadAhead(chunks, _CHUNKS_AHEAD) as ahead:
            while True:
                if len(pending) > _CHUNKS_AHEAD or (pending and not ahead.ready()):
                    chunk, work = pending.popleft()
                    yield chunk, self._finish(work)
                    continue
                item = ahead.get()
                if item is None or isinstance(item, BaseException):
                    break
                pending.append((item, self._submit(item.texts)))
            for chunk, work in pending:
                yield chunk, self._finish(work)
            if item is not None:
                raise item

    def _submit(self, texts: Sequence[str | None]) -> _Work:
        if isinstance(texts, str):
            raise TypeError("texts is one string; give a list of strings")
        rows, encoded = [], []
        truncated = tokens = unknown = 0
        for row, text in enumerate(texts):
            ids = self._vocab.encode(tokenize(text)) if text else []
            if not ids:
                continue
            tokens += len(ids)
            unknown += ids.count(UNK_ID)
            truncated += len(ids) > self._max_tokens
            rows.append(row)
            encoded.append(truncate(ids, self._max_tokens))
        numbers = np.asarray(rows, dtype=np.intp)
        batches = []
        for picked in length_buckets([len(ids) for ids in encoded], BATCH_TOKENS, BATCH_ROWS):
            ids_lengths = pad([encoded[index] for index in picked])
            batches.append((numbers[picked], self._pool.submit(self._backend.logits, *ids_lengths)))
        return _Work(len(texts), batches, len(texts) - len(rows), truncated, tokens, unknown)

    def _logits(self, work: _Work) -> npt.NDArray[np.float64]:
        logits = np.full((work.texts, len(self.labels)), np.nan)
        for rows, future in work.batches:
            logits[rows] = future.result()
        return logits

    def _finish(self, work: _Work) -> Scores:
        probabilities = softmax(self._logits(work))
        labels: list[str | None] = [None] * work.texts
        scores: list[float | None] = [None] * work.texts
        names = (*self.labels, UNCERTAIN)
        for rows, _ in work.batches:
            classes = probabilities[rows].argmax(axis=1)
            shown = probabilities[rows, classes if len(self.labels) > 2 else 1]
            if self.uncertain:
                classes[self.uncertain.holds(probabilities[rows])] = len(self.labels)
            for row, index, score in zip(rows.tolist(), classes.tolist(), shown.tolist(), strict=True):
                labels[row] = names[index]
                scores[row] = score
        return Scores(labels, scores, work.blank, work.truncated, work.tokens, work.unknown)


def _holds_texts(column: "pd.Series[Any]") -> bool:
    return all(isinstance(value, str) for value in column[column.notna()])


def usable_cores() -> int:
    """Count the cores that the scheduler's affinity and the control group's quota leave to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, _CPU_QUOTA.read_text("ascii").split())
        return max(1, min(cores, math.ceil(quota / period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or `max`: no quota
        return cores
