"""The scorer: texts in, labels and scores out."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import astuple
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sentcli.backends import load_backend
from sentcli.config import SIDES
from sentcli.errors import DataError, UsageError, option
from sentcli.model.bundle import Bundle, default_bundle_path, load_bundle
from sentcli.scoring.extras import MIXED, Extras
from sentcli.scoring.inference import Inference, Predictions, as_texts
from sentcli.scoring.labels import HEAD, NEUTRAL, STARS, Band, Counts, Floats, Scores, choose_classes, softmax
from sentcli.scoring.pool import usable_cores
from sentcli.tables.chunk import Chunk
from sentcli.tables.options import ResultColumn, WriteOptions
from sentcli.tables.table import check_room, log_notes
from sentcli.tables.text_column import SAMPLE_ROWS, Sample, join_columns
from sentcli.text.null_values import NULL_VALUES, NullValues, is_missing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from tqdm import tqdm

    from sentcli.explain.explanation import Explanation
    from sentcli.explain.parts import Parts


_FRAME, _BATCH = "the data frame", "the batch"  # for messages
_PREDICTED = 8192  # texts between two steps of a progress bar

ArrowRows = TypeVar("ArrowRows", "pa.Table", "pa.RecordBatch")


class Scorer(AbstractContextManager["Scorer"]):
    """Scores texts with a model. As a context manager, it ends its threads on exit.

    Several threads may use it at the same time. A forked process must not use it, because its threads exist
    only in the process that created them.

    :param model: a model folder, one model file in it, or a model of the hub such as `hf://USER/MODEL`; None
        or `imdb-bilstm`: the included model.
    :param backend: `onnx`, `torch` or `torchscript`; None: the backend for the model file, onnx first.
    :param device: `cpu` or `cuda`; None: the CPU for onnx, else CUDA if there is a device.
    :param precision: precision of matrix products in the torch backend: `fp32`, `bf16` or, on CUDA, `fp16`.
    :param workers: number of scoring threads; None: one for each core that this process may use.
    :param neutral: two probabilities; a text gets the label `neutral` if its score lies between them, ends
        included; below, it gets the first label, above the second. True: the most probable label of the
        model's neutral head, or the model's own band.
    :param null_values: texts that count as blank, in any case, such as `NULL` and `N/A`; None: those of
        `sentcli.text.null_values`.
    :param probabilities: also return the probability of each label of the model, or of its neutral head.
    :param extras: fields of `Extras`, such as `null_unknown=0.5`.
    :ivar classes: the labels of the model, or with `neutral=True` those of its neutral head.
    :ivar shown_classes: labels that get a probability column (all or none).
    :ivar extras: these options as an `Extras`.
    :ivar ordered: whether labels are medians, and scores means.
    :raises BundleError: for a file that is missing, changed or not valid; the message names it.
    :raises MissingExtraError: when the backend needs PyTorch and it is not installed.
    :raises UsageError: for options that contradict each other, fewer than 1 worker, values of
        `neutral` that are not two probabilities in order, or a model that has more than two classes, a
        class named `neutral`, or no band.
    """

    def __init__(
        self,
        model: str | Path | Bundle | None = None,
        *,
        backend: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        workers: int | None = None,
        neutral: tuple[float, float] | bool = False,
        null_values: Iterable[str] | None = None,
        probabilities: bool = False,
        **extras: Any,
    ) -> None:
        path = default_bundle_path() if model is None else model
        self.bundle = bundle = path if isinstance(path, Bundle) else load_bundle(Path(path))
        self.labels = bundle.config.labels
        self.neutral = _band(bundle, neutral) if neutral else None
        has_head = self.neutral == HEAD
        self.classes = (self.labels[0], NEUTRAL, self.labels[1]) if has_head else self.labels
        self.shown_classes = self.classes if probabilities else ()
        self._null_values = NullValues(NULL_VALUES if null_values is None else null_values)
        self.extras = Extras(**extras)
        self.extras.check(self.labels, has_neutral=bool(neutral))
        self.ordered = self.labels == STARS if self.extras.ordered is None else self.extras.ordered
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}; it has to be 1 or more, or None for every core")
        self._max_tokens = bundle.config.text.max_tokens
        open_model = partial(load_backend, backend, bundle, device, precision=precision)
        outputs = len(self.labels) + SIDES * has_head
        shift = self.extras.own_words.shift if self.extras.own_words else None
        threads = workers or usable_cores()
        self._inference = Inference(bundle, open_model, outputs, self._null_values, shift, threads)
        self.backend, self.runtime = self._inference.backend.name, self._inference.backend.runtime

    @property
    def given_labels(self) -> list[str]:
        """All labels that a text can get: those of the model, and `neutral` and `mixed` if these are set."""
        first, *rest = self.labels
        return [first, *[NEUTRAL] * bool(self.neutral), *[MIXED] * self.extras.mixed, *rest]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Everything that labels and scores depend on except the texts, as JSON."""
        return {
            "model": self.bundle.digest,
            "backend": self.backend,
            "runtime": self.runtime,
            "null_values": self._null_values.values,
            "probabilities": bool(self.shown_classes),
            "neutral": [*astuple(self.neutral)] if isinstance(self.neutral, Band) else self.neutral,
            **self.extras.fingerprint,
        }

    def __exit__(self, *_: object) -> None:
        self._inference.close()

    def score(self, texts: Iterable[str | None]) -> Scores:
        """Return the labels and scores of texts.

        :param texts: any number of texts: a list, or a column of pandas, polars, pyarrow or NumPy. A missing
            text (None, NaN, NA, NaT, null) counts as blank.
        :returns: one label and one score per text, in order; None for an empty text.
        :raises TypeError: for a single string, a mapping or a data frame, whose elements are not texts; for
            an element that is neither a string nor missing, with its index.
        :raises BundleError: when the model fails, or returns numbers that are not finite.
        :raises MemoryError: when memory is short.
        :raises RuntimeError: when the scorer was closed.
        """
        texts = as_texts(texts)
        return self.extras.add_to(self._scores(self._inference.predict(texts)), texts, self)

    def score_alone(self, texts: Iterable[str | None]) -> Scores:
        """Return the labels and scores of texts, as `score` does, without those of `extras`."""
        return self._scores(self._inference.predict(as_texts(texts)))

    def probabilities(self, texts: Iterable[str | None]) -> Floats:
        """Return the probability of each of `classes`, `[texts, classes]`; NaN for an empty text.

        :param texts: as for `score`.
        :raises TypeError, BundleError, MemoryError, RuntimeError: as `score`.
        """
        return softmax(self._inference.predict(as_texts(texts)).logits[:, -len(self.classes) :])

    def explain(self, texts: Iterable[str | None]) -> "list[Explanation]":
        """Return why each text has its label and score: the parts of its words, and its sentences.

        :param texts: as for `score`.
        :raises TypeError, BundleError, MemoryError, RuntimeError: as `score`.
        """
        from sentcli.explain.explanation import explain

        return explain(as_texts(texts), self.parts, self.score_alone)

    def count_doubts(self, texts: Iterable[str | None]) -> dict[str, int]:
        """Return counts of texts, see `Counts`, that need no run of the model."""
        return self._inference.count_doubts(self._inference.encode(as_texts(texts)))

    @cached_property
    def parts(self) -> "Parts":
        """What finds the parts of words in the scores of this model."""
        from sentcli.explain.parts import Parts

        find = self.extras.own_words.find if self.extras.own_words else lambda _: []
        choose = partial(choose_classes, names=self.labels, ordered=self.ordered)
        return Parts(self.bundle.vocab, self._max_tokens, self._inference.begin_logits, find, choose)

    def score_frame(
        self, frame: "pd.DataFrame", text_column: str | None = None, prefix: str = ""
    ) -> "pd.DataFrame":
        """Return a copy of a pandas data frame with a label and a score in each row.

        :param frame: a frame with any index and columns; a missing text counts as blank.
        :param text_column: the column to score: its name, number or dotted path, or several of these with
            commas; None: found by its name or its first values.
        :param prefix: put before the names of the new columns.
        :returns: the same rows in the same order; the new columns have missing values for an empty text.
        :raises TypeError: for anything but a pandas data frame.
        :raises DataError: for a text column that does not exist or holds anything but strings and missing
            values (None, NaN, NA); for a new column that already exists; for columns of several levels.
        :raises BundleError, MemoryError, RuntimeError: as `score`.
        """
        if not hasattr(getattr(frame, "columns", None), "nlevels"):  # a series, a frame of polars
            raise TypeError(f"frame is a {type(frame)!r:.200}; pass a pandas data frame")
        if hasattr(frame.columns, "levels"):  # a MultiIndex, even of one level
            levels = f"the columns have {frame.columns.nlevels} levels"
            raise DataError(f"{_FRAME}: {levels}; rename them to plain strings")
        import pandas as pd

        columns = list(frame.columns)
        added = self._columns(prefix, columns, _FRAME)
        unfit: dict[Any, str] = {}
        for name, column in frame.items():
            odd = (value for value in column if not (isinstance(value, str) or is_missing(value)))
            if (value := next(odd, None)) is not None:
                found = f"does not hold only texts: it has {value!r:.100} ({type(value).__name__})"
                unfit[name] = f"{found}; pass strings, and None or NaN for no text"
        begin = [() if name in unfit else [*column.iloc[:SAMPLE_ROWS]] for name, column in frame.items()]
        choice = Sample(columns, unfit, text_column, _FRAME, begin).choose()
        log_notes(choice.notes)
        parts = [as_texts(frame.iloc[:, place]) for place in choice.places]
        scores = self.score(join_columns(parts, self._null_values))
        new: dict[str, Any] = {
            column.name: pd.Series(column.values(scores), frame.index, float if column.is_number else object)
            for column in added
        }
        return frame.assign(**new)

    def score_arrow(
        self, batch: "ArrowRows", text_column: str | None = None, prefix: str = ""
    ) -> "ArrowRows":
        """Return a pyarrow Table or RecordBatch with a label and a score in each row.

        :param batch: rows of any types; a missing text counts as blank.
        :param text_column, prefix: as for `score_frame`; None may choose other columns in another batch.
        :returns: the same columns, and after them strings and numbers of six decimals, as files have them;
            null for an empty text.
        :raises TypeError: for anything else.
        :raises DataError: for a text column that does not exist or has no strings, or for a new column that
            already exists.
        :raises BundleError, MemoryError, RuntimeError: as `score`.
        """
        import pyarrow as pa

        from sentcli.tables import arrow

        if not isinstance(batch, pa.Table | pa.RecordBatch):
            raise TypeError(f"batch is a {type(batch)!r:.200}; pass a pyarrow Table or RecordBatch")
        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        added = self._columns(prefix, table.column_names, _BATCH)
        begin = table.slice(0, SAMPLE_ROWS).to_batches()
        choice = arrow.find_text_columns(table.schema, begin, text_column, _BATCH)
        log_notes(choice.notes)
        texts: list[str | None] = []
        for part in table.to_batches():
            columns = [arrow.to_values(arrow.column_at(part, path)) for path in choice.places]
            texts += join_columns(columns, self._null_values)
        scores = self.score(texts)
        for column in added:
            new = arrow.result_array(column, column.values(scores))
            batch = batch.append_column(arrow.result_field(column), new)
        return batch

    def _columns(self, prefix: str, taken: Sequence[Any], where: str) -> tuple[ResultColumn, ...]:
        """Return the columns to add; refuse names that are taken."""
        added = WriteOptions(prefix=prefix).columns(self.shown_classes, self.extras.columns)
        check_room(taken, [column.name for column in added], where)
        return added

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Scores]]:
        """Score chunks in order, and prefetch the next ones meanwhile.

        Each chunk is yielded as soon as it is scored, so a slow stream gets its answers at once. Memory
        holds four chunks, and one more for every four workers after the first four. An error of the iterable
        is raised after the chunks before it.
        """
        with closing(self._inference.stream(chunks, lambda chunk: as_texts(chunk.texts))) as parts:
            for chunk, predictions in parts:
                yield chunk, self.extras.add_to(self._scores(predictions), chunk.texts, self)

    def _scores(self, predictions: Predictions) -> Scores:
        probabilities = softmax(predictions.logits[:, : len(self.labels)])
        blank = predictions.words == 0
        has_no_word = (predictions.lengths == 0) & ~blank
        is_too_unknown = (predictions.shares > self.extras.null_unknown) & (predictions.lengths > 0)
        is_empty = blank | has_no_word | is_too_unknown
        classes = choose_classes(probabilities, self.labels, ordered=self.ordered)
        shown = classes if len(self.labels) > 2 else np.ones_like(classes)
        scores = probabilities[np.arange(len(classes)), shown].astype(object)
        # A NaN, of an empty text, is not below.
        is_unsure = probabilities[np.arange(len(classes)), classes] < self.extras.min_score
        if self.ordered:  # the last digits of a matrix product would depend on the number of texts
            scores = (probabilities * [*map(int, self.labels)]).sum(axis=1).astype(object)
        names = (self.labels[0], NEUTRAL, self.labels[1]) if self.neutral else self.labels
        if isinstance(self.neutral, Band):
            classes = self.neutral.sides(probabilities[:, 1])
        elif self.neutral:
            probabilities = softmax(predictions.logits[:, len(self.labels) :])
            classes = probabilities.argmax(axis=1)
        labels = np.array(names, object)[classes]
        labels[is_empty | is_unsure] = scores[is_empty] = None
        of_classes = probabilities.T[: len(self.shown_classes)].astype(object)
        of_classes[:, is_empty] = None
        counts = Counts(
            labels=Counter(filter(None, labels)),
            blank=int(blank.sum()),
            no_known_word=int(has_no_word.sum()),
            too_unknown=int(is_too_unknown.sum()),
            unsure=int((is_unsure & ~is_empty).sum()),
            **self._inference.count_doubts(predictions),
            tokens=int(predictions.words.sum()),
            unknown=int(predictions.unknown.sum()),
        )
        shares = predictions.shares.astype(object)
        shares[np.isnan(predictions.shares)] = None
        return Scores(labels.tolist(), scores.tolist(), counts, of_classes.tolist(), shares.tolist())


load = Scorer  # reads as a call where a model is opened by its path


def predict(bundle: Bundle, texts: Sequence[str], *, title: str = "", quiet: bool, **options: Any) -> Floats:
    """Return the probabilities that a model predicts, float64 `[texts, classes]`; NaN for a blank text."""
    with (
        Scorer(bundle, **options) as scorer,
        progress_bar(quiet=quiet, total=len(texts), desc=title, unit="texts") as bar,
    ):
        parts = []
        for start in range(0, max(1, len(texts)), _PREDICTED):
            parts.append(scorer.probabilities(texts[start : start + _PREDICTED]))
            bar.update(len(parts[-1]))
    return np.concatenate(parts)


def progress_bar(items: Iterable[Any] | None = None, *, quiet: bool, **options: Any) -> "tqdm[Any]":
    """Return a progress bar on stderr; it is hidden if `quiet` is set or stderr is not a terminal."""
    from tqdm import tqdm  # slow to import, and not needed for scoring

    # stderr is None if it was closed at the start; tqdm would take that for a terminal.
    is_off = True if quiet or sys.stderr is None else None
    return tqdm(items, **{"leave": False, "disable": is_off} | options)


def _band(bundle: Bundle, given: tuple[float, float] | bool) -> Band | str:
    """Return the band with the given ends; True: `HEAD` or the band of the model."""
    labels, model = bundle.config.labels, f"{option('neutral')}: the model {bundle.name}"
    if len(labels) > 2 or NEUTRAL in labels:
        hint = f"a neutral band needs two labels other than {NEUTRAL}"
        raise UsageError(f"{model} has the labels {', '.join(labels):.200}; {hint}")
    if bundle.config.model.neutral_head and isinstance(given, bool):
        return HEAD
    ends = bundle.config.neutral if isinstance(given, bool) else given
    if ends is None:
        raise UsageError(f"{model} has no neutral band; give two numbers, such as 0.3,0.7")
    return Band(*ends)
