"""From texts to logits, in threads: encode chunks of texts, cut them into batches, and run the model."""

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from sentcli.backends import Backend, Logits
from sentcli.model.bundle import Bundle
from sentcli.scoring.batches import BATCH_ROWS, BATCH_TOKENS, gather, length_buckets, pad
from sentcli.scoring.pool import Pools, prefetch, wait_for
from sentcli.text.encoder import Encoded, Encoder
from sentcli.text.null_values import NullValues, is_missing

_CHUNK_TEXTS, _CHUNK_CHARACTERS = 4096, 8 << 20  # limits of a chunk, as for files
_OWN_WORDS = np.array([0.0, 1.0, -0.5, 0.0, 0.5])  # what a weight adds to the logits of classes and head
_MANY = 1 << 16  # characters of a chunk that needs the whole model, because its batches are large

Item = TypeVar("Item")
Rows = npt.NDArray[np.intp]


class Predictions(NamedTuple):
    """The logits and the lengths of a sequence of texts; see `Encoded`."""

    logits: npt.NDArray[np.float64]  # [texts, outputs]; NaN for an empty text
    lengths: npt.NDArray[np.int64]  # before truncation
    words: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]


class Inference:
    """Runs a model on texts. Several threads may use it at the same time.

    :param outputs: the number of outputs of the model to return.
    :param shift: returns how far the user's own words move the log odds of a text; None: without such words.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        outputs: int,
        null_values: NullValues,
        shift: Callable[[str], float] | None,
        workers: int,
    ) -> None:
        self._backend, self._outputs, self._null_values, self._shift = backend, outputs, null_values, shift
        self._encoder = Encoder(bundle.vocab)
        self._max_tokens, self._classes = bundle.config.text.max_tokens, len(bundle.config.labels)
        factor = backend.batch_factor
        self._batch_limits = factor * BATCH_TOKENS, factor * BATCH_ROWS
        self._pools = Pools(workers)

    def close(self) -> None:
        self._pools.close()

    def predict(self, texts: Iterable[str | None]) -> Predictions:
        """Return the predictions of texts, see `Scorer.score`."""
        chunks = _chunks(as_texts(texts))
        with closing(self.stream(chunks, lambda chunk: chunk)) as predicted:
            parts = [part for _, part in predicted]
        return Predictions(*map(np.concatenate, zip(*parts, strict=True)))

    def stream(
        self, items: Iterable[Item], texts_of: Callable[[Item], Sequence[str | None]]
    ) -> Generator[tuple[Item, Predictions], None, None]:
        """Yield items with the predictions of their texts in order, and prefetch the next items meanwhile."""
        is_cancelled = threading.Event()

        def begin(item: Item) -> "Future[Callable[[], Predictions]]":
            return self._pools.encoders.submit(self._begin, as_texts(texts_of(item)), is_cancelled)

        try:
            with closing(prefetch(items, begin, self._pools.in_flight)) as begun:
                for item, future in begun:
                    finish = wait_for(future)
                    yield item, finish()
        finally:
            is_cancelled.set()

    def _begin(self, texts: Sequence[str | None], is_cancelled: threading.Event) -> Callable[[], Predictions]:
        """Encode the texts of a chunk, cut them into batches and submit the batches to the workers.

        Equal texts are scored once. Batches of long texts come first, so that no worker idles at the end.

        :returns: a function that waits for the batches and returns the predictions of the texts in order.
        """
        distinct, inverse = _distinct(texts)
        distinct = ["" if text in self._null_values else text for text in distinct]
        if sum(map(len, distinct)) > _MANY:
            self._pools.workers.submit(self._backend.prepare)  # while this thread encodes
        encoded = self._encoder.encode(distinct)
        (rows,) = encoded.lengths.nonzero()
        kept = np.minimum(encoded.lengths[rows], self._max_tokens)
        batches = [rows[places] for places in length_buckets(kept, *self._batch_limits)]
        run = self._pools.workers.submit
        futures = [run(self._logits, encoded, batch, is_cancelled) for batch in batches]
        shifts = [*map(self._shift, distinct)] if self._shift else []

        def finish() -> Predictions:
            logits = np.full((len(distinct), self._outputs), np.nan)
            for batch, future in zip(batches, futures, strict=True):
                logits[batch] = wait_for(future)
            if shifts:
                logits += np.outer(shifts, _OWN_WORDS[: self._outputs])
            of_texts = encoded.lengths[inverse], encoded.words[inverse], encoded.unknown[inverse]
            return Predictions(logits[inverse], *of_texts, encoded.shares[inverse])

        return finish

    def _logits(self, encoded: Encoded, rows: Rows, is_cancelled: threading.Event) -> Logits:
        if is_cancelled.is_set():
            raise CancelledError
        ids, lengths = gather(encoded.ids, encoded.starts[rows], encoded.lengths[rows], self._max_tokens)
        return self._backend.logits(ids, lengths)[:, : self._outputs]

    def begin_logits(self, sequences: Sequence[list[int]]) -> Callable[[], Logits]:
        """Submit sequences of ids, each of at least one id; return a function that waits for their logits."""
        batches = length_buckets([*map(len, sequences)], *self._batch_limits)
        run = self._pools.workers.submit
        futures = [run(self._backend.logits, *pad([sequences[row] for row in rows])) for rows in batches]

        def finish() -> Logits:
            logits = np.empty((len(sequences), self._classes), np.float32)
            for rows, future in zip(batches, futures, strict=True):
                logits[rows] = wait_for(future)[:, : self._classes]
            return logits

        return finish


def _chunks(texts: Sequence[str | None]) -> list[Sequence[str | None]]:
    """Cut texts into chunks with equal numbers of texts; without texts, return one empty chunk."""
    characters = sum(len(text) for text in texts if text)
    count = 1 + max((len(texts) - 1) // _CHUNK_TEXTS, characters // _CHUNK_CHARACTERS)
    size = max(1, -(-len(texts) // count))
    return [texts[start : start + size] for start in range(0, max(1, len(texts)), size)]


def _distinct(texts: Sequence[str | None]) -> tuple[list[str], Rows]:
    """Return the different texts, with "" for None, and for each text its place among them."""
    places: dict[str | None, int] = {}
    inverse = [places.setdefault(text, len(places)) for text in texts]
    return [text or "" for text in places], np.array(inverse, np.intp)


def as_texts(texts: Iterable[Any]) -> list[str | None]:
    """Return texts as a list, with None for a missing one; see `Scorer.score`."""
    if isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns"):
        kind = "one string" if isinstance(texts, str) else f"of the type {type(texts).__name__}"
        raise TypeError(f"texts is {kind}; pass a list or a column of strings")
    # The elements of a pyarrow array are no Python objects.
    checked = texts.to_pylist() if hasattr(texts, "to_pylist") else list(texts)
    for place, text in enumerate(checked):
        if not isinstance(text, str):
            if not is_missing(text):
                found = f"{text!r:.100} ({type(text).__name__})"
                raise TypeError(f"texts[{place}] is {found}; pass strings, and None for no text")
            checked[place] = None
    return checked
