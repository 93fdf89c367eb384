"""Read scored files for a report."""

from collections.abc import Iterator, Sequence
from typing import Any

from sentcli.errors import DataError, option
from sentcli.files.source import Source, inspect_input
from sentcli.report.collector import Collector
from sentcli.report.columns import Columns, find_columns
from sentcli.scoring import stop
from sentcli.scoring.labels import NEUTRAL
from sentcli.tables.chunk import Chunk, Cursor
from sentcli.tables.columns import list_columns
from sentcli.tables.convert import to_text
from sentcli.tables.inspect import inspect
from sentcli.tables.options import ReadOptions, WriteOptions
from sentcli.tables.registry import format_of, get_format
from sentcli.tables.table import Content, Request, Table, log_notes


def collect(
    names: Sequence[str],
    options: ReadOptions,
    labels: Sequence[str],
    *,
    prefix: str = "",
    by: tuple[str, ...] = (),
    time: str | None = None,
) -> Collector:
    """Collect what a report shows of the rows of scored files.

    :param labels: those of the model.
    :param prefix: that of the columns with the results.
    :param by, time: columns; those that are not named are found by their first values.
    """
    results = [column.name for column in WriteOptions(prefix=prefix).columns()]
    collector: Collector | None = None
    for table, chunk in _chunks(names, options):
        values = dict(zip(table.columns, zip(*chunk.rows, strict=True), strict=False))
        if collector is None:
            columns = choose_columns(table, chunk, results, by, time)
            collector = Collector(all_labels(labels), columns, is_scale=len(labels) == 2)
        found, scores = (values.get(name, ()) for name in results)
        known = [label or None for label in found]
        _check(known, collector.labels, table.name)
        sides = [[*map(to_text, values.get(name, ()))] for name in collector.columns.names]
        collector.add(chunk.texts, known, _numbers(scores, table.name), sides)
    if collector is None:
        raise DataError(f"{', '.join(names):.200}: no rows")
    return collector


def all_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that the rows of a model may have, in the order of their scores."""
    is_scale = len(labels) == 2 and NEUTRAL not in labels
    return (labels[0], NEUTRAL, labels[1]) if is_scale else tuple(labels)


def choose_columns(
    table: Table, chunk: Chunk, results: Sequence[str], by: tuple[str, ...], time: str | None
) -> Columns:
    """Choose the columns of a report by the values of the first chunk; see `find_columns`."""
    for name in (*results, *by, *([] if time is None else [time])):
        if name not in table.columns:
            hint = f"; score it first, or add {option('prefix')}" if name in results else ""
            raise DataError(f"{table.name}: no column {name!r:.200}{hint}; {list_columns(table.columns)}")
    values = {
        name: [*map(to_text, column)]
        for name, column in zip(table.columns, zip(*chunk.rows, strict=True), strict=False)
        if name not in (*results, *table.texts)
    }
    return find_columns(values, by, time)


def _chunks(names: Sequence[str], options: ReadOptions) -> Iterator[tuple[Table, Chunk]]:
    """Yield the chunks of several files, with the values of all columns."""
    cursor, first = Cursor(), None
    for name in names:
        with Source(inspect_input(name)) as source:
            form = options.format or format_of(name, "input_format")
            request = Request(form, options, Content.VALUES, first=first, check=stop.check)
            table = inspect(source, request)
            log_notes(table.notes)
            first = first or (None if table.is_empty else table)
            cursor.open(source)
            for chunk in get_format(form).reader()(source, table, cursor, request.content):
                stop.check()
                yield table, chunk


def _check(labels: Sequence[str | None], known: Sequence[str], where: str) -> None:
    if others := {*labels} - {*known, None}:
        hint = f"add the {option('model')} that scored it"
        found = f"the label {min(map(str, others))!r:.200} is none of {', '.join(known):.200}"
        raise DataError(f"{where}: {found}; {hint}")


def _numbers(scores: Sequence[Any], where: str) -> list[float | None]:
    try:
        return [None if score in (None, "") else float(score) for score in scores]
    except ValueError as error:
        raise DataError(
            f"{where}: a score is no number: {error!s:.200}; is it another {option('prefix')}?"
        ) from None
