"""The rows of a report: of scored files, and of a run while it scores."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentcli.errors import DataError, counted, option
from sentcli.files.sink import Target, write_file
from sentcli.files.source import STANDARD
from sentcli.report.collector import Collector, Columns, find_columns
from sentcli.report.scored import render_scored
from sentcli.scoring.dates import doubt_of, split_span
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.open import read_files
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Table, list_columns
from sentcli.tables.text_column import places_of

if TYPE_CHECKING:
    from sentcli.scoring.scorer import Scorer

_MOST_NAMED = 3  # inputs in a title

_log = logging.getLogger("sentcli")


class Report:
    """Collects the rows of scored files, or of a run with those that a stopped run scored; makes their page.

    :ivar doubt: what is not sure about the dates; "" if nothing is.

    :param time: the column of dates; None: found by its values.
    """

    def __init__(self, scorer: "Scorer", target: Target, time: str | None) -> None:
        self.target = target
        self._scorer, self._time = scorer, time
        self.begin(())
        self.collected = Collector(scorer.labels, Columns())
        self.page, self.doubt = b"", ""

    def begin(self, inputs: Sequence[str], table: Table | None = None, *, is_stream: bool = False) -> None:
        """Begin anew.

        :param table: is checked for the column of dates that the user named.
        :param is_stream: the first rows may be few; so only the columns that the user named are known.
        """
        self._inputs, self._is_stream = inputs, is_stream
        self._places: dict[str, Any] | None = None  # of the columns, once the first rows have shown them
        if table and self._time and not table.is_empty:
            places_of(table, {self._time: "by_time"})

    def add(self, table: Table, chunk: Chunk, results: Results) -> None:
        """Add the rows of a chunk; the first ones decide on the columns."""
        if self._places is None:
            pairs = [*map(split_span, table.options.by)]
            by = tuple(name for name, span in pairs if not span)
            time = self._time or next((name for name, span in pairs if span), None)
            columns = Columns(by, time)
            if not self._is_stream:
                names = [name for name in table.kept_columns if name not in table.texts]
                paths = [(name, place) for name, place in table.paths if name in names]
                first = {name: chunk.texts_of(place)[chunk.headers :] for name, place in paths}
                columns = find_columns(first, by, time)
            self.collected = Collector(self._scorer.labels, columns, table.options.day_first)
            fields = {name: "by" if name in columns.by else "by_time" for name in columns.names}
            self._places = dict(zip(fields, places_of(table, fields), strict=True))
        values = {name: chunk.texts_of(place) for name, place in self._places.items()}
        self.collected.add(chunk.texts, results[0], results[1], values)
        self.collected.other_language += self._scorer.count_other_language(chunk.texts)

    def read(self, inputs: Sequence[str], options: ReadOptions, results: Sequence[str]) -> None:
        """Collect the rows of scored files.

        :param results: the columns of the label and of the score.
        """
        self.begin(inputs)
        options, rejected = replace(options, drop=(*results,)), 0
        for table, chunk in read_files(inputs, options):
            if missing := [column for column in results if column not in table.columns]:
                hint = f"score it first, or add {option('prefix')}; {list_columns(table.columns)}"
                raise DataError(f"{table.name}: no column {missing[0]!r:.200}; {hint}")
            rejected += len(chunk.rejects)
            if chunk.texts:
                places = places_of(table, dict.fromkeys(results, "prefix"))
                values = map(chunk.texts_of, places)
                self.add(table, chunk, _read_results(table.name, self.collected.labels, *values))
        if rejected:
            _log.warning("%s left out, because they cannot be read", counted(rejected, "row"))

    def finish(self) -> None:
        """Make the page in memory, before the output gets its name."""
        shown, more = self._inputs[:_MOST_NAMED], len(self._inputs) - _MOST_NAMED
        title = ", ".join("standard input" if name == STANDARD else Path(name).name for name in shown)
        title += f" and {more:,} more" if more > 0 else ""
        self.page = render_scored(self.collected, self._scorer, title)
        time = self.collected.columns.time
        self.doubt = doubt_of(time, self.collected.counts["day"]) if time else ""

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
