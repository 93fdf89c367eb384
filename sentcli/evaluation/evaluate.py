"""Measure a model on a labeled data set: read the data, score it, and compute a record of metrics."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.backends import choose
from sentcli.config import DataSet
from sentcli.datasets.labels import LabeledTexts, label_ids
from sentcli.datasets.load import Rejects, load_split, with_targets, without_unknown
from sentcli.datasets.splits import are_learned, learned_hashes
from sentcli.errors import DataError, option
from sentcli.evaluation.bands import band_figures, three_way
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.evaluation.metrics import Evaluation, Labels, evaluate, scores_by_length
from sentcli.evaluation.predictions import (
    Prediction,
    accuracy_by,
    confident_errors,
    confused_pairs,
    prediction_rows,
    write_predictions,
)
from sentcli.model.bundle import LEARNED, Bundle
from sentcli.scoring.labels import NEUTRAL, Floats, choose_classes
from sentcli.scoring.scorer import predict
from sentcli.tables.options import ReadOptions
from sentcli.text.encoder import Encoder
from sentcli.text.tokenizer import words_of

_ON_PAGE, _SHORT_TEXT = 12, 200  # errors on the page; characters of a text in a record

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class Measurement:
    """All measurements, on the texts that have a word.

    Neutral texts, for which a model with two classes has no class, count only in the figures of bands.
    """

    labels: Labels
    probabilities: Floats  # `[examples, classes]`
    blank: int  # empty texts, which were left out
    neutral: int
    figures: Evaluation
    by_length: list[dict[str, Any]]
    bands: dict[str, Any]  # see `band_figures`
    comparison: dict[str, float] | None  # with another model, see `compare`
    errors: Sequence[dict[str, Any]] = ()  # the most confident ones, see `confident_errors`


def evaluate_bundle(  # noqa: PLR0913  # what to measure, and what to return of it
    bundle: Bundle,
    data: DataSet,
    split: str,
    csv: ReadOptions,
    against: Bundle | None = None,
    *,
    target_precision: float | None = None,
    predictions: Path | None = None,
    suspects: int = 5,
    quiet: bool = False,
    **runtime: Any,
) -> tuple[Measurement, dict[str, Any]]:
    """Measure a model; return the measurement, and a record of it as `sentcli evaluate --json` prints it.

    :param suspects: the number of errors in the record, see `confident_errors`.
    :param against: another model with the same labels, to compare with; its file decides its backend.
    :param runtime: `backend`, `device`, `precision` and `workers` of `Scorer`.
    """
    name, file = choose(runtime.get("backend"), bundle)
    precision = runtime.get("precision")
    examples, left_out = _read(bundle, data, split, csv)
    texts, names = examples.texts, bundle.config.labels
    labels = _class_ids(examples, names)
    probabilities = predict(bundle, texts, quiet=quiet, **runtime)
    other, of_other = None, None
    if against:
        backend, other_file = choose(None, against)
        other = {"model": against.name, "file": other_file, "backend": backend}
        device = None if backend == "onnx" else runtime.get("device")
        of_other = predict(against, texts, quiet=quiet, workers=runtime.get("workers"), device=device)
    band = bundle.config.neutral
    measured = measure_texts(texts, labels, probabilities, names, of_other, band, target_precision)
    if bundle.config.model.neutral_head and measured.bands["three_way"]:
        of_head = predict(bundle, texts, quiet=quiet, neutral=True, **runtime)
        measured.bands["three_way"] = three_way(labels, of_head, names)
    rows = prediction_rows(examples, labels, probabilities, names)
    measured = replace(measured, errors=confident_errors(rows, names, max(suspects, _ON_PAGE)))
    learned = _by_learned(bundle, examples, rows) if LEARNED in bundle.digests else None
    if predictions:
        write_predictions(predictions, rows)
    return measured, {
        "kind": "comparison" if against else "texts",
        "model": bundle.name,
        "file": file,
        "backend": name if precision in (None, "fp32") else f"{name} {precision}",
        "against": other,
        "dataset": data.path,
        "split": split,
        "where": examples.where,
        "text_column": data.text_column,
        "label_column": data.label_column,
        "left_out": left_out,
        "blank": measured.blank,
        "truncated": int((Encoder(bundle.vocab).encode(texts).lengths > bundle.config.text.max_tokens).sum()),
        "neutral": measured.neutral,
        "learned": learned,
        **asdict(measured.figures),
        "by_length": measured.by_length,
        "by": accuracy_by(dict(zip(dict.fromkeys(csv.by), examples.columns, strict=True)), rows, names),
        **measured.bands,
        "comparison": measured.comparison,
        "errors": [row | {"text": row["text"][:_SHORT_TEXT]} for row in measured.errors[:suspects]],
        "confused": confused_pairs(measured.figures),
    }


def measure_texts(
    texts: Sequence[str],
    labels: Labels,
    probabilities: Floats,
    names: Sequence[str],
    against: Floats | None = None,
    band: tuple[float, float] | None = None,
    target_precision: float | None = None,
) -> Measurement:
    """Compute all metrics of a model.

    :param labels: the true class of each text; 2 is neutral for a model with two classes.
    :param probabilities: `[texts, classes]`, a row of NaN for an empty text.
    :param band, target_precision: see `band_figures`.
    """
    if against is not None:  # compare on the texts that both models score
        missing = np.isnan(probabilities + against)
        probabilities, against = (np.where(missing, np.nan, part) for part in (probabilities, against))
    has_words = ~np.isnan(probabilities).all(axis=1)
    rows = np.flatnonzero(has_words & (labels < len(names)))  # not neutral
    if not rows.size:
        raise DataError(
            f"all {len(labels)} texts are empty or neutral; try another {option('text_column')} or "
            f"{option('split')}"
        )
    kept, of_model = labels[rows], probabilities[rows]
    tokens = [len(words_of(texts[row])) for row in rows.tolist()]
    return Measurement(
        labels=kept,
        probabilities=of_model,
        blank=int((~has_words).sum()),
        neutral=int(has_words.sum()) - len(rows),
        figures=evaluate(kept, of_model, names),
        by_length=scores_by_length(choose_classes(of_model, names) == kept, tokens),
        bands=band_figures(labels[has_words], probabilities[has_words], names, band, target_precision),
        comparison=None if against is None else compare(kept, of_model, against[rows], names),
    )


def compare(labels: Labels, probabilities: Floats, against: Floats, names: Sequence[str]) -> dict[str, float]:
    """Compare two models on examples; the difference of an example is the largest of its probabilities."""
    differences = np.abs(probabilities - against).max(axis=1)
    predicted, other = (choose_classes(part, names) for part in (probabilities, against))
    changed = int((predicted != other).sum())
    return {
        "examples": len(labels),
        "changed": changed,
        "changed_share": changed / len(labels),
        "mean_difference": float(differences.mean()),
        "p99_difference": float(np.quantile(differences, 0.99, method="higher")),
        "max_difference": float(differences.max()),
        "accuracy": float((predicted == labels).mean()),
        "against_accuracy": float((other == labels).mean()),
    }


def _class_ids(examples: LabeledTexts, names: Sequence[str]) -> Labels:
    """Return the class of each text; 2 if it is labeled neutral and the model has two other classes."""
    is_neutral = [label.strip().casefold() == NEUTRAL for label in examples.labels]
    if len(names) > 2 or NEUTRAL in names or all(is_neutral):
        return label_ids(examples.labels, names, examples.where)
    named = replace(examples, labels=np.where(is_neutral, names[0], examples.labels).tolist())
    return np.where(is_neutral, 2, label_ids(named.labels, names, named.where))


def _read(bundle: Bundle, data: DataSet, split: str, csv: ReadOptions) -> tuple[LabeledTexts, int]:
    """Return the texts to measure on, and the number of rows that cannot be used."""
    rejects, unknown, labels = Rejects(None), Rejects(), bundle.config.labels
    examples = load_split(data.path, split, data.text_column, data.label_column, csv, rejects)
    if data.targets is None:
        examples = without_unknown(examples, labels, unknown, (NEUTRAL,) if len(labels) == 2 else ())
    else:
        examples = with_targets(examples, data, labels, unknown)
    return examples, len(rejects.entries) + len(unknown.entries)


def _by_learned(
    bundle: Bundle, examples: LabeledTexts, rows: Sequence[Prediction]
) -> dict[str, dict[str, Any]]:
    """Return the accuracy on texts that the model has `learned`, with a warning, and on `other` ones."""
    is_learned = are_learned(examples.texts, learned_hashes(bundle))
    marks = {"learned": np.where(is_learned, "learned", "other").tolist()}
    (groups,) = accuracy_by(marks, rows, bundle.config.labels).values()
    found = {group.pop("value"): group for group in groups}
    if "learned" in found:
        known, other, advice = found["learned"]["examples"], found.get("other"), "use other texts"
        if other:
            accuracy = accuracy_of_texts(other["accuracy"], other["examples"])
            advice = f"without them, the accuracy is {accuracy}"
        texts = known + (other["examples"] if other else 0)
        _log.warning("%s has learned %d of %d texts; %s", bundle.name, known, texts, advice)
    return found
