"""Read the texts of a pyarrow table or record batch, and append labels and scores."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from sentcli.scoring.labels import Scores
from sentcli.tables import arrow
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import check_room, log_notes
from sentcli.tables.text_column import SAMPLE_ROWS, join_columns

_WHERE = "the batch"  # for messages


def texts_of(batch: Any, text_column: str | None, added: Sequence[ResultColumn]) -> list[str | None]:
    """Return the texts of a table or record batch; see `Scorer.score_arrow`."""
    if not isinstance(batch, pa.Table | pa.RecordBatch):
        raise TypeError(f"batch is a {type(batch)!r:.200}; pass a pyarrow Table or RecordBatch")
    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
    check_room(table.column_names, [column.name for column in added], _WHERE)
    paths = arrow.paths_of(table.schema)
    begin = table.slice(0, SAMPLE_ROWS).to_batches()
    places, notes = arrow.find_text_columns(paths, begin, text_column, _WHERE)
    log_notes(notes)
    texts: list[str | None] = []
    for part in table.to_batches():
        columns = [arrow.column_at(part, place) for place in places]
        texts += join_columns([arrow.to_values(column) for column in columns])
    return texts


def with_results(batch: Any, scores: Scores, added: Sequence[ResultColumn]) -> Any:
    """Return a table or record batch with the new columns appended, rounded as in files."""
    for column in added:
        values = arrow.result_array(column, column.values(scores))
        batch = batch.append_column(arrow.result_field(column), values)
    return batch
