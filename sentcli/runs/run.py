"""From files to scored files: which inputs go to which output, and one output after the other."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from sentcli import __version__
from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files.remote import as_path, is_url
from sentcli.files.source import STANDARD
from sentcli.files.storage import Part, is_special, is_standard_output, is_standard_stream, resolve
from sentcli.runs.finished import FinishedOutputs, known_inputs
from sentcli.runs.leftovers import settle
from sentcli.runs.opening import check_job, refuse_inputs
from sentcli.runs.output import check_name, default_rejects, is_there, refuse_existing
from sentcli.runs.plan import plan_outputs
from sentcli.runs.single import REPEATED, RESUMED, Progress, go_on, score_output
from sentcli.runs.summary import Summary, counted
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

_log = logging.getLogger("sentcli")

_OF_AN_INPUT = DataError, UsageError  # it cannot be read, or is of a format that the options do not fit


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
    into_folder = pairs[0][1] != output
    if rejects.path and len(pairs) > 1:
        raise UsageError(f"--rejects is one file for {len(pairs)} outputs; leave it out: each gets its own")
    if keep_going and not into_folder:
        raise UsageError("--keep-going is for a folder of outputs; give -o FOLDER/")
    if skip_existing and resume:
        raise UsageError("--skip-existing goes on by itself where a run was stopped; leave out --resume")
    if skip_existing and any(len(names) > 1 for names, _ in pairs):
        raise UsageError("--skip-existing is for outputs of one input each; give -o FOLDER/")
    if summary_file:
        _check_summary(summary_file, output, _files_of(pairs, rejects), overwrite or skip_existing)
    every = len(pairs)
    if skip_existing:
        pairs = _without_existing(pairs, rejects.path)
    if into_folder and read.format and not write.format:
        write = replace(write, format=read.format)  # the suffixes do not tell
    score = partial(
        score_output,
        scorer,
        read=read,
        write=write,
        rejects=rejects,
        progress=Progress(shown=show_progress),
        again=REPEATED if skip_existing else RESUMED,
    )
    if not into_folder or rejects.path:
        if not skip_existing:
            return score(*pairs[0], resume=resume, overwrite=overwrite)
        if not pairs:
            return Summary(skipped=every)
        return go_on(score, *pairs[0], rejects=rejects.path, overwrite=overwrite)
    for sources, target in pairs:
        with suppress(*_OF_AN_INPUT if keep_going else ()):  # told when its turn comes
            check_job(sources, target, read, write)
    conditions = {**scorer.fingerprint, "sentcli": __version__, "read": asdict(read), "write": asdict(write)}
    with FinishedOutputs(
        Path(output),
        pairs,
        conditions,
        resume=resume,
        overwrite=overwrite,
        skip_existing=skip_existing,
    ) as finished:
        total = Summary(skipped=every - finished.outputs)
        total.restore(finished.notes)
        total.inputs = finished.inputs
        if finished.count:
            _log.info("%s: %s finished already", output, counted(finished.count, "output"))

        return _score_outputs(
            score, finished, total, overwrite=overwrite, goes_on=skip_existing, keep_going=keep_going
        )


def _files_of(pairs: Sequence[tuple[list[str], str]], rejects: RejectOptions) -> list[str]:
    """Name all files of a run: its inputs, its outputs, and where the rejected rows may go."""
    targets = [target for _, target in pairs]
    written = [*targets, *map(default_rejects, targets), *filter(None, [rejects.path])]
    return [*written, *(name for names, _ in pairs for name in names)]


def _without_existing(
    pairs: Sequence[tuple[list[str], str]], rejects: str | None
) -> list[tuple[list[str], str]]:
    """Leave out the outputs that are there already, and what would go into them.

    :param rejects: the rejects file, where it has a name of its own.
    :raises OutputError: when one of them is an input of this run: all would seem to be scored.
    """
    targets = [target for _, target in pairs]
    files = known_inputs([name for names, _ in pairs for name in names])
    refuse_inputs(files, [*targets, *map(default_rejects, targets)])
    files_only = [target for target in targets if target != STANDARD and not is_special(target)]
    for target in files_only:
        if not is_url(target):
            settle(resolve(target), rejects)
    existing = {*filter(is_there, files_only)}
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


def _score_outputs(
    score: Callable[..., Summary],
    finished: FinishedOutputs,
    total: Summary,
    *,
    overwrite: bool,
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
        begin = partial(go_on, score) if goes_on or finished.goes_on(target) else score
        try:
            total += begin(sources, target, overwrite=overwrite, note=note, is_resumable=True)
        except _OF_AN_INPUT as error:
            if not keep_going:
                raise
            _log.error("%s", error.__cause__ or error)  # how to go on is said at the end
            failed.add(target)
            finished.postpone()
    total.failed = len(failed)
    return total


def _check_summary(path: Path, output: str, files: Sequence[str], overwrite: bool) -> None:
    """Refuse a summary that would replace a file of the run or, without `overwrite`, any file.

    :param overwrite: one of an earlier run of the same command may be there.
    """
    if str(path) == STANDARD or (output == STANDARD and is_standard_output(path)):
        raise UsageError("--summary takes the name of a file; standard output is for the rows")
    check_name(path, "--summary")
    if path.is_file() and is_standard_stream(path):
        raise UsageError(f"--summary {path} is standard input or output of this run; give another name")
    for name in files:
        if _is_same(path, name):
            raise UsageError(f"--summary {path} is {name}, a file of this run; give another name")
    if is_special(str(path)):
        return
    if not overwrite:
        refuse_existing(str(path))
    part = Part(resolve(path), "summary")
    part.create()  # not to find out after hours that it cannot be
    part.discard()


def _is_same(path: Path, name: str) -> bool:
    """Tell whether two names lead to one file; what one that cannot be followed leads to is told later."""
    with suppress(OSError, OutputError):
        return resolve(path) == resolve(name) or (
            path.exists() and Path(name).exists() and path.samefile(name)
        )
    return False
