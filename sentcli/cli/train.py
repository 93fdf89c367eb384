"""`sentcli train`."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sentcli.cli import say
from sentcli.cli.config_file import DataTables, config_option, recipe
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.cli.options import (
    NamedPath,
    csv_encoding_option,
    dataset_option,
    delimiter_option,
    device_option,
    label_column_option,
    log_to_stderr,
    new_folder,
    not_empty,
    overwrite_option,
    quiet_option,
    text_column_option,
)
from sentcli.cli.train_options import (
    FileSetting,
    check_together,
    given_settings,
    is_given,
    settings_options,
)
from sentcli.config import BY_DATA, DataSet
from sentcli.errors import InterruptedRunError, OutOfMemoryError, requires, signal_of
from sentcli.model.bundle import load_bundle

_EXAMPLES = (
    "sentcli train --dataset reviews.csv --label-column stars -o my-model",
    "sentcli train --dataset few.csv --finetune imdb-bilstm -o my-model",
)
_GROUPS = {
    "Data": (
        *("dataset", "text_column", "label_column", "positive", "delimiter", "encoding", "validation"),
        "validation_share",
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


@click.command(cls=GroupedCommand, examples=_EXAMPLES, groups=_GROUPS)
@config_option
@dataset_option
@click.option(
    "--data",
    cls=FileSetting,
    type=DataTables(),
    help="Several data sets, in place of dataset: a [[data]] table for each.",
)
@text_column_option
@label_column_option
@click.option(
    "--positive",
    callback=not_empty,
    help="Of two labels, the one whose probability is the score; by default the second as sorted.",
)
@delimiter_option
@csv_encoding_option
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
    callback=not_empty,
    help="Labelled file, or split of --dataset, to validate on; by default a share of the training split.",
)
@click.option("--glove", default="6B.100d", help="Word vectors: a file, a name such as 6B.100d, or none.")
@click.option(
    "--finetune",
    type=NamedPath(file_okay=False),
    help="Model to start from; it sets vocabulary and shape. imdb-bilstm comes with sentcli.",
)
@settings_options(BY_DATA)
@device_option
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch; by default all usable cores.")
@click.option(
    "--license", "licence", cls=FileSetting, help="Licence of the model for its card, such as apache-2.0."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="sentcli-model",
    callback=new_folder,
    help="New model folder.",
)
@overwrite_option
@quiet_option
def train(
    dataset: str,
    data: tuple[DataSet, ...] | None,
    text_column: str | None,
    label_column: str | None,
    positive: str | None,
    delimiter: str | None,
    encoding: str | None,
    quotechar: str | None,
    skip_lines: int | None,
    max_rejects: str,
    validation: str | None,
    glove: str,
    finetune: Path | None,
    device: str | None,
    threads: int | None,
    licence: str | None,
    output: Path,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model and write it to a new folder.

    A share of the training split is held out to choose the best epoch. The test split is left for `sentcli
    evaluate`. Run the same command again to continue an interrupted training. --config takes more settings.
    """
    log_to_stderr(quiet=quiet)
    check_together()
    with requires("train"):
        from sentcli.datasets.rejects import Rejects
        from sentcli.tables.options import ReadOptions
        from sentcli.training.corpus import DataSource
        from sentcli.training.finetune import load_base
        from sentcli.training.settings import NO_VECTORS, Settings
        from sentcli.training.train import train_bundle, work_folder

    rejects = Rejects(max_rejects, "correct them, or raise max-rejects in the file of --config")
    source = DataSource(
        tuple(
            replace(
                each,
                text_column=each.text_column or text_column,
                label_column=each.label_column or label_column,
            )
            for each in data or [DataSet(dataset)]
        ),
        NO_VECTORS if finetune else glove,
        csv=ReadOptions(
            delimiter=delimiter, quotechar=quotechar, encoding=encoding, skip_lines=skip_lines or 0
        ),
        validation=validation,
        positive=positive,
    )
    how = Settings.of(
        settings,
        has_validation=validation is not None,
        device=device,
        threads=threads,
        quiet=quiet,
        licence=licence,
        command=shlex.join(["sentcli", *sys.argv[1:]]),
    )
    if finetune:
        how = how.finetuning(load_base(finetune), given_settings())
    elif not is_given("glove"):
        how = replace(how, given=given_settings())
    context = click.get_current_context()

    def recipe_of(settled: Settings) -> str:
        kinds = settled.text, settled.model, settled.config
        resolved = {name: value for kind in kinds for name, value in kind.to_json().items()}
        if settled.base:
            resolved |= {"finetune": finetune or settled.base.path.name, "glove": None}
        return recipe(context, resolved, ["dataset"] if data else [])

    how = replace(how, recipe=recipe_of)
    try:
        train_bundle(source, output, how, overwrite=overwrite, rejects=rejects)
    except (KeyboardInterrupt, MemoryError) as error:
        same = f"the same command{' without --overwrite' if overwrite else ''} continues"
        is_saved = work_folder(output).exists()
        if isinstance(error, MemoryError):
            what = f"free memory, then {same}" if is_saved else "try fewer texts"
            raise OutOfMemoryError(f"out of memory; {what}") from error
        raise InterruptedRunError(
            f"stopped; {same if is_saved else 'nothing was saved yet'}", signal_of(error)
        ) from None
    if not quiet:
        path, labels = shlex.quote(str(output)), load_bundle(output).config.labels
        means = f"; a score is the probability of {labels[1]!r:.100}" if len(labels) == 2 else ""
        is_of_tone = labels == ("negative", "positive")
        trial = f"echo 'an absolute joy' | sentcli score --model {path}"
        say(f"{output}: done{means}; try: {trial if is_of_tone else f'sentcli score FILE --model {path}'}")
