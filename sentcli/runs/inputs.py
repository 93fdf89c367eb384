"""The inputs of one output: check that they fit together, and read their chunks in order."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sentcli.config import LOG
from sentcli.errors import DataError, UsageError, option
from sentcli.files.compression import SUFFIXES
from sentcli.files.sink import Target
from sentcli.files.source import STANDARD, InputFile, Source
from sentcli.runs.plan import Partitions
from sentcli.tables import registry
from sentcli.tables.chunk import Chunk, Cursor, Position, Results
from sentcli.tables.open import open_table, read
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions
from sentcli.tables.sniff import Likely, guess_format
from sentcli.tables.table import Table, TextTable, check_kept, check_room, find_taken, log_notes, refuse_twins

if TYPE_CHECKING:
    from sentcli.tables.survey import Survey


_WITH_KEYS = ("jsonl", "json", "parquet")  # formats that hold a name once
_USUAL_COLUMNS = 2  # label and score, of which a line needs no explanation
_NOT_WRITTEN = (".bz2", ".xz")
_MOST_OPEN = 16  # inputs that stay open, and in memory, from their inspection until they are read


def find_formats(
    inputs: Sequence[str], output: str, read: ReadOptions, write: WriteOptions, *, in_folder: bool = False
) -> tuple[ReadOptions, WriteOptions]:
    """Return the options with the formats of the inputs and the output, by the options, else the suffixes.

    The formats are None where the text of the inputs decides.

    :param in_folder: the name of the output is that of the input, whose suffix may not name the format.
    """
    is_open = not read.format and inputs.count(STANDARD) <= 1 and all(map(_is_text, inputs))
    if registry.suffix_of(output) in _NOT_WRITTEN:
        raise UsageError(f"{output}: output is compressed with {' or '.join(SUFFIXES)} only")
    form = write.format
    if not form and in_folder and read.format:
        form = registry.written_format(read.format)
    if not form and output != STANDARD and registry.suffix_of(output) and not (is_open and _is_text(output)):
        form = registry.format_of(output, "output_format")
    write = replace(write, format=form)
    if is_open:
        return read, write
    read = replace(read, format=read.format or _format_of_all(inputs))
    return read, _checked(read, write, inputs[0], output)


def _is_text(name: str) -> bool:
    return name == STANDARD or registry.suffix_of(name) in ("", ".txt")


def _format_of_all(inputs: Sequence[str]) -> str:
    formats = {"lines" if name == STANDARD else registry.format_of(name, "input_format") for name in inputs}
    if len(formats) > 1:
        hint = f"add {option('input_format')} (without it, - is read as lines)"
        what = hint if STANDARD in inputs else "give -o DIR/"
        names = ", ".join(sorted(formats))
        raise UsageError(f"inputs of several formats ({names}) cannot go to one output; {what}")
    return formats.pop()


def _checked(read: ReadOptions, write: WriteOptions, name: str, output: str) -> WriteOptions:
    """Return the options of the output with its format, if all options apply to the formats."""
    registry.check_options(read, name)
    form = write.format or registry.written_format(read.format or "")
    if other := registry.get_format(form).written_as:
        formats = ", ".join(registry.OUTPUT_FORMATS)
        hint = f"give -o OUT.{other}, or {option('output_format')} with one of {formats}"
        raise UsageError(f"{form} can only be read: {output}; {hint}")
    is_lines, is_csv = form == "lines", registry.get_format(form).module == "csv"
    for names, is_unfit in (
        (("prefix",), is_lines and write.prefix),
        (("keep", "drop"), is_lines and read.is_partial),
        (("output_delimiter", "output_encoding"), write.has_dialect and not is_csv),
    ):
        if is_unfit:
            named = f"{' and '.join(map(option, names))} {'do' if len(names) > 1 else 'does'}"
            raise UsageError(f"{named} not apply to {form} output: {output}")
    return replace(write, format=form)


class Inputs:
    """The inputs of one output, and their chunks in order.

    All inputs are opened first, so that columns that do not match fail now and not after hours. Each is
    opened once, except that of more than `_MOST_OPEN` inputs the others are closed until their turn. A stream
    after the first input is opened when it is its turn, because its program may be waiting for that.

    :ivar chunks: the chunks in order, to be read once.
    :ivar table: the table of the first input that has records.
    :ivar writer: the writer of the output.
    :ivar scored: the new columns of the output whose values come from scores.
    :ivar is_finished: True when all inputs were read to their end.
    :ivar text_columns: empty for lines, which have no columns.
    :ivar total_bytes: size of the inputs on disk; None if one is a pipe.
    :ivar keeps_rows: whether chunks keep their values, because columns are read, until they are written.
    """

    def __init__(
        self,
        files: Sequence[InputFile],
        target: Target,
        read: ReadOptions,
        write: WriteOptions,
        results: Sequence[ResultColumn],
        partitions: Partitions,
    ) -> None:
        self.position = Position(input=0, offset=0, rows=0, rejected=0, xxh3="")
        self.is_finished = False
        sizes = [file.size for file in files if file.size is not None]
        self.total_bytes = sum(sizes) if len(sizes) == len(files) else None
        self.formulas_without_value = 0
        self._files, self._output, self.scored = files, target.name, results
        self._open: dict[int, Source] = {}  # inputs that were opened already
        self._tables: dict[int, Table] = {}  # those of open inputs
        self.chunks = self._checked_chunks()
        with ExitStack() as stack:
            stack.callback(self.close)
            self._read, self._write = (read, write) if read.format else self._guess(read, write)
            form = registry.get_format(self._write.format or "").load()
            names = [column.name for column in results]
            self._names = [] if self._write.format == "lines" else names
            self._converts = registry.is_conversion(self._read, self._write)
            self.keeps_rows = self._converts or self._read.is_partial or bool(self._read.by)
            self.table = self._open_all()
            self._log_left_out(names)
            check_kept(self.table, [column.name for column in partitions])
            has_room = self._names and self._read.format != "documents"  # whose names have their folders
            self._partitions = self._with_room(partitions) if partitions and has_room else {}
            columns = *self._partitions, *results
            self.writer: registry.Writer = form.Writer(self.table, self._write, columns, target.scratch)
            stack.pop_all()
        self.text_columns = [*self.table.texts] if self._read.format != "lines" else []

    def _checked_chunks(self) -> Generator[Chunk, None, None]:
        """Yield the chunks; rows that the output cannot hold are rejected."""
        cursor = Cursor(self._read.limit)
        for chunk in self._chunks(cursor):
            bad, first = self.writer.misfits(chunk), chunk.headers if self._converts else 0
            if bad or first:
                kept = [row for row in range(first, len(chunk.texts)) if row not in bad]
                chunk = chunk.take(kept, bad, cursor.recount(-first - len(bad), len(bad)))
            self.position = chunk.position
            yield chunk if self.keeps_rows else chunk.released()
            if not cursor.rows_left:
                break
        self.is_finished = True

    def with_partitions(self, chunk: Chunk, results: Results) -> Results:
        """Return the values of all new columns of a chunk: those of the folders of its input come first."""
        rows = len(chunk.texts)
        return [*([values[chunk.position.input]] * rows for values in self._partitions.values()), *results]

    def close(self) -> None:
        """Close the inputs that were not read to their end."""
        with suppress(ValueError):  # the thread that reads still waits for a pipe
            self.chunks.close()
        while self._open:
            self._open.popitem()[1].close()

    def _chunks(self, cursor: Cursor) -> Iterator[Chunk]:
        if self._read.format == "documents":
            from sentcli.tables.documents import read_documents  # few runs have any

            yield from read_documents((source for _, source in self._in_turn(cursor)), self.table, cursor)
            return
        for number, source in self._in_turn(cursor):
            if not (table := self._tables.pop(number, None)):
                # A stream for the first time; other inputs were closed since.
                table = self._open_next(source, self.table)
                log_notes(table.notes if source.is_stream else ())
            table = replace(table, columns=self.table.columns, types=self.table.types)
            yield from read(source, table, cursor)

    def _in_turn(self, cursor: Cursor) -> Iterator[tuple[int, Source]]:
        for number in range(len(self._files)):
            with self._source(number) as source:
                del self._open[number]  # this thread alone closes it
                cursor.open(source)
                yield number, source

    def _source(self, number: int) -> Source:
        """Return an input that is open, else open it."""
        if number not in self._open:
            self._open[number] = Source(self._files[number])
        return self._open[number]

    def _limit_open(self, number: int) -> None:
        """Close an input until its turn, if many are open."""
        if not self._open[number].is_stream and len(self._open) > _MOST_OPEN:
            self._open.pop(number).close()
            self._tables.pop(number, None)

    def _guess(self, read: ReadOptions, write: WriteOptions) -> tuple[ReadOptions, WriteOptions]:
        """Find out what the inputs are whose names do not say it, such as standard input and `.txt` files."""
        guesses: list[Likely] = []
        for number, file in enumerate(self._files):
            if file.size is not None or number == 0:  # a later pipe may wait for its turn
                guess = guess_format(self._source(number), read)
                guesses += [guess] if guess else []
                self._limit_open(number)
        file = self._files[0]
        best = min(guesses, key=lambda guess: guess.doubt, default=None)
        if len({guess.read if guess.is_table else None for guess in guesses}) > 1:
            hint = f"add {option('input_format')}"
            raise UsageError(f"{file.name}: some inputs look like {best}, others do not; {hint}")
        read = best.read if best and best.is_table else read
        read = replace(read, format=read.format or "lines")
        write = _checked(read, write, file.path, self._output)
        if best:
            name = "standard input" if file.path == STANDARD else file.name
            note = best.note(name, is_refused=write.format != "lines")
            log_notes([note] if note else [])
        return read, write

    def _open_all(self) -> Table:
        """Open the inputs; return the first table that has records, with the columns and types of all."""
        first: Table | None = None
        survey = self._begin_survey()
        table = Table("", self._read)
        for number, file in enumerate(self._files):
            if file.is_stream and first:
                continue
            source = self._source(number)
            table = self._open_next(source, first)
            log_notes(table.notes)
            self.formulas_without_value += table.formulas_without_value
            first = first or (None if table.is_empty else table)
            if survey:
                survey.add(source, table)
            self._tables[number] = table
            self._limit_open(number)
        found = survey.decide(first or table) if survey else replace(first or table, types={})
        check_room([*filter(self._read.keeps, found.columns)], self._names, found.name)
        return found

    def _begin_survey(self) -> "Survey | None":
        """Return a survey of all rows if the columns of the output depend on them, else None."""
        read = registry.get_format(self._read.format or "")
        written = registry.get_format(self._write.format or "")
        is_stream = any(file.is_stream for file in self._files)
        # Of a stream all columns stay text.
        is_typed = written.has_types and self._converts and not (self._write.strings or is_stream)
        has_keys = read.module == "jsonl" and (self._converts or self._read.is_partial)
        if not (is_typed or (has_keys and self._names)):
            return None
        from sentcli.tables.survey import Survey  # most runs have none

        return Survey(is_typed=is_typed)

    def _open_next(self, source: Source, like: Table | None) -> Table:
        """Open an input, if the output can hold its rows together with those of an earlier one."""
        table = open_table(source, self._read, like)
        check_room([*filter(self._read.keeps, table.columns)], self._names, table.name)
        if self._converts and self._write.format in _WITH_KEYS:
            refuse_twins(table)
        elif isinstance(table, TextTable) and isinstance(like, TextTable) and not table.is_empty:
            encoding, first = table.encoding.name, like.encoding.name
            if encoding != first:
                what = f"the encoding is {encoding}, not that of the first input, {first}"
                raise DataError(f"{table.name}: {what}; for an output each, give -o OUT/")
        return table

    def _with_room(self, partitions: Partitions) -> Partitions:
        """Return the columns of folders that the output has, except those that an input has itself."""
        columns = [column for column in partitions if self._read.keeps(column.name)]
        added = [column for column in columns if not find_taken([column.name], self.table.columns)]
        names = [column.name for column in added]
        check_room(names, self._names, self._files[0].name)
        if names:
            LOG.info("%s: columns from the names of folders: %s", self._output, ", ".join(names))
        return {column: partitions[column] for column in added}

    def _log_left_out(self, names: Sequence[str]) -> None:
        """Log what a conversion leaves out."""
        is_lines = self._write.format == "lines"
        if is_lines and self._converts:
            left_out = "lines hold only the new columns and the text; other columns are left out"
            whole = f"new columns and the start of each text; whole rows: {option('output_format', 'csv')}"
            LOG.warning("%s", whole if self._write.width else f"{self._output}: {left_out}")
        if self._converts and self._read.skip_rows:
            left_out = f"rows after the header that are left out: {self._read.skip_rows}"
            LOG.warning("%s: %s, by %s", self._output, left_out, option("skip_rows"))
        if self._read.format == "xlsx" and not self._converts:
            note = "cells keep their values and types; styles, formulas and charts are not copied"
            LOG.warning("%s: %s", self.table.name, note)
        if is_lines and len(names) > _USUAL_COLUMNS:
            LOG.info("each line has %s, text", ", ".join(names))
