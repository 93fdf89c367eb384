"""`sentcli train`."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.config_file import DataTables, config_option
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.cli.train_options import FileSetting, check_together, given_settings, is_given, settings_options
from sentcli.config import DataSet
from sentcli.errors import InterruptedRunError, SentcliError, requires, signal_of
from sentcli.model.bundle import TRAINING, load_bundle

_EXAMPLES = (
    "sentcli train --dataset reviews.csv --label-column stars -o my-model",
    "sentcli train --dataset few.csv --finetune imdb-bilstm -o my-model",
)
_GROUPS = {
    "Data": (
        *("dataset", "text_column", "label_column", "weight_column", "positive", "delimiter", "encoding"),
        *("validation", "validation_share"),
    ),
    "Model": (
        *("glove", "finetune", "interpolate", "hidden_size", "embedding_dim", "max_tokens", "min_freq"),
        "bigrams",
    ),
    "Training": (
        *("epochs", "batch_size", "lr", "dropout", "class_weight", "ema_decay", "seed", "device", "threads"),
    ),
    "Output and settings": ("output", "overwrite", "config", "quiet"),
}

# Parameters of the command that are fields of `DataSet`, `ReadOptions`, `DataSource` and `Options`.
_COLUMNS = ("text_column", "label_column", "weight_column")
_CSV = ("delimiter", "quotechar", "encoding")
_SOURCE = ("finetune", "validation", "positive", "max_rejects")
_OPTIONS = ("device", "threads", "license")


@click.command(cls=GroupedCommand, examples=_EXAMPLES, groups=_GROUPS)
@config_option
@common.dataset_option
@click.option(
    "--data",
    cls=FileSetting,
    type=DataTables(),
    help="Several data sets, in place of dataset: a [[data]] table for each.",
)
@common.text_column_option
@common.label_column_option
@click.option("--weight-column", callback=common.not_empty, help="Column of the weight of each text.")
@click.option(
    "--positive",
    callback=common.not_empty,
    help="Of two labels, the one whose probability is the score; by default the second as sorted.",
)
@common.delimiter_option
@common.csv_encoding_option
@click.option("--quotechar", cls=FileSetting, help="CSV and TSV: quote character; '' for none.")
@click.option(
    "--skip-lines", cls=FileSetting, type=click.IntRange(0), help="CSV and TSV: lines before the header."
)
@click.option(
    "--max-rejects",
    cls=FileSetting,
    default="1%",
    metavar="N|P%",
    help="Most rows of a data set that may be left out, N or P%: without text or label, or not readable.",
)
@click.option(
    "--validation",
    callback=common.not_empty,
    help="Labeled file, or split of --dataset, to validate on; by default a share of the training split.",
)
@click.option("--glove", default="6B.100d", help="Word vectors: a file, a name such as 6B.100d, or none.")
@click.option(
    "--finetune",
    type=common.NamedPath(file_okay=False),
    help="Model to start from; it sets vocabulary and shape. imdb-bilstm comes with sentcli.",
)
@settings_options
@common.device_option
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of PyTorch; by default one for up to 100,000 words, else all cores.",
)
@click.option("--license", cls=FileSetting, help="License of the model for its card, such as apache-2.0.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="sentcli-model",
    callback=common.new_folder,
    help="New model folder.",
)
@common.overwrite_option
@common.quiet_option
def train(output: Path, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Train a model and write it to a new folder.

    A share of the training split is set aside to choose the best epoch. The test split is left for `sentcli
    evaluate`. Run the same command again to continue an interrupted training. --config takes more settings.
    """
    common.log_to_stderr(quiet=quiet)
    check_together()
    with requires("train"):
        from sentcli.tables.options import ReadOptions
        from sentcli.training.corpus import DataSource
        from sentcli.training.settings import Options
        from sentcli.training.train import train_bundle, work_folder

    source = DataSource(
        data=tuple(
            replace(table, **{name: getattr(table, name) or options[name] for name in _COLUMNS})
            for table in options["data"] or [DataSet(options["dataset"])]
        ),
        glove=options["glove"] if is_given("glove") else None,
        csv=ReadOptions(**{name: options[name] for name in _CSV}, skip_lines=options["skip_lines"] or 0),
        **{name: options[name] for name in _SOURCE},
    )
    how = Options(
        **{name: options[name] for name in _OPTIONS},
        quiet=quiet,
        command=shlex.join(["sentcli", *sys.argv[1:]]),
    )
    try:
        train_bundle(source, given_settings(), output, how, overwrite=overwrite)
    except (KeyboardInterrupt, MemoryError) as error:
        same = f"the same command{' without --overwrite' if overwrite else ''} continues"
        is_saved = work_folder(output).exists()
        if isinstance(error, MemoryError):
            what = f"free memory, then {same}" if is_saved else "try fewer texts"
            raise SentcliError(f"out of memory; {what}") from error
        raise InterruptedRunError(
            f"stopped; {same if is_saved else 'nothing was saved yet'}", signal_of(error)
        ) from None
    if not quiet:
        _say_done(output)


def _say_done(output: Path) -> None:
    path, labels = shlex.quote(str(output)), load_bundle(output).config.labels
    means = f"; a score is the probability of {labels[1]!r:.100}" if len(labels) == 2 else ""
    trial = f"sentcli score FILE --model {path}"
    if labels == ("negative", "positive"):
        trial = f"echo 'an absolute joy' | sentcli score --model {path}"
    say(f"{output}: done{means}; {output / TRAINING} shows the training; try: {trial}")
