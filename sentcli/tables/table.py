"""What an input is: all that its reader, and the writer of its output, need to know of it."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentcli.config import NOTE
from sentcli.tables.convert import to_text
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions

if TYPE_CHECKING:
    from sentcli.tables.types import Types

Note = tuple[int, str]  # for the log: the level and the message

logging.addLevelName(NOTE, "NOTE")


class Content(Enum):
    """What chunks hold of each row, in addition to its text."""

    RECORDS = "records"  # as they were read, for an output of the same format
    VALUES = "values"  # of all columns, for another format
    TEXTS = "texts"  # no more, for plain lines


@dataclass(frozen=True)
class Bounds:
    """What an output can hold.

    :param longest_cell: the most UTF-16 units of a value, of workbooks; None: any number.
    :param encoding: of CSV; None: that of the input, or one with all characters.
    """

    longest_cell: int | None = None
    encoding: str | None = None

    def misfit(self, values: Iterable[Any]) -> str:
        """Return why the output cannot hold one of the values; empty if it can."""
        if self.encoding is None and self.longest_cell is None:
            return ""
        for value in values:
            text = to_text(value) if isinstance(value, str | list | dict | bytes) else ""
            limit = self.longest_cell
            if limit and 2 * len(text) > limit and (size := len(text.encode("utf-16-le")) // 2) > limit:
                return f"{size:,} characters in a cell, Excel holds {limit:,}; try -o OUT.csv"
            if self.encoding and (missing := _missing(text, self.encoding)):
                return f"{missing!r:.20} is not in {self.encoding}; try --output-encoding utf-8"
        return ""


def _missing(text: str, encoding: str) -> str:
    """Return the first character of a text that an encoding does not have; empty if it has all."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        return text[error.start]
    return ""


@dataclass(frozen=True)
class Table:
    """What an input is, see `inspect`.

    :param columns: the names of its columns; empty if it has no record.
    :param texts: the names or paths of the columns whose texts are scored, usually one.
    :param places: the indexes of these columns, where a name may belong to several.
    :param sides: where the values of the columns of `ReadOptions.sides` are: indexes or names.
    :param lead: the bytes before the first row: a byte order mark, a header record.
    :param style: what else the reader and writer of the format need, such as the dialect of CSV.
    :param taken: the names of the new columns, which no column may have.
    :param types: the types of the columns that are not text, for an output with types; see `tables.types`.
    :param is_empty: there is no record that decides.
    :param formulas_without_value: the number of cells of a workbook whose value is not in the file.
    """

    name: str
    format: str
    options: ReadOptions
    columns: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    sides: tuple[Any, ...] = ()
    lead: bytes = b""
    style: Any = None
    taken: tuple[str, ...] = ()
    types: Mapping[str, Any] = field(default_factory=dict)
    is_empty: bool = False
    notes: tuple[Note, ...] = ()
    bounds: Bounds = Bounds()
    formulas_without_value: int = 0

    @cached_property
    def kept(self) -> list[int]:
        """The indexes of the columns that the output has."""
        return [place for place, name in enumerate(self.columns) if self.options.keeps(name)]

    @cached_property
    def kept_columns(self) -> tuple[str, ...]:
        """The names of the columns that the output has."""
        return tuple(self.columns[place] for place in self.kept)


@dataclass(frozen=True)
class Request:
    """What is to be read from an input.

    :param types: collects the types of the columns of all inputs; None: all columns are text.
    :param first: the table of an earlier input of the same output, which decides on the text columns.
    :param columns: those of JSON in another format, if all inputs are known; empty: the keys of the records.
    :param check: called while a pipe has no bytes; it may raise an error.
    """

    format: str
    options: ReadOptions = field(default_factory=ReadOptions)
    content: Content = Content.RECORDS
    taken: tuple[str, ...] = ()
    types: "Types | None" = None
    first: Table | None = None
    columns: tuple[str, ...] = ()
    bounds: Bounds = Bounds()
    check: Callable[[], None] = lambda: None

    def table(self, name: str, columns: tuple[str, ...] = (), **found: Any) -> Table:
        """Return the table of an input that was found to be so."""
        return Table(
            *(name, self.format, self.options, columns), taken=self.taken, bounds=self.bounds, **found
        )


@dataclass(frozen=True)
class Layout:
    """What a writer writes.

    :param labels: all labels that a row may get, so that one that cannot be written fails before any row.
    :param graded: the labels of the texts, from the lowest scores to the highest ones.
    :param scratch: the name of a folder for temporary files next to the output; None: any temporary folder.
    """

    format: str
    results: tuple[ResultColumn, ...]
    labels: tuple[str, ...] = ()
    content: Content = Content.RECORDS
    write: WriteOptions = field(default_factory=WriteOptions)
    scratch: Path | None = None
    graded: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the new columns; empty for lines, which have no names."""
        return () if self.format == "lines" else tuple(column.name for column in self.results)

    @property
    def converts(self) -> bool:
        return self.content is not Content.RECORDS


def log_notes(notes: Iterable[Note]) -> None:
    for level, message in notes:
        logging.getLogger("sentcli").log(level, message)
