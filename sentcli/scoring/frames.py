"""Score the rows of data frames of pandas, and of tables and record batches of pyarrow."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from sentcli.errors import DataError
from sentcli.scoring.labels import Scores
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import check_room, log_notes
from sentcli.tables.text_column import SAMPLE_ROWS, Sample, join_columns
from sentcli.text.null_values import is_missing

if TYPE_CHECKING:
    import pandas as pd

_FRAME, _BATCH = "the data frame", "the batch"  # for messages

Texts = list[str | None]


def score_pandas(
    frame: "pd.DataFrame",
    text_column: str | None,
    added: Sequence[ResultColumn],
    score: Callable[[Texts], Scores],
) -> "pd.DataFrame":
    """Return a copy of a frame with the added columns, see `Scorer.score_frame`."""
    if not hasattr(getattr(frame, "columns", None), "nlevels"):  # a series, a frame of polars
        raise TypeError(f"frame is a {type(frame)!r:.200}; pass a pandas data frame")
    if hasattr(frame.columns, "levels"):  # a MultiIndex, even of one level
        raise DataError(f"{_FRAME}: the columns have {frame.columns.nlevels} levels; give them plain names")
    import pandas as pd

    columns = list(frame.columns)
    check_room(columns, [column.name for column in added], _FRAME)
    odd = {
        name: next((value for value in column if not (isinstance(value, str) or is_missing(value))), None)
        for name, column in frame.items()
    }
    unfit: dict[Any, str] = {
        name: f"does not hold only texts: it has {value!r:.100} ({type(value).__name__}); "
        "pass strings, and None or NaN for no text"
        for name, value in odd.items()
        if value is not None
    }
    begin = [() if name in unfit else [*column.iloc[:SAMPLE_ROWS]] for name, column in frame.items()]
    choice = Sample(columns, unfit, text_column, _FRAME, begin).choose()
    log_notes(choice.notes)
    texts = [[None if is_missing(text) else text for text in frame.iloc[:, place]] for place in choice.places]
    scores = score(join_columns(texts))
    new: dict[str, Any] = {
        column.name: pd.Series(column.values(scores), frame.index, float if column.is_number else object)
        for column in added
    }
    return frame.assign(**new)


def score_arrow(
    batch: Any, text_column: str | None, added: Sequence[ResultColumn], score: Callable[[Texts], Scores]
) -> Any:
    """Return a table or a batch with the added columns, rounded as in files; see `Scorer.score_arrow`."""
    import pyarrow as pa

    from sentcli.tables import arrow

    if not isinstance(batch, pa.Table | pa.RecordBatch):
        raise TypeError(f"batch is a {type(batch)!r:.200}; pass a pyarrow Table or RecordBatch")
    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
    check_room(table.column_names, [column.name for column in added], _BATCH)
    paths, parts = arrow.paths_of(table.schema), table.to_batches()
    begin = table.slice(0, SAMPLE_ROWS).to_batches()

    choice = arrow.find_text_columns(paths, begin, text_column, _BATCH)
    log_notes(choice.notes)
    columns = [[arrow.column_at(part, path) for part in parts] for path in choice.places]
    scores = score(join_columns([[*chain.from_iterable(map(arrow.to_values, chunks))] for chunks in columns]))
    for column in added:
        new = arrow.result_array(column, column.values(scores))
        batch = batch.append_column(arrow.result_field(column), new)
    return batch
