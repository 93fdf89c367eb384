"""The inputs of one output: check that they fit together, and read their chunks in order."""

import logging
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sentcli.errors import OutputError, UsageError, option
from sentcli.files.compression import SUFFIXES
from sentcli.files.source import STANDARD, InputFile, Source
from sentcli.runs.partitions import Partitions
from sentcli.scoring import stop
from sentcli.tables.chunk import Chunk, Cursor, Position, Results
from sentcli.tables.columns import check_kept, check_room, columns_of_all, find_taken
from sentcli.tables.inspect import guess_format, inspect, notes_of
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions
from sentcli.tables.registry import (
    OUTPUT_FORMATS,
    Writer,
    check_options,
    content_for,
    format_of,
    get_format,
    suffix_of,
    written_format,
)
from sentcli.tables.sniff import Guess
from sentcli.tables.table import Bounds, Content, Layout, Note, Request, Table, log_notes

if TYPE_CHECKING:
    from sentcli.tables.types import Types

_log = logging.getLogger("sentcli")

_USUAL_COLUMNS = 2  # label and score, of which a line needs no explanation
_NOT_WRITTEN = (".bz2", ".xz")
_MOST_OPEN = 16  # inputs that stay open, and in memory, from their inspection until they are read


@dataclass(frozen=True)
class Setup:
    """What is known of an output before its inputs are opened.

    :param format: format of the inputs; empty: their text decides.
    :param output_format: empty: the format of the inputs.
    :param partitions: columns from the names of folders, which one output of all inputs does not have.
    """

    options: ReadOptions
    write: WriteOptions
    output: str
    results: tuple[ResultColumn, ...]
    labels: tuple[str, ...] = ()
    format: str = ""
    output_format: str = ""
    partitions: Partitions = field(default_factory=dict)


def make_setup(
    inputs: Sequence[str],
    output: str,
    read: ReadOptions,
    write: WriteOptions,
    classes: Sequence[str] = (),
    labels: Sequence[str] = (),
    added: Sequence[ResultColumn] = (),
) -> Setup:
    """Choose the formats of the inputs and the output: from the options, else from the suffixes."""
    is_open = not read.format and inputs.count(STANDARD) <= 1 and all(map(_is_text, inputs))
    form = "" if is_open else _format_of_all(inputs, read)
    if suffix_of(output) in _NOT_WRITTEN:
        raise UsageError(f"{output}: output is compressed with {' or '.join(SUFFIXES)} only")
    output_form = write.format or ""
    if not output_form and output != STANDARD and suffix_of(output) and not (is_open and _is_text(output)):
        output_form = format_of(output, "output_format")
    setup = Setup(read, write, output, write.columns(classes, added), (*labels,), form, output_form)
    return setup if is_open else _checked(setup, inputs[0])


def _is_text(name: str) -> bool:
    return name == STANDARD or suffix_of(name) in ("", ".txt")


def _format_of_all(inputs: Sequence[str], read: ReadOptions) -> str:
    formats = {
        read.format or ("lines" if name == STANDARD else format_of(name, "input_format")) for name in inputs
    }
    if len(formats) > 1:
        hint = f"add {option('input_format')} (without it, - is read as lines)"
        what = hint if STANDARD in inputs else "give -o DIR/"
        names = ", ".join(sorted(formats))
        raise UsageError(f"inputs of several formats ({names}) cannot go to one output; {what}")
    return formats.pop()


def _checked(setup: Setup, name: str) -> Setup:
    """Return the setup with both formats, if the options apply to them."""
    read, output = setup.options, setup.output
    check_options(read, setup.format, name)
    setup = replace(setup, output_format=setup.output_format or written_format(setup.format))
    if get_format(setup.output_format).written_as:
        hint = f"give -o OUT.parquet, or {option('output_format')} with one of {', '.join(OUTPUT_FORMATS)}"
        raise UsageError(f"{setup.output_format} can only be read: {output}; {hint}")
    if setup.write.prefix and setup.output_format == "lines":
        raise UsageError(
            f"{option('prefix')} does not apply to lines output, which has no column names: {output}"
        )
    if read.is_partial and setup.output_format == "lines":
        raise UsageError(f"{option('keep')} and {option('drop')} do not apply to lines output: {output}")
    if setup.write.has_dialect and get_format(setup.output_format).module != "csv":
        names = f"{option('output_delimiter')} and {option('output_encoding')}"
        raise UsageError(f"{names} do not apply to {setup.output_format} output: {output}")
    return setup


def refuse_inputs(files: Sequence[InputFile], outputs: Sequence[str]) -> None:
    """Refuse to write to an input, whatever name the output has for it."""
    names = {file.path: file.name for file in files if file.path != STANDARD}
    identities = {file.identity: file.name for file in files if file.identity}
    for output in outputs:
        try:
            status = os.fstat(sys.stdout.fileno()) if output == STANDARD else Path(output).stat()
            identity = (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
        except (OSError, AttributeError):  # no such file yet; standard output closed or replaced
            identity = None
        name = names.get(output) or (identity and identities.get(identity))
        if name:
            raise OutputError(f"{output} is the input {name}; give another name")


class Reader:
    """An iterator over the chunks of the inputs, in order.

    All inputs are inspected first, so that columns that do not match fail now and not after hours. Each is
    opened once, except that of more than `_MOST_OPEN` inputs the others are closed until their turn. A stream
    after the first input is inspected when it is its turn, because its program may be waiting for that.

    :ivar table: the table of the first input that has records.
    :ivar is_finished: True when all inputs were read to their end.
    :ivar text_columns: empty for lines, which have no columns.
    :ivar total_bytes: size of the inputs on disk; None if one is a pipe.
    """

    def __init__(self, files: Sequence[InputFile], setup: Setup) -> None:
        self.position = Position(input=0, offset=0, rows=0, rejected=0, xxh3="")
        self.is_finished = False
        sizes = [file.size for file in files if file.size is not None]
        self.total_bytes = sum(sizes) if len(sizes) == len(files) else None
        self._files = files
        self.formulas_without_value = 0
        self._open: dict[int, Source] = {}  # inputs that were opened already
        self._tables: dict[int, Table] = {}  # those of open inputs
        with ExitStack() as stack:
            stack.callback(self.close)
            setup = setup if setup.format else self._guess(setup)
            is_changed = setup.options.is_partial or setup.write.has_dialect
            content = content_for(setup.format, setup.output_format, is_changed=is_changed)
            self.layout = Layout(
                setup.output_format,
                setup.results,
                setup.labels,
                content,
                setup.write,
                graded=setup.labels,
            )
            self._request = Request(
                setup.format,
                setup.options,
                content,
                self.layout.names,
                self._types(setup),
                bounds=Bounds(get_format(setup.output_format).longest_cell, setup.write.output_encoding),
                check=stop.check,
            )
            self._partitions = setup.partitions
            self.table = self._inspect_all()
            log_notes(_notes_of(setup, self.layout))
            self._add_partitions(setup)
            stack.pop_all()
        self.text_columns = [*self.table.texts] if setup.format != "lines" else []
        self._chunks = self._read()

    def __iter__(self) -> Iterator[Chunk]:
        return self._chunks

    def _add_partitions(self, setup: Setup) -> None:
        """Add the columns of folders to the new columns, except those that an input has itself."""
        keeps = self._request.options.keeps
        has_names = self.layout.names and self._request.format != "documents"  # which have their folders
        self._partitions = {
            column: values
            for column, values in setup.partitions.items()
            if has_names and keeps(column.name) and not find_taken([column.name], self._columns)
        }
        names = [column.name for column in self._partitions]
        check_room(names, self.layout.names, self._files[0].name)
        labels = [str(value) for values in self._partitions.values() for value in {*values}]
        self.layout = replace(
            self.layout,
            results=(*self._partitions, *self.layout.results),
            labels=(*self.layout.labels, *labels),
        )
        if names:
            _log.info("%s: columns from the names of folders: %s", setup.output, ", ".join(names))

    def with_partitions(self, chunk: Chunk, results: Results) -> Results:
        """Return the values of all new columns of a chunk: those of the folders of its input come first."""
        rows = len(chunk.texts)
        return [*([values[chunk.position.input]] * rows for values in self._partitions.values()), *results]

    def writer(self, scratch: Path | None = None) -> Writer:
        """Return the writer of the output."""
        return get_format(self.layout.format).writer(replace(self.layout, scratch=scratch), self.table)

    def close(self) -> None:
        """Close the inputs that were not read."""
        while self._open:
            self._open.popitem()[1].close()

    def _guess(self, setup: Setup) -> Setup:
        """Find out what the inputs are whose names do not say it, such as standard input and `.txt` files."""
        guesses: list[Guess] = []
        for number, file in enumerate(self._files):
            if file.size is not None or number == 0:  # a later pipe may wait for its turn
                guess = guess_format(self._source(number), setup.options, stop.check)
                guesses += [guess] if guess else []
                self._keep(number)
        file = self._files[0]
        best = min(guesses, key=lambda guess: guess.doubt, default=None)
        if len({guess.read if guess.is_table else None for guess in guesses}) > 1:
            hint = f"add {option('input_format')}"
            raise UsageError(f"{file.name}: some inputs look like {best}, others do not; {hint}")
        options = best.read if best and best.is_table else setup.options
        setup = _checked(replace(setup, options=options, format=options.format or "lines"), file.path)
        if best:
            name = "standard input" if file.path == STANDARD else file.name
            log_notes(notes_of(best, name, is_refused=setup.output_format != "lines"))
        return setup

    def _types(self, setup: Setup) -> "Types | None":
        """Return the collector of column types; None if all columns are text, as those of a stream."""
        is_typed = get_format(self.layout.format).has_types and self.layout.content is Content.VALUES
        is_decided = setup.write.strings or any(file.is_stream for file in self._files)
        if not is_typed or is_decided:
            return None
        from sentcli.tables.types import Types  # most runs have none

        return Types()

    def _source(self, number: int) -> Source:
        """Return an input that is open, else open it."""
        if number not in self._open:
            self._open[number] = Source(self._files[number])
        return self._open[number]

    def _keep(self, number: int) -> bool:
        """Keep an input open until it is read, or close it; return whether it is kept."""
        if not self._open[number].is_stream and len(self._open) > _MOST_OPEN:
            self._open.pop(number).close()
        return number in self._open

    def _inspect_all(self) -> Table:
        """Inspect the inputs; return the first table that has records."""
        tables: list[Table] = []
        first: Table | None = None
        for number, file in enumerate(self._files):
            if file.is_stream and first:
                continue
            table = inspect(self._source(number), self._request)
            log_notes(table.notes)
            self.formulas_without_value += table.formulas_without_value
            if not (first or table.is_empty):
                first = table
                self._request = replace(self._request, first=first)
            tables.append(table)
            if self._keep(number):
                self._tables[number] = table
        first = first or tables[-1]
        self._columns = {name for table in tables for name in table.columns}
        has_keys = first.format in ("json", "jsonl")  # records may have others than `columns`
        if has_keys and (self.layout.content is Content.VALUES or first.options.is_partial):
            columns = columns_of_all(tables)
            self._request = replace(self._request, columns=columns)
            self._tables = {number: replace(table, columns=columns) for number, table in self._tables.items()}
            first = replace(first, columns=columns)
        check_kept(first, [column.name for column in self._partitions])
        return self._typed(first)

    def _typed(self, first: Table) -> Table:
        """Return the first table with the types of its columns, and end their search."""
        if not (types := self._request.types):
            return replace(first, types={})
        found, mixed = types.decide(first.texts)
        if named := ", ".join(filter(first.options.keeps, mixed)):
            _log.warning("%s: columns with values of several types become text: %.400s", first.name, named)
        self._request = replace(self._request, types=None)
        return replace(first, types={**first.types, **found})

    def _read(self) -> Iterator[Chunk]:
        cursor = Cursor(self._request.options.limit)
        chunks = self._read_tables(cursor)
        if self._request.format == "documents":
            from sentcli.tables.documents import read_documents  # few runs have any

            sources = (source for _, source in self._in_turn(cursor))
            chunks = read_documents(sources, cursor, self._request.options, self._request.bounds)
        for chunk in chunks:
            self.position = chunk.position
            yield chunk
            if not cursor.rows_left:
                break
        self.is_finished = True
        self.close()

    def _read_tables(self, cursor: Cursor) -> Iterator[Chunk]:
        read = get_format(self._request.format).reader()
        for number, source in self._in_turn(cursor):
            table = self._tables.pop(number, None) or self._inspect_again(number, source)
            table = replace(table, taken=self.layout.names)
            yield from read(source, table, cursor, self.layout.content)

    def _in_turn(self, cursor: Cursor) -> Iterator[tuple[int, Source]]:
        for number in range(len(self._files)):
            with self._source(number) as source:
                del self._open[number]  # this thread alone closes it
                cursor.open(source)
                yield number, source

    def _inspect_again(self, number: int, source: Source) -> Table:
        """Inspect an input whose turn it is: a stream for the first time, others were closed since."""
        table = inspect(source, self._request)
        if self._files[number].is_stream:
            log_notes(table.notes)
        return table


def _notes_of(setup: Setup, layout: Layout) -> Iterator[Note]:
    """Return what a conversion leaves out."""
    if layout.content is Content.TEXTS:
        left_out = "lines hold only the new columns and the text; other columns are left out"
        whole = f"new columns and the start of each text; whole rows: {option('output_format', 'csv')}"
        yield logging.WARNING, whole if layout.write.width else f"{setup.output}: {left_out}"
    if layout.converts and setup.options.skip_rows:
        left_out = f"rows after the header that are left out: {setup.options.skip_rows}"
        yield logging.WARNING, f"{setup.output}: {left_out}, by {option('skip_rows')}"
    if layout.format == "lines" and len(setup.results) > _USUAL_COLUMNS:
        names = ", ".join(column.name for column in setup.results)
        yield logging.INFO, f"each line has {names}, text"
