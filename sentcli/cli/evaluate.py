"""`sentcli evaluate`."""

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.command import Command, is_given, named, option
from sentcli.config import DataSet
from sentcli.errors import UsageError, requires
from sentcli.files.sink import Target, write_file
from sentcli.model.bundle import CARD, Bundle, load_bundle
from sentcli.tables.options import ReadOptions

# Options that change no figure.
_NO_FIGURE = ("by", "card", "json", "suspects", "predictions", "report", "overwrite", "quiet", "workers")


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of `sentcli evaluate`."""

    model: Path = common.model_path()

    dataset: str = common.dataset(heading="Data")
    split: str = option("Split of the data set; a file has only one.", default="test")
    text_column: str | None = common.text_column()
    label_column: str | None = common.label_column()
    round_labels: bool = common.round_labels()
    targets: str | None = option(
        "Two labels: the probability of the second for each label of the data, as in a [[data]] table of "
        "sentcli train, such as '{ 1 = 0, 2 = 0, 3 = 0.5, 4 = 1, 5 = 1 }'. A text in the middle is neutral.",
        metavar="TABLE",
    )

    delimiter: str | None = common.delimiter(heading="CSV and TSV files")
    quotechar: str | None = common.quotechar()
    encoding: str | None = common.encoding()
    skip_lines: int = common.skip_lines()

    against: Path | None = option(
        "Another model folder or file; compare its labels and scores with MODEL's.", heading="Results"
    )
    target_precision: float | None = option(
        "Print, per label, the score threshold that reaches this precision (two labels).", low=0.5, high=1
    )
    by: tuple[str, ...] = common.column("Also print the accuracy per value of this column; can be repeated.")
    card: bool = option("Write the metrics into the model card, in place of those of the same command.")
    json: bool = option("Print the metrics as JSON.")
    suspects: int | None = option("Print the N rows whose label is the least probable.", low=1)
    predictions: Path | None = option("New CSV file: row, text, label, prediction, and probabilities.")
    report: Path | None = option("HTML page of the metrics, with some of the texts.")
    overwrite: bool = common.overwrite()
    quiet: bool = common.quiet()

    backend: str | None = common.backend(heading="Hardware")
    device: str | None = common.device()
    precision: str | None = common.precision()
    workers: int | None = option("Threads for scoring. Default: one for each usable core.", low=1)


@click.command(cls=Command)
def evaluate(options: EvaluateOptions) -> None:
    """Measure a model on a labeled split of a data set.

    MODEL is a model folder, or a model file in it; by default the included model. The command prints
    accuracy, F1, ROC AUC and log loss with 95 % intervals, the balanced accuracy, the expected calibration
    error, the confusion matrix, the accuracy by text length, and coverage and accuracy over neutral bands.
    Empty texts have no score: they are counted and left out. If the labels are numbers but the
    model has names, 0 stands for the first name. With texts labeled neutral, the command also measures the
    three labels of score --neutral.

    \b
    Examples:
      sentcli evaluate my-model --dataset test.csv --label-column stars
      sentcli evaluate my-model --dataset test.csv --card --report page.html
      sentcli evaluate my-model --dataset test.csv --against other-model
    """
    if options.card and options.against:
        raise UsageError("--card writes the metrics of a single model; omit --against")
    targets = _read_targets(options.targets) if options.targets else None
    columns = options.text_column, options.label_column
    data = DataSet(options.dataset, *columns, targets=targets, round_labels=options.round_labels)
    bundle = load_bundle(options.model)
    against = load_bundle(options.against) if options.against else None
    _check_labels(options, bundle, against)
    with requires("evaluate"):
        from sentcli.evaluation.display import as_text
        from sentcli.evaluation.evaluate import evaluate_bundle
        from sentcli.evaluation.model_card import check_card, record_evaluation
        from sentcli.scoring.scorer import Scorer
    if options.card:
        check_card(bundle)
    for path in filter(None, (options.predictions, options.report)):
        Target(path).check(overwrite=options.overwrite)

    hardware = named(options, Scorer)
    del hardware["model"]
    csv = ReadOptions(**named(options, ReadOptions))
    chosen = named(options, evaluate_bundle) | {"against": against} | hardware
    measured = evaluate_bundle(bundle, data, csv=csv, **chosen)
    record = measured.record

    click.echo(json.dumps(record, indent=2) if options.json else as_text(record))
    if options.report:
        from sentcli.report.measured import render_evaluation

        with Scorer(bundle, **hardware) as scorer:
            write_file(Target(options.report), render_evaluation(measured, scorer))
    if options.card:
        for name in ("errors", "by"):  # a model folder contains no texts
            record.pop(name)
        record_evaluation(bundle, record | {"command": _command(click.get_current_context())})
        if not options.quiet:
            say(f"{bundle.path / CARD}: updated with these metrics")


def _read_targets(table: str) -> Mapping[str, float] | str | None:
    """Read the targets of labels as a `[[data]]` table has them."""
    try:
        values = tomllib.loads(f"targets = {table}")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--targets: not TOML: {error}; try '{{ 1 = 0, 3 = 0.5, 5 = 1 }}'") from None
    return DataSet.from_table({"path": "-", **values}, "--targets").targets


def _check_labels(options: EvaluateOptions, bundle: Bundle, against: Bundle | None) -> None:
    """Refuse models whose labels do not fit the options."""
    labels = bundle.config.labels
    if against and against.config.labels != labels:
        others = f"those of {options.model}"
        raise UsageError(f"--against {options.against}: its labels, or their order, differ from {others}")
    if options.target_precision and len(labels) > 2:
        raise UsageError(f"--target-precision: {options.model} has {len(labels)} labels, not two; omit it")


def _command(context: click.Context) -> str:
    """Return the command line that computes the same metrics again."""
    words = []
    for parameter in context.command.params:
        name = str(parameter.name)
        if is_given(name) and name not in _NO_FIGURE:
            value = str(context.params[name])
            words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return shlex.join(["sentcli", "evaluate", *words])
