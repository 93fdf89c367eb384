"""The registry: which formats there are, what their files are called, where their reader and writer are."""

import importlib
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any

from sentcli.errors import UsageError
from sentcli.files.compression import compression_of, path_of
from sentcli.tables.format import Reader, Setup, Writer
from sentcli.tables.options import ReadOptions


@dataclass(frozen=True)
class Format:
    """One format.

    :param module: loaded when it is needed: pyarrow takes its time.
    :param suffixes: of file names; the first is that of new files.
    :param options: those of `ReadOptions` that mean something only here.
    :param appends: what was written stays as it is when more is written, so that a run can go on from there.
    """

    module: str
    suffixes: tuple[str, ...]
    options: frozenset[str] = frozenset()
    appends: bool = True

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
    "parquet": Format("parquet", (".parquet", ".pq"), _COLUMNS, appends=False),
    "lines": Format("lines", (".txt", ".lines"), frozenset({"encoding"})),
}
FORMATS = tuple(_FORMATS)

_INSTEAD = {  # of what is no format here: what the programs that have it know too
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
    """Tell a file's format by its suffix, that of a compression left aside.

    :param option: the one to name when the suffix says nothing.
    :raises UsageError: naming it.
    """
    suffix = suffix_of(name)
    for known, form in _FORMATS.items():
        if suffix in form.suffixes:
            return known
    if suffix in _INSTEAD:
        raise UsageError(
            f"{name}: {suffix} is no format here; use {_INSTEAD[suffix]}, which its programs know too"
        )
    if suffix == ".zip":
        raise UsageError(f"{name}: .zip is an archive and no format here; give the file that is in it")
    raise UsageError(
        f"{name}: what format is {suffix or 'this'}? Say {option} with one of {', '.join(FORMATS)}"
    )


def is_suffix(suffix: str) -> bool:
    """Tell whether a suffix is that of a format."""
    return any(suffix.lower() in form.suffixes for form in _FORMATS.values())


def suffix_of(name: str) -> str:
    """Give the suffix that tells the format: `.csv` of `reviews.csv.gz`."""
    path = path_of(name)
    return PurePath(path[: len(path) - len(compression_of(path))]).suffix.lower()


def check_options(options: ReadOptions, format_name: str, name: str) -> None:
    """Refuse options that mean nothing for a format.

    :param name: of an input that has it.
    :raises UsageError: naming the option and the input.
    """
    everywhere = {"format", "max_row_bytes"}
    for option in fields(options):
        is_given = getattr(options, option.name) != option.default
        if is_given and option.name not in everywhere | get_format(format_name).options:
            flag = "no-header" if option.name == "header" else option.name.replace("_", "-")
            raise UsageError(f"--{flag} means nothing for {format_name} input; {name} is of that format")
