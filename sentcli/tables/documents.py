"""Documents: each input is one text, of any number of lines. The rows have the name of the file and its text.

Line ends at the end of a file do not belong to its text.
"""

from collections.abc import Iterable, Iterator

from sentcli.files.encodings import AUTO, Encoding, detect_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Reject, collect
from sentcli.tables.line_reader import bad_bytes, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Request, Table


def inspect(source: Source, request: Request) -> Table:
    """Return the table that all documents share; see `inspect.inspect`."""
    return request.table(source.name, ("name", "text"), texts=("text",))


def read_documents(sources: Iterable[Source], cursor: Cursor, options: ReadOptions) -> Iterator[Chunk]:
    """Read inputs as rows of one table; a chunk has those of many inputs."""
    return collect(_events(sources, cursor, options), cursor, keep_gaps=False)


def _events(sources: Iterable[Source], cursor: Cursor, options: ReadOptions) -> Iterator[Event]:
    for source in sources:
        yield _event(source, options)
        cursor.advance(0, 0, 0)  # the progress, because the next input may belong to the same chunk


def _event(source: Source, options: ReadOptions) -> Event:
    """Return the row of an input, or a reject if it is too long or not in the encoding."""
    data, limit = b"", options.max_row_bytes
    while len(data) <= limit and (block := source.read()):
        data += block
    if len(data) > limit:
        return Reject(source.name, 1, 0, too_long(limit), data)
    name = options.encoding
    if name == AUTO:
        name = detect_encoding([data])
    encoding = Encoding.named(name, data)
    try:
        text = encoding.decode(data.removeprefix(encoding.byte_order_mark(data))).rstrip("\r\n")
    except UnicodeDecodeError as error:
        reason = bad_bytes(data, error, 0, encoding, is_named=name is not None)
        return Reject(source.name, 1, 0, reason, data)
    return text, (source.name, text), data
