"""The text of the model card; tests of `evaluate --card` are in tests/cli."""

import re
from dataclasses import asdict

import numpy as np
import pytest
import yaml

from sentcli.config import (
    POOLINGS,
    BundleConfig,
    DataSet,
    ModelConfig,
    TextConfig,
    TrainConfig,
)
from sentcli.evaluation.evaluate import measure
from sentcli.evaluation.metrics import evaluate
from sentcli.evaluation.model_card import count_parameters, hub_id_of, model_card
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.labels import softmax

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
TRAINING = {**TrainConfig(seed=77).to_json(), "bf16": False, "device": "cpu", "seconds": 90.0}


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
        "kind": "passages" if changes.get("passages") else "texts",
        "backend": "onnx",
        "dataset": changes.get("where", "stanfordnlp/imdb"),
        "where": "stanfordnlp/imdb, split test",
        "passages": None,
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


def row(card, head):
    """Return the other cells of the first table row with this first cell."""
    line = next(line for line in card.splitlines() if line.startswith(f"| {head} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_front_matter_names_licence_and_data_of_the_hub():
    assert front_matter(write(licence="apache-2.0")) == {
        "language": "en",
        "library_name": "sentcli",
        "pipeline_tag": "text-classification",
        "license": "apache-2.0",
        "datasets": ["stanfordnlp/imdb"],
    }
    assert front_matter(write(dataset="reviews.csv")).keys() == {"library_name", "pipeline_tag"}


def test_a_local_folder_with_the_form_of_an_id_is_no_data_set_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert front_matter(write(dataset="my/reviews"))["datasets"] == ["my/reviews"]
    (tmp_path / "my" / "reviews").mkdir(parents=True)
    assert "datasets" not in front_matter(write(dataset="my/reviews"))


def test_the_model_is_described():
    card = write(glove={**GLOVE, "types_total": 700}, name="my model")
    assert "\n# my model\n" in card
    assert row(card, "labels") == ["`negative`, `positive`"]
    assert row(card, "vocabulary")[0].startswith("700 words that occur at least 5 times")
    assert row(card, "vocabulary")[0].endswith("and 300 bigrams: pairs of words with one id")
    assert row(card, "embedding") == ["1,002 x 100 dimensions"]
    assert row(card, "longest text") == ["512 tokens; of a longer text the first 128 and the last 384"]
    assert "sentcli score reviews.csv -o scored.csv --model 'my model'\n" in card


def test_the_training_has_command_data_and_every_setting():
    card = write(files=(*FILES, "recipe.toml"))
    shown = section(card, "Training")
    assert f"```sh\n{LINE}\n```" in shown
    assert row(shown, "data set") == ["`stanfordnlp/imdb`: 9 texts to train on"]
    assert row(shown, "texts") == ["1,790 for training, 200 for validation"]
    assert row(shown, "word vectors") == ["`6B.100d`: 90.0% of the vocabulary, 98.5% of the running words"]
    assert "](recipe.toml)" in row(shown, "settings")[0]
    assert row(shown, "epoch") == ["2 of 3, which had the lowest validation loss"]
    assert row(shown, "versions") == ["sentcli 0.1.0, torch 2.13.0, python 3.11.7"]
    for name, value in (*TrainConfig(seed=77).to_json().items(), ("embedding_dropout", 0.3)):
        assert row(shown, f"`{name}`") == [str(value)]


def test_further_sources_of_the_training_are_named():
    more = {"path": "more.csv", "weight": 0.5, "validate": False, "targets": {"x": 1}, "terms": "CC0"}
    data = [data_set(), data_set(**more, texts=1234)]
    card = write(data=data, base=BASE)
    assert row(card, "fine-tuned from")[0].startswith("the model `first`")
    rows = [line for line in card.splitlines() if line.startswith("| data set |")]
    assert rows == [
        "| data set | `stanfordnlp/imdb`: 9 texts to train on |",
        '| data set | `more.csv`: 1,234 texts to train on, weight 0.5, targets `{"x": 1}`, no validation |',
    ]
    assert "`stanfordnlp/imdb`, `more.csv`." in section(card, "Intended use and limits")
    assert "- Data: `more.csv`, `CC0`." in section(card, "Licences and sources")
    none = write(glove={**GLOVE, "types_covered": 0})
    assert row(none, "word vectors") == ["none: the embedding started with random values"]


def test_the_validation_part_has_its_metrics_and_its_command():
    expected = evaluate(*examples(), TWO)
    shown = section(write(output="-my m"), "Validation")
    assert "\nsentcli evaluate './-my m' --held-out\n" in shown
    low, high = expected.accuracy_interval
    assert row(shown, "accuracy") == [f"{expected.accuracy:.4f}", f"{low:.4f} to {high:.4f}"]
    assert row(shown, "expected calibration error") == [f"{expected.expected_calibration_error:.4f}", "-"]
    positive = expected.classes[1]
    scores = [f"{value:.4f}" for value in (positive.precision, positive.recall, positive.f1)]
    assert row(shown, "`positive`") == [f"{positive.support:,}", *scores]
    (a, b), (c, d) = expected.confusion
    assert f"| `negative` | {a} | {b} |\n| `positive` | {c} | {d} |" in shown
    assert "](curves.png)" in shown
    assert row(shown, "2") == ["0.5000", "0.7500", "0.3000"]


def test_metrics_without_a_value_are_a_dash():
    validation = asdict(evaluate(np.array([1]), np.array([[0.2, 0.8]]), TWO))
    history = [EPOCH | {"validation_passage_accuracy": float("nan")}]
    shown = section(write(validation=validation, history=history), "Validation")
    assert row(shown, "ROC AUC") == ["-", "-"]
    assert row(shown, "`negative`") == ["0", "-", "-", "-"]
    assert row(shown, "1")[-1] == "-"


def test_calibration_is_shown_before_and_after():
    shown = write(files=(*FILES, "reliability.png")).split("### Calibration")[1]
    assert "a temperature of 0.7123," in shown
    assert row(shown, "log loss") == ["0.3000", "0.2500"]
    assert "](reliability.png)" in shown
    assert "labels the whole validation part correctly" in write(
        calibration=CALIBRATION | {"temperature": 1.0}
    )
    assert "the limit of the allowed range" in write(calibration=CALIBRATION | {"temperature": 0.1 + 1e-9})
    assert "logarithms of the class frequencies" not in shown
    corrected = write(calibration=CALIBRATION | {"prior_strength": 0.25})
    assert "Then 0.25 of the logarithms of the class frequencies are" in corrected


def test_a_model_is_compared_with_n_grams():
    shown = write()
    assert "logistic regression, 1.2 seconds) has an accuracy of 0.8500" in shown
    assert "not better than that" not in shown
    assert "The network is not better than that" in write(baseline=BASELINE | {"is_beaten": False})


def test_without_an_evaluation_a_command_that_measures_is_given():
    line = "sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --split test --card"
    assert f"```sh\n{line}\n```" in section(write(), "Figures")
    assert "--dataset TEST-SET --card\n" in section(write(dataset="reviews.csv"), "Figures")


def test_the_first_evaluation_on_the_data_of_the_training_is_shown_in_full():
    own, more = record(seed=1, command="own 'a|b'"), record(seed=2, command="more")
    other = record(seed=3, command="other | x", where="x.csv")
    passages = record(seed=4, command="passages", passages=2)
    int8 = record(command="int8", kind="comparison")
    pictures = ("confusion_matrix.png", "accuracy_by_length.png", "evaluated_reliability.png")
    card = write(evaluations=[passages, other, own, more, int8], files=(*FILES, *pictures))
    shown = section(card, "Figures")
    assert "```sh\nown 'a|b'\n```" in shown
    bounds = {"accuracy": own["accuracy_interval"], **own["intervals"]}
    for name, key in (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("ROC AUC", "roc_auc")):
        low, high = bounds[key]
        assert row(shown, name) == [f"{own[key]:.4f}", f"{low:.4f} to {high:.4f}"]
    (a, b), (c, d) = own["confusion"]
    assert f"| `negative` | {a} | {b} |\n| `positive` | {c} | {d} |" in shown
    part, band = own["by_length"][1], own["bands"][0]
    assert row(shown, "32-63")[:2] == [str(part["examples"]), f"{part['accuracy']:.4f}"]
    assert row(shown, "512+") == ["0", "-", "-"]
    assert row(shown, "`--neutral 0.4,0.6`")[:2] == [f"{band['coverage']:.2%}", f"{band['accuracy']:.4f}"]
    assert all(f"]({name})" in shown for name in pictures)


def test_the_first_table_has_a_row_for_each_data_set():
    own, other = record(seed=1, command="own"), record(seed=3, command="a | b", dataset="x/hotels.csv")
    other |= {"where": "x/hotels.csv", "blank": 3, "neutral": 1200, "three_way": {"macro_f1": 0.65432}}
    passages = record(seed=4, command="passages", passages=2)
    card = write(evaluations=[passages, own, other, record(command="int8", kind="comparison")])
    assert card.index("| measured on |") < card.index("| labels |")
    rows = card.partition("| measured on |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.partition(" | ")[0] for line in rows] == [
        "| passages of 1 to 2 sentences of `stanfordnlp/imdb, split test`",
        "| `stanfordnlp/imdb, split test`",
        "| `hotels`",
    ]
    low, high = own["accuracy_interval"]
    balanced, error = own["balanced_accuracy"], own["expected_calibration_error"]
    assert row(card, "`stanfordnlp/imdb, split test`") == [
        "200",
        f"{own['accuracy']:.4f} ({low:.4f} to {high:.4f})",
        f"{balanced:.4f}",
        "-",
        f"{error:.4f}",
        "`own`",
    ]
    assert row(card, "`hotels`")[0] == "200 and 1,200 neutral, without 3 that say nothing"
    assert row(card, "`hotels`")[3] == "0.6543"
    assert rows[2].endswith("| `a \\| b` |")
    assert "A passage has the label" in card
    assert "A passage has the label" not in write(evaluations=[own])
    assert "measured on" not in write()


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


def test_other_data_and_vectors_are_credited_to_nobody():
    card = write(dataset="reviews.csv", glove={**GLOVE, "source": "fasttext.vec"})
    terms = section(card, "Licences and sources")
    assert "no licence was stated" in terms
    assert "`reviews.csv`, under the terms of its source" in terms
    assert "`fasttext.vec`, under the terms of their source" in terms
    assert not re.search("IMDb|Maas|GloVe|PDDL", card)


def test_names_can_be_anything():
    card = write(("a|b", "c`d", "e\nf"), dataset="{0}\n# x.csv", command="sentcli train 'a\n```\nb'")
    assert "`a\\|b`" in card
    assert "`` c`d ``" in card
    assert "`e\N{REPLACEMENT CHARACTER}f`" in card
    assert "`{0}\N{REPLACEMENT CHARACTER}# x.csv`" in card
    assert "````sh\nsentcli train 'a\n```\nb'\n````" in card


def test_only_existing_files_are_listed():
    files = section(write(files=("config.json", "roc.png")), "Files")
    assert re.findall(r"^\| `(.*?)` \|", files, re.MULTILINE) == ["config.json"]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_as_torch_counts_them(pooling, layers):
    config = ModelConfig(
        11, num_classes=3, embedding_dim=5, hidden_size=4, num_layers=layers, pooling=pooling
    )
    model = BiLSTM(config)
    every = sum(weights.numel() for weights in model.parameters())
    assert count_parameters(config) == every
    of_lstm = sum(weights.numel() for weights in model.lstm.parameters())
    assert count_parameters(config, "forget") == every - of_lstm // 2
