"""What flows from a reader to a writer: chunks of rows, each with the position that follows it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Union, cast

CHUNK_ROWS = 4096
_FIRST_ROWS = 512
CHUNK_BYTES = 8 << 20

# A row from a text format: its text, what the writer gets, its own bytes in the input. In a pass-through
# run the last two are the same object; else the second holds the values of all columns.
Row = tuple[str | None, Any, bytes]

# What a text reader finds, in order: a row, a record that is none, the head, bytes that go out as they came
# in (a blank line), or None: a pipe has nothing more for now.
Event = Union[Row, "Reject", "Head", bytes, None]


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
    :param sha256: of all that was consumed.
    :param progress: bytes read so far from all inputs as they lie on the disk, read-ahead included.
    """

    input: int
    offset: int
    rows: int
    rejected: int
    sha256: str
    progress: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring rows, at most 4,096 rows and rejects, and 8 MiB and one record.

    :param texts: one a row; None or blank for a row that has nothing to score.
    :param rows: the rows as the writer needs them.
    :param gaps: what stood between the rows and is no row, as (number of the next row, bytes).
    :param size: bytes of input.
    :param whole: the chunk ends where it would end in every run over these inputs, not because a pipe paused.
    """

    texts: Sequence[str | None]
    rows: Sequence[Any]
    rejects: Sequence[Reject]
    position: Position
    size: int
    gaps: Sequence[tuple[int, bytes]] = ()
    head: Head | None = None
    whole: bool = True

    def join(self, records: list[bytes]) -> bytes:
        """Put what was written for each row together, with the gaps where they were."""
        for row, data in reversed(self.gaps):
            records.insert(row, data)
        return b"".join(records)


class Progress(Protocol):
    """An input that knows how many of its bytes were read, as they lie on the disk."""

    @property
    def progress(self) -> int: ...


class Cursor:
    """The position of the readers that are at work on the inputs, one after the other."""

    def __init__(self) -> None:
        self._input = -1
        self._offset = self._rows = self._rejected = 0
        self._sha256 = hashlib.sha256()
        self._source: Progress
        self._progress = self._earlier = 0

    @property
    def chunk_rows(self) -> int:
        """Rows and rejects of the next chunk at most: few at first, so that scoring begins early."""
        return min(max(self._rows + self._rejected, _FIRST_ROWS), CHUNK_ROWS)

    @property
    def is_in_first_input(self) -> bool:
        return self._input == 0

    def open(self, source: Progress) -> None:
        """Move to the start of the next input."""
        self._earlier = self._progress
        self._source = source
        self._input += 1
        self._offset = 0

    def consume(self, data: bytes) -> None:
        """Add bytes to the hash of what was consumed."""
        self._sha256.update(data)

    def advance(self, offset: int, rows: int, rejects: Iterable[Reject]) -> Position:
        """Move behind the next chunk and give the position there."""
        self._offset += offset
        self._rows += rows
        self._rejected += sum(not reject.continued for reject in rejects)
        self._progress = self._earlier + self._source.progress
        return Position(
            input=self._input,
            offset=self._offset,
            rows=self._rows,
            rejected=self._rejected,
            sha256=self._sha256.hexdigest(),
            progress=self._progress,
        )


class _Draft:
    """The chunk that is being collected."""

    def __init__(self) -> None:
        self.texts: list[str | None] = []
        self.rows: list[Any] = []
        self.rejects: list[Reject] = []
        self.gaps: list[tuple[int, bytes]] = []
        self.head: Head | None = None
        self.raws: list[bytes] = []

    def finish(self, cursor: Cursor, *, whole: bool) -> Chunk:
        consumed = b"".join(self.raws)
        cursor.consume(consumed)
        position = cursor.advance(len(consumed), len(self.rows), self.rejects)
        return Chunk(
            self.texts, self.rows, self.rejects, position, len(consumed), self.gaps, self.head, whole
        )


def collect(
    events: Iterable[Event], cursor: Cursor, *, keep_gaps: bool, mark: bytes = b""
) -> Iterator[Chunk]:
    """Group what a text reader finds into chunks.

    Where whole chunks end depends on the input alone: pauses cut them further, but move no later end.

    :param keep_gaps: False: what is no row is left out.
    :param mark: a byte order mark before all of it; that of a further input is left out, as it would get
        between the rows.
    """
    draft = _Draft()
    if mark:
        draft.raws.append(mark)
        if keep_gaps and cursor.is_in_first_input:
            draft.gaps.append((0, mark))
    room, room_bytes = cursor.chunk_rows, CHUNK_BYTES
    for event in events:
        if type(event) is tuple:
            text, row, raw = event
            draft.texts.append(text)
            draft.rows.append(row)
        elif event is None:
            if draft.raws:
                yield draft.finish(cursor, whole=False)
                draft = _Draft()
            continue
        elif isinstance(event, Reject):
            draft.rejects.append(event)
            raw = event.raw
        elif isinstance(event, Head):
            draft.head = event
            draft.raws.append(event.raw)
            continue
        else:
            raw = cast(bytes, event)
            if keep_gaps:
                draft.gaps.append((len(draft.rows), raw))
        draft.raws.append(raw)
        room -= 1
        room_bytes -= len(raw)
        if room <= 0 or room_bytes <= 0:
            yield draft.finish(cursor, whole=True)
            draft = _Draft()
            room, room_bytes = cursor.chunk_rows, CHUNK_BYTES
    if draft.raws:
        yield draft.finish(cursor, whole=True)
