"""The figures in a model folder: `metrics.json` of its training, and `history.csv` of the epochs."""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from pyarrow import csv

from sentcli.errors import BundleError
from sentcli.model.bundle import HISTORY, METRICS, Bundle, decode_json

MODEL_STAGE = "model"  # stage of the epochs of the model itself in `history.csv`


class Metrics(TypedDict):
    """The fields of the file in their order. `evaluations` is measured after the training.

    The included model was trained before `baseline`, `prior_strength`, `fill_vocab` and `folds` existed.
    """

    command: str  # the command line of the training
    licence: str | None  # license of the model, as the hub names it: `apache-2.0`; None if unknown
    output: str  # the folder as `sentcli train` got it; commands on the card name it
    dataset: str  # the first data set, as `sentcli train` got it
    # Of each data set: the fields of `DataSet`, `hub_id` (its id on the Hugging Face hub or None), and
    # `texts` (the number of texts to train on).
    data: list[dict[str, Any]]
    # The model that was fine-tuned: its `name`, `dataset`, `data`, `glove` and `base`.
    base: dict[str, Any] | None
    validation_data: str | None  # its source; None: a part of the data sets
    training: dict[str, Any]  # the fields of `TrainConfig`, and `bf16`, `device`, `seconds`
    versions: dict[str, str]  # versions of `sentcli`, `torch`, `python`
    validation: dict[str, Any]  # the fields of `Evaluation`, with the weights of `best_epoch`
    # `temperature`, `prior_strength`, and log loss and calibration error of the validation split before and
    # after them: `log_loss_before`, `error_before`, `log_loss_after`, `error_after`.
    calibration: dict[str, float]
    # What n-grams have in the logits: `share`, `accuracy_before` and `accuracy_after`; empty for none.
    ngrams: NotRequired[dict[str, float]]
    # The model of n-grams on the same texts: `accuracy`, `accuracy_interval`, `macro_f1`, `log_loss`,
    # `seconds`, and whether more texts are right beyond chance with the network, `is_beaten`, or without it,
    # `is_better`, which the included model lacks.
    baseline: NotRequired[dict[str, Any]]
    # Of the base model alone: `accuracy`, and `own`, the accuracies before and after on its own sentences.
    start: NotRequired[dict[str, Any]]
    best_epoch: int  # 0: the weights are those of the base model
    examples: dict[str, int]  # numbers in `train` and `validation`, without empty texts; both all in folds
    glove: dict[str, Any]  # `source`, and the four counts of `Coverage`

    evaluations: NotRequired[list[dict[str, Any]]]  # see `record_evaluation`


def read_metrics(bundle: Bundle) -> Metrics:
    """Read the metrics of a trained model."""
    metrics: Metrics = decode_json(bundle.path / METRICS, bundle.read(METRICS))
    if not isinstance(metrics, dict) or not Metrics.__required_keys__ <= metrics.keys():
        raise BundleError(f"{bundle.path / METRICS}: not written by `sentcli train`; train the model again")
    return metrics


def learners(metrics: Metrics) -> Iterator[Mapping[str, Any]]:
    """Yield the metrics of a model, then of each model that it was fine-tuned from."""
    learner: Mapping[str, Any] | None = metrics
    while learner:
        yield learner
        learner = learner["base"]


def read_history(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the records of `history.csv`: one for each epoch, those of its base models first."""
    try:
        table = csv.read_csv(io.BytesIO(bundle.read(HISTORY)))
    except ValueError as error:
        raise BundleError(f"{bundle.path / HISTORY}: cannot be read: {error!s:.200}") from None
    records: list[dict[str, Any]] = table.to_pylist()
    return records


def own_epochs(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of the model itself, without those of its base models."""
    return [record for record in history if record["stage"] == MODEL_STAGE]
