"""From texts to labels and scores: what a model says, put into words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError
from sentcli.files.textcolumn import TextColumn
from sentcli.model.bundle import Bundle
from sentcli.scoring.frames import texts_of, with_results
from sentcli.scoring.labels import UNCERTAIN, Band, softmax
from sentcli.scoring.pipeline import LIMITS, Chunk, Limits, Pipeline
from sentcli.scoring.window import Result

if TYPE_CHECKING:
    import pandas as pd


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


class Scorer:
    """Scores texts with a model; a context manager that ends its threads and processes.

    :param bundle: the model.
    :param backend: `onnx`, `torch` or `torchscript`; None lets the bundle's file decide.
    :param device: one of `DEVICES`; None takes CUDA where there is a device, for onnx the CPU.
    :param precision: for the torch backend, one of `SCORING_PRECISIONS`.
    :param workers: threads that run batches; None takes every core that this process may use.
    :param processes: processes that share these threads in `stream`; None lets their number decide. More than
        one are started after `pipeline.PROCESSES_FROM` texts; until they are ready, this process goes on.
    :param uncertain: low and high end of the probabilities whose texts get the label `uncertain`, see
        `sentcli.evaluation.uncertainty.Band`; their scores stay. None labels every text.
    :param limits: how much is worked at together, see `sentcli.scoring.pipeline.Limits`.
    :raises UsageError: when those are not two rising probabilities, a class is called `uncertain` itself,
        there are fewer workers than 1, or backend, device and precision do not go together.
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
        uncertain: tuple[float, float] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.bundle = bundle
        self.labels = bundle.config.labels
        self.uncertain = Band(*uncertain) if uncertain is not None else None
        if self.uncertain and UNCERTAIN in self.labels:
            raise UsageError(
                f"--uncertain: the model {bundle.name} has a label {UNCERTAIN!r:.200} of its own, and the "
                "two could not be told apart; leave the option out"
            )
        self._pipeline = Pipeline(
            bundle,
            backend=backend,
            device=device,
            precision=precision,
            workers=workers,
            processes=processes,
            limits=limits,
        )
        loaded = self._pipeline.engine.backend
        self.backend, self.runtime = loaded.name, loaded.runtime

    @property
    def given_labels(self) -> list[str]:
        """Those of the model, and what `uncertain` adds."""
        return [*self.labels, *([UNCERTAIN] if self.uncertain else [])]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What labels and scores depend on besides the texts, JSON."""
        return {
            "model": self.bundle.digest,
            "backend": self.backend,
            "runtime": self.runtime,
            "uncertain": [self.uncertain.low, self.uncertain.high] if self.uncertain else None,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.close()

    def score(self, texts: Iterable[str | None]) -> Scores:
        """Label texts.

        :param texts: any number; None counts as blank.
        :returns: one label and one score a text, in order.
        :raises TypeError: for a single string, whose characters would be taken for texts, for a mapping or a
            data frame, of which it would be the names, and for an element that is neither a string nor None,
            by its place.
        :raises BundleError: when the model fails, or gives scores that are not numbers.
        :raises MemoryError: when memory is short.
        :raises RuntimeError: when the scorer was closed.
        """
        return self._scores(self._pipeline.run(_checked(texts)))

    def probabilities(self, texts: Iterable[str | None]) -> npt.NDArray[np.float64]:
        """Give the probability of each class, `[texts, classes]`; a row of NaN for a blank text.

        :raises TypeError, BundleError, MemoryError, RuntimeError: as `score`.
        """
        return softmax(self._pipeline.run(_checked(texts)).logits)

    def score_frame(
        self, frame: "pd.DataFrame", text_column: str | None = None, prefix: str = ""
    ) -> "pd.DataFrame":
        """Give a copy of a pandas data frame with a label and a score in each row.

        :param frame: any index and columns; a missing text counts as blank.
        :param text_column: found by its name when None, as in `sentcli score`.
        :param prefix: goes before the names of the new columns, `sentiment` and `sentiment_score`.
        :returns: the same rows in the same order; both new columns are missing for a blank text.
        :raises TypeError: for what is no pandas data frame.
        :raises DataError: for a column that is not there, is there already, or holds anything but strings and
            missing values (None, NaN, NA), with the first such value; for columns of several levels.
        :raises BundleError, MemoryError, RuntimeError: as `score`.
        """
        result = self.score(texts_of(frame, text_column, prefix))
        return with_results(frame, result.labels, result.scores, prefix)

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        """Score chunks as they come, in order, reading ahead while batches run.

        Chunks are batched together. While earlier batches run, a chunk waits for others to join it. It is
        given back as soon as it is finished, so a slow stream gets its answers at once. Memory holds at most
        `(2 * processes + 1) * limits.window_chunks + 1` chunks. What the iterable raises comes out after the
        chunks before it.

        :raises TypeError, BundleError: as `score`; the latter also when the model was changed before another
            process read it.
        :raises MemoryError: as `score`.
        :raises ProcessError: when another process cannot be started, or is gone.
        """
        for chunk, result in self._pipeline.stream(map(_with_checked_texts, chunks)):
            yield chunk, self._scores(result)

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
            int((result.lengths > self.bundle.config.text.max_tokens).sum()),
            int(result.words.sum()),
            int(result.unknown.sum()),
        )


def _with_checked_texts(chunk: Chunk) -> Chunk:
    if not isinstance(chunk.texts, TextColumn):  # which has strings and nothing else
        _checked(chunk.texts)
    return chunk


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
