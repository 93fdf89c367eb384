"""From texts to logits, in threads: encode chunks of texts, cut them into batches, and run the model."""

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from sentcli.backends import Backend, Logits
from sentcli.model.bundle import Bundle
from sentcli.scoring.batches import BATCH_ROWS, BATCH_TOKENS, gather, join, length_buckets
from sentcli.scoring.labels import OTHER_LANGUAGE
from sentcli.scoring.pool import prefetch, wait_for
from sentcli.text.encoder import Encoded, Encoder, Ids, Numbers
from sentcli.text.null_values import NullValues, is_missing

_CHUNK_TEXTS, _CHUNK_CHARACTERS = 4096, 8 << 20  # limits of a chunk, as for files
_OWN_WORDS = np.array([0.0, 1.0, -0.5, 0.0, 0.5])  # what a weight adds to the logits of classes and head
_MANY = 1 << 16  # characters of a chunk that needs the whole model, because its batches are large

# Encoding takes 10 to 20 % as long as the batches, so one encoder keeps four workers busy. More encoders
# would wait for each other: encoding often takes the interpreter's lock, while a batch runs without it.
_WORKERS_PER_ENCODER = 4

Item = TypeVar("Item")
Rows = npt.NDArray[np.intp]


class Predictions(NamedTuple):
    """The logits and the lengths of a sequence of texts; see `Encoded`."""

    logits: npt.NDArray[np.floating]  # [texts, outputs]; NaN for an empty text
    lengths: npt.NDArray[np.int64]  # before truncation
    words: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]


class Inference:
    """Runs a model on texts. Several threads may use it at the same time.

    :param load: loads the model.
    :param outputs: the number of outputs of the model to return.
    :param shift: returns how far the user's own words move the log odds of a text; None: without such words.
    """

    def __init__(
        self,
        bundle: Bundle,
        load: Callable[[], Backend],
        outputs: int,
        null_values: NullValues,
        shift: Callable[[str], float] | None,
        workers: int,
    ) -> None:
        # Before the model, because the temporary copies of the vocabulary would add to its memory.
        self._encoder = Encoder(bundle.vocab)
        self.backend, self._outputs, self._null_values, self._shift = load(), outputs, null_values, shift
        self._max_tokens, self._classes = bundle.config.text.max_tokens, len(bundle.config.labels)
        factor = self.backend.batch_factor
        self._batch_limits = factor * BATCH_TOKENS, factor * BATCH_ROWS
        encoders = -(-workers // _WORKERS_PER_ENCODER)
        self._in_flight = 2 + encoders  # chunks: one being written, one in the workers, one in each encoder
        # In one pool, encoding would wait until all earlier batches have begun, and workers would idle.
        self._encoders = ThreadPoolExecutor(encoders, "sentcli-encoder")
        self._workers = ThreadPoolExecutor(workers, "sentcli-worker")

    def close(self) -> None:
        """Wait for running tasks and cancel the others."""
        for executor in (self._encoders, self._workers):  # in this order: encoders submit to workers
            executor.shutdown(cancel_futures=True)

    def predict(self, texts: Sequence[str | None]) -> Predictions:
        """Return the predictions of texts, each a string or None."""
        with closing(self.stream(_chunks(texts), lambda chunk: chunk)) as predicted:
            parts = [part for _, part in predicted]
        return Predictions(*map(np.concatenate, zip(*parts, strict=True)))

    def stream(
        self, items: Iterable[Item], texts_of: Callable[[Item], Sequence[str | None]]
    ) -> Generator[tuple[Item, Predictions], None, None]:
        """Yield items with the predictions of their texts in order, and prefetch the next items meanwhile."""
        is_cancelled = threading.Event()

        def begin(item: Item) -> "Future[Callable[[], Predictions]]":
            return self._encoders.submit(self._begin, texts_of(item), is_cancelled)

        try:
            with closing(prefetch(items, begin, self._in_flight)) as begun:
                for item, future in begun:
                    yield item, wait_for(future)()
        finally:
            is_cancelled.set()

    def _begin(self, texts: Sequence[str | None], is_cancelled: threading.Event) -> Callable[[], Predictions]:
        """Encode the texts of a chunk and submit them to the workers; equal texts are scored once.

        :returns: a function that waits for the batches and returns the predictions of the texts in order.
        """
        places: dict[str | None, int] = {}
        inverse = np.array([places.setdefault(text, len(places)) for text in texts], np.intp)
        distinct = self._without_nulls(places)
        if sum(map(len, distinct)) > _MANY:
            self._workers.submit(self.backend.prepare)  # while this thread encodes
        encoded = self._encoder.encode(distinct)
        await_logits = self._submit(encoded.ids, encoded.starts, encoded.lengths, is_cancelled)
        shifts = [*map(self._shift, distinct)] if self._shift else []

        def finish() -> Predictions:
            logits: npt.NDArray[np.floating] = await_logits()
            if shifts:
                logits = logits + np.outer(shifts, _OWN_WORDS[: self._outputs])
            words = encoded.lengths[inverse], encoded.words[inverse], encoded.unknown[inverse]
            return Predictions(logits[inverse], *words, encoded.shares[inverse])

        return finish

    def encode(self, texts: Iterable[str | None]) -> Encoded:
        """Return the words of texts as the model would read them, without running it."""
        return self._encoder.encode(self._without_nulls(texts))

    def count_doubts(self, texts: Encoded | Predictions) -> dict[str, int]:
        """Return how many texts are perhaps in another language, and truncated, see `Counts`."""
        foreign, truncated = texts.shares > OTHER_LANGUAGE, texts.lengths > self._max_tokens
        return {"other_language": int(foreign.sum()), "truncated": int(truncated.sum())}

    def _without_nulls(self, texts: Iterable[str | None]) -> list[str]:
        return ["" if text is None or text in self._null_values else text for text in texts]

    def begin_logits(self, sequences: Sequence[list[int]]) -> Callable[[], Logits]:
        """Submit sequences of ids, each of at least one id; return a function that waits for their logits."""
        await_logits = self._submit(*join(sequences), threading.Event())
        return lambda: await_logits()[:, : self._classes]

    def _submit(
        self, ids: Ids, starts: Numbers, lengths: Numbers, is_cancelled: threading.Event
    ) -> Callable[[], Logits]:
        """Submit batches of sequences that lie in one array; return a function that waits for their logits.

        Batches of long sequences come first, so that no worker idles at the end.
        """
        (rows,) = lengths.nonzero()
        kept = np.minimum(lengths[rows], self._max_tokens)
        batches = [rows[places] for places in length_buckets(kept, *self._batch_limits)]

        def run(batch: Rows) -> Logits:
            if is_cancelled.is_set():
                raise CancelledError
            return self.backend.logits(*gather(ids, starts[batch], lengths[batch], self._max_tokens))

        futures = [self._workers.submit(run, batch) for batch in batches]

        def finish() -> Logits:
            logits = np.full((len(lengths), self._outputs), np.nan, np.float32)
            for batch, future in zip(batches, futures, strict=True):
                logits[batch] = wait_for(future)[:, : self._outputs]
            return logits

        return finish


def _chunks(texts: Sequence[str | None]) -> list[Sequence[str | None]]:
    """Cut texts into chunks with equal numbers of texts; without texts, return one empty chunk."""
    characters = sum(len(text) for text in texts if text)
    count = 1 + max((len(texts) - 1) // _CHUNK_TEXTS, characters // _CHUNK_CHARACTERS)
    size = max(1, -(-len(texts) // count))
    return [texts[start : start + size] for start in range(0, max(1, len(texts)), size)]


def as_texts(texts: Iterable[Any]) -> list[str | None]:
    """Return texts as a list, with None for a missing one; see `Scorer.score`."""
    if isinstance(texts, str | bytes | Mapping) or hasattr(type(texts), "columns"):
        kind = "one string" if isinstance(texts, str) else f"of the type {type(texts).__name__}"
        raise TypeError(f"texts is {kind}; pass a list or a column of strings")
    # The elements of a pyarrow array are no Python objects. A series may have any attribute, from its index.
    checked = getattr(type(texts), "to_pylist", list)(texts)
    for place, text in enumerate(checked):
        if not isinstance(text, str):
            if not is_missing(text):
                found = f"{text!r:.100} ({type(text).__name__})"
                raise TypeError(f"texts[{place}] is {found}; pass strings, and None for no text")
            checked[place] = None
    return checked
