"""The settings of `sentcli train`: flag and help of each, which somebody gave, and what goes together."""

from collections.abc import Iterable
from dataclasses import fields
from itertools import chain
from typing import Any

import click
from click.core import ParameterSource

from sentcli.config import (
    CLASS_WEIGHTS,
    GATES,
    OPTIMIZERS,
    POOLINGS,
    TRAINING_PRECISIONS,
    ModelConfig,
    SelfTrainingConfig,
    TextConfig,
    TrainConfig,
)
from sentcli.errors import UsageError

OF_TEXT = {
    "max_tokens": ("--max-tokens", "Longer texts keep their first quarter and last three quarters of this.")
}
OF_MODEL = {
    "hidden_size": ("--hidden", "States of the LSTM in each direction."),
    "num_layers": ("--layers", "Layers of the LSTM."),
    "pooling": ("--pooling", "What the classifier sees of the states."),
    "embedding_dim": ("--embedding-dim", "Width of the word vectors."),
    "dropout": ("--dropout", "Share of the pooled state that is dropped."),
    "embedding_dropout": ("--embedding-dropout", "Share of the embedding that is dropped."),
}
OF_TRAINING = {
    "gates": (
        "--gates",
        "forget: the forget gate is the only one, 1.5 to 1.7 times as fast.",
    ),
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
OF_SELF_TRAINING = {
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
OF_PASSAGES = ("passages", "passage_context")  # which are cut for a teacher alone
CHOICES = {
    "gates": GATES,
    "pooling": POOLINGS,
    "optimizer": OPTIMIZERS,
    "precision": TRAINING_PRECISIONS,
    "class_weight": CLASS_WEIGHTS,
}


def check_together(*, is_self_training: bool) -> None:
    """Refuse options that mean nothing beside the others.

    :raises UsageError: naming one, and what it goes with.
    """
    params = click.get_current_context().params
    base, output = params["base"], params["output"]
    if not is_self_training and (option := first_given(OF_SELF_TRAINING)):
        raise UsageError(f"{option} is for learning from texts without labels; try --unlabeled as well")
    if params["unlabeled_text_column"] is not None and not params["unlabeled"]:
        raise UsageError("--unlabeled-text-column is for texts without labels; try --unlabeled as well")
    if params["sentence_repeats"] > 1 and not params["sentences"]:
        raise UsageError("--sentence-repeats is for sentences that are learnt besides; try --sentences")
    if params["validation"] and is_on_the_line("validation_share"):
        raise UsageError("--validation-share is for what --validation names already; leave out one of them")
    if params["keep"] and not base:
        raise UsageError("--keep is for the weights of a model to go on from; try --from")
    has_models = params["teachers"] or params["pseudo_labels"] or params["rounds"] > 1
    if is_self_training and not has_models and (option := first_given(OF_PASSAGES)):
        raise UsageError(f"{option}: passages are labelled by models; try --teacher as well")
    if base and is_on_the_line("glove"):
        raise UsageError("--glove: the words of --from have their vectors; leave it out")
    if base and base.exists() and output.exists() and base.samefile(output):
        raise UsageError(f"-o {output}: --from is that model, which would be replaced; try another name")


def given_settings() -> dict[str, tuple[str, Any]]:
    """Give the flag and the value of each setting that somebody gave and that a model to go on from may have.

    What a file says of language modelling is left out: a recipe has it of a model that began with vectors.
    """
    options = {**OF_TEXT, **OF_MODEL, **OF_TRAINING}
    values = click.get_current_context().params
    given = {name: (options[name][0], values[name]) for name in options if _is_given(name)}
    if not is_on_the_line("pretrain"):
        given.pop("pretrain", None)
    return given


def first_given(names: Iterable[str]) -> str | None:
    """Give the first of these options of self-training that somebody gave."""
    return next((OF_SELF_TRAINING[name][0] for name in names if _is_given(name)), None)


def is_on_the_line(name: str) -> bool:
    """Tell whether a parameter was given as a flag, and not in a file."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _is_given(name: str) -> bool:
    """Tell whether somebody gave a setting; in a file, only what is not usual: a recipe has them all."""
    value = click.get_current_context().params[name]
    settings = chain.from_iterable(map(fields, (TextConfig, ModelConfig, TrainConfig, SelfTrainingConfig)))
    usual = {field.name: field.default for field in settings}
    return value is not None and (is_on_the_line(name) or value != usual[name])
