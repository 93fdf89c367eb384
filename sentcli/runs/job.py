"""One output: read, score and write its rows; keep a ledger, and continue a stopped run from its ledger."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sentcli import __version__
from sentcli.config import NOTE
from sentcli.errors import (
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
from sentcli.files.sink import Target
from sentcli.files.source import STANDARD, InputFile, inspect_input
from sentcli.runs.history import History, history_kind
from sentcli.runs.inputs import (
    Reader,
    check_heads,
    find_columns,
    make_setup,
    refuse_inputs,
    sniff_inputs,
)
from sentcli.runs.ledger import Ledger, NoLedger
from sentcli.runs.output import Output
from sentcli.runs.summary import Bar, Progress, Summary
from sentcli.scoring import stop
from sentcli.scoring.labels import Counts
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, Setup, WriteOptions
from sentcli.tables.registry import suffix_of

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
    in_folder: bool = False  # skip finished outputs and count them; each one gets a record file for this
    waits: bool = True  # for an output that another run is writing
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
    files, guess = sniff_inputs(files, options.read)
    read, write = options.read, options.write
    if options.in_folder and read.format and not write.format:
        write = replace(write, format=read.format)  # suffixes may not name the format
    name = "standard input" if inputs[0] == STANDARD else files[0].name
    if guess and guess.doubt <= 1:
        read = guess.read
        if suffix_of(output) == ".txt" and not write.format:
            write = replace(write, format=read.format)  # lines would lose its other columns
        hint = "; if it is lines of text, add --input-format lines" if guess.doubt else ""
        level = NOTE if guess.doubt else logging.WARNING
        _log.log(level, "%s looks like %s: read as such%s", name, guess, hint)
    setup = make_setup(inputs, output, read, write, scorer.shown_classes)
    if guess and setup.format == "lines":
        hint = f"{name} may be {guess}: if it is, add {guess.flags}"
        if setup.output_format != "lines":
            raise UsageError(f"{hint}; if each line is a text, add --input-format lines")
        _log.warning("%s; it is read as one review per line", hint)
    setup = replace(setup, labels=tuple(scorer.given_labels))
    given = Target(options.rejects.path) if options.rejects.path else None
    rejects = given or (target.rejects if target.is_file or target.is_url else None)
    refuse_inputs(files, [output, *([rejects.name] if rejects else [])])
    _check_places(target, given)
    if len(files) > 1:
        check_heads(files, setup)
    _log_what_is_left_out(output, setup, has_probabilities=bool(scorer.shown_classes))
    conditions = _conditions(scorer, files, setup, options)
    history = history_kind(target, options)(target, rejects, files, conditions, setup, options)
    with ExitStack() as stack:
        for place in (target, given):
            if place and place.is_file:
                stack.enter_context(Lock(place.path, check=stop.check, waits=options.waits))
        return history.settle() or _score(scorer, history, progress)


def _check_places(target: Target, rejects: Target | None) -> None:
    """Refuse a place that cannot be written, or not found by a continued run, before the first row is scored.

    :param rejects: the place that the user named.
    """
    if rejects:
        are_one = target.is_file and rejects.is_file and rejects.path == target.path
        if are_one or (target.is_standard_output and rejects.is_standard_output):
            hint = f"give another {option('rejects')}"
            raise UsageError(f"{target.name}: the rejected rows cannot go there too; {hint}")
        if target.is_file and not (rejects.is_file or rejects.is_folder):
            needed = f"{option('rejects')} must name a file too"
            raise UsageError(f"{rejects.name}: the output is a file, so {needed}")
    target.check()
    if rejects:
        rejects.check()


def _log_what_is_left_out(output: str, setup: Setup, *, has_probabilities: bool) -> None:
    if setup.output_format == "lines" != setup.format:
        _log.warning("%s: lines hold only the new columns and the text; other columns are left out", output)
    if setup.converts and setup.options.skip_rows:
        what = f"rows after the header that are left out: {setup.options.skip_rows}"
        _log.warning("%s: %s, by %s", output, what, option("skip_rows"))
    if setup.output_format == "lines" and has_probabilities:
        _log.info("each line has %s, text", ", ".join(column.name for column in setup.results))


def _conditions(
    scorer: Scorer, files: Sequence[InputFile], setup: Setup, options: JobOptions
) -> dict[str, Any]:
    """Return what an output depends on: options by their names, other conditions as messages name them."""
    read, write = asdict(setup.options), asdict(options.write)
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
    name = history.target.name
    try:
        history.ledger.begin({"run": history.conditions, "overwrite": history.overwrite})
        output = Output(history.target, history.rejects, history.setup, history.options.rejects)
        return _score_rows(scorer, history, output, progress)
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


def _score_rows(scorer: Scorer, history: History, output: Output, progress: Progress) -> Summary:
    started = time.perf_counter()
    files, setup, ledger = history.files, history.setup, history.ledger
    reader = Reader(files, replace(setup, columns=find_columns(files, setup)))
    chunks, total = iter(reader), Counts()
    with closing(Bar(progress, history.target.name, reader.total_bytes)) as bar:
        for chunk, results, counts in ledger.replay(chunks, [file.name for file in files]):
            stop.check()
            output.write(chunk, results)
            total += counts
        replayed = output.rows
        for chunk, scores in scorer.stream(chunks):
            results = [column.values(scores) for column in setup.results]
            output.write(chunk, results)
            total += scores.counts
            ledger.add(chunk, results, scores.counts)
            bar.update(chunk.position.progress, output.rows, output.rows - replayed)
    sizes = output.close(reader)
    summary = Summary(
        **vars(total),
        rows=output.rows,
        rejected=output.rejected,
        text_columns=reader.text_columns,
        inputs=[file.fingerprint() for file in files],
    )
    ledger.finish(sizes)
    history.complete(sizes[0], summary)
    output.publish()
    if output.rejected:
        place = f"; see {history.rejects.name}" if history.rejects else ""
        _log.warning("%s rejected%s%s", counted(output.rejected, "row"), output.main_reason, place)
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
