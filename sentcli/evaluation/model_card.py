"""The model card: the README of a model folder, made of what its training measured and of nothing else."""

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sentcli.config import DEFAULT_DATASET, EVERYDAY, HUB_ID, BundleConfig, ModelConfig
from sentcli.evaluation.card_evaluations import evaluations, weak_spots
from sentcli.evaluation.card_validation import validation
from sentcli.evaluation.markdown import block, code, no_option, one_line, table
from sentcli.evaluation.metrics_file import Metrics, learners
from sentcli.model import bundle
from sentcli.scoring.labels import UNCERTAIN
from sentcli.text.tokenizer import head_tokens

_GATES = {
    "separate": "",
    "forget": "; its input gate is 1 - the forget gate, its output gate 1",
}
_FREE_GATES = {"separate": 4, "forget": 2}  # the candidate for the state counted as one
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
    bundle.RECIPE: "the settings that made it, for `sentcli train --config`",
    bundle.BASE_RECIPE: "the settings that made the model which it began as",
    bundle.METRICS: "the figures of this card",
    bundle.HISTORY: "loss and accuracy of each epoch",
    bundle.CURVES: "the same as a picture",
    bundle.RELIABILITY: "accuracy by confidence on the validation part, before and after calibration",
    bundle.SIZES: "accuracy against speed of models of other sizes",
    bundle.CONFUSION: "true and predicted labels in the evaluation that this card shows in full",
    bundle.EVALUATED_RELIABILITY: "accuracy by confidence in it",
    bundle.LENGTHS: "accuracy by the length of the text in it",
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
_LEXICON_TERMS = """\
- Lexicon: [VADER](https://github.com/cjhutto/vaderSentiment), under the MIT license. C. J. Hutto and
  E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", 2014."""
_EVERYDAY_TERMS = """\
- Sentences: written for sentcli by a language model, under the licence of sentcli, Apache-2.0; they come
  with it."""
_UNCERTAIN = " With `--uncertain LOW HIGH`, a text whose score lies\nbetween the two is labelled `uncertain`."
_GLOVE_NAME = re.compile(r"(glove\.)?(6B|42B|840B|twitter\.27B)\..*", re.IGNORECASE)


def model_card(
    config: BundleConfig,
    metrics: Metrics,
    history: Sequence[Mapping[str, float]],
    *,
    name: str,
    files: Collection[str],
) -> str:
    """Fill `card.md`: Markdown with the front matter of the Hugging Face hub.

    :param history: a record an epoch, as in `history.csv`.
    :param name: of the model's folder.
    :param files: the names of all files in it.
    """
    hub_id = metrics.get("hub_id", hub_id_of(metrics["dataset"]))
    where = shlex.quote(no_option(metrics.get("output", name)))
    score_lines = (
        f"sentcli score reviews.csv -o scored.csv --model {where}",
        f"echo 'an absolute joy' | sentcli score --model {where}",
    )
    words, labels = metrics["glove"]["types_total"], config.labels
    test_set = f"{hub_id} --split test" if hub_id else "TEST-SET"
    validation_line = _validation_line(where, metrics)
    template = Path(__file__).with_name("card.md").read_text("utf-8")
    return template.format(
        front_matter=_front_matter(hub_id, metrics["licence"]),
        title=one_line(name),
        shape=_shape(config, words, metrics["training"]),
        score_lines=block("\n".join(score_lines)),
        scored=code(labels[1]) if len(labels) == 2 else "that label",
        uncertain="" if UNCERTAIN in labels else _UNCERTAIN,
        language="English " if hub_id == DEFAULT_DATASET else "",
        dataset=code(metrics["dataset"]),
        sentences=_besides(metrics.get("sentences")),
        weak_spots=weak_spots(metrics, words, labels, where, test_set),
        figures=evaluations(metrics, files, where, test_set),
        data=_data(metrics),
        train_line=block(metrics["command"]),
        recipe=_recipe(metrics, files),
        settings=_settings(config, metrics),
        validated=f"{metrics['validation']['examples']:,}",
        validation_line=block(validation_line),
        validation=validation(metrics, history, files, validation_line),
        files=table(
            ("file", "content"), ((code(file), content) for file, content in _FILES.items() if file in files)
        ),
        terms=_terms(metrics),
    )


def write_card(
    folder: Path,
    config: BundleConfig,
    metrics: Metrics,
    history: Sequence[Mapping[str, float]],
    *,
    name: str,
) -> None:
    """Write the card of a folder whose other files are there; for the parameters see `model_card`."""
    files = {file.name for file in folder.iterdir()} | {bundle.MANIFEST}
    card = model_card(config, metrics, history, name=name, files=files)
    # A path in a command may be no text in any encoding.
    (folder / bundle.CARD).write_text(card, "utf-8", "backslashreplace")


def count_parameters(model: ModelConfig, gates: str = "separate") -> int:
    """Count the weights of a `BiLSTM` of this shape that are learned.

    :param gates: one of `sentcli.config.GATES`; those that are not separate follow from the others.
    """
    hidden, width, lstm = model.hidden_size, model.embedding_dim, 0
    for _ in range(model.num_layers):
        lstm += 2 * _FREE_GATES[gates] * hidden * (width + hidden + 2)  # two directions, two biases each
        width = 2 * hidden
    return model.vocab_size * model.embedding_dim + lstm + (model.pooled_size + 1) * model.num_classes


def _besides(sentences: str | None) -> str:
    """Name the sentences that a model learnt besides its data."""
    if not sentences:
        return ""
    which = "that come with sentcli" if sentences == EVERYDAY else f"of {code(sentences)}"
    return f" and the sentences {which}"


def hub_id_of(dataset: str) -> str | None:
    """Give the id of a data set on the Hugging Face hub, None for a file or a folder of this machine."""
    is_id = HUB_ID.fullmatch(dataset) and (dataset == DEFAULT_DATASET or not Path(dataset).exists())
    return dataset if is_id else None


def _front_matter(hub_id: str | None, licence: str | None) -> str:
    lines = ["library_name: sentcli", "pipeline_tag: text-classification"]
    if hub_id == DEFAULT_DATASET:
        lines.insert(0, "language: en")
    if licence:
        lines.append(f"license: {json.dumps(licence)}")
    if hub_id:
        lines.append(f"datasets:\n- {json.dumps(hub_id)}")
    return "\n".join(lines)


def _shape(config: BundleConfig, words: int, training: Mapping[str, Any]) -> str:
    model, text = config.model, config.text
    gates = training["gates"]
    known = f"{words:,} words"
    if training["min_freq"] > 1:
        known += f", those seen {training['min_freq']} times or more"
    counted = ""
    if phrases := model.vocab_size - words - 2:
        known += f", and {phrases:,} phrases: pairs of them that are read as one"
        counted = ", a phrase counted as one"
    head = head_tokens(text.max_tokens)
    layers = f"{model.num_layers} layer{'s' * (model.num_layers > 1)}"
    tail = text.max_tokens - head
    longest = f"{text.max_tokens} words{counted}: of a longer one the first {head} and the last {tail}"
    rows = (
        ("labels", ", ".join(map(code, config.labels))),
        ("parameters", f"{count_parameters(model, gates):,}"),
        ("vocabulary", known),
        ("embedding", f"{model.vocab_size:,} x {model.embedding_dim} dimensions"),
        ("LSTM", f"{layers} of {model.hidden_size} states in each of two directions{_GATES[gates]}"),
        ("classifier sees", _POOLINGS[model.pooling]),
        ("words", f"by {code(text.tokenizer)}"),
        ("longest text", longest),
    )
    return table(("", ""), rows)


def _data(metrics: Metrics) -> str:
    examples, glove = metrics["examples"], metrics["glove"]
    vectors = "none: the embedding began with random values"
    if glove["types_covered"]:
        types = glove["types_covered"] / glove["types_total"]
        tokens = glove["tokens_covered"] / glove["tokens_total"]
        vectors = f"{code(glove['source'])}: {types:.1%} of the vocabulary, {tokens:.1%} of the running words"
    own = metrics.get("validation_data")
    held_out = f"of {code(own)}" if own else "held out"
    rows = [
        ("data set", code(metrics["dataset"])),
        ("texts", f"{examples['train']:,} to train on, {examples['validation']:,} {held_out} for validation"),
    ]
    if base := metrics.get("base"):
        rows.insert(0, ("began as", f"the model {code(base['name'])}, whose words it has"))
    if unlabeled := examples.get("unlabeled"):
        given = metrics.get("unlabeled")
        source = code(given) if given else "those of `--pseudo-labels`"
        rows.append(("texts without labels", f"{source}: {unlabeled:,}"))
    if examples.get("pseudo_labeled"):
        rows.append(("labelled by a teacher", _pseudo_labeled(metrics)))
    if sentences := examples.get("sentences"):
        rows.append(("sentences learnt besides", f"{code(str(metrics.get('sentences')))}: {sentences:,}"))
    rows.append(("word vectors", vectors))
    return table(("", ""), rows)


def _pseudo_labeled(metrics: Metrics) -> str:
    """Say what a teacher labelled."""
    examples = metrics["examples"]
    parts = ["of these"]
    if examples["passages"]:
        parts.append("of passages cut from all texts")
    if _has_lexicon(metrics):
        parts.append("of words of a lexicon, stressed and denied too")
    return f"{examples['pseudo_labeled']:,}: {', '.join(parts)}"


def _has_lexicon(metrics: Mapping[str, Any]) -> bool:
    return bool((metrics.get("self_training") or {}).get("lexicon"))


def _recipe(metrics: Metrics, files: Collection[str]) -> str:
    training = metrics["training"]
    kept = f"the weights of epoch {metrics['best_epoch']} of {training['epochs']}: the lowest validation loss"
    base = metrics.get("base")
    if base and training.get("keep"):
        kept += f"; moved by {training['keep']} of the way back to those of {code(base['name'])}"
    rows = [
        ("kept", kept),
        (
            "time of its own epochs, without teachers",
            f"{training['seconds'] / 60:,.1f} minutes, device {training['device']}",
        ),
        ("versions", ", ".join(f"{package} {version}" for package, version in metrics["versions"].items())),
    ]
    if bundle.RECIPE in files:
        rows.insert(
            0, ("the same settings as a file", f"[`{bundle.RECIPE}`]({bundle.RECIPE}), for `--config`")
        )
    if base and bundle.BASE_RECIPE in files:
        file = f"[`{bundle.BASE_RECIPE}`]({bundle.BASE_RECIPE})"
        rows.insert(0, (f"before, to make {code(base['name'])}", f"{file}, for `--config`"))
    return table(("", ""), rows)


def _validation_line(folder: str, metrics: Metrics) -> str:
    options = {"dataset": metrics["dataset"], **metrics.get("columns", {})}
    given = (
        f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
        for name, value in options.items()
        if value is not None
    )
    return " ".join(("sentcli evaluate", folder, *given, "--held-out"))


def _settings(config: BundleConfig, metrics: Metrics) -> str:
    left_out = {"device", "seconds", *(["validation_share"] if metrics.get("validation_data") else [])}
    training = {key: value for key, value in metrics["training"].items() if key not in left_out}
    dropouts = {key: getattr(config.model, key) for key in ("embedding_dropout", "dropout")}
    settings = training | dropouts | (metrics.get("self_training") or {})
    return table(("setting", "value"), ((code(key), str(value)) for key, value in settings.items()))


def _terms(metrics: Metrics) -> str:
    licence = metrics["licence"]
    terms = [f"- Model: {code(licence) if licence else 'none was stated when it was trained'}."]
    for learner in learners(metrics):
        terms += _terms_of_data(learner)
    return "\n".join(dict.fromkeys(terms))


def _terms_of_data(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Give the terms of all that a model learnt from, what it began as apart."""
    dataset, glove = metrics["dataset"], metrics["glove"]
    if metrics.get("hub_id", hub_id_of(dataset)) == DEFAULT_DATASET:
        yield _IMDB_TERMS
    else:
        yield f"- Data: {code(dataset)}, under the terms of its source."
    if glove["types_covered"]:
        other = f"- Word vectors: {code(glove['source'])}, under the terms of their source."
        yield _GLOVE_TERMS if _GLOVE_NAME.fullmatch(glove["source"]) else other
    if _has_lexicon(metrics):
        yield _LEXICON_TERMS
    if sentences := metrics.get("sentences"):
        other = f"- Sentences: {code(sentences)}, under the terms of their source."
        yield _EVERYDAY_TERMS if sentences == EVERYDAY else other
