"""One output: read, score and write its rows; keep a ledger, and continue a stopped run from its ledger."""

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sentcli import __version__
from sentcli.errors import (
    DataError,
    ExistingOutputError,
    InterruptedRunError,
    LockedError,
    OutputError,
    ResumeError,
    SentcliError,
    UsageError,
    signal_of,
)
from sentcli.files import remote
from sentcli.files.atomic import resolve
from sentcli.files.lock import Lock
from sentcli.files.remote import is_url
from sentcli.files.sink import is_file, is_standard_output, remove
from sentcli.files.source import STANDARD, InputFile, inspect_input
from sentcli.runs.inputs import Reader, Setup, make_setup, refuse_inputs
from sentcli.runs.ledger import Ledger, read_done, write_done
from sentcli.runs.output import Output, default_rejects, refuse_both
from sentcli.runs.summary import Progress, Summary, counted
from sentcli.scoring import stop
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

_KEPT = "; what was scored so far is kept, and the same command continues"
# Seconds that a thread keeps the interpreter's lock. Scoring threads need the lock for microseconds between
# calls that release it. CPython's default of 5 ms is longer than most of these calls.
_TURN = 0.0005

# Errors that concern one output of a folder. Others, such as a full disk, would stop every output.
OF_ONE_OUTPUT = (DataError, UsageError, ExistingOutputError, ResumeError, LockedError)

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class JobOptions:
    """The options that all outputs of a run share.

    :param overwrite: start over, and replace the files that exist.
    :param in_folder: skip finished outputs and count them; each one gets a record file for this.
    :param waits: wait for an output that another run is writing.
    :param listing: the sizes of the objects in the folder, if it is at a URL; None: ask for each output.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    rejects: RejectOptions = field(default_factory=RejectOptions)
    overwrite: bool = False
    in_folder: bool = False
    waits: bool = True
    listing: Mapping[str, int] | None = None


def score_output(
    scorer: Scorer,
    inputs: Sequence[str],
    output: str,
    options: JobOptions,
    progress: Progress,
    *,
    name: str | None = None,
) -> Summary:
    """Score inputs to one output. The output gets its name only when it holds all rows.

    :param inputs: files, `-` for standard input, or URLs; their rows are written in this order.
    :param output: a file, `-` for standard output, a device, a pipe or a URL.
    :param name: what rejects and records call the input, if there is one; None: `inputs[0]`.
    :raises UsageError: for options that contradict each other.
    :raises DataError: if an input cannot be read, or too many rows are rejected.
    :raises ExistingOutputError: if the output exists.
    :raises ResumeError: if something that it depends on changed since its stopped or finished run.
    :raises LockedError: if another run holds the output, after two minutes if `options.waits`.
    :raises OutputError: if the output cannot be written.
    :raises InterruptedRunError: after a signal.
    """
    files = [inspect_input(path, name) for path in inputs]
    write = options.write
    if options.in_folder and options.read.format and not write.format:
        write = replace(write, format=options.read.format)  # suffixes may not name the format
    classes, labels = scorer.shown_classes, scorer.given_labels
    setup = make_setup(inputs, output, options.read, write, classes, labels)
    target = str(resolve(output)) if is_file(output) else output
    rejects = options.rejects.path
    if not rejects and (is_file(output) or is_url(output)):
        rejects = default_rejects(target if Path(output).is_symlink() else output)
    refuse_inputs(files, [output, *([rejects] if rejects else [])])
    _check_places(output, options.rejects.path)
    job = _Job(scorer, files, output, target, rejects, setup, options)
    with ExitStack() as stack:
        for path in (target, options.rejects.path):
            if path and is_file(path):
                stack.enter_context(Lock(resolve(path), check=stop.check, waits=options.waits))
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_TURN)
        return job.settle() or job.score(progress)


def _check_places(output: str, rejects: str | None) -> None:
    """Refuse a place that cannot be written, before the first row is scored.

    :param rejects: the name from --rejects.
    :raises UsageError: if rejects go to the same place as rows, or where a continued run cannot find them.
    :raises OutputError: for a name that `check_name` refuses.
    """
    if rejects and (
        (is_standard_output(output) and is_standard_output(rejects))
        or (is_file(output) and is_file(rejects) and resolve(rejects) == resolve(output))
    ):
        raise UsageError(f"{output}: the rejected rows cannot go there too; give another --rejects")
    if is_file(output) and rejects and not is_file(rejects) and not Path(rejects).is_dir():
        raise UsageError(f"{rejects}: the output is a file, so --rejects must name a file too")
    for name, option in ((output, "-o"), (rejects, "--rejects")):
        if name and name != STANDARD and not is_url(name):
            check_name(Path(name), option)


def check_name(path: Path, option: str) -> None:
    """Refuse a path that a file cannot have.

    :param option: the option that set the path, for messages.
    :raises OutputError: if the path is a folder, or is in a folder that does not exist.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; {option} takes the name of a file")
    folder = (resolve(path) if path.is_symlink() else path).parent  # as the user named it
    if not folder.is_dir():
        raise OutputError(f"{path}: there is no folder {folder}")


@dataclass
class _Job:
    """One output whose names and options are settled. Its files are locked."""

    scorer: Scorer
    files: Sequence[InputFile]
    name: str
    target: str
    rejects: str | None
    setup: Setup
    options: JobOptions

    def __post_init__(self) -> None:
        self.overwrite = self.options.overwrite
        self.ledger: Ledger | None = None

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """Everything that the output depends on, by the names that messages show to the user."""
        read, write = asdict(self.setup.options), asdict(self.options.write)
        conditions = {
            "inputs": [file.name for file in self.files],
            **self.scorer.fingerprint,
            "version of sentcli": __version__,
            "--input-format": read.pop("format"),
            "--output-format": write.pop("format"),
            "--rejects": self.options.rejects.path,
            **{f"--{name.replace('_', '-')}": value for name, value in (read | write).items()},
        }
        return json.loads(json.dumps(conditions))  # type: ignore[no-any-return]  # as read back

    @property
    def _is_remote(self) -> bool:
        """Whether the output is in a folder at a URL, where there are no locks and no ledgers."""
        return self.options.in_folder and is_url(self.target) and not self.options.rejects.path

    @cached_property
    def _listing(self) -> Mapping[str, int]:
        """The sizes of the output and its rejects at a URL, where they exist."""
        if self.options.listing is not None:
            return self.options.listing
        names = (self.target, str(self.rejects))
        return {name: remote.inspect(name)[0] or 0 for name in names if remote.exists(name)}

    def settle(self) -> Summary | None:
        """Check what earlier runs left; return the summary if the output is finished, None if rows remain.

        :raises ExistingOutputError: if the output exists and no stopped run can continue it.
        :raises ResumeError: if a condition changed.
        """
        if self._is_remote:
            return self._finished() if self.target in self._listing and not self.overwrite else None
        if not is_file(self.target):
            if not self.overwrite:
                refuse_both(self.name, self.rejects)
            return None
        target, rejects = Path(self.target), str(self.rejects)
        columns, labels = self.setup.results, self.setup.labels
        self.ledger = ledger = Ledger(target, labels, columns, overwrite=self.overwrite)
        if ledger.conditions is None:
            if self.overwrite:
                return None
            if self.options.in_folder and target.exists():
                return self._finished()
            refuse_both(self.name, rejects)
            return None
        if changed := _changes(ledger.conditions["run"], self.conditions):
            raise ResumeError(
                f"{self.name}: {changed} changed since the interrupted run. What was scored is kept: undo "
                "the change, or start over with --overwrite"
            )
        _log.info("%s: continuing after %s", self.name, counted(ledger.rows, "row"))
        self.overwrite = ledger.conditions["overwrite"] or _are_own(ledger.sizes, target, Path(rejects))
        if not self.overwrite:
            refuse_both(self.name, rejects)
        return None

    def _finished(self) -> Summary:
        """Return the summary of an output that an earlier run finished.

        :raises ExistingOutputError: if no earlier run recorded it as finished.
        :raises ResumeError: if a condition changed since.
        """
        record = read_done(self.target)
        if record is None:
            raise ExistingOutputError(
                f"{self.name} exists, and no run of this command made it; give another folder, or replace it "
                "with --overwrite"
            )
        size = self._listing[self.target] if self._is_remote else Path(self.target).stat().st_size
        if changed := _changes(record["facts"], self._facts(size)):
            raise ResumeError(
                f"{self.name} is finished, and {changed} changed since; give another folder, or replace "
                "it with --overwrite"
            )
        return Summary(**record["summary"])

    def score(self, progress: Progress) -> Summary:
        """Score the rows, and publish the output when it holds all of them."""
        output: Output | None = None
        started = time.perf_counter()
        try:
            if self.ledger:
                self.ledger.begin({"run": self.conditions, "overwrite": self.overwrite})
            with closing(Reader(self.files, self.setup)) as reader:
                output = Output(self.name, self.rejects, reader.writer(), self.options.rejects)
                return self._score(reader, output, progress, started)
        except BaseException as error:
            hint = _KEPT if self._leave(output, error) else ""
            where = "" if self.name == STANDARD else f"{self.name}: "
            if isinstance(error, KeyboardInterrupt):
                rows = counted(output.rows if output else 0, "row")
                raise InterruptedRunError(f"{where}stopped after {rows}{hint}", signal_of(error)) from None
            if isinstance(error, SentcliError) and not isinstance(error, ResumeError):
                named = isinstance(error, OutputError) and self.name not in str(error)
                raise type(error)(f"{where if named else ''}{error}{hint}") from error
            raise

    def _score(self, reader: Reader, output: Output, progress: Progress, started: float) -> Summary:
        summary = Summary(inputs=[file.fingerprint() for file in self.files])
        chunks = iter(reader)
        with progress.of(self.name, reader.total_bytes) as update:
            if self.ledger:
                names = [file.name for file in self.files]
                for chunk, scores in self.ledger.replay(chunks, names):
                    stop.check()
                    output.write(chunk, scores)
                    summary.count(scores)
            replayed = output.rows
            for chunk, scores in self.scorer.stream(chunks):
                output.write(chunk, scores)
                summary.count(scores)
                if self.ledger:
                    self.ledger.add(chunk, scores)
                update(chunk.position.progress, output.rows, output.rows - replayed)
        sizes = output.close(reader)
        summary.rows, summary.rejected = output.rows, output.rejected
        summary.text_columns = reader.text_columns
        if self.ledger:
            self.ledger.finish(sizes)
        self._make_room(is_rejected=output.rejected > 0)
        if self.options.in_folder and (self.ledger or self._is_remote):
            record = replace(summary, skipped=1)  # the same wherever and however often the output was begun
            write_done(self.target, self._facts(sizes[0]), record.to_record())
        output.publish()
        if output.rejected:
            place = f"; see {self.rejects}" if self.rejects else ""
            _log.warning("%s rejected%s%s", counted(output.rejected, "row"), output.main_reason, place)
        summary.scored = output.rows - replayed
        summary.seconds = time.perf_counter() - started
        if self.ledger:
            self.ledger.remove()
        return summary

    def _make_room(self, *, is_rejected: bool) -> None:
        """Remove what would pass for files of this run; refuse to replace other files.

        At a URL, an old output goes before the record of the new one is written.

        :param is_rejected: whether the output has rejects.
        :raises ExistingOutputError: if another program has created one of the files meanwhile.
        """
        if self._is_remote:
            for name in (self.target, str(self.rejects)):
                if name in self._listing:
                    remote.remove(name)
        elif not self.overwrite:
            refuse_both(self.name, self.rejects)
        elif self.rejects and not is_rejected:
            remove(self.rejects)

    def _facts(self, size: int) -> dict[str, Any]:
        """Return the conditions, with the fingerprints that show a change of the inputs or the output.

        :param size: bytes of the output.
        """
        return {
            **self.conditions,
            "the input": [file.fingerprint() for file in self.files],
            "the output": size,
        }

    def _leave(self, output: Output | None, error: BaseException) -> bool:
        """Discard the files of a failed or stopped run, except a ledger that was ever made durable.

        :returns: whether the same command can continue the run.
        """
        with suppress(OutputError), ExitStack() as stack:  # report the error that ended the run, not this one
            if output:
                stack.callback(output.discard)
            if self.ledger:
                stack.callback(self.ledger.close)
                if not self.ledger.is_kept:
                    self.ledger.remove()
                elif not isinstance(error, OutputError):
                    self.ledger.commit()
        return self.ledger is not None and self.ledger.is_kept


def _are_own(sizes: Sequence[int | None] | None, output: Path, rejects: Path) -> bool:
    """Return whether the files with these names, where they exist, are those of the stopped run."""
    if sizes is None:
        return False
    pairs = zip((output, rejects), sizes, strict=True)
    return all(not path.exists() or path.stat().st_size == size for path, size in pairs)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the conditions that differ, for a message."""
    return ", ".join(name for name in {**before, **now} if before.get(name) != now.get(name))
