"""One output: read, score and write its rows; keep a ledger, and continue a stopped run from its ledger."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sentcli import __version__, errors
from sentcli.files import stop
from sentcli.files.atomic import Lock, output_errors
from sentcli.files.sink import Target, is_terminal
from sentcli.files.source import STANDARD, InputFile, inspect_input
from sentcli.runs.history import History
from sentcli.runs.inputs import Inputs, find_formats
from sentcli.runs.output import Output
from sentcli.runs.plan import partitions_of, refuse_inputs
from sentcli.runs.summary import Bar, Progress, Summary
from sentcli.scoring.dates import day_of, split_span
from sentcli.scoring.labels import Counts, Groups
from sentcli.scoring.scorer import Scorer
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.text_column import places_of

if TYPE_CHECKING:
    from sentcli.report.rows import Report

_ABOUT = "--about"  # in place of a column: groups of rows that name a subject, by the label of its clauses
_KEPT = "; what was scored so far is kept, and the same command continues"


@dataclass(frozen=True)
class SummaryFile:
    """The file for the summary of a run, and what writes it."""

    target: Target
    write: Callable[[Summary], None]


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
    summary: SummaryFile | None = None  # of a single output, or of all outputs of a folder
    progress: Progress = field(default_factory=Progress)
    listing: Mapping[str, int] | None = None  # sizes of the objects in a folder at a URL; None: ask for each


def score_output(
    scorer: Scorer, inputs: Sequence[str], target: Target, options: JobOptions, *, name: str | None = None
) -> Summary:
    """Score inputs to one output. The output gets its name only when it holds all rows.

    :param name: what rejects and records call the input, if there is one; None: `inputs[0]`.
    :raises ExistingOutputError: if the output exists.
    :raises ResumeError: if something that it depends on changed since its stopped or finished run.
    :raises LockedError: if another run holds the output, after two minutes if `options.waits`.
    """
    files = [inspect_input(path, name) for path in inputs]
    read, write = find_formats(inputs, target.name, options.read, options.write, in_folder=options.in_folder)
    if write.format in ("parquet", "xlsx") and target.is_standard_output and is_terminal(sys.stdout):
        raise errors.UsageError(f"{write.format} is not for a terminal; add -o OUT.{write.format}")
    given = Target(options.rejects.path) if options.rejects.path else None
    rejects = given or (target.rejects if target.is_file or target.is_url else None)
    targets = [target, rejects] if rejects else [target]
    refuse_inputs(files, [place.name for place in targets])
    _check_places(target, given)
    conditions = _conditions(scorer, files, options)
    try:
        with ExitStack() as stack:
            for place in (target, given):
                if place and place.is_file:
                    stack.enter_context(Lock(place.path, waits=options.waits))
            stack.callback(target.remove_scratch)
            history = History(targets, files, conditions, replace(options, read=read, write=write))
            return history.settle() or _Job(scorer, history).run()
    except errors.ChangedInputError:
        if not options.update or options.overwrite:  # a second change ends the run
            raise
    return score_output(scorer, inputs, target, replace(options, overwrite=True), name=name)


def _check_places(target: Target, rejects: Target | None) -> None:
    """Refuse, before scoring, a place that cannot be written, or that a continued run could not find.

    :param rejects: the place that the user named.
    """
    if rejects:
        are_streams = target.is_standard_output and rejects.is_standard_output
        if are_streams or rejects.address == target.address:
            hint = f"give another {errors.option('rejects')}"
            raise errors.UsageError(f"{target.name}: the rejected rows cannot go to the output too; {hint}")
        if target.is_file and not (rejects.is_file or rejects.is_folder):
            needed = f"{errors.option('rejects')} must name a file too"
            raise errors.UsageError(f"{rejects.name}: the output is a file, so {needed}")
    target.check()
    if rejects:
        rejects.check()


def _conditions(scorer: Scorer, files: Sequence[InputFile], options: JobOptions) -> dict[str, Any]:
    """Return what an output depends on: options by their names, other conditions as messages name them."""
    read, write = asdict(options.read), asdict(options.write)
    conditions = {
        "inputs": [file.name for file in files],
        "version of sentcli": __version__,
        "input_format": read.pop("format"),
        "output_format": write.pop("format"),
        "no_header": not read.pop("header"),
        "rejects": options.rejects.path and Target(options.rejects.path).name,
        **read,
        **write,
        **scorer.fingerprint,  # with all null values
    }
    return json.loads(json.dumps(conditions))  # type: ignore[no-any-return]  # as read back


@dataclass
class _Job:
    """The rows of an output whose files are locked."""

    scorer: Scorer
    history: History
    output: Output | None = None

    def run(self) -> Summary:
        """Score the rows, and publish the output when it holds all of them."""
        history, name = self.history, self.history.targets[0].name
        try:
            history.ledger.begin({"run": history.conditions, "overwrite": history.overwrite})
            with output_errors(name):  # of what nothing below names, such as temporary files
                return self._score()
        except BaseException as error:
            hint = _KEPT if self._leave(error) else ""
            where = "" if name == STANDARD else f"{name}: "
            if isinstance(error, MemoryError):
                reason = f"out of memory; try fewer {errors.option('workers')}"
                raise errors.RefusedOutputError(f"{where}{reason}{hint}") from error
            if isinstance(error, KeyboardInterrupt):
                rows = errors.counted(self.output.rows if self.output else 0, "row")
                message = f"{where}stopped after {rows}{hint}"
                raise errors.InterruptedRunError(message, errors.signal_of(error)) from None
            if isinstance(error, errors.SentcliError) and not isinstance(error, errors.ResumeError):
                named = isinstance(error, errors.OutputError) and name not in str(error)
                raise type(error)(f"{where if named else ''}{error}{hint}") from error
            raise

    def _score(self) -> Summary:
        started, scorer, options = time.perf_counter(), self.scorer, self.history.options
        files, target = self.history.files, self.history.targets[0]
        results = options.write.columns(scorer.shown_classes, scorer.extras.columns, scorer.given_labels)
        # An output folder keeps the folders of the inputs.
        partitions = {} if options.in_folder else partitions_of([file.name for file in files])
        with closing(Inputs(files, target, options.read, options.write, results, partitions)) as inputs:
            self.output = output = Output(self.history.targets, inputs.writer, options.rejects)
            with closing(Bar(options.progress, target.name, inputs.total_bytes)) as bar:
                summary, replayed = self._write_rows(inputs, output, bar)
            said: list[list[Any]] = []
            if options.report:
                began = time.perf_counter()
                said = options.report.finish()
                started += time.perf_counter() - began  # the speed does not include the report
            sizes = output.close(inputs, summary.to_sheet(scorer.bundle.name, scorer.labels[-1], said))
        self.history.ledger.finish(sizes)
        self.history.complete(sizes[0], summary)
        output.publish()
        summary = replace(summary, scored=output.rows - replayed, seconds=time.perf_counter() - started)
        if options.report:
            options.report.publish()
        if options.summary:
            options.summary.write(summary)
        self.history.ledger.discard()
        return summary

    def _write_rows(self, inputs: Inputs, output: Output, bar: Bar) -> tuple[Summary, int]:
        """Write the rows, first those that a stopped run scored.

        :returns: the summary of all rows, and how many of them the stopped run scored.
        """
        files, scorer, total = self.history.files, self.scorer, Counts()
        names = [file.name for file in files]
        ledger, report, groups = self.history.ledger, self.history.options.report, Groups()
        by = () if inputs.table.is_empty else self.history.options.read.by
        about = scorer.extras.about  # their columns are the last ones
        places = {name: places_of(inputs.table, {split_span(name)[0]: "by"})[0] for name in by}
        if report:
            inputs.keeps_rows = True
            report.begin(names, inputs.table, is_stream=files[0].is_stream)

        def write(chunk: Chunk, results: Results) -> None:
            output.write(chunk, inputs.with_partitions(chunk, results))
            groups.add({name: self._groups_of(name, chunk.texts_of(places[name])) for name in by}, results[0])
            for name, scores in zip(about, results[len(results) - len(about) :], strict=True):
                labels = [scorer.labels[score >= 0.5] for score in scores if score is not None]
                groups.add({_ABOUT: [name] * len(labels)}, labels)
            if report:
                report.add(inputs.table, chunk, results)

        for chunk, results, counts in ledger.replay(inputs.chunks, names):
            stop.check()
            write(chunk, results)
            total += counts
        replayed = output.rows
        for chunk, scores in scorer.stream(inputs.chunks):
            results = [column.values(scores) for column in inputs.scored]
            write(chunk, results)
            total += scores.counts
            ledger.add(chunk, results, scores.counts)
            bar.update(chunk.position.progress, output.rows, output.rows - replayed)
        summary = Summary(
            **vars(total),
            rows=output.rows,
            groups=groups,
            rejected=output.rejected,
            formulas_without_value=inputs.formulas_without_value,
            text_columns=inputs.text_columns,
            inputs=[file.fingerprint() for file in files],
        )
        return summary, replayed

    def _groups_of(self, name: str, values: Sequence[str]) -> Sequence[str]:
        """Return the groups of values of `--by`: the values, or their days."""
        day_first = self.history.options.read.day_first
        return [day_of(value, day_first) for value in values] if split_span(name)[1] else values

    def _leave(self, error: BaseException) -> bool:
        """Discard the files of a failed or stopped run, except a ledger that was ever made durable.

        :returns: whether the same command can continue the run.
        """
        ledger = self.history.ledger
        with suppress(errors.OutputError), ExitStack() as stack:  # report what ended the run, not this error
            if self.output:
                stack.callback(self.output.discard)
            stack.callback(ledger.close)
            if not ledger.is_kept:
                ledger.discard()
            elif not isinstance(error, errors.OutputError):
                ledger.commit()
        return ledger.is_kept
