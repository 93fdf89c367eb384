"""Several outputs, one after the other: the failure of one does not stop the others."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from sentcli.config import LOG
from sentcli.errors import OF_ONE_OUTPUT, LockedError, OutputError, UsageError, counted
from sentcli.files import stop
from sentcli.files.atomic import AtomicFile
from sentcli.files.remote import list_folder
from sentcli.files.sink import Target
from sentcli.files.source import STANDARD
from sentcli.runs.history import name_outputs_without_input
from sentcli.runs.job import JobOptions, score_output
from sentcli.runs.plan import Pair, plan_outputs
from sentcli.runs.summary import Progress, Summary
from sentcli.scoring.scorer import Scorer, load
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions


def score_files(  # the options of a run
    scorer: Scorer,
    inputs: Sequence[str],
    output: str,
    options: JobOptions = JobOptions(),  # noqa: B008  # frozen
    *,
    shard: tuple[int, int] | None = None,
    show_progress: bool = False,
    cluster: tuple[str, Mapping[str, Any]] | None = None,
) -> Summary:
    """Score every row of the inputs; an output gets its name only when it holds all of its rows.

    The same call again completes the work: a stopped output continues. In a folder, a finished output is
    skipped and counted, and an output that cannot be made is logged and counted as failed. Several runs can
    share a folder: one that meets an output of another run makes the others first.

    :param shard: two numbers, I and N: make every N-th output of the folder, from the I-th on.
    :param cluster: score each input of a folder as a task of this cluster, see `score_on_cluster`.
    """
    target, rejects = Target(output), options.rejects.path
    if cluster and (STANDARD in inputs or rejects or not target.is_folder):
        raise UsageError("--ray makes an output of each file: give files and -o FOLDER/, without --rejects")
    pairs, failed = plan_outputs(inputs, target, options.read, options.write.format)
    if rejects and len(pairs) > 1:
        raise UsageError(f"--rejects names one file for {len(pairs)} outputs; without it, each gets its own")
    if options.report and options.report.target and target.is_folder:
        raise UsageError("--report shows one output; for others: sentcli report FILES -o report.html")
    _check_files(target, pairs, options)
    options = replace(options, progress=Progress(shown=show_progress))
    if not target.is_folder:
        _refuse_options_of_folders(options, shard)
        return score_output(scorer, *pairs[0], options)
    summary, options = options.summary, replace(options, in_folder=True, summary=None)
    if options.update:
        name_outputs_without_input(target, [output for _, output in pairs])
    if shard:  # sorted, because all runs have to divide one list
        pairs = sorted(pairs, key=lambda pair: (pair[0], pair[1].name))[shard[0] - 1 :: shard[1]]
    if cluster:
        from sentcli.runs.cluster import score_on_cluster  # few runs have one

        total = score_on_cluster(cluster, scorer, pairs, target.name, options)
    else:
        total = _score_in_turn(scorer, pairs, target, options)
    total += Summary(failed=failed)
    if summary:
        summary.write(total)
    if total.skipped:
        LOG.info("%s: %s already finished, left unchanged", target.name, counted(total.skipped, "output"))
    return total


def _refuse_options_of_folders(options: JobOptions, shard: tuple[int, int] | None) -> None:
    if shard or options.update:
        shards = "--shard divides the inputs of a folder among several runs"
        what = "--update makes outputs of a folder again" if options.update else shards
        raise UsageError(f"{what}; give -o FOLDER/")


def score_file(  # noqa: PLR0913  # the options of a run
    source: str | Path,
    target: str | Path,
    *,
    name: str | None = None,
    scorer: Scorer | None = None,
    read: ReadOptions | None = None,
    write: WriteOptions | None = None,
    rejects: RejectOptions | None = None,
    overwrite: bool = False,
    update: bool = False,
) -> Summary:
    """Score a file as `sentcli score` scores each input of a folder: the same bytes, wherever it runs.

    The same call again continues a stopped output, and skips and counts a finished one. A hidden file next to
    an output records that it is finished.

    :param source: a file or URL.
    :param target: a file in an existing folder, or a URL.
    :param name: what rejects and records call the input; None: `source`. Use the same name on machines that
        have the file under different paths.
    :param scorer: what `load` returns; None: load the included model for this file.
    :param read, write, rejects: how to read and write rows; None: as the names of the files say.
    :param overwrite: start over, and replace the output if it exists.
    :param update: start over if the input changed since the output was made.
    :returns: the counts; `skipped` is 1 if the output was finished before.
    :raises UsageError, DataError, OutputError, BundleError, MissingExtraError, InterruptedRunError: as
        `sentcli score`; a LockedError if another process is writing the output.
    """
    read, write, rejects = read or ReadOptions(), write or WriteOptions(), rejects or RejectOptions()
    options = JobOptions(read, write, rejects, overwrite, update, in_folder=True)
    with nullcontext(scorer) if scorer else load() as model:
        return score_output(model, [str(source)], Target(target), options, name=name)


def _score_in_turn(scorer: Scorer, pairs: Sequence[Pair], folder: Target, options: JobOptions) -> Summary:
    """Score outputs of a folder one after the other; log and count those that cannot be made."""
    if folder.is_url:
        options = replace(options, listing=list_folder(folder.name))
    total = Summary()
    locked: list[Pair] = []
    for number, (sources, target) in enumerate(chain(pairs, locked)):
        stop.check()
        waits = number >= len(pairs)  # for an output that was locked before
        try:
            total += score_output(scorer, sources, target, replace(options, waits=waits))
        except OF_ONE_OUTPUT as error:
            if isinstance(error, LockedError) and not waits:
                locked.append((sources, target))
            else:
                LOG.error("%.2000s", error)
                total += Summary(failed=1)
    return total


def _check_files(output: Target, pairs: Sequence[Pair], options: JobOptions) -> None:
    """Refuse a summary or a page that would replace a file of the run, or that cannot be written."""
    named = {"--summary": options.summary, "--report": options.report}
    targets = {flag: file.target for flag, file in named.items() if file and file.target}
    for flag, file in targets.items():
        if file.name == STANDARD or (output.is_standard_output and file.is_standard_output):
            raise UsageError(f"{flag} takes the name of a file; standard output is for the rows")
        file.check()
        names = [options.rejects.path] if options.rejects.path else []
        for sources, target in pairs:
            names += [target.name, target.rejects.name, *sources]
        for name in names:
            with suppress(OutputError):  # links in a circle: raised again when that output is written
                if Target(name).address == file.address:
                    raise UsageError(f"{flag} {file.name} is {name}, a file of this run; give another name")
        if file.is_file:
            AtomicFile(file.path).discard()  # fails now, and not after hours, if the file cannot be written
