"""Find the text column, and check the names of columns."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sentcli.errors import DataError

TEXT_COLUMNS = ("text", "review", "content", "comment", "body", "sentence")
_MAX_LISTED = 20


def find_text_column(
    columns: Sequence[str],
    others: Mapping[str, str],
    wanted: str | None,
    where: str,
    option: str = "--text-column",
) -> str:
    """Return the column to score: `wanted`, else that with the most usual name, else the only one with texts.

    :param columns: the names of all columns.
    :param others: the columns that hold no texts, each with a reason such as `is int64, not a string`.
    :param where: the input's name, for messages.
    :param option: the option that names the column, for messages.
    :raises DataError: when no column or several columns qualify, or the chosen one holds no texts.
    """
    if wanted is not None:
        if wanted not in columns:
            listed = list_columns(columns)
            raise DataError(f"{where}: no column {wanted!r:.200}; {listed}; is {option} right?")
        if columns.count(wanted) > 1:
            raise DataError(f"{where}: there are several columns {wanted!r:.200}; rename all but one")
        if wanted in others:
            raise DataError(f"{where}: the column {wanted!r:.200} {others[wanted]}")
        return wanted
    if (name := find_usual(columns, TEXT_COLUMNS)) is not None:
        if name in others:  # the other columns may be anything, such as a title
            hint = f"add {option} with another; {list_columns(columns)}"
            raise DataError(f"{where}: the column {name!r:.200} {others[name]}; {hint}")
        return name
    texts = [name for name in columns if name not in others]
    if len(texts) == 1:
        return texts[0]
    raise DataError(f"{where}: which column is the text? Add {option}; {list_columns(columns)}")


def find_usual(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the column with the first usual name that exists; None if none exists or several have it.

    Case and surrounding white space count only if several columns differ in nothing else.
    """
    plain = [str(name).strip().lower() for name in columns]  # names in a data frame may not be strings
    for wanted in usual:
        exact = [name for name in columns if name == wanted]
        alike = exact or [name for name, bare in zip(columns, plain, strict=True) if bare == wanted]
        if alike:
            return alike[0] if len(alike) == 1 else None
    return None


def is_usual(name: str) -> bool:
    """Return whether a name is usual for a text column."""
    return name.strip().lower() in TEXT_COLUMNS


def list_columns(columns: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.60}" for name in columns[:_MAX_LISTED])
    more = f" and {len(columns) - _MAX_LISTED} more" if len(columns) > _MAX_LISTED else ""
    return f"the columns are {shown}{more}" if columns else "there are no columns"


def check_room(columns: Sequence[str], names: Sequence[str], where: str) -> None:
    """Refuse an input with a column that has the name of a new column.

    :raises DataError: naming the column and --prefix.
    """
    if (name := find_taken(columns, names)) is not None:
        raise DataError(f"{where}: there is a column {name!r:.200} already; try --prefix new_")


def find_taken(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first column with the name of a new column, in upper or lower case as in SQL; else None."""
    new = {name.lower() for name in names}
    return next((name for name in columns if str(name).lower() in new), None)


def check_unique(columns: Sequence[str], where: str) -> None:
    """Refuse columns of the same name, which another format could not hold.

    :raises DataError: naming the first such column.
    """
    for name, count in Counter(columns).items():
        if count > 1:
            raise DataError(
                f"{where}: there are {count} columns {name!r:.200}; only the same format can hold them"
            )
