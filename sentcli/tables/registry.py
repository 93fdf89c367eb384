"""The formats: their names, the suffixes of their files, and the modules of their readers and writers."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any, Protocol

from sentcli.errors import UsageError
from sentcli.files.compression import compression_of, path_of
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Head, Results
from sentcli.tables.options import ReadOptions, Setup


class Reader(Protocol):
    """Reads one input.

    :param first: the head of the first input that had one: the others have to agree with it.
    :param is_last: no other input follows.
    """

    def __call__(
        self, source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
    ) -> Iterator[Chunk]: ...


class Writer(Protocol):
    """Turns chunks with their results into the bytes of the output."""

    def begin(self, head: Head) -> bytes:
        """Return what comes before the first row; the head is that of the first input.

        :raises OutputError: when a name or a label cannot be written there.
        """

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        """Return the rows of a chunk with their results, which are empty for a blank row."""

    def close(self) -> bytes:
        """Return what comes after the last row."""


@dataclass(frozen=True)
class Format:
    """One format.

    :param module: with `read` and `Writer`; imported when it is needed, as pyarrow takes its time.
    :param suffixes: of file names; the first is that of new files.
    :param options: the options of `ReadOptions` for this format alone.
    """

    module: str
    suffixes: tuple[str, ...]
    options: frozenset[str] = frozenset()

    def reader(self) -> Reader:
        return self._load().read  # type: ignore[no-any-return]

    def writer(self, setup: Setup) -> Writer:
        return self._load().Writer(setup)  # type: ignore[no-any-return]

    def _load(self) -> Any:
        return importlib.import_module(f"sentcli.tables.{self.module}")


_COLUMNS = frozenset({"text_column"})
_CSV_OPTIONS = _COLUMNS | {"delimiter", "quotechar", "encoding", "header", "skip_lines"}
_FORMATS = {
    "csv": Format("csv", (".csv",), _CSV_OPTIONS),
    "tsv": Format("csv", (".tsv", ".tab"), _CSV_OPTIONS),
    "jsonl": Format("jsonl", (".jsonl", ".ndjson"), _COLUMNS),
    "parquet": Format("parquet", (".parquet", ".pq"), _COLUMNS),
    "lines": Format("lines", (".txt", ".lines"), frozenset({"encoding"})),
}
FORMATS = tuple(_FORMATS)

_INSTEAD = {  # formats that the programs of unknown ones can write
    **dict.fromkeys((".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"), "CSV"),
    **dict.fromkeys((".arrow", ".feather", ".orc", ".avro"), "Parquet"),
}


def get_format(name: str) -> Format:
    """Look a format up.

    :raises UsageError: listing the formats.
    """
    if name not in _FORMATS:
        raise UsageError(f"there is no format {name!r:.200}; the formats are {', '.join(FORMATS)}")
    return _FORMATS[name]


def format_of(name: str, option: str) -> str:
    """Return the name of a file's format, by its suffix without that of a compression.

    :param option: the one that names the format, for messages.
    :raises UsageError: for another suffix.
    """
    suffix = suffix_of(name)
    for known, form in _FORMATS.items():
        if suffix in form.suffixes:
            return known
    if suffix in _INSTEAD:
        raise UsageError(f"{name}: {suffix} is no format here; save the table as {_INSTEAD[suffix]}")
    if suffix == ".zip":
        raise UsageError(f"{name}: .zip is an archive and no format here; give the file that is in it")
    raise UsageError(
        f"{name}: what format is {suffix or 'this'}? Add {option} with one of {', '.join(FORMATS)}"
    )


def is_suffix(suffix: str) -> bool:
    """Return whether a suffix is that of a format."""
    return any(suffix.lower() in form.suffixes for form in _FORMATS.values())


def suffix_of(name: str) -> str:
    """Return the suffix of the format: `.csv` of `reviews.csv.gz`."""
    path = path_of(name)
    return PurePath(path[: len(path) - len(compression_of(path))]).suffix.lower()


def check_options(options: ReadOptions, format_name: str, name: str) -> None:
    """Refuse options that a format does not have.

    :param name: of an input of that format.
    :raises UsageError: naming the option and the input.
    """
    everywhere = {"format", "max_row_bytes"}
    for option in fields(options):
        is_given = getattr(options, option.name) != option.default
        if is_given and option.name not in everywhere | get_format(format_name).options:
            flag = "no-header" if option.name == "header" else option.name.replace("_", "-")
            raise UsageError(f"--{flag} means nothing for {format_name} input; {name} is of that format")
