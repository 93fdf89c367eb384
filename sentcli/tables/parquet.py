"""Parquet through pyarrow: row groups are streamed, schema and metadata are kept, new columns are appended.

Row groups keep their size, but large ones are divided to limit memory. A row is rejected when its text is not
UTF-8 or is longer than the limit; in its reject, `raw` is the text and `line` the number of the row. From
another format, all columns are strings.
"""

import io
from collections.abc import Iterator, Sequence
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
    to_texts,
    to_values,
)
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor, Reject, Results, Sheet
from sentcli.tables.columns import check_names
from sentcli.tables.convert import to_text
from sentcli.tables.limits import check_row_groups
from sentcli.tables.line_reader import check_cells, too_long
from sentcli.tables.table import Content, Layout, Request, Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, find_columns, join_columns

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
class RowGroupPart:
    """Consecutive rows of one row group."""

    rows: pa.RecordBatch
    ends_group: bool


@dataclass(frozen=True)
class Style:
    """The schema and the compression of a file, and how its times are read.

    :param codec: the compression of all columns of the first row group; None: the default one.
    :param int96: the unit for INT96, the type of times in files of older programs; None: nanoseconds.
    """

    schema: pa.Schema
    codec: str | None
    paths: tuple[tuple[int, ...], ...]
    int96: str | None


def inspect(source: Source, request: Request) -> Table:
    """Return the table of a file by its schema and its first rows; see `inspect.inspect`."""
    with _translated(source.name, DataError):
        file = source.seekable()
        limit = request.options.max_row_bytes
        check_row_groups(_open(file).metadata, file.seek(0, io.SEEK_END), limit, source.name)
        int96 = _unit_of_int96(file, source.name)
        opened = _open(file, int96)
        parts = _parts(opened, source.name, SAMPLE_ROWS)
        begin = [*islice(parts, 1)]  # before the schema: with damaged columns it would crash the process
        schema = _schema(opened)
        columns = tuple(schema.names)
        check_names(columns, request, source.name)
        if request.content is not Content.TEXTS:
            _refuse_intervals(opened, source.name)
        first = request.first
        if first and not first.style.schema.equals(schema):
            differs = _difference(first.style.schema, schema)
            raise DataError(f"{source.name}: the schema differs from the first input: {differs}")
        paths = paths_of(schema)
        rows = [part.rows.slice(0, SAMPLE_ROWS) for part in begin]
        wanted = request.options.text_column
        choice = Choice(first.places) if first else find_text_columns(paths, rows, wanted, source.name)
        sides = find_columns([name for name, _, _ in paths], request.options.by, "by", source.name)
        used = [paths[place] for place in choice.places]
        return request.table(
            source.name,
            columns,
            texts=tuple(name for name, _, _ in used),
            places=choice.places,
            sides=tuple(paths[place][1] for place in sides),
            style=Style(schema, _codec(opened), tuple(path for _, path, _ in used), int96),
            notes=choice.notes,
        )


def read(source: Source, table: Table, cursor: Cursor, content: Content) -> Iterator[Chunk]:
    """Read one file; see `registry.Reader`."""
    with _translated(source.name, DataError):
        yield from _ParquetReader(source, table, cursor, content).chunks()
        source.check_unchanged()


def _open(file: IO[bytes], int96: str | None = None) -> Any:
    return pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER, coerce_int96_timestamp_unit=int96)


def _unit_of_int96(file: IO[bytes], name: str) -> str | None:
    """Choose the unit for INT96.

    pyarrow uses nanoseconds, which overflow outside 1677 to 2262. The year 9999 often means "never".

    :returns: None if nanoseconds fit all times, or there is no INT96.
    """
    in_nanoseconds = _open(file)
    columns = {column.path for column in in_nanoseconds.schema if column.physical_type == "INT96"}
    if not columns:
        return None
    is_far = is_fine = False
    pairs = zip(
        *(
            opened.iter_batches(_READ_ROWS, columns=sorted(columns), use_threads=False)
            for opened in (in_nanoseconds, _open(file, "us"))
        ),
        strict=True,
    )
    for nanoseconds, microseconds in pairs:
        far, fine = compare_times(nanoseconds, microseconds)
        is_far, is_fine = is_far or far, is_fine or fine
    if is_far and is_fine:
        raise DataError(
            f"{name}: the column {min(columns)!r:.200} has INT96 times outside the years 1677 to "
            "2262, and also times finer than a microsecond; write the column as another type"
        )
    return "us" if is_far else None


def _refuse_intervals(file: Any, name: str) -> None:
    """Refuse columns of the type INTERVAL, which pyarrow reads as bytes, and does not write."""
    if lost := [column.path for column in file.schema if column.converted_type == "INTERVAL"]:
        raise DataError(
            f"{name}: the column {min(lost)!r:.200} is an INTERVAL, which cannot be kept; make it text: "
            "CAST(... AS VARCHAR)"
        )


def _schema(file: Any) -> pa.Schema:
    """Return the schema, including the metadata of the file that pyarrow does not put there."""
    schema: pa.Schema = file.schema_arrow
    metadata = {**(file.metadata.metadata or {}), **(schema.metadata or {})}
    metadata.pop(_ARROW_SCHEMA, None)
    return schema.with_metadata(metadata or None)


def _codec(file: Any) -> str | None:
    if not file.num_row_groups:
        return None
    group = file.metadata.row_group(0)
    found = {group.column(index).compression for index in range(group.num_columns)}
    if len(found) > 1:
        return None
    codec: str = found.pop().lower()
    return "none" if codec == "uncompressed" else codec


def _parts(file: Any, name: str, most: int) -> Iterator[RowGroupPart]:
    """Read the row groups in order, each in parts within the limits of a chunk."""
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        left = metadata.num_rows
        fitting = CHUNK_BYTES * left // max(1, metadata.total_byte_size)
        some = file.iter_batches(
            min(_READ_ROWS, most, max(1, fitting)), row_groups=[group], use_threads=False
        )
        pending: list[pa.RecordBatch] = []
        size = count = 0
        for rows in some:
            if not all(map(has_valid_indices, rows.columns)):
                raise DataError(f"{name}: row group {group} is damaged")
            pending.append(rows)
            size += sum(map(own_bytes, rows.columns))
            count += len(rows)
            left -= len(rows)
            if count >= most or size >= CHUNK_BYTES or not left:
                yield RowGroupPart(pa.concat_batches(pending), ends_group=left == 0)
                pending = []
                size = count = 0
        if left:
            raise DataError(f"{name}: row group {group} does not have as many rows as it says")


class _ParquetReader:
    """Reads a file that is not trusted."""

    def __init__(self, source: Source, table: Table, cursor: Cursor, content: Content) -> None:
        self._name = source.name
        self._size = source.size or 0
        self._content = content
        self._limit = table.options.max_row_bytes
        self._longest_cell = table.longest_cell
        self._paths = table.style.paths
        self._sides = table.sides
        self._cursor = cursor
        self._file = _open(_Hashed(source.seekable(), cursor), table.style.int96)  # type: ignore[arg-type]
        self._row = 1  # number of the next row

    def chunks(self) -> Iterator[Chunk]:
        for part in _parts(self._file, self._name, CHUNK_ROWS):
            while len(part.rows) > (room := self._cursor.rows_left):  # the last rows of --limit
                yield self._chunk(RowGroupPart(part.rows.slice(0, room), ends_group=False))
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
        # Progress counts rows, because a file is not read from its beginning to its end.
        progress = self._size * (self._row - 1) // max(1, self._file.metadata.num_rows)
        position = self._cursor.advance(count, len(rows), len(rejects), progress)
        is_kept = self._content is Content.RECORDS
        cargo = [RowGroupPart(rows, part.ends_group)] if is_kept else values
        sides = [*zip(*(to_texts(column_at(rows, path)) for path in self._sides), strict=True)]
        return Chunk(texts, cargo, rejects, position, size, sides=sides)

    def _decode(self, rows: pa.RecordBatch) -> tuple[list[str | None], list[Any]]:
        """Return the texts, and the values of each row where they are asked for."""
        texts = join_columns([to_values(column_at(rows, path)) for path in self._paths])
        # A character has at most four bytes, so only long texts must be encoded to know their size.
        if any(len(text.encode()) > self._limit for text in texts if text and 4 * len(text) > self._limit):
            raise ValueError(too_long(self._limit))
        if self._content is not Content.VALUES:
            return texts, texts
        values = list(zip(*map(to_values, rows.columns), strict=True))
        check_cells(chain.from_iterable(values), self._longest_cell)
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

    def __init__(self, layout: Layout, table: Table) -> None:
        self._layout = layout
        self._table = table
        self._sink = _Drain()
        self._writer: Any = None
        self._schema: Any = None
        self._pending: list[pa.RecordBatch] = []
        self._size = self._rows = 0  # size and rows of the pending batches

    def begin(self) -> bytes:
        if self._layout.converts:
            schema, codec = pa.schema([(name, pa.string()) for name in self._table.columns]), None
        else:
            schema, codec = self._table.style.schema, self._table.style.codec
        for column in self._layout.results:
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
        added = [*map(result_array, self._layout.results, results)]
        ends_group = False
        if not self._layout.converts:
            for part in chunk.rows:
                self._pending.append(pa.record_batch([*part.rows.columns, *added], schema=self._schema))
                ends_group = part.ends_group
        elif chunk.rows:
            columns = [_strings(column) for column in zip(*chunk.rows, strict=True)]
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

    def close(self, summary: Sheet = ()) -> bytes:
        self._end_group()
        self._writer.close()
        return self._sink.drain()


def _strings(values: Sequence[Any]) -> pa.Array:
    strings = [value if value is None else to_text(value) for value in values]
    return pa.array(strings, pa.string())


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
