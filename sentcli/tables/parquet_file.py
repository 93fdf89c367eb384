"""A Parquet file that is not trusted: opened, checked, and read in batches that fit the memory.

Metadata of columns are left alone: damaged ones make pyarrow end the process.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentcli.errors import DataError
from sentcli.files.source import Source
from sentcli.tables.arrow import compare_times, has_valid_indices, leaves_of, share_dictionaries
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Cursor
from sentcli.tables.pages import (
    PAGE_LIMIT,
    ColumnChunk,
    DamagedPagesError,
    Repeats,
    check_pages,
    column_chunks,
)

_BUFFER = 1 << 20
_SMALL_FILE = 16 << 20  # bytes; row groups are read at once
_LONG_VALUE = 64 << 10
# Bytes of a value in memory, by Parquet's physical type; of strings those of where each ends.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}
_ARROW_SCHEMA = b"ARROW:schema"  # the key of what a writer makes of the schema itself
# Numbers of Parquet's CompressionCodec that pyarrow writes.
_CODECS = {0: "none", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4"}


@dataclass(frozen=True)
class Batch:
    """Neighbouring rows of one row group.

    :param ends_group: the last of them is the last of its row group.
    """

    rows: pa.RecordBatch
    ends_group: bool


class CheckedFile:
    """One open file, whose pages are looked at before pyarrow reads them.

    :param cursor: hashes what is read of the file.
    :ivar rows: of all row groups, as the file says.
    :raises DataError: when no unit holds all of its times, or a page is too large or damaged.
    :raises ArrowException, OSError, ValueError: from all methods, when pyarrow cannot read it.
    """

    def __init__(self, source: Source, cursor: Cursor) -> None:
        self._name = source.name
        self._raw = source.seekable()
        self._bytes = _Hashed(self._raw, cursor)
        # A large file is read as a stream, to spare memory; of a small one all is read at once.
        self._buffer_size = _BUFFER if self._bytes.seek(0, io.SEEK_END) > _SMALL_FILE else 0
        self._file = self._open()
        if unit := self._unit_of_int96():
            self._file = self._open(coerce_int96_timestamp_unit=unit)
        self.schema = self._schema()
        self.rows: int = self._file.metadata.num_rows

    def _schema(self) -> pa.Schema:
        """Give the schema, with metadata that lie beside it in the file, which pyarrow leaves out."""
        schema: pa.Schema = self._file.schema_arrow
        metadata = {**(self._file.metadata.metadata or {}), **(schema.metadata or {})}
        metadata.pop(_ARROW_SCHEMA, None)
        return schema.with_metadata(metadata or None)

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

    @property
    def codec(self) -> str | None:
        """The compression that all columns have; None of several, or of one that pyarrow does not write."""
        found = {chunk.codec for group in self._column_chunks for chunk in group}
        return _CODECS.get(found.pop()) if len(found) == 1 else None

    def batches(self) -> Iterator[Batch]:
        """Read the row groups one after the other, each in as many batches as it takes.

        :raises DataError: when a row group is damaged, or a page of it is too large.
        """
        for group in range(self._file.num_row_groups):
            left = self._file.metadata.row_group(group).num_rows
            size = self._rows_that_fit(group, self._check_pages(group))
            before = None
            for rows in self._file.iter_batches(size, row_groups=[group], use_threads=False):
                if not all(map(has_valid_indices, rows.columns)):
                    raise DataError(f"{self._name}: row group {group} is damaged")
                left -= len(rows)
                before = share_dictionaries(rows, before)
                yield Batch(before, ends_group=left == 0)
            if left:
                raise DataError(f"{self._name}: row group {group} has not as many rows as it says")

    def _check_pages(self, group: int) -> list[Repeats]:
        """Refuse pages that pyarrow would take gigabytes for, whether it finds that much in them or not.

        :returns: what each column stores once for several values.
        """
        place = self._raw.tell()
        try:
            return [check_pages(self._raw, chunk) for chunk in self._column_chunks[group]]
        except DamagedPagesError as error:
            raise DataError(f"{self._name}: row group {group}: {error}") from None
        finally:
            self._raw.seek(place)

    @cached_property
    def _column_chunks(self) -> list[list[ColumnChunk]]:
        return column_chunks(self._raw)

    def _rows_that_fit(self, group: int, repeats: Sequence[Repeats]) -> int:
        """Choose how many rows to read at a time, so that they fit the bytes of a chunk.

        A row group can be a thousand times as large in memory as its metadata say: what repeats itself is
        stored once.

        :param repeats: of each column, what it stores once.
        """
        metadata = self._file.metadata.row_group(group)
        rows = max(1, metadata.num_rows)
        values = [chunk.values / rows for chunk in self._column_chunks[group]]
        decoded = sum(count * width for count, width in zip(values, self._widths, strict=True))
        row_bytes = max(metadata.total_byte_size / rows, decoded)
        for column, of_column, count in zip(self._file.schema, repeats, values, strict=True):
            if column.physical_type == "BYTE_ARRAY":
                longest = self._longest_repeated(group, column.path, of_column, max(1.0, count))
                if longest > _LONG_VALUE:
                    row_bytes = max(row_bytes, longest * max(1.0, count))
        return int(min(CHUNK_ROWS, max(1, CHUNK_BYTES // max(1, row_bytes))))

    @cached_property
    def _widths(self) -> list[int]:
        """Bytes that a value of each column takes at least, those within structs and lists one by one."""
        return [_WIDTHS.get(column.physical_type, column.length) for column in self._file.schema]

    def _longest_repeated(self, group: int, path: str, repeats: Repeats, values_a_row: float) -> int:
        """Give the bytes of a column's longest value that may be stored once and repeated, or more."""
        longest = 0
        options = {"row_groups": [group], "columns": [path], "use_threads": False}
        if repeats.dictionary > _LONG_VALUE:
            longest = repeats.dictionary
            if repeats.begins_with_it:
                file = self._open(metadata=self._file.metadata, read_dictionary=[path])
                longest = max(map(_longest, islice(file.iter_batches(1, **options), 1)), default=0)
        if repeats.prefixes > _LONG_VALUE:
            rows = int(PAGE_LIMIT // (repeats.prefixes * values_a_row))  # that take no more than a page may
            batches = self._file.iter_batches(min(CHUNK_ROWS, max(1, rows)), **options)
            longest = max(longest, max(map(_longest, batches), default=0))
        return longest


def _longest(rows: pa.RecordBatch) -> int:
    """Give the bytes of the longest string in these rows, or in the dictionaries that they refer to."""
    leaves = [leaf for column in rows.columns for leaf in leaves_of(column)]
    strings = [leaf.dictionary if pa.types.is_dictionary(leaf.type) else leaf for leaf in leaves]
    return max((pc.max(pc.binary_length(values)).as_py() or 0 for values in strings), default=0)


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
