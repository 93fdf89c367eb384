"""Tables in record batches: Arrow IPC (as a file, which is Feather, or as a stream) and ORC, read by pyarrow.

They are not written. Parquet shares their tables and chunks. pyarrow does not check what it reads, and could
crash: each batch is validated.

A row is rejected when its text is not UTF-8 or is longer than the limit; in its reject, `raw` is the text and
`line` the number of the row.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from sentcli.errors import DataError, SentcliError
from sentcli.files.source import Source
from sentcli.tables.arrow import column_at, find_text_columns, paths_of, python_type, size_of, to_rows
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor
from sentcli.tables.convert import to_text
from sentcli.tables.line_reader import too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, join_texts

_MARK = b"ARROW1"  # of a file; a stream has none


@dataclass(frozen=True)
class ArrowTable(Table):
    """A table whose columns have types.

    :param codec: the compression of all columns of the first row group of Parquet; None: the default one.
    """

    schema: pa.Schema = None
    codec: str | None = None

    @cached_property
    def paths(self) -> Sequence[tuple[str, Any]]:
        return [(name, path) for name, path, _ in paths_of(self.schema)]


class ArrowChunk(Chunk):
    """Consecutive rows as a record batch; the place of a column is its indexes."""

    def cells(self, place: Any) -> list[Any]:
        """Return the values of one column, None for one that cannot be read."""
        return [None if isinstance(row, str) else row[0] for row in to_rows(self.rows, [place])]

    def texts_of(self, place: Any) -> list[str]:
        rows = to_rows(self.rows, [place])
        return ["(unreadable)" if isinstance(row, str) else to_text(row[0]) for row in rows]

    @cached_property
    def values(self) -> Sequence[Sequence[Any]]:
        return to_rows(self.rows, [(place,) for place in self.table.kept])

    def arrow(self) -> pa.RecordBatch:
        return self.rows.select(self.table.kept)

    def _rows_at(self, kept: Sequence[int]) -> pa.RecordBatch:
        # `take` does not know all types.
        return pa.concat_batches([self.rows.slice(0, 0), *(self.rows.slice(row, 1) for row in kept)])

    def _raw_of(self, row: int) -> bytes:
        rows, binary = self.rows.slice(row, 1), pa.large_binary()  # which need not be UTF-8
        texts = [column_at(rows, path).cast(binary)[0].as_py() for path in self.table.places]
        return b" ".join(text or b"" for text in texts)


def open_table(source: Source, options: ReadOptions, like: Table | None) -> ArrowTable:
    """Return the table of a file by its schema and its first rows; see `tables.open.open_table`."""
    with translated(source.name, DataError):
        schema, batches = _open(HashedFile(source.seekable(), Cursor()), options.format or "")
        begin = [*islice(joined(_pieces(batches), SAMPLE_ROWS), 1)]
        return table_of(source.name, options, like, schema, begin)


def read(source: Source, table: ArrowTable, cursor: Cursor) -> Iterator[Chunk]:
    """Read one file; see `tables.open.read`."""
    with translated(source.name, DataError):
        _, batches = _open(HashedFile(source.seekable(), cursor), table.format)
        pieces = ((rows, False) for rows in joined(_pieces(batches), CHUNK_ROWS))
        yield from chunks_of(pieces, table, cursor, None)
        source.check_unchanged()


def _open(file: Any, form: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema of a file, and its batches."""
    if form == "orc":
        from pyarrow.orc import ORCFile

        stripes = ORCFile(file)
        return stripes.schema, map(stripes.read_stripe, range(stripes.nstripes))
    is_file = file.read(len(_MARK)) == _MARK
    file.seek(0)
    if not is_file:
        stream = pa.ipc.open_stream(file)
        return stream.schema, iter(stream)
    batches = pa.ipc.open_file(file)
    return batches.schema, map(batches.get_batch, range(batches.num_record_batches))


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut large batches to the limits of a chunk."""
    for rows in batches:
        rows.validate(full=True)
        most = min(CHUNK_ROWS, max(1, CHUNK_BYTES * len(rows) // max(1, rows.nbytes)))
        yield from (rows.slice(start, most) for start in range(0, len(rows), most))


def table_of(
    name: str, options: ReadOptions, like: Table | None, schema: pa.Schema, begin: Sequence[pa.RecordBatch]
) -> ArrowTable:
    """Return the table of a file by its schema and its first rows."""
    if isinstance(like, ArrowTable) and not like.schema.equals(schema):
        difference = _difference(like.schema, schema)
        raise DataError(f"{name}: the schema differs from the first input: {difference}")
    choice = Choice(like.places) if like else find_text_columns(schema, begin, options.text_column, name)
    return ArrowTable(
        name,
        options,
        tuple(schema.names),
        places=choice.places,
        types={column.name: kind for column in schema if (kind := python_type(column.type))},
        notes=choice.notes,
        schema=schema,
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
        size += size_of(rows)
        count += len(rows)
        if count >= most or size >= CHUNK_BYTES:
            yield pa.concat_batches(pending)
            pending = []
            size = count = 0
    if count:
        yield pa.concat_batches(pending)


def chunks_of(
    batches: Iterable[tuple[pa.RecordBatch, bool]], table: ArrowTable, cursor: Cursor, row_size: float | None
) -> Iterator[Chunk]:
    """Yield the chunks of the batches of a file, which is not trusted.

    :param batches: each with whether a row group ends after it.
    :param row_size: bytes of the file for each row, to show the progress by; None: by the bytes read.
    """
    start = 1  # the number of the next row
    for batch, ends_group in batches:
        rest = batch
        while len(rest):
            rows = rest.slice(0, cursor.rows_left)  # the last rows of --limit
            rest = rest.slice(len(rows))
            texts, bad = _texts(rows, table)
            count, place = len(rows), [(0, range(start, start + len(rows)), None)]
            start += count
            progress = None if row_size is None else int(row_size * (start - 1))
            position = cursor.advance(count, count - len(bad), len(bad), progress)
            size, is_last = size_of(rows), ends_group and not len(rest)
            chunk = ArrowChunk(table, texts, rows, (), place, [], position, size, ends_group=is_last)
            yield chunk.take([row for row in range(count) if row not in bad], bad, position) if bad else chunk


def _texts(rows: pa.RecordBatch, table: ArrowTable) -> tuple[list[str | None], dict[int, str]]:
    """Return the texts, and the rows without a usable one, each with the reason."""
    values = to_rows(rows, table.places)
    bad = {row: reason for row, reason in enumerate(values) if isinstance(reason, str)}
    texts = [None if isinstance(parts, str) else join_texts(parts, table.options.nulls) for parts in values]
    limit = table.options.max_row_bytes
    for row, text in enumerate(texts):
        # A character has at most four bytes, so only long texts must be encoded to know their size.
        if text and 4 * len(text) > limit and len(text.encode()) > limit:
            bad[row] = too_long(limit)
    return texts, bad


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
