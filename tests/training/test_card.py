import re
import shlex

import numpy as np
import pytest
import yaml

from sentcli.config import POOLINGS, BundleConfig, ModelConfig, TextConfig, TrainConfig
from sentcli.evaluation import evaluate, softmax
from sentcli.training.card import count_parameters, model_card

LINE = "sentcli train --dataset stanfordnlp/imdb --glove 6B.100d -o imdb-bilstm"
HISTORY = [
    {
        "epoch": 1,
        "train_loss": 0.5,
        "train_accuracy": 0.7512,
        "validation_loss": 0.4,
        "validation_accuracy": 0.8,
    },
    {
        "epoch": 2,
        "train_loss": 0.3,
        "train_accuracy": 0.87,
        "validation_loss": 0.3,
        "validation_accuracy": 0.8876,
    },
]
GLOVE = {
    "source": "6B.100d",
    "types_covered": 900,
    "types_total": 1000,
    "tokens_covered": 985,
    "tokens_total": 1000,
}


def figures(labels=("negative", "positive"), rows=200):
    random = np.random.default_rng(3)
    classes = random.integers(0, len(labels), rows)
    logits = random.normal(0, 1, (rows, len(labels)))
    logits[np.arange(rows), classes] += 2
    return evaluate(classes, softmax(logits), labels)


def write(
    labels=("negative", "positive"),
    *,
    history=HISTORY,
    line=LINE,
    name="imdb-bilstm",
    licence=None,
    **changes,
):
    config = BundleConfig(ModelConfig(1002, num_classes=len(labels)), TextConfig(), labels)
    metrics = {
        "dataset": "stanfordnlp/imdb",
        "examples": {"train": 1790, "validation": 200},
        "validation": figures(labels).to_json(),
        "best_epoch": 2,
        "glove": GLOVE,
        "training": {**TrainConfig(seed=77).to_json(), "bf16": False, "device": "cpu", "seconds": 90.0},
        "versions": {"sentcli": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
    }
    return model_card(config, metrics | changes, history, line, name=name, licence=licence)


def front_matter(card):
    _, matter, _ = card.split("---\n", 2)
    return yaml.safe_load(matter)


def section(card, title):
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def row(card, head):
    """Give the cells of the first table row that begins so."""
    line = next(line for line in card.splitlines() if line.startswith(f"| {head} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


class TestFrontMatter:
    def test_of_a_hub_data_set(self):
        assert front_matter(write(licence="apache-2.0")) == {
            "language": "en",
            "library_name": "sentcli",
            "pipeline_tag": "text-classification",
            "license": "apache-2.0",
            "datasets": ["stanfordnlp/imdb"],
        }

    def test_leaves_out_what_is_not_known(self):
        keys = front_matter(write(dataset="reviews.csv")).keys()
        assert keys == {"language", "library_name", "pipeline_tag"}

    def test_a_folder_with_the_form_of_an_id_is_no_hub_data_set(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert front_matter(write(dataset="my/reviews"))["datasets"] == ["my/reviews"]
        (tmp_path / "my" / "reviews").mkdir(parents=True)
        assert "datasets" not in front_matter(write(dataset="my/reviews"))


class TestTraining:
    def test_has_the_line_the_sizes_and_the_coverage(self):
        training = section(write(), "Training")
        assert f"```sh\n{LINE}\n```" in training
        assert row(training, "texts") == ["1,790 to train on, 200 held out for validation"]
        assert row(training, "word vectors") == [
            "`6B.100d`: 90.0% of the vocabulary, 98.5% of the running words"
        ]
        assert row(training, "kept") == ["the weights of epoch 2 of 3: the lowest validation loss"]
        assert row(training, "time") == ["1.5 minutes, device cpu"]
        assert row(training, "versions") == ["sentcli 0.1.0, torch 2.13.0, python 3.11.7"]

    def test_has_every_setting(self):
        training = section(write(), "Training")
        assert row(training, "`seed`") == ["77"]
        for key, value in TrainConfig(seed=77).to_json().items():
            assert row(training, f"`{key}`") == [str(value)]
        assert row(training, "`embedding_dropout`") == ["0.3"]

    def test_without_vectors(self):
        card = write(glove={**GLOVE, "source": "none", "types_covered": 0, "tokens_covered": 0})
        assert row(card, "word vectors") == ["none: the embedding began with random values"]
        assert "GloVe" not in card

    def test_a_line_with_ticks_stays_in_its_block(self):
        card = write(line="sentcli train --dataset 'a\n```\nb'")
        assert "````sh\nsentcli train --dataset 'a\n```\nb'\n````" in card


class TestFigures:
    def test_are_those_of_the_validation_part(self):
        expected = figures()
        shown = section(write(), "Figures")
        low, high = expected.accuracy_interval
        assert "the 200 texts of the validation part" in shown
        assert row(shown, "accuracy") == [f"{expected.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f})"]
        assert row(shown, "F1 of `positive`") == [f"{expected.f1:.4f}"]
        assert row(shown, "macro F1") == [f"{expected.macro_f1:.4f}"]
        assert row(shown, "ROC AUC") == [f"{expected.roc_auc:.4f}"]
        assert row(shown, "log loss") == [f"{expected.log_loss:.4f}"]
        calibration = row(shown, "expected calibration error, 15 bins")
        assert calibration == [f"{expected.expected_calibration_error:.4f}"]
        positive = expected.classes[1]
        cells = [f"{value:.4f}" for value in (positive.precision, positive.recall, positive.f1)]
        assert row(shown, "`positive`") == [f"{positive.support:,}", *cells]
        (a, b), (c, d) = expected.confusion
        assert f"| `negative` | {a} | {b} |\n| `positive` | {c} | {d} |" in shown

    def test_have_the_curves_and_the_epochs(self):
        shown = section(write(), "Figures")
        assert "](curves.png)" in shown
        assert row(shown, "1") == ["0.5000", "0.7512", "0.4000", "0.8000"]
        assert row(shown, "2") == ["0.3000", "0.8700", "0.3000", "0.8876"]

    def test_very_many_epochs_are_left_to_the_file(self):
        shown = section(write(history=[{**HISTORY[0], "epoch": epoch} for epoch in range(1, 42)]), "Figures")
        assert "The figures of all 41 epochs are in `history.csv`." in shown
        assert "| 41 |" not in shown

    def test_the_test_split_is_left_to_a_command(self):
        shown = section(write(), "Figures")
        assert "```sh\nsentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --split test\n```" in shown

    def test_a_local_data_set_has_no_test_split_to_name(self):
        shown = section(write(dataset="reviews.csv"), "Figures")
        assert "sentcli evaluate imdb-bilstm --dataset TEST-SET\n" in shown

    def test_undefined_figures_are_a_dash(self):
        validation = evaluate(np.array([1]), np.array([[0.2, 0.8]]), ("negative", "positive")).to_json()
        shown = section(write(validation=validation), "Figures")
        assert row(shown, "ROC AUC") == ["-"]
        assert row(shown, "`negative`") == ["0", "-", "-", "-"]

    def test_more_than_two_classes(self):
        card = write(("bad", "so-so", "good"))
        assert "F1 of `" not in card
        assert "probability\nof that label." in card
        assert row(card, "true \\ predicted") == ["`bad`", "`so-so`", "`good`"]

    def test_very_many_classes_have_no_confusion_matrix(self):
        card = write(tuple(f"class {number}" for number in range(13)))
        assert "true \\ predicted" not in card
        assert "| `class 12` |" in card


class TestTerms:
    def test_imdb_and_glove(self):
        terms = section(write(licence="apache-2.0"), "Licences and sources")
        assert "Model: `apache-2.0`." in terms
        assert "Maas" in terms
        assert "ACL 2011" in terms
        assert "Public Domain Dedication and\n  License (PDDL)" in terms
        assert "Pennington" in terms

    def test_of_other_data_and_vectors_nothing_is_claimed(self):
        card = write(dataset="reviews.csv", glove={**GLOVE, "source": "fasttext.vec"})
        terms = section(card, "Licences and sources")
        assert "Model: none was stated" in terms
        assert "`reviews.csv`, under the terms of its source" in terms
        assert "`fasttext.vec`, under the terms of their source" in terms
        assert not re.search("IMDb|Maas|GloVe|PDDL", card)

    @pytest.mark.parametrize("source", ["6B.100d", "42B.300d", "twitter.27B.50d", "glove.6B.100d.txt.gz"])
    def test_knows_glove_by_its_names(self, source):
        assert "PDDL" in write(glove={**GLOVE, "source": source})


class TestText:
    def test_says_what_the_model_is(self):
        card = write()
        assert "\n# imdb-bilstm\n" in card
        assert row(card, "labels") == ["`negative`, `positive`"]
        assert row(card, "embedding") == ["1,002 words x 100 dimensions"]
        assert row(card, "longest text") == ["512 tokens: of a longer one the first 128 and the last 384"]
        assert "sentcli score reviews.csv -o scored.csv --model imdb-bilstm" in card
        assert "It knows 1,000 words" in card

    def test_lists_the_files(self):
        files = section(write(), "Files")
        names = re.findall(r"^\| `(.*?)` \|", files, re.MULTILINE)
        model = ["config.json", "vocab.txt", "model.safetensors", "model.onnx"]
        assert names == [*model, "metrics.json", "history.csv", "curves.png", "manifest.json"]

    def test_no_placeholder_is_left(self):
        assert not re.search(r"[{}]", write())

    def test_names_may_hold_anything(self):
        card = write(("a|b", "c`d", "e\nf"), name="my model; rm", dataset="{0}\n# x.csv")
        assert "`a\\|b`" in card
        assert "`` c`d ``" in card
        assert "`e\N{REPLACEMENT CHARACTER}f`" in card
        assert "`{0}\N{REPLACEMENT CHARACTER}# x.csv`" in card
        assert f"--model {shlex.quote('my model; rm')}\n" in card


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_as_torch_counts_them(pooling, layers):
    from sentcli.model import BiLSTM

    config = ModelConfig(
        11, num_classes=3, embedding_dim=5, hidden_size=4, num_layers=layers, pooling=pooling
    )
    assert count_parameters(config) == sum(weights.numel() for weights in BiLSTM(config).parameters())
