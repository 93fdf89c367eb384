"""One output and its rejects file. Each write checks that rows written and rejected equal rows read."""

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from sentcli.config import LOG, NOTE
from sentcli.errors import RejectsError, SentcliError, counted, option
from sentcli.files.atomic import AtomicFile
from sentcli.files.compression import Compressor, compression_of
from sentcli.files.sink import Sink, Target, is_terminal, open_sink
from sentcli.runs.inputs import Inputs
from sentcli.runs.label_next import LabelNext
from sentcli.tables.chunk import Chunk, Position, Reject, Results, Sheet
from sentcli.tables.options import RejectOptions
from sentcli.tables.registry import Writer

_SHARE_FROM = 10_000  # rows to read before --max-rejects P% is checked
_MOST_SHOWN = 10  # rejects in a terminal
_OF_ONE_ROW = re.compile(r"'.*'|0x\w+|\d+")  # what differs among reasons of one kind
_OFFSET = re.compile(r" at offset \d+")


class Output:
    """An output and its rejects; only `publish` gives the files their final names.

    :param targets: the output, and the file for its rejects, if they do not go to standard error.
    :raises OutputError: here and from all methods, if a file cannot be written.
    """

    def __init__(self, targets: Sequence[Target], writer: Writer, options: RejectOptions) -> None:
        self._begin = writer.begin()  # before a file is created, because it may fail
        self.rows = self.rejected = 0
        self._rejects_target = targets[1] if len(targets) > 1 else None
        self._options = options
        self._kinds: Counter[str] = Counter()  # of reasons
        self._examples: dict[str, Reject] = {}  # the first of each kind
        self._writer = writer
        self._label_next = LabelNext(writer, writer.write.label_next) if writer.write.label_next else None
        self._compressor = Compressor(compression_of(targets[0].name))
        self._rejects: Sink | None = None
        self._sink = open_sink(targets[0])
        self._is_brief = self._rejects_target is None and is_terminal(sys.stderr)

    def write(self, chunk: Chunk, results: Results) -> None:
        """Append the rows of a chunk with the values of the new columns, and its rejects.

        :raises RejectsError: if more rows were rejected than the limit allows.
        """
        self.rows += len(results[0])
        self.rejected += len(chunk.rejects)
        self._check_law(chunk.position)
        if chunk.rejects:
            for reject in chunk.rejects:
                kind = _OF_ONE_ROW.sub("", reject.reason)
                self._kinds[kind] += 1
                self._examples.setdefault(kind, reject)
            self._check_rejects(is_end=False)
            self._rejects = self._rejects or open_sink(self._rejects_target)
            self._rejects.write(b"".join(self._shown(chunk.rejects)))
        if self._label_next:
            self._label_next.add(chunk, results)
        else:
            self._write(self._writer.encode(chunk, results))

    def _shown(self, rejects: Sequence[Reject]) -> Iterator[bytes]:
        """Return the rejects as JSON; for a terminal, the first ones of the output as brief lines."""
        if not self._is_brief:
            return (reject.to_json() for reject in rejects)
        room = max(_MOST_SHOWN - self.rejected + len(rejects), 0)
        return (reject.to_line() for reject in rejects[:room])

    def _write(self, data: bytes) -> None:
        data, self._begin = self._begin + data, b""
        self._sink.write(self._compressor.add(data))

    def close(self, inputs: Inputs, summary: Sheet = ()) -> tuple[int, int | None]:
        """Write the end of the output, and make both files durable.

        :returns: the sizes in bytes of the output and of the rejects, None if no row was rejected.
        """
        if not inputs.is_finished:
            raise SentcliError("the output cannot be finished: the inputs were not read to their end")
        self._check_law(inputs.position)
        self._check_rejects(is_end=True)
        if self._label_next:
            self._write(self._label_next.encode())
        self._write(self._writer.close(summary))
        self._sink.write(self._compressor.close())
        for sink in (self._rejects, self._sink):
            if isinstance(sink, AtomicFile):
                sink.sync()
        return self._sink.size, self._rejects.size if self._rejects else None

    def publish(self) -> None:
        """Rename the files to their final names, rejects first, so that no output exists without them."""
        if self._rejects:
            self._rejects.publish()
        self._sink.publish()
        if self.rejected:
            self._log_rejects()

    def discard(self) -> None:
        """Remove the temporary files; publish nothing."""
        with ExitStack() as stack:
            stack.callback(self._sink.discard)
            if self._rejects:
                self._rejects.discard()

    def _log_rejects(self) -> None:
        """Log the number of rejects, with the commonest reason."""
        ((kind, _),) = self._kinds.most_common(1)
        mostly = ", mostly" if len(self._kinds) > 1 else ""
        reason = _OFFSET.sub("", self._examples[kind].reason)
        hint = f"; keep them with {option('rejects', 'FILE')}" if self._is_brief else ""
        level = logging.WARNING  # standard error has the rejects themselves
        if self._rejects_target:
            level, hint = NOTE, f"; see {self._rejects_target.name}"
        LOG.log(level, "%s rejected%s: %.300s%s", counted(self.rejected, "row"), mostly, reason, hint)

    def _check_law(self, position: Position) -> None:
        if (self.rows, self.rejected) != (position.rows, position.rejected):
            read = f"{position.rows:,} rows and {position.rejected:,} rejected ones were read"
            written = f"{self.rows:,} and {self.rejected:,} written"
            raise SentcliError(f"{read}, but {written}; the output is not kept")

    def _check_rejects(self, *, is_end: bool) -> None:
        options, read = self._options, self.rows + self.rejected
        is_early = options.is_share and not is_end and read < _SHARE_FROM
        if self.rejected and not is_early and options.exceeded(self.rejected, read):
            first = next(iter(self._examples.values()))
            limit = option("max_rejects", options.limit)
            where = f"{first.input}, line {first.line:,}: {first.reason:.200}"
            what = f"{self.rejected:,} of {read:,} rows rejected, more than {limit}"
            raise RejectsError(f"{what}; the first in {where}")
