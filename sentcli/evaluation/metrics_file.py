"""What `metrics.json` of a model folder holds: how a model was made, and what it reaches."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from sentcli.errors import BundleError
from sentcli.model.bundle import METRICS, Bundle

# What an evaluation on the card can be of, besides whole texts: what the model may be bad at.
WEAK_SPOTS = ("short", "subjects", "negation", "irony", "languages")


class ExampleCounts(TypedDict):
    """How many texts a model was trained and validated on, those without a word left out."""

    train: int
    validation: int
    unlabeled: int  # whole texts without labels
    pseudo_labeled: int  # these, passages and words of a lexicon, as a teacher labelled them
    passages: int  # as many of these are passages
    sentences: int  # learnt besides


class Metrics(TypedDict):
    """The fields in their order; those that may be missing were not known to earlier versions.

    The last four are of measurements after training.
    """

    command: str  # the command line that made the model
    licence: str | None  # of the model, as an identifier of the hub such as `apache-2.0`; None when not known
    output: NotRequired[str]  # the folder as it was given to `sentcli train`; commands on the card name it
    dataset: str  # as it was given to `sentcli train`
    hub_id: NotRequired[str | None]  # of the data set, if it was read from the Hugging Face hub
    unlabeled: NotRequired[str | None]  # texts without labels, as they were given
    # The model that training went on from: `name`, and what it says under `dataset`, `hub_id`, `glove`,
    # `self_training`, `sentences` and `base`.
    base: NotRequired[dict[str, Any] | None]
    sentences: NotRequired[str | None]  # what was learnt besides, as it was given
    validation_data: NotRequired[str | None]  # what was held out, as it was given; None: of the train split
    # How the data set was read: `text_column`, `label_column`, `delimiter`, `quotechar`, `encoding`
    # and, a number, `skip_lines`; None where left open.
    columns: NotRequired[dict[str, Any]]
    training: dict[str, Any]  # the fields of `TrainConfig`, and `bf16`, `device`, `seconds`
    versions: dict[str, str]  # of `sentcli`, `torch`, `python`
    validation: dict[str, Any]  # the `Evaluation` as JSON of the weights of `best_epoch`
    validation_passages: NotRequired[dict[str, Any]]  # the same of passages of up to `sentences` sentences
    # `temperature`, and log loss and calibration error of the validation part before and after it:
    # `log_loss_before`, `error_before`, `log_loss_after`, `error_after`.
    calibration: NotRequired[dict[str, float]]
    best_epoch: int
    examples: ExampleCounts
    # `stage`, `validation_accuracy` and `validation_loss` of each model that taught it, and of each round's
    # models together.
    stages: NotRequired[list[dict[str, Any]]]
    # The fields of `SelfTrainingConfig`; None of a model that learnt from no teacher.
    self_training: NotRequired[dict[str, Any] | None]
    split: NotRequired[str]  # `digest_texts` of the validation part
    # `sample` of this, the training part and the texts without labels: who has a text can tell whether it is
    # in the sample.
    learnt_sample: NotRequired[str]
    glove: dict[str, Any]  # `source`, and the four counts of `Coverage`

    evaluations: NotRequired[list[dict[str, Any]]]  # see `sentcli.evaluation.card_update`
    # Of models that differ by their seed alone, two or more: `seed`, `validation_accuracy`, `validation_loss`
    # and `validation_calibration_error` of each.
    seeds: NotRequired[list[dict[str, float]]]
    # Of models that differ by their size alone: the same, but `hidden` and `layers` for the seed, and
    # `reviews_per_second`.
    sizes: NotRequired[list[dict[str, float]]]
    variants: NotRequired[dict[str, str]]  # of these: `command`, the line that measured them, and `machine`


def read_metrics(bundle: Bundle) -> Metrics:
    """Read what the training of a model wrote.

    :raises BundleError: when it is not there, no JSON, or does not say what the model learnt from.
    """
    try:
        metrics: Metrics = json.loads(bundle.read(METRICS))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{bundle.path / METRICS}: cannot be read: {error!s:.200}") from None
    if not _says_of_what(metrics):
        raise BundleError(f"{bundle.path / METRICS}: not as `sentcli train` writes it; train the model anew")
    return metrics


def learners(metrics: Metrics) -> Iterator[Mapping[str, Any]]:
    """Give what is said of a model, then of each that it went on from."""
    learner: Mapping[str, Any] | None = metrics
    while learner:
        yield learner
        learner = learner.get("base")


def _says_of_what(metrics: Any) -> bool:
    """Tell whether the fields are there that name files and columns to be read again."""
    if not (isinstance(metrics, dict) and isinstance(metrics.get("dataset"), str)):
        return False
    columns = metrics.get("columns", {})
    if not isinstance(columns, dict):
        return False
    named = {name: metrics.get(name) for name in ("unlabeled", "sentences", "validation_data")}
    return all(
        value is None or isinstance(value, int if name == "skip_lines" else str)
        for name, value in {**named, **columns}.items()
    )
