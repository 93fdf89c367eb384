"""`sentcli train`."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import click

from sentcli.cli import say
from sentcli.cli.command import Command, is_given, named
from sentcli.cli.train_options import TrainOptions, check_together, file_settings, given_settings
from sentcli.config import DataSet
from sentcli.errors import InterruptedRunError, SentcliError, requires, signal_of
from sentcli.model.bundle import TRAINING, load_bundle


@click.command(cls=Command, params=file_settings())
def train(options: TrainOptions) -> None:
    """Train a model and write it to a new folder.

    A share of the training split is set aside to choose the best epoch. The test split is left for `sentcli
    evaluate`. Run the same command again to continue an interrupted training. --config takes more settings.

    \b
    Examples:
      sentcli train --dataset reviews.csv --label-column stars -o my-model
      sentcli train --dataset few.csv --finetune imdb-bilstm -o my-model
    """
    check_together()
    with requires("train"):
        from sentcli.tables.options import ReadOptions
        from sentcli.training.corpus import DataSource
        from sentcli.training.settings import Options
        from sentcli.training.train import train_bundle, work_folder

    columns = named(options, DataSet)
    data = tuple(
        replace(table, **{name: getattr(table, name) or columns[name] for name in columns})
        for table in options.data or [DataSet(options.dataset)]
    )
    glove, csv = options.glove if is_given("glove") else None, ReadOptions(**named(options, ReadOptions))
    source = DataSource(**named(options, DataSource) | {"data": data, "glove": glove, "csv": csv})
    how = Options(**named(options, Options), command=shlex.join(["sentcli", *sys.argv[1:]]))
    try:
        train_bundle(source, given_settings(), options.output, how, overwrite=options.overwrite)
    except (KeyboardInterrupt, MemoryError) as error:
        same = f"the same command{' without --overwrite' if options.overwrite else ''} continues"
        is_saved = work_folder(options.output).exists()
        if isinstance(error, MemoryError):
            what = f"free memory, then {same}" if is_saved else "try fewer texts"
            raise SentcliError(f"out of memory; {what}") from error
        message = f"stopped; {same if is_saved else 'nothing was saved yet'}"
        raise InterruptedRunError(message, signal_of(error)) from None
    if not options.quiet:
        _say_done(options.output)


def _say_done(output: Path) -> None:
    path, labels = shlex.quote(str(output)), load_bundle(output).config.labels
    means = f"; a score is the probability of {labels[1]!r:.100}" if len(labels) == 2 else ""
    say(f"{output}: done{means}; see {output / TRAINING}; try: sentcli score FILE --model {path}")
