"""The predictions for labeled texts as a table, and its file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.datasets.labels import LabeledTexts
from sentcli.evaluation.metrics import Labels
from sentcli.files.atomic import resolve
from sentcli.files.sink import Target, write_file
from sentcli.scoring.labels import NEUTRAL, Floats, choose_classes

Prediction = dict[str, Any]


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
    writer = csv.DictWriter(stream, rows[0], quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(Target(resolve(path)), stream.getvalue().encode())
