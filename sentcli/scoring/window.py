"""Texts on their way through the workers: encoded in slices, then run in batches of nearly one length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sentcli.backends import Backend, Logits
from sentcli.files.textcolumn import TextColumn
from sentcli.scoring.batches import gather, length_buckets
from sentcli.scoring.outcome import Outcome
from sentcli.scoring.workers import Workers
from sentcli.text.encoder import Encoded, Encoder, slices

_MANY = 1 << 16  # bytes of a window; above this its batches are large and need the whole model

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Engine:
    """What windows run on, the same for all of a pipeline.

    :param max_tokens: what the model reads of a longer text.
    :param classes: of the model.
    :param batch_tokens, batch_rows: limits of a batch; see `length_buckets`.
    """

    workers: Workers
    encoder: Encoder
    backend: Backend
    max_tokens: int
    classes: int
    batch_tokens: int
    batch_rows: int


class Window:
    """Texts that share batches; those that are equal are scored once.

    Encoding starts at once, scoring with `start`, which does not wait when `is_encoded`; `result` waits.
    `close` gives up what has not begun: who was interrupted while waiting does not want it any more.

    :param texts: any number; None counts as blank.
    :param notify: called in any thread when `is_encoded` or `is_done` may have changed. It must not hold the
        window: in such a cycle finished ones, megabytes each, would wait for the garbage collector.
    """

    def __init__(
        self, texts: Sequence[str | None], engine: Engine, notify: Callable[[], None] = lambda: None
    ) -> None:
        self._engine = engine
        self._notify = notify
        distinct, self._inverse = TextColumn.of(texts).distinct()
        self._prepared: Outcome[None] | None = None
        if distinct.sizes.sum() > _MANY:
            self._prepared = engine.workers.run(engine.backend.prepare)  # while others encode
        parts = slices(distinct)
        encode = partial(engine.workers.encode, engine.encoder.encode, notify=_at_last(len(parts), notify))
        self._slices = [encode(part) for part in parts]
        self._batches: list[tuple[Rows, Outcome[Logits]]] | None = None
        self._lengths = self._words = self._unknown = np.zeros(len(distinct), np.int64)

    @property
    def is_encoded(self) -> bool:
        return all(outcome.is_known for outcome in self._slices)

    @property
    def is_done(self) -> bool:
        return self._batches is not None and all(outcome.is_known for _, outcome in self._batches)

    def start(self) -> bool:
        """Cut batches and hand them to the workers: the longest first, so that none idles at the end.

        :returns: False when that was done before.
        """
        if self._batches is not None:
            return False
        self._batches = []
        if not self._slices:
            return True
        encoded = Encoded.join([outcome.result() for outcome in self._slices])
        self._slices = []
        self._lengths, self._words, self._unknown = encoded.lengths, encoded.words, encoded.unknown
        engine = self._engine
        (rows,) = encoded.lengths.nonzero()
        kept = np.minimum(encoded.lengths[rows], engine.max_tokens)
        buckets = length_buckets(kept, engine.batch_tokens, engine.batch_rows)
        notify = _at_last(len(buckets), self._notify)
        for picked in buckets:
            batch = rows[picked]
            outcome = engine.workers.run(self._run, encoded, batch, notify=notify)
            self._batches.append((batch, outcome))
        return True

    def _run(self, encoded: Encoded, rows: Rows) -> Logits:
        ids, lengths = gather(
            encoded.ids, encoded.starts[rows], encoded.lengths[rows], self._engine.max_tokens
        )
        return self._engine.backend.logits(ids, lengths)

    def result(self) -> "Result":
        """Wait for the scores."""
        self.start()
        if self._prepared:
            self._prepared.result()  # if all texts are blank, no batch has waited for it
        logits = np.full((len(self._lengths), self._engine.classes), np.nan)
        for rows, outcome in self._batches or ():
            logits[rows] = outcome.result()
        rows = self._inverse
        return Result(logits[rows], self._lengths[rows], self._words[rows], self._unknown[rows])

    def close(self) -> None:
        of_batches = [outcome for _, outcome in self._batches or ()]
        open_ones: list[Outcome[Any]] = [*self._slices, *of_batches]
        for outcome in open_ones:
            outcome.cancel()


def _at_last(calls: int, notify: Callable[[], None]) -> Callable[[], None]:
    """Give what notifies when it is called for the last of so many times, in whatever threads."""
    left = [None] * calls

    def call() -> None:
        left.pop()
        if not left:
            notify()

    return call


@dataclass(frozen=True)
class Result:
    """What came out for each text.

    :param logits: `[texts, classes]`; NaN for a blank text.
    :param lengths: of the whole text, its words and phrases.
    :param words: of the whole text, a phrase counted as two, and `unknown` those that the vocabulary lacks.
    """

    logits: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int64]

    def part(self, start: int, stop: int) -> "Result":
        """Give what came out for some neighbours."""
        rows = slice(start, stop)
        return Result(self.logits[rows], self.lengths[rows], self.words[rows], self.unknown[rows])
