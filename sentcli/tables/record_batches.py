"""Tables that pyarrow reads in record batches: their text columns, and the chunks of their rows.

A row is rejected when its text is not UTF-8 or is longer than the limit; in its reject, `raw` is the text and
`line` the number of the row.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any

import pyarrow as pa

from sentcli.errors import DataError, SentcliError
from sentcli.files.source import Source
from sentcli.tables.arrow import (
    column_at,
    find_text_columns,
    own_bytes,
    paths_of,
    python_type,
    readable,
    to_values,
)
from sentcli.tables.chunk import CHUNK_BYTES, Chunk, Cursor
from sentcli.tables.convert import to_text
from sentcli.tables.line_reader import too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, join_columns


@dataclass(frozen=True)
class ArrowTable(Table):
    """A table whose columns have types.

    :param codec: the compression of all columns of the first row group of Parquet; None: the default one.
    :param int96: the unit for INT96, the type of times in files of older programs; None: nanoseconds.
    """

    schema: pa.Schema = None
    codec: str | None = None
    int96: str | None = None

    @cached_property
    def paths(self) -> Sequence[tuple[str, Any]]:
        return [(name, path) for name, path, _ in paths_of(self.schema)]


@dataclass(frozen=True)
class ArrowChunk(Chunk):
    """Consecutive rows as a record batch; the place of a column is its indexes.

    :param ends_group: whether a row group of Parquet ends after these rows.
    """

    ends_group: bool = False

    def cells(self, place: Any) -> list[Any]:
        """Return the values of one column, None for one that cannot be read."""
        return readable(column_at(self.rows, place), None)

    def texts_of(self, place: Any) -> list[str]:
        return [*map(to_text, readable(column_at(self.rows, place), "(unreadable)"))]

    @cached_property
    def _converted(self) -> list[Sequence[Any] | str]:
        return _convert(self.arrow())

    def values(self) -> Sequence[Sequence[Any]]:
        return [() if isinstance(row, str) else row for row in self._converted]

    def unreadable(self) -> dict[int, str]:
        return {row: values for row, values in enumerate(self._converted) if isinstance(values, str)}

    def arrow(self) -> pa.RecordBatch:
        return self.rows.select(self.table.kept)

    def _rows_at(self, kept: Sequence[int]) -> pa.RecordBatch:
        # `take` does not know all types.
        return pa.concat_batches([self.rows.slice(0, 0), *(self.rows.slice(row, 1) for row in kept)])

    def _raw_of(self, row: int) -> bytes:
        texts = [column_at(self.rows.slice(row, 1), path)[0] for path in self.table.places]
        return b" ".join(map(_raw, texts))


def _raw(text: pa.Scalar) -> bytes:
    buffer = (text.value if pa.types.is_dictionary(text.type) else text).as_buffer()
    return b"" if buffer is None else buffer.to_pybytes()


def _convert(rows: pa.RecordBatch) -> list[Sequence[Any] | str]:
    """Return the values of each row, or why it has none."""
    try:
        return [*zip(*map(to_values, rows.columns), strict=True)]
    except ValueError as error:
        if len(rows) == 1:
            return [str(error)]
    return [values for row in range(len(rows)) for values in _convert(rows.slice(row, 1))]


def table_of(
    name: str,
    options: ReadOptions,
    like: Table | None,
    schema: pa.Schema,
    begin: Sequence[pa.RecordBatch],
    **facts: Any,
) -> ArrowTable:
    """Return the table of a file by its schema and its first rows.

    :param facts: further fields of the table.
    """
    if isinstance(like, ArrowTable) and not like.schema.equals(schema):
        raise DataError(
            f"{name}: the schema differs from the first input: {_difference(like.schema, schema)}"
        )
    table = ArrowTable(name, options, tuple(schema.names), schema=schema, **facts)
    rows = [batch.slice(0, SAMPLE_ROWS) for batch in begin]
    wanted = options.text_column
    choice = Choice(like.places) if like else find_text_columns(paths_of(schema), rows, wanted, name)
    names = {path: name for name, path in table.paths}
    return replace(
        table,
        texts=tuple(names[path] for path in choice.places),
        places=choice.places,
        types={column.name: kind for column in schema if (kind := python_type(column.type))},
        notes=choice.notes,
    )


def _difference(first: pa.Schema, other: pa.Schema) -> str:
    """Return a message that names the first difference of two schemas."""
    if first.names != other.names:
        return f"the columns are {', '.join(other.names):.200}, not {', '.join(first.names):.200}"
    was, now = next(pair for pair in zip(first, other, strict=True) if not pair[0].equals(pair[1]))
    return f"the column {now.name!r:.200} is {_kind(now)}, not {_kind(was)}"


def _kind(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"


def joined(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    """Join small batches up to a number of rows, or to the limit of a chunk."""
    pending: list[pa.RecordBatch] = []
    size = count = 0
    for rows in batches:
        pending.append(rows)
        size += sum(map(own_bytes, rows.columns))
        count += len(rows)
        if count >= most or size >= CHUNK_BYTES:
            yield pa.concat_batches(pending)
            pending = []
            size = count = 0
    if count:
        yield pa.concat_batches(pending)


class BatchReader:
    """Makes chunks from the batches of a file, which is not trusted.

    :param rows: the number of rows of the file, to show the progress by them; None: by the bytes read.
    """

    def __init__(self, source: Source, table: ArrowTable, cursor: Cursor, rows: int | None = None) -> None:
        self._size = source.size or 0
        self._table = table
        self._limit = table.options.max_row_bytes
        self._cursor = cursor
        self._rows = rows
        self._row = 1  # number of the next row

    def chunks(self, batches: Iterable[tuple[pa.RecordBatch, bool]]) -> Iterator[Chunk]:
        """Yield the chunks of batches.

        :param batches: each with whether a row group ends after it.
        """
        for rows, ends_group in batches:
            while len(rows) > (room := self._cursor.rows_left):  # the last rows of --limit
                yield self._chunk(rows.slice(0, room), ends_group=False)
                rows = rows.slice(room)
            yield self._chunk(rows, ends_group=ends_group)

    def _chunk(self, rows: pa.RecordBatch, *, ends_group: bool) -> Chunk:
        size, count = sum(map(own_bytes, rows.columns)), len(rows)
        texts, bad = self._texts(rows)
        start = self._row
        self._row += count
        progress = None if self._rows is None else self._size * (self._row - 1) // max(1, self._rows)
        position = self._cursor.advance(count, count - len(bad), len(bad), progress)
        chunk = ArrowChunk(
            self._table, texts, rows, (), [(0, start, None)], [], position, size, ends_group=ends_group
        )
        return chunk.take([row for row in range(count) if row not in bad], bad, position) if bad else chunk

    def _texts(self, rows: pa.RecordBatch) -> tuple[list[str | None], dict[int, str]]:
        """Return the texts, and the rows without a usable one, each with the reason."""
        try:
            texts = join_columns([to_values(column_at(rows, path)) for path in self._table.places])
        except ValueError as error:
            if len(rows) == 1:
                return [None], {0: str(error)}
            parts = [self._texts(rows.slice(row, 1)) for row in range(len(rows))]
            return [text for (text,), _ in parts], {row: bad[0] for row, (_, bad) in enumerate(parts) if bad}
        # A character has at most four bytes, so only long texts must be encoded to know their size.
        long = [row for row, text in enumerate(texts) if text and 4 * len(text) > self._limit]
        is_too_long = (row for row in long if len((texts[row] or "").encode()) > self._limit)
        return texts, dict.fromkeys(is_too_long, too_long(self._limit))


class HashedFile(io.RawIOBase):
    """A file that hashes the bytes that pyarrow reads, in the order of the reads."""

    def __init__(self, file: IO[bytes], cursor: Cursor) -> None:
        self._file = file
        self._cursor = cursor
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._file.tell()
        data = self._file.read(min(size, left) if size >= 0 else left)  # a damaged size could be any
        self._cursor.consume(data)
        return data


@contextmanager
def translated(name: str, kind: type[SentcliError]) -> Iterator[None]:
    """Raise pyarrow's errors as `kind`, with the name of the file."""
    try:
        yield
    except MemoryError:  # Arrow's own is an ArrowException too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise kind(f"{name}: {error}") from error
