"""The predictions of an evaluation as a table, and the worst of them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sentcli.datasets.labels import LabeledTexts
from sentcli.evaluation.metrics import Evaluation, Labels
from sentcli.files.atomic import new_file, output_errors, resolve
from sentcli.scoring.labels import NEUTRAL, Floats

_PREFIX = "probability_"
_MOST_ERRORS, _LONGEST_TEXT = 5, 200  # characters


def prediction_table(
    examples: LabeledTexts, labels: Labels, probabilities: Floats, names: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each text: its row in the data set, text, label, prediction and probabilities.

    :param labels: class numbers; the number after the last class is neutral.
    :param probabilities: `[texts, classes]`; a text that says nothing has NaN, and no prediction.
    """
    called, is_blank = np.array([*names, NEUTRAL], object), np.isnan(probabilities).all(axis=1)
    columns = {
        "row": examples.rows or range(1, len(examples) + 1),
        "text": examples.texts,
        "label": called[labels],
        "predicted": np.where(is_blank, None, called[probabilities.argmax(axis=1)]),
    }
    rounded = np.round(probabilities.astype(np.float64), 6)
    return pd.DataFrame(columns | {f"{_PREFIX}{name}": rounded[:, n] for n, name in enumerate(names)})


def write_predictions(path: Path, predictions: pd.DataFrame) -> None:
    """Write a table of predictions as CSV. Texts are quoted: pandas would write a carriage return bare.

    :raises OutputError: when that fails.
    """
    with output_errors(path), new_file(resolve(path)) as file:
        predictions.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def confident_errors(predictions: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the wrong predictions with the highest probabilities, with shortened texts.

    :param predictions: from `prediction_table`; texts labelled neutral count only if that is a class.
    """
    label, predicted = predictions["label"], predictions["predicted"]
    is_class = (_PREFIX + label).isin(predictions.columns)
    wrong = predictions[is_class & predicted.notna() & (predicted != label)]
    probability = wrong.filter(regex=f"^{_PREFIX}").max(axis=1)
    wrong = wrong.assign(probability=probability, text=wrong["text"].str.slice(0, _LONGEST_TEXT))
    columns = ["row", "text", "label", "predicted", "probability"]
    return wrong.nlargest(_MOST_ERRORS, "probability")[columns].to_dict("records")


def confused_pairs(figures: Evaluation, most: int = 10) -> list[dict[str, Any]]:
    """Return the most frequent pairs of a label and another class that was predicted, with their counts."""
    names = [of.name for of in figures.classes]
    pairs: list[dict[str, Any]] = [
        {"label": label, "predicted": predicted, "count": count}
        for label, row in zip(names, figures.confusion, strict=True)
        for predicted, count in zip(names, row, strict=True)
        if count and predicted != label
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:most]
