"""`sentcli evaluate`."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sentcli.cli import say
from sentcli.cli.options import (
    NamedPath,
    backend_option,
    csv_encoding_option,
    csv_skip_lines_option,
    dataset_option,
    delimiter_option,
    device_option,
    label_column_option,
    log_to_stderr,
    model_argument,
    overwrite_option,
    precision_option,
    quiet_option,
    quotechar_option,
    text_column_option,
    workers_option,
)
from sentcli.errors import DataError, OutputError, UsageError, printable, requires
from sentcli.evaluation.markdown import no_option
from sentcli.evaluation.metrics_file import WEAK_SPOTS
from sentcli.evaluation.report import report
from sentcli.model.bundle import CARD, load_bundle

if TYPE_CHECKING:
    from sentcli.evaluation.measurement import Measurement

_ASIDE = ("card", "weak_spot", "as_json", "plots", "overwrite", "quiet")  # options that change no figure
_SENTENCES = 3  # that a passage has at most, where no number is given

_EXAMPLES = """\b
Examples:
  sentcli evaluate my-model --dataset held-out.csv --label-column stars --plots pictures
  sentcli evaluate my-model --dataset sarcasm.csv --card --weak-spot irony
  sentcli evaluate my-onnx/model.onnx --against my-model --card
"""


@click.command(epilog=_EXAMPLES)
@model_argument
@dataset_option
@click.option("--split", default="test", help="Part of the data set to measure on; a file is all one part.")
@click.option(
    "--held-out",
    is_flag=True,
    help="Measure on what training held out, of the train split or besides it, instead of --split; without "
    "--dataset, of the data set that the model learnt from.",
)
@text_column_option
@label_column_option
@delimiter_option
@quotechar_option
@csv_encoding_option
@csv_skip_lines_option
@click.option(
    "--passages",
    metavar="[N]",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=_SENTENCES,
    help=f"Measure on a passage of 1 to N sentences of each text, {_SENTENCES} by default. It has the label "
    "of its text, which is not always its own.",
)
@click.option(
    "--against",
    type=NamedPath(),
    help="Another model folder or model file: say how far its labels and scores are from those of MODEL.",
)
@backend_option
@device_option
@precision_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--plots", type=NamedPath(), help="Folder for pictures of the figures.")
@overwrite_option
@click.option(
    "--card",
    is_flag=True,
    help="Write the figures into the card of the model, in place of those that this line gave before.",
)
@click.option(
    "--weak-spot",
    type=click.Choice(WEAK_SPOTS),
    help="With --card: what these texts were chosen to examine, of what a model may be bad at; by default "
    "short for passages, and subjects for another data set than the model's own.",
)
@quiet_option
def evaluate(
    model: Path,
    dataset: str,
    split: str,
    held_out: bool,
    text_column: str | None,
    label_column: str | None,
    delimiter: str | None,
    quotechar: str | None,
    encoding: str | None,
    skip_lines: int | None,
    passages: int | None,
    against: Path | None,
    backend: str | None,
    device: str | None,
    precision: str | None,
    workers: int | None,
    as_json: bool,
    plots: Path | None,
    overwrite: bool,
    card: bool,
    weak_spot: str | None,
    quiet: bool,
) -> None:
    """Measure a model on a labelled split of a data set.

    MODEL is a model folder, or one model file in it; by default the model in the box. Printed are accuracy
    with its 95 % interval, F1, ROC AUC, log loss, expected calibration error and the confusion matrix; then
    the accuracy by length, and what `sentcli score --uncertain` would leave at a few bands. Texts without a
    word get no score: they are counted, and left out of all figures. Where labels are numbers and the model's
    are names, 0 stands for the first of these, and so on.

    The card is in the folder that `sentcli train` wrote. Of an exported model, say int8, it is that of the
    model that --against names, which has to be the one that was exported.
    """
    log_to_stderr(quiet=quiet)
    if sys.stdout is None:
        raise OutputError("standard output is closed, and that is where the figures go")
    if held_out and card:
        raise UsageError("--card: the figures of the part that training held out are there already")
    if weak_spot and not card:
        raise UsageError("--weak-spot says where figures belong on the card; add --card")
    if weak_spot and against:
        raise UsageError("--weak-spot is for figures of one model alone; leave out --against")
    bundle = load_bundle(model)
    other = load_bundle(against) if against else None
    if other and other.config.labels != bundle.config.labels:
        raise UsageError(f"--against {against}: its labels are not those of {model}, or not in their order")
    with requires("train"):
        from sentcli.evaluation.evaluate import EvaluationSource, Runtime, evaluate_bundle
        from sentcli.evaluation.metrics_file import read_metrics
        from sentcli.evaluation.splits import CsvFormat

        if plots:
            from sentcli.evaluation.plots import check_folder, draw_evaluation
            from sentcli.files.storage import resolve
        if card:
            from sentcli.evaluation.card_update import find_card, record_evaluation

    is_default = click.get_current_context().get_parameter_source("dataset") is ParameterSource.DEFAULT
    if held_out and is_default:
        metrics = read_metrics(bundle)
        dataset, columns = metrics["dataset"], metrics.get("columns", {})
        given: dict[str, Any] = {"text_column": text_column, "label_column": label_column}
        given |= {"delimiter": delimiter, "quotechar": quotechar}
        given |= {"encoding": encoding, "skip_lines": skip_lines}
        text_column, label_column, delimiter, quotechar, encoding, skip_lines = (
            columns.get(name) if value is None else value for name, value in given.items()
        )

    carded = find_card(bundle, other) if card else None
    if plots:
        for kept in filter(None, (bundle, other, carded)):
            if kept.path.resolve() in (resolve(plots), *resolve(plots).parents):
                raise UsageError(
                    f"--plots {plots}: a model folder is replaced as a whole; give another place"
                )
        check_folder(plots, overwrite=overwrite)

    csv = CsvFormat(delimiter, encoding, skip_lines, quotechar)
    split = "train" if held_out else split
    source = EvaluationSource(dataset, split, held_out, text_column, label_column, csv, passages, carded)
    runtime = Runtime(backend, device, precision, workers)
    try:
        measured, record = evaluate_bundle(bundle, source, runtime, other, quiet=quiet)
    except DataError as error:
        if not (held_out and is_default):
            raise
        raise DataError(f"{error}; {model} learnt from it: if it is elsewhere now, say --dataset") from error

    click.echo(json.dumps(record, indent=2) if as_json else _told(record, measured))
    if plots:
        draw_evaluation(plots, measured, bundle.config.labels)
    if carded:
        spot = {"weak_spot": weak_spot} if weak_spot else {}
        record_evaluation(carded, record | {"command": _command()} | spot, measured)
        if not quiet:
            say(f"{carded.path / CARD}: written anew, with these figures")


def _told(record: Mapping[str, Any], measured: "Measurement") -> str:
    """Give the figures as a person reads them, under what they are of."""
    of = f"passages of 1 to {record['passages']} sentences of " if record["passages"] else ""
    lines = [f"{printable('{model} on '.format(**record) + of + record['where'])} ({record['backend']})"]
    if of:
        lines.append("each with the label of its text, which is not always its own")
    against = "{model} ({backend}, {file})".format(**record["against"]) if record["against"] else ""
    return "\n".join([*lines, "", report(measured, against)])


def _command() -> str:
    """Give the line that measures the same again, without what is done with the figures."""
    context = click.get_current_context()
    words = []
    for parameter in context.command.params:
        name = str(parameter.name)
        if name in _ASIDE or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = str(context.params[name])
        if isinstance(parameter, click.Argument):
            words.append(no_option(value))
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0])
        else:
            flag = parameter.opts[0]
            words += [f"{flag}={value}"] if value.startswith("-") else [flag, value]
    return shlex.join(["sentcli", "evaluate", *words])
