"""Parquet through pyarrow: row groups are streamed, schema and metadata kept, two columns added.

Row groups stay as they are, but a large one is divided, so that memory does not depend on it. A row is
rejected when its text is not UTF-8 or has more bytes than the limit of a field, whatever else is in the row;
`raw` is then that text, and `line` the number of the row. From another format all columns are strings.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError, SentcliError
from sentcli.files.source import Source
from sentcli.tables.arrow import is_text, own_bytes, to_values
from sentcli.tables.chunk import CHUNK_ROWS, Chunk, Cursor, Head, Reject
from sentcli.tables.columns import TEXT_COLUMNS, check_room, check_unique, find_text_column, find_usual
from sentcli.tables.format import Labels, Scores, Setup
from sentcli.tables.parquet_file import Batch, CheckedFile

_GROUP_BYTES = 32 << 20  # of input; a row group of the output does not grow further
_GROUP_ROWS = 30 * CHUNK_ROWS
_USUAL_CODEC = "snappy"
_OFFSET = 4  # bytes of a string's place in Arrow


@dataclass(frozen=True)
class Style:
    """How a file is written.

    :param codec: the compression; None: pyarrow's usual one.
    """

    schema: pa.Schema
    codec: str | None


def read(
    source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
) -> Iterator[Chunk]:
    """Read one file; see `format.Reader`."""
    with _translated(source.name, DataError):
        yield from _ParquetReader(source, setup, cursor).chunks(first)
        source.check_unchanged()


class _ParquetReader:
    def __init__(self, source: Source, setup: Setup, cursor: Cursor) -> None:
        self._name = source.name
        self._size = source.size or 0
        self._setup = setup
        self._cursor = cursor
        self._file = CheckedFile(source, cursor)
        self._row = 1  # number of the next row
        self._text = -1  # index of the text column

    def chunks(self, first: Head | None) -> Iterator[Chunk]:
        head: Head | None = self._head(first)
        for batch in self._file.batches():
            yield self._chunk(batch, head)
            head = None
        if head:
            yield Chunk([], (), (), self._cursor.advance(0, 0, ()), 0, head=head)

    def _head(self, first: Head | None) -> Head:
        schema = self._file.schema
        columns = tuple(schema.names)
        wanted = self._setup.options.text_column
        meant = wanted or find_usual(columns, TEXT_COLUMNS)
        others = {
            field.name: f"is {field.type}, not a string"
            for field in schema
            # A column of the type null is one of which all values are missing: of texts, if it is meant.
            if not (is_text(field.type) or (pa.types.is_null(field.type) and field.name == meant))
        }
        text_column = find_text_column(columns, others, wanted, self._name)
        check_room(columns, self._setup.names, self._name)
        if self._setup.needs_values:
            check_unique(columns, self._name)
        if first and not first.style.schema.equals(schema):
            differs = _difference(first.style.schema, schema)
            raise DataError(f"{self._name}: not the schema of the first input: {differs}")
        self._text = columns.index(text_column)
        return Head(columns, text_column, style=Style(schema, self._file.codec))

    def _chunk(self, batch: Batch, head: Head | None) -> Chunk:
        rows = batch.rows
        size, read = sum(map(own_bytes, rows.columns)), len(rows)
        rejects: list[Reject] = []
        try:
            texts, values = self._decode(rows)
        except ValueError:
            rows, rejects = self._without_bad_rows(rows)
            texts, values = self._decode(rows)
        self._row += read
        # A file is not read from its beginning to its end: how far this is, its rows tell.
        progress = self._size * (self._row - 1) // max(1, self._file.rows)
        position = self._cursor.advance(read, len(rows), rejects, progress)
        carrier = values if self._setup.converts else [Batch(rows, batch.ends_group)]
        return Chunk(texts, carrier, rejects, position, size, head=head)

    def _decode(self, rows: pa.RecordBatch) -> tuple[list[str | None], list[Any]]:
        """Give the texts, and where `Setup.needs_values` those of each row; else the texts once more.

        :raises ValueError: when a text is too long, and what `to_values` raises.
        """
        limit = self._setup.options.max_row_bytes
        texts = to_values(rows.column(self._text))
        # A character has four bytes at most: few texts are looked at.
        if any(len(text.encode()) > limit for text in texts if text and 4 * len(text) > limit):
            raise ValueError(f"longer than {limit} bytes; try a higher --max-row-bytes")
        if not self._setup.needs_values:
            return texts, texts
        return texts, list(zip(*map(to_values, rows.columns), strict=True))

    def _without_bad_rows(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Reject]]:
        good, rejects = [rows.slice(0, 0)], []
        for number in range(len(rows)):
            row = rows.slice(number, 1)
            try:
                self._decode(row)
                good.append(row)
            except ValueError as error:
                text = row.column(self._text)[0]
                raw = (text.value if pa.types.is_dictionary(text.type) else text).as_buffer()
                raw = b"" if raw is None else raw.to_pybytes()
                rejects.append(Reject(self._name, self._row + number, None, str(error), raw))
        # Not `take`, which knows no views.
        columns = [pa.concat_arrays([row.column(index) for row in good]) for index in range(rows.num_columns)]
        return pa.record_batch(columns, schema=rows.schema), rejects


def _difference(first: pa.Schema, other: pa.Schema) -> str:
    """Name the first column in which schemas differ."""
    if first.names != other.names:
        return f"the columns are {', '.join(other.names):.200}, not {', '.join(first.names):.200}"
    was, now = next(pair for pair in zip(first, other, strict=True) if not pair[0].equals(pair[1]))
    return f"the column {now.name!r:.200} is {_kind(now)}, not {_kind(was)}"


def _kind(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"


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

    def _open(self, schema: pa.Schema, codec: str | None = None) -> bytes:
        label, score = self._setup.names
        self._schema = schema.append(pa.field(label, pa.string())).append(pa.field(score, pa.float64()))
        with _translated("the Parquet output", OutputError):
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression=codec or _USUAL_CODEC,
                use_compliant_nested_type=False,  # items of lists keep their name
            )
        return self._sink.drain()

    def encode(self, chunk: Chunk, labels: Labels, scores: Scores) -> Iterable[bytes]:
        results = [
            pa.array(labels, pa.string()),
            pa.array([None if score is None else round(score, 6) for score in scores], pa.float64()),
        ]
        ends_group = False
        if not self._setup.converts:
            for batch in chunk.rows:
                self._pending.append(pa.record_batch([*batch.rows.columns, *results], schema=self._schema))
                ends_group = batch.ends_group
        elif chunk.rows:
            columns = [pa.array(column, pa.string()) for column in zip(*chunk.rows, strict=True)]
            self._pending.append(pa.record_batch([*columns, *results], schema=self._schema))
            # Each value takes that much, a missing one too. Not what Arrow says, which depends on pauses.
            self._size += _OFFSET * len(columns) * len(chunk.rows)
        self._size += chunk.size
        self._rows += len(chunk.texts)
        # Only where whole chunks end, so that the bytes are the same when a pipe paused.
        if ends_group or (chunk.whole and (self._size >= _GROUP_BYTES or self._rows >= _GROUP_ROWS)):
            self._end_group()
        return [self._sink.drain()]

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


@contextmanager
def _translated(name: str, kind: type[SentcliError]) -> Iterator[None]:
    try:
        yield
    except MemoryError:  # Arrow's is one of its own exceptions too
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise kind(f"{name}: {error}") from error
