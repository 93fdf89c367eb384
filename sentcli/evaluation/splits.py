"""The splits of a data set, wherever it is: a file, a folder or the hub, through `datasets.load_dataset`."""

import csv
import errno
import glob
import io
import logging
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from huggingface_hub import utils as hub
from pandas.errors import ParserError, ParserWarning

from sentcli.config import DEFAULT_DATASET, HUB_ID
from sentcli.errors import DataError
from sentcli.files.compression import DAMAGE, compression_of, decompressed
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import suffix_of

_log = logging.getLogger("sentcli")

_BUILDERS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_WITH_TABS = (".tsv", ".tab")
_BLOCK = 1 << 20  # bytes
_ONE_CHUNK = 1 << 30  # bytes; memory that is not filled is not taken


@dataclass(frozen=True)
class CsvFormat:
    r"""How CSV files are written, where it is not with commas in UTF-8.

    :param delimiter: one character, or `\t`; None: a comma, in TSV a tab.
    :param encoding: any of Python's text encodings; None: UTF-8.
    :param skip_lines: how many lines stand before the header; None: none.
    :param quotechar: one character, or "" for no quoting at all; None: `"`.
    :raises UsageError: for one that cannot be.
    """

    delimiter: str | None = None
    encoding: str | None = None
    skip_lines: int | None = None
    quotechar: str | None = None

    def __post_init__(self) -> None:
        checked = ReadOptions(
            delimiter=self.delimiter,
            quotechar=self.quotechar,
            encoding=self.encoding,
            skip_lines=self.skip_lines or 0,
        )
        if checked.quotechar and checked.quotechar in ",\t":  # one of the usual delimiters
            checked.separators(checked.quotechar)
        object.__setattr__(self, "delimiter", checked.delimiter)

    def to_builder(self) -> dict[str, str | int]:
        """Give what `load_dataset` calls it."""
        given = {"sep": self.delimiter, "encoding": self.encoding, "skiprows": self.skip_lines}
        given |= {"quoting": csv.QUOTE_NONE} if self.quotechar == "" else {"quotechar": self.quotechar}
        return {name: value for name, value in given.items() if value is not None}


PLAIN_CSV = CsvFormat()


@contextmanager
def open_splits(spec: str, csv_format: CsvFormat = PLAIN_CSV) -> Iterator[Mapping[str, datasets.Dataset]]:
    """Open a data set: all of its splits by name, which are there as long as the block lasts.

    Those of a folder are read when they are asked for, and may have other columns than each other, unless
    its README says what all of them have.

    :param spec: a file, else a folder, else an id on the Hugging Face hub. A file is CSV, TSV, JSONL or
        Parquet, also as .gz, .zst, .bz2 or .xz; its only split is called `train`.
    :param csv_format: how the files are written that are CSV or TSV.
    :raises DataError: when there is no such data set, or it cannot be read.
    """
    path = Path(spec)
    _quiet_libraries()
    # The library keys its copies of local files by their time of change alone: an edit that keeps the time
    # would give the old rows. So a local source is converted anew, and the copy thrown away.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        where = _source(spec, path, Path(folder))
        source = {**where, "cache_dir": folder if path.exists() else None, "token": False}
        files = _files_of_splits(source) if path.is_dir() else {}
        yield _Splits(spec, source, csv_format, files) if files else _load(spec, source, csv_format)


class _Splits(Mapping[str, datasets.Dataset]):
    """The splits of a folder.

    :param source: of the folder, for `load_dataset`.
    :param files: of each split.
    """

    def __init__(
        self, spec: str, source: dict[str, Any], csv_format: CsvFormat, files: Mapping[str, list[str]]
    ) -> None:
        self._spec, self._source, self._csv_format, self._files = spec, source, csv_format, files

    def __getitem__(self, name: str) -> datasets.Dataset:
        source = {**self._source, "data_files": {name: self._files[name]}}
        return _load(f"{self._spec:.150}, split {name}", source, self._csv_format)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files


def _files_of_splits(source: dict[str, Any]) -> dict[str, list[str]]:
    """Name the files of each split of a folder; none where they are not to be read one by one."""
    with suppress(Exception):  # of any library: `_load` meets it too, and says what it is
        builder = datasets.load_dataset_builder(**source)
        if not builder.info.features:
            return {str(split): [*map(glob.escape, of)] for split, of in builder.config.data_files.items()}
    return {}


def _source(spec: str, path: Path, folder: Path) -> dict[str, Any]:
    """Say to `load_dataset` where the data is.

    :param folder: for the content of a compressed file.
    """
    if spec and path.is_dir():
        whole = str(path.resolve())  # absolute: a folder named `csv` is no builder
        if glob.has_magic(whole):  # the library would look for others, and cannot be told otherwise
            raise DataError(f"{spec:.200}: a folder with *, ? or [ in its name or path; give it another one")
        return {"path": whole}
    suffix = suffix_of(path.name)
    if path.is_file():
        if suffix not in _BUILDERS:
            raise DataError(f"{spec:.200}: unknown format; known are {', '.join(_BUILDERS)}")
        plain = _decompressed(spec, path, folder) if compression_of(path.name) else path
        file = glob.escape(str(plain.resolve()))
        source = {"path": _BUILDERS[suffix], "data_files": {"train": [file]}}
        return source | {"sep": "\t"} if suffix in _WITH_TABS else source
    if not HUB_ID.fullmatch(spec) or suffix in _BUILDERS:
        raise DataError(f"{spec:.200}: no such file or folder, nor a hub id such as {DEFAULT_DATASET}")
    return {"path": spec}


def _decompressed(spec: str, path: Path, folder: Path) -> Path:
    """Write the content of a compressed file, read as `sentcli score` reads it, to a new one in the folder.

    :raises DataError: when it is damaged, or there is no room for its content.
    """
    plain = folder / "content"
    try:
        with (
            path.open("rb") as raw,
            decompressed(raw, compression_of(path.name)) as content,
            plain.open("wb") as file,
        ):
            shutil.copyfileobj(content, file, _BLOCK)
    except DAMAGE as error:
        raise DataError(f"{spec:.200} cannot be read as a data set: {error}{_hint(error)}") from error
    return plain


def _load(spec: str, source: dict[str, Any], csv_format: CsvFormat) -> dict[str, datasets.Dataset]:
    """Load all splits, the values of a CSV file as the strings that they are."""
    is_csv = False
    try:
        with warnings.catch_warnings():
            # pandas only warns, and cuts, where all rows have more fields than the header.
            warnings.filterwarnings("error", "Length of header or names")
            warnings.filterwarnings("ignore", "Falling back to the 'python' engine")
            builder = datasets.load_dataset_builder(**source)
            is_csv = isinstance(builder.config, CsvConfig)
            if is_csv:
                source = {**source, "na_filter": False, "index_col": False, **csv_format.to_builder()}
                features = builder.info.features or _strings(datasets.load_dataset(**source, nrows=1))
                source["features"] = features
            try:
                splits = dict(datasets.load_dataset(**source))
            except datasets.exceptions.DatasetGenerationError:
                if not isinstance(builder.config, JsonConfig):
                    raise
                # Types of columns are those of the first 10 MB: it fails where one is null for so long.
                splits = dict(datasets.load_dataset(**source, chunksize=_ONE_CHUNK))
            if is_csv:
                how = {**vars(builder.config), **csv_format.to_builder()}
                files = [*map(Path, chain.from_iterable((builder.config.data_files or {}).values()))]
                for file in files:
                    if file.is_file():  # not of the hub
                        _check_records(file, f"{file.name}, " if len(files) > 1 else "", how)
            return splits
    except Exception as error:  # whatever pandas, pyarrow, yaml, zlib, httpx and the hub raise
        inner = isinstance(error, datasets.exceptions.DatasetGenerationError) and error.__cause__
        reason = " ".join(str(inner or error).split()) or "no rows"
        if "corresponds to no data" in reason:
            reason = "no rows"
        elif "datasets dtype equivalent" in reason:  # a map, for one
            reason += "; leave that column out"
        elif is_csv and isinstance(inner or error, UnicodeError):
            reason += "; is it another --encoding?"
        elif is_csv and isinstance(inner or error, ParserError | ParserWarning):
            reason += "; is it another --delimiter or --quotechar? Lines before the header take --skip-lines"
        hint = _hint(inner or error, of_hub=source["cache_dir"] is None)
        raise DataError(f"{spec:.200} cannot be read as a data set: {reason:.300}{hint}") from error


def _check_records(file: Path, where: str, how: Mapping[str, Any]) -> None:
    """Refuse what pandas takes for other rows than are meant, without a word.

    It goes on behind a closing quote, to the next one, however many rows away that is; and fills up what has
    fewer fields than the header.

    :param file: one that pandas has read, and `where` what a message calls it.
    :param how: pandas read it, by the names of its own options.
    :raises ParserError: naming the line.
    """
    is_plain = len(how["sep"] or "") == 1 and isinstance(how["skiprows"] or 0, int)
    if not is_plain or zipfile.is_zipfile(file):  # as a folder may have it: pandas alone can read it
        return
    csv.field_size_limit((1 << 31) - 1)  # of the whole process, as for scoring
    compression = compression_of(file.name)
    with file.open("rb") as raw, decompressed(raw, compression) if compression else raw as content:
        lines = io.TextIOWrapper(content, how["encoding"] or "utf-8", newline="")
        first = lines.readline().removeprefix("\ufeff")
        records = csv.reader(
            chain([first], lines),
            delimiter=how["sep"],
            quotechar=how["quotechar"],
            quoting=how["quoting"],
            escapechar=how["escapechar"],
            doublequote=how["doublequote"],
            strict=True,
        )
        width = 0
        try:
            for record in islice(records, how["skiprows"] or 0, None):
                width = width or len(record)
                if len(record) < width and "".join(record).strip():
                    break
            else:
                return
            reason = f"a record has {len(record)} fields instead of {width}"
        except csv.Error as error:
            reason = str(error)
    raise ParserError(f"{where}line {records.line_num}: {reason}")


def _hint(error: BaseException, *, of_hub: bool = False) -> str:
    """Say where there is no room for copies, if that is what an error is about."""
    if not (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        return ""
    if of_hub:
        return "; the cache of the hub is full; HF_HOME names another folder"
    return f"; {tempfile.gettempdir()} is full; TMPDIR names another folder for copies"


def _strings(splits: dict[str, datasets.Dataset]) -> datasets.Features:
    header = next(iter(splits.values())).column_names
    return datasets.Features(dict.fromkeys(header, datasets.Value("string")))


def _quiet_libraries() -> None:
    """Keep bars and logs of the libraries from the terminal, unless sentcli's own log is at DEBUG."""
    if not _log.isEnabledFor(logging.DEBUG):
        datasets.disable_progress_bars()
        hub.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
        for library in ("datasets", "huggingface_hub"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
