"""Read the rows of inputs before they are scored, for an output that must know all of them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from sentcli.config import LOG
from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor
from sentcli.tables.convert import ColumnType
from sentcli.tables.jsonl import JsonTable
from sentcli.tables.open import read
from sentcli.tables.registry import get_format
from sentcli.tables.table import Table

_AHEAD_ROWS, _AHEAD_BYTES = 10_000, 32 << 20  # of a stream
_UNTYPED = ("csv", "jsonl", "xlsx")  # formats in which the values decide on the types
_MOST_KEYS = 1000  # that may become columns


class Survey:
    """The columns of an output: the keys of all records of JSON, and the types of the values.

    :param is_typed: False: all columns are text.
    """

    def __init__(self, *, is_typed: bool) -> None:
        self._is_typed = is_typed
        self._types: dict[str, ColumnType] = {}
        self._keys: dict[str, None] = {}

    def add(self, source: Source, table: Table) -> None:
        """Read the rows of an input, of a stream the first ones, without consuming it.

        :raises DataError: for too many keys, because a chunk has a value for each of its rows and columns.
        """
        is_json = isinstance(table, JsonTable)
        module = get_format(table.format).module
        if table.is_empty or module not in _UNTYPED or not (is_json or self._is_typed):
            return
        if is_json and source.is_stream and table.options.keep:
            self._add_keys(table.options.keep, table.name)
            return
        if source.is_stream:
            said = f"the first {_AHEAD_ROWS:,} lines give the columns; or name them: {option('keep')}"
            LOG.info("%s: %s", table.name, said)
        limits = (table.options.limit, _AHEAD_ROWS if source.is_stream else None)
        cursor = Cursor(min(filter(None, limits), default=None))
        with source.looking_ahead():
            cursor.open(source)
            for chunk in read(source, table, cursor):
                stop.check()
                self._add_chunk(chunk, is_spelled=module == "csv")
                # Only whole chunks end at the same places in every run.
                is_enough = source.is_stream and chunk.whole and chunk.position.offset >= _AHEAD_BYTES
                is_text = module == "csv" and all(str in column.kinds for column in self._types.values())
                if is_enough or is_text or not cursor.rows_left:
                    break

    def decide(self, table: Table) -> Table:
        """Return the table of the first input with the columns and the types of all inputs."""
        if isinstance(table, JsonTable):
            table = replace(table, columns=tuple(self._keys) or table.columns)
        if not self._is_typed:
            return table
        types = {name: seen.type() for name, seen in self._types.items() if name not in table.texts}
        mixed = [name for name, kind in types.items() if kind is None]
        if named := ", ".join(filter(table.options.keeps, mixed)):
            LOG.warning("%s: columns with values of several types become text: %.400s", table.name, named)
        typed = {name: kind for name, kind in types.items() if kind not in (None, str)}
        return replace(table, types={**table.types, **typed})

    def _add_chunk(self, chunk: Chunk, *, is_spelled: bool) -> None:
        table = chunk.table
        if isinstance(table, JsonTable):
            keys = dict.fromkeys(chain.from_iterable(chunk.rows))
            self._add_keys([*keys], table.name)
            columns = {key: [record.get(key) for record in chunk.rows] for key in keys}
        else:
            columns = {table.columns[place]: chunk.cells(place)[chunk.headers :] for place in table.kept}
        for name, values in columns.items() if self._is_typed else ():
            column = self._types.setdefault(name, ColumnType())
            (column.add_texts if is_spelled else column.add)(values)

    def _add_keys(self, keys: Sequence[Any], where: str) -> None:
        self._keys |= dict.fromkeys(keys)
        if len(self._keys) > _MOST_KEYS:
            raise DataError(f"{where}: more than {_MOST_KEYS:,} keys; write JSON Lines: -o OUT.jsonl")
