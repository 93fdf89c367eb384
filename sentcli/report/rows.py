"""The rows of a report: of scored files, and of a run while it scores."""

import logging
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from sentcli.errors import DataError, UsageError, counted, option
from sentcli.files.sink import Target, write_file
from sentcli.files.source import STANDARD, Source, inspect_input
from sentcli.report.collector import Collector
from sentcli.report.columns import Columns, find_columns
from sentcli.report.scored import render
from sentcli.scoring import stop
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import NEUTRAL
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


class RunReport:
    """Collects all rows of an output in order, also those that a stopped run scored, and makes their page.

    :param time: the column of dates; None: found by its values.
    """

    def __init__(self, scorer: "Scorer", target: Target, time: str | None) -> None:
        self.target = target
        self._scorer, self._time = scorer, time
        self._title, self._page = "", b""
        self._collector = new_collector(scorer.labels, Columns())

    def begin(self, inputs: Sequence[str], options: ReadOptions) -> tuple[str, ...]:
        """Return the columns whose values it needs."""
        self._title = title_of(inputs)
        columns = Columns(options.by, self._time)
        with suppress(DataError, UsageError):  # raised again when the input is read
            if not inspect_input(inputs[0]).is_stream:  # of a stream, only the columns of the user are known
                columns = choose_columns(inputs[0], options, (), options.by, self._time)
        self._collector = new_collector(self._scorer.labels, columns)
        return columns.names

    def add(self, chunk: Chunk, results: Results) -> None:
        width = len(chunk.sides[0]) if chunk.sides else 0
        places = range(width - len(self._collector.columns.names), width)
        values = [[*map(itemgetter(place), chunk.sides)] for place in places]
        self._collector.add(chunk.texts, results[0], results[1], values)

    def finish(self) -> None:
        """Make the page in memory, before the output gets its name."""
        self._page = render(self._collector, self._scorer, self._title)

    def publish(self) -> None:
        write_file(self.target, self._page)


def title_of(names: Sequence[str]) -> str:
    """Return what a page calls its inputs."""
    shown = ["standard input" if name == STANDARD else Path(name).name for name in names[:_MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def collect(
    names: Sequence[str],
    options: ReadOptions,
    labels: Sequence[str],
    *,
    results: Sequence[str],
    by: tuple[str, ...] = (),
    time: str | None = None,
) -> Collector:
    """Collect what a report shows of the rows of scored files.

    :param labels: those of the model.
    :param results: the columns of the label and of the score.
    :param by, time: columns; those that are not named are found by their first values.
    """
    columns = choose_columns(names[0], options, results, by, time)
    collector = new_collector(labels, columns)
    options = replace(options, watched=(*results, *columns.names))
    rejected = 0
    for table, chunk in _chunks(names, options, Content.TEXTS):
        rejected += len(chunk.rejects)
        found, scores, *values = (
            zip(*chunk.sides, strict=True) if chunk.sides else [()] * len(options.watched)
        )
        if others := {*found} - {*collector.labels, ""}:
            hint = f"add the {option('model')} that scored it"
            labeled = ", ".join(collector.labels)
            raise DataError(f"{table.name}: the label {min(others)!r:.200} is none of {labeled:.200}; {hint}")
        known = [label or None for label in found]
        collector.add(chunk.texts, known, _numbers(scores, table.name), values)
    if rejected:
        _log.warning("%s left out, because they cannot be read", counted(rejected, "row"))
    return collector


def new_collector(labels: Sequence[str], columns: Columns) -> Collector:
    """Return a collector of rows with the labels of a model; of two labels, rows may also be between them."""
    is_scale = len(labels) == 2
    return Collector(
        (labels[0], NEUTRAL, MIXED, labels[1]) if is_scale else labels, columns, is_scale=is_scale
    )


def choose_columns(
    name: str, options: ReadOptions, results: Sequence[str], by: tuple[str, ...], time: str | None
) -> Columns:
    """Choose the columns of a report by the first rows of a file; see `find_columns`.

    :param results: columns that the file must have, and that are not chosen.
    """
    with closing(_chunks([name], options, Content.VALUES)) as chunks:
        table, chunk = next(chunks, (None, None))
    if table is None or chunk is None:
        return Columns(by, time)
    for column in results:
        if column not in table.columns:
            hint = f"score it first, or add {option('prefix')}"
            raise DataError(f"{name}: no column {column!r:.200}; {hint}; {list_columns(table.columns)}")
    columns = zip(table.columns, zip(*chunk.rows, strict=True), strict=False)
    others = {name: [*map(to_text, of)] for name, of in columns if name not in (*results, *table.texts)}
    return find_columns(others, by, time)


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


def _numbers(scores: Sequence[str], where: str) -> list[float | None]:
    try:
        return [float(score) if score else None for score in scores]
    except ValueError as error:
        raise DataError(f"{where}: a score is no number: {error!s:.200}; try {option('prefix')}") from None
