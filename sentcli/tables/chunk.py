"""What flows from a reader to a writer: chunks of rows, each with the position after it."""

import base64
import json
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Union

from xxhash import xxh3_128

from sentcli.errors import printable
from sentcli.files.source import Source

CHUNK_ROWS = 8192  # with 4,096 a short row takes 4 us more: each encoder call hashes the vocabulary
_FIRST_ROWS = 512
CHUNK_BYTES = 8 << 20

# The values of each new column, see `WriteOptions.columns`: one per row, None for a row without a label.
Results = Sequence[Sequence[Any]]

# The rows of a sheet about the run, for formats with more than one sheet.
Sheet = Sequence[Sequence[Any]]

# A row of a text format: the text, what the writer needs, the bytes in the input, and, if the run has
# `ReadOptions.sides`, a tuple of their values as text.
Row = tuple[Any, ...]

# What a text reader yields, in the order of this union: a row, consecutive rows, a rejected record, bytes
# that are copied to the output (a blank line), or None when a pipe has no more bytes for now.
Event = Union[Row, "Rows", "Reject", bytes, None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive rows of a text format, by column: a call for each row would take longer than parsing."""

    texts: Sequence[str | None]
    rows: Sequence[Any]
    raw: Sequence[bytes]
    sides: Sequence[tuple[str, ...]] = ()  # of each row


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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows.

    A chunk ends at `CHUNK_ROWS` rows and rejects in total, or with the record that reaches `CHUNK_BYTES`.

    :param texts: one per row; blank, or None, for a row that has nothing to score.
    :param rows: what a `Content` says of each row; as records, those of Parquet are `RowGroupPart`s.
    :param gaps: bytes between rows, each as (number of the next row, bytes).
    :param sides: for each column of `ReadOptions.sides` its values as text; empty without rows.
    :param whole: False if the chunk was cut because a pipe paused; other chunks end at the same places in
        every run over the same inputs.
    """

    texts: list[str | None]
    rows: Sequence[Any]
    rejects: Sequence[Reject]
    position: Position
    size: int
    gaps: Sequence[tuple[int, bytes]] = ()
    whole: bool = True
    sides: Sequence[Sequence[str]] = ()

    def join(self, *columns: Sequence[bytes]) -> bytes:
        """Concatenate the fields of each row, with the gaps in their places.

        :raises ValueError: when a column has more or fewer fields, because a row would be lost.
        """
        width = len(columns)
        fields = [b""] * (width * len(self.texts))
        for number, column in enumerate(columns):
            if len(column) != len(self.texts):
                raise ValueError(f"fields of {len(column)} rows for {len(self.texts)} texts")
            fields[number::width] = column
        for row, gap in reversed(self.gaps):
            fields.insert(row * width, gap)
        return b"".join(fields)


class Cursor:
    """The position of the readers, which read the inputs one after the other."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._input = -1
        self._offset = self._rows = self._rejected = 0
        self._xxh3 = xxh3_128()
        self.consume: Callable[[bytes], None] = self._xxh3.update  # adds bytes to the hash of all read
        self._source: Source
        self._progress = self._earlier = 0

    @property
    def chunk_rows(self) -> int:
        """The most rows and rejects of the next chunk: few at first, so that workers begin early."""
        return min(max((self._rows + self._rejected) // 2, _FIRST_ROWS), CHUNK_ROWS, self.rows_left)

    @property
    def rows_left(self) -> int:
        """The number of rows until the limit; without a limit, more than any input has."""
        return sys.maxsize if self._limit is None else self._limit - self._rows

    def open(self, source: Source) -> None:
        """Move to the start of the next input."""
        self._earlier = self._progress
        self._source = source
        self._input += 1
        self._offset = 0

    def advance(self, offset: int, rows: int, rejected: int, progress: int | None = None) -> Position:
        """Move to the end of the next chunk.

        :param offset, rows, rejected: counts of that chunk alone.
        :param progress: bytes read of this input so far; None: ask its source.
        """
        self._offset += offset
        self._rows += rows
        self._rejected += rejected
        self._progress = self._earlier + (self._source.progress if progress is None else progress)
        return Position(
            input=self._input,
            offset=self._offset,
            rows=self._rows,
            rejected=self._rejected,
            xxh3=self._xxh3.hexdigest(),
            progress=self._progress,
        )


class _Draft:
    """A chunk under construction."""

    def __init__(self, cursor: Cursor, *, keep_gaps: bool) -> None:
        self._cursor = cursor
        self._consume = cursor.consume
        self._keep_gaps = keep_gaps
        self._is_cut = False  # a pause has ended the chunk early; its rest follows
        self._begin()
        self._make_room()

    def _begin(self) -> None:
        self._texts: list[str | None] = []
        self._rows: list[Any] = []
        self._rejects: list[Reject] = []
        self._gaps: list[tuple[int, bytes]] = []
        self._sides: list[tuple[str, ...]] = []
        self._size = 0

    def _make_room(self) -> None:
        self._room, self._room_bytes = self._cursor.chunk_rows, CHUNK_BYTES

    @property
    def is_empty(self) -> bool:
        return not (self._size or self._texts)

    @property
    def is_open(self) -> bool:
        """Whether a chunk is unfinished: it holds something, or was cut by a pause and its rest follows."""
        return self._is_cut or not self.is_empty

    @property
    def is_full(self) -> bool:
        return self._room <= 0 or self._room_bytes <= 0

    def add_rows(self, new: Rows) -> Rows:
        """Add the rows that fit; return the others."""
        sizes = [*accumulate(map(len, new.raw[: self._room]))]
        count = min(
            bisect_left(sizes, self._room_bytes) + 1, len(sizes)
        )  # with the row that reaches the limit
        self._texts += new.texts[:count]
        self._rows += new.rows[:count]
        self._sides += new.sides[:count]
        self.take(b"".join(new.raw[:count]))
        self._room -= count
        return Rows(new.texts[count:], new.rows[count:], new.raw[count:], new.sides[count:])

    def add(self, event: Row | Reject | bytes) -> None:
        """Add what a reader yielded."""
        if isinstance(event, tuple):
            text, row, raw, *sides = event
            self._texts.append(text)
            self._rows.append(row)
            self._sides += sides
        elif isinstance(event, bytes):
            raw = event
            if self._keep_gaps:
                self._gaps.append((len(self._texts), raw))
        else:
            raw = event.raw
            self._rejects.append(event)
        self.take(raw)
        self._room -= 1

    def take(self, data: bytes) -> None:
        """Count and hash bytes of the input."""
        self._consume(data)
        self._size += len(data)
        self._room_bytes -= len(data)

    def finish(self, *, whole: bool) -> Chunk:
        """Return the chunk and begin the next one, which after a pause gets only the room that was left."""
        position = self._cursor.advance(self._size, len(self._texts), len(self._rejects))
        chunk = Chunk(
            self._texts,
            self._rows,
            self._rejects,
            position,
            self._size,
            gaps=self._gaps,
            whole=whole,
            sides=[*zip(*self._sides, strict=True)],
        )
        self._begin()
        self._is_cut = not whole
        if whole:
            self._make_room()
        return chunk


def collect(
    events: Iterable[Event], cursor: Cursor, *, keep_gaps: bool, lead: bytes = b""
) -> Iterator[Chunk]:
    """Group what a text reader yields into chunks.

    The ends of whole chunks depend on the input alone: a pause cuts a chunk, but moves no later end.
    """
    draft = _Draft(cursor, keep_gaps=keep_gaps)
    draft.take(lead)
    for event in events:
        if isinstance(event, Rows):
            while event.raw:
                event = draft.add_rows(event)
                if draft.is_full:
                    yield draft.finish(whole=True)
        elif event is not None:
            draft.add(event)
            if draft.is_full:
                yield draft.finish(whole=True)
        elif not draft.is_empty:
            yield draft.finish(whole=False)
    if draft.is_open:
        yield draft.finish(whole=True)
