"""The ledger of a run: the results so far, from which the same command continues after a stop.

Each line of the file is a record: a checksum of the rest of the line, an object in JSON, and the values of
the new columns, with tabs between the three. The values are lists in JSON, compressed and in Base64. The
first record holds the conditions of the run. One record for each chunk follows: its values, its counts and
the position after it, with a hash of all input bytes up to there. The last record says that the output is
complete. A killed run may leave a part of a line at the end, which is ignored.
"""

import json
import os
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from xxhash import xxh3_64_hexdigest

from sentcli.config import is_a
from sentcli.errors import ChangedInputError, ResumeError, option
from sentcli.files import system
from sentcli.files.atomic import TemporaryFile, create, output_errors, write_all
from sentcli.scoring.labels import Counts
from sentcli.tables.chunk import Chunk, Position, Results

COMMIT_SECONDS = 1.0  # the least time between two commits
# The kinds of records, with the types of their values.
_CONDITIONS = {"run": dict, "overwrite": bool}
_CHUNK = {
    "position": {field.name: field.type for field in fields(Position)},
    "counts": {**dict.fromkeys(vars(Counts()), int), "labels": dict},
}
_END = {"sizes": list}

_Replayed = tuple[Chunk, Results, Counts]


class Ledger(TemporaryFile):
    """The ledger of an output, in a hidden file next to it.

    :ivar conditions: the conditions of the stopped run; None if there is no such run.
    :ivar sizes: bytes of that run's output and rejects; None if it was not yet about to rename them.
    :ivar rows: number of rows whose scores the stopped run left in the file.
    :raises ResumeError: if the file is damaged.
    :raises OutputError: here and from all methods, if the file cannot be read or written.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        super().__init__(target, "ledger")
        self.conditions: dict[str, Any] | None = None
        self.sizes: list[int | None] | None = None
        self.rows = 0
        self._last_commit = time.monotonic()
        self._end = 0  # bytes of whole records in the file
        self._pending: list[bytes] = []  # records that are not in the file yet
        self._parts: list[Results] = []  # results of a chunk that was cut when a pipe paused
        self._counts = Counts()  # counts of these parts
        with output_errors(self._path):
            if overwrite:
                self._path.unlink(missing_ok=True)
            elif self._path.exists():
                self._load()

    def _load(self) -> None:
        for record, _, size in self._records():
            self.conditions = self.conditions or record
            self.sizes = record.get("sizes")
            if "position" in record:
                self.rows = record["position"]["rows"]
            self._end += size

    def _records(self) -> Iterator[tuple[dict[str, Any], bytes, int]]:
        """Read records up to the first incomplete, damaged or foreign one: object, values and size."""
        kinds: tuple[dict[str, Any], ...] = (_CONDITIONS,)
        with self._path.open("rb") as file:
            for line in file:
                checksum, _, rest = line.partition(b"\t")
                text, _, values = rest.partition(b"\t")
                record = parse_record(text, *kinds)
                if record is None or xxh3_64_hexdigest(rest).encode() != checksum:
                    if file.tell() == len(line) and line.endswith(b"\n"):
                        hint = f"start over with {option('overwrite', True)}"
                        raise ResumeError(f"{self._path} is damaged; {hint}")
                    return
                yield record, values, len(line)
                kinds = (_CHUNK, _END)

    @property
    def is_kept(self) -> bool:
        """Whether another run can continue with the file."""
        return self._end > 0

    def begin(self, conditions: Mapping[str, Any]) -> None:
        """Begin a new ledger, written at the first commit, or open that of the stopped run to append."""
        if not self._end:
            self._add(conditions)
            return
        with output_errors(self._path):
            self._descriptor = os.open(self._path, os.O_RDWR | system.OWN_FILE)
            os.ftruncate(self._descriptor, self._end)

    def replay(self, chunks: Iterator[Chunk], names: Sequence[str]) -> Iterator[_Replayed]:
        """Read the chunks that the stopped run scored, and yield each with its results and counts."""
        for record, values, _ in self._records() if self._end else ():
            if "position" in record and not (yield from self._replay_record(chunks, record, values)):
                name = names[record["position"]["input"] % len(names)]
                hint = f"restore the file, or start over with {option('overwrite', True)}"
                what = f"{name} changed since the interrupted run read it. What was scored is kept"
                raise ChangedInputError(f"{what}: {hint}")

    def _replay_record(
        self, chunks: Iterator[Chunk], record: Mapping[str, Any], values: bytes
    ) -> Generator[_Replayed, None, bool]:
        """Read chunks up to the end of a record: more than one if a pipe pauses now where it did not before.

        :returns: whether the chunks match the record.
        """
        results = orjson.loads(zlib.decompress(b64decode(values)))
        position = Position(**record["position"])
        start = 0
        for chunk in chunks:
            stop = start + len(chunk.texts)
            if stop > min(map(len, results)) or (chunk.whole and chunk.position != position):
                return False
            part = [column[start:stop] for column in results]
            yield chunk, part, Counts(**record["counts"]) if chunk.whole else Counts()
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
        columns = [[*chain.from_iterable(parts)] for parts in zip(*self._parts, strict=True)]
        record = {"position": asdict(chunk.position), "counts": vars(self._counts)}
        self._add(record, b64encode(zlib.compress(orjson.dumps(columns), level=1)))
        self._parts.clear()
        self._counts = Counts()
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def _add(self, record: Mapping[str, Any], values: bytes = b"") -> None:
        rest = json.dumps(record).encode() + b"\t" + values + b"\n"
        self._pending.append(xxh3_64_hexdigest(rest).encode() + b"\t" + rest)

    def commit(self) -> None:
        """Write the records added since the last commit, and make the file durable."""
        if not self._pending:
            return
        data = b"".join(self._pending)
        with output_errors(self._path):
            if self._descriptor < 0:
                self._descriptor = create(self._path, self.target)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            write_all(self._descriptor, data)
            os.fsync(self._descriptor)
            if not self._end:
                system.sync(self._path.parent)
        self._pending.clear()
        self._end += len(data)
        self._last_commit = time.monotonic()

    def finish(self, sizes: tuple[int, int | None]) -> None:
        """Record durably that the files are about to get their final names, so that a later run owns them."""
        self._add({"sizes": sizes})
        self.commit()


class NoLedger:
    """The ledger of an output that cannot be continued: nothing is kept."""

    conditions = sizes = None
    is_kept, rows = False, 0

    def replay(self, *_: object) -> Iterator[_Replayed]:
        return iter(())

    def begin(self, *_: object) -> None:
        """Do nothing."""

    add = commit = finish = close = discard = begin


def parse_record(data: bytes, *kinds: dict[str, Any]) -> dict[str, Any] | None:
    """Return a record from JSON that anybody may have written; None if it is of none of these kinds."""
    with suppress(ValueError, RecursionError):  # RecursionError: nested too deeply
        record = json.loads(data)
        if any(is_a(record, kind) for kind in kinds):
            return record  # type: ignore[no-any-return]
    return None
