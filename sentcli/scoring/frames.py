"""Texts out of a pandas data frame, labels and scores into a copy of it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sentcli.errors import DataError
from sentcli.tables.columns import check_room, find_text_column
from sentcli.tables.options import WriteOptions

if TYPE_CHECKING:
    import pandas as pd

_WHERE = "the data frame"  # for messages


def texts_of(frame: "pd.DataFrame", text_column: str | None, prefix: str) -> list[str | None]:
    """Give the texts of a frame, None for a missing one; for the rest see `Scorer.score_frame`."""
    if not hasattr(getattr(frame, "columns", None), "nlevels"):  # a series, a frame of polars
        kind = type(frame)
        raise TypeError(f"frame is a {kind.__module__}.{kind.__qualname__}; give a pandas data frame")
    if hasattr(frame.columns, "levels"):  # a MultiIndex, of one level too
        raise DataError(f"{_WHERE}: the columns have {frame.columns.nlevels} levels; give them plain names")
    columns = list(frame.columns)
    # To compare a name with pandas' NA is an error.
    if any(type(name).__name__ == "NAType" for name in columns):
        raise DataError(f"{_WHERE}: a column has NA for its name; give it another")
    check_room(columns, WriteOptions(prefix=prefix).names, _WHERE)
    others: dict[Any, str] = {
        name: f"does not hold texts alone: it has {other!r:.100} ({type(other).__name__}); "
        "give strings, and None or NaN for no text"
        for name, column in frame.items()
        if (other := _other_than_text(column)) is not None
    }
    texts = frame[find_text_column(columns, others, text_column, _WHERE)]
    return [text if is_there else None for text, is_there in _with_presence(texts)]


def with_results(
    frame: "pd.DataFrame", labels: Sequence[str | None], scores: Sequence[float | None], prefix: str
) -> "pd.DataFrame":
    """Give a copy of a frame with a label and a score in each row, of the same types whatever is in it."""
    import pandas as pd

    label_name, score_name = WriteOptions(prefix=prefix).names
    added: dict[str, Any] = {
        label_name: pd.Series(labels, frame.index, object),
        score_name: pd.Series(scores, frame.index, float),
    }
    return frame.assign(**added)


def _other_than_text(column: "pd.Series[Any]") -> Any:
    """Give the first value that is neither a string nor missing; None if there is none."""
    values = _with_presence(column)
    return next((value for value, is_there in values if is_there and not isinstance(value, str)), None)


def _with_presence(column: "pd.Series[Any]") -> Iterator[tuple[Any, bool]]:
    """Go through values and whether they are there: of Arrow's types pandas can filter some alone."""
    return zip(column, column.notna(), strict=True)
