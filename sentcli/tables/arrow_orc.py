"""Arrow IPC (as a file, which is Feather, or as a stream) and ORC, read by pyarrow; they are not written.

pyarrow does not check what it reads, and could crash: each batch is validated.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from sentcli.errors import DataError
from sentcli.files.source import Source
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS, Chunk, Cursor
from sentcli.tables.options import ReadOptions
from sentcli.tables.record_batches import ArrowTable, HashedFile, chunks_of, joined, table_of, translated
from sentcli.tables.table import Table
from sentcli.tables.text_column import SAMPLE_ROWS

_MARK = b"ARROW1"  # of a file; a stream has none


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
        yield from chunks_of(pieces, table, cursor)
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
