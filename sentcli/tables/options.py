"""The columns that a run adds, and the options for reading, writing and rejecting rows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sentcli.errors import UsageError, is_utf8, option
from sentcli.files.compression import compression_of
from sentcli.files.encodings import AUTO, Encoding
from sentcli.text.null_values import NULL_VALUES, NullValues

if TYPE_CHECKING:
    from sentcli.scoring.labels import Scores


@dataclass(frozen=True)
class ResultColumn:
    """A column that a run adds.

    :param values: returns its values, one for each text.
    :param is_number: True for numbers, False for labels and lists.
    :param is_integer: True for whole numbers, in place of labels.
    :param labels: all values that a column of labels may have, from the lowest scores to the highest ones.
    :param items: for a column of lists, the names and Arrow types of the fields of an item; its values are
        the lists as JSON, in which an item is a list too.
    """

    name: str
    values: "Callable[[Scores], Sequence[Any]]" = field(compare=False)
    is_number: bool = False
    is_integer: bool = False
    labels: tuple[str, ...] = ()
    items: tuple[tuple[str, str], ...] = ()


_LARGEST_ROW = (1 << 31) - 1  # bytes; neither csv nor Parquet can hold a longer value


@dataclass(frozen=True)
class ReadOptions:
    r"""Options for reading the inputs; a default value means that the user did not set the option.

    :param format: `csv`, `tsv`, `jsonl`, `json`, `parquet`, `xlsx` or `lines`; None: from the suffix, or from
        the text.
    :param text_column: the column to score: its name, number or dotted path, or several of these with commas;
        None: found by its name or its first values.
    :param null_values: what is left out of a text of several columns; see `Scorer`.
    :param by: columns, named as in `text_column`; rows and labels are counted for each of their values. With
        `:week`, `:month`, `:quarter` or `:year` after its name, for each span of the dates of a column.
    :param day_first: whether days come first in dates such as 3/4/2025; None: as all dates of a column show.
    :param keep: the columns that the output has, in addition to the new ones; None: all columns.
    :param drop: the columns that the output does not have; the texts may be among them.
    :param sheet: the name or number of the sheet of a workbook; None: the first one with a table.
    :param delimiter: one character, or `\t`; None: a comma for CSV, a tab for TSV.
    :param quotechar: one character, or "" for no quoting; None: `"`.
    :param escapechar: the character that takes away the special meaning of the next one; None: there is none.
    :param encoding: any of Python's text encodings; None or `auto`: UTF-8, UTF-16, UTF-32 or cp1252, as the
        bytes show.
    :param header: False: the first record is a row, and the columns are called 1, 2, 3...
    :param skip_lines: number of lines before the header; they are copied to the output.
    :param skip_rows: number of rows after the header that get no score, such as a second header.
    :param max_row_bytes: the most bytes of a record, or in Parquet of its text; a longer record is rejected.
    :param limit: the number of rows of an output, at least 1; None: all rows of its inputs.
    :raises UsageError: for an invalid value, naming the option.
    """

    format: str | None = None
    text_column: str | None = None
    null_values: tuple[str, ...] | None = None
    by: tuple[str, ...] = ()
    day_first: bool | None = None
    keep: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    sheet: str | None = None
    delimiter: str | None = None
    quotechar: str | None = None
    escapechar: str | None = None
    encoding: str | None = None
    header: bool = True
    skip_lines: int = 0
    skip_rows: int = 0
    max_row_bytes: int = 16 << 20
    limit: int | None = None

    def __post_init__(self) -> None:
        _read_tab(self, "delimiter")
        _check_character("quotechar", self.quotechar or None, ", or empty")
        _check_character("escapechar", self.escapechar)
        if self.delimiter is not None:
            self.separators(self.delimiter)
        if not 1 <= self.max_row_bytes <= _LARGEST_ROW:
            hint = f"it has to be 1 to {_LARGEST_ROW} bytes"
            raise UsageError(f"{option('max_row_bytes')} is {self.max_row_bytes}; {hint}")
        if self.skip_lines < 0:
            raise UsageError(f"{option('skip_lines')} is {self.skip_lines}; it has to be 0 or more")
        if self.skip_rows and not self.header:
            hint = f"with {option('no_header')}, use {option('skip_lines')}"
            raise UsageError(f"{option('skip_rows')} counts rows after the header; {hint}")
        if self.encoding not in (None, AUTO):
            Encoding.named(self.encoding)

    @cached_property
    def nulls(self) -> NullValues:
        """The null values, also where none were given."""
        return NullValues(NULL_VALUES if self.null_values is None else self.null_values)

    @property
    def is_partial(self) -> bool:
        """Whether the output lacks some columns."""
        return self.keep is not None or self.drop is not None

    def keeps(self, column: str) -> bool:
        """Return whether the output has a column."""
        return (self.keep is None or column in self.keep) and column not in (self.drop or ())

    def separators(self, usual: str) -> tuple[str, str]:
        """Return the delimiter and the quotechar.

        :param usual: the default delimiter of the format.
        :raises UsageError: when delimiter and quotechar are the same.
        """
        delimiter = usual if self.delimiter is None else self.delimiter
        quotechar = '"' if self.quotechar is None else self.quotechar
        if delimiter == quotechar:
            raise UsageError(f"{option('delimiter')} and {option('quotechar')} are both {delimiter!r:.200}")
        if self.escapechar in (delimiter, quotechar):
            other = f"{option('delimiter')} or {option('quotechar')}"
            raise UsageError(f"{option('escapechar')} {self.escapechar!r:.200} is also the {other}")
        return delimiter, quotechar


@dataclass(frozen=True)
class WriteOptions:
    """Options for writing the output.

    :param format: as for `ReadOptions`; None: from the suffix, else the format of the input.
    :param prefix: put before the names of the new columns.
    :param width: the width of the terminal that lines are for; 0: they are for other programs.
    :param strings: all columns of text formats and workbooks stay text where the output has types.
    :param output_delimiter: of CSV and TSV; None: that of the input, or the usual one.
    :param output_encoding: of CSV and TSV: any of Python's text encodings; None: that of the input, or UTF-8.
    :param label_next: write only so many rows, see `sentcli.runs.label_next`; None: all.
    :raises UsageError: for an invalid value, naming the option.
    """

    format: str | None = None
    prefix: str = ""
    width: int = 0
    strings: bool = False
    output_delimiter: str | None = None
    output_encoding: str | None = None
    label_next: int | None = None

    def __post_init__(self) -> None:
        _read_tab(self, "output_delimiter")
        if self.output_encoding is not None:
            Encoding.named(self.output_encoding, field="output_encoding")
        if not is_utf8(self.prefix):
            raise UsageError(f"{option('prefix')} {self.prefix!r:.200}: it has to be UTF-8")

    @property
    def has_dialect(self) -> bool:
        return self.output_delimiter is not None or self.output_encoding is not None

    def columns(
        self, classes: Sequence[str] = (), added: Sequence[ResultColumn] = (), labels: Sequence[str] = ()
    ) -> tuple[ResultColumn, ...]:
        """Return the new columns in their order.

        :param classes: the labels whose probabilities get a column each.
        :param added: further columns, still without the prefix.
        :param labels: those of the texts, see `ResultColumn`.
        :raises UsageError: when the columns of two classes would have the same name, in any case.
        """
        if len({label.lower() for label in classes}) < len(classes):
            reason = "two columns would differ only in case, which SQL ignores"
            hint = f"the labels are {', '.join(classes):.200}; omit it, or train with other labels"
            raise UsageError(f"{option('probabilities')}: {reason}: {hint}")
        columns = [
            ResultColumn("sentiment", attrgetter("labels"), labels=(*labels,)),
            ResultColumn("sentiment_score", attrgetter("scores"), is_number=True),
        ]
        for place, label in enumerate(classes):
            columns.append(ResultColumn(f"probability_{label}", _probability_of(place), is_number=True))
        return tuple(replace(column, name=self.prefix + column.name) for column in (*columns, *added))


def _read_tab(options: ReadOptions | WriteOptions, field: str) -> None:
    r"""Replace `\t`, as a user types it, by a tab; check that a delimiter is one character."""
    if getattr(options, field) == r"\t":
        object.__setattr__(options, field, "\t")
    _check_character(field, getattr(options, field), r", or \t")


def _check_character(field: str, value: str | None, other: str = "") -> None:
    if value is not None and (len(value) != 1 or value in "\r\n"):
        raise UsageError(f"{option(field)} is {value!r:.200}; it has to be one character{other}")


def _probability_of(place: int) -> "Callable[[Scores], Sequence[Any]]":
    return lambda scores: scores.probabilities[place]


@dataclass(frozen=True)
class RejectOptions:
    """Options for rejected rows.

    :param path: the file for them; None: `OUT.rejects.jsonl`, or standard error if the output is a stream.
    :param limit: `N` rows, or `P%` of the rows read; more rejected rows stop the run.
    :raises UsageError: for an invalid value, naming the option.
    """

    path: str | None = None
    limit: str | None = None

    def __post_init__(self) -> None:
        if self.path == "-":
            raise UsageError(f"{option('rejects')} takes the name of a file; standard output is for the rows")
        if self.path is not None and compression_of(self.path):
            hint = f"try {option('rejects', self.path.removesuffix(compression_of(self.path)))}"
            named = f"{option('rejects')} {self.path!r:.200}"
            raise UsageError(f"{named}: rejected rows are not compressed; {hint}")
        if self.limit is not None and not re.fullmatch(r"[0-9]{1,18}|[0-9]{1,3}(\.[0-9]+)?%", self.limit):
            hint = f"it has to be a number of rows, or a share, such as {option('max_rejects', '0.5%')}"
            raise UsageError(f"{option('max_rejects')} is {self.limit!r:.200}; {hint}")

    @property
    def is_share(self) -> bool:
        return self.limit is not None and self.limit.endswith("%")

    def exceeded(self, rejected: int, read: int) -> bool:
        """Return whether `rejected` of `read` rows exceed the limit."""
        if self.limit is None:
            return False
        return rejected > (float(self.limit[:-1]) / 100 * read if self.is_share else int(self.limit))
