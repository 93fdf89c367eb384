"""The text of the model card; tests of `evaluate --card` are in tests/cli.

`python tests/evaluation/test_model_card.py` writes the two kept cards again, that of the included model and
`fine-tuned.md`, and the page of the training of the included model.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from sentcli.config import POOLINGS, DataSet, ModelConfig
from sentcli.evaluation.metrics import evaluate
from sentcli.evaluation.model_card import count_parameters, hub_id_of, model_card, read_history, read_metrics
from sentcli.model.bundle import CARD, TRAINING, default_bundle_path, load_bundle, write_manifest
from sentcli.report.measured import render_training
from sentcli.scoring.labels import softmax

FINE_TUNED = Path(__file__).with_name("fine-tuned.md")
BOX = load_bundle(default_bundle_path())
METRICS = read_metrics(BOX)
GLOVE = METRICS["glove"]
BASELINE = {"accuracy": 0.85, "accuracy_interval": (0.79, 0.89), "macro_f1": 0.8412, "log_loss": 0.4}
BASELINE |= {"seconds": 1.234, "is_beaten": False, "is_better": False}


def write(labels=BOX.config.labels, history=None, **changes):
    """Return the card of the included model, but for some changes."""
    shape = replace(BOX.config.model, num_classes=len(labels))
    neutral = BOX.config.neutral if labels == BOX.config.labels else None
    config = replace(BOX.config, model=shape, labels=labels, neutral=neutral)
    history = history or read_history(BOX)
    files = {*BOX.digests, TRAINING}
    return model_card(config, {**METRICS, **changes}, history, "imdb-bilstm", files).decode()


def data_set(path="stanfordnlp/imdb", **changes):
    return {**asdict(DataSet(path)), "hub_id": hub_id_of(path), "texts": 9, **changes}


BASE = {"name": "first", "data": [data_set("a.csv")], "glove": GLOVE, "base": None, "validation_data": None}


def fine_tuned():
    """Return the card of a model of three labels that was fine-tuned on two files in a cross-validation."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, 200)
    probabilities = softmax(random.normal(0, 1, (200, 3)) + 2 * np.eye(3)[labels])
    names = ("bad", "so so", "good")
    more = {"weight": 0.5, "validate": False, "targets": {"x": 1}, "terms": "CC0"}
    return write(
        names,
        evaluations=[],
        validation=evaluate(labels, probabilities, names),
        data=[data_set("reviews.csv"), data_set("more.csv", **more)],
        base=BASE,
        training=METRICS["training"] | {"folds": 5, "class_weight": "balanced"},
        calibration=METRICS["calibration"] | {"temperature": 0.1, "prior_strength": 0.25},
        baseline=BASELINE,
        glove=GLOVE | {"types_covered": 0},
        licence=None,
    )


def front_matter(card):
    return yaml.safe_load(card.split("---\n", 2)[1])


def section(card, title):
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_hub_reads_what_was_measured():
    hub = pytest.importorskip("huggingface_hub.repocard_data")
    name, found = hub.model_index_to_eval_results(front_matter(write())["model-index"])
    assert name == "imdb-bilstm"
    for result, record in zip(found, METRICS["evaluations"], strict=True):
        assert (result.task_type, result.metric_type) == ("text-classification", "accuracy")
        assert result.metric_value == round(record["accuracy"], 4)
    assert "model-index" not in front_matter(write(evaluations=[]))


def test_the_kept_cards():
    assert write() == BOX.read(CARD).decode()
    assert fine_tuned() == FINE_TUNED.read_text("utf-8")


def test_front_matter_names_data_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert front_matter(write(data=[data_set("my/reviews")]))["datasets"] == ["my/reviews"]
    (tmp_path / "my" / "reviews").mkdir(parents=True)  # a folder with the form of an id
    assert "datasets" not in front_matter(write(data=[data_set("my/reviews")]))


def test_metrics_without_a_value_are_a_dash():
    validation = evaluate(np.array([1]), np.array([[0.2, 0.8]]), BOX.config.labels)
    history = [{"epoch": 1, "train_loss": 0.5, "validation_loss": None}]
    shown = section(write(validation=validation, history=history), "Validation")
    for line in ("| ROC AUC | - | - |", "| `negative` | 0 | - | - | - |", "| 1 | 0.5000 | - |"):
        assert line in shown


def test_the_measurement_that_is_shown_in_full_has_its_calibration():
    shown = METRICS["evaluations"][0]
    part = {"low": 0.5, "high": 0.75, "examples": 4, "accuracy": 0.5, "accuracy_interval": (0.15, 0.85)}
    card = section(write(evaluations=[shown | {"by_confidence": [part]}]), "Figures")
    assert "| 0.50 to 0.75 | 4 | 0.5000 | 0.1500 to 0.8500 |" in card


def test_without_an_evaluation_a_command_that_measures_is_given():
    line = "sentcli evaluate exports/imdb-bilstm --dataset stanfordnlp/imdb --split test --card"
    assert f"```sh\n{line}\n```" in section(write(evaluations=[]), "Figures")


def test_a_class_called_neutral_leaves_the_option_out():
    assert "--neutral" not in write(("good", "neutral"))


@pytest.mark.parametrize("source", ["6B.100d", "42B.300d", "twitter.27B.50d", "glove.6B.100d.txt.gz"])
def test_sources_are_credited_once_with_those_of_the_fine_tuned_models(source):
    first = BASE | {"data": [data_set()]}
    second = BASE | {"base": first, "data": [data_set(), data_set("a.csv"), data_set("more.csv")]}
    card = write(data=[data_set("b.csv")], base=second, glove=GLOVE | {"source": source}, licence="mit")
    terms = section(card, "Licenses and sources")
    for said in ("Model: `mit`", "`b.csv`", "`a.csv`", "`more.csv`", "Maas"):
        assert terms.count(said) == 1
    assert "Pennington" in terms


def test_names_can_be_anything():
    data, command = [data_set("{0}\n# x.csv")], "sentcli train 'a\n```\nb'"
    card = write(("a|b", "c`d", "e\nf"), data=data, command=command)
    assert "`a\\|b`" in card
    assert "`` c`d ``" in card
    assert "`e\\nf`" in card
    assert "`{0}\\n# x.csv`" in card
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
    FINE_TUNED.write_text(fine_tuned(), "utf-8")
    (BOX.path / CARD).write_text(write(), "utf-8")
    (BOX.path / TRAINING).write_bytes(render_training(METRICS, read_history(BOX), "imdb-bilstm"))
    write_manifest(BOX.path)
