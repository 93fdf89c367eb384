"""Labelled texts for training and evaluation, all of them through `datasets.load_dataset`."""

import glob
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from huggingface_hub import utils as hub
from pandas.errors import ParserError, ParserWarning

from sentcli.config import DEFAULT_DATASET, HUB_ID
from sentcli.errors import DataError
from sentcli.tables.arrow import is_text
from sentcli.tables.columns import find_text_column, find_usual
from sentcli.tables.compression import DAMAGE, compression_of, decompressed
from sentcli.tables.formats import suffix_of
from sentcli.tables.options import ReadOptions
from sentcli.training.labels import LabeledTexts, spell_out

_log = logging.getLogger("sentcli")

LABEL_COLUMNS = ("label", "labels", "sentiment", "class", "category", "target", "polarity", "stars", "rating")

UNLABELED = ("unsupervised", "unlabeled", "unlabelled")  # names of the split whose labels nobody knows

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
    :raises UsageError: for one that cannot be.
    """

    delimiter: str | None = None
    encoding: str | None = None
    skip_lines: int | None = None

    def __post_init__(self) -> None:
        checked = ReadOptions(
            delimiter=self.delimiter, encoding=self.encoding, skip_lines=self.skip_lines or 0
        )
        object.__setattr__(self, "delimiter", checked.delimiter)

    def to_builder(self) -> dict[str, str | int]:
        """Give what `load_dataset` calls it."""
        given = {"sep": self.delimiter, "encoding": self.encoding, "skiprows": self.skip_lines}
        return {name: value for name, value in given.items() if value is not None}


def load_split(
    spec: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    csv: CsvFormat = CsvFormat(),
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
    with _splits(spec, csv) as splits:
        if name not in splits:
            raise DataError(f"{spec:.200}: there is no split {split!r:.200}; there is {', '.join(splits)}")
        data = _with_fields(splits[name], text_column, label_column)
        return _labeled_texts(data, where, text_column, label_column)


def load_texts(
    spec: str,
    text_column: str | None,
    csv: CsvFormat = CsvFormat(),
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
    with _splits(spec, csv) as splits:
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


@contextmanager
def _splits(spec: str, csv: CsvFormat) -> Iterator[dict[str, datasets.Dataset]]:
    """Give all splits, which are there as long as the block lasts."""
    path = Path(spec)
    _quiet_libraries()
    # The library keys its copies of local files by their time of change alone: an edit that keeps the time
    # would give the old rows. So a local source is converted anew, and the copy thrown away.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        where = _source(spec, path, Path(folder))
        source = {**where, "cache_dir": folder if path.exists() else None, "token": False}
        yield _load(spec, source, csv)


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

    :raises DataError: when it is damaged.
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
        raise DataError(f"{spec:.200} cannot be read as a data set: {error}") from error
    return plain


def _load(spec: str, source: dict[str, Any], csv: CsvFormat) -> dict[str, datasets.Dataset]:
    """Load all splits, the values of a CSV file as the strings that they are."""
    is_csv = False
    try:
        with warnings.catch_warnings():
            # pandas only warns, and cuts, where all rows have more fields than the header.
            warnings.filterwarnings("error", "Length of header or names")
            builder = datasets.load_dataset_builder(**source)
            is_csv = isinstance(builder.config, CsvConfig)
            if is_csv:
                source = {**source, "na_filter": False, "index_col": False, **csv.to_builder()}
                features = builder.info.features or _strings(datasets.load_dataset(**source, nrows=1))
                source["features"] = features
            try:
                return dict(datasets.load_dataset(**source))
            except datasets.exceptions.DatasetGenerationError:
                if not isinstance(builder.config, JsonConfig):
                    raise
                # Types of columns are those of the first 10 MB: it fails where one is null for so long.
                return dict(datasets.load_dataset(**source, chunksize=_ONE_CHUNK))
    except Exception as error:  # whatever pandas, pyarrow, yaml, zlib, httpx and the hub raise
        inner = isinstance(error, datasets.exceptions.DatasetGenerationError) and error.__cause__
        reason = " ".join(str(inner or error).split()) or "no rows"
        if "corresponds to no data" in reason:
            reason = "no rows"
        elif is_csv and isinstance(inner or error, UnicodeError):
            reason += "; is it another --encoding?"
        elif is_csv and isinstance(inner or error, ParserError | ParserWarning):
            reason += "; is it another --delimiter? Lines before the header take --skip-lines"
        raise DataError(f"{spec:.200} cannot be read as a data set: {reason:.300}") from error


def _strings(splits: dict[str, datasets.Dataset]) -> datasets.Features:
    header = next(iter(splits.values())).column_names
    return datasets.Features(dict.fromkeys(header, datasets.Value("string")))


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


def _quiet_libraries() -> None:
    """Keep bars and logs of the libraries from the terminal, unless sentcli's own log is at DEBUG."""
    if not _log.isEnabledFor(logging.DEBUG):
        datasets.disable_progress_bars()
        hub.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
        for library in ("datasets", "huggingface_hub"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
