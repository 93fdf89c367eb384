"""`sentcli train` with default settings: few, skewed, very long, very short texts, and three classes.

No test may download word vectors, so `--glove none` is given too; a small model saves time.
"""

import csv
import json
import random
from pathlib import Path

import invented
import pytest

pytest.importorskip("torch")

from commands import invoke
from sampling import whole_only

from sentcli.model.bundle import METRICS
from sentcli.training import checkpoint, loop, train_model
from sentcli.training.init_model import torch_set_up

SMALL = ("--glove", "none", "--hidden-size", 8, "--embedding-dim", 16, "--device", "cpu", "--threads", 1)


def train(rows: list[tuple[str, str]], folder: Path, *arguments: object) -> tuple[dict, str]:
    """Train on the rows; return the figures of the validation part and stderr."""
    random.Random(1).shuffle(rows)
    data = invented.write_csv(folder / "data.csv", rows)
    result = invoke("train", "--dataset", data, *SMALL, "-o", folder / "model", *arguments)
    assert result.exit_code == 0, result.output
    assert "chosen for " in result.stderr.splitlines()[0]
    return json.loads((folder / "model" / METRICS).read_text("utf-8"))["validation"], result.stderr


def majority(figures: dict) -> float:
    counts = [scores["support"] for scores in figures["classes"]]
    return max(counts) / sum(counts)


def test_a_hundred_texts_of_three_classes(tmp_path):
    figures, said = train(invented.reviews(100, seed=4, labels=invented.THREE), tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2
    assert figures["examples"] == 100  # in the cross-validation
    assert "linear model alone: " in said


def test_a_killed_cross_validation_continues_to_the_same_bytes(tmp_path, monkeypatch):
    rows, (whole, killed) = invented.reviews(60, seed=4), (tmp_path / name for name in ("whole", "killed"))
    for folder in (whole, killed):
        folder.mkdir()
    monkeypatch.setattr(train_model, "adds_nothing", lambda *_, tested: False)  # else there is one fold
    step, made = loop.Learner.step, []

    def counted(*values):
        made.append(None)
        if len(made) == killed_at:
            raise KilledError
        return step(*values)

    monkeypatch.setattr(loop.Learner, "step", counted)
    monkeypatch.setattr(checkpoint, "_SAVE_SECONDS", -1)  # after each step
    killed_at, settings = 0, config(tmp_path, "epochs = 3\nfolds = 3")
    train([*rows], whole, "--config", settings)
    count, killed_at = len(made), len(made) + 37  # in the second epoch of the third fold
    with pytest.raises(KilledError):
        train([*rows], killed, "--config", settings)
    _, said = train([*rows], killed, "--config", settings)
    assert "continued after epoch 1, batch" in said
    assert len(made) == 2 * count + 1
    for name in ("model.onnx", "config.json", "validation.csv", "learned-texts.bin"):
        assert (whole / "model" / name).read_bytes() == (killed / "model" / name).read_bytes()
    assert "3-fold cross-validation" in (whole / "model" / "README.md").read_text()


def test_each_text_of_a_cross_validation_has_a_probability_of_models_without_it(tmp_path):
    rows = invented.reviews(60, seed=4)
    figures, _ = train(rows, tmp_path, "--config", config(tmp_path, "epochs = 3\nfolds = 3"))
    with (tmp_path / "model" / "validation.csv").open(newline="") as file:
        found = [*csv.DictReader(file)]
    assert [*found[0]] == [
        *["row", "label", "predicted", "probability_negative", "probability_positive", "hash"]
    ]
    assert [(row["row"], row["label"]) for row in found] == [
        (str(number), label) for number, (_, label) in enumerate(rows, start=1)
    ]
    assert sum(row["label"] == row["predicted"] for row in found) == round(60 * figures["accuracy"])
    for row in found:
        assert row["predicted"] == max(invented.TWO, key=lambda label: float(row[f"probability_{label}"]))


class KilledError(BaseException):
    pass


def config(folder: Path, content: str) -> Path:
    (folder / "settings.toml").write_text(content)
    return folder / "settings.toml"


def test_few_english_reviews_start_from_the_included_model(tmp_path):
    data = invented.write_csv(tmp_path / "data.csv", invented.reviews(60, seed=4))
    line = ("--dataset", data, "--epochs", 1, "--device", "cpu", "--threads", 1, "-o")
    result = invoke("train", *line, tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "fine-tuning the included model imdb-bilstm; --glove starts from word vectors" in result.stderr
    recipe = tmp_path / "model" / "recipe.toml"
    assert 'finetune = "imdb-bilstm"' in recipe.read_text()
    again = invoke("train", "--config", recipe, "--device", "cpu", "--threads", 1, "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    one, two = ((tmp_path / name / "model.onnx").read_bytes() for name in ("model", "again"))
    assert one == two
    told = invoke("train", *line, tmp_path / "other", "--glove", "none", "--hidden-size", 4).stderr
    assert "imdb-bilstm" not in told


def test_few_english_stars_start_from_the_included_model_too(tmp_path):
    texts = invented.reviews(60, seed=4)
    stars = [(text, "12345"[row % 3 + 2 * (label == "positive")]) for row, (text, label) in enumerate(texts)]
    data = invented.write_csv(tmp_path / "stars.csv", stars)
    line = ("--dataset", data, "--epochs", 1, "--device", "cpu", "--threads", 1, "-o", tmp_path / "model")
    told = invoke("train", *line).stderr
    assert "fine-tuning the included model imdb-bilstm" in told
    assert "labels are stars: a score is their mean, a label their median: mean absolute error" in told


def test_few_words_use_one_thread(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("sentcli.training.init_model.usable_cores", lambda: 2)
    used = []
    monkeypatch.setattr("torch.set_num_threads", used.append)
    for threads, words in ((None, 100), (None, 10**6), (3, 100)):
        with torch_set_up(threads, words):
            pass
    assert used == [1, 2, 3]


@whole_only
def test_a_class_with_a_twentieth_of_the_texts(tmp_path):
    rows = [row for row in invented.reviews(800, seed=6) if row[1] == "positive"]
    rows += [row for row in invented.reviews(40, seed=7) if row[1] == "negative"]
    figures, _ = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures)
    assert figures["macro_f1"] > 0.7


def test_a_model_no_better_than_the_majority_class_is_reported(tmp_path):
    texts = [text for text, label in invented.reviews(200, seed=6) if label == "positive"]
    rows = [(text, "negative" if place % 10 == 0 else "positive") for place, text in enumerate(texts)]
    _, said = train(rows, tmp_path, "--lr", "1e-9", "--epochs", "1", "--class-weight", "none")
    assert "no better than 'positive' for every text; try" in said


@whole_only
def test_texts_of_one_word_and_one_very_long_text(tmp_path):
    words = {"positive": ("good", "great", "fine"), "negative": ("bad", "poor", "dull")}
    rows = [(words[label][number % 3], label) for number in range(60) for label in words]
    rows = [(f"{text} {number}", label) for number, (text, label) in enumerate(rows)]
    rows.append(("a dull story " * 60_000, "negative"))
    figures, _ = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2
