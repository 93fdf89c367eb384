"""Columns in the names of folders, as Spark writes them: `year=2024/month=1/part-0.parquet`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

from sentcli.files.compression import path_of
from sentcli.tables.options import ResultColumn

_FOLDER = re.compile(r"([^=]+)=(.*)")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # fits 64 bits, and is the same when written back

Partitions = Mapping[ResultColumn, Sequence[str | int | None]]  # the values of a column, one for each input


def partitions_of(names: Sequence[str]) -> Partitions:
    """Return the columns of the folders of inputs; integers if all values of a column are integers."""
    found: list[dict[str, str | None]] = []
    for name in names:
        folders = filter(None, map(_FOLDER.fullmatch, PurePosixPath(path_of(name)).parts[:-1]))
        found.append({unquote(folder[1]): _value(folder[2]) for folder in folders})
    partitions: dict[ResultColumn, Sequence[str | int | None]] = {}
    for column in dict.fromkeys(column for folders in found for column in folders):
        values = [folders.get(column) for folders in found]
        is_integer = all(value is None or _INTEGER.fullmatch(value) for value in values)
        kind = int if is_integer else str
        typed = [None if value is None else kind(value) for value in values]
        partitions[ResultColumn(column, lambda scores: (), is_integer=is_integer)] = typed
    return partitions


def _value(text: str) -> str | None:
    return None if text == _NULL else unquote(text)
