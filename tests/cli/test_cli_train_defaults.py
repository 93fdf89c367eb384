"""`sentcli train` with default settings: few, skewed, very long, very short texts, and three classes.

No test may download word vectors, so `--glove none` is given too; a small model saves time.
"""

import json
import random
from pathlib import Path

import invented
from commands import invoke

from sentcli.model.bundle import METRICS

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
    assert "chosen for 100 texts of " in said
    assert "33 or more of each of 3 classes" in said
    assert "epochs 47, batch-size 8, min-freq 1, validation-share 0.2" in said


def test_a_class_with_a_twentieth_of_the_texts(tmp_path):
    rows = [row for row in invented.reviews(800, seed=6) if row[1] == "positive"]
    rows += [row for row in invented.reviews(40, seed=7) if row[1] == "negative"]
    figures, said = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures)
    assert figures["macro_f1"] > 0.7
    assert "20 or more of each of 2 classes" in said
    assert "class-weight balanced" in said


def test_a_model_no_better_than_the_majority_class_is_reported(tmp_path):
    rows = [row for row in invented.reviews(200, seed=6) if row[1] == "positive"]
    rows += [row for row in invented.reviews(20, seed=7) if row[1] == "negative"]
    _, said = train(rows, tmp_path, "--lr", "1e-9", "--epochs", "1", "--class-weight", "none")
    assert "no better than 'positive' for every text; try" in said


def test_texts_of_one_word_and_one_very_long_text(tmp_path):
    words = {"positive": ("good", "great", "fine"), "negative": ("bad", "poor", "dull")}
    rows = [(words[label][number % 3], label) for number in range(60) for label in words]
    rows = [(f"{text} {number}", label) for number, (text, label) in enumerate(rows)]
    rows.append(("a dull story " * 60_000, "negative"))
    figures, _ = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2
