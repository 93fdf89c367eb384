"""List and check the names of columns."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sentcli.errors import DataError, option
from sentcli.tables.table import Content, Request, Table

_MAX_LISTED = 20
_MOST_KEYS = 1000  # that may become columns


def list_columns(columns: Sequence[str]) -> str:
    shown = ", ".join(f"{name!r:.60}" for name in columns[:_MAX_LISTED])
    more = f" and {len(columns) - _MAX_LISTED} more" if len(columns) > _MAX_LISTED else ""
    return f"the columns are {shown}{more}" if columns else "there are no columns"


def check_room(columns: Sequence[str], names: Sequence[str], where: str) -> None:
    """Refuse an input with a column that has the name of a new column."""
    if (name := find_taken(columns, names)) is not None:
        raise DataError(
            f"{where}: the input has a column {name!r:.200} already; try {option('prefix', 'new_')}"
        )


def find_taken(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """Return the first column with the name of a new column, in upper or lower case as in SQL; else None."""
    new = {name.lower() for name in names}
    return next((name for name in columns if str(name).lower() in new), None)


def check_kept(table: Table, others: Iterable[str]) -> None:
    """Refuse names to keep or to drop that no column has, and an output without any of the columns.

    :param others: columns that are not in the table, but in its output.
    """
    options, name, columns = table.options, table.name, [*table.columns, *others]
    if table.is_empty:
        return
    for field in ("keep", "drop"):
        for column in getattr(options, field) or ():
            if column not in columns:
                hint = f"{list_columns(columns)}; try another {option(field)}"
                raise DataError(f"{name}: no column {column!r:.200}; {hint}")
    if options.is_partial and not table.kept:
        hint = f"{list_columns(table.columns)}; try {option('keep')} with one"
        raise DataError(f"{name}: no column is left; {hint}")


def check_names(columns: Sequence[str], request: Request, where: str) -> None:
    """Refuse columns with the same name, or that of a new one; no other format could hold them."""
    check_room([*filter(request.options.keeps, columns)], request.taken, where)
    for name, count in Counter(columns).items() if request.content is Content.VALUES else ():
        if count > 1:
            raise DataError(
                f"{where}: there are {count} columns {name!r:.200}; only the same format can hold them"
            )


def columns_of_all(tables: Sequence[Table]) -> tuple[str, ...]:
    """Return the keys of all inputs of JSON as columns.

    :raises DataError: when there are too many, because a chunk has a value for each of its rows and columns.
    """
    columns = tuple(dict.fromkeys(name for table in tables for name in table.columns))
    check_key_count(columns, tables[-1].name)
    return columns


def check_key_count(columns: Collection[str], name: str) -> None:
    if len(columns) > _MOST_KEYS:
        raise DataError(f"{name}: more than {_MOST_KEYS:,} keys; write JSON Lines: -o OUT.jsonl")
