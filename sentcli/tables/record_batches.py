"""Tables that pyarrow reads in record batches: their text columns, and the chunks of their rows.

A row is rejected when its text is not UTF-8 or is longer than the limit; in its reject, `raw` is the text and
`line` the number of the row.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
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
    to_texts,
    to_values,
)
from sentcli.tables.chunk import CHUNK_BYTES, Chunk, Cursor, Reject
from sentcli.tables.columns import check_names
from sentcli.tables.line_reader import too_long
from sentcli.tables.table import Content, Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, find_columns, join_columns


@dataclass(frozen=True)
class RowGroupPart:
    """Consecutive rows of one row group; only Parquet has row groups that end."""

    rows: pa.RecordBatch
    ends_group: bool = False


@dataclass(frozen=True)
class Style:
    """The schema of a file, and of Parquet the compression and how its times are read.

    :param codec: the compression of all columns of the first row group; None: the default one.
    :param int96: the unit for INT96, the type of times in files of older programs; None: nanoseconds.
    """

    schema: pa.Schema
    paths: tuple[tuple[int, ...], ...]
    codec: str | None = None
    int96: str | None = None


def table_of(
    name: str, request: Request, schema: pa.Schema, begin: Sequence[pa.RecordBatch], **style: Any
) -> Table:
    """Return the table of a file by its schema and its first rows, with what else its `Style` has."""
    columns = tuple(schema.names)
    check_names(columns, request, name)
    first = request.first
    if first and not first.style.schema.equals(schema):
        differs = _difference(first.style.schema, schema)
        raise DataError(f"{name}: the schema differs from the first input: {differs}")
    paths = paths_of(schema)
    rows = [batch.slice(0, SAMPLE_ROWS) for batch in begin]
    wanted = request.options.text_column
    choice = Choice(first.places) if first else find_text_columns(paths, rows, wanted, name)
    used = [paths[place] for place in choice.places]
    sides = find_columns([name for name, _, _ in paths], request.options.sides, name)
    return request.table(
        name,
        columns,
        texts=tuple(name for name, _, _ in used),
        places=choice.places,
        sides=tuple(paths[place][1] for place in sides),
        style=Style(schema, tuple(path for _, path, _ in used), **style),
        types={field.name: kind for field in schema if (kind := python_type(field.type))},
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

    def __init__(
        self, source: Source, table: Table, cursor: Cursor, content: Content, rows: int | None = None
    ) -> None:
        self._name = source.name
        self._size = source.size or 0
        self._content = content
        self._limit = table.options.max_row_bytes
        self._paths = table.style.paths
        self._sides, self._bounds = table.sides, table.bounds
        self._kept = table.kept
        self._cursor = cursor
        self._rows = rows
        self._row = 1  # number of the next row

    def chunks(self, parts: Iterable[RowGroupPart]) -> Iterator[Chunk]:
        for part in parts:
            while len(part.rows) > (room := self._cursor.rows_left):  # the last rows of --limit
                yield self._chunk(RowGroupPart(part.rows.slice(0, room)))
                part = RowGroupPart(part.rows.slice(room), part.ends_group)
            yield self._chunk(part)

    def _chunk(self, part: RowGroupPart) -> Chunk:
        rows = part.rows
        size, count = sum(map(own_bytes, rows.columns)), len(rows)
        rejects: list[Reject] = []
        try:
            texts, values = self._decode(rows)
        except ValueError:
            rows, rejects = self._without_bad_rows(rows)
            texts, values = self._decode(rows)
        self._row += count
        progress = None if self._rows is None else self._size * (self._row - 1) // max(1, self._rows)
        position = self._cursor.advance(count, len(rows), len(rejects), progress)
        is_kept = self._content is Content.RECORDS
        cargo = [RowGroupPart(rows.select(self._kept), part.ends_group)] if is_kept else values
        sides = [to_texts(column_at(rows, path)) for path in self._sides]
        return Chunk(texts, cargo, rejects, position, size, sides=sides)

    def _decode(self, rows: pa.RecordBatch) -> tuple[list[str | None], list[Any]]:
        """Return the texts, and the values of each row where they are asked for."""
        texts = join_columns([to_values(column_at(rows, path)) for path in self._paths])
        # A character has at most four bytes, so only long texts must be encoded to know their size.
        if any(len(text.encode()) > self._limit for text in texts if text and 4 * len(text) > self._limit):
            raise ValueError(too_long(self._limit))
        if self._content is not Content.VALUES:
            return texts, texts
        values = list(zip(*map(to_values, rows.select(self._kept).columns), strict=True))
        if misfit := self._bounds.misfit(chain.from_iterable(values)):
            raise ValueError(misfit)
        return texts, values

    def _without_bad_rows(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Reject]]:
        good, rejects = [rows.slice(0, 0)], []
        for number in range(len(rows)):
            row = rows.slice(number, 1)
            try:
                self._decode(row)
                good.append(row)
            except ValueError as error:
                raw = b" ".join(_raw(column_at(row, path)[0]) for path in self._paths)
                rejects.append(Reject(self._name, self._row + number, None, str(error), raw))
        return pa.concat_batches(good), rejects


def _raw(text: pa.Scalar) -> bytes:
    buffer = (text.value if pa.types.is_dictionary(text.type) else text).as_buffer()
    return b"" if buffer is None else buffer.to_pybytes()


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
