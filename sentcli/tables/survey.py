"""Read the rows of an input before they are scored, for an output that must know all of them."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from sentcli.errors import DataError
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor
from sentcli.tables.jsonl import JsonTable
from sentcli.tables.open import read
from sentcli.tables.registry import get_format
from sentcli.tables.table import Table
from sentcli.tables.types import Types

_AHEAD_ROWS, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream
_MOST_KEYS = 1000  # that may become columns


def survey(source: Source, table: Table, types: Types | None) -> tuple[str, ...]:
    """Return the columns of an input: of JSON the keys of all records, of a stream those of the first ones.

    :param types: gets the values of all columns; None: all columns are text.
    :raises DataError: for too many keys, because a chunk has a value for each of its rows and columns.
    """
    names = dict.fromkeys(table.columns)
    limits = (table.options.limit, _AHEAD_ROWS if source.is_stream else None)
    cursor = Cursor(min(filter(None, limits), default=None))
    has_fixed_columns = not isinstance(table, JsonTable)
    with source.looking_ahead():
        cursor.open(source)
        for chunk in read(source, table, cursor):
            source.check()
            columns = _columns_of(chunk)
            names |= dict.fromkeys(columns)
            if not has_fixed_columns:
                check_key_count(names, table.name)
            is_decided = not (types and _add(types, table, columns))
            # Only whole chunks end at the same places in every run.
            is_enough = source.is_stream and chunk.whole and chunk.position.offset >= _AHEAD_BYTES
            if is_enough or not cursor.rows_left or (has_fixed_columns and is_decided):
                break
    return tuple(names)


def check_key_count(names: Mapping[str, None], where: str) -> None:
    if len(names) > _MOST_KEYS:
        raise DataError(f"{where}: more than {_MOST_KEYS:,} keys; write JSON Lines: -o OUT.jsonl")


def _columns_of(chunk: Chunk) -> dict[str, Sequence[Any]]:
    """Return the values of each column of a chunk that the output has, or of each key."""
    table = chunk.table
    if isinstance(table, JsonTable):
        keys = dict.fromkeys(chain.from_iterable(chunk.rows))
        return {key: [record.get(key) for record in chunk.rows] for key in keys}
    return {table.columns[place]: chunk.cells(place)[chunk.headers :] for place in table.kept}


def _add(types: Types, table: Table, columns: Mapping[str, Sequence[Any]]) -> bool:
    """Add values; return whether a column may still have a type."""
    is_spelled = get_format(table.format).module == "csv"
    add = types.add_texts if is_spelled else types.add
    may_have = [add(name, values) for name, values in columns.items()]
    return any(may_have)
