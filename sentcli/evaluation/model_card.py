"""The model card: the README of a model folder, filled in from its `metrics.json` and `history.csv`.

It also shows measurements made after the training, which are written into the folder.
"""

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from sentcli.config import DEFAULT_DATASET, HUB_ID, BundleConfig, ModelConfig
from sentcli.errors import BundleError, UsageError, option, printable
from sentcli.evaluation.display import fill_in
from sentcli.evaluation.metrics import ECE_BINS
from sentcli.evaluation.metrics_file import Metrics, learners, own_epochs, read_history, read_metrics
from sentcli.model import bundle
from sentcli.scoring.labels import NEUTRAL
from sentcli.text.tokenizer import head_tokens

_GLOVE_NAME = re.compile(r"(glove\.)?(6B|42B|840B|twitter\.27B)\..*", re.IGNORECASE)
_FREE_GATES = {"separate": 4, "forget": 2}  # gates with weights, including the cell gate


def model_card(
    config: BundleConfig,
    metrics: Metrics,
    history: Sequence[Mapping[str, float]],
    *,
    name: str,
    files: Collection[str],
) -> str:
    """Fill in the template: Markdown with the front matter of the Hugging Face hub.

    :param files: the names of all files of the folder.
    """
    measured = metrics.get("evaluations", ())
    return fill_in(
        Path(__file__).with_name("card.md.jinja"),
        {"code": _code, "cell": _cell, "block": _block, "json": json.dumps},
        title=printable(name),
        where=shlex.quote(metrics["output"]),
        config=config,
        metrics=metrics,
        learners=[*learners(metrics)],
        history=history,
        columns=[name for name in history[0] if name.startswith(("train_", "validation_"))],
        files=files,
        bundle=bundle,
        data=metrics["data"],
        default_dataset=DEFAULT_DATASET,
        ece_bins=ECE_BINS,
        has_bands=len(config.labels) == 2 and NEUTRAL not in config.labels,
        parameters=count_parameters(config.model, metrics["training"]["gates"]),
        head=head_tokens(config.text.max_tokens),
        shown=next(iter(measured), None),
        measured=measured,
        measured_on=_measured_on,
        is_glove=_GLOVE_NAME.fullmatch,
    )


def write_card(
    folder: Path,
    config: BundleConfig,
    metrics: Metrics,
    history: Sequence[Mapping[str, float]],
    *,
    name: str,
) -> None:
    """Write the card of a model folder after its other files; see `model_card` for the parameters."""
    files = {file.name for file in folder.iterdir()} | {bundle.MANIFEST}
    card = model_card(config, metrics, history, name=name, files=files)
    # A path in a command need not be valid UTF-8.
    (folder / bundle.CARD).write_text(card, "utf-8", "backslashreplace")


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
        raise UsageError(
            f"{option('card')}: {model.path} was not written by `sentcli train` and has no card; "
            "give the folder of the trained model"
        )
    bundle.check_target(model.path, overwrite=True)
    bundle.check_writable(model.path.resolve().parent)
    metrics, history = read_metrics(model), own_epochs(read_history(model))
    try:
        model_card(model.config, metrics, history, name=model.name, files=model.digests)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{model.path / bundle.METRICS}: unfit for a card ({error!r:.200}); train the model again"
        ) from error


def record_evaluation(model: bundle.Bundle, record: Mapping[str, Any]) -> None:
    """Write an evaluation into the model folder, in place of an earlier one by the same command."""
    now = bundle.load_bundle(model.path)  # another evaluation may have been recorded in the meantime
    if now.digest != model.digest:
        raise BundleError(f"{model.path}: the model changed while it was measured; measure it again")
    metrics, history = read_metrics(now), own_epochs(read_history(now))
    records = {old["command"]: old for old in [*metrics.get("evaluations", ()), dict(record)]}
    metrics["evaluations"] = [*records.values()]
    with bundle.new_bundle(model.path, overwrite=True) as folder:
        for name in now.digests:
            (folder / name).write_bytes(now.read(name))
        (folder / bundle.METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        write_card(folder, model.config, metrics, history, name=model.name)
