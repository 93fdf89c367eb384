"""What flows from a reader to a writer: chunks of rows, each with the position that follows it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from typing import Any, Union, cast

import numpy as np
from xxhash import xxh3_128

from sentcli.files.lines import Block
from sentcli.files.source import Source

CHUNK_ROWS = 4096
_FIRST_ROWS = 512
CHUNK_BYTES = 8 << 20
_FEW = 16  # rows, which take less time one by one
_PIECE_BYTES = 1 << 18  # that are written together, about: they stay in the processor's cache meanwhile

# A row from a text format: its text, what the writer gets, its own bytes in the input. The second holds the
# values of all columns where `Setup.needs_values`; else it is the last, or of no use: lines have the text.
Row = tuple[str | None, Any, bytes]

# What a writer makes of a row, together with others that go out one behind the other.
Field = bytes | memoryview

# What a text reader finds, in the order of this union: a row, many rows, a record that is no row, the head,
# bytes that go out as they came in (a blank line), or None: a pipe has nothing more for now.
Event = Union[Row, "Rows", "Reject", "Head", bytes, None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Neighbouring rows, each as in `Row`: together they take a fraction of the time they take one by one.

    :param values: where the writer gets more than their own bytes.
    """

    texts: list[str | None] | list[str]
    values: Sequence[Any] | None
    raws: Block

    def cut(self, rows: int, size: int) -> tuple["Rows", "Rows"]:
        """Cut them behind so many rows, or earlier, behind the row that reaches the size in bytes."""
        borders, count = self.raws.borders, len(self.texts)
        stop = min(rows, count, int(np.searchsorted(borders, borders[0] + size)))
        fitting = self.part(0, stop, self.raws.part(0, stop))
        return fitting, self.part(stop, count, self.raws.part(stop, count))

    def part(self, start: int, stop: int, raws: Block) -> "Rows":
        """Take the rows from one number to another, of which these are the bytes."""
        return Rows(self.texts[start:stop], self.values and self.values[start:stop], raws)

    def events(self) -> Iterable["Row | Rows"]:
        """Give them together, or one by one where they are few."""
        if len(self.texts) >= _FEW:
            return (self,)
        raws = [*self.raws]
        return zip(self.texts, raws if self.values is None else self.values, raws, strict=True)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no row.

    :param line: its first physical line, from 1; in Parquet its row.
    :param offset: bytes from the start of the decompressed input; None in Parquet.
    :param raw: its own bytes.
    :param continued: more bytes of a record that was counted already.
    """

    input: str
    line: int
    offset: int | None
    reason: str
    raw: bytes
    continued: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before the rows of an input.

    :param raw: its own bytes: the header record, a byte order mark.
    :param style: what a writer of the same format has to know to write as the input was written.
    """

    columns: tuple[str, ...]
    text_column: str
    raw: bytes = b""
    style: Any = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far the inputs were read: everything before this is in the chunks so far.

    :param input: number of the input, from 0.
    :param offset: decompressed bytes of it; in Parquet its rows.
    :param rows: rows of all inputs so far, `rejected` likewise.
    :param xxh3: of all that was consumed; 128 bits, in hexadecimal.
    :param progress: bytes read so far from all inputs as they lie on the disk, read-ahead included.
    """

    input: int
    offset: int
    rows: int
    rejected: int
    xxh3: str
    progress: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring rows.

    At most `CHUNK_ROWS` rows and rejects together, and `CHUNK_BYTES` plus the record that crosses it.

    :param texts: one a row; blank, or None, for a row that has nothing to score.
    :param rows: the rows as the writer needs them; of neighbours their own bytes may be in a block.
    :param gaps: what stood between the rows and is no row, as (number of the next row, bytes).
    :param size: bytes of input.
    :param whole: the chunk ends where it would end in every run over these inputs, not because a pipe paused.
    """

    texts: list[str | None]
    rows: Sequence[Any]
    rejects: Sequence[Reject]
    position: Position
    size: int
    gaps: Sequence[tuple[int, bytes]] = ()
    head: Head | None = None
    whole: bool = True

    @property
    def raws(self) -> Iterator[bytes]:
        """Their own bytes of each row, where `rows` are nothing else."""
        return chain.from_iterable(row if isinstance(row, Block) else (row,) for row in self.rows)

    def join(self, *columns: Iterable[Field]) -> Iterator[bytes]:
        """Put the fields of each row one behind the other, in pieces, with the gaps where they were.

        :param columns: one field a row; at least one column.
        :raises ValueError: when one has more or fewer: a row would be lost.
        """
        gaps: defaultdict[int, list[bytes]] = defaultdict(list)
        for row, data in self.gaps:
            gaps[row].append(data)
        firsts, *others = map(iter, columns)
        if gaps:
            firsts = (b"".join([*gaps[row], first]) for row, first in enumerate(firsts))
        rest = [firsts, *others]
        rows = max(1, _PIECE_BYTES * len(self.texts) // max(1, self.size))
        for start in range(0, len(self.texts), rows):
            size = min(rows, len(self.texts) - start)
            fields: list[Field] = [b""] * (size * len(rest))
            for number, column in enumerate(rest):
                fields[number :: len(rest)] = islice(column, size)
            yield b"".join(fields)
        if any(True for column in rest for _ in column):
            raise ValueError("more fields than rows")
        yield b"".join(gaps[len(self.texts)])


class Cursor:
    """The position of the readers that are at work on the inputs, one after the other."""

    def __init__(self) -> None:
        self._input = -1
        self._offset = self._rows = self._rejected = 0
        self._xxh3 = xxh3_128()
        self._source: Source
        self._progress = self._earlier = 0

    @property
    def chunk_rows(self) -> int:
        """Rows and rejects of the next chunk at most: few at first, so that scoring begins early."""
        return min(max(self._rows + self._rejected, _FIRST_ROWS), CHUNK_ROWS)

    @property
    def is_in_first_input(self) -> bool:
        return self._input == 0

    def open(self, source: Source) -> None:
        """Move to the start of the next input."""
        self._earlier = self._progress
        self._source = source
        self._input += 1
        self._offset = 0

    def consume(self, data: bytes | memoryview) -> None:
        """Add bytes to the hash of what was consumed."""
        self._xxh3.update(data)

    def advance(
        self, offset: int, rows: int, rejects: Iterable[Reject], progress: int | None = None
    ) -> Position:
        """Move behind the next chunk and give the position there.

        :param progress: bytes of this input so far, where what was read of it does not tell.
        """
        self._offset += offset
        self._rows += rows
        self._rejected += sum(not reject.continued for reject in rejects)
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
    """The chunk that is being collected.

    :param keep_gaps: False: what is no row is left out.
    """

    def __init__(self, cursor: Cursor, *, keep_gaps: bool) -> None:
        self._cursor = cursor
        self._keep_gaps = keep_gaps
        self._is_cut = False  # by a pause: the rest of what would be one chunk is to come
        self._clear()
        self._make_room()

    def _clear(self) -> None:
        self._texts: list[str | None] = []
        self._rows: list[Any] = []
        self._rejects: list[Reject] = []
        self._gaps: list[tuple[int, bytes]] = []
        self._head: Head | None = None
        self._size = 0

    def _make_room(self) -> None:
        self._room, self._room_bytes = self._cursor.chunk_rows, CHUNK_BYTES

    @property
    def is_empty(self) -> bool:
        return not (self._size or self._head)  # the head may have no bytes of its own

    @property
    def is_open(self) -> bool:
        """The chunk has yet to end: it holds something, or its rest, maybe empty, comes after a pause."""
        return self._is_cut or not self.is_empty

    @property
    def is_full(self) -> bool:
        return self._room <= 0 or self._room_bytes <= 0

    def add_mark(self, mark: bytes) -> None:
        """Take a byte order mark; that of a further input is no gap, as it would get between the rows."""
        self._take(mark)
        if self._keep_gaps and self._cursor.is_in_first_input:
            self._gaps.append((0, mark))

    def add(self, event: Event) -> Event:
        """Take what a reader found, anything but a pause; give back the rows that there was no room for."""
        if isinstance(event, Rows):
            return self._add_rows(event)
        if isinstance(event, Head):
            self._head = event
            self._take(event.raw)
            return None
        if type(event) is tuple:
            text, row, raw = event
            self._texts.append(text)
            self._rows.append(row)
        elif isinstance(event, Reject):
            self._rejects.append(event)
            raw = event.raw
        else:
            raw = cast(bytes, event)
            if self._keep_gaps:
                self._gaps.append((len(self._texts), raw))
        self._take(raw)
        self._room -= 1
        return None

    def _add_rows(self, rows: Rows) -> Rows | None:
        fitting, rest = rows.cut(self._room, self._room_bytes)
        self._texts += fitting.texts
        self._rows += [fitting.raws] if fitting.values is None else fitting.values
        self._take(fitting.raws.raw)
        self._room -= len(fitting.texts)
        return rest if rest.texts else None

    def _take(self, data: bytes | memoryview) -> None:
        """Hash bytes of the chunk, at once: they still lie in the processor's cache."""
        self._cursor.consume(data)
        self._size += len(data)
        self._room_bytes -= len(data)

    def finish(self, *, whole: bool) -> Chunk:
        """Give the chunk and begin the next, which after one that is not whole has the room that was left."""
        position = self._cursor.advance(self._size, len(self._texts), self._rejects)
        chunk = Chunk(
            *(self._texts, self._rows, self._rejects, position, self._size, self._gaps, self._head, whole)
        )
        self._clear()
        self._is_cut = not whole
        if whole:
            self._make_room()
        return chunk


def collect(
    events: Iterable[Event], cursor: Cursor, *, keep_gaps: bool, mark: bytes = b""
) -> Iterator[Chunk]:
    """Group what a text reader finds into chunks.

    Where whole chunks end depends on the input alone: pauses cut them further, but move no later end.

    :param keep_gaps: False: what is no row is left out.
    :param mark: a byte order mark before all of it.
    """
    draft = _Draft(cursor, keep_gaps=keep_gaps)
    if mark:
        draft.add_mark(mark)
    for event in events:
        rest = event
        while rest is not None:
            rest = draft.add(rest)
            if draft.is_full:
                yield draft.finish(whole=True)
        if event is None and not draft.is_empty:
            yield draft.finish(whole=False)
    if draft.is_open:
        yield draft.finish(whole=True)
