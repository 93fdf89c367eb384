"""What every format's module provides, and what it is told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Head
from sentcli.tables.options import ReadOptions

Labels = Sequence[str | None]
Scores = Sequence[float | None]


@dataclass(frozen=True)
class Setup:
    """What a run asks of its readers and its writer.

    :param options: how to read the inputs.
    :param names: of the new columns; none in lines.
    :param format: of the inputs.
    :param output_format: of the output; where it is another one, see `needs_values`.
    :param labels: that a row may get: what cannot be written is to end a run as it begins.
    """

    options: ReadOptions
    names: tuple[str, ...]
    format: str
    output_format: str
    labels: tuple[str, ...] = ()

    @property
    def converts(self) -> bool:
        return self.format != self.output_format

    @property
    def needs_values(self) -> bool:
        """The writer wants the values of all columns; of another format's, lines have the text alone."""
        return self.converts and self.output_format != "lines"


class Reader(Protocol):
    """Reads one input.

    :param first: the head of the first input that had one: the others have to agree with it.
    :param is_last: no other input follows.
    """

    def __call__(
        self, source: Source, setup: Setup, cursor: Cursor, first: Head | None, *, is_last: bool
    ) -> Iterator[Chunk]: ...


class Writer(Protocol):
    """Turns chunks with their results into the bytes of the output."""

    def begin(self, head: Head) -> bytes:
        """Give what comes before the first row; the head is that of the first input.

        :raises OutputError: when a name or a label cannot be written there.
        """

    def encode(self, chunk: Chunk, labels: Labels, scores: Scores) -> Iterable[bytes]:
        """Give the rows of a chunk with label and score, both empty for a blank row, in pieces."""

    def close(self) -> bytes:
        """Give what comes after the last row."""
