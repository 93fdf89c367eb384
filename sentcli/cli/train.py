"""`sentcli train`."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sentcli.cli import say
from sentcli.cli.config_file import config_option, recipe
from sentcli.cli.options import (
    NamedPath,
    csv_encoding_option,
    csv_skip_lines_option,
    dataset_option,
    delimiter_option,
    label_column_option,
    log_to_stderr,
    new_folder,
    not_empty,
    overwrite_option,
    quiet_option,
    quotechar_option,
    resume_option,
    settings_options,
    text_column_option,
)
from sentcli.cli.train_options import (
    CHOICES,
    OF_MODEL,
    OF_SELF_TRAINING,
    OF_TEXT,
    OF_TRAINING,
    check_together,
    given_settings,
)
from sentcli.config import DEVICES, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.errors import InterruptedRunError, OutOfMemoryError, UsageError, requires, signal_of
from sentcli.model.bundle import load_bundle
from sentcli.training.defaults import AUTO

_EXAMPLES = """\b
Examples:
  sentcli train --dataset reviews.csv --label-column stars --glove 6B.100d -o my-model
  sentcli train --dataset few.csv --from imdb-bilstm -o my-model
  sentcli train --dataset labelled.csv --unlabeled heap.csv --teacher auto -o my-model
"""


_GOING_ON = ("--resume", "--skip-existing")


@click.command(epilog=_EXAMPLES)
@config_option
@dataset_option
@text_column_option
@label_column_option
@delimiter_option
@quotechar_option
@csv_encoding_option
@csv_skip_lines_option
@click.option(
    "--from",
    "base",
    type=NamedPath(file_okay=False),
    help="Model folder to go on from, in place of word vectors: its words and its shape stay. imdb-bilstm is "
    "the model in the box.",
)
@click.option("--glove", default="6B.100d", help="Word vectors: a file, a name such as 6B.100d, or none.")
@click.option(
    "--unlabeled",
    callback=not_empty,
    help="Texts without labels to learn from as well; as --dataset.",
)
@click.option(
    "--unlabeled-text-column", help="Column of the texts without labels; by default as --text-column."
)
@click.option(
    "--sentences",
    callback=not_empty,
    help="Labelled sentences to learn besides, none held out: as --dataset, or everyday, for those on "
    "goods, restaurants, hotels, services, films and everyday life that come with sentcli.",
)
@click.option(
    "--validation",
    callback=not_empty,
    help="Validate on these, in place of a share of the training split: a labelled file, or a split of "
    "--dataset by its name.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    callback=not_empty,
    metavar="MODEL|auto",
    help="Model folder that labels them, together with n-grams; auto trains such models first.",
)
@click.option(
    "--pseudo-labels",
    type=NamedPath(dir_okay=False),
    help="Parquet file of the teacher's last labels: if it is there, they are learnt from and no teacher "
    "is asked; else it is written.",
)
@settings_options(SelfTrainingConfig, OF_SELF_TRAINING)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="sentcli-model",
    callback=new_folder,
    help="New model folder.",
)
@settings_options(TextConfig, OF_TEXT)
@settings_options(ModelConfig, OF_MODEL, CHOICES)
@settings_options(TrainConfig, OF_TRAINING, CHOICES, AUTO)
@click.option("--device", type=click.Choice(DEVICES), help="Where to train; by default cuda if there is one.")
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch; by default all usable cores.")
@click.option("--license", "licence", help="Licence of the model, for its card, such as apache-2.0.")
@resume_option
@click.option(
    "--skip-existing",
    is_flag=True,
    help="For a script that may run again: leave a finished model alone, go on with an interrupted run, or "
    "begin.",
)
@overwrite_option
@quiet_option
def train(
    dataset: str,
    text_column: str | None,
    label_column: str | None,
    delimiter: str | None,
    quotechar: str | None,
    encoding: str | None,
    skip_lines: int | None,
    base: Path | None,
    glove: str,
    unlabeled: str | None,
    unlabeled_text_column: str | None,
    sentences: str | None,
    validation: str | None,
    teachers: tuple[str, ...],
    pseudo_labels: Path | None,
    output: Path,
    device: str | None,
    threads: int | None,
    licence: str | None,
    resume: bool,
    skip_existing: bool,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model and write it to a new folder.

    The training split is read, and a share of it held out to choose the best epoch, unless --validation names
    other texts; the test split is left to `sentcli evaluate`. Ctrl-C saves; the same command with --resume
    goes on.

    With --unlabeled, a teacher labels texts that have no labels, and the model learns from both. The teacher
    weighs n-grams, vectors of whole texts and any number of models, by what is held out.
    """
    log_to_stderr(quiet=quiet)
    if skip_existing and overwrite:
        raise UsageError("--skip-existing leaves alone what --overwrite replaces; leave out one of them")
    if skip_existing and output.exists():
        load_bundle(output)
        if not quiet:
            say(f"{output}: exists, and is left alone")
        return
    text = TextConfig(**{name: settings[name] for name in OF_TEXT})
    # The vocabulary and the classes come with the data; all else is checked before hours are spent.
    model = ModelConfig(vocab_size=2, **{name: settings[name] for name in OF_MODEL})
    config = TrainConfig(**{name: settings[name] for name in OF_TRAINING if settings[name] is not None})
    plan = SelfTrainingConfig(**{name: settings[name] for name in OF_SELF_TRAINING})
    is_self_training = bool(teachers or pseudo_labels or unlabeled)
    check_together(is_self_training=is_self_training)
    with requires("train"):
        from sentcli.evaluation.splits import CsvFormat
        from sentcli.training.corpus import DataSource
        from sentcli.training.finetune import load_base
        from sentcli.training.settings import NO_VECTORS, Settings
        from sentcli.training.train import train_bundle
        from sentcli.training.workdir import sole_run, work_folder

        if is_self_training:
            from sentcli.training.self_training.train import self_train
    source = DataSource(
        dataset,
        text_column,
        label_column,
        NO_VECTORS if base else glove,
        unlabeled,
        csv=CsvFormat(delimiter, encoding, skip_lines, quotechar),
        unlabeled_text_column=unlabeled_text_column,
        sentences=sentences,
        validation=validation,
    )
    how = Settings(
        text,
        model,
        config,
        auto=tuple(
            name
            for name in AUTO
            if settings[name] is None and not (validation and name == "validation_share")
        ),
        device=device,
        threads=threads,
        quiet=quiet,
        licence=licence,
        # Whoever makes the model again has nothing to go on with.
        command=shlex.join(["sentcli", *(word for word in sys.argv[1:] if word not in _GOING_ON)]),
    )
    decided: dict[str, Any] = {}
    if base:
        how = how.going_on_from(load_base(base), given_settings())
        decided = {**how.text.to_json(), **how.model.to_json(), "glove": None}
    context = click.get_current_context()
    how = replace(how, recipe=lambda settled: recipe(context, decided | settled.to_json()))
    work = work_folder(output)
    resume = resume or (skip_existing and work.exists())
    with _way_on(work), sole_run(output):
        if is_self_training:
            self_train(
                source,
                output,
                how,
                plan,
                teachers=teachers,
                pseudo_labels=pseudo_labels,
                resume=resume,
                overwrite=overwrite,
            )
        else:
            train_bundle(source, output, how, resume=resume, overwrite=overwrite)
    if not quiet:
        model_path, labels = shlex.quote(str(output)), load_bundle(output).config.labels
        means = f"; a score is the probability of {labels[1]!r:.100}" if len(labels) == 2 else ""
        say(f"{output}: done{means}; try: echo 'an absolute joy' | sentcli score --model {model_path}")


@contextmanager
def _way_on(work: Path) -> Iterator[None]:
    """Say, of a run that ends between two steps that save, what the same command can do then.

    :param work: the folder of the run.
    :raises InterruptedRunError: in place of KeyboardInterrupt.
    :raises OutOfMemoryError: in place of MemoryError.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        what_now = (
            "the same command with --resume goes on" if work.exists() else "there was nothing to save yet"
        )
        raise InterruptedRunError(f"stopped; {what_now}", signal_of(error)) from None
    except MemoryError as error:
        saved = "free some, then the same command with --resume goes on"
        raise OutOfMemoryError(f"memory is short; {saved if work.exists() else 'try fewer texts'}") from error
