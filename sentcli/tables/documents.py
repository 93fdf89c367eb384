"""Documents: each input is one text, of any number of lines. The rows have the name of the file and its text.

Line ends at the end of a file do not belong to its text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from sentcli.config import LOG
from sentcli.errors import counted
from sentcli.files.encodings import AUTO, Encoding, detect_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event, Records, Reject, collect
from sentcli.tables.line_reader import bad_bytes, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.table import Table, TextTable


def open_table(source: Source, options: ReadOptions, like: Table | None) -> Table:
    """Return the table that all documents share; see `tables.open.open_table`."""
    return Table(source.name, options, ("name", "text"), places=(1,))


class _DocumentChunk(Chunk):
    """Consecutive documents; each is a file of its own."""

    def reject(self, row: int, reason: str) -> Reject:
        return Reject(self.rows[row][0], 1, 0, reason, self.raw[row])


def read_documents(sources: Iterable[Source], table: Table, cursor: Cursor) -> Iterator[Chunk]:
    """Read inputs as rows of one table; a chunk has those of many inputs."""
    return collect(_events(sources, cursor, table.options), cursor, table, kind=_DocumentChunk)


def _events(sources: Iterable[Source], cursor: Cursor, options: ReadOptions) -> Iterator[Event]:
    guessed: Counter[str] = Counter()
    for source in sources:
        yield _event(source, options, guessed)
        cursor.advance(0, 0, 0)  # the progress, because the next input may belong to the same chunk
    for name, count in guessed.items():
        LOG.warning("%s read as %s", counted(count, "document"), name)


def _event(source: Source, options: ReadOptions, guessed: Counter[str]) -> Event:
    """Return the row of an input, or a reject if it is too long or not in the encoding.

    :param guessed: gets the encoding, if it is not UTF-8 and was not given.
    """
    data, limit = b"", options.max_row_bytes
    while len(data) <= limit and (block := source.read()):
        data += block
    if len(data) > limit:
        return Reject(source.name, 1, 0, too_long(limit), data)
    is_named = options.encoding not in (None, AUTO)
    name, is_plain = (options.encoding, True) if is_named else detect_encoding([data])
    encoding = Encoding.named(name if is_plain else "utf-8", data)
    try:
        text = encoding.decode(data.removeprefix(encoding.byte_order_mark(data))).rstrip("\r\n")
    except UnicodeDecodeError as error:
        table = TextTable(source.name, options, encoding=encoding)
        return Reject(source.name, 1, 0, bad_bytes(data, error, 0, table), data)
    if not is_named and name not in ("ascii", "utf-8"):
        guessed[str(name)] += 1
    return Records((text,), ((source.name, text),), (data,), (1,), 0)
