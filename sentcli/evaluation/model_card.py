"""The figures in a model folder, `metrics.json` and `history.csv`, and its README, the model card.

The card also shows measurements made after the training, which are written into the folder.
"""

import io
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import jinja2
from pyarrow import csv

from sentcli.config import DEFAULT_DATASET, HUB_ID, BundleConfig, ModelConfig
from sentcli.errors import BundleError, UsageError, option, printable
from sentcli.evaluation.display import fill_in
from sentcli.evaluation.metrics import ECE_BINS
from sentcli.model import bundle
from sentcli.scoring.labels import NEUTRAL
from sentcli.text.tokenizer import head_tokens

_GLOVE_NAME = re.compile(r"(glove\.)?(6B|42B|840B|twitter\.27B)\..*", re.IGNORECASE)
_FREE_GATES = {"separate": 4, "forget": 2}  # gates with weights, including the cell gate


Epochs = Sequence[Mapping[str, Any]]  # records of `history.csv`


class Metrics(TypedDict):
    """The fields of the file in their order. `evaluations` is measured after the training.

    A model to fine-tune may have been trained before the other optional ones existed.
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
    validation: dict[str, Any]  # the metrics of `evaluate`, with the weights of `best_epoch`
    # `temperature`, `prior_strength`, and log loss and calibration error of the validation split before and
    # after them: `log_loss_before`, `error_before`, `log_loss_after`, `error_after`.
    calibration: dict[str, float]
    # What n-grams have in the logits: `share`, `accuracy_before` and `accuracy_after`; empty for none.
    ngrams: NotRequired[dict[str, float]]
    classes: NotRequired[dict[str, float]]  # the texts to train on by label, times their weights
    # The model of n-grams on the same texts: `accuracy`, `accuracy_interval`, `macro_f1`, `log_loss`,
    # `seconds`, and whether more texts are right beyond chance with the network, `is_beaten`, or without it,
    # `is_better`.
    baseline: NotRequired[dict[str, Any]]
    # Of the base model alone: `epoch` (0), `validation_loss`, `validation_accuracy`; and the accuracies on
    # its own sentences before and after the training, `own_before` and `own_after`. Empty without a base.
    start: NotRequired[dict[str, Any]]
    best_epoch: int  # 0: the weights are those of the base model
    examples: dict[str, int]  # numbers in `train` and `validation`, without empty texts; both all in folds
    # `source`; of the words of the vocabulary, without `<pad>` and `<unk>`, those with a vector and all,
    # `types_covered` and `types_total`; the same of the tokens to train on, with unknown ones.
    glove: dict[str, Any]

    evaluations: NotRequired[list[dict[str, Any]]]  # see `record_evaluation`


def read_metrics(model: bundle.Bundle) -> Metrics:
    """Read the metrics of a trained model."""
    metrics: Metrics = bundle.decode_json(model.path / bundle.METRICS, model.read(bundle.METRICS))
    if not isinstance(metrics, dict) or not Metrics.__required_keys__ <= metrics.keys():
        file = model.path / bundle.METRICS
        raise BundleError(f"{file}: not written by `sentcli train`; train the model again")
    return metrics


def read_history(model: bundle.Bundle) -> list[dict[str, Any]]:
    """Return the records of `history.csv`: one for each epoch."""
    try:
        return list(csv.read_csv(io.BytesIO(model.read(bundle.HISTORY))).to_pylist())
    except ValueError as error:
        raise BundleError(f"{model.path / bundle.HISTORY}: cannot be read: {error!s:.200}") from None


def model_card(
    config: BundleConfig, metrics: Metrics, history: Epochs, name: str, files: Iterable[str]
) -> bytes:
    """Fill in the template: Markdown with the front matter of the Hugging Face hub.

    :param files: the names of all files of the folder; the manifest, which is written last, may be missing.
    """
    learners: list[Mapping[str, Any]] = [metrics]  # the model, then each model that it was fine-tuned from
    while base := learners[-1]["base"]:
        learners.append(base)
    card = fill_in(
        Path(__file__).with_name("card.md.jinja"),
        {"code": _code, "cell": _cell, "block": _block, "json": json.dumps},
        title=printable(name),
        where=shlex.quote(metrics["output"]),
        config=config,
        metrics=metrics,
        learners=learners,
        history=history,
        columns=[name for name in history[0] if name.startswith(("train_", "validation_"))],
        files={*files, bundle.MANIFEST},
        bundle=bundle,
        default_dataset=DEFAULT_DATASET,
        ece_bins=ECE_BINS,
        has_bands=len(config.labels) == 2 and NEUTRAL not in config.labels,
        parameters=count_parameters(config.model, metrics["training"]["gates"]),
        head=head_tokens(config.text.max_tokens),
        measured=metrics.get("evaluations", ()),
        measured_on=_measured_on,
        is_glove=_GLOVE_NAME.fullmatch,
    )
    return card.encode("utf-8", "backslashreplace")  # a path in a command need not be valid UTF-8


def count_parameters(model: ModelConfig, gates: str = "separate") -> int:
    """Return the number of trained weights of a `BiLSTM`; a gate that is derived from others has none."""
    hidden, width, lstm = model.hidden_size, model.embedding_dim, 0
    for _ in range(model.num_layers):
        lstm += 2 * _FREE_GATES[gates] * hidden * (width + hidden + 2)  # two directions, two biases each
        width = 2 * hidden
    return model.vocab_size * model.embedding_dim + lstm + (model.pooled_size + 1) * model.num_outputs


def hub_id_of(dataset: str) -> str | None:
    """Return the id of a data set on the Hugging Face hub; None for a local file or folder."""
    is_id = HUB_ID.fullmatch(dataset) and (dataset == DEFAULT_DATASET or not Path(dataset).exists())
    return dataset if is_id else None


def _measured_on(record: Mapping[str, Any]) -> str:
    """Return the name of a data set in the card: the stem of a file, or the path or id with the split."""
    where: str = record["where"]
    return Path(where).stem if where == f"{record['dataset']:.200}" else where


def _cell(text: str) -> str:
    """Return any text as code for a cell of a Markdown table, where even in code a bar ends the cell."""
    return _code(text).replace("|", "\\|")


def _code(text: str) -> str:
    """Return any text as Markdown code on one line."""
    text = printable(str(text))
    fence = "`" * (_longest_ticks(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _block(lines: str) -> str:
    fence = "`" * max(3, _longest_ticks(lines) + 1)
    return f"{fence}sh\n{lines}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def check_card(model: bundle.Bundle) -> None:
    """Check that the card of a model can be written, before the metrics are computed."""
    if bundle.METRICS not in model.digests:
        problem = f"{model.path} was not written by `sentcli train` and has no card"
        raise UsageError(f"{option('card')}: {problem}; pass the folder of the trained model")
    bundle.check_target(model.path, overwrite=True)
    bundle.check_writable(model.path.resolve().parent)
    try:
        model_card(model.config, read_metrics(model), read_history(model), model.name, model.digests)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
        problem = f"unfit for a card ({error!r:.200}); train the model again"
        raise BundleError(f"{model.path / bundle.METRICS}: {problem}") from error


def record_evaluation(model: bundle.Bundle, record: Mapping[str, Any]) -> None:
    """Write an evaluation into the model folder, in place of an earlier one by the same command."""
    now = bundle.load_bundle(model.path)  # another evaluation may have been recorded in the meantime
    if now.digest != model.digest:
        raise BundleError(f"{model.path}: the model changed while it was measured; measure it again")
    metrics = read_metrics(now)
    records = {old["command"]: old for old in [*metrics.get("evaluations", ()), dict(record)]}
    metrics["evaluations"] = [*records.values()]
    with bundle.new_bundle(model.path, overwrite=True) as folder:
        for name in now.digests:
            (folder / name).write_bytes(now.read(name))
        (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        card = model_card(model.config, metrics, read_history(now), model.name, now.digests)
        (folder / bundle.CARD).write_bytes(card)
