"""Parquet through pyarrow: row groups are streamed, schema and metadata are kept, new columns are appended.

Row groups keep their size, but large ones are divided to limit memory. A row is rejected when its text is not
UTF-8 or is longer than the limit; in its reject, `raw` is the text and `line` the number of the row. From
another format, all columns are strings.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError, SentcliError
from sentcli.files.source import Source
from sentcli.tables.arrow import (
    column_at,
    compare_times,
    find_text_columns,
    has_valid_indices,
    own_bytes,
    paths_of,
    result_array,
    result_field,
    to_intervals,
    to_values,
)
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor, Head, Reject, Results
from sentcli.tables.columns import check_names
from sentcli.tables.limits import check_row_groups
from sentcli.tables.options import Setup
from sentcli.tables.text_column import SAMPLE_ROWS, join_columns

_GROUP_BYTES = 32 << 20  # of input, at which a row group of the output ends
_GROUP_ROWS = 15 * CHUNK_ROWS
_USUAL_CODEC = "snappy"
_OFFSET = 4  # bytes of a string's offset in Arrow
_BUFFER = 1 << 20  # bytes of a column to read at a time, to save memory
# Rows to read at a time. Repeated values are stored once, so a row group can be a thousand times as large in
# memory as its metadata says. A call for 128 rows takes 0.1 us per row and column.
_READ_ROWS = 128
_ARROW_SCHEMA = b"ARROW:schema"  # pyarrow's own metadata key, which it writes again


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of one row group.

    :param ends_group: the batch ends where its row group ends.
    """

    rows: pa.RecordBatch
    ends_group: bool


@dataclass(frozen=True)
class Style:
    """The schema and the compression of a file.

    :param codec: the compression of all columns of the first row group; None: the default one.
    """

    schema: pa.Schema
    codec: str | None


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    with _translated(source.name, DataError):
        yield from _ParquetReader(source, setup, cursor).chunks(first)
        source.check_unchanged()


class _ParquetReader:
    """Reads a file that is not trusted.

    :param cursor: hashes the bytes that are read.
    :raises DataError: when no unit of time fits all INT96 times.
    :raises ArrowException, OSError, ValueError: from all methods, when pyarrow cannot read the file.
    """

    def __init__(self, source: Source, setup: Setup, cursor: Cursor) -> None:
        self._name = source.name
        self._size = source.size or 0
        self._setup = setup
        self._cursor = cursor
        self._bytes = _Hashed(source.seekable(), cursor)
        self._file = self._open()
        limit = setup.options.max_row_bytes
        check_row_groups(self._file.metadata, self._bytes.seek(0, io.SEEK_END), limit, self._name)
        if unit := self._unit_of_int96():
            self._file = self._open(coerce_int96_timestamp_unit=unit)
        self._row = 1  # number of the next row
        self._paths: list[tuple[int, ...]] = []  # of the text columns
        self._intervals = {column.path for column in self._file.schema if column.converted_type == "INTERVAL"}

    def _open(self, **options: Any) -> Any:
        return pq.ParquetFile(self._bytes, pre_buffer=False, buffer_size=_BUFFER, **options)

    def _unit_of_int96(self) -> str | None:
        """Choose the unit for INT96, the type of times in files of older programs.

        pyarrow uses nanoseconds, which overflow outside 1677 to 2262. The year 9999 often means "never".

        :returns: None if nanoseconds fit all times, or there is no INT96.
        :raises DataError: when no unit fits all times.
        """
        columns = {column.path for column in self._file.schema if column.physical_type == "INT96"}
        if not columns:
            return None
        in_microseconds = self._open(coerce_int96_timestamp_unit="us")
        is_far = is_fine = False
        pairs = zip(
            *(
                file.iter_batches(_READ_ROWS, columns=sorted(columns), use_threads=False)
                for file in (self._file, in_microseconds)
            ),
            strict=True,
        )
        for nanoseconds, microseconds in pairs:
            far, fine = compare_times(nanoseconds, microseconds)
            is_far, is_fine = is_far or far, is_fine or fine
        if is_far and is_fine:
            raise DataError(
                f"{self._name}: the column {min(columns)!r:.200} has INT96 times outside the years 1677 to "
                "2262, and also times finer than a microsecond; write the column as another type"
            )
        return "us" if is_far else None

    def chunks(self, first: Head | None) -> Iterator[Chunk]:
        batches = self._batches()
        begin = [*islice(batches, 1)]  # before the schema: with damaged columns it would crash the process
        head: Head | None = self._head(first, begin[0].rows.slice(0, SAMPLE_ROWS) if begin else None)
        for batch in chain(begin, batches):
            while len(batch.rows) > (room := self._cursor.rows_left):  # the last rows of --limit
                yield self._chunk(Batch(batch.rows.slice(0, room), ends_group=False), head)
                batch, head = Batch(batch.rows.slice(room), batch.ends_group), None
            yield self._chunk(batch, head)
            head = None
        if head:
            yield Chunk([], (), (), self._cursor.advance(0, 0, 0), 0, head=head)

    def _batches(self) -> Iterator[Batch]:
        """Read the row groups in order, each in batches within the limits of a chunk.

        :raises DataError: when a row group is damaged.
        """
        for group in range(self._file.num_row_groups):
            metadata = self._file.metadata.row_group(group)
            left = metadata.num_rows
            fitting = CHUNK_BYTES * left // max(1, metadata.total_byte_size)
            some = self._file.iter_batches(
                min(_READ_ROWS, CHUNK_ROWS, max(1, fitting)), row_groups=[group], use_threads=False
            )
            pending: list[pa.RecordBatch] = []
            size = count = 0
            for rows in some:
                if not all(map(has_valid_indices, rows.columns)):
                    raise DataError(f"{self._name}: row group {group} is damaged")
                pending.append(rows)
                size += sum(map(own_bytes, rows.columns))
                count += len(rows)
                left -= len(rows)
                if count >= CHUNK_ROWS or size >= CHUNK_BYTES or not left:
                    yield Batch(_concatenated(pending), ends_group=left == 0)
                    pending = []
                    size = count = 0
            if left:
                raise DataError(f"{self._name}: row group {group} does not have as many rows as it says")

    def _head(self, first: Head | None, rows: pa.RecordBatch | None) -> Head:
        """Choose the text column by the first rows, check the schema, and return the head."""
        schema = self._schema()
        columns = tuple(schema.names)
        check_names(columns, self._setup, self._name)
        # pyarrow reads an INTERVAL as bytes, and writes none.
        lost = self._intervals - ({*columns} if self._setup.converts else set())
        if lost and self._setup.names:
            hint = "which only CSV and JSON Lines hold, not nested; try -o OUT.csv, or make it text by CAST"
            raise DataError(f"{self._name}: the column {min(lost)!r:.200} is an INTERVAL, {hint}")
        if first and not first.style.schema.equals(schema):
            differs = _difference(first.style.schema, schema)
            raise DataError(f"{self._name}: not the schema of the first input: {differs}")
        paths = paths_of(schema)
        wanted = self._setup.options.text_column
        places, notes = find_text_columns(paths, [rows] if rows else [], wanted, self._name, first)
        self._paths = [paths[place][1] for place in places]
        texts = tuple(paths[place][0] for place in places)
        return Head(columns, texts, style=Style(schema, self._codec()), places=places, notes=notes)

    def _schema(self) -> pa.Schema:
        """Return the schema, including the metadata of the file that pyarrow does not put there."""
        schema: pa.Schema = self._file.schema_arrow
        metadata = {**(self._file.metadata.metadata or {}), **(schema.metadata or {})}
        metadata.pop(_ARROW_SCHEMA, None)
        return schema.with_metadata(metadata or None)

    def _codec(self) -> str | None:
        if not self._file.num_row_groups:
            return None
        group = self._file.metadata.row_group(0)
        found = {group.column(index).compression for index in range(group.num_columns)}
        if len(found) > 1:
            return None
        codec: str = found.pop().lower()
        return "none" if codec == "uncompressed" else codec

    def _chunk(self, batch: Batch, head: Head | None) -> Chunk:
        rows = batch.rows
        size, count = sum(map(own_bytes, rows.columns)), len(rows)
        rejects: list[Reject] = []
        try:
            texts, values = self._decode(rows)
        except ValueError:
            rows, rejects = self._without_bad_rows(rows)
            texts, values = self._decode(rows)
        self._row += count
        # Progress counts rows, because a file is not read from its beginning to its end.
        progress = self._size * (self._row - 1) // max(1, self._file.metadata.num_rows)
        position = self._cursor.advance(count, len(rows), len(rejects), progress)
        carrier = values if self._setup.converts else [Batch(rows, batch.ends_group)]
        return Chunk(texts, carrier, rejects, position, size, head=head)

    def _decode(self, rows: pa.RecordBatch) -> tuple[list[str | None], list[Any]]:
        """Return the texts, and the values of each row where the writer needs them.

        :raises ValueError: when a text is too long, or as `to_values`.
        """
        limit = self._setup.options.max_row_bytes
        texts = join_columns([to_values(column_at(rows, path)) for path in self._paths])
        # A character has at most four bytes, so only long texts must be encoded to know their size.
        if any(len(text.encode()) > limit for text in texts if text and 4 * len(text) > limit):
            raise ValueError(f"longer than {limit} bytes; try a higher --max-row-bytes")
        if not self._setup.needs_values:
            return texts, texts
        columns = zip(rows.schema.names, rows.columns, strict=True)
        spell: dict[str, Any] = dict.fromkeys(self._intervals, to_intervals)
        values = [spell.get(name, to_values)(column) for name, column in columns]
        return texts, list(zip(*values, strict=True))

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
        return _concatenated(good), rejects


def _raw(text: pa.Scalar) -> bytes:
    buffer = (text.value if pa.types.is_dictionary(text.type) else text).as_buffer()
    return b"" if buffer is None else buffer.to_pybytes()


def _concatenated(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    columns = [pa.concat_arrays(column) for column in zip(*(batch.columns for batch in batches), strict=True)]
    return pa.record_batch(columns, schema=batches[0].schema)


def _difference(first: pa.Schema, other: pa.Schema) -> str:
    """Return a message that names the first difference of two schemas."""
    if first.names != other.names:
        return f"the columns are {', '.join(other.names):.200}, not {', '.join(first.names):.200}"
    was, now = next(pair for pair in zip(first, other, strict=True) if not pair[0].equals(pair[1]))
    return f"the column {now.name!r:.200} is {_kind(now)}, not {_kind(was)}"


def _kind(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"


class _Hashed(io.RawIOBase):
    """A file that hashes the bytes that pyarrow reads, in the order of the reads."""

    def __init__(self, file: IO[bytes], cursor: Cursor) -> None:
        self._file = file
        self._cursor = cursor

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._cursor.consume(data)
        return data


class Writer:
    """Writes row groups with the new columns; from another format, the other columns are strings."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._sink = _Drain()
        self._writer: Any = None
        self._schema: Any = None
        self._pending: list[pa.RecordBatch] = []
        self._size = self._rows = 0  # size and rows of the pending batches

    def begin(self, head: Head) -> bytes:
        if self._setup.converts:
            return self._open(pa.schema([(name, pa.string()) for name in head.columns]))
        return self._open(head.style.schema, head.style.codec)

    def _open(self, schema: pa.Schema, codec: str | None = None) -> bytes:
        for column in self._setup.results:
            schema = schema.append(result_field(column))
        self._schema = schema
        with _translated("the Parquet output", OutputError):
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression=codec or _USUAL_CODEC,
                use_compliant_nested_type=False,  # list items keep their name
            )
        return self._sink.drain()

    def encode(self, chunk: Chunk, results: Results) -> bytes:
        added = [*map(result_array, self._setup.results, results)]
        ends_group = False
        if not self._setup.converts:
            for batch in chunk.rows:
                self._pending.append(pa.record_batch([*batch.rows.columns, *added], schema=self._schema))
                ends_group = batch.ends_group
        elif chunk.rows:
            columns = [pa.array(column, pa.string()) for column in zip(*chunk.rows, strict=True)]
            self._pending.append(pa.record_batch([*columns, *added], schema=self._schema))
            # Each value has an offset, even a missing one. Sizes from Arrow would depend on pauses.
            self._size += _OFFSET * len(columns) * len(chunk.rows)
        self._size += chunk.size
        self._rows += len(chunk.texts)
        # Only at the end of whole chunks, so that the bytes do not depend on pauses of a pipe.
        if ends_group or (chunk.whole and (self._size >= _GROUP_BYTES or self._rows >= _GROUP_ROWS)):
            self._end_group()
        return self._sink.drain()

    def _end_group(self) -> None:
        if self._rows:
            table = pa.Table.from_batches(self._pending, self._schema).combine_chunks()
            with _translated("the Parquet output", OutputError):
                self._writer.write_table(table, row_group_size=self._rows)
        self._pending.clear()
        self._size = self._rows = 0

    def close(self) -> bytes:
        if not self._writer:
            self._open(pa.schema([]))
        self._end_group()
        self._writer.close()
        return self._sink.drain()


class _Drain(io.RawIOBase):
    """Collects the bytes that pyarrow writes, until `drain` takes them."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def drain(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


@contextmanager
def _translated(name: str, kind: type[SentcliError]) -> Iterator[None]:
    """Raise pyarrow's errors as `kind`, with the name of the file."""
    try:
        yield
    except MemoryError:  # Arrow's own is an ArrowException too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise kind(f"{name}: {error}") from error
