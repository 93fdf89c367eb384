"""Texts for training and evaluation, with labels and without, out of the splits of data sets."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from sentcli.errors import DataError
from sentcli.evaluation.labels import LabeledTexts, spell_out
from sentcli.evaluation.splits import PLAIN_CSV, CsvFormat, open_splits
from sentcli.tables.arrow import is_text
from sentcli.tables.columns import find_text_column, find_usual

LABEL_COLUMNS = ("label", "labels", "sentiment", "class", "category", "target", "polarity", "stars", "rating")
UNLABELED = ("unsupervised", "unlabeled", "unlabelled")  # names of the split whose labels nobody knows


def load_split(
    spec: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    csv: CsvFormat = PLAIN_CSV,
) -> LabeledTexts:
    """Read one split of a labelled data set.

    Every row needs a text and a label: a null, an empty label or a -1 in place of a class is an error that
    names the first such row. An empty text is a text.

    :param spec: a file, else a folder, else an id on the Hugging Face hub. A file is CSV, TSV, JSONL or
        Parquet, also as .gz, .zst, .bz2 or .xz; it has no splits, so that any split asked for is all of it.
    :param text_column: found when None, by the rules of `sentcli score`; a dotted path names a field of a
        nested record.
    :param label_column: the same, but found by its name when None: one of `LABEL_COLUMNS`, whatever its case.
    :param csv: how the file is written, if it is CSV or TSV.
    :raises DataError: when there is no such data set, split or column, or a row without text or label.
    """
    if Path(spec).is_file():
        where, name = f"{spec:.200}", "train"
    else:
        where, name = f"{spec:.200}, split {split:.100}", split
    with open_splits(spec, csv) as splits:
        if name not in splits:
            raise DataError(f"{spec:.200}: there is no split {split!r:.200}; there is {', '.join(splits)}")
        data = _with_fields(splits[name], text_column, label_column)
        return _labeled_texts(data, where, text_column, label_column)


def load_validation(
    spec: str,
    dataset: str,
    text_column: str | None,
    label_column: str | None,
    csv: CsvFormat = PLAIN_CSV,
) -> LabeledTexts:
    """Read the labelled texts that a training is validated on.

    :param spec: a file, else the name of a split of the data set that is learnt from.
    :param dataset, text_column, label_column, csv: as for `load_split`; the columns are those of both.
    :raises DataError: as `load_split`.
    """
    if Path(spec).is_file():
        return load_split(spec, "train", text_column, label_column, csv)
    if Path(dataset).is_file():
        raise DataError(f"{spec:.200}: no such file, and {dataset:.200} has no splits")
    if Path(spec).suffix or Path(spec).name != spec:
        raise DataError(f"{spec:.200}: no such file, nor the name of a split")
    return load_split(dataset, spec, text_column, label_column, csv)


def load_texts(
    spec: str,
    text_column: str | None,
    csv: CsvFormat = PLAIN_CSV,
    option: str = "--text-column",
) -> list[str]:
    """Read texts without labels; what their data set says of labels is not looked at.

    :param spec: as for `load_split`. Of a data set with splits, the one that is called as in `UNLABELED`.
    :param text_column: found when None, by the rules of `sentcli score`.
    :param csv: how the file is written, if it is CSV or TSV.
    :param option: what names that column, for messages.
    :returns: the texts; rows without one are left out.
    :raises DataError: when there is no such data set, split or column, or no text in it.
    """
    with open_splits(spec, csv) as splits:
        name = next((name for name in UNLABELED if name in splits), next(iter(splits)))
        if name not in UNLABELED and len(splits) > 1:
            raise DataError(
                f"{spec:.200}: which of its splits has no labels? there is {', '.join(splits):.300}, "
                f"but none of {', '.join(UNLABELED)}; give the texts as a file"
            )
        data = _with_fields(splits[name], text_column)
        if text_column is None and _is_joined(data):
            raise DataError(
                f"{spec:.200}: the columns are {next(iter(data.features)):.300}; is it another --delimiter? "
                f"All CSV of a run has the same; if it is the column of the texts, say {option}"
            )
        column = _text_column(data, f"{spec:.200}", text_column, None, option)
        table = data.with_format("arrow")[:]
        texts = [
            text for text in _values(table.column(column), f"{spec:.200}, column {column!r:.100}") if text
        ]
    if not texts:
        raise DataError(f"{spec:.200}: the column {column!r:.200} holds no text")
    return texts


def _with_fields(data: datasets.Dataset, *wanted: str | None) -> datasets.Dataset:
    """Make columns of nested fields, if a dotted path names one and no column is called that."""
    is_path = any(name and "." in name and name not in data.features for name in wanted)
    return data.flatten() if is_path else data


def _labeled_texts(
    data: datasets.Dataset, where: str, text_column: str | None, label_column: str | None
) -> LabeledTexts:
    label_column = label_column or find_usual([*data.features], LABEL_COLUMNS)
    _check_label_column(label_column, data, where)
    text_column = _text_column(data, where, text_column, label_column, "--text-column")
    table = data.with_format("arrow")[:]
    of_texts, of_labels = (f"{where}, column {name!r:.100}" for name in (text_column, label_column))
    texts: list[str | None] = _values(table.column(text_column), of_texts)
    feature = data.features[label_column]
    labels = _label_names(_values(table.column(label_column), of_labels), feature, of_labels)
    for values, kind in ((texts, "text"), (labels, "label")):
        if None in values:
            missing = f"row {values.index(None) + 1} has no {kind} ({values.count(None)} such rows in all)"
            raise DataError(f"{where}: {missing}; every row needs a text and a label; leave such rows out")
    order = tuple(map(spell_out, getattr(feature, "names", ())))
    return LabeledTexts(texts, labels, order, where)  # type: ignore[arg-type]  # no None is left


def _values(column: pa.ChunkedArray, where: str) -> list[Any]:
    """Give the values of a column. That its strings are UTF-8 has nobody looked at before.

    :raises DataError: when they are not.
    """
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not all of its strings are UTF-8; write the file anew") from error
    return values


def _text_column(
    data: datasets.Dataset, where: str, text_column: str | None, label_column: str | None, option: str
) -> str:
    """Settle which column holds the texts, by the rules of `sentcli score`, but never that of the labels."""
    schema = data.features.arrow_schema
    others = {field.name: f"is {field.type}, not a string" for field in schema if not is_text(field.type)}
    columns = [name for name in schema.names if text_column or name != label_column]
    if label_column:
        others[label_column] = "holds the labels"
    return find_text_column(columns, others, text_column, where, option)


def _check_label_column(column: str | None, data: datasets.Dataset, where: str) -> None:
    if column is None or column not in data.features:
        problem = f"no column {column!r:.200}" if column else "which column has the labels?"
        columns = ", ".join(data.features)
        hint = "is it another --delimiter?" if _is_joined(data) else "try --label-column"
        raise DataError(f"{where}: {problem}; the columns are {columns:.300}; {hint}")


def _is_joined(data: datasets.Dataset) -> bool:
    """Tell whether the only column looks like several of a CSV file that is not written as it was read."""
    return len(data.features) == 1 and any(mark in next(iter(data.features)) for mark in ",;\t|")


def _label_names(values: list[Any], feature: Any, where: str) -> list[str | None]:
    """Turn the values of the label column into names, None where there is no label."""
    if isinstance(feature, datasets.ClassLabel):
        return [None if value in (None, -1) else spell_out(feature.names[value]) for value in values]
    if type(feature).__name__ == "Json":  # of several types, as they stand in the file; datasets 5 has it
        values = [value if value is None else json.loads(value) for value in values]
    names: list[str | None] = []
    for value in values:
        if value is None or value == "" or value != value:  # NaN is not equal to itself
            names.append(None)
        elif isinstance(value, float) and value.is_integer():
            names.append(str(int(value)))
        elif isinstance(value, str | int | float):
            names.append(spell_out(str(value)))
        else:
            raise DataError(f"{where}: {value!r:.100} is neither a name nor a number; try --label-column")
    return names
