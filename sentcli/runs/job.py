"""One output: read, score and write its rows; keep a ledger, and continue a stopped run from its ledger."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
from sentcli.runs.folders import partitions_of
from sentcli.runs.history import History, history_kind
from sentcli.runs.inputs import Inputs, refuse_inputs, settle_formats
from sentcli.runs.ledger import Ledger, NoLedger
from sentcli.runs.output import Output
from sentcli.runs.summary import Bar, Progress, Summary
from sentcli.scoring import stop
from sentcli.scoring.groups import LabelCounter
from sentcli.scoring.labels import Counts
from sentcli.scoring.scorer import Scorer
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import written_format
from sentcli.tables.text_column import places_of

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
    read, write = settle_formats(inputs, output, options.read, write)
    if write.format in ("parquet", "xlsx") and target.is_standard_output and is_terminal(sys.stdout):
        raise UsageError(f"{write.format} is not for a terminal; add -o OUT.{write.format}")
    given = Target(options.rejects.path) if options.rejects.path else None
    rejects = given or (target.rejects if target.is_file or target.is_url else None)
    refuse_inputs(files, [output, *([rejects.name] if rejects else [])])
    _check_places(target, given)
    conditions = _conditions(scorer, files, options)
    results = write.columns(scorer.shown_classes, scorer.extras.columns, scorer.given_labels)
    settled = replace(options, read=read, write=write)
    history = history_kind(target, options)(target, rejects, files, conditions, results, settled)
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


def _conditions(scorer: Scorer, files: Sequence[InputFile], options: JobOptions) -> dict[str, Any]:
    """Return what an output depends on: options by their names, other conditions as messages name them."""
    read, write = asdict(options.read), asdict(options.write)
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
        with closing(_open_inputs(history)) as inputs:
            writer = inputs.writer(history.target.scratch)
            output = Output(history.target, history.rejects, writer, history.options.rejects)
            chunks = inputs.chunks(writer)
            return _score_rows(scorer, history, inputs, chunks, output, progress, started)
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


def _open_inputs(history: History) -> Inputs:
    files, options = history.files, history.options
    # An output folder keeps the folders of the inputs.
    partitions = {} if options.in_folder else partitions_of([file.name for file in files])
    return Inputs(files, history.target.name, options.read, options.write, history.results, partitions)


def _score_rows(
    scorer: Scorer,
    history: History,
    inputs: Inputs,
    chunks: Iterator[Chunk],
    output: Output,
    progress: Progress,
    started: float,
) -> Summary:
    files, ledger = history.files, history.ledger
    total, counter, report = Counts(), LabelCounter(scorer.given_labels), history.options.report
    by = dict.fromkeys(history.options.read.by, "by")
    places = [] if inputs.table.is_empty else places_of(inputs.table, by)
    if report:
        report.begin([file.name for file in files], inputs.table, is_stream=files[0].is_stream)

    def see(chunk: Chunk, results: Results) -> None:
        output.write(chunk, inputs.with_partitions(chunk, results))
        values = map(chunk.texts_of, places)
        counter.add(dict(zip(by, values, strict=True)) if places else {}, results[0])
        if report:
            report.add(inputs.table, chunk, results)

    with closing(Bar(progress, history.target.name, inputs.total_bytes)) as bar:
        for chunk, results, counts in ledger.replay(chunks, [file.name for file in files]):
            stop.check()
            see(chunk, results)
            total += counts
        replayed = output.rows
        for chunk, scores in scorer.stream(chunks):
            results = [column.values(scores) for column in history.results]
            see(chunk, results)
            total += scores.counts
            ledger.add(chunk, results, scores.counts)
            bar.update(chunk.position.progress, output.rows, output.rows - replayed)
    summary = Summary(
        **vars(total),
        rows=output.rows,
        groups=counter.groups,
        rejected=output.rejected,
        formulas_without_value=inputs.formulas_without_value,
        text_columns=inputs.text_columns,
        inputs=[file.fingerprint() for file in files],
    )
    sizes = output.close(inputs, summary.to_sheet(scorer.bundle.name, scorer.labels[-1]))
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
