"""What an input is: all that its reader, and the writer of its output, need to know of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sentcli.config import LOG
from sentcli.errors import DataError, option
from sentcli.files.encodings import UTF_8, Encoding
from sentcli.tables.options import ReadOptions

Note = tuple[int, str]  # for the log: the level and the message

_MAX_LISTED = 20


@dataclass(frozen=True)
class Table:
    """What an input is, see `open_table`. Formats add to it what their readers and writers need.

    :param options: those that read it, with the format that was found.
    :param columns: the names of its columns; empty if it has no record.
    :param places: the places of the columns whose texts are scored, usually one; see `paths`.
    :param lead: the bytes before the first row: a byte order mark, a header record.
    :param types: the types of the columns that are not text, for an output with types; see `tables.convert`.
    :param is_empty: there is no record that decides.
    :param formulas_without_value: the number of cells of a workbook whose value is not in the file.
    """

    name: str
    options: ReadOptions
    columns: tuple[str, ...] = ()
    places: tuple[Any, ...] = ()
    lead: bytes = b""
    types: Mapping[str, Any] = field(default_factory=dict)
    is_empty: bool = False
    notes: tuple[Note, ...] = ()
    formulas_without_value: int = 0

    @property
    def format(self) -> str:
        return self.options.format or ""

    @cached_property
    def paths(self) -> Sequence[tuple[str, Any]]:
        """The name of each column, and its place in a chunk; after these, of what is nested in columns."""
        return [(name, place) for place, name in enumerate(self.columns)]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The names or paths of the columns whose texts are scored."""
        names = {place: name for name, place in self.paths}
        return tuple(names.get(place, place) for place in self.places)

    @cached_property
    def kept(self) -> list[int]:
        """The indexes of the columns that the output has."""
        return [place for place, name in enumerate(self.columns) if self.options.keeps(name)]

    @cached_property
    def kept_columns(self) -> tuple[str, ...]:
        """The names of the columns that the output has."""
        return tuple(self.columns[place] for place in self.kept)


@dataclass(frozen=True)
class TextTable(Table):
    """A text: at first one of lines, from which other formats make their tables."""

    encoding: Encoding = UTF_8

    def parse(self, raw: Sequence[bytes]) -> list[Any]:
        """Return the values of records, which are known to be rows, from their bytes."""
        records, _ = self.encoding.cut_line_ends(raw)
        return [(self.encoding.decode(record),) for record in records]


def log_notes(notes: Iterable[Note]) -> None:
    for level, message in notes:
        LOG.log(level, message)


def list_columns(columns: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.60}" for name in columns[:_MAX_LISTED])
    more = f" and {len(columns) - _MAX_LISTED} more" if len(columns) > _MAX_LISTED else ""
    return f"the columns are {shown}{more}" if columns else "there are no columns"


def check_room(columns: Sequence[str], names: Sequence[str], where: str) -> None:
    """Refuse an input with a column that has the name of a new column."""
    if (name := find_taken(columns, names)) is not None:
        hint = f"try {option('prefix', 'new_')}"
        raise DataError(f"{where}: the input has a column {name!r:.200} already; {hint}")


def find_taken(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first column with the name of a new column, in upper or lower case as in SQL; else None."""
    new = {name.lower() for name in names}
    return next((name for name in columns if str(name).lower() in new), None)


def check_kept(table: Table, others: Iterable[str]) -> None:
    """Refuse names to keep or to drop that no column has, and an output without any of the columns.

    :param others: columns that are not in the table, but in its output.
    """
    options, name, columns = table.options, table.name, [*table.columns, *others]
    if table.is_empty:
        return
    for field_name in ("keep", "drop"):
        for column in getattr(options, field_name) or ():
            if column not in columns:
                hint = f"{list_columns(columns)}; try another {option(field_name)}"
                raise DataError(f"{name}: no column {column!r:.200}; {hint}")
    if options.is_partial and not table.kept:
        hint = f"{list_columns(table.columns)}; try {option('keep')} with one"
        raise DataError(f"{name}: no column is left; {hint}")


def refuse_twins(table: Table) -> None:
    """Refuse columns with the same name, for an output that holds a name once."""
    for name, count in Counter(table.columns).items():
        if count > 1:
            hint = "a format without keys can hold them: -o OUT.csv"
            raise DataError(f"{table.name}: there are {count} columns {name!r:.200}; {hint}")
