"""From texts to labels and scores: the pipeline between the tables and a backend. No torch here."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from sentcli.backends import load_backend
from sentcli.bundle import Bundle
from sentcli.cores import processes_for, shares, usable_cores
from sentcli.encoding import Encoder
from sentcli.errors import DataError, UsageError
from sentcli.evaluation import softmax
from sentcli.readahead import ReadAhead
from sentcli.tables.columns import check_room, find_text_column
from sentcli.uncertainty import UNCERTAIN, Band
from sentcli.window import Machinery, Result, Window
from sentcli.workers import Workers

if TYPE_CHECKING:
    import pandas as pd

    from sentcli.processes import Processes, Texts

# By benchmarks/sweep.py. With smaller batches the operators' own time shows, with larger ones their state
# leaves the cache and the lengths in a batch lie further apart: 2.1 % of the steps on IMDb are padding.
BATCH_TOKENS = 98_304  # steps of a batch, those of padding included
BATCH_ROWS = 512
WINDOW_CHUNKS = 3  # that share batches: of 12,288 texts enough are of nearly one length
_WINDOWS = 2  # in work: one is scored, the next is encoded and has its batches ready
PROCESSES_FROM = 32_768  # texts; before that, starting other processes takes longer than it could save


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
    :param tokens, unknown: all words, and those that the model's vocabulary lacks.
    """

    labels: list[str | None]
    scores: list[float | None]
    blank: int
    truncated: int
    tokens: int
    unknown: int


class _Elsewhere:
    """A window that another process scores."""

    is_encoded = True

    def __init__(self, future: Future[Result]) -> None:
        self._future = future

    @property
    def is_done(self) -> bool:
        return self._future.done()

    def start(self) -> None:
        """Do nothing: it has started."""

    def result(self, classes: int) -> Result:
        return self._future.result()


class Scorer:
    """Scores texts with a model; a context manager that ends its threads and processes.

    :param bundle: the model.
    :param backend: `onnx`, `torch` or `torchscript`; None lets the bundle's file decide.
    :param device: for the torch backends `cpu` or `cuda`.
    :param precision: for the torch backend, one of `SCORING_PRECISIONS`.
    :param workers: threads that run batches; None takes every core that this process may use.
    :param processes: processes that share these threads in `stream`; None lets their number decide. More than
        one are started after PROCESSES_FROM texts, and this process goes on scoring until they are ready.
    :param uncertain: low and high end of the probabilities whose texts get the label `uncertain`, see
        `sentcli.uncertainty.Band`; their scores stay. None labels every text.
    :raises UsageError: when those are not two rising probabilities, a class is called `uncertain` itself,
        there are fewer workers than 1, or backend, device and precision do not go together.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        backend: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        workers: int | None = None,
        processes: int | None = 1,
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
        self._backend = load_backend(backend, bundle, device, precision=precision)
        self.backend, self.runtime = self._backend.name, self._backend.runtime
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}; it has to be 1 or more, or None for every core")
        workers = workers or usable_cores()
        self._workers = Workers(workers)
        if processes is None:
            processes = processes_for(workers) if self.backend == "onnx" else 1
        fresh = replace(bundle, path=bundle.path.absolute())  # without what is cached in it
        self._works = [
            partial(_score_windows, fresh, backend, device, precision, workers=threads)
            for threads in shares(workers, processes)
        ]
        self._processes: Processes[Result] | None = None
        self._streamed = 0  # texts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.close()
        if self._processes:
            self._processes.close()

    def score(self, texts: Sequence[str | None]) -> Scores:
        """Label texts.

        :param texts: any number; None counts as blank.
        :returns: one label and one score a text, in order.
        :raises TypeError: for a single string, whose characters would be taken for texts, for a mapping or a
            data frame, of which it would be the names, and for an element that is neither a string nor None,
            by its place.
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
            missing values (None, NaN, NA), with the first such value; for columns of several levels.
        """
        if frame.columns.nlevels > 1:
            raise DataError(
                f"the data frame: the columns have {frame.columns.nlevels} levels; give them plain names"
            )
        columns = list(frame.columns)
        names = (f"{prefix}sentiment", f"{prefix}sentiment_score")
        check_room(columns, names, "the data frame")
        others: dict[Any, str] = {
            name: f"does not hold texts alone: it has {other!r:.100} ({type(other).__name__}); "
            "give strings, and None or NaN for no text"
            for name, column in frame.items()
            if (other := _other_than_text(column)) is not None
        }
        texts = frame[find_text_column(columns, others, text_column, "the data frame")]
        result = self.score(texts.astype(object).where(texts.notna(), None).tolist())
        added: dict[str, Any] = {names[0]: result.labels, names[1]: result.scores}
        return frame.assign(**added)

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        """Score chunks as they come, in order, reading ahead while batches run.

        Chunks share batches, and wait for others to do so while there is work. One is given back as soon as
        it is finished, so a slow stream gets its answers at once. Memory holds at most
        `(_WINDOWS * processes + 1) * WINDOW_CHUNKS + 1` chunks. What the iterable raises comes out after the
        chunks before it.
        """
        for chunk, result in self._stream(chunks, WINDOW_CHUNKS):
            yield chunk, self._scores(result)

    def _stream(self, chunks: Iterable[Chunk], window_chunks: int) -> Iterator[tuple[Chunk, Result]]:
        # Not an Event: a signal's exception in the midst of its `wait` would come out as another error.
        changes: SimpleQueue[None] = SimpleQueue()
        notify = partial(changes.put, None)
        pending: deque[tuple[list[Chunk], Window | _Elsewhere]] = deque()
        is_open, error = True, None
        with ReadAhead(chunks, window_chunks, notify) as ahead:
            while is_open or pending:
                while not changes.empty():
                    changes.get()
                for _, window in pending:
                    if window.is_encoded:
                        window.start()
                if pending and pending[0][1].is_done:
                    yield from self._results(*pending.popleft())
                elif (
                    is_open
                    and len(pending) < self._most_windows()
                    and ahead.ready(window_chunks if pending and not ahead.has_ended else 1)
                ):
                    together: list[Chunk] = []
                    while is_open and len(together) < window_chunks and ahead.ready():
                        item = ahead.get()
                        if item is None or isinstance(item, BaseException):
                            is_open, error = False, item
                        else:
                            together.append(item)
                    texts = [text for chunk in together for text in chunk.texts]
                    pending.append((together, self._hand_out(texts, notify)))
                else:
                    changes.get()
        if error:
            raise error

    def _most_windows(self) -> int:
        """Give how many windows may be in work, and start other processes when it is time."""
        if self._streamed < PROCESSES_FROM or len(self._works) == 1:
            return _WINDOWS
        if self._processes is None:
            from sentcli.processes import Processes  # multiprocessing: a quick answer does without it

            self._processes = Processes(self._works)
            self._processes.start()
        return _WINDOWS * (len(self._works) if self._processes.are_ready() else 1)

    def _hand_out(self, texts: Sequence[str | None], notify: Callable[[], None]) -> Window | _Elsewhere:
        self._streamed += len(texts)
        if not (self._processes and self._processes.are_ready()):
            return self._submit(texts, notify)
        future = self._processes.submit(texts)
        future.add_done_callback(lambda _: notify())
        return _Elsewhere(future)

    def _submit(self, texts: Sequence[str | None], notify: Callable[[], None] = lambda: None) -> Window:
        factor = self._backend.batch_factor
        machinery = Machinery(
            self._workers,
            self._encoder,
            self._backend,
            self._max_tokens,
            factor * BATCH_TOKENS,
            factor * BATCH_ROWS,
        )
        return Window(texts, machinery, notify)

    def _results(
        self, chunks: Sequence[Chunk], window: Window | _Elsewhere
    ) -> Iterator[tuple[Chunk, Result]]:
        result = window.result(len(self.labels))
        start = 0
        for chunk in chunks:
            stop = start + len(chunk.texts)
            yield chunk, result.part(start, stop)
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
            int(result.words.sum()),
            int(result.unknown.sum()),
        )


def _checked(texts: Iterable[Any]) -> list[str | None]:
    if isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns"):
        kind = "one string" if isinstance(texts, str) else f"of the type {type(texts).__name__}"
        raise TypeError(f"texts is {kind}; give a list of strings")
    checked = list(texts)
    for place, text in enumerate(checked):
        if not (text is None or isinstance(text, str)):
            kind = type(text).__name__
            raise TypeError(f"texts[{place}] is {text!r:.100} ({kind}); give strings, and None for no text")
    return checked


def _other_than_text(column: "pd.Series[Any]") -> Any:
    """Give the first value that is neither a string nor missing; None if there is none."""
    return next((value for value in column[column.notna()] if not isinstance(value, str)), None)


def _score_windows(
    bundle: Bundle,
    backend: str | None,
    device: str | None,
    precision: str | None,
    windows: "Iterator[Texts]",
    *,
    workers: int,
) -> Iterator[Result]:
    """Do what another process does: score windows, each as it comes."""
    with Scorer(bundle, backend=backend, device=device, precision=precision, workers=workers) as scorer:
        for _, result in scorer._stream(windows, 1):
            yield result
