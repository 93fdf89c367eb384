"""What all writers share: whether rows are copied, and which rows an output cannot hold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentcli.tables.chunk import Chunk, Results, Sheet
from sentcli.tables.options import ResultColumn, WriteOptions
from sentcli.tables.registry import is_conversion
from sentcli.tables.table import Table


class Writer(ABC):
    """Encodes chunks and their results as the bytes of the output, in the style of the first input.

    :param table: the first input that has records.
    :param write: with the format of the output.
    :param results: the new columns.
    :param scratch: a folder for temporary files next to the output; None: any temporary folder.
    """

    has_bounds = False  # True: `unfit` finds values that the output cannot hold

    def __init__(
        self, table: Table, write: WriteOptions, results: Sequence[ResultColumn], scratch: Path | None = None
    ) -> None:
        self.table, self.write, self.results = table, write, results
        self.names = [column.name for column in results]
        self.scratch = scratch
        self.converts = is_conversion(table.options, write)

    def misfits(self, chunk: Chunk) -> dict[int, str]:
        """Return the rows that the output cannot hold, each with the reason."""
        bad = chunk.unreadable() if self.converts else {}
        for row, values in enumerate(chunk.values() if self.has_bounds else ()):
            if row not in bad and (reason := next(filter(None, map(self.unfit, values)), "")):
                bad[row] = reason
        return bad

    def unfit(self, value: Any) -> str:
        """Return why the output cannot hold a value; empty if it can."""
        return ""

    def begin(self) -> bytes:
        """Return the bytes before the first row."""
        return b""

    @abstractmethod
    def encode(self, chunk: Chunk, results: Results) -> bytes:
        """Return the bytes of a chunk's rows with their results, which are empty for a blank row."""

    def close(self, summary: Sheet = ()) -> bytes:
        """Return the bytes after the last row; a format with sheets gets one with a summary."""
        return b""
