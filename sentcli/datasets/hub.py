"""Read data sets of the Hugging Face hub, and folders in their layout, with the library `datasets`."""

import glob
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from datasets.packaged_modules.csv.csv import CsvConfig
from huggingface_hub import utils as hub

from sentcli.config import DEFAULT_DATASET, HUB_ID
from sentcli.datasets.labels import find_label_column
from sentcli.errors import DataError, option
from sentcli.tables.arrow import is_text
from sentcli.tables.convert import to_text
from sentcli.tables.registry import SUFFIXES, suffix_of
from sentcli.tables.table import list_columns, log_notes
from sentcli.tables.text_column import SAMPLE_ROWS, Sample, join_columns

_log = logging.getLogger("sentcli")


def load(spec: str, by: tuple[str, ...]) -> dict[str, partial[Any]]:
    """Download a data set of the hub, or take it from the cache; return a function that reads each split."""
    if not HUB_ID.fullmatch(spec) or suffix_of(spec) in SUFFIXES:
        raise DataError(f"{spec:.200}: no such file or folder, and not a hub id such as {DEFAULT_DATASET}")
    with _translated(spec):
        source: dict[str, Any] = {"path": spec, "token": False}
        builder = datasets.load_dataset_builder(**source)
        if isinstance(builder.config, CsvConfig):  # keep strings unchanged: NA is a text, 001 a label
            source |= {"na_filter": False}
            header = next(iter(datasets.load_dataset(**source, nrows=1).values())).column_names
            strings = datasets.Features(dict.fromkeys(header, datasets.Value("string")))
            source["features"] = builder.info.features or strings
        splits = datasets.load_dataset(**source)
    return {
        name: partial(_read, f"{spec:.200}, split {name:.100}", data, by) for name, data in splits.items()
    }


def folder_layout(spec: str) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return the files of each split of a folder, and for each column the class names in its README."""
    whole = str(Path(spec).resolve())  # `datasets` would take a relative name such as `csv` for a builder
    if glob.has_magic(whole):  # `datasets` would treat it as a pattern
        raise DataError(f"{spec:.200}: the path of a folder may not have *, ? or [; rename it")
    with _translated(spec), tempfile.TemporaryDirectory() as cache:
        builder = datasets.load_dataset_builder(whole, cache_dir=cache)
        files = {str(split): [*map(str, names)] for split, names in builder.config.data_files.items()}
        return files, _classes(builder.info.features or {})


def _read(
    where: str,
    data: datasets.Dataset,
    by: tuple[str, ...],
    text_column: str | None,
    label_column: str | None,
) -> tuple[list[str | None], list[Any], tuple[str, ...], list[dict[str, Any]], list[list[str]]]:
    """Return the `datasets.load.Columns` of a split."""
    if any(name and "." in name and name not in data.features for name in (text_column, label_column)):
        data = data.flatten()
    schema = data.features.arrow_schema
    unfit = {field.name: f"is {field.type}, not a string" for field in schema if not is_text(field.type)}
    table = data.with_format("arrow")[:]
    values = [() if name in unfit else table.column(name)[:SAMPLE_ROWS].to_pylist() for name in schema.names]
    places, notes = Sample(schema.names, unfit, text_column, where, values).choose()
    log_notes(notes)
    texts = join_columns([table.column(place).to_pylist() for place in places])
    text_columns = [schema.names[place] for place in places]
    label_column = find_label_column(schema.names, label_column, text_columns, where)
    classes = _classes(data.features).get(label_column, ())
    for name in {*by} - {*schema.names}:
        hint = f"{list_columns(schema.names)}; try another {option('by')}"
        raise DataError(f"{where}: no column {name!r:.200}; {hint}")
    further = [[*map(to_text, table.column(name).to_pylist())] for name in by]
    return texts, table.column(label_column).to_pylist(), classes, [], further


def _classes(features: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        column: tuple(feature.names)
        for column, feature in features.items()
        if isinstance(feature, datasets.ClassLabel)
    }


@contextmanager
def _translated(spec: str) -> Iterator[None]:
    """Raise a DataError for any error of the libraries, and hide their progress bars and logs."""
    if not _log.isEnabledFor(logging.DEBUG):
        datasets.disable_progress_bars()
        hub.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
        for library in ("datasets", "huggingface_hub"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:  # pandas, pyarrow, yaml, httpx and the hub raise many types
        inner = isinstance(error, datasets.exceptions.DatasetGenerationError) and error.__cause__
        reason = " ".join(str(inner or error).split()) or type(error).__name__
        raise DataError(f"{spec:.200} cannot be read as a data set: {reason:.300}") from error
