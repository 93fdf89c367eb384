"""One output: read, score and write its rows; keep a ledger, and continue a stopped run from its ledger."""

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sentcli import __version__
from sentcli.config import NOTE
from sentcli.errors import (
    ChangedInputError,
    DataError,
    ExistingOutputError,
    InterruptedRunError,
    LockedError,
    OutputError,
    ResumeError,
    SentcliError,
    UsageError,
    counted,
    option,
    signal_of,
)
from sentcli.files.lock import Lock
from sentcli.files.sink import Target, is_terminal
from sentcli.files.source import STANDARD, InputFile, inspect_input
from sentcli.runs.history import History, history_kind
from sentcli.runs.inputs import Reader, Setup, make_setup, refuse_inputs
from sentcli.runs.ledger import Ledger, NoLedger
from sentcli.runs.output import Output
from sentcli.runs.partitions import partitions_of
from sentcli.runs.summary import Bar, Progress, Summary
from sentcli.scoring import stop
from sentcli.scoring.groups import LabelCounter
from sentcli.scoring.labels import Counts
from sentcli.scoring.scorer import Scorer
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import written_format

if TYPE_CHECKING:
    from sentcli.report.rows import Report

_KEPT = "; what was scored so far is kept, and the same command continues"

# Errors that concern one output of a folder. Others, such as a full disk, would stop every output.
OF_ONE_OUTPUT = (DataError, UsageError, ExistingOutputError, ResumeError, LockedError)

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class JobOptions:
    """The options that all outputs of a run share."""

    read: ReadOptions = field(default_factory=ReadOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    rejects: RejectOptions = field(default_factory=RejectOptions)
    overwrite: bool = False  # start over, and replace the files that exist
    update: bool = False  # start over where the input changed; the output is one of a folder
    in_folder: bool = False  # skip finished outputs and count them; each one gets a record file for this
    waits: bool = True  # for an output that another run is writing
    report: "Report | None" = None  # of a single output
    listing: Mapping[str, int] | None = None  # sizes of the objects in a folder at a URL; None: ask for each


def score_output(
    scorer: Scorer,
    inputs: Sequence[str],
    target: Target,
    options: JobOptions,
    progress: Progress,
    *,
    name: str | None = None,
) -> Summary:
    """Score inputs to one output. The output gets its name only when it holds all rows.

    :param name: what rejects and records call the input, if there is one; None: `inputs[0]`.
    :raises ExistingOutputError: if the output exists.
    :raises ResumeError: if something that it depends on changed since its stopped or finished run.
    :raises LockedError: if another run holds the output, after two minutes if `options.waits`.
    """
    output = target.name
    files = [inspect_input(path, name) for path in inputs]
    write = options.write
    if options.in_folder and options.read.format and not write.format:
        write = replace(write, format=written_format(options.read.format))  # suffixes may not name the format
    if options.report:
        watched = options.report.begin(inputs, options.read)
        options = replace(options, read=replace(options.read, watched=watched))
    classes, labels = scorer.shown_classes, scorer.given_labels
    setup = make_setup(inputs, output, options.read, write, classes, labels, scorer.extras.columns)
    if not options.in_folder:  # else the output folder keeps the folders
        setup = replace(setup, partitions=partitions_of([file.name for file in files]))
    if setup.output_format in ("parquet", "xlsx") and target.is_standard_output and is_terminal(sys.stdout):
        raise UsageError(f"{setup.output_format} is not for a terminal; add -o OUT.{setup.output_format}")
    given = Target(options.rejects.path) if options.rejects.path else None
    rejects = given or (target.rejects if target.is_file or target.is_url else None)
    refuse_inputs(files, [output, *([rejects.name] if rejects else [])])
    _check_places(target, given)
    conditions = _conditions(scorer, files, setup, options)
    history = history_kind(target, options)(target, rejects, files, conditions, setup, options)
    try:
        with ExitStack() as stack:
            for place in (target, given):
                if place and place.is_file:
                    stack.enter_context(Lock(place.path, check=stop.check, waits=options.waits))
            return history.settle() or _score(scorer, history, progress)
    except ChangedInputError:
        if not options.update or options.overwrite:  # a second change ends the run
            raise
    return score_output(scorer, inputs, target, replace(options, overwrite=True), progress, name=name)


def _check_places(target: Target, rejects: Target | None) -> None:
    """Refuse, before scoring, a place that cannot be written, or that a continued run could not find.

    :param rejects: the place that the user named.
    """
    if rejects:
        are_one = target.is_file and rejects.is_file and rejects.path == target.path
        if are_one or (target.is_standard_output and rejects.is_standard_output):
            hint = f"give another {option('rejects')}"
            raise UsageError(f"{target.name}: the rejected rows cannot go to the output too; {hint}")
        if target.is_file and not (rejects.is_file or rejects.is_folder):
            needed = f"{option('rejects')} must name a file too"
            raise UsageError(f"{rejects.name}: the output is a file, so {needed}")
    target.check()
    if rejects:
        rejects.check()


def _conditions(
    scorer: Scorer, files: Sequence[InputFile], setup: Setup, options: JobOptions
) -> dict[str, Any]:
    """Return what an output depends on: options by their names, other conditions as messages name them."""
    read, write = asdict(setup.options), asdict(options.write)
    del read["watched"]
    conditions = {
        "inputs": [file.name for file in files],
        **scorer.fingerprint,
        "version of sentcli": __version__,
        "input_format": read.pop("format"),
        "output_format": write.pop("format"),
        "no_header": not read.pop("header"),
        "rejects": options.rejects.path,
        **read,
        **write,
    }
    return json.loads(json.dumps(conditions))  # type: ignore[no-any-return]  # as read back


def _score(scorer: Scorer, history: History, progress: Progress) -> Summary:
    """Score the rows of an output whose files are locked, and publish it when it holds all of them."""
    output: Output | None = None
    name, started = history.target.name, time.perf_counter()
    try:
        history.ledger.begin({"run": history.conditions, "overwrite": history.overwrite})
        with closing(Reader(history.files, history.setup)) as reader:
            writer = reader.writer(history.target.scratch)
            output = Output(history.target, history.rejects, writer, history.options.rejects)
            return _score_rows(scorer, history, reader, output, progress, started)
    except BaseException as error:
        hint = _KEPT if _leave(history.ledger, output, error) else ""
        where = "" if name == STANDARD else f"{name}: "
        if isinstance(error, KeyboardInterrupt):
            rows = counted(output.rows if output else 0, "row")
            raise InterruptedRunError(f"{where}stopped after {rows}{hint}", signal_of(error)) from None
        if isinstance(error, SentcliError) and not isinstance(error, ResumeError):
            named = isinstance(error, OutputError) and name not in str(error)
            raise type(error)(f"{where if named else ''}{error}{hint}") from error
        raise


def _score_rows(
    scorer: Scorer, history: History, reader: Reader, output: Output, progress: Progress, started: float
) -> Summary:
    files, ledger = history.files, history.ledger
    chunks, total, counter = iter(reader), Counts(), LabelCounter(scorer.given_labels)
    by, report = [*dict.fromkeys(history.setup.options.by)], history.options.report

    def see(chunk: Chunk, results: Results) -> None:
        output.write(chunk, reader.with_partitions(chunk, results))
        counter.add(dict(zip(by, chunk.sides, strict=False)), results[0])
        if report:
            report.add(chunk, results)

    with closing(Bar(progress, history.target.name, reader.total_bytes)) as bar:
        for chunk, results, counts in ledger.replay(chunks, [file.name for file in files]):
            stop.check()
            see(chunk, results)
            total += counts
        replayed = output.rows
        for chunk, scores in scorer.stream(chunks):
            results = [column.values(scores) for column in history.setup.results]
            see(chunk, results)
            total += scores.counts
            ledger.add(chunk, results, scores.counts)
            bar.update(chunk.position.progress, output.rows, output.rows - replayed)
    summary = Summary(
        **vars(total),
        rows=output.rows,
        groups=counter.groups,
        rejected=output.rejected,
        formulas_without_value=reader.formulas_without_value,
        text_columns=reader.text_columns,
        inputs=[file.fingerprint() for file in files],
    )
    sizes = output.close(reader, summary.to_sheet(scorer.bundle.name, scorer.labels[-1]))
    if report:
        began = time.perf_counter()
        report.finish()
        started += time.perf_counter() - began  # the speed does not include the report
    ledger.finish(sizes)
    history.complete(sizes[0], summary)
    output.publish()
    if report:
        report.publish()
    if output.rejected:
        place = f"; see {history.rejects.name}" if history.rejects else ""
        level = NOTE if history.rejects else logging.WARNING  # else standard error has the rows themselves
        _log.log(level, "%s rejected%s%s", counted(output.rejected, "row"), output.main_reason, place)
    ledger.remove()
    return replace(summary, scored=output.rows - replayed, seconds=time.perf_counter() - started)


def _leave(ledger: Ledger | NoLedger, output: Output | None, error: BaseException) -> bool:
    """Discard the files of a failed or stopped run, except a ledger that was ever made durable.

    :returns: whether the same command can continue the run.
    """
    with suppress(OutputError), ExitStack() as stack:  # report the error that ended the run, not this one
        if output:
            stack.callback(output.discard)
        stack.callback(ledger.close)
        if not ledger.is_kept:
            ledger.remove()
        elif not isinstance(error, OutputError):
            ledger.commit()
    return ledger.is_kept
