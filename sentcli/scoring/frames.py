"""Read the texts of a pandas data frame, and add labels and scores to a copy of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sentcli.errors import DataError
from sentcli.scoring.labels import Scores
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import check_room, log_notes
from sentcli.tables.text_column import SAMPLE_ROWS, find_texts, join_columns
from sentcli.text.null_values import is_missing

if TYPE_CHECKING:
    import pandas as pd

_WHERE = "the data frame"  # for messages


def texts_of(
    frame: "pd.DataFrame", text_column: str | None, added: Sequence[ResultColumn]
) -> list[str | None]:
    """Return the texts of a frame, with None for a missing text; see `Scorer.score_frame`."""
    if not hasattr(getattr(frame, "columns", None), "nlevels"):  # a series, a frame of polars
        raise TypeError(f"frame is a {type(frame)!r:.200}; pass a pandas data frame")
    if hasattr(frame.columns, "levels"):  # a MultiIndex, even of one level
        raise DataError(f"{_WHERE}: the columns have {frame.columns.nlevels} levels; give them plain names")
    columns = list(frame.columns)
    check_room(columns, [column.name for column in added], _WHERE)
    others: dict[Any, str] = {
        name: f"does not hold only texts: it has {other!r:.100} ({type(other).__name__}); "
        "pass strings, and None or NaN for no text"
        for name, column in frame.items()
        if (other := _other_than_text(column)) is not None
    }
    values = [() if name in others else [*column.iloc[:SAMPLE_ROWS]] for name, column in frame.items()]
    places, notes = find_texts(columns, others, text_column, _WHERE, values)
    log_notes(notes)
    return join_columns(
        [[None if is_missing(text) else text for text in frame.iloc[:, place]] for place in places]
    )


def with_results(frame: "pd.DataFrame", scores: Scores, added: Sequence[ResultColumn]) -> "pd.DataFrame":
    """Return a copy of a frame with the new columns: labels as objects, numbers as floats."""
    import pandas as pd

    columns: dict[str, Any] = {
        column.name: pd.Series(column.values(scores), frame.index, float if column.is_number else object)
        for column in added
    }
    return frame.assign(**columns)


def _other_than_text(column: "pd.Series[Any]") -> Any:
    """Return the first value that is neither a string nor missing, or None."""
    return next((value for value in column if not (isinstance(value, str) or is_missing(value))), None)
