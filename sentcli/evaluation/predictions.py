"""The predictions of an evaluation as a table, and the worst of them."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.datasets.labels import LabeledTexts
from sentcli.evaluation.metrics import Evaluation, Labels
from sentcli.files.atomic import resolve
from sentcli.files.sink import Target, write_file
from sentcli.scoring.labels import NEUTRAL, Floats, Groups, choose_classes, groups_by_column

Prediction = dict[str, Any]


def prediction_rows(
    examples: LabeledTexts, labels: Labels, probabilities: Floats, names: Sequence[str]
) -> list[Prediction]:
    """Return for each text its row in the data set, text, label, predicted label and probabilities.

    :param labels: class numbers; the number after the last class is neutral.
    :param probabilities: `[texts, classes]`; NaN for an empty text, whose prediction is None.
    """
    columns, called = [f"probability_{name}" for name in names], (*names, NEUTRAL)
    rounded = np.round(probabilities.astype(np.float64), 6).tolist()
    rows = []
    for values, predicted, label, number, text in zip(
        rounded, choose_classes(probabilities, names), labels, examples.rows, examples.texts, strict=True
    ):
        is_blank = all(map(math.isnan, values))
        row = {"row": number, "text": text, "label": called[label]}
        row |= {"predicted": None if is_blank else called[predicted]}
        rows.append(row | dict(zip(columns, [None] * len(names) if is_blank else values, strict=True)))
    return rows


def write_predictions(path: Path, rows: Sequence[Prediction]) -> None:
    """Write rows of predictions as CSV, with quotes around texts."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, rows[0], quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(Target(resolve(path)), stream.getvalue().encode())


def confident_errors(rows: Sequence[Prediction], names: Sequence[str], limit: int) -> list[Prediction]:
    """Return the errors with the least probable labels, of which most are wrong if any labels are.

    The order is that of C. Northcutt et al., "Confident Learning", JAIR 2021. Neutral texts count only if
    `names` has it.
    """
    wrong = [row for row in rows if row["label"] in names and row["predicted"] not in (None, row["label"])]
    shown = ("row", "text", "label", "predicted")
    return [
        {name: row[name] for name in shown} | {"probability": row[f"probability_{row['predicted']}"]}
        for row in nsmallest(limit, wrong, key=lambda row: row[f"probability_{row['label']}"])
    ]


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


def confused_pairs(figures: Evaluation, limit: int = 10) -> list[dict[str, Any]]:
    """Return the most frequent pairs of a label and another class that was predicted, with their counts."""
    names = [row.name for row in figures.classes]
    pairs: list[dict[str, Any]] = [
        {"label": label, "predicted": predicted, "count": count}
        for label, row in zip(names, figures.confusion, strict=True)
        for predicted, count in zip(names, row, strict=True)
        if count and predicted != label
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:limit]
