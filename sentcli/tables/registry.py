"""The formats: names, file suffixes, the modules with their readers and writers; what all writers share."""

import importlib
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from sentcli.errors import UsageError, option
from sentcli.files.compression import compression_of, path_of
from sentcli.tables.chunk import Chunk, Results, Sheet
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions
from sentcli.tables.table import Table


@dataclass(frozen=True)
class Format:
    """One format.

    :param module: the module with `read`, `Writer` and, if the format is no text, `open_table`; imported only
        when needed, as pyarrow loads slowly.
    :param options: the options of `ReadOptions` that the format supports, except those of all formats.
    :param records: the format whose records are the same, so that a record is copied; empty: its own.
    :param has_types: its columns have types; from text formats, they are found by the values.
    :param written_as: of a format that can only be read, whose module has no `Writer`: the format of the
        output by default.
    :param opener: for texts, the module with `open_table`.
    """

    module: str
    suffixes: tuple[str, ...]
    options: frozenset[str] = frozenset()
    records: str = ""
    has_types: bool = False
    written_as: str = ""
    opener: str = ""

    def load(self, module: str = "") -> Any:
        return importlib.import_module(f"sentcli.tables.{module or self.module}")


_COLUMNS = frozenset({"text_column", "by", "day_first", "keep", "drop"})
_HEADER_OPTIONS = _COLUMNS | {"header", "skip_lines", "skip_rows"}
_CSV_OPTIONS = _HEADER_OPTIONS | {"delimiter", "quotechar", "escapechar", "encoding"}
_FORMATS = {
    "csv": Format("csv", (".csv",), _CSV_OPTIONS, opener="csv_header"),
    "tsv": Format("csv", (".tsv", ".tab"), _CSV_OPTIONS, opener="csv_header"),
    "jsonl": Format("jsonl", (".jsonl", ".ndjson"), _COLUMNS, opener="json_header"),
    "json": Format("jsonl", (".json",), _COLUMNS, records="jsonl", opener="json_header"),
    "parquet": Format("parquet", (".parquet", ".pq"), _COLUMNS, has_types=True),
    "arrow": Format(
        "record_batches", (".arrow", ".feather", ".ipc"), _COLUMNS, "parquet", written_as="parquet"
    ),
    "orc": Format("record_batches", (".orc",), _COLUMNS, "parquet", written_as="parquet"),
    "xlsx": Format("xlsx", (".xlsx",), _HEADER_OPTIONS | {"sheet"}, has_types=True),
    "lines": Format("lines", (".txt", ".lines"), frozenset({"encoding"}), opener="lines"),
    "mail": Format("mail", (".mbox", ".eml"), frozenset({"by", "keep", "drop"}), written_as="csv"),
    "documents": Format("documents", (), frozenset({"encoding", "keep", "drop"}), written_as="csv"),
}
FORMATS = tuple(_FORMATS)
INPUT_FORMATS = tuple(name for name in FORMATS if name != "documents")  # which have an option of their own
OUTPUT_FORMATS = tuple(name for name, form in _FORMATS.items() if not form.written_as)
SUFFIXES = {suffix: name for name, form in _FORMATS.items() for suffix in form.suffixes}

# The first bytes by format, or by the suffix of files that are not read, see `instead_of`.
_SIGNATURES = {
    "parquet": rb"PAR1\x15",
    "arrow": rb"ARROW1\0\0|\xff{4}..\0\0",  # a file or a stream
    "orc": rb"ORC.{0,16}[\0-\x06]",
    # By the name of the first part; of .ods too, about which the reader has a message.
    "xlsx": rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|docProps/|xl/|mimetype)",
    ".zip": rb"PK(\x03\x04|\x05\x06)",
    ".xls": rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ".sqlite": rb"SQLite format 3\0",
    ".duckdb": rb".{8}DUCK.\0{7}",
    ".avro": rb"Obj\x01",
    ".pkl": rb"\x80[\x02-\x05][\x80-\xff\]}c(]",
    ".bz2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    ".xz": rb"\xfd7zXZ\0",
    "mail": rb"From [^\n]*(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ",
    ".pdf": rb"%PDF-",
    ".html": rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|meta|table)",
    ".xml": rb"(\xef\xbb\xbf)?<\?xml",
}
_PAGES = (".html", ".htm", ".xml", ".docx", ".pdf", ".msg")  # which are next to tables
SIGNATURE_BYTES = 128


@cache
def _foreign() -> dict[str, str]:
    """Return what to do with files that are not read, by their suffix."""
    import tomllib  # few runs need it

    return tomllib.loads(Path(__file__).with_name("foreign.toml").read_text("utf-8"))


def get_format(name: str) -> Format:
    """Return the format of a name."""
    if name not in _FORMATS:
        raise UsageError(f"there is no format {name!r:.200}; the formats are {', '.join(FORMATS)}")
    return _FORMATS[name]


def signature_of(start: bytes) -> str:
    """Return the binary format that the first bytes of an input show; empty for none of these."""
    return next((name for name, sign in _SIGNATURES.items() if re.match(sign, start, re.DOTALL)), "")


def format_of(name: str, field: str) -> str:
    """Return the name of a file's format by its suffix, ignoring a compression suffix."""
    suffix = suffix_of(name)
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix in _foreign() and field == "input_format":
        raise UsageError(f"{name}: {suffix} is not a supported format; {instead_of(suffix, name)}")
    formats = FORMATS if field == "input_format" else OUTPUT_FORMATS
    hint = f"Add {option(field)} with one of {', '.join(formats)}"
    raise UsageError(f"{name}: what format is {suffix or 'this'}? {hint}")


def instead_of(suffix: str, name: str) -> str:
    """Return what to do with a file that is not read, by its suffix."""
    kind = _kind_of_xls(name) if suffix == ".xls" else suffix
    hint = _foreign()[kind].replace("FORMAT", option("input_format", "csv" if kind == ".csv" else "xlsx"))
    if "QUERY" in hint:
        hint = hint.replace("QUERY", shlex.quote(f"SELECT * FROM {_sqlite_table(name)}"))  # noqa: S608  # quoted
    command = " sentcli score --input-format csv -o OUT.csv" if hint.endswith("|") else ""
    return hint.replace("FILE", shlex.quote(name)) + command


def _kind_of_xls(name: str) -> str:
    """Return the suffix of what is in a file: exports that are called workbooks may be HTML or text."""
    start = b""
    with suppress(OSError), Path(name).open("rb") as file:
        start = file.read(SIGNATURE_BYTES)
    if (sign := signature_of(start)) == ".html":
        return sign
    return ".xls" if not start or b"<" in start or sign else ".csv"


def _sqlite_table(name: str) -> str:
    """Return a table of a database as SQL names it: the first one with a usual column of texts, or of all."""
    import sqlite3  # few runs need it

    from sentcli.tables.text_column import is_usual

    found: list[tuple[str, str]] = []
    url = f"file:{quote(name)}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(url, uri=True)) as database:
        found = database.execute(
            "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c "
            "WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite%'"
        ).fetchall()
    table, _ = max(found, key=lambda column: is_usual(column[1]), default=("TABLE", ""))
    return '"{}"'.format(table.replace('"', '""'))


def written_format(name: str) -> str:
    """Return the format that rows of a format are written in by default."""
    return get_format(name).written_as or name


def is_known(name: str) -> bool:
    """Return whether a file belongs to a format of tables, which may be one that is not read."""
    suffix = suffix_of(name)
    return suffix in SUFFIXES or (suffix in _foreign() and suffix not in _PAGES)


def is_conversion(options: ReadOptions, write: WriteOptions) -> bool:
    """Return whether rows are written anew, and not copied as they were read.

    Records of CSV are written anew too if they lose columns or get another dialect.
    """
    read, written = ((get_format(name or "").records or name) for name in (options.format, write.format))
    is_changed = options.is_partial or write.has_dialect
    return read != written or (is_changed and get_format(read or "").module == "csv")


def suffix_of(name: str) -> str:
    """Return the suffix that names the format: `.csv` for `reviews.csv.gz`."""
    path = path_of(name)
    return PurePath(path[: len(path) - len(compression_of(path))]).suffix.lower()


def check_options(options: ReadOptions, name: str) -> None:
    """Refuse options that a format does not support."""
    format_name, everywhere = options.format or "", {"format", "max_row_bytes", "limit", "null_values"}
    for given in fields(options):
        is_given = getattr(options, given.name) != given.default
        if is_given and given.name not in everywhere | get_format(format_name).options:
            named = option("no_header" if given.name == "header" else given.name)
            hint = f"; add {option('input_format')} with another" if format_name == "lines" else ""
            raise UsageError(f"{named} does not apply to {format_name} input, such as {name}{hint}")


class Writer(ABC):
    """Encodes chunks and their results as the bytes of the output, in the style of the first input.

    :param table: the first input that has records.
    :param write: with the format of the output.
    :param results: the new columns.
    :param scratch: a folder for temporary files next to the output; None: any temporary folder.
    """

    unfit: Callable[[Any], str] | None = None  # returns why the output cannot hold a value; empty if it can

    def __init__(
        self, table: Table, write: WriteOptions, results: Sequence[ResultColumn], scratch: Path | None = None
    ) -> None:
        self.table, self.write, self.results = table, write, results
        self.names = [column.name for column in results]
        self.scratch = scratch
        self.converts = is_conversion(table.options, write)

    def misfits(self, chunk: Chunk) -> dict[int, str]:
        """Return the rows that the output cannot hold, each with the reason."""
        rows = enumerate(chunk.values if self.converts else ())
        bad = {row: reason for row, reason in rows if isinstance(reason, str)}
        for row, values in enumerate(chunk.values[chunk.headers :] if self.unfit else (), chunk.headers):
            if row not in bad and (reason := next(filter(None, map(self.unfit, values)), "")):  # type: ignore[arg-type]
                bad[row] = reason
        return bad

    @abstractmethod
    def begin(self) -> bytes:
        """Return the bytes before the first row."""

    @abstractmethod
    def encode(self, chunk: Chunk, results: Results) -> bytes:
        """Return the bytes of a chunk's rows with their results, which are empty for a blank row."""

    def close(self, summary: Sheet = ()) -> bytes:
        """Return the bytes after the last row; a format with sheets gets one with a summary."""
        return b""
