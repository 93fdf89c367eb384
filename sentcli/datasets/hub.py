"""Read data sets of the Hugging Face hub, and folders in their layout, with the library `datasets`."""

import glob
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from datasets.packaged_modules.csv.csv import CsvConfig
from huggingface_hub import utils as hub

from sentcli.config import DEFAULT_DATASET, HUB_ID
from sentcli.errors import DataError
from sentcli.tables.chunk import CHUNK_ROWS, Chunk, Cursor
from sentcli.tables.options import ReadOptions
from sentcli.tables.record_batches import chunks_of, table_of
from sentcli.tables.registry import SUFFIXES, suffix_of
from sentcli.tables.table import Table, log_notes


def load(spec: str) -> dict[str, datasets.Dataset]:
    """Download a data set of the hub, or take it from the cache; return its splits."""
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
        return dict(datasets.load_dataset(**source))


def folder_layout(spec: str) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return the files of each split of a folder, and for each column the class names in its README."""
    whole = str(Path(spec).resolve())  # `datasets` would take a relative name such as `csv` for a builder
    if glob.has_magic(whole):  # `datasets` would treat it as a pattern
        raise DataError(f"{spec:.200}: the path of a folder may not have *, ? or [; rename it")
    with _translated(spec), tempfile.TemporaryDirectory() as cache:
        builder = datasets.load_dataset_builder(whole, cache_dir=cache)
        files = {str(split): [*map(str, names)] for split, names in builder.config.data_files.items()}
        features = (builder.info.features or {}).items()
        labels = {name: kind for name, kind in features if isinstance(kind, datasets.ClassLabel)}
        return files, {column: tuple(kind.names) for column, kind in labels.items()}


def read(data: datasets.Dataset, where: str, options: ReadOptions) -> Iterator[tuple[Table, Chunk]]:
    """Yield the rows of a split, each chunk with the table; see `tables.open.read_files`."""
    batches = data.with_format("arrow")[:].to_batches(CHUNK_ROWS)
    table = table_of(where, options, None, data.features.arrow_schema, batches[:1])
    log_notes(table.notes)
    for chunk in chunks_of(((batch, False) for batch in batches), table, Cursor(), row_size=0):
        yield table, chunk


@contextmanager
def _translated(spec: str) -> Iterator[None]:
    """Raise a DataError for any error of the libraries, and hide their progress bars and logs."""
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
