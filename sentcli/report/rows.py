"""The rows of a report: of scored files, and of a run while it scores."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentcli.config import LOG
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
# Two files are compared as two days are, those of a column that they do not have.
_FILE, _BEFORE, _SINCE = "", "1970-01-01", "1970-01-02"


class Report:
    """Collects the rows of scored files, or of a run with those that a stopped run scored; makes their page.

    :ivar doubt: what is not sure about the dates; "" if nothing is.

    :param target: the file of the page; None if only its sentences are needed, for a workbook.
    :param time: the column of dates; None: found by its values.
    :param since: the period that is compared with the time before it, see `find_since`; "" for the default.
    """

    def __init__(self, scorer: "Scorer", target: Target | None, time: str | None, since: str = "") -> None:
        self.target = target
        self._scorer, self._time, self._since = scorer, time, since
        self._earlier: Sequence[str] = ()  # the files with which the rows are compared
        self._day = _SINCE  # of the rows, if two files are compared
        self.page, self.doubt = b"", ""
        self.begin(())

    def begin(self, inputs: Sequence[str], table: Table | None = None, *, is_stream: bool = False) -> None:
        """Begin anew.

        :param table: is checked for the column of dates that the user named.
        :param is_stream: the first rows may be few; so only the columns that the user named are known.
        """
        self._inputs, self._is_stream, self._rejected = inputs, is_stream, 0
        self._named: Sequence[str] = ()  # the columns of groups that the user named
        self.collected = Collector(self._scorer.labels, Columns())
        if table and self._time and not table.is_empty:
            places_of(table, {self._time: "by_time"})

    def add(self, table: Table, chunk: Chunk, results: Results) -> None:
        """Add the rows of a chunk; the first ones decide on the columns."""
        self._rejected += len(chunk.rejects)
        if not chunk.texts:
            return
        if not self.collected.rows:
            columns = self._choose_columns(table, chunk)
            self.collected = Collector(self._scorer.labels, columns, table.options.day_first, self._since)
        values = dict.fromkeys(self.collected.columns.names, [""] * len(chunk.texts))
        values |= {name: chunk.texts_of(place) for name, place in self._places_in(table).items()}
        values |= {_FILE: [self._day] * len(chunk.texts)}
        self.collected.add(chunk.texts, results[0], results[1], values)

    def _choose_columns(self, table: Table, chunk: Chunk) -> Columns:
        pairs = [*map(split_span, table.options.by)]
        self._named = by = tuple(name for name, span in pairs if not span)
        time = _FILE if self._earlier else self._time or next((name for name, span in pairs if span), None)
        if self._is_stream:
            return Columns(by, time)
        names = [name for name in table.kept_columns if name not in table.texts]
        paths = [(name, place) for name, place in table.paths if name in names]
        return find_columns({name: chunk.texts_of(place)[chunk.headers :] for name, place in paths}, by, time)

    def _places_in(self, table: Table) -> dict[str, Any]:
        """Return the places of the columns; a table of another file may lack those that were found."""
        columns, named = self.collected.columns, (*table.options.by, self._time)
        fields = {name: "by" if name in columns.by else "by_time" for name in columns.names}
        known = {name for name, _ in table.paths}
        fields = {name: field for name, field in fields.items() if name in known or name in named}
        return dict(zip(fields, places_of(table, fields), strict=True))

    def read(
        self, inputs: Sequence[str], earlier: Sequence[str], options: ReadOptions, results: Sequence[str]
    ) -> None:
        """Collect the rows of scored files, and those of earlier ones, with which they are compared.

        :param results: the columns of the label and of the score.
        """
        self.begin(inputs)
        if earlier:
            self._earlier, self._since = earlier, _SINCE
        options = replace(options, drop=(*results,))
        for files, self._day in ((inputs, _SINCE), (earlier, _BEFORE)):
            for table, chunk in read_files(files, options):
                if missing := [column for column in results if column not in table.columns]:
                    hint = f"score it first, or add {option('prefix')}; {list_columns(table.columns)}"
                    raise DataError(f"{table.name}: no column {missing[0]!r:.200}; {hint}")
                values = map(chunk.texts_of, places_of(table, dict.fromkeys(results, "prefix")))
                self.add(table, chunk, _read_results(table.name, self.collected.labels, *values))
        if self._rejected:
            LOG.warning("%s left out, because they cannot be read", counted(self._rejected, "row"))

    def finish(self) -> list[list[Any]]:
        """Make the page in memory, before the output gets its name, and return what it says as rows."""
        names = {"title": _title(self._inputs), "earlier": _title(self._earlier)}
        column = self.collected.columns.time
        asked = self._since, self._rejected, self._named
        self.page, said = render_scored(self.collected, self._scorer, names, *asked)
        self.doubt = doubt_of(column, self.collected.counts["day"]) if column else ""
        return said

    @property
    def line(self) -> str:
        """What was written, and which columns it shows, for a message; "" without a page."""
        columns = self.collected.columns
        shown = {"groups": columns.by, "dates": (columns.time,), "stars": (columns.stars,)}
        shown |= {"further dates (see --by-time)": columns.more_times}
        lists = {kind: ", ".join(f"{name!r:.60}" for name in of if name) for kind, of in shown.items()}
        first = f"{counted(self.collected.rows, 'review')}, {len(self.page) / 1000:,.0f} kB"
        parts = [first, *(f"{kind} in {names}" for kind, names in lists.items() if names)]
        return f"{self.target.name}: {'; '.join(parts)}" if self.target else ""

    def publish(self) -> None:
        if self.target:
            write_file(self.target, self.page)


def _title(inputs: Sequence[str]) -> str:
    """Return the names of files for people."""
    shown, more = inputs[:_MOST_NAMED], len(inputs) - _MOST_NAMED
    title = ", ".join("standard input" if name == STANDARD else Path(name).name for name in shown)
    return title + (f" and {more:,} more" if more > 0 else "")


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
