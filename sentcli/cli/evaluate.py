"""`sentcli evaluate`."""

import json
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.config import DataSet
from sentcli.errors import UsageError, requires
from sentcli.files.sink import Target, write_file
from sentcli.model.bundle import CARD, Bundle, load_bundle
from sentcli.tables.options import ReadOptions

if TYPE_CHECKING:
    from sentcli.evaluation.evaluate import Measurement

# Options that change no figure.
_NO_FIGURE = ("by", "card", "as_json", "suspects", "predictions", "page", "overwrite", "quiet")
_CSV = ("delimiter", "quotechar", "encoding")
_HARDWARE = ("backend", "device", "precision", "workers")


@click.command(
    cls=GroupedCommand,
    examples=(
        "sentcli evaluate my-model --dataset test.csv --label-column stars",
        "sentcli evaluate my-model --dataset test.csv --card --report page.html",
        "sentcli evaluate my-model --dataset test.csv --against other-model",
    ),
    groups={
        "Data": ("dataset", "split", "text_column", "label_column", "targets"),
        "CSV and TSV files": (*_CSV, "skip_lines"),
        "Results": ("against", "target_precision", *_NO_FIGURE),
        "Hardware": _HARDWARE,
    },
)
@common.model_argument
@common.dataset_option
@click.option("--split", default="test", help="Split of the data set; a file has only one.")
@common.text_column_option
@common.label_column_option
@click.option(
    "--targets",
    metavar="TABLE",
    help="Two labels: the probability of the second for each label of the data, as in a [[data]] table of "
    "sentcli train, such as '{ 1 = 0, 2 = 0, 3 = 0.5, 4 = 1, 5 = 1 }'. A text in the middle is neutral.",
)
@common.delimiter_option
@common.quotechar_option
@common.csv_encoding_option
@common.csv_skip_lines_option
@click.option(
    "--against",
    type=common.NamedPath(),
    help="Another model folder or file; compare its labels and scores with those of MODEL.",
)
@common.backend_option
@common.device_option
@common.precision_option
@common.workers_option
@click.option(
    "--target-precision",
    type=click.FloatRange(0.5, 1),
    help="Two labels: print for each the score beyond which at least this share of its predictions is right.",
)
@click.option(
    "--by",
    multiple=True,
    callback=common.not_empty,
    help="Also print the accuracy for each value of this column; can be repeated.",
)
@click.option(
    "--suspects", type=click.IntRange(1), default=5, help="Print N rows whose label is probably wrong."
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@click.option(
    "--predictions",
    type=common.NamedPath(dir_okay=False),
    help="New CSV file: row, text, label, predicted label, and the probability of each class.",
)
@click.option(
    "--report", "page", type=common.NamedPath(), help="HTML page of the metrics, with some of the texts."
)
@common.overwrite_option
@click.option(
    "--card",
    is_flag=True,
    help="Write the metrics into the model card; a repeated command replaces its earlier metrics.",
)
@common.quiet_option
def evaluate(model: Path, *, card: bool, quiet: bool, **options: Any) -> None:
    """Measure a model on a labeled split of a data set.

    MODEL is a model folder, or a model file in it; by default the included model. The command prints
    accuracy, F1, ROC AUC and log loss with 95 % intervals, the balanced accuracy, the expected calibration
    error, the confusion matrix, the accuracy by text length, and coverage and accuracy over neutral bands.
    Empty texts have no score: they are counted and left out. If the labels are numbers but the
    model has names, 0 stands for the first name. With texts labeled neutral, the command also measures the
    three labels of score --neutral.
    """
    common.log_to_stderr(quiet=quiet)
    against, precision = options["against"], options["target_precision"]
    if card and against:
        raise UsageError("--card writes the metrics of a single model; omit --against")
    columns = {name: options[name] for name in ("text_column", "label_column")}
    targets = _read_targets(options["targets"]) if options["targets"] else None
    data = DataSet(options["dataset"], **columns, targets=targets)
    bundle = load_bundle(model)
    other = load_bundle(against) if against else None
    if other and other.config.labels != bundle.config.labels:
        raise UsageError(f"--against {against}: its labels, or their order, differ from those of {model}")
    if precision and len(bundle.config.labels) > 2:
        raise UsageError(
            f"--target-precision: {model} has {len(bundle.config.labels)} labels, not two; omit it"
        )
    with requires("evaluate"):
        from sentcli.evaluation.display import as_text
        from sentcli.evaluation.evaluate import evaluate_bundle
        from sentcli.evaluation.model_card import check_card, record_evaluation
    if card:
        check_card(bundle)
    _check_files(options["predictions"], options["page"], overwrite=options["overwrite"])

    named = {name: options[name] for name in (*_CSV, "by")}
    csv = ReadOptions(**named, skip_lines=options["skip_lines"] or 0)
    measured, record = evaluate_bundle(
        bundle,
        data,
        options["split"],
        csv,
        other,
        target_precision=precision,
        quiet=quiet,
        **{name: options[name] for name in ("predictions", "suspects", *_HARDWARE)},
    )

    click.echo(json.dumps(record, indent=2) if options["as_json"] else as_text(record))
    if options["page"]:
        _write_page(options["page"], bundle, measured, record, {name: options[name] for name in _HARDWARE})
    if card:
        for name in ("errors", "by"):  # a model folder contains no texts
            record.pop(name)
        command = _command(click.get_current_context())
        record_evaluation(bundle, record | {"command": command})
        if not quiet:
            say(f"{bundle.path / CARD}: updated with these metrics")


def _check_files(*paths: Path | None, overwrite: bool) -> None:
    for path in filter(None, paths):
        Target(path).check()
        if not overwrite:
            Target(path).refuse_existing()


def _write_page(
    path: Path, bundle: Bundle, measured: "Measurement", record: Mapping[str, Any], hardware: dict[str, Any]
) -> None:
    from sentcli.report.evaluated import render_evaluation
    from sentcli.scoring.scorer import Scorer

    with Scorer(bundle, **hardware) as scorer:
        write_file(Target(path), render_evaluation(measured, record, scorer))


def _read_targets(table: str) -> Mapping[str, float] | str | None:
    """Read the targets of labels as a `[[data]]` table has them."""
    try:
        values = tomllib.loads(f"targets = {table}")
    except ValueError as error:
        raise UsageError(f"--targets: not TOML: {error}; try '{{ 1 = 0, 3 = 0.5, 5 = 1 }}'") from None
    return DataSet.from_table({"path": "-", **values}, "--targets").targets


def _command(context: click.Context) -> str:
    """Return the command line that computes the same metrics again."""
    words = []
    for parameter in context.command.params:
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not is_given or name in (*_NO_FIGURE, "workers"):
            continue
        value = str(context.params[name])
        words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return shlex.join(["sentcli", "evaluate", *words])
