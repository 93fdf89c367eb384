"""The rows of a report: of scored files, and of a run while it scores."""

import logging
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sentcli.errors import DataError, UsageError, counted, option
from sentcli.files.sink import Target, write_file
from sentcli.files.source import STANDARD, Source, inspect_input
from sentcli.report.collector import Collector
from sentcli.report.columns import Columns, find_columns
from sentcli.report.scored import render_scored
from sentcli.scoring import stop
from sentcli.tables.chunk import Chunk, Cursor, Results
from sentcli.tables.columns import list_columns
from sentcli.tables.convert import to_text
from sentcli.tables.inspect import inspect
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import format_of, get_format
from sentcli.tables.table import Content, Request, Table, log_notes

if TYPE_CHECKING:
    from sentcli.scoring.scorer import Scorer

_MOST_NAMED = 3  # inputs in a title

_log = logging.getLogger("sentcli")


class Report:
    """Collects the rows of scored files, or of a run with those that a stopped run scored; makes their page.

    :param time: the column of dates; None: found by its values.
    """

    def __init__(self, scorer: "Scorer", target: Target, time: str | None) -> None:
        self.target = target
        self._scorer, self._time = scorer, time
        self._inputs: Sequence[str] = ()
        self.collected = Collector(scorer.labels, Columns())
        self.page = b""

    def begin(self, inputs: Sequence[str], options: ReadOptions) -> tuple[tuple[str, str], ...]:
        """Return the columns whose values it needs, each with the option that names it."""
        columns = Columns(options.by, self._time)
        with suppress(DataError, UsageError):  # raised again when the input is read
            if not inspect_input(inputs[0]).is_stream:  # of a stream, only the columns of the user are known
                columns = _choose_columns(inputs[0], options, (), self._time)
        self._inputs, self.collected = inputs, Collector(self._scorer.labels, columns)
        return tuple((name, "by_time") for name in columns.names)

    def add(self, chunk: Chunk, results: Results) -> None:
        names = dict.fromkeys(self.collected.columns.names)  # the first columns of `Chunk.sides`
        values = dict(zip(names, chunk.sides, strict=False))
        self.collected.add(chunk.texts, results[0], results[1], values)

    def read(self, inputs: Sequence[str], options: ReadOptions, results: Sequence[str]) -> None:
        """Collect the rows of scored files.

        :param results: the columns of the label and of the score.
        """
        columns = _choose_columns(inputs[0], options, results, self._time)
        self._inputs, self.collected = inputs, Collector(self._scorer.labels, columns)
        watched = *((name, "by_time") for name in columns.names), *((name, "prefix") for name in results)
        options = replace(options, watched=watched)
        places, rejected = [*map([*options.sides].index, results)], 0
        for table, chunk in _chunks(inputs, options, Content.TEXTS):
            rejected += len(chunk.rejects)
            if chunk.texts:
                found = (chunk.sides[place] for place in places)
                self.add(chunk, _read_results(table.name, self.collected.labels, *found))
        if rejected:
            _log.warning("%s left out, because they cannot be read", counted(rejected, "row"))

    def finish(self) -> None:
        """Make the page in memory, before the output gets its name."""
        self.page = render_scored(self.collected, self._scorer, _title_of(self._inputs))

    def publish(self) -> None:
        write_file(self.target, self.page)


def _read_results(where: str, labels: Sequence[str], found: Sequence[str], scores: Sequence[str]) -> Results:
    """Read the labels and the scores of rows as results."""
    if unknown := {*found} - {*labels, ""}:
        hint = f"add the {option('model')} that scored it"
        known = ", ".join(labels)
        raise DataError(f"{where}: the label {min(unknown)!r:.200} is none of {known:.200}; {hint}")
    try:
        numbers = [float(score) if score else None for score in scores]
    except ValueError as error:
        hint = f"try {option('prefix')}"
        raise DataError(f"{where}: a score is not a number: {error!s:.200}; {hint}") from None
    return [label or None for label in found], numbers


def _title_of(names: Sequence[str]) -> str:
    """Return what a page calls its inputs."""
    shown = ["standard input" if name == STANDARD else Path(name).name for name in names[:_MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _choose_columns(name: str, options: ReadOptions, results: Sequence[str], time: str | None) -> Columns:
    """Choose the columns of a report by the first rows of a file; see `find_columns`.

    :param results: columns that the file must have, and that are not chosen.
    """
    with closing(_chunks([name], options, Content.VALUES)) as chunks:
        table, chunk = next(chunks, (None, None))
    if table is None or chunk is None:
        return Columns(options.by, time)
    for column in results:
        if column not in table.columns:
            hint = f"score it first, or add {option('prefix')}"
            raise DataError(f"{name}: no column {column!r:.200}; {hint}; {list_columns(table.columns)}")
    columns = zip(table.columns, zip(*chunk.rows, strict=True), strict=False)
    others = {name: [*map(to_text, of)] for name, of in columns if name not in (*results, *table.texts)}
    return find_columns(others, options.by, time)


def _chunks(
    names: Sequence[str], options: ReadOptions, content: Content
) -> Generator[tuple[Table, Chunk], None, None]:
    """Yield the chunks of several files, each with the table of its file."""
    cursor, first = Cursor(), None
    for name in names:
        with Source(inspect_input(name)) as source:
            form = options.format or format_of(name, "input_format")
            table = inspect(source, Request(form, options, content, first=first, check=stop.check))
            first = first or (None if table.is_empty else table)
            log_notes(table.notes if content is Content.TEXTS else ())
            cursor.open(source)
            for chunk in get_format(form).reader()(source, table, cursor, content):
                stop.check()
                yield table, chunk
