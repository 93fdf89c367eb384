"""One output: read, score and write its rows; keep a ledger, and continue from the one of a stopped run."""

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sentcli import __version__
from sentcli.errors import (
    ExistingOutputError,
    InterruptedRunError,
    OutputError,
    ResumeError,
    SentcliError,
    UsageError,
    signal_of,
)
from sentcli.files.atomic import resolve
from sentcli.files.lock import Lock
from sentcli.files.remote import is_url
from sentcli.files.sink import is_file, is_standard_output
from sentcli.files.source import STANDARD, InputFile, inspect_input
from sentcli.runs.inputs import Reader, check_heads, make_setup, refuse_inputs
from sentcli.runs.ledger import Ledger, read_done, write_done
from sentcli.runs.output import Output, default_rejects, refuse_both
from sentcli.runs.summary import Progress, Summary, counted
from sentcli.scoring import stop
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import RESULT_COLUMNS, ReadOptions, RejectOptions, Setup, WriteOptions

_KEPT = "; what was scored so far is kept, and the same command continues"
# Seconds that a thread keeps the interpreter's lock. Those that score need it for microseconds between two
# calls that release it, and CPython's 5 ms are longer than most of these calls.
_TURN = 0.0005

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class JobOptions:
    """What all outputs of a run share.

    :param overwrite: start over, and replace the files that exist.
    :param in_folder: leave a finished output alone, and count it; keep a record of each for that.
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    rejects: RejectOptions = field(default_factory=RejectOptions)
    overwrite: bool = False
    in_folder: bool = False


def score_output(
    scorer: Scorer, inputs: Sequence[str], output: str, options: JobOptions, progress: Progress
) -> Summary:
    """Score inputs to one output. It shows under its name when all rows are in it.

    :param inputs: files, `-` for standard input, URLs: their rows go out one after the other.
    :param output: a file, `-` for standard output, a device or pipe, a URL.
    :raises UsageError: for options that do not fit together.
    :raises DataError: if an input cannot be read, or too many rows are rejected.
    :raises ExistingOutputError: if the output exists.
    :raises ResumeError: if what it depends on changed since a run of it was stopped, or finished.
    :raises LockedError: if another run writes it for more than a minute.
    :raises OutputError: if it cannot be written.
    :raises InterruptedRunError: after a signal.
    """
    files = [inspect_input(name) for name in inputs]
    setup = make_setup(inputs, output, options.read, options.write)
    setup = replace(setup, labels=tuple(scorer.given_labels))
    target = str(resolve(output)) if is_file(output) else output
    rejects = options.rejects.path
    if not rejects and (is_file(output) or is_url(output)):
        rejects = default_rejects(target if Path(output).is_symlink() else output)
    refuse_inputs(files, [output, *([rejects] if rejects else [])])
    _check_places(output, options.rejects.path)
    if len(files) > 1:
        check_heads(files, setup)
    if setup.output_format == "lines" != setup.format:
        _log.warning("%s: lines hold label, score and text; other columns are left out", output)
    job = _Job(scorer, files, output, target, rejects, setup, options)
    with ExitStack() as stack:
        for path in (target, options.rejects.path):
            if path and is_file(path):
                stack.enter_context(Lock(resolve(path), check=stop.check))
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_TURN)
        return job.settle() or job.score(progress)


def _check_places(output: str, rejects: str | None) -> None:
    """Refuse, before the first row is scored, a place that cannot be written.

    :param rejects: the name that the user gave.
    :raises UsageError: if rejects would go to the same place, or to one that a stopped run cannot find again.
    :raises OutputError: for a folder, and in one that does not exist.
    """
    if rejects and (
        (is_standard_output(output) and is_standard_output(rejects))
        or (is_file(output) and is_file(rejects) and resolve(rejects) == resolve(output))
    ):
        raise UsageError(f"{output}: the rejected rows cannot go there too; give another --rejects")
    if is_file(output) and rejects and not is_file(rejects) and not Path(rejects).is_dir():
        raise UsageError(f"{rejects}: beside a file, the rejected rows go to a file too")
    for name, option in ((output, "-o"), (rejects, "--rejects")):
        if name and name != STANDARD and not is_url(name):
            check_name(Path(name), option)


def check_name(path: Path, option: str) -> None:
    """Refuse what cannot be the name of a file.

    :param option: that gives it.
    :raises OutputError: for a folder, and in one that does not exist.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; {option} takes the name of a file")
    if not resolve(path).parent.is_dir():
        raise OutputError(f"{path}: there is no folder {resolve(path).parent}")


@dataclass
class _Job:
    """One output, of which everything is known but its rows. Its files are locked."""

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
        """What the output depends on, under the names that a user knows."""
        read, write = asdict(self.options.read), asdict(self.options.write)
        conditions = {
            "inputs": [file.name for file in self.files],
            **self.scorer.fingerprint,
            "version of sentcli": __version__,
            "new columns": [column.name for column in RESULT_COLUMNS],
            "--input-format": read.pop("format"),
            "--output-format": write.pop("format"),
            "--rejects": self.options.rejects.path,
            **{f"--{name.replace('_', '-')}": value for name, value in (read | write).items()},
        }
        return json.loads(json.dumps(conditions))  # type: ignore[no-any-return]  # as a file gives it back

    def settle(self) -> Summary | None:
        """Look at what earlier runs left; return the summary if the output is finished, None if rows remain.

        :raises ExistingOutputError: if the output exists and is nobody's unfinished work.
        :raises ResumeError: if a condition changed.
        """
        if not is_file(self.target):
            if not self.overwrite:
                refuse_both(self.name, self.rejects)
            return None
        target, rejects = Path(self.target), str(self.rejects)
        self.ledger = ledger = Ledger(target, self.setup.labels, overwrite=self.overwrite)
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

        :raises ExistingOutputError: if it is not known to be one.
        :raises ResumeError: if it depends on something that changed.
        """
        record = read_done(Path(self.target))
        if record is None:
            raise ExistingOutputError(
                f"{self.name} exists, and no run of this command made it; give another folder, or replace it "
                "with --overwrite"
            )
        if changed := _changes(record["facts"], self._facts()):
            raise ResumeError(
                f"{self.name} is finished, and {changed} changed since; give another folder, or make it anew "
                "with --overwrite"
            )
        return replace(Summary(**record["summary"]), skipped=1, scored=0, seconds=0.0)

    def score(self, progress: Progress) -> Summary:
        """Score the rows, and publish the output when all of them are in it."""
        output: Output | None = None
        try:
            if self.ledger:
                self.ledger.begin({"run": self.conditions, "overwrite": self.overwrite})
            output = Output(
                self.name, self.rejects, self.setup, self.options.rejects, overwrite=self.overwrite
            )
            return self._score(output, progress)
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

    def _score(self, output: Output, progress: Progress) -> Summary:
        started = time.perf_counter()
        summary = Summary(inputs=[file.fingerprint() for file in self.files])
        reader = Reader(self.files, self.setup)
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
        summary.text_columns = [reader.text_column] if reader.text_column is not None else []
        if self.ledger:
            self.ledger.finish(sizes)
        output.publish()
        if output.rejected and self.rejects:
            _log.warning("%s rejected: see %s", counted(output.rejected, "row"), self.rejects)
        summary.scored = output.rows - replayed
        summary.seconds = time.perf_counter() - started
        if self.ledger:
            if self.options.in_folder:
                write_done(Path(self.target), self._facts(), summary.to_record())
            self.ledger.remove()
        return summary

    def _facts(self) -> dict[str, Any]:
        """Return the conditions, and what tells a finished output and its inputs from changed ones."""
        return {
            **self.conditions,
            "the input": [file.fingerprint() for file in self.files],
            "the output": Path(self.target).stat().st_size,
        }

    def _leave(self, output: Output | None, error: BaseException) -> bool:
        """Keep the ledger of a run that failed or was stopped, if it was ever made durable, and nothing else.

        :returns: whether another run can continue.
        """
        with suppress(OutputError), ExitStack() as stack:  # the error that ended the run is the one to report
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
    """Return whether a stopped run gave these names to its files, as far as they exist."""
    if sizes is None:
        return False
    pairs = zip((output, rejects), sizes, strict=True)
    return all(not path.exists() or path.stat().st_size == size for path, size in pairs)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the conditions that differ, for a message."""
    return ", ".join(name for name in {**before, **now} if before.get(name) != now.get(name))
