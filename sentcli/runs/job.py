"""A run from inputs to an output in which nothing is lost: rows read = rows written + rows rejected."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import Any, Self

from sentcli.errors import DataError, OutputError, RejectsError, ResumeError, SentcliError
from sentcli.files.compression import Members
from sentcli.files.source import InputFile, Source
from sentcli.runs.ledger import changes, refuse_changes
from sentcli.runs.output import Output
from sentcli.tables.chunk import Chunk, Cursor, Head, Labels, Position, Reject, Scores
from sentcli.tables.options import RejectOptions, Setup
from sentcli.tables.registry import get_format

_log = logging.getLogger("sentcli")
_SHARE_FROM = 10_000  # rows read before a share of rejected ones means something
_START = Position(input=0, offset=0, rows=0, rejected=0, xxh3="")


class Job:
    """The inputs as chunks, and the output that takes them back with their results.

    Iterate in one thread; `write` each chunk in the order it came, in this thread or another; then `finish`.
    Leaving the `with` block before that leaves nothing under the final names.

    :param files: the inputs, in the order in which their rows go out.
    :param setup: how they are read and written.
    :param output: what they go to; of an interrupted run, with its state.
    :param rejects: how many rows may be rejected.
    :param members: what puts the output's bytes into a compressed file.
    :param commit_seconds: at least between two commits.
    :ivar rows: written so far, those of an interrupted run included; `rejected` likewise.
    :ivar resumed_rows: those of the interrupted run.
    :ivar notes: the caller's own, JSON: kept with each commit and given back to a resumed run. To be set by
        the thread that writes, before it writes the chunk that they are of.
    :ivar total_bytes: size of the inputs as they lie on the disk, None when one has no end yet.
    :ivar text_column: known when the first chunk is there; None of lines, which have no columns.
    """

    def __init__(
        self,
        files: Sequence[InputFile],
        setup: Setup,
        output: Output,
        rejects: RejectOptions,
        members: Members,
        commit_seconds: float,
    ) -> None:
        self._files = files
        self._setup = setup
        self._output = output
        self._reject_options = rejects
        self._members = members
        self._writer = get_format(setup.output_format).writer(setup)
        self._commit_seconds = commit_seconds
        self._last_commit = time.monotonic()
        state = output.state or {"position": _START.to_json(), "notes": {}, "complete": False}
        self._position = Position(**state["position"])  # of what was written
        self._is_complete = bool(state["complete"])
        self._kept_rows, self._written_notes = self._position.rows, state["notes"]
        self._read = _START
        self._is_read = self._is_finished = False
        self._is_settled = False  # all that was written so far could be committed
        self.rows, self.rejected = self._position.rows, self._position.rejected
        self.resumed_rows = self.rows
        self.notes: dict[str, Any] = state["notes"]
        self.text_column: str | None = None
        sizes = [file.size for file in files if file.size is not None]
        self.total_bytes = sum(sizes) if len(sizes) == len(files) else None
        if output.state:
            self._check_inputs(state["inputs"])
            _log.info("resuming after %d rows and %d rejected ones", self.rows, self.rejected)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Fingerprints of the inputs: path, size, time of change."""
        return [file.to_json() for file in self._files]

    @property
    def rejects_path(self) -> str | None:
        """Where rejected rows go; None: to standard error."""
        return self._output.rejects_path

    @property
    def resumable(self) -> bool:
        """After a failure: another run can go on with what this one has done."""
        return self._output.resumable

    @property
    def kept_rows(self) -> int:
        """Rows that another run would not have to score again, if the run is resumable."""
        return self._kept_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_finished:
            try:
                if self._is_settled and self.resumable and not isinstance(error, OutputError):
                    with suppress(OutputError):  # what ended the run is what is told
                        self._commit()
            finally:
                self._output.abort()

    def __iter__(self) -> Iterator[Chunk]:
        """Give the chunks that are not written yet.

        :raises DataError: when an input is not what it should be.
        :raises ResumeError: when an input is not what it was for the interrupted run.
        """
        if not self._is_complete:
            chunks = self._chunks()
            if self._output.state:
                self._pass_over(chunks)
            yield from chunks
        self._is_read = True

    def _chunks(self) -> Iterator[Chunk]:
        read = get_format(self._setup.format).reader()
        cursor = Cursor()
        first: Head | None = None
        for number, file in enumerate(self._files, start=1):
            with Source(file) as source:
                cursor.open(source)
                for chunk in read(source, self._setup, cursor, first, is_last=number == len(self._files)):
                    self._read = chunk.position
                    if chunk.head and first:
                        chunk = replace(chunk, head=None)
                    elif chunk.head:
                        first = chunk.head
                        if self._setup.format != "lines":
                            self.text_column = first.text_column
                    yield chunk

    def _pass_over(self, chunks: Iterator[Chunk]) -> None:
        """Read again what is done; write again what a file of the output's format could not keep."""
        done = self._position
        for chunk in chunks:
            begin = self._writer.begin(chunk.head) if chunk.head else b""
            if not get_format(self._setup.output_format).appends:
                rows = list(islice(self._output.results, len(chunk.texts)))
                if len(rows) < len(chunk.texts):
                    break  # the input has more rows here than it had
                self._write_rows(chunk, begin, [label for label, _ in rows], [score for _, score in rows])
            if (chunk.position.input, chunk.position.offset) >= (done.input, done.offset):
                break
        if self._read != done:
            name = self._files[min(done.input, len(self._files) - 1)].name
            raise ResumeError(f"{name} was changed after the interrupted run; start over without --resume")

    def write(self, chunk: Chunk, labels: Labels, scores: Scores) -> None:
        """Append the rows of a chunk with their results, and its rejects; commit now and then.

        :param labels: one a text; None for a blank row, as in `scores`.
        :raises DataError: when there are more rejected rows than may be.
        :raises OutputError: when something cannot be written.
        """
        self._is_settled = False
        self.rows += len(labels)
        self.rejected += len(chunk.rejects)
        self._position = chunk.position
        self._check_law(chunk.position)
        self._check_rejects(chunk.rejects)
        self._write_rows(chunk, self._writer.begin(chunk.head) if chunk.head else b"", labels, scores)
        self._output.write_results(labels, scores)
        if chunk.rejects:
            self._output.write_rejects(b"".join(reject.to_json() for reject in chunk.rejects))
        self._is_settled, self._written_notes = chunk.whole, self.notes
        if self._is_settled and time.monotonic() - self._last_commit >= self._commit_seconds:
            self._commit()

    def finish(self, note: Callable[[], None] = lambda: None) -> None:
        """Make everything durable and give the files their final names.

        :param note: called when they have them. A run that is killed before it returns can still be resumed.
        :raises DataError: when there are more rejected rows than may be.
        :raises OutputError: when something cannot be written; what was under the final names is still there.
        """
        self._is_settled = False
        if not self._is_complete:
            if not self._is_read:
                raise SentcliError("the output cannot be finished: the inputs were not read to their end")
            self._check_law(self._read)
            self._check_rejects((), is_end=True)
            self._output.write(self._members.add(self._writer.close()))
            self._output.write(self._members.end(is_empty=self._output.size == 0))
        self._output.publish(self._state(), note)
        self._is_finished = True

    def _write_rows(self, chunk: Chunk, begin: bytes, labels: Labels, scores: Scores) -> None:
        for piece in (begin, self._writer.encode(chunk, labels, scores)):
            self._output.write(self._members.add(piece))
        if chunk.whole:
            self._output.write(self._members.end())

    def _commit(self) -> None:
        self._output.commit(self._state())
        self._last_commit, self._kept_rows = time.monotonic(), self._position.rows

    def _state(self) -> dict[str, Any]:
        return {"position": self._position.to_json(), "notes": self._written_notes, "inputs": self.inputs}

    def _check_inputs(self, before: Sequence[Mapping[str, Any]]) -> None:
        """Refuse to go on if inputs that were read to their end are not those of the interrupted run.

        The one in progress has to be the same as far as it was read, which its hash tells. Later ones may
        have been mended, or be others.
        """
        now, done = self.inputs, len(before) if self._is_complete else self._position.input
        was_read, is_read = ({file["path"]: file for file in files[:done]} for files in (before, now))
        changed = changes({"inputs": was_read}, {"inputs": is_read})
        # A last row without a line end gets one where another input follows: this must not change either.
        order_before, order_now = (
            ([file["path"] for file in files[: done + 1]], len(files) > done + 1) for files in (before, now)
        )
        if order_before != order_now:
            changed.append("order")
        refuse_changes(self._output.name, changed)

    def _check_law(self, position: Position) -> None:
        if (self.rows, self.rejected) != (position.rows, position.rejected):
            raise SentcliError(
                f"{position.rows} rows and {position.rejected} rejected ones were read, "
                f"but {self.rows} and {self.rejected} written; the output is not kept"
            )

    def _check_rejects(self, rejects: Sequence[Reject], *, is_end: bool = False) -> None:
        options, read = self._reject_options, self.rows + self.rejected
        if options.strict and rejects:
            first = rejects[0]
            raise DataError(f"{first.input}: line {first.line}: {first.reason:.200} (--strict)")
        if options.strict and self.rejected:
            raise DataError(f"{self.rejected} rows were rejected before the run was interrupted (--strict)")
        if (is_end or read >= _SHARE_FROM or not options.is_share) and options.exceeded(self.rejected, read):
            last = self._files[self._position.input].name
            where = f"{len(self._files)} inputs, up to {last}" if len(self._files) > 1 else last
            raise RejectsError(
                f"{where}: {self.rejected} of {read} rows rejected, more than --max-rejects {options.limit}"
            )
