"""The text of the model card; tests of `evaluate --card` are in tests/cli.

`python tests/evaluation/test_model_card.py` writes the cards of `cards/` again.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml

from sentcli.config import POOLINGS, BundleConfig, DataSet, ModelConfig, TextConfig
from sentcli.evaluation.evaluate import measure
from sentcli.evaluation.metrics import evaluate
from sentcli.evaluation.model_card import count_parameters, hub_id_of, model_card
from sentcli.scoring.labels import softmax

CARDS = Path(__file__).with_name("cards")
TWO = ("negative", "positive")
LINE = "sentcli train --dataset stanfordnlp/imdb --glove 6B.100d -o imdb-bilstm"
EPOCH = {"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 0.4}
HISTORY = [EPOCH, EPOCH | {"epoch": 2, "validation_loss": 0.3}]
FILES = ("config.json", "vocab.txt", "metrics.json", "curves.png", "manifest.json")
GLOVE = {
    "source": "6B.100d",
    "types_covered": 900,
    "types_total": 1000,
    "tokens_covered": 985,
    "tokens_total": 1000,
}
TRAINING = {"gates": "separate", "epochs": 3, "class_weight": "none", "min_freq": 5, "validation_share": 0.1}
TRAINING |= {"seed": 77, "bf16": False, "device": "cpu", "seconds": 90.0}


def data_set(path="stanfordnlp/imdb", **changes):
    return {**asdict(DataSet(path)), "hub_id": hub_id_of(path), "texts": 9, **changes}


BASE = {"name": "first", "data": [data_set("a.csv")], "glove": GLOVE, "base": None, "validation_data": None}
BASELINE = {
    "accuracy": 0.85,
    "accuracy_interval": (0.79, 0.89),
    "macro_f1": 0.8412,
    "log_loss": 0.4,
    "seconds": 1.234,
    "is_beaten": True,
}
CALIBRATION = {
    "temperature": 0.71234,
    "prior_strength": 0.0,
    "log_loss_before": 0.3,
    "error_before": 0.05,
    "log_loss_after": 0.25,
    "error_after": 0.004,
}


def examples(classes=2, seed=3, rows=200):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    logits = random.normal(0, 1, (rows, classes))
    logits[np.arange(rows), labels] += 2
    return labels, softmax(logits)


def record(seed=3, names=TWO, **changes):
    """Return an evaluation as `sentcli evaluate --card` records it."""
    texts = ["word " * length for length in np.random.default_rng(seed).integers(1, 300, 200)]
    return {
        "kind": "texts",
        "backend": "onnx",
        "dataset": changes.get("where", "stanfordnlp/imdb"),
        "where": "stanfordnlp/imdb, split test",
        "command": "sentcli evaluate",
        **measure(texts, *examples(seed=seed), names).to_json(),
        **changes,
    }


VALIDATION = asdict(evaluate(*examples(), TWO))


def write(labels=TWO, *, history=HISTORY, name="imdb-bilstm", files=FILES, model=(), **changes):
    shape = ModelConfig(1002, num_classes=len(labels), **dict(model))
    metrics = {
        "command": LINE,
        "licence": None,
        "output": name,
        "base": None,
        "validation_data": None,
        "calibration": CALIBRATION,
        "baseline": BASELINE,
        "dataset": "stanfordnlp/imdb",
        "data": [data_set(changes.get("dataset", "stanfordnlp/imdb"))],
        "examples": {"train": 1790, "validation": 200},
        "validation": VALIDATION if labels == TWO else asdict(evaluate(*examples(len(labels)), labels)),
        "best_epoch": 2,
        "glove": GLOVE,
        "training": TRAINING,
        "versions": {"sentcli": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
    }
    config = BundleConfig(shape, TextConfig(), labels)
    return model_card(config, metrics | changes, history, name=name, files=files)


def front_matter(card):
    return yaml.safe_load(card.split("---\n", 2)[1])


def section(card, title):
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def measured_card():
    """A model of two labels that was measured on three data sets."""
    own = record(seed=1, command="sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb")
    other = record(seed=3, command="a | b", dataset="x/hotels.csv", where="x/hotels.csv")
    other |= {"blank": 3, "neutral": 1200, "three_way": {"macro_f1": 0.65432}}
    pictures = (
        "confusion_matrix.png",
        "accuracy_by_length.png",
        "evaluated_reliability.png",
        "reliability.png",
    )
    return write(
        evaluations=[other, own, record(seed=2, command="more"), record(command="int8", kind="comparison")],
        files=(*FILES, "recipe.toml", *pictures),
        licence="apache-2.0",
    )


def fine_tuned_card():
    """A model of three labels that was fine-tuned on several data sets in a cross-validation."""
    more = {"path": "more.csv", "weight": 0.5, "validate": False, "targets": {"x": 1}, "terms": "CC0"}
    return write(
        ("bad", "so so", "good"),
        data=[data_set("reviews.csv"), data_set(**more, texts=1234)],
        dataset="reviews.csv",
        base=BASE,
        training=TRAINING | {"folds": 5, "class_weight": "balanced"},
        calibration=CALIBRATION | {"temperature": 0.1, "prior_strength": 0.25},
        baseline=BASELINE | {"is_beaten": False},
        glove={**GLOVE, "types_covered": 0},
    )


KEPT = {"measured": measured_card, "fine-tuned": fine_tuned_card}


@pytest.mark.parametrize("name", KEPT)
def test_kept_cards(name):
    assert KEPT[name]() == (CARDS / f"{name}.md").read_text("utf-8")


def test_front_matter_names_licence_and_data_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert front_matter(write(licence="apache-2.0")) == {
        "language": "en",
        "library_name": "sentcli",
        "pipeline_tag": "text-classification",
        "license": "apache-2.0",
        "datasets": ["stanfordnlp/imdb"],
    }
    assert front_matter(write(dataset="reviews.csv")).keys() == {"library_name", "pipeline_tag"}
    assert front_matter(write(dataset="my/reviews"))["datasets"] == ["my/reviews"]
    (tmp_path / "my" / "reviews").mkdir(parents=True)  # no data set of the hub
    assert "datasets" not in front_matter(write(dataset="my/reviews"))


def test_metrics_without_a_value_are_a_dash():
    validation = asdict(evaluate(np.array([1]), np.array([[0.2, 0.8]]), TWO))
    history = [EPOCH | {"validation_accuracy": None}]
    shown = section(write(validation=validation, history=history), "Validation")
    for line in (
        "| ROC AUC | - | - |",
        "| `negative` | 0 | - | - | - |",
        "| 1 | 0.5000 | 0.7500 | 0.4000 | - |",
    ):
        assert line in shown


def test_without_an_evaluation_a_command_that_measures_is_given():
    line = "sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --split test --card"
    assert f"```sh\n{line}\n```" in section(write(), "Figures")
    assert "--dataset TEST-SET --card\n" in section(write(dataset="reviews.csv"), "Figures")


def test_a_class_called_neutral_leaves_the_option_out():
    labels = ("good", "neutral")
    assert "--neutral" not in write(labels, evaluations=[record(names=labels)])


@pytest.mark.parametrize("source", ["6B.100d", "42B.300d", "twitter.27B.50d", "glove.6B.100d.txt.gz"])
def test_sources_are_credited_once_with_those_of_the_fine_tuned_models(source):
    first = BASE | {"data": [data_set()]}
    second = BASE | {"base": first, "data": [data_set(), data_set("a.csv"), data_set("more.csv")]}
    glove = {**GLOVE, "source": source}
    terms = section(write(dataset="b.csv", base=second, glove=glove, licence="mit"), "Licences and sources")
    for said in ("Model: `mit`", "`b.csv`", "`a.csv`", "`more.csv`", "Maas"):
        assert terms.count(said) == 1
    assert "Pennington" in terms


def test_names_can_be_anything():
    card = write(("a|b", "c`d", "e\nf"), dataset="{0}\n# x.csv", command="sentcli train 'a\n```\nb'")
    assert "`a\\|b`" in card
    assert "`` c`d ``" in card
    assert "`e\N{REPLACEMENT CHARACTER}f`" in card
    assert "`{0}\N{REPLACEMENT CHARACTER}# x.csv`" in card
    assert "````sh\nsentcli train 'a\n```\nb'\n````" in card


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_as_torch_counts_them(pooling, layers):
    bilstm = pytest.importorskip("sentcli.model.bilstm", exc_type=ImportError)
    config = ModelConfig(
        11, num_classes=3, embedding_dim=5, hidden_size=4, num_layers=layers, pooling=pooling
    )
    model = bilstm.BiLSTM(config)
    every = sum(weights.numel() for weights in model.parameters())
    assert count_parameters(config) == every
    of_lstm = sum(weights.numel() for weights in model.lstm.parameters())
    assert count_parameters(config, "forget") == every - of_lstm // 2


if __name__ == "__main__":
    for name, make in KEPT.items():
        (CARDS / f"{name}.md").write_text(make(), "utf-8")
