"""Parquet through pyarrow: row groups are streamed, schema and metadata kept, two columns added.

Row groups stay as they are, but a large one is divided, so that memory does not depend on it. A row is
rejected when its text is not UTF-8 or has more bytes than the limit of a field, whatever else is in the row;
`raw` is then that text, and `line` the number of the row. From CSV and JSON Lines all columns are strings.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError, SentcliError
from sentcli.tables.arrow import compare_times, has_its_values, is_bytes, is_text, own_bytes, to_values
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor, Head, Reject
from sentcli.tables.columns import check_room, check_unique, find_text_column
from sentcli.tables.format import Labels, Scores, Setup
from sentcli.tables.pages import ColumnChunk, DamagedPagesError, check_pages, column_chunks
from sentcli.tables.source import Source

_GROUP_BYTES = 32 << 20  # of input; a row group of the output does not grow further
_GROUP_ROWS = 30 * CHUNK_ROWS
_BUFFER = 1 << 20
_SMALL_FILE = 16 << 20  # bytes; row groups are read at once
_LONG_VALUE = 64 << 10
# Numbers of Parquet's CompressionCodec that pyarrow writes, and its usual one.
_CODECS = {0: "none", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4"}
_USUAL_CODEC = "snappy"


@dataclass(frozen=True)
class Style:
    """How a file is written."""

    schema: pa.Schema
    codec: str


@dataclass(frozen=True)
class Rows:
    """The rows of a chunk.

    :param ends_group: the last of them is the last of its row group.
    """

    batch: pa.RecordBatch
    ends_group: bool


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `format.Reader`."""
    with _translated(source.name, DataError):
        yield from _ParquetReader(source, setup, cursor).chunks(first)
        source.check_unchanged()


class _ParquetReader:
    """One open file. Metadata of columns are left alone: damaged ones make pyarrow end the process."""

    def __init__(self, source: Source, setup: Setup, cursor: Cursor) -> None:
        self._name = source.name
        self._setup = setup
        self._cursor = cursor
        self._raw = source.seekable()
        self._bytes = _Hashed(self._raw, cursor)
        # A large file is read as a stream, to spare memory; of a small one all is read at once.
        self._buffer_size = _BUFFER if self._bytes.seek(0, io.SEEK_END) > _SMALL_FILE else 0
        self._file = self._open()
        if unit := self._unit_of_int96():
            self._file = self._open(coerce_int96_timestamp_unit=unit)
        self._schema = self._file.schema_arrow
        self._row = 1  # number of the next row
        self._text = -1  # index of the text column

    def _open(self, **options: Any) -> Any:
        return pq.ParquetFile(self._bytes, pre_buffer=False, buffer_size=self._buffer_size, **options)

    def _unit_of_int96(self) -> str | None:
        """Choose the unit in which the file's INT96, the times of older writers, can be read.

        pyarrow takes nanoseconds, which wrap around outside 1677 to 2262, where 9999 often means never.

        :returns: None where nanoseconds will do, or there is no INT96.
        :raises DataError: when no unit holds all of them.
        """
        columns = {column.path for column in self._file.schema if column.physical_type == "INT96"}
        if not columns:
            return None
        in_microseconds = self._open(coerce_int96_timestamp_unit="us")
        is_far = is_fine = False
        for group in range(self._file.num_row_groups):
            self._check_pages(group)
            options = {"columns": sorted(columns), "row_groups": [group], "use_threads": False}
            pairs = zip(
                *(file.iter_batches(CHUNK_ROWS, **options) for file in (self._file, in_microseconds)),
                strict=True,
            )
            for nanoseconds, microseconds in pairs:
                far, fine = compare_times(nanoseconds, microseconds)
                is_far, is_fine = is_far or far, is_fine or fine
        if is_far and is_fine:
            raise DataError(
                f"{self._name}: the column {min(columns)!r:.200} has times (INT96) outside the years 1677 to "
                "2262, and others finer than a microsecond; write them as another type"
            )
        return "us" if is_far else None

    def _codec(self) -> str:
        """Give the compression that all columns have, else the usual one."""
        found = {chunk.codec for group in self._column_chunks for chunk in group}
        return _CODECS.get(found.pop(), _USUAL_CODEC) if len(found) == 1 else _USUAL_CODEC

    def chunks(self, first: Head | None) -> Iterator[Chunk]:
        head: Head | None = self._head(first)
        for group in range(self._file.num_row_groups):
            end = self._row + self._file.metadata.row_group(group).num_rows
            self._check_pages(group)
            size = self._rows_that_fit(group)
            for batch in self._file.iter_batches(size, row_groups=[group], use_threads=False):
                if not all(map(has_its_values, batch.columns)):
                    raise DataError(f"{self._name}: row group {group} is damaged")
                yield self._chunk(batch, head, ends_group=self._row + len(batch) == end)
                head = None
            if self._row != end:
                raise DataError(f"{self._name}: row group {group} has not as many rows as it says")
        if head:
            yield Chunk((), (), (), self._cursor.advance(0, 0, ()), 0, head=head)

    def _head(self, first: Head | None) -> Head:
        columns = tuple(self._schema.names)
        others = {
            field.name: f"is {field.type}, not a string" for field in self._schema if not is_text(field.type)
        }
        text_column = find_text_column(columns, others, self._setup.options.text_column, self._name)
        check_room(columns, self._setup.names, self._name)
        if self._setup.converts:
            check_unique(columns, self._name)
        if first and not first.style.schema.equals(self._schema):
            raise DataError(f"{self._name}: not the schema of the first input")
        self._text = columns.index(text_column)
        return Head(columns, text_column, style=Style(self._schema, self._codec()))

    def _check_pages(self, group: int) -> None:
        """Refuse pages that pyarrow would take gigabytes for, whether it finds that much in them or not."""
        place = self._raw.tell()
        try:
            for chunk in self._column_chunks[group]:
                check_pages(self._raw, chunk)
        except DamagedPagesError as error:
            raise DataError(f"{self._name}: row group {group}: {error}") from None
        finally:
            self._raw.seek(place)

    @cached_property
    def _column_chunks(self) -> list[list[ColumnChunk]]:
        return column_chunks(self._raw)

    def _rows_that_fit(self, group: int) -> int:
        """Choose how many rows to read at a time, so that they fit the bytes of a chunk."""
        metadata = self._file.metadata.row_group(group)
        row_bytes = metadata.total_byte_size / max(1, metadata.num_rows)
        if metadata.total_byte_size > _LONG_VALUE:
            row_bytes = max(row_bytes, self._longest_repeated(group))
        return int(min(CHUNK_ROWS, max(1, CHUNK_BYTES // max(1, row_bytes))))

    def _longest_repeated(self, group: int) -> int:
        """Give the bytes of the longest value that may be stored once and repeated, if that is long.

        Such a row group can be a thousand times as large in memory as its metadata say.
        """
        lengths = [0]
        for first_row in islice(self._dictionaries.iter_batches(1, row_groups=[group], use_threads=False), 1):
            for column in first_row.columns:
                if pa.types.is_dictionary(column.type):
                    lengths.append(pc.max(pc.binary_length(column.dictionary)).as_py() or 0)
        return max(lengths) if max(lengths) > _LONG_VALUE else 0

    @cached_property
    def _dictionaries(self) -> Any:
        """The same file, opened so that what is stored once is read once."""
        columns = [field.name for field in self._schema if is_bytes(field.type)]
        return self._open(metadata=self._file.metadata, read_dictionary=columns)

    def _chunk(self, batch: pa.RecordBatch, head: Head | None, *, ends_group: bool) -> Chunk:
        size, read = sum(map(own_bytes, batch.columns)), len(batch)
        rejects: list[Reject] = []
        try:
            texts, rows = self._decode(batch)
        except ValueError:
            batch, rejects = self._without_bad_rows(batch)
            texts, rows = self._decode(batch)
        self._row += read
        position = self._cursor.advance(read, len(batch), rejects)
        carrier = rows if self._setup.converts else [Rows(batch, ends_group)]
        return Chunk(texts, carrier, rejects, position, size, head=head)

    def _decode(self, batch: pa.RecordBatch) -> tuple[list[str | None], list[Any]]:
        """Give the texts, and for a writer of another format the rows.

        :raises ValueError: when a text is too long, and what `to_values` raises.
        """
        limit = self._setup.options.field_limit
        texts = to_values(batch.column(self._text))
        # A character has four bytes at most: few texts are looked at.
        if any(len(text.encode()) > limit for text in texts if text and 4 * len(text) > limit):
            raise ValueError(f"longer than {limit} bytes; try a higher --field-limit")
        return texts, list(zip(*map(to_values, batch.columns), strict=True)) if self._setup.converts else []

    def _without_bad_rows(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Reject]]:
        good, rejects = [batch.slice(0, 0)], []
        for number in range(len(batch)):
            row = batch.slice(number, 1)
            try:
                self._decode(row)
                good.append(row)
            except ValueError as error:
                text = row.column(self._text)[0]
                raw = (text.value if pa.types.is_dictionary(text.type) else text).as_buffer()
                raw = b"" if raw is None else raw.to_pybytes()
                rejects.append(Reject(self._name, self._row + number, None, str(error), raw))
        # Not `take`, which knows no views.
        columns = [
            pa.concat_arrays([row.column(index) for row in good]) for index in range(batch.num_columns)
        ]
        return pa.record_batch(columns, schema=batch.schema), rejects


class Writer:
    """Writes row groups with a label and a score column; from another format the others are strings."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._sink = _Drain()
        self._writer: Any = None
        self._schema: Any = None
        self._pending: list[pa.RecordBatch] = []
        self._size = self._rows = 0  # of what is pending

    def begin(self, head: Head) -> bytes:
        if self._setup.converts:
            return self._open(pa.schema([(name, pa.string()) for name in head.columns]))
        return self._open(head.style.schema, head.style.codec)

    def _open(self, schema: pa.Schema, codec: str = _USUAL_CODEC) -> bytes:
        label, score = self._setup.names
        self._schema = schema.append(pa.field(label, pa.string())).append(pa.field(score, pa.float64()))
        with _translated("the Parquet output", OutputError):
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression=codec)
        return self._sink.drain()

    def encode(self, chunk: Chunk, labels: Labels, scores: Scores) -> bytes:
        results = [
            pa.array(labels, pa.string()),
            pa.array([None if score is None else round(score, 6) for score in scores], pa.float64()),
        ]
        ends_group = False
        if not self._setup.converts:
            for rows in chunk.rows:
                self._pending.append(pa.record_batch([*rows.batch.columns, *results], schema=self._schema))
                ends_group = rows.ends_group
        elif chunk.rows:
            columns = [pa.array(column, pa.string()) for column in zip(*chunk.rows, strict=True)]
            self._pending.append(pa.record_batch([*columns, *results], schema=self._schema))
        self._size += chunk.size
        self._rows += len(chunk.texts)
        # Only where whole chunks end, so that the bytes are the same when a pipe paused.
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
    """Takes what pyarrow writes, to be taken away from here."""

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


class _Hashed(io.RawIOBase):
    """A file of which everything that pyarrow reads is hashed, in that order."""

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


@contextmanager
def _translated(name: str, kind: type[SentcliError]) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise kind(f"{name}: {error}") from error
