"""Read the texts of a pyarrow table or record batch, and append labels and scores."""

from collections.abc import Sequence
from typing import TypeVar

import pyarrow as pa

from sentcli.errors import DataError, as_arguments
from sentcli.tables.arrow import (
    column_at,
    find_text_columns,
    paths_of,
    result_array,
    result_field,
    to_values,
)
from sentcli.tables.chunk import Results, log_notes
from sentcli.tables.columns import check_room
from sentcli.tables.options import ResultColumn
from sentcli.tables.text_column import SAMPLE_ROWS, join_columns

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)

_WHERE = "the batch"  # for messages


def texts_of(
    batch: pa.Table | pa.RecordBatch, text_column: str | None, added: Sequence[ResultColumn]
) -> list[str | None]:
    """Return the texts of a table or record batch; see `Scorer.score_arrow`."""
    if not isinstance(batch, pa.Table | pa.RecordBatch):
        kind = type(batch)
        raise TypeError(
            f"batch is a {kind.__module__}.{kind.__qualname__}; pass a pyarrow Table or RecordBatch"
        )
    check_room(batch.schema.names, [column.name for column in added], _WHERE)
    paths = paths_of(batch.schema)
    places, notes = find_text_columns(paths, _parts(batch.slice(0, SAMPLE_ROWS)), text_column, _WHERE)
    log_notes((level, as_arguments(message)) for level, message in notes)
    try:
        return [
            text
            for part in _parts(batch)
            for text in join_columns([to_values(column_at(part, paths[place][1])) for place in places])
        ]
    except ValueError as error:
        raise DataError(f"{_WHERE}: a text is not UTF-8: {error}") from None


def with_results(batch: Rows, results: Results, added: Sequence[ResultColumn]) -> Rows:
    """Return a table or record batch with the results appended, rounded as in files."""
    for column, values in zip(added, results, strict=True):
        batch = batch.append_column(result_field(column), result_array(column, values))
    return batch


def _parts(batch: pa.Table | pa.RecordBatch) -> list[pa.RecordBatch]:
    return batch.to_batches() if isinstance(batch, pa.Table) else [batch]
