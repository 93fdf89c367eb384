"""From texts to logits: windows of texts, run by threads here and in other processes. No torch here."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TypeVar

from sentcli.backends import load_backend
from sentcli.errors import UsageError
from sentcli.files.textcolumn import TextColumn
from sentcli.model.bundle import Bundle
from sentcli.scoring import stop
from sentcli.scoring.cores import processes_for, shares, usable_cores
from sentcli.scoring.outcome import Outcome
from sentcli.scoring.prefetch import ReadAhead
from sentcli.scoring.window import Engine, Result, Window
from sentcli.scoring.workers import Workers
from sentcli.text.encoder import Encoder

if TYPE_CHECKING:
    from sentcli.scoring.processes import Processes, Texts

PROCESSES_FROM = 32_768  # texts; before that, starting other processes takes longer than it could save
_WINDOWS = 2  # in work at a time: one is scored, the next is encoded and has its batches ready


@dataclass(frozen=True)
class Limits:
    """How much is worked at together.

    By benchmarks/sweep.py. With smaller batches the operators' own time shows, with larger ones their state
    leaves the cache and the lengths in a batch lie further apart: 2.8 % of the steps on IMDb are padding.

    :param batch_tokens: steps of a batch, those of padding included.
    :param batch_rows: texts of a batch.
    :param window_chunks: chunks that share batches: of 12,288 texts enough are of nearly one length. With 8
        chunks 100,000 reviews take as long, and 560 MiB in place of 400.
    """

    batch_tokens: int = 98_304
    batch_rows: int = 512
    window_chunks: int = 3


LIMITS = Limits()


class HasTexts(Protocol):
    """A piece of a table as `sentcli.tables` reads it."""

    @property
    def texts(self) -> Sequence[str | None]: ...


Chunk = TypeVar("Chunk", bound=HasTexts)


class _RemoteWindow:
    """A window that another process scores."""

    is_encoded = True

    def __init__(self, outcome: Outcome[Result]) -> None:
        self._outcome = outcome
        self._is_started = False

    @property
    def is_done(self) -> bool:
        return self._outcome.is_known

    def start(self) -> bool:
        """Do nothing: the other process does. Tell as `Window` whether that is new."""
        is_new, self._is_started = not self._is_started, True
        return is_new

    def result(self) -> Result:
        return self._outcome.result()

    def close(self) -> None:
        """Do nothing: the other process has it."""


class Pipeline:
    """Runs texts through a model. `close` ends its threads and processes.

    :param bundle, backend, device, precision, workers, processes: see `sentcli.scoring.scorer.Scorer`.
    :param limits: of batches and of what shares them; for a backend that wants larger batches, those of its
        batches are multiplied.
    :raises UsageError: when there are fewer workers than 1, or backend, device and precision do not go
        together.
    :raises BundleError: when the bundle lacks a file, or a file cannot be read or run.
    :raises MissingExtraError: when PyTorch is needed and not installed.
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
        limits: Limits = LIMITS,
    ) -> None:
        encoder = Encoder(bundle.vocab)
        loaded = load_backend(backend, bundle, device, precision=precision)
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}; it has to be 1 or more, or None for every core")
        workers = workers or usable_cores()
        self.engine = Engine(
            Workers(workers),
            encoder,
            loaded,
            max_tokens=bundle.config.text.max_tokens,
            classes=len(bundle.config.labels),
            batch_tokens=loaded.batch_factor * limits.batch_tokens,
            batch_rows=loaded.batch_factor * limits.batch_rows,
        )
        self._window_chunks = limits.window_chunks
        if processes is None:
            processes = processes_for(workers) if loaded.name == "onnx" else 1
        # A copy without the cached vocabulary: it is pickled to each process.
        fresh = replace(bundle, path=bundle.path.absolute())
        whole = replace(limits, window_chunks=1)  # what comes from here is a window already
        self._works = [
            partial(_run_windows, fresh, backend, device, precision, workers=threads, limits=whole)
            for threads in shares(workers, processes)
        ]
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()  # on the start of other processes
        self._processes: Processes[Result] | None = None
        self._streamed = 0  # texts

    def _outlive_fork(self) -> None:
        """Begin anew in a forked process: the threads that speak to the other processes stayed behind."""
        if self._process != os.getpid():
            self._begin()

    def close(self) -> None:
        """End threads and processes; what has not begun is cancelled."""
        self.engine.workers.close()
        self._outlive_fork()
        with self._lock:
            self._works = []  # no thread that still streams starts any after this
        if self._processes:
            self._processes.close()

    def run(self, texts: Sequence[str | None]) -> Result:
        """Run texts, all of them in batches together, on the threads of this process.

        :param texts: any number; None counts as blank.
        :raises BundleError: when the model fails.
        """
        with closing(Window(texts, self.engine)) as window:
            return window.result()

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Result]]:
        """Run chunks as they come, in order; for memory and errors see `Scorer.stream`."""
        self._outlive_fork()
        # Not an Event: a signal's exception in the midst of its `wait` would come out as another error.
        changes: SimpleQueue[None] = SimpleQueue()
        notify = partial(changes.put, None)
        pending: deque[tuple[list[Chunk], Window | _RemoteWindow]] = deque()
        is_open, error = True, None
        with ReadAhead(chunks, self._window_chunks, notify) as ahead, _all_closed(pending):
            while is_open or pending:
                stop.check()
                while not changes.empty():
                    changes.get()
                for together, window in pending:
                    # Not before: what reads takes turns with what encodes, for the interpreter's lock.
                    if window.is_encoded and window.start():
                        ahead.make_room(len(together))
                if pending and pending[0][1].is_done:
                    yield from _results(*pending.popleft())
                elif (
                    is_open
                    and len(pending) < self._most_windows()
                    and ahead.ready(self._window_chunks if pending and not ahead.has_ended else 1)
                ):
                    together = []
                    while is_open and len(together) < self._window_chunks and ahead.ready():
                        # By itself: what comes before it is written meanwhile, and no thread waits for that.
                        if together and ahead.is_at_last:
                            break
                        item = ahead.get()
                        if item is None or isinstance(item, BaseException):
                            is_open, error = False, item
                        else:
                            together.append(item)
                    texts = TextColumn.of(*(chunk.texts for chunk in together))
                    pending.append((together, self._hand_out(texts, notify)))
                else:
                    stop.wait(partial(_next_change, changes))
        if error:
            raise error

    def _most_windows(self) -> int:
        """Give how many windows may be in work, and start other processes when it is time."""
        if self._streamed < PROCESSES_FROM:
            return _WINDOWS
        with self._lock:  # several threads that stream share them
            if self._processes is None and len(self._works) > 1:
                from sentcli.scoring.processes import (
                    Processes,  # multiprocessing: a quick answer does without it
                )

                self._processes = Processes(self._works)
                self._processes.start()
        # `close` may empty the list meanwhile; a stream then still has to come to its end.
        are_ready = self._processes is not None and self._processes.are_ready()
        return _WINDOWS * (max(1, len(self._works)) if are_ready else 1)

    def _hand_out(self, texts: Sequence[str | None], notify: Callable[[], None]) -> Window | _RemoteWindow:
        self._streamed += len(texts)
        if not (self._processes and self._processes.are_ready()):
            return Window(texts, self.engine, notify)
        return _RemoteWindow(self._processes.submit(texts, notify))


@contextmanager
def _all_closed(pending: Iterable[tuple[object, Window | _RemoteWindow]]) -> Iterator[None]:
    """Close at the end what is pending by then: its results are not wanted any more."""
    try:
        yield
    finally:
        for _, window in pending:
            window.close()


def _results(chunks: Sequence[Chunk], window: Window | _RemoteWindow) -> Iterator[tuple[Chunk, Result]]:
    result = window.result()
    start = 0
    for chunk in chunks:
        stop = start + len(chunk.texts)
        yield chunk, result.part(start, stop)
        start = stop


def _next_change(changes: SimpleQueue[None], seconds: float) -> bool | None:
    try:
        changes.get(timeout=seconds)
    except Empty:
        return None
    return True


def _run_windows(
    bundle: Bundle,
    backend: str | None,
    device: str | None,
    precision: str | None,
    windows: "Iterator[Texts]",
    *,
    workers: int,
    limits: Limits,
) -> Iterator[Result]:
    """Do what another process does: run windows, each as it comes."""
    pipeline = Pipeline(
        bundle, backend=backend, device=device, precision=precision, workers=workers, limits=limits
    )
    with closing(pipeline):
        for _, result in pipeline.stream(windows):
            yield result
