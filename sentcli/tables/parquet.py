"""Parquet through pyarrow: row groups are streamed, schema and metadata are kept, new columns are appended.

Row groups keep their size, but large ones are divided to limit memory. From a format that is not read in
record batches, columns have the types that `tables.convert` finds, and others are strings.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError, option
from sentcli.files.source import Source
from sentcli.tables import registry
from sentcli.tables.arrow import batch_of, has_finer, has_valid_indices, result_array, result_field
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor, Results, Sheet
from sentcli.tables.options import ReadOptions
from sentcli.tables.record_batches import ArrowTable, HashedFile, chunks_of, joined, table_of, translated
from sentcli.tables.table import Table
from sentcli.tables.text_column import SAMPLE_ROWS

_GROUP_BYTES = 32 << 20  # of input, at which a row group of the output ends
_GROUP_ROWS = 15 * CHUNK_ROWS
_ALLOWED = 24 << 20  # bytes of memory that any row group of an input may have
_RATIO = 100  # of these bytes to those of the file, if there are more
_USUAL_CODEC = "snappy"
_OFFSET = 4  # bytes of a string's offset in Arrow
_BUFFER = 1 << 20  # bytes of a column to read at a time, to save memory
# Rows to read at a time. Repeated values are stored once, so a row group can be a thousand times as large in
# memory as its metadata says. A call for 128 rows takes 0.1 us per row and column.
_READ_ROWS = 128
_ARROW_SCHEMA = b"ARROW:schema"  # pyarrow's own metadata key, which it writes again


def open_table(source: Source, options: ReadOptions, like: Table | None) -> ArrowTable:
    """Return the table of a file by its schema and its first rows; see `tables.open.open_table`."""
    with translated(source.name, DataError):
        file = source.seekable()
        opened = _open(file)
        _check_row_groups(opened.metadata, file.seek(0, io.SEEK_END), options.max_row_bytes, source.name)
        # Before the schema, which could crash on damaged columns.
        begin = [rows for rows, _ in islice(_batches(opened, source.name, SAMPLE_ROWS), 1)]
        _refuse_lossy(opened, _open(file, "ns"), source.name)
        table = table_of(source.name, options, like, _schema(opened), begin)
        return replace(table, codec=_codec(opened))


def read(source: Source, table: ArrowTable, cursor: Cursor) -> Iterator[Chunk]:
    """Read one file; see `tables.open.read`."""
    with translated(source.name, DataError):
        file = _open(HashedFile(source.seekable(), cursor))
        # Progress counts rows, because a file is not read from its beginning to its end.
        row_size = (source.size or 0) / max(1, file.metadata.num_rows)
        yield from chunks_of(_batches(file, source.name, CHUNK_ROWS), table, cursor, row_size)
        source.check_unchanged()


def _check_row_groups(metadata: Any, file_size: int, max_row_bytes: int, name: str) -> None:
    """Check that no row group of a Parquet file can have much larger rows than are allowed, by its footer.

    :param metadata: pyarrow's `FileMetaData`, whose columns would crash the process if they were damaged.
    """
    limit = max(_ALLOWED, max_row_bytes)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size, rows = group.total_byte_size, group.num_rows
        if size > limit and (size > limit * rows or size > _RATIO * file_size):
            hint = f"if you trust the file, try a higher {option('max_row_bytes')}"
            raise DataError(f"{name}: row group {number} unpacks to {size:,} bytes for {rows:,} rows; {hint}")


def _open(file: Any, int96: str = "us") -> Any:
    """Return an opened file, whose times of the type INT96, as older programs write it, are microseconds.

    Nanoseconds overflow outside 1677 to 2262, and the year 9999 often means "never".
    """
    return pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, coerce_int96_timestamp_unit=int96)


def _refuse_lossy(file: Any, in_nanoseconds: Any, name: str) -> None:
    """Refuse columns whose values would change.

    pyarrow reads INTERVAL as bytes, and does not write it; INT96 may be finer than a microsecond.

    :param in_nanoseconds: the same file with another unit for INT96.
    """
    in_both = in_nanoseconds, file
    for column in file.schema:
        where, path = f"{name}: the column {column.path!r:.200}", column.path
        if column.converted_type == "INTERVAL":
            hint = "make it text: CAST(... AS VARCHAR)"
            raise DataError(f"{where} is an INTERVAL, which cannot be kept; {hint}")
        if column.physical_type == "INT96":
            batches = (file.iter_batches(_READ_ROWS, columns=[path], use_threads=False) for file in in_both)
            if any(map(has_finer, *batches)):
                raise DataError(f"{where} has INT96 times finer than a microsecond; write another type")


def _schema(file: Any) -> pa.Schema:
    """Return the schema, including the metadata of the file that pyarrow does not put there."""
    schema: pa.Schema = file.schema_arrow
    metadata = {**(file.metadata.metadata or {}), **(schema.metadata or {})}
    metadata.pop(_ARROW_SCHEMA, None)
    return schema.with_metadata(metadata or None)


def _codec(file: Any) -> str | None:
    """Return the compression of all columns of the first row group, if there is one."""
    groups = [file.metadata.row_group(0)] if file.num_row_groups else []
    names = {group.column(index).compression for group in groups for index in range(group.num_columns)}
    codec: str | None = names.pop().lower() if len(names) == 1 else None
    return "none" if codec == "uncompressed" else codec


def _batches(file: Any, name: str, limit: int) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Read the row groups in batches within the limits of a chunk; also return whether one ends a group."""
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        left = metadata.num_rows
        fitting = CHUNK_BYTES * left // max(1, metadata.total_byte_size)
        count = min(_READ_ROWS, limit, max(1, fitting))
        batches = file.iter_batches(count, row_groups=[group], use_threads=False)
        for rows in joined(_checked(batches, name, group), limit):
            left -= len(rows)
            yield rows, left == 0
        if left:
            raise DataError(f"{name}: row group {group} does not have as many rows as it says")


def _checked(batches: Iterator[pa.RecordBatch], name: str, group: int) -> Iterator[pa.RecordBatch]:
    for rows in batches:
        if not all(map(has_valid_indices, rows.columns)):
            raise DataError(f"{name}: row group {group} is damaged")
        yield rows


class Writer(registry.Writer):
    """Writes row groups with the new columns; from another format, the other columns have its types."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._sink = io.BytesIO()
        self._writer: Any = None
        self._pending: list[pa.RecordBatch] = []
        self._size = self._rows = 0  # size and rows of the pending batches

    def begin(self) -> bytes:
        table, codec = self.table, _USUAL_CODEC
        if isinstance(table, ArrowTable):
            schema = pa.schema([*map(table.schema.field, table.kept)], table.schema.metadata)
            codec = table.codec or codec
        else:
            schema = batch_of([], table).schema
        for column in self.results:
            schema = schema.append(result_field(column))
        with translated("the Parquet output", OutputError):
            # List items keep their name.
            self._writer = pq.ParquetWriter(
                self._sink, schema, compression=codec, use_compliant_nested_type=False
            )
        return self._drain()

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        columns = [*chunk.arrow().columns, *map(result_array, self.results, results)]
        self._pending.append(pa.record_batch(columns, schema=self._writer.schema))
        if self.converts:
            # Each value has an offset, even a missing one. Sizes from Arrow would depend on pauses.
            self._size += _OFFSET * len(self.table.kept) * len(chunk.texts)
        self._size += chunk.size
        self._rows += len(chunk.texts)
        # Only at the end of whole chunks, so that the bytes do not depend on pauses of a pipe.
        if chunk.ends_group or (chunk.whole and (self._size >= _GROUP_BYTES or self._rows >= _GROUP_ROWS)):
            self._end_group()
        return self._drain()

    def _end_group(self) -> None:
        if self._rows:
            table = pa.Table.from_batches(self._pending).combine_chunks()
            with translated("the Parquet output", OutputError):
                self._writer.write_table(table, row_group_size=self._rows)
        self._pending.clear()
        self._size = self._rows = 0

    def close(self, summary: Sheet = ()) -> bytes:
        self._end_group()
        self._writer.close()
        return self._drain()

    def _drain(self) -> bytes:
        """Return what pyarrow has written, and forget it."""
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data
