"""What flows from a reader to a writer: chunks of rows, each with the position after it.

A chunk holds the texts and the bytes of its rows; other values are decoded when they are used.
"""

import base64
import json
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from xxhash import xxh3_128

from sentcli.errors import printable
from sentcli.files.source import Source
from sentcli.tables.convert import to_text
from sentcli.tables.table import Table, TextTable

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 8192  # with 4,096 a short row takes 4 us more: each encoder call hashes the vocabulary
_FIRST_ROWS = 512
_SMALL_BYTES = 8 << 20  # of a file whose first chunk is as large as others
CHUNK_BYTES = 8 << 20

# The values of each new column, see `WriteOptions.columns`: one per row, None for a row without a label.
Results = Sequence[Sequence[Any]]

# The rows of a sheet about the run, for formats with more than one sheet.
Sheet = Sequence[Sequence[Any]]

# Where consecutive rows are: the number of the first in the chunk, all lines, and its offset, see `Reject`.
Start = tuple[int, Sequence[int], int | None]


class Records(NamedTuple):
    """Consecutive rows, as a text reader finds them.

    :param texts: what is scored of each row.
    :param rows: the values of each row, in the form of the chunks of the format.
    :param raw: the bytes of each row in the input.
    :param lines, offset: the line of each row, and the offset of the first one, see `Reject`.
    :param is_header: one row that is a further header, see `Chunk.headers`.
    """

    texts: Sequence[str | None]
    rows: Sequence[Any]
    raw: Sequence[bytes]
    lines: Sequence[int]
    offset: int | None
    is_header: bool = False

    def split(self, room: int, room_bytes: int) -> tuple["Records", "Records | None"]:
        """Return the rows that fit, the last of which may pass the limit of bytes, and the others if any."""
        sizes = [*accumulate(map(len, self.raw[:room]))]
        count = min(len(sizes), bisect_left(sizes, room_bytes) + 1)
        if count == len(self.raw):
            return self, None
        first = self._replace(texts=self.texts[:count], rows=self.rows[:count], raw=self.raw[:count])
        rest = self.texts[count:], self.rows[count:], self.raw[count:], self.lines[count:]
        offset = None if self.offset is None else self.offset + sizes[count - 1]
        return first, Records(*rest, offset)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is not a row.

    Its reason names options as the command line does, so that the file of rejects is always the same.

    :param line: the number of its first physical line, from 1; in Parquet the number of the row.
    :param offset: bytes from the start of the decompressed input; None in Parquet.
    """

    input: str
    line: int
    offset: int | None
    reason: str
    raw: bytes

    def to_line(self) -> bytes:
        """Return the place and the reason as a line for a terminal."""
        return f"{printable(f'{self.input}, line {self.line:,}: {self.reason:.200}')}\n".encode()

    def to_json(self) -> bytes:
        r"""Return one line of JSON in ASCII, without characters that a terminal acts on.

        `raw` is the record's own bytes as text, or `raw_base64` where they are not UTF-8.
        """
        entry = {"input": self.input, "line": self.line, "offset": self.offset, "reason": self.reason}
        try:
            entry["raw"] = self.raw.decode()
        except UnicodeDecodeError:
            entry["raw_base64"] = base64.b64encode(self.raw).decode()
        return json.dumps(entry).encode() + b"\n"


# What a text reader yields, in the order of this union: rows, a rejected record, bytes that are copied to the
# output (a blank line), or None when a pipe has no more bytes for now.
Part = Records | Reject | bytes
Event = Part | None


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the inputs: everything before it is in the chunks so far.

    :param offset: decompressed bytes read of this input; in Parquet rows.
    :param rows, rejected: rows and rejects of all inputs so far.
    :param xxh3: hash of all bytes consumed so far; 128 bits, in hexadecimal.
    :param progress: bytes read so far from all inputs on disk, including bytes read ahead.
    """

    input: int
    offset: int
    rows: int
    rejected: int
    xxh3: str
    progress: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table.

    A chunk ends at `CHUNK_ROWS` rows and rejects in total, or with the record that reaches `CHUNK_BYTES`.

    :param table: the input.
    :param texts: one per row; blank, or None, for a row that has nothing to score.
    :param parsed: see `rows`; None: they are parsed from `raw` on first use.
    :param raw: the bytes of each row in the input; empty for binary formats.
    :param starts: where consecutive rows begin.
    :param gaps: bytes between rows, each as (number of the next row, bytes).
    :param headers: the number of first rows that are further headers; they have no text.
    :param whole: False if the chunk was cut because a pipe paused; other chunks end at the same places in
        every run over the same inputs.
    :param ends_group: True if a row group of Parquet ends after these rows.
    """

    table: Table
    texts: list[str | None]
    parsed: Any
    raw: Sequence[bytes]
    starts: Sequence[Start]
    rejects: Sequence[Reject]
    position: Position
    size: int
    gaps: Sequence[tuple[int, bytes]] = ()
    headers: int = 0
    whole: bool = True
    ends_group: bool = False

    @cached_property
    def rows(self) -> Any:
        """The values of each row, one per column; subclasses hold them in another form."""
        if self.parsed is None and isinstance(self.table, TextTable):
            return self.table.parse(self.raw)
        return self.parsed

    def released(self) -> Self:
        """Return the chunk without what can be parsed again, to save memory while it waits."""
        return replace(self, parsed=None) if isinstance(self.table, TextTable) else self

    def cells(self, place: Any) -> list[Any]:
        """Return the values of one column.

        :param place: as in `Table.paths`.
        """
        return [*map(itemgetter(place), self.rows)]

    def texts_of(self, place: Any) -> list[str]:
        """Return the values of one column as text, empty where they are missing."""
        cells = self.cells(place)
        return cells if {*map(type, cells)} <= {str} else [*map(to_text, cells)]

    @cached_property
    def values(self) -> Sequence[Sequence[Any]]:
        """The values of each row for another format: those of `Table.kept_columns`; or why it has none."""
        kept = self.table.kept
        if len(kept) == len(self.table.columns):
            return self.rows  # type: ignore[no-any-return]
        return [[row[place] for place in kept] for row in self.rows]

    def arrow(self) -> "pa.RecordBatch":
        """Return the columns of `Table.kept_columns` with their types."""
        from sentcli.tables.arrow import batch_of  # pyarrow loads slowly

        return batch_of(self.values, self.table)

    def take(self, kept: Sequence[int], bad: Mapping[int, str], position: Position) -> Self:
        """Return the chunk with some of its rows alone.

        :param bad: further rows, which an output cannot hold, each with the reason; they become rejects.
        :param position: that of the new chunk.
        """
        rejects = [*self.rejects, *(self.reject(row, reason) for row, reason in bad.items())]
        return replace(
            self,
            texts=[self.texts[row] for row in kept],
            parsed=self._rows_at(kept),
            raw=[self.raw[row] for row in kept] if self.raw else (),
            starts=[self._start_of(row, number) for number, row in enumerate(kept)],
            rejects=sorted(rejects, key=attrgetter("line")),
            position=position,
            gaps=[(bisect_left(kept, row), gap) for row, gap in self.gaps],
            headers=0,
        )

    def _rows_at(self, kept: Sequence[int]) -> Sequence[Any]:
        return [self.rows[row] for row in kept]

    @cached_property
    def _offsets(self) -> list[int]:
        """The bytes of the rows before each row."""
        return [*accumulate(map(len, self.raw), initial=0)]

    def _start_of(self, row: int, number: int = 0) -> Start:
        """Return where one row is, which gets another number."""
        first, lines, offset = self.starts[bisect_right(self.starts, row, key=itemgetter(0)) - 1]
        offset = None if offset is None else offset + self._offsets[row] - self._offsets[first]
        return number, (lines[row - first],), offset

    def reject(self, row: int, reason: str) -> Reject:
        """Return the reject of a row of this chunk."""
        _, (line,), offset = self._start_of(row)
        return Reject(self.table.name, line, offset, reason, self._raw_of(row))

    def _raw_of(self, row: int) -> bytes:
        return self.raw[row]

    def join(self, *columns: Sequence[bytes], gaps: Sequence[tuple[int, bytes]] = ()) -> bytes:
        """Concatenate the fields of each row, with the gaps in their places.

        :raises ValueError: when a column has more or fewer fields, because a row would be lost.
        """
        counts = [*map(len, columns)]
        if {*counts} != {len(self.texts)}:
            raise ValueError(f"fields of {counts} rows for {len(self.texts)} texts")
        fields = [*chain.from_iterable(zip(*columns, strict=True))]
        for row, gap in reversed(gaps):
            fields.insert(row * len(columns), gap)
        return b"".join(fields)


class Cursor:
    """The position of the readers, which read the inputs one after the other."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._position = Position(input=-1, offset=0, rows=0, rejected=0, xxh3="")
        self._xxh3 = xxh3_128()
        self.consume: Callable[[bytes], None] = self._xxh3.update  # adds bytes to the hash of all read
        self._source: Source
        self._is_small = False  # the input is a small file
        self._earlier = 0  # bytes of the inputs before

    @property
    def chunk_rows(self) -> int:
        """The most rows and rejects of the next chunk.

        They are few at first, so that workers begin early, except in a small file.
        """
        so_far = self._position.rows + self._position.rejected
        rows = CHUNK_ROWS if self._is_small else max(so_far // 2, _FIRST_ROWS)
        return min(rows, CHUNK_ROWS, self.rows_left)

    @property
    def rows_left(self) -> int:
        """The number of rows until the limit; without a limit, more than any input has."""
        return sys.maxsize if self._limit is None else self._limit - self._position.rows

    def open(self, source: Source) -> None:
        """Move to the start of the next input."""
        self._source = source
        self._is_small = 0 < (source.size or 0) <= _SMALL_BYTES
        self._earlier = self._position.progress
        self._position = replace(self._position, input=self._position.input + 1, offset=0)

    def advance(self, offset: int, rows: int, rejected: int, progress: int | None = None) -> Position:
        """Move to the end of the next chunk.

        :param offset, rows, rejected: counts of that chunk alone.
        :param progress: bytes read of this input so far; None: ask its source.
        """
        self._position = replace(
            self._position,
            offset=self._position.offset + offset,
            xxh3=self._xxh3.hexdigest(),
            progress=self._earlier + (self._source.progress if progress is None else progress),
        )
        return self.recount(rows, rejected)

    def recount(self, rows: int, rejected: int) -> Position:
        """Add to the counts of rows and rejects at this position; less than 0 for rows that are left out."""
        before = self._position
        self._position = replace(before, rows=before.rows + rows, rejected=before.rejected + rejected)
        return self._position


def collect(
    events: Iterable[Event], cursor: Cursor, table: Table, *, lead: bytes = b"", kind: type[Chunk] = Chunk
) -> Iterator[Chunk]:
    """Group what a text reader yields into chunks.

    The ends of whole chunks depend on the input alone: a pause cuts a chunk, but moves no later end.
    """
    parts: list[Part] = []
    size, room, room_bytes = len(lead), cursor.chunk_rows, CHUNK_BYTES - len(lead)
    is_rest = False  # a pause has ended the chunk early, and its rest follows
    cursor.consume(lead)
    for event in events:
        if event is None and (size or parts):
            yield _chunk(parts, size, cursor, table, kind, whole=False)
            parts, size, is_rest = [], 0, True
        rest = event
        while rest is not None:
            part, rest = rest.split(room, room_bytes) if isinstance(rest, Records) else (rest, None)
            parts.append(part)
            raw = part.raw if isinstance(part, Records) else [part.raw if isinstance(part, Reject) else part]
            data = b"".join(raw)
            cursor.consume(data)
            size, room, room_bytes = size + len(data), room - len(raw), room_bytes - len(data)
            if room <= 0 or room_bytes <= 0:
                yield _chunk(parts, size, cursor, table, kind, whole=True)
                parts, size, is_rest = [], 0, False
                room, room_bytes = cursor.chunk_rows, CHUNK_BYTES
    if is_rest or size or parts:
        yield _chunk(parts, size, cursor, table, kind, whole=True)


def _chunk(
    parts: Iterable[Part], size: int, cursor: Cursor, table: Table, kind: type[Chunk], *, whole: bool
) -> Chunk:
    """Return the chunk of what a text reader has yielded, and move the cursor to its end."""
    texts: list[str | None] = []
    rows: list[Any] = []
    raw: list[bytes] = []
    starts, rejects, gaps, headers = [], [], [], 0
    for part in parts:
        if isinstance(part, Records):
            starts.append((len(texts), part.lines, part.offset))
            headers += part.is_header
            texts += part.texts
            rows += part.rows
            raw += part.raw
        elif isinstance(part, Reject):
            rejects.append(part)
        else:
            gaps.append((len(texts), part))
    position = cursor.advance(size, len(texts), len(rejects))
    return kind(table, texts, rows, raw, starts, rejects, position, size, gaps, headers, whole)
