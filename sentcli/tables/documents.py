"""Documents: each input is one text, of any number of lines. The rows have the name of the file and its text.

Line ends at the end of a file do not belong to its text.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from sentcli.errors import counted
from sentcli.files.encodings import AUTO, Encoding, detect_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Reject, collect
from sentcli.tables.line_reader import bad_bytes, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Bounds, Request, Table

_log = logging.getLogger("sentcli")


def inspect(source: Source, request: Request) -> Table:
    """Return the table that all documents share; see `inspect.inspect`."""
    return request.table(source.name, ("name", "text"), texts=("text",))


def read_documents(
    sources: Iterable[Source], cursor: Cursor, options: ReadOptions, bounds: Bounds
) -> Iterator[Chunk]:
    """Read inputs as rows of one table; a chunk has those of many inputs."""
    return collect(_events(sources, cursor, options, bounds), cursor, keep_gaps=False)


def _events(
    sources: Iterable[Source], cursor: Cursor, options: ReadOptions, bounds: Bounds
) -> Iterator[Event]:
    guessed: Counter[str] = Counter()
    for source in sources:
        yield _event(source, options, guessed, bounds)
        cursor.advance(0, 0, 0)  # the progress, because the next input may belong to the same chunk
    for name, count in guessed.items():
        _log.warning("%s read as %s", counted(count, "document"), name)


def _event(source: Source, options: ReadOptions, guessed: Counter[str], bounds: Bounds) -> Event:
    """Return the row of an input, or a reject if it is too long or not in the encoding.

    :param guessed: gets the encoding, if it is not UTF-8 and was not given.
    """
    data, limit = b"", options.max_row_bytes
    while len(data) <= limit and (block := source.read()):
        data += block
    if len(data) > limit:
        return Reject(source.name, 1, 0, too_long(limit), data)
    is_named = options.encoding not in (None, AUTO)
    name = options.encoding if is_named else detect_encoding([data]) or "utf-8"
    encoding = Encoding.named(name, data)
    try:
        text = encoding.decode(data.removeprefix(encoding.byte_order_mark(data))).rstrip("\r\n")
        reason = bounds.misfit([source.name, text])
    except UnicodeDecodeError as error:
        reason = bad_bytes(data, error, 0, encoding, is_named=is_named)
    if reason:
        return Reject(source.name, 1, 0, reason, data)
    if not is_named and name not in ("ascii", "utf-8"):
        guessed[str(name)] += 1
    row = {"name": source.name, "text": text}
    return text, [value for column, value in row.items() if options.keeps(column)], data
