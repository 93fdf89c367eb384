"""The ledger of a run: the results so far, from which the same command continues after a stop.

A ledger is a sequence of records, each with a checksum. The first one holds the conditions of the run. One
record for each chunk follows: the position after the chunk, a hash of all input bytes up to there, its counts
and the values of its new columns. The last record says that the output is complete. A killed run may leave
half a record at the end, which is ignored.
"""

import json
import os
import struct
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from xxhash import xxh3_64_intdigest

from sentcli.errors import ChangedInputError, ResumeError, option
from sentcli.files import system
from sentcli.files.atomic import create, output_errors, temporary_path, write_all
from sentcli.scoring.labels import Counts
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.options import ResultColumn

COMMIT_SECONDS = 1.0  # the least time between two commits
_FRAME = struct.Struct("<QII")  # XXH3 of the rest of the record, bytes of its JSON, bytes of its scores
_POSITION = ("input", "offset", "rows", "rejected", "xxh3")
# The kinds of records, with the types of their values.
_CONDITIONS = {"run": dict, "overwrite": bool}
_COUNTS = {**dict.fromkeys(vars(Counts()), int), "labels": dict}
_CHUNK = {**dict.fromkeys(_POSITION, int), "xxh3": str, "counts": _COUNTS, "lists": list}
_END = {"sizes": list}

_Replayed = tuple[Chunk, Results, Counts]


class Ledger:
    """The ledger of an output, in a hidden file next to it.

    :ivar conditions: the conditions of the stopped run; None if there is no such run.
    :ivar sizes: bytes of that run's output and rejects; None if it was not yet about to rename them.
    :ivar rows: number of rows whose scores are in the file.
    :raises ResumeError: if the file is damaged.
    :raises OutputError: here and from all methods, if the file cannot be read or written.
    """

    def __init__(
        self, target: Path, labels: Sequence[str], columns: Sequence[ResultColumn], *, overwrite: bool
    ) -> None:
        self.conditions: dict[str, Any] | None = None
        self.sizes: list[int | None] | None = None
        self.rows = 0
        self._target = target
        self._path = temporary_path(target, "ledger")
        self._columns = columns
        fixed = [column for column in columns if not column.items]
        self._type = np.dtype([(column.name, "<f8" if column.is_number else "<u2") for column in fixed])
        self._labels = [*labels, None]
        self._codes = {label: code for code, label in enumerate(self._labels)}
        self._last_commit = time.monotonic()
        self._descriptor = -1
        self._end = 0  # bytes of whole records in the file
        self._pending: list[bytes] = []  # records that are not in the file yet
        self._pending_rows = 0
        self._parts: list[Results] = []  # of a chunk that was cut when a pipe paused
        self._counts = Counts()  # of these parts
        with output_errors(self._path):
            if overwrite:
                self._path.unlink(missing_ok=True)
            elif self._path.exists():
                self._load()

    def _load(self) -> None:
        with self._path.open("rb") as file:
            for entry, _ in _records(file):
                self.conditions = self.conditions or entry
                self.rows = entry.get("rows", self.rows)
                self.sizes = entry.get("sizes")
                self._end = file.tell()
            file.seek(0)
            if not self._end and _holds_record(file):
                hint = f"start over with {option('overwrite', True)}"
                raise ResumeError(f"{self._path} is damaged; {hint}")

    @property
    def is_kept(self) -> bool:
        """Whether another run can continue with the file."""
        return self._end > 0

    def begin(self, conditions: Mapping[str, Any]) -> None:
        """Begin a new ledger, written at the first commit, or open that of the stopped run to append."""
        if not self._end:
            self._pending.append(_record(conditions))
            return
        with output_errors(self._path):
            self._descriptor = os.open(self._path, os.O_RDWR | system.OWN_FILE)
            os.ftruncate(self._descriptor, self._end)

    def replay(self, chunks: Iterator[Chunk], names: Sequence[str]) -> Iterator[_Replayed]:
        """Read the chunks that the stopped run scored, and yield each with its results and counts."""
        if not self._end:
            return
        with self._path.open("rb") as file:
            for entry, data in _records(file):
                if "xxh3" in entry and not (yield from self._replay_record(chunks, entry, data)):
                    name = names[entry["input"] % len(names)]
                    raise ChangedInputError(
                        f"{name} changed since the interrupted run read it. What was scored is kept: restore "
                        f"the file, or start over with {option('overwrite', True)}"
                    )

    def _replay_record(
        self, chunks: Iterator[Chunk], entry: Mapping[str, Any], data: bytes
    ) -> Generator[_Replayed, None, bool]:
        """Read chunks up to the end of a record: more than one if a pipe pauses now where it did not before.

        :returns: whether the chunks match the record.
        """
        results = self._unpack(data, entry["lists"])
        start = 0
        for chunk in chunks:
            stop = start + len(chunk.texts)
            if stop > min(map(len, results)) or (chunk.whole and not _end_of(chunk).items() <= entry.items()):
                return False
            part = [values[start:stop] for values in results]
            yield chunk, part, Counts(**entry["counts"]) if chunk.whole else Counts()
            if chunk.whole:
                return True
            start = stop
        return False

    def add(self, chunk: Chunk, results: Results, counts: Counts) -> None:
        """Add the results of a chunk; commit if `COMMIT_SECONDS` have passed since the last commit."""
        self._parts.append(results)
        self._counts += counts
        if not chunk.whole:
            return
        data, lists = self._pack()
        entry = {**_end_of(chunk), "counts": vars(self._counts), "lists": lists}
        self._pending.append(_record(entry, data))
        self._pending_rows = chunk.position.rows
        self._parts.clear()
        self._counts = Counts()
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Write the records added since the last commit, and make the file durable."""
        data = b"".join(self._pending)
        with output_errors(self._path):
            if self._descriptor < 0:
                self._descriptor = create(self._path, self._target)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            write_all(self._descriptor, data)
            os.fsync(self._descriptor)
            if not self._end:
                system.sync(self._path.parent)
        self._pending.clear()
        self._end += len(data)
        self.rows = max(self.rows, self._pending_rows)
        self._last_commit = time.monotonic()

    def finish(self, sizes: tuple[int, int | None]) -> None:
        """Record durably that the files are about to get their final names, so that a later run owns them."""
        self._pending.append(_record({"sizes": sizes}))
        self.commit()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close and remove the file."""
        self.close()
        with output_errors(self._path):
            self._path.unlink(missing_ok=True)

    def _pack(self) -> tuple[bytes, list[list[Any]]]:
        """Encode the results: numbers with NaN for None, labels as codes; and return the columns of lists."""
        rows = np.empty(sum(len(part[0]) for part in self._parts), self._type)
        lists = []
        for column, parts in zip(self._columns, zip(*self._parts, strict=True), strict=True):
            values = list(chain.from_iterable(parts))
            if column.items:
                lists.append(values)
            else:
                rows[column.name] = values if column.is_number else [self._codes[label] for label in values]
        return rows.tobytes(), lists

    def _unpack(self, data: bytes, lists: list[list[Any]]) -> list[list[Any]]:
        """Decode what `_pack` encoded."""
        rows = np.frombuffer(data, self._type)
        results = []
        for column in self._columns:
            if column.items:
                results.append(lists.pop(0) if lists else [])
                continue
            values = rows[column.name]
            if column.is_number:
                objects = values.astype(object)
                objects[np.isnan(values)] = None
            else:
                objects = np.array(self._labels, object)[np.minimum(values, len(self._labels) - 1)]
            results.append(objects.tolist())
        return results


class NoLedger:
    """The ledger of an output that cannot be continued: nothing is kept."""

    is_kept = False

    def replay(self, *_: object) -> Iterator[_Replayed]:
        return iter(())

    def begin(self, *_: object) -> None:
        """Do nothing."""

    add = commit = finish = close = remove = begin


def _end_of(chunk: Chunk) -> dict[str, Any]:
    return {name: getattr(chunk.position, name) for name in _POSITION}


def _record(entry: Mapping[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entry).encode()
    rest = _FRAME.pack(0, len(text), len(data))[8:] + text + data
    return xxh3_64_intdigest(rest).to_bytes(8, "little") + rest


def _records(file: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Read records up to the first incomplete, damaged or foreign one."""
    kinds: tuple[dict[str, Any], ...] = (_CONDITIONS,)
    while _holds_record(file):
        frame = file.read(_FRAME.size)
        checksum, text_size, data_size = _FRAME.unpack(frame)
        content = file.read(text_size + data_size)
        entry = parse_record(content[:text_size], *kinds)
        if entry is None or xxh3_64_intdigest(frame[8:] + content) != checksum:
            return
        yield entry, content[text_size:]
        kinds = (_CHUNK, _END)


def _holds_record(file: BinaryIO) -> bool:
    """Return whether the rest of the file is at least as long as its next record says."""
    start = file.tell()
    frame = file.read(_FRAME.size)
    file.seek(start)
    left = os.fstat(file.fileno()).st_size - start
    return len(frame) == _FRAME.size and left >= _FRAME.size + sum(_FRAME.unpack(frame)[1:])


def parse_record(data: bytes, *kinds: dict[str, Any]) -> dict[str, Any] | None:
    """Return a record from JSON that anybody may have written; None if it is of none of these kinds."""
    with suppress(ValueError, RecursionError):  # of a value that is nested too deeply
        record = json.loads(data)
        if any(_is(record, kind) for kind in kinds):
            return record  # type: ignore[no-any-return]
    return None


def _is(value: Any, kind: Any) -> bool:
    """Return whether a value has a type, or the names of a kind with values of its types."""
    if isinstance(kind, type):
        return isinstance(value, kind)
    is_alike = isinstance(value, dict) and value.keys() == kind.keys()
    return is_alike and all(_is(value[name], of_name) for name, of_name in kind.items())
