"""The model card: the README of a model folder, made of what its training measured and of nothing else."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sentcli import bundle
from sentcli.config import BundleConfig, ModelConfig
from sentcli.evaluation import ECE_BINS

_POOLINGS = {
    "last": "the last state of each direction",
    "max": "the maximum of the states over time",
    "mean": "the mean of the states over time",
    "max+mean": "the maximum and the mean of the states over time",
}
_FILES = {
    bundle.CONFIG: "architecture, labels, text policy",
    bundle.VOCAB: "the words, one a line; the line number, from 0, is the id",
    bundle.WEIGHTS: "the weights of the PyTorch model",
    bundle.ONNX: "the graph that scoring runs, in fp32",
    bundle.METRICS: "the figures of this card",
    bundle.HISTORY: "loss and accuracy of each epoch",
    bundle.CURVES: "the same as a picture",
    bundle.MANIFEST: "the SHA-256 of each file, checked whenever the model is loaded",
}
_IMDB_TERMS = """\
- Data: [Large Movie Review Dataset](https://ai.stanford.edu/~amaas/data/sentiment/) (IMDb). It comes
  without a standard licence; its authors ask for this citation: A. L. Maas, R. E. Daly, P. T. Pham, D. Huang,
  A. Y. Ng and C. Potts, "Learning Word Vectors for Sentiment Analysis", ACL 2011, pages 142-150. No review is
  part of this folder."""
_GLOVE_TERMS = """\
- Word vectors: [GloVe](https://nlp.stanford.edu/projects/glove/), under the Public Domain Dedication and
  License (PDDL) 1.0. J. Pennington, R. Socher and C. D. Manning, "GloVe: Global Vectors for Word
  Representation", EMNLP 2014, pages 1532-1543."""
_IMDB = "stanfordnlp/imdb"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_GLOVE_NAME = re.compile(r"(glove\.)?(6B|42B|840B|twitter\.27B)\..*", re.IGNORECASE)
_MOST_CLASSES = 12  # in the confusion matrix; metrics.json has them all
_MOST_EPOCHS = 40  # in the table; history.csv has them all


def model_card(
    config: BundleConfig,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    train_line: str,
    *,
    name: str,
    licence: str | None = None,
) -> str:
    """Fill `card.md`: Markdown with the front matter of the Hugging Face hub.

    `metrics`, which is what `metrics.json` holds, has

    - `dataset`: the data set as it was given to `sentcli train`;
    - `examples`: `train` and `validation`, the numbers of texts;
    - `validation`: the `Evaluation` as JSON of the weights of epoch `best_epoch` on the validation part;
    - `glove`: `source`, and the four counts of `Coverage`;
    - `training`: the fields of `TrainConfig`, and `device`, `bf16`, `seconds`;
    - `versions`: of `sentcli`, `python`, `torch`.

    :param history: a record an epoch, as in `history.csv`.
    :param train_line: the command line that made the model.
    :param name: of the model's folder.
    :param licence: of the model, as an identifier of the hub such as `apache-2.0`; None when it is not known.
    """
    hub_id = _hub_id(metrics["dataset"])
    folder = shlex.quote(name)
    score_lines = (
        f"sentcli score reviews.csv -o scored.csv --model {folder}",
        f"echo 'an absolute joy' | sentcli score --model {folder}",
    )
    test_set = f"{hub_id} --split test" if hub_id else "TEST-SET"
    template = Path(__file__).with_name("card.md").read_text("utf-8")
    return template.format(
        front_matter=_front_matter(hub_id, licence),
        title=_one_line(name),
        shape=_shape(config, metrics["training"]["min_freq"]),
        score_lines=_block("\n".join(score_lines)),
        scored=_code(config.labels[1]) if len(config.labels) == 2 else "that label",
        dataset=_code(metrics["dataset"]),
        words=f"{config.model.vocab_size - 2:,}",
        classes=len(config.labels),
        train_line=_block(train_line),
        training=_training(metrics),
        settings=_settings(config, metrics["training"]),
        validated=f"{metrics['validation']['examples']:,}",
        evaluate_line=_block(f"sentcli evaluate {folder} --dataset {test_set}"),
        figures=_figures(metrics["validation"]),
        curves=bundle.CURVES,
        history=_history(history),
        files=_table(("file", "content"), ((_code(file), content) for file, content in _FILES.items())),
        terms=_terms(metrics, hub_id, licence),
    )


def count_parameters(model: ModelConfig) -> int:
    """Count the weights of a `BiLSTM` of this shape."""
    hidden, width, lstm = model.hidden_size, model.embedding_dim, 0
    for _ in range(model.num_layers):
        lstm += 2 * 4 * hidden * (width + hidden + 2)  # directions, gates, two biases each
        width = 2 * hidden
    return model.vocab_size * model.embedding_dim + lstm + (model.pooled_size + 1) * model.num_classes


def _hub_id(dataset: str) -> str | None:
    """Give the id of a data set on the Hugging Face hub, None for a file or a folder."""
    is_id = _HUB_ID.fullmatch(dataset) and (dataset == _IMDB or not Path(dataset).exists())
    return dataset if is_id else None


def _front_matter(hub_id: str | None, licence: str | None) -> str:
    lines = ["language: en", "library_name: sentcli", "pipeline_tag: text-classification"]
    if licence:
        lines.append(f"license: {json.dumps(licence)}")
    if hub_id:
        lines.append(f"datasets:\n- {json.dumps(hub_id)}")
    return "\n".join(lines)


def _shape(config: BundleConfig, min_freq: int) -> str:
    model, text = config.model, config.text
    head = text.max_tokens // 4
    layers = f"{model.num_layers} layer{'s' * (model.num_layers > 1)}"
    longest = (
        f"{text.max_tokens} tokens: of a longer one the first {head} and the last {text.max_tokens - head}"
    )
    rows = (
        ("labels", ", ".join(map(_code, config.labels))),
        ("parameters", f"{count_parameters(model):,}"),
        ("embedding", f"{model.vocab_size:,} words x {model.embedding_dim} dimensions"),
        ("LSTM", f"{layers} of {model.hidden_size} states in each of two directions"),
        ("classifier sees", _POOLINGS[model.pooling]),
        ("tokens", f"{_code(text.tokenizer)}; words seen fewer than {min_freq} times are unknown"),
        ("longest text", longest),
    )
    return _table(("", ""), rows)


def _training(metrics: Mapping[str, Any]) -> str:
    examples, training, glove = metrics["examples"], metrics["training"], metrics["glove"]
    vectors = "none: the embedding began with random values"
    if glove["types_covered"]:
        types = glove["types_covered"] / glove["types_total"]
        tokens = glove["tokens_covered"] / glove["tokens_total"]
        vectors = (
            f"{_code(glove['source'])}: {types:.1%} of the vocabulary, {tokens:.1%} of the running words"
        )
    kept = f"the weights of epoch {metrics['best_epoch']} of {training['epochs']}: the lowest validation loss"
    rows = (
        ("texts", f"{examples['train']:,} to train on, {examples['validation']:,} held out for validation"),
        ("word vectors", vectors),
        ("kept", kept),
        ("time", f"{training['seconds'] / 60:,.1f} minutes, device {training['device']}"),
        ("versions", ", ".join(f"{package} {version}" for package, version in metrics["versions"].items())),
    )
    return _table(("", ""), rows)


def _settings(config: BundleConfig, training: Mapping[str, Any]) -> str:
    dropouts = {key: getattr(config.model, key) for key in ("embedding_dropout", "dropout")}
    settings = {key: value for key, value in training.items() if key not in ("device", "seconds")} | dropouts
    return _table(("setting", "value"), ((_code(key), str(value)) for key, value in settings.items()))


def _figures(validation: Mapping[str, Any]) -> str:
    low, high = validation["accuracy_interval"]
    names = [_code(scores["name"]) for scores in validation["classes"]]
    rows = [
        ("accuracy", f"{validation['accuracy']:.4f} (95 % interval {low:.4f} to {high:.4f})"),
        ("macro F1", _four(validation["macro_f1"])),
        ("ROC AUC", _four(validation["roc_auc"])),
        ("log loss", _four(validation["log_loss"])),
        (f"expected calibration error, {ECE_BINS} bins", _four(validation["expected_calibration_error"])),
    ]
    if validation["f1"] is not None:
        rows.insert(1, (f"F1 of {names[1]}", _four(validation["f1"])))
    classes = [
        (name, f"{of['support']:,}", *(_four(of[measure]) for measure in ("precision", "recall", "f1")))
        for name, of in zip(names, validation["classes"], strict=True)
    ]
    tables = [
        _table(("measure", "validation"), rows),
        _table(("class", "texts", "precision", "recall", "F1"), classes),
    ]
    if len(names) <= _MOST_CLASSES:
        counts = [
            (name, *(f"{count:,}" for count in row))
            for name, row in zip(names, validation["confusion"], strict=True)
        ]
        tables.append(_table(("true \\ predicted", *names), counts))
    return "\n\n".join(tables)


def _history(history: Sequence[Mapping[str, float]]) -> str:
    if len(history) > _MOST_EPOCHS:
        return f"The figures of all {len(history)} epochs are in `{bundle.HISTORY}`."
    columns = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    rows = [(f"{record['epoch']:.0f}", *(_four(record[column]) for column in columns)) for record in history]
    return _table(("epoch", *(column.replace("_", " ") for column in columns)), rows)


def _terms(metrics: Mapping[str, Any], hub_id: str | None, licence: str | None) -> str:
    glove = metrics["glove"]
    terms = [f"- Model: {_code(licence) if licence else 'none was stated when it was trained'}."]
    terms.append(
        _IMDB_TERMS
        if hub_id == _IMDB
        else f"- Data: {_code(metrics['dataset'])}, under the terms of its source."
    )
    if glove["types_covered"]:
        other = f"- Word vectors: {_code(glove['source'])}, under the terms of their source."
        terms.append(_GLOVE_TERMS if _GLOVE_NAME.fullmatch(glove["source"]) else other)
    return "\n".join(terms)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar in a cell would end it, and is unescaped within code too."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    """Set a text that may hold any character as code, on one line."""
    text = _one_line(text)
    fence = "`" * (_longest_ticks(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _block(lines: str) -> str:
    fence = "`" * max(3, _longest_ticks(lines) + 1)
    return f"{fence}sh\n{lines}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _one_line(text: str) -> str:
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
