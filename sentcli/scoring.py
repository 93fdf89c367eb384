"""From texts to labels and scores: the pipeline between the tables and a backend. No torch here."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from sentcli.backends import load_backend
from sentcli.bundle import Bundle
from sentcli.encoding import Encoder
from sentcli.errors import DataError, UsageError
from sentcli.evaluation import softmax
from sentcli.readahead import ReadAhead
from sentcli.tables.columns import check_room, find_text_column
from sentcli.uncertainty import UNCERTAIN, Band
from sentcli.window import Machinery, Result, Window

if TYPE_CHECKING:
    import pandas as pd

# By benchmarks/sweep.py. With smaller batches the operators' own time shows, with larger ones their state
# leaves the cache and the lengths in a batch lie further apart: 2.6 % of the steps on IMDb are padding.
BATCH_TOKENS = 65_536  # steps of a batch, those of padding included
BATCH_ROWS = 192
WINDOW_CHUNKS = 2  # that share batches: of 8,192 texts enough are of nearly one length
_WINDOWS = 3  # in work: one is scored, the next has its batches ready, and one is encoded
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
                f"--uncertain: the model {bundle.name} has a label {UNCERTAIN!r:.200} of its own, and the "
                "two could not be told apart; leave the option out"
            )
        self._encoder = Encoder(bundle.vocab)
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
        :returns: one label and one score a text, in order.
        :raises TypeError: for a single string, whose characters would be taken for texts, and for an element
            that is neither a string nor None, by its place.
        """
        return self._scores(self._submit(_checked(texts)).result(len(self.labels)))

    def probabilities(self, texts: Sequence[str | None]) -> npt.NDArray[np.float64]:
        """Give the probability of each class, `[texts, classes]`; a row of NaN for a blank text.

        :raises TypeError: as `score`.
        """
        return softmax(self._submit(_checked(texts)).result(len(self.labels)).logits)

    def score_frame(
        self, frame: "pd.DataFrame", text_column: str | None = None, prefix: str = ""
    ) -> "pd.DataFrame":
        """Give a copy of a pandas data frame with a label and a score in each row.

        :param frame: any index and columns; a missing text counts as blank.
        :param text_column: found by its name when None, as in `sentcli score`.
        :param prefix: goes before the names of the new columns, `sentiment` and `sentiment_score`.
        :returns: the same rows in the same order; both new columns are missing for a blank text.
        :raises DataError: for a column that is not there, is there already, or holds anything but strings and
            missing values (None, NaN, NA), with the first such value.
        """
        columns = list(frame.columns)
        names = (f"{prefix}sentiment", f"{prefix}sentiment_score")
        check_room(columns, names, "the data frame")
        candidates = [name for name in columns if _other_than_text(frame[name]) is None]
        column = find_text_column(columns, candidates, text_column, "the data frame")
        if column not in candidates:
            other = _other_than_text(frame[column])
            raise DataError(
                f"the data frame: the column {column!r:.200} does not hold texts alone: it has "
                f"{other!r:.100} ({type(other).__name__}); give strings, and None or NaN for no text"
            )
        texts = frame[column]
        result = self.score(texts.astype(object).where(texts.notna(), None).tolist())
        added: dict[str, Any] = {names[0]: result.labels, names[1]: result.scores}
        return frame.assign(**added)

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        """Score chunks as they come, in order, reading ahead while batches run.

        Chunks share batches, and wait for others to do so while there is work. One is given back as soon as
        it is finished, so a slow stream gets its answers at once. Memory holds at most
        `(_WINDOWS + 1) * WINDOW_CHUNKS + 1` chunks. What the iterable raises comes out after the chunks
        before it.
        """
        # Not an Event: a signal's exception in the midst of its `wait` would come out as another error.
        changes: SimpleQueue[None] = SimpleQueue()
        notify = partial(changes.put, None)
        pending: deque[tuple[list[Chunk], Window]] = deque()
        is_open, error = True, None
        with ReadAhead(chunks, WINDOW_CHUNKS, notify) as ahead:
            while is_open or pending:
                while not changes.empty():
                    changes.get()
                for _, window in pending:
                    if window.is_encoded:
                        window.start()
                if pending and pending[0][1].is_done:
                    yield from self._results(*pending.popleft())
                elif is_open and len(pending) < _WINDOWS and ahead.ready(WINDOW_CHUNKS if pending else 1):
                    together: list[Chunk] = []
                    while is_open and len(together) < WINDOW_CHUNKS and ahead.ready():
                        item = ahead.get()
                        if item is None or isinstance(item, BaseException):
                            is_open, error = False, item
                        else:
                            together.append(item)
                    texts = [text for chunk in together for text in chunk.texts]
                    pending.append((together, self._submit(texts, notify)))
                else:
                    changes.get()
        if error:
            raise error

    def _submit(self, texts: Sequence[str | None], notify: Callable[[], None] = lambda: None) -> Window:
        machinery = Machinery(
            self._pool, self._encoder, self._backend, self._max_tokens, BATCH_TOKENS, BATCH_ROWS
        )
        return Window(texts, machinery, notify)

    def _results(self, chunks: Sequence[Chunk], window: Window) -> Iterator[tuple[Chunk, Scores]]:
        result = window.result(len(self.labels))
        start = 0
        for chunk in chunks:
            stop = start + len(chunk.texts)
            yield chunk, self._scores(result.part(start, stop))
            start = stop

    def _scores(self, result: Result) -> Scores:
        probabilities = softmax(result.logits)
        blank = result.lengths == 0
        classes = probabilities.argmax(axis=1)
        shown = classes if len(self.labels) > 2 else np.ones_like(classes)
        scores = probabilities[np.arange(len(classes)), shown].astype(object)
        if self.uncertain:
            classes[self.uncertain.holds(probabilities)] = len(self.labels)
        labels = np.array([*self.labels, UNCERTAIN], object)[classes]
        labels[blank] = scores[blank] = None
        return Scores(
            labels.tolist(),
            scores.tolist(),
            int(blank.sum()),
            int((result.lengths > self._max_tokens).sum()),
            int(result.lengths.sum()),
            int(result.unknown.sum()),
        )


def _checked(texts: Iterable[Any]) -> list[str | None]:
    if isinstance(texts, str):
        raise TypeError("texts is one string; give a list of strings")
    checked = list(texts)
    for place, text in enumerate(checked):
        if not (text is None or isinstance(text, str)):
            kind = type(text).__name__
            raise TypeError(f"texts[{place}] is {text!r:.100} ({kind}); give strings, and None for no text")
    return checked


def _other_than_text(column: "pd.Series[Any]") -> Any:
    """Give the first value that is neither a string nor missing; None if there is none."""
    return next((value for value in column[column.notna()] if not isinstance(value, str)), None)


def usable_cores() -> int:
    """Count the cores that the scheduler's affinity and the control group's quota leave to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, _CPU_QUOTA.read_text("ascii").split())
        return max(1, min(cores, math.ceil(quota / period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or `max`: no quota
        return cores
