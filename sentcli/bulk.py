"""From files to scored files: a job of `sentcli.tables`, the scores of `sentcli.scoring`, a summary."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from sentcli import __version__
from sentcli.errors import (
    DataError,
    InterruptedRunError,
    OutOfMemoryError,
    OutputError,
    ProcessError,
    RejectsError,
    ResumeError,
    UsageError,
    is_short_of_threads,
    signal_of,
)
from sentcli.finished import FinishedOutputs, give_up, known_inputs
from sentcli.scoring import Scorer
from sentcli.summary import Summary, counted
from sentcli.tables import Job, ReadOptions, RejectOptions, WriteOptions, open_job, plan_outputs
from sentcli.tables.journal import Journal
from sentcli.tables.opening import check_job, refuse_inputs
from sentcli.tables.output import check_name, default_rejects, is_there, refuse_existing
from sentcli.tables.remote import as_path, is_url
from sentcli.tables.source import STANDARD
from sentcli.tables.storage import Part, is_special, is_standard_output, is_standard_stream, resolve
from sentcli.uncertainty import UNCERTAIN

_log = logging.getLogger("sentcli")

_THERE = "; {command} goes on from there"
_MENDED_FIRST = "; once this is mended, {command} goes on"
_MENDED = "; what was scored so far is kept: once this is mended, {command} goes on"
_HIGHER = "; what was scored so far is kept: with a higher --max-rejects, {option} goes on"
_FEWER = "what was scored so far is kept: with fewer --workers or --processes, {option} goes on"
_RESUMED = {"command": "the same command with --resume", "option": "--resume"}
_REPEATED = {"command": "the same command", "option": "it"}  # which goes on by itself
_LESS = "try fewer --workers or --processes"
_SMALLER = f"{_LESS}, or a lower --field-limit"
_TURN = 0.0005  # seconds
_SILENCE = 600.0  # seconds after which a log is told how far a run is


def score_files(
    scorer: Scorer,
    inputs: Sequence[str],
    output: str,
    *,
    read: ReadOptions | None = None,
    write: WriteOptions | None = None,
    rejects: RejectOptions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    keep_going: bool = False,
    summary_file: Path | None = None,
    show_progress: bool = False,
) -> Summary:
    """Score every row of the inputs; each output stands under its name when all of its rows are in it.

    :param inputs: paths, globs, URLs or `-` for stdin.
    :param output: a file, a folder for one output an input, or `-` for stdout.
    :param skip_existing: leave out what has its output already, whatever is in that, and go on with an output
        whose run was interrupted.
    :param keep_going: of several outputs, make the others where one has an input that cannot be read, and
        count it as failed.
    :param summary_file: what the caller is going to write; refused here, before time is spent.
    :param show_progress: say on stderr how far the run is.
    :raises UsageError: for options that do not go together.
    :raises DataError: for an input that cannot be read, or more rejects than allowed.
    :raises OutputError: for an output that exists, cannot be written, or cannot be resumed.
    :raises BundleError: when the model fails, or was changed before another process read it.
    :raises ProcessError: when another thread or process that scores cannot be started, or is gone.
    :raises OutOfMemoryError: when memory is short.
    :raises MissingExtraError: for a URL, when what reads and writes those is not installed.
    :raises InterruptedRunError: after a signal.
    """
    read, write, rejects = read or ReadOptions(), write or WriteOptions(), rejects or RejectOptions()
    output = as_path(output)
    pairs = plan_outputs(inputs, output, write)
    rejects = replace(rejects, path=as_path(rejects.path) if rejects.path else None)
    if summary_file:
        targets = [target for _, target in pairs]
        written = [*targets, *map(default_rejects, targets), *filter(None, [rejects.path])]
        files = [*written, *(name for names, _ in pairs for name in names)]
        _check_summary(summary_file, output, files, overwrite)
    into_folder = pairs[0][1] != output
    if rejects.path and len(pairs) > 1:
        raise UsageError(f"--rejects is one file for {len(pairs)} outputs; leave it out: each gets its own")
    if keep_going and not into_folder:
        raise UsageError("--keep-going is for a folder of outputs; give -o FOLDER/")
    if skip_existing and resume:
        raise UsageError("--skip-existing goes on by itself where a run was stopped; leave out --resume")
    if skip_existing and any(len(names) > 1 for names, _ in pairs):
        raise UsageError("--skip-existing is for outputs of one input each; give -o FOLDER/")
    skipped = 0
    if skip_existing:
        every, pairs = pairs, _without_existing(pairs)
        skipped = len(every) - len(pairs)
    if into_folder and read.format and not write.format:
        write = replace(write, format=read.format)  # the suffixes do not tell
    band = scorer.uncertain
    fingerprint = {
        "model": scorer.bundle.digest,
        "backend": scorer.backend,
        "runtime": scorer.runtime,
        "uncertain": [band.low, band.high] if band else None,
    }
    score = partial(
        _score_output,
        scorer,
        read=read,
        write=write,
        rejects=rejects,
        fingerprint=fingerprint,
        labels=[*scorer.labels, UNCERTAIN] if band else scorer.labels,
        overwrite=overwrite,
        progress=_Progress(shown=show_progress),
        again=_REPEATED if skip_existing else _RESUMED,
    )
    if not into_folder or rejects.path:
        if skip_existing:
            return _go_on(score, *pairs[0]) if pairs else Summary(skipped=skipped)
        return score(*pairs[0], resume=resume)
    for sources, target in pairs:
        try:
            check_job(sources, target, read, write)
        except DataError:
            if not keep_going:  # else it is told when its turn comes
                raise
    conditions = {**fingerprint, "sentcli": __version__, "read": asdict(read), "write": asdict(write)}
    with FinishedOutputs(Path(output), pairs, conditions, resume=resume, overwrite=overwrite) as finished:
        total = Summary(skipped=skipped)
        total.restore(finished.notes)
        total.inputs = finished.inputs
        if finished.count:
            _log.info("%s: %s finished already", output, counted(finished.count, "output"))

        return _score_outputs(score, finished, total, goes_on=skip_existing, keep_going=keep_going)


def _without_existing(pairs: Sequence[tuple[list[str], str]]) -> list[tuple[list[str], str]]:
    """Leave out the outputs that are there already, and what would go into them.

    :raises OutputError: when one of them is an input of this run: all would seem to be scored.
    """
    targets = [target for _, target in pairs]
    files = known_inputs([name for names, _ in pairs for name in names])
    refuse_inputs(files, [*targets, *map(default_rejects, targets)])
    existing = {target for target in targets if not _is_stream(target) and is_there(target)}
    if existing:
        _log.info("there already, and left alone: %s", counted(len(existing), "output"))
    changed = {file.name: file.mtime_ns for file in files if file.mtime_ns}
    newer = [
        names[0]
        for names, target in pairs
        if target in existing
        and not is_url(target)
        and changed.get(names[0], 0) > Path(target).stat().st_mtime_ns
    ]
    if newer:
        more = f", and {len(newer) - 1} more" if len(newer) > 1 else ""
        _log.warning("changed since its output was made, which is left alone: %s%s", newer[0], more)
    return [pair for pair in pairs if pair[1] not in existing]


def _is_stream(target: str) -> bool:
    return target == STANDARD or is_special(target)


def _go_on(score: Callable[..., Summary], sources: Sequence[str], target: str, **options: Any) -> Summary:
    """Score one output from where a run of it was interrupted, if that can be, else from its beginning."""
    if not (_is_stream(target) or is_url(target)) and Journal(resolve(target)).exists:
        try:
            return score(sources, target, resume=True, **options)
        except ResumeError:
            _log.warning("%s: begun on other conditions, or of another input; it starts over", target)
            give_up(resolve(target))
    return score(sources, target, **options)


def _score_outputs(
    score: Callable[..., Summary],
    finished: FinishedOutputs,
    total: Summary,
    *,
    goes_on: bool,
    keep_going: bool,
) -> Summary:
    """Score what is not finished, one output after the other.

    :param total: of those that are.
    :param goes_on: with whatever was begun, also by another run than the one that is resumed.
    :param keep_going: leave those that fail to the end.
    """

    def note(part: Summary) -> None:
        finished.add((total + part).carried(), part.inputs)

    failed: set[str] = set()
    while finished.next and finished.next[1] not in failed:
        sources, target = finished.next
        begin = partial(_go_on, score) if goes_on or finished.goes_on(target) else score
        try:
            total += begin(sources, target, note=note, is_resumable=True)
        except DataError as error:
            if not keep_going:
                raise
            _log.error("%s", error.__cause__ or error)  # how to go on is said at the end
            failed.add(target)
            finished.postpone()
    total.failed = len(failed)
    return total


def _score_output(
    scorer: Scorer,
    sources: Sequence[str],
    target: str,
    *,
    progress: "_Progress",
    again: Mapping[str, str],
    note: Callable[[Summary], None] = lambda _: None,
    is_resumable: bool = False,
    **options: Any,
) -> Summary:
    """Score one output; errors say whether another run could go on.

    :param again: what that would be, for the texts above.
    :param note: what a run of more outputs does when this one is finished.
    :param is_resumable: the run could be gone on with whatever is left of this output.
    :param options: those of `open_job`.
    """
    job: Job | None = None

    def hint(text: str = _THERE) -> str:
        return text.format(**again) if is_resumable or (job and job.resumable) else ""

    try:
        with open_job(sources, target, **options) as job, progress.of(job, target) as update:
            return _score_job(scorer, job, update, note)
    except KeyboardInterrupt as error:
        rows = counted((job.kept_rows if job.resumable else job.rows) if job else 0, "row")
        where = "" if target == STANDARD else f"{target}: "
        raise InterruptedRunError(f"{where}stopped after {rows}{hint()}", signal_of(error)) from None
    except ProcessError as error:
        raise ProcessError(f"{error}{hint()}") from error
    except MemoryError as error:
        raise OutOfMemoryError(f"memory is short; {hint(_FEWER) or _SMALLER}") from error
    except RuntimeError as error:
        if not is_short_of_threads(error):
            raise
        raise ProcessError(f"another thread cannot be started; {hint(_FEWER) or _LESS}") from error
    except RejectsError as error:
        raise RejectsError(f"{error}{hint(_HIGHER)}") from error
    except DataError as error:
        raise DataError(f"{error}{hint(_MENDED if job else _MENDED_FIRST)}") from error
    except ResumeError as error:
        raise ResumeError(_with_name(target, error)) from error
    except OutputError as error:
        raise OutputError(f"{_with_name(target, error)}{hint()}") from error


def _with_name(target: str, error: OutputError) -> str:
    """Give what an error says, with the name of the output where that is not in it."""
    is_named = target == STANDARD or target in str(error)
    return str(error) if is_named else f"{target}: {error}"


def _score_job(
    scorer: Scorer, job: Job, update: Callable[[int, int], None], note: Callable[[Summary], None]
) -> Summary:
    started = time.perf_counter()
    summary = Summary()
    summary.restore(job.notes)
    with _quick_turns():
        for chunk, scores in scorer.stream(job):
            summary.count(scores)
            if job.text_column is not None:
                summary.text_columns = [job.text_column]
            job.notes = summary.carried()
            job.write(chunk, scores.labels, scores.scores)
            update(chunk.position.progress, job.rows)
    summary.rows, summary.rejected, summary.inputs = job.rows, job.rejected, job.inputs
    summary.scored = job.rows - job.resumed_rows
    job.finish(partial(note, summary))
    if job.rejected and job.rejects_path:
        _log.warning("%s rejected: see %s", counted(job.rejected, "row"), job.rejects_path)
    summary.seconds = time.perf_counter() - started
    return summary


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Let threads that wait for the interpreter's lock have it soon.

    Workers need it for microseconds between two calls that do without it, and would wait for the thread that
    reads: CPython's 5 ms a turn are longer than most of these calls.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _check_summary(path: Path, output: str, files: Sequence[str], overwrite: bool) -> None:
    """Refuse a summary that would replace a file of the run or, without `overwrite`, any file."""
    if str(path) == STANDARD or (output == STANDARD and is_standard_output(path)):
        raise UsageError("--summary takes the name of a file; standard output is for the rows")
    check_name(path, "--summary")
    if path.is_file() and is_standard_stream(path):
        raise UsageError(f"--summary {path} is standard input or output of this run; give another name")
    for name in files:
        if resolve(path) == resolve(name) or (path.exists() and Path(name).exists() and path.samefile(name)):
            raise UsageError(f"--summary {path} is {name}, a file of this run; give another name")
    if is_special(str(path)):
        return
    if not overwrite:
        refuse_existing(str(path))
    part = Part(resolve(path), "summary")
    part.create()  # not to find out after hours that it cannot be
    part.discard()


class _Progress:
    """How far a run is: a bar for each output; where stderr is no terminal, a line now and then.

    :param shown: say anything at all.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._told = time.perf_counter()

    @contextmanager
    def of(self, job: Job, target: str) -> Iterator[Callable[[int, int], None]]:
        """Give what is to be told of one output: the bytes read and the rows written so far."""
        bar: Any = None
        if self._shown and sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm  # a quick answer on stdin does without it

            bar = tqdm(total=job.total_bytes, unit="B", unit_scale=True, leave=False)
        started = time.perf_counter()

        def update(read: int, rows: int) -> None:
            now = time.perf_counter()
            reached = f"{rows:,} rows, {(rows - job.resumed_rows) / (now - started):,.0f} rows/s"
            if bar is not None:
                bar.set_postfix_str(reached, refresh=False)
                bar.update(read - bar.n)
            elif self._shown and now - self._told >= _SILENCE:
                self._told = now
                name = "" if target == STANDARD else f"{target}: "
                share = f", {read / job.total_bytes:.0%} of the bytes" if job.total_bytes else ""
                _log.info("%s%s%s", name, reached, share)

        try:
            yield update
        finally:
            if bar is not None:
                bar.close()
