"""Read labeled texts from local files, as `sentcli score` reads them, from folders and from the hub."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from sentcli.datasets.labels import LabeledTexts, find_label_column, label_name, normalize_label
from sentcli.datasets.rejects import Rejects, rejected_row
from sentcli.errors import DataError, requires
from sentcli.files.source import Source, inspect_input
from sentcli.scoring import stop
from sentcli.tables.chunk import Chunk, Cursor
from sentcli.tables.inspect import inspect
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import SUFFIXES, format_of, get_format, is_suffix, suffix_of
from sentcli.tables.table import Content, Request, Table, log_notes

NO_OPTIONS = ReadOptions()

# The texts, the stored labels, the names of the classes if the data set states them, the entries of
# rejected records, and the values of `ReadOptions.by`. Arguments of `Read`: text column and label column.
Columns = tuple[list[str | None], list[Any], tuple[str, ...], list[dict[str, Any]], list[list[str]]]
Read = Callable[[str | None, str | None], Columns]


def load_split(
    spec: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    options: ReadOptions = NO_OPTIONS,
    rejects: Rejects | None = None,
) -> LabeledTexts:
    """Read one split of a labeled data set. Rows without text or label are left out; a text may be empty.

    :param spec: a file, a folder in the layout of the hub, or an id on the Hugging Face hub. A file has no
        splits: it is read whole, whatever `split` says.
    :param text_column: None: found as `sentcli score` finds it. A dotted path names a nested field.
    :param label_column: None: the first of `labels.LABEL_COLUMNS`.
    :param rejects: gets the rows and rejected records that are left out; None: the default limit holds.
    """
    splits = _open(spec, options)
    if Path(spec).is_file():
        where, split = f"{spec:.200}", "train"
    else:
        where = f"{spec:.200}, split {split:.100}"
    if split not in splits:
        raise DataError(f"{spec:.200}: there is no split {split!r:.200}; the splits are {', '.join(splits)}")
    texts, values, classes, found, sides = splits[split](text_column, label_column)
    labels = [label_name(value, classes, where) for value in values]
    order, read = tuple(map(normalize_label, classes)), len(texts) + len(found)
    rows = range(1, len(texts) + 1)
    data = LabeledTexts(texts, labels, order, where, rows=rows, sides=sides)  # type: ignore[arg-type]  # without None below
    kept = []
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if text is None or label is None:
            found.append(rejected_row(data, row, "no text" if text is None else "no label"))
        else:
            kept.append(row)
    (rejects or Rejects()).add(where, found, read)
    return data.take(kept) if found else data


def _open(spec: str, options: ReadOptions) -> Mapping[str, Read]:
    """Return the splits of a data set by name; a file is a split called `train`."""
    if Path(spec).is_file():
        return {"train": partial(_read_files, [spec], options, {})}
    with requires("evaluate"):
        from sentcli.datasets import hub  # imports datasets and pandas

    if spec and Path(spec).is_dir():
        files, classes = hub.folder_layout(spec)
        return {split: partial(_read_files, names, options, classes) for split, names in files.items()}
    return hub.load(spec, tuple(options.sides))


def _read_files(
    names: Sequence[str],
    options: ReadOptions,
    classes: Mapping[str, tuple[str, ...]],
    text_column: str | None,
    label_column: str | None,
) -> Columns:
    """Read a split from local files.

    :param classes: the names of the classes by column, if the folder states them.
    """
    texts: list[str | None] = []
    labels: list[Any] = []
    stated: tuple[str, ...] = ()
    rejected: list[dict[str, Any]] = []
    sides: list[list[str]] = [[] for _ in options.sides]
    for name in names:
        with Source(inspect_input(name)) as source:
            request = _request(name, options, text_column)
            table = inspect(source, request)
            log_notes(table.notes)
            if table.columns:
                column = find_label_column(table.columns, label_column, table.texts, name)
                stated = classes.get(column) or _stated_classes(table, column)
            cursor = Cursor()
            cursor.open(source)
            for chunk in get_format(table.format).reader()(source, table, cursor, request.content):
                stop.check()
                texts += chunk.texts
                for side, values in zip(sides, chunk.sides, strict=False):  # without rows, there are none
                    side += values
                rejected += [json.loads(bad.to_json()) for bad in chunk.rejects]
                labels += [_field(record, column) for record in _records(chunk, table)]
    if not texts and not rejected:
        raise DataError(f"{', '.join(names):.200}: no rows")
    return texts, labels, stated, rejected, sides


def _request(name: str, options: ReadOptions, text_column: str | None) -> Request:
    """Return how to read a file: with the options that its format has."""
    if not is_suffix(suffix_of(name)):
        raise DataError(f"{name:.200}: unknown format; known are {', '.join(SUFFIXES)}")
    form = format_of(name, "")
    known = {name: getattr(options, name) for name in (*get_format(form).options, "by", "watched")}
    options = ReadOptions(**known | {"text_column": text_column})
    # Records of JSON keep the types of their values; values of JSON would be strings.
    content = Content.RECORDS if get_format(form).module == "jsonl" else Content.VALUES
    return Request(form, options, content, check=stop.check)


def _records(chunk: Chunk, table: Table) -> Iterator[dict[str, Any]]:
    for row in chunk.rows:
        yield orjson.loads(row) if isinstance(row, bytes) else dict(zip(table.columns, row, strict=True))


def _field(record: Mapping[str, Any], name: str) -> Any:
    """Return the value of a column, or of a field by its dotted path; None if it is missing."""
    value: Any = record
    for key in [name] if name in record else name.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _stated_classes(table: Table, column: str) -> tuple[str, ...]:
    """Return the names of classes that the datasets library wrote into the schema of a Parquet file."""
    schema = getattr(table.style, "schema", None)
    said = (schema.metadata if schema else None) or {}
    stated = json.loads(said.get(b"huggingface", b"{}"))
    return tuple(stated.get("info", {}).get("features", {}).get(column, {}).get("names", ()))
