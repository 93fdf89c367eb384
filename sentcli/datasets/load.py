"""Read labeled texts from local files, as `sentcli score` reads them, from folders and from the hub."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sentcli.datasets.labels import LabeledTexts, find_label_column, label_name, normalize_label
from sentcli.datasets.rejects import Rejects, rejected_row
from sentcli.errors import DataError, requires
from sentcli.scoring import stop
from sentcli.tables.open import read_files
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import SUFFIXES, format_of, get_format, suffix_of
from sentcli.tables.table import Table
from sentcli.tables.text_column import places_of

NO_OPTIONS = ReadOptions()

# The texts, the stored labels, the names of the classes if the data set states them, the entries of
# rejected records, and the values of further columns. Arguments of `Read`: text column and label column.
Columns = tuple[list[str | None], list[Any], tuple[str, ...], list[dict[str, Any]], list[list[str]]]
Read = Callable[[str | None, str | None], Columns]


def load_split(
    spec: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    options: ReadOptions = NO_OPTIONS,
    rejects: Rejects | None = None,
    weight_column: str | None = None,
) -> LabeledTexts:
    """Read one split of a labeled data set. Rows without text or label are left out; a text may be empty.

    :param spec: a file, a folder in the layout of the hub, or an id on the Hugging Face hub. A file has no
        splits: it is read whole, whatever `split` says.
    :param text_column: None: found as `sentcli score` finds it. A dotted path names a nested field.
    :param label_column: None: the first of `labels.LABEL_COLUMNS`.
    :param weight_column: a further column, in place of those of `ReadOptions.by`.
    :param rejects: gets the rows and rejected records that are left out; None: the default limit holds.
    """
    columns = {weight_column: "weight_column"} if weight_column else dict.fromkeys(options.by, "by")
    splits = _open(spec, options, columns)
    if Path(spec).is_file():
        where, split = f"{spec:.200}", "train"
    else:
        where = f"{spec:.200}, split {split:.100}"
    if split not in splits:
        raise DataError(f"{spec:.200}: there is no split {split!r:.200}; the splits are {', '.join(splits)}")
    texts, values, classes, found, further = splits[split](text_column, label_column)
    labels = [label_name(value, classes, where) for value in values]
    order, read = tuple(map(normalize_label, classes)), len(texts) + len(found)
    rows = range(1, len(texts) + 1)
    data = LabeledTexts(texts, labels, order, where, rows=rows, columns=further)  # type: ignore[arg-type]  # without None below
    kept = []
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if text is None or label is None:
            found.append(rejected_row(data, row, "no text" if text is None else "no label"))
        else:
            kept.append(row)
    (rejects or Rejects()).add(where, found, read)
    return data.take(kept) if found else data


def _open(spec: str, options: ReadOptions, columns: Mapping[str, str]) -> Mapping[str, Read]:
    """Return the splits of a data set by name; a file is a split called `train`."""
    if Path(spec).is_file():
        return {"train": partial(_read_files, [spec], options, columns, {})}
    with requires("evaluate"):
        from sentcli.datasets import hub  # imports datasets and pandas

    if spec and Path(spec).is_dir():
        files, classes = hub.folder_layout(spec)
        return {
            split: partial(_read_files, names, options, columns, classes) for split, names in files.items()
        }
    return hub.load(spec, tuple(columns))


def _read_files(
    names: Sequence[str],
    options: ReadOptions,
    columns: Mapping[str, str],
    classes: Mapping[str, tuple[str, ...]],
    text_column: str | None,
    label_column: str | None,
) -> Columns:
    """Read a split from local files.

    :param columns: further columns, each with the option that names it.
    :param classes: the names of the classes by column, if the folder states them.
    """
    texts: list[str | None] = []
    labels: list[Any] = []
    stated: tuple[str, ...] = ()
    rejected: list[dict[str, Any]] = []
    further: list[list[str]] = [[] for _ in columns]
    for name in names:
        known = _known_options(name, options, text_column)
        column: Any = None
        for table, chunk in read_files([name], known, stop.check):
            if column is None and table.columns:
                label = find_label_column(table.columns, label_column, table.texts, name)
                stated = classes.get(label) or _stated_classes(table, label)
                (column,) = places_of(table, {label: "label_column"})
                places = places_of(table, columns)
            rejected += [json.loads(reject.to_json()) for reject in chunk.rejects]
            texts += chunk.texts
            if chunk.texts:
                labels += chunk.cells(column)
                for values, place in zip(further, places, strict=True):
                    values += chunk.texts_of(place)
    if not texts and not rejected:
        raise DataError(f"{', '.join(names):.200}: no rows")
    return texts, labels, stated, rejected, further


def _known_options(name: str, options: ReadOptions, text_column: str | None) -> ReadOptions:
    """Return how to read a file: with the options that its format has."""
    if suffix_of(name) not in SUFFIXES:
        raise DataError(f"{name:.200}: unknown format; known are {', '.join(SUFFIXES)}")
    form = format_of(name, "")
    known = {name: getattr(options, name) for name in (*get_format(form).options, "by")}
    return ReadOptions(**known | {"text_column": text_column, "format": form})


def _stated_classes(table: Table, column: str) -> tuple[str, ...]:
    """Return the names of classes that the datasets library wrote into the schema of a Parquet file."""
    schema = getattr(table, "schema", None)
    said = (schema.metadata if schema else None) or {}
    stated = json.loads(said.get(b"huggingface", b"{}"))
    return tuple(stated.get("info", {}).get("features", {}).get(column, {}).get("names", ()))
