"""`sentcli train`."""

import shlex
import sys
from collections.abc import Iterable
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sentcli.cli import say
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
    resume_option,
    settings_options,
    text_column_option,
)
from sentcli.cli.recipe import config_option, recipe
from sentcli.config import (
    CLASS_WEIGHTS,
    DEVICES,
    GATES,
    OPTIMIZERS,
    POOLINGS,
    TRAINING_PRECISIONS,
    ModelConfig,
    SelfTrainingConfig,
    TextConfig,
    TrainConfig,
)
from sentcli.errors import InterruptedRunError, OutOfMemoryError, UsageError, requires, signal_of
from sentcli.training.defaults import AUTO

_TEXT = {
    "max_tokens": ("--max-tokens", "Longer texts keep their first quarter and last three quarters of this.")
}
_MODEL = {
    "hidden_size": ("--hidden", "States of the LSTM in each direction."),
    "num_layers": ("--layers", "Layers of the LSTM."),
    "pooling": ("--pooling", "What the classifier sees of the states."),
    "embedding_dim": ("--embedding-dim", "Width of the word vectors."),
    "dropout": ("--dropout", "Share of the pooled state that is dropped."),
    "embedding_dropout": ("--embedding-dropout", "Share of the embedding that is dropped."),
}
_TRAIN = {
    "gates": ("--gates", "coupled: input gate = 1 - forget gate, which is faster."),
    "pretrain": ("--pretrain", "Epochs of language modelling first, on texts without labels too."),
    "epochs": ("--epochs", "Passes over the training part."),
    "batch_size": ("--batch-size", "Texts a step."),
    "optimizer": ("--optimizer", "Optimizer of the weights."),
    "lr": ("--lr", "Highest learning rate."),
    "weight_decay": ("--weight-decay", "Decay of the weights, for adamw."),
    "clip": ("--clip", "Largest norm of the gradients."),
    "adversarial": (
        "--adversarial",
        "Size of adversarial changes to word vectors; 0: none.",
    ),
    "label_smoothing": ("--label-smoothing", "Share of the target that goes to all classes alike."),
    "class_weight": (
        "--class-weight",
        "balanced: each class has the same say, however rare; auto: where one is rare.",
    ),
    "word_dropout": ("--word-dropout", "Share of words that become unknown."),
    "average": ("--average", "Decay of the moving average of the weights."),
    "keep": ("--keep", "Share that the weights of --from have in those that come out; 0: none."),
    "sentence_repeats": ("--sentence-repeats", "How often an epoch goes through --sentences."),
    "min_freq": ("--min-freq", "Rarer words become unknown."),
    "phrases": ("--phrases", "Pairs of words, the most frequent ones, to read as one: faster."),
    "phrase_dropout": ("--phrase-dropout", "Share of these that training reads word by word."),
    "validation_share": ("--validation-share", "Share of the training split that is held out."),
    "precision": ("--precision", "Precision of matrix products; auto: bf16 where the hardware has it."),
    "seed": ("--seed", "Seed of all that is drawn; what is held out is not."),
}
_SELF_TRAINING = {
    "rounds": ("--rounds", "Rounds of labelling; between two, more teachers learn from the labels."),
    "passages": (
        "--passages",
        "Passages to cut from each text, to learn from short texts too; needs --teacher, or two rounds.",
    ),
    "passage_sentences": ("--passage-sentences", "Sentences of a passage at most."),
    "passage_context": ("--passage-context", "Share of a passage's label that is the label of its text."),
    "lexicon": (
        "--lexicon",
        "Weight of a lexicon of English sentiment (VADER) beside the teacher, for passages; 0: none.",
    ),
    "document_vectors": ("--document-vectors", "Size of the teacher's vectors of whole texts; 0: none."),
    "teacher_pretrain": (
        "--teacher-pretrain",
        "Epochs of language modelling for a large teacher of auto; 0: none so large.",
    ),
}
_OF_PASSAGES = ("passages", "passage_context")  # which are cut for a teacher alone
_CHOICES = {
    "gates": GATES,
    "pooling": POOLINGS,
    "optimizer": OPTIMIZERS,
    "precision": TRAINING_PRECISIONS,
    "class_weight": CLASS_WEIGHTS,
}

_EXAMPLES = """\b
Examples:
  sentcli train --dataset reviews.csv --label-column stars --glove 6B.100d -o my-model
  sentcli train --dataset few.csv --from imdb-bilstm -o my-model
  sentcli train --dataset labelled.csv --unlabeled heap.csv --teacher auto -o my-model
"""


@click.command(epilog=_EXAMPLES)
@config_option
@dataset_option
@text_column_option
@label_column_option
@delimiter_option
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
    "shops, restaurants, services and films that come with sentcli.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="MODEL|auto",
    help="Model folder that labels them, together with n-grams; auto trains such models first.",
)
@click.option(
    "--pseudo-labels",
    type=NamedPath(dir_okay=False),
    help="Parquet file of the teacher's last labels: if it is there, they are learnt from and no teacher "
    "is asked; else it is written.",
)
@settings_options(SelfTrainingConfig, _SELF_TRAINING)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="sentcli-model",
    callback=new_folder,
    help="New model folder.",
)
@settings_options(TextConfig, _TEXT)
@settings_options(ModelConfig, _MODEL, _CHOICES)
@settings_options(TrainConfig, _TRAIN, _CHOICES, AUTO)
@click.option("--device", type=click.Choice(DEVICES), help="Where to train; by default cuda if there is one.")
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch; by default all usable cores.")
@click.option("--license", "licence", help="Licence of the model, for its card, such as apache-2.0.")
@resume_option
@overwrite_option
@quiet_option
def train(
    dataset: str,
    text_column: str | None,
    label_column: str | None,
    delimiter: str | None,
    encoding: str | None,
    skip_lines: int | None,
    base: Path | None,
    glove: str,
    unlabeled: str | None,
    unlabeled_text_column: str | None,
    sentences: str | None,
    teachers: tuple[str, ...],
    pseudo_labels: Path | None,
    output: Path,
    device: str | None,
    threads: int | None,
    licence: str | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model and write it to a new folder.

    The training split is read, and a share of it held out to choose the best epoch; the test split is left to
    `sentcli evaluate`. Ctrl-C saves; the same command with --resume goes on.

    With --unlabeled, a teacher labels texts that have no labels, and the model learns from both. The teacher
    weighs n-grams, vectors of whole texts and any number of models, by what is held out.
    """
    log_to_stderr(quiet=quiet)
    text = TextConfig(**{name: settings[name] for name in _TEXT})
    # The vocabulary and the classes come with the data; all else is checked before hours are spent.
    model = ModelConfig(vocab_size=2, **{name: settings[name] for name in _MODEL})
    config = TrainConfig(**{name: settings[name] for name in _TRAIN if settings[name] is not None})
    plan = SelfTrainingConfig(**{name: settings[name] for name in _SELF_TRAINING})
    is_self_training = bool(teachers or pseudo_labels or unlabeled)
    if not is_self_training and (option := _first_given(_SELF_TRAINING)):
        raise UsageError(f"{option} is for learning from texts without labels; try --unlabeled as well")
    if unlabeled_text_column is not None and not unlabeled:
        raise UsageError("--unlabeled-text-column is for texts without labels; try --unlabeled as well")
    if config.sentence_repeats > 1 and not sentences:
        raise UsageError("--sentence-repeats is for sentences that are learnt besides; try --sentences")
    if config.keep and not base:
        raise UsageError("--keep is for the weights of a model to go on from; try --from")
    has_models = bool(teachers or pseudo_labels or plan.rounds > 1)
    if is_self_training and not has_models and (option := _first_given(_OF_PASSAGES)):
        raise UsageError(f"{option}: passages are labelled by models; try --teacher as well")
    with requires("train"):
        from sentcli.training.base import load_base
        from sentcli.training.corpus import DataSource
        from sentcli.training.run_folder import sole_run, work_folder
        from sentcli.training.settings import NO_VECTORS, Settings
        from sentcli.training.train import train_bundle

        if is_self_training:
            from sentcli.training.self_training import self_train
    source = DataSource(
        dataset,
        text_column,
        label_column,
        NO_VECTORS if base else glove,
        unlabeled,
        delimiter=delimiter,
        encoding=encoding,
        skip_lines=skip_lines,
        unlabeled_text_column=unlabeled_text_column,
        sentences=sentences,
    )
    decided: dict[str, Any] = {}  # by the model to go on from
    if base and _is_on_the_line("glove"):
        raise UsageError("--glove: the words of --from have their vectors; leave it out")
    if base and base.resolve() == output.resolve():
        raise UsageError(f"-o {output}: --from is that model, which would be replaced; try another name")
    how = Settings(
        text,
        model,
        config,
        auto=tuple(name for name in AUTO if settings[name] is None),
        device=device,
        threads=threads,
        quiet=quiet,
        licence=licence,
        # Whoever makes the model again has nothing to go on with.
        command=shlex.join(["sentcli", *(word for word in sys.argv[1:] if word != "--resume")]),
        recipe=lambda settled: recipe(click.get_current_context(), decided | settled.to_json()),
    )
    if base:
        options = {**_TEXT, **_MODEL, **_TRAIN}
        given = {name: (options[name][0], settings[name]) for name in options if _is_given(name)}
        if not _is_on_the_line("pretrain"):  # a recipe may have it of a model that began with vectors
            given.pop("pretrain", None)
        how = how.going_on_from(load_base(base), given)
        decided = {**how.text.to_json(), **how.model.to_json(), "glove": None}
    try:
        with sole_run(output):
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
    except KeyboardInterrupt as error:  # between two steps that save
        is_saved = work_folder(output).exists()
        what_now = "the same command with --resume goes on" if is_saved else "there was nothing to save yet"
        raise InterruptedRunError(f"stopped; {what_now}", signal_of(error)) from None
    except MemoryError as error:
        is_saved = work_folder(output).exists()
        what_now = "free some, then the same command with --resume goes on" if is_saved else "try fewer texts"
        raise OutOfMemoryError(f"memory is short; {what_now}") from error
    if not quiet:
        model_path = shlex.quote(str(output))
        say(f"{output}: done; try: echo 'an absolute joy' | sentcli score --model {model_path}")


def _is_on_the_line(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _is_given(name: str) -> bool:
    """Tell whether somebody gave a setting; in a file, only what is not usual: a recipe has them all."""
    value = click.get_current_context().params[name]
    settings = chain.from_iterable(map(fields, (TextConfig, ModelConfig, TrainConfig, SelfTrainingConfig)))
    usual = {field.name: field.default for field in settings}
    return value is not None and (_is_on_the_line(name) or value != usual[name])


def _first_given(names: Iterable[str]) -> str | None:
    """Give the first of these options of self-training that somebody gave."""
    return next((_SELF_TRAINING[name][0] for name in names if _is_given(name)), None)
