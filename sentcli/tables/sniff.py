"""Find out from the first bytes of a text whether it is a table, and what its first records are.

Mistaking lines for a table loses texts; mistaking a table for lines does not. So a table has to be plain: a
record of short names, as many fields in each of the next records, a column of words, and a column with a
usual name or of numbers. Tabs are rare in texts, so a table with tabs needs less.
"""

import csv
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from sentcli.config import NOTE
from sentcli.errors import DataError, UsageError, counted, option
from sentcli.files.compression import compression_in
from sentcli.files.encodings import AUTO, BOM, WIDE, detect_encoding
from sentcli.files.source import Source
from sentcli.tables.line_reader import PAUSE, first_bytes
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import FORMATS, SIGNATURE_BYTES, instead_of, signature_of
from sentcli.tables.table import Note, list_columns
from sentcli.tables.text_column import is_usual

LIKELY_DELIMITERS = "\t;|,"
_NO_TABLE = 3
_SAMPLE_BYTES = 1 << 18
SAMPLE_RECORDS = 20
_FEWEST_ROWS = 2  # after the header
_MANY_ROWS = 4  # fewer may have the same number of fields, or a column of numbers, by chance
_MAY_BEGIN_TABLE = re.compile(rb"[^\n]*?(\t|[,;|]\S|\0)")  # a first line; others are not worth a wait
SEPARATOR = re.compile(r"sep=([^\w\"'\\])\r?$", re.IGNORECASE | re.MULTILINE)  # the first line of Excel
_JSON = re.compile(r'\s*(\[\s*)?\{\s*"[^"\n]*"\s*:')  # up to the first key
_NAME = re.compile(r"(?=.{0,40}$)([^\W\d]\S*( \S+){0,4}(?<![.!]))?")
_WORD = re.compile(r"[^\W\d_]{2,}")
_FEWEST_NAMES = 3  # in a header below titles, if the table has as many columns
_SENTENCE = re.compile(r"\s*\S+ \S+ [^?]*[.!]\s*")
_LONG_NAME = re.compile(r"\S+ \S+ [^?]*[.!]|\S+( \S+){3}.*[^?]")  # of the only column
SURVEY_COLUMNS = {"ResponseId", "Respondent ID"}  # of Qualtrics and SurveyMonkey
_SECOND_HEADER = {"Response ID", "Open-Ended Response"}  # a value in their second headers
_QUALTRICS_ID = '{"ImportId"'  # in the third header
# A message in the text of a chat: its date, its time and a name; blanks and brackets may be of any kind.
_MESSAGE = re.compile(rb"(?im)^\W*\d[\d./-]{5,9},? \d[\d:.]{3,7}(\W{1,3}[ap]\.?m\.?)?\]?( -)? [^:\n]+: ")
_LINES_OF_MESSAGE = 3  # at most, in a chat
_NUMBER = re.compile(r"[-+(#$€£]*\.?\d(?:(?![^\W\d_]{2}).)*")  # also a date or a time


@dataclass(frozen=True)
class Likely:
    """A table that a text may be.

    :param doubt: 0: it is certainly one; 1: it looks like one; 2: it may be one, and is read as lines;
        `_NO_TABLE`: it is none.
    """

    read: ReadOptions
    columns: Sequence[str]
    doubt: int

    @property
    def is_table(self) -> bool:
        """Whether it is read as a table."""
        return self.doubt <= 1

    def __str__(self) -> str:
        names = ", ".join(f"{name:.60}" for name in self.columns)
        return f"{self.read.format}".upper() + (f" with the columns {names:.400}" if names else "")

    def note(self, name: str, *, is_refused: bool) -> Note | None:
        """Return what to say of the input of this name.

        :raises UsageError: if it may be a table and `is_refused`, because lines would lose its columns.
        """
        if self.doubt == _NO_TABLE:
            return None
        lines = option("input_format", "lines")
        if self.is_table:
            hint = f"; if it is lines of text, add {lines}" if self.doubt else ""
            return NOTE if self.doubt else logging.WARNING, f"{name} looks like {self}: read as such{hint}"
        hint = f"{name} may be {self}: if it is, add {self.flags}"
        if is_refused:
            raise UsageError(f"{hint}; if each line is a text, add {lines}")
        return logging.WARNING, f"{hint}; it is read as one review per line"

    @property
    def flags(self) -> str:
        """The options that read it."""
        delimiter = option("delimiter", self.read.delimiter) if self.read.delimiter else ""
        header = "" if self.read.header else option("no_header")
        return " ".join(filter(None, (option("input_format", self.read.format), delimiter, header)))


def guess_format(source: Source, options: ReadOptions) -> Likely | None:
    """Return what a text without a format may be; None if it is empty.

    Waits for the first bytes; if they may begin a table in a pipe, a short time for more.
    """
    if binary := start_of(source)[1]:
        return Likely(replace(options, format=binary), (), 0)
    with source.looking_ahead():
        data = more = source.read()
        while more and source.live and len(data) < _SAMPLE_BYTES and data.count(b"\n") <= SAMPLE_RECORDS:
            if not (_MAY_BEGIN_TABLE.match(data) and source.ready(PAUSE)):
                break
            more = source.read()
            data += more
    is_open = options.encoding in (None, AUTO)
    if is_open and b"\0" in data and not detect_encoding([data])[0].startswith(WIDE):
        hint = f"if it is lines of text, add {option('input_format', 'lines')}"
        raise DataError(f"{source.name}: neither a text nor a format known by its first bytes; {hint}")
    if 1 < len(_MESSAGE.findall(data)) >= data.count(b"\n") / _LINES_OF_MESSAGE:
        hint = instead_of(".chat", source.name if Path(source.name).exists() else "FILE.txt")
        lines = f"if each line is a text, add {option('input_format', 'lines')}; if not, {hint}"
        raise DataError(f"{source.name}: a chat, with a date and a name in each message; {lines}")
    return (sniff(data, options) or Likely(options, (), _NO_TABLE)) if data else None


def start_of(source: Source) -> tuple[bytes, str]:
    """Return the first bytes of an input, and the binary format that they show, empty for a text.

    The input is decompressed from now on if they are compressed.

    :raises DataError: for a binary format that is not read.
    """
    with source.looking_ahead():
        start = first_bytes(source, SIGNATURE_BYTES)
    if compression := compression_in(start):
        source.decompress(compression)
        return start_of(source)
    binary = signature_of(start)
    if binary and binary not in FORMATS:
        hint = f"rename it to end in {binary}"
        if source.is_stream:
            hint = instead_of(binary, f"FILE{binary}")
        raise DataError(f"{source.name}: its first bytes are those of {binary}; {hint}")
    return start, binary


def sniff(data: bytes, options: ReadOptions) -> Likely | None:
    """Return the table that a text may be; None if it cannot be one."""
    encoding = detect_encoding([data])[0] if options.encoding in (None, AUTO) else options.encoding
    text = data[:_SAMPLE_BYTES].decode(encoding or "utf-8", "replace").lstrip(BOM)
    if (found := _JSON.match(text)) and options.encoding is None:  # JSON is UTF-8
        return Likely(replace(options, format="json" if found[1] else "jsonl"), (), 0)
    if SEPARATOR.match(text):
        return Likely(replace(options, format="csv"), (), 0)
    guesses = (_sniff_table(text, delimiter, options) for delimiter in options.delimiter or LIKELY_DELIMITERS)
    return min(filter(None, guesses), key=lambda guess: guess.doubt, default=None)


def _sniff_table(text: str, delimiter: str, options: ReadOptions) -> Likely | None:
    read = replace(options, format="tsv" if delimiter == "\t" else "csv")
    if delimiter not in "\t,":
        read = replace(read, delimiter=delimiter)
    names, *rows = _records(text, delimiter) or [[]]
    has_usual = bool(rows) and any(map(is_usual, names))
    if len(names) > 1 and len(rows) >= _FEWEST_ROWS and {*map(len, rows)} == {len(names)}:
        columns = [*zip(*rows, strict=True)]
        has_numbers = any(map(_are_numbers, columns))
        are_names = len({*map(str.casefold, names)}) == len(names) and all(map(_NAME.fullmatch, names))
        if are_names and (has_usual or any(map(_are_words, columns))):
            is_likely = delimiter == "\t" or (has_numbers and len(rows) >= _MANY_ROWS)
            return Likely(read, names, 0 if has_usual else 1 if is_likely else 2)
        has_blanks = any(cell.startswith(" ") for row in rows for cell in row)  # as after a comma in a text
        if not has_blanks and (has_numbers or len(rows) >= _MANY_ROWS):
            has_header = not any(map(_NUMBER.fullmatch, names))
            return Likely(replace(read, header=has_header), names if has_header else (), 2)
    return Likely(read, names, 2) if has_usual and (len(names) > 1 or delimiter == ",") else None


def _records(text: str, delimiter: str) -> list[list[str]]:
    """Return the first records that are not empty, up to a malformed one."""
    records: list[list[str]] = []
    with suppress(csv.Error):
        parser = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        records += islice(filter(None, parser), SAMPLE_RECORDS)
    is_cut = len(records) > _FEWEST_ROWS + 1 and not text.endswith("\n")  # the last one may go on
    return records[:-1] if is_cut else records


def _are_numbers(cells: Sequence[str]) -> bool:
    return any(cells) and all(_NUMBER.fullmatch(cell) for cell in cells if cell)


def _are_words(cells: Sequence[str]) -> bool:
    return sum(len(_WORD.findall(cell)) for cell in cells) >= 2 * len(cells) and not _are_numbers(cells)


def lines_of_titles(records: Sequence[tuple[int, Sequence[str]]], text_column: str | None, where: str) -> int:
    """Return the number of lines before the header, if these have a cell or two, as titles of a report.

    :param records: the first ones, each with the number of its first line.
    :raises DataError: when what follows them may be no header, because it has no usual name of a text.
    """
    records = records[: 1 + SAMPLE_RECORDS]
    counts = [sum(map(bool, cells)) for _, cells in records]
    least = min(_FEWEST_NAMES, max(counts))
    is_grouped = _is_group_header([cells for _, cells in records[:4]])
    table = records[is_grouped or next(place for place, count in enumerate(counts) if count >= least) :]
    (_, first), (line, header) = records[0], table[0]
    is_index = not first[0] and len(first) < _FEWEST_NAMES  # of pandas
    is_uneven = len(table) < 2 or len({len(record) for _, record in table}) > 1
    names = [*filter(None, (*first, *header))]
    has_twins = not is_grouped and counts[0] > 1 and len({*names}) < len(names)  # as rows have
    if first is header or is_index or is_uneven or has_twins or text_column in first:
        return 0
    if text_column in header or any(map(is_usual, header)):
        return line - 1
    if any(map(is_usual, first) if counts[0] == 1 else map(_NUMBER.fullmatch, header)):
        return 0
    cells = {1: "one cell", 2: "two cells"}.get(counts[0], f"{counts[0]} cells")
    hint = f"if the header is line {line}, add {option('skip_lines', line - 1)}"
    raise DataError(f"{where}: the first line has {cells}, {' '.join(filter(None, first))!r:.80}; {hint}")


def _is_group_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names groups of columns: mostly blank, above names, above numbers."""
    first, names = rows[0], rows[1] if len(rows) > _FEWEST_ROWS else ()
    has_numbers = [any(map(_NUMBER.fullmatch, cells)) for cells in rows[1:]]
    is_sparse = 1 < sum(map(bool, first)) <= len(first) / 2
    return is_sparse and all(names) and has_numbers[:1] == [False] and all(has_numbers[1:])


def further_headers(rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the two rows after a header are further headers, as survey programs write them."""
    if any(cell.startswith(_QUALTRICS_ID) for row in rows[1:] for cell in row):
        return 2
    return sum(not _SECOND_HEADER.isdisjoint(row) for row in rows[:1])


def survey_note(count: int) -> str:
    return f"{counted(count, 'further header')} of a survey: read with {option('skip_rows', count)}"


def check_header(records: Sequence[Sequence[str]], options: ReadOptions, where: str) -> tuple[Note, ...]:
    """Return a note on a header that may be a row; refuse one that seems to be.

    :param records: the header, and some of the first rows after it.
    """
    names, *rows = records
    if options.text_column is not None or any(map(is_usual, names)):
        return ()
    no_header, named = option("no_header"), option("text_column")
    row_like, long = [*filter(_NUMBER.fullmatch, names)], [*names] * (len(names) == 1)
    if not any(_NUMBER.fullmatch(cell) for row in rows for cell in row):  # which no name is
        row_like += filter((_SENTENCE if len(names) > 1 else _LONG_NAME).fullmatch, names)
        long += filter(_LONG_NAME.fullmatch, names)
    if row_like:
        hint = f"if the first line is a row, add {no_header}, else name the text with {named}"
        raise DataError(f"{where}: a column is called {row_like[0]:.80}; {hint}; {list_columns(names)}")
    if not long:
        return ()
    taken = f"the first line, {long[0]!r:.80}, is taken for the header"
    return ((logging.WARNING, f"{where}: {taken}; if it is a text, add {no_header}"),)
