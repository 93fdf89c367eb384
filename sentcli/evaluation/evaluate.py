"""Measure a model on a labeled data set: read the data, score it, and compute a record of metrics.

The predictions are also a table and its file.
"""

import io
from collections.abc import Mapping, Sequence
from csv import QUOTE_NONNUMERIC, DictReader, DictWriter
from dataclasses import replace
from heapq import nsmallest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sentcli.backends import choose
from sentcli.config import LOG, DataSet
from sentcli.datasets.labels import LabeledTexts, label_ids
from sentcli.datasets.load import Rejects, load_split, with_targets, without_unknown
from sentcli.datasets.splits import are_learned, hash_texts, learned_hashes
from sentcli.errors import DataError, option
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.evaluation.metrics import Ends, Labels, band_figures, evaluate, scores_by_length, three_way
from sentcli.files.sink import Target, write_file
from sentcli.model.bundle import LEARNED, VALIDATION, Bundle
from sentcli.scoring.labels import NEUTRAL, Floats, Groups, choose_classes, groups_by_column
from sentcli.scoring.scorer import predict
from sentcli.tables.options import ReadOptions
from sentcli.text.encoder import Encoder, Numbers
from sentcli.text.tokenizer import words_of

_ERRORS, _ON_PAGE, _SHORT_TEXT = 5, 12, 200  # in a record; on the page; characters of a text in a record

Prediction = dict[str, Any]


class Measurement(NamedTuple):
    """What `evaluate_bundle` measured: the record, and what the page shows besides."""

    record: dict[str, Any]  # as `sentcli evaluate --json` prints it
    labels: Labels  # of the measured texts
    probabilities: Floats  # `[measured texts, classes]`
    errors: Sequence[dict[str, Any]]  # the most confident ones, see `confident_errors`


def evaluate_bundle(  # noqa: PLR0913  # what to measure, and what to return of it
    bundle: Bundle,
    data: DataSet,
    split: str,
    csv: ReadOptions,
    against: Bundle | None = None,
    *,
    target_precision: float | None = None,
    predictions: Path | None = None,
    suspects: int | None = None,
    quiet: bool = False,
    **runtime: Any,
) -> Measurement:
    """Measure a model.

    :param suspects: the number of texts to rank by the probability of their label; None: the first errors. A
        text that a model has learned is ranked by models that have not, those of its cross-validation.
    :param against: another model with the same labels, to compare with; its file decides its backend.
    :param runtime: `backend`, `device`, `precision` and `workers` of `Scorer`.
    """
    name, file = choose(runtime.get("backend"), bundle)
    precision, config = runtime.get("precision"), bundle.config
    examples, left_out = _read(bundle, data, split, csv)
    texts, names = examples.texts, config.labels
    labels = _class_ids(examples, names)
    probabilities = predict(bundle, texts, quiet=quiet, **runtime)
    other, of_other = None, None
    if against:
        backend, other_file = choose(None, against)
        other = {"model": against.name, "file": other_file, "backend": backend}
        device = None if backend == "onnx" else runtime.get("device")
        of_other = predict(against, texts, quiet=quiet, workers=runtime.get("workers"), device=device)
    kept, figures = measure_texts(
        texts, labels, probabilities, names, of_other, config.neutral, target_precision
    )
    if config.model.neutral_head and figures["three_way"]:
        of_head = predict(bundle, texts, quiet=quiet, neutral=True, **runtime)
        figures["three_way"] = three_way(labels, of_head, names)
    rows = prediction_rows(examples, labels, probabilities, names)
    ranked = rows if suspects is None else _unseen(bundle, rows)
    errors = confident_errors(ranked, names, max(suspects or 0, _ON_PAGE), errors_only=suspects is None)
    by_column = dict(zip(dict.fromkeys(csv.by), examples.columns, strict=True))
    learned = _by_learned(bundle, texts, rows) if LEARNED in bundle.digests else None
    if predictions:
        write_predictions(predictions, rows)
    record = {
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
        "blank": figures["blank"],
        "truncated": int((Encoder(bundle.vocab).encode(texts).lengths > config.text.max_tokens).sum()),
        "neutral": figures["neutral"],
        "learned": learned,
        **figures,
        "by": accuracy_by(by_column, rows, names),
        "errors": [row | {"text": row["text"][:_SHORT_TEXT]} for row in errors[: suspects or _ERRORS]],
        "confused": confused_pairs(figures),
    }
    return Measurement(record, labels[kept], probabilities[kept], errors)


def measure_texts(
    texts: Sequence[str],
    labels: Labels,
    probabilities: Floats,
    names: Sequence[str],
    against: Floats | None = None,
    band: Ends | None = None,
    target_precision: float | None = None,
) -> tuple[Numbers, dict[str, Any]]:
    """Measure the texts that have a word, with `against` for both models.

    Neutral texts, for which a model with two classes has no class, count only in the figures of bands.

    :param labels: the true class of each text; 2 is neutral for a model with two classes.
    :param probabilities, against: `[texts, classes]`, a row of NaN for an empty text.
    :param band, target_precision: see `band_figures`.
    :returns: the numbers of the texts, and their figures as in a record, without columns in `by`.
    """
    has_words = ~np.isnan(probabilities if against is None else probabilities + against).all(axis=1)
    kept = np.flatnonzero(has_words & (labels < len(names)))  # not neutral
    if not kept.size:
        hint = f"try another {option('text_column')} or {option('split')}"
        raise DataError(f"all {len(labels)} texts are empty or neutral; {hint}")
    own, of_model = labels[kept], probabilities[kept]
    tokens = [len(words_of(texts[row])) for row in kept.tolist()]
    return kept, {
        "blank": int((~has_words).sum()),
        "neutral": int(has_words.sum()) - len(kept),
        **evaluate(own, of_model, names),
        "by_length": scores_by_length(choose_classes(of_model, names) == own, tokens),
        "by": {},
        **band_figures(labels[has_words], probabilities[has_words], names, band, target_precision),
        "comparison": None if against is None else compare(own, of_model, against[kept], names),
    }


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


def prediction_rows(
    examples: LabeledTexts, labels: Labels, probabilities: Floats, names: Sequence[str]
) -> list[Prediction]:
    """Return for each text its row in the data set, text, label, predicted label and probabilities.

    :param labels: class numbers; the number after the last class is neutral.
    :param probabilities: `[texts, classes]`; NaN for an empty text, whose prediction is None.
    """
    called = np.array([*names, NEUTRAL, None], object)
    is_blank = np.isnan(probabilities).all(axis=1)
    rounded = probabilities.T.astype(np.float64).round(6).astype(object)
    rounded[:, is_blank] = None
    columns = {
        "row": examples.rows,
        "text": examples.texts,
        "label": called[labels].tolist(),
        "predicted": called[np.where(is_blank, -1, choose_classes(probabilities, names))].tolist(),
        **{f"probability_{name}": values for name, values in zip(names, rounded.tolist(), strict=True)},
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def write_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Write rows of predictions as CSV, with quotes around texts."""
    stream = io.StringIO(newline="")
    writer = DictWriter(stream, rows[0], quoting=QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(Target(path), stream.getvalue().encode())


def confident_errors(
    rows: Sequence[Prediction], names: Sequence[str], limit: int, *, errors_only: bool = True
) -> list[Prediction]:
    """Return the texts with the least probable labels, of which most are wrong if any labels are.

    The order is that of C. Northcutt et al., "Confident Learning", JAIR 2021. Neutral texts count only if
    `names` has it.
    """
    scored = [row for row in rows if row["label"] in names and row["predicted"] is not None]
    scored = [row for row in scored if not errors_only or row["predicted"] != row["label"]]
    shown = ("row", "text", "label", "predicted")
    return [
        {name: row[name] for name in shown}
        | {"probability": row[f"probability_{row['predicted']}"]}
        | {"label_probability": row[f"probability_{row['label']}"]}
        for row in nsmallest(limit, scored, key=lambda row: row[f"probability_{row['label']}"])
    ]


def _unseen(bundle: Bundle, rows: Sequence[Prediction]) -> list[Prediction]:
    """Return rows with the predictions of models that have not learned them, where `VALIDATION` has these."""
    if VALIDATION not in bundle.digests:
        return [*rows]
    table = DictReader(io.StringIO(bundle.read(VALIDATION).decode(), newline=""))
    known = {row.pop("hash", None): row for row in table}
    found, count = [], 0
    for row, key in zip(rows, hash_texts(row["text"] for row in rows), strict=True):
        values = known.get(bytes(key).hex(), {})
        count += bool(values)
        probabilities = {name: float(values[name]) for name in values if name.startswith("probability_")}
        found.append({**row, **probabilities, "predicted": values.get("predicted", row["predicted"])})
    if count:
        LOG.info("%d of %d texts are ranked by models that have not learned them", count, len(rows))
    return found


def accuracy_by(
    columns: Mapping[str, Sequence[str]], rows: Sequence[Prediction], names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return for each column the accuracy on the texts with each of its values, the most frequent first."""
    is_right = [
        str(row["label"] == row["predicted"]) if row["label"] in names and row["predicted"] else None
        for row in rows
    ]
    counts = Groups()
    counts.add(columns, is_right)
    return {
        column: [
            {"value": group.value, "examples": group.labeled}
            | {"accuracy": group.share, "accuracy_interval": group.interval}
            for group in groups
            if group.labels
        ]
        for column, groups in groups_by_column(counts, str(True)).items()
    }


def confused_pairs(figures: Mapping[str, Any], limit: int = 10) -> list[dict[str, Any]]:
    """Return the most frequent pairs of a label and another class that was predicted, with their counts.

    :param figures: the metrics of `evaluate`.
    """
    names = [row["name"] for row in figures["classes"]]
    pairs: list[dict[str, Any]] = [
        {"label": label, "predicted": predicted, "count": count}
        for label, row in zip(names, figures["confusion"], strict=True)
        for predicted, count in zip(names, row, strict=True)
        if count and predicted != label
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:limit]


def _class_ids(examples: LabeledTexts, names: Sequence[str]) -> Labels:
    """Return the class of each text; 2 if it is labeled neutral and the model has two other classes."""
    is_neutral = [label.strip().casefold() == NEUTRAL for label in examples.labels]
    if len(names) > 2 or NEUTRAL in names:
        return label_ids(examples.labels, names, examples.where)
    named = replace(examples, labels=np.where(is_neutral, names[0], examples.labels).tolist())
    return np.where(is_neutral, 2, label_ids(named.labels, names, named.where))


def _read(bundle: Bundle, data: DataSet, split: str, csv: ReadOptions) -> tuple[LabeledTexts, int]:
    """Return the texts to measure on, and the number of rows that cannot be used."""
    rejects, unknown, labels = Rejects(None), Rejects(), bundle.config.labels
    examples = load_split(data, split, csv, rejects)
    if data.targets is None:
        examples = without_unknown(examples, labels, unknown, (NEUTRAL,) if len(labels) == 2 else ())
    else:
        examples = with_targets(examples, data, labels, unknown)
    return examples, len(rejects.entries) + len(unknown.entries)


def _by_learned(
    bundle: Bundle, texts: Sequence[str], rows: Sequence[Prediction]
) -> dict[str, dict[str, Any]]:
    """Return the accuracy on texts that the model has `learned`, with a warning, and on `other` ones."""
    is_learned = are_learned(texts, learned_hashes(bundle))
    marks = {"mark": np.where(is_learned, "learned", "other").tolist()}
    groups = accuracy_by(marks, rows, bundle.config.labels)["mark"]
    found = {group.pop("value"): group for group in groups}
    if "learned" in found:
        advice = "use other texts"
        if other := found.get("other"):
            accuracy = accuracy_of_texts(other["accuracy"], other["examples"])
            advice = f"without them, the accuracy is {accuracy}"
        known, measured = found["learned"]["examples"], sum(group["examples"] for group in groups)
        LOG.warning("%s has learned %d of %d texts; %s", bundle.name, known, measured, advice)
    return found
