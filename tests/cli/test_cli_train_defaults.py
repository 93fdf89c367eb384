"""`sentcli train` with nothing but a data set: few, skewed, very long, very short texts, and three classes.

No test may download word vectors, so `--glove none` is the one thing that is given besides; the size of the
model is only there to save time.
"""

import json
import os
import random
from collections import Counter
from pathlib import Path

import invented
import pytest
from commands import invoke

from sentcli.model.bundle import METRICS

SMALL = ("--glove", "none", "--hidden-size", 8, "--embedding-dim", 16, "--device", "cpu", "--threads", 1)


def train(rows: list[tuple[str, str]], folder: Path, *arguments: object) -> tuple[dict, str]:
    """Train on the rows, and give the figures of the validation part and what was said."""
    random.Random(1).shuffle(rows)
    data = invented.write_csv(folder / "data.csv", rows)
    result = invoke("train", "--dataset", data, *SMALL, "-o", folder / "model", *arguments)
    assert result.exit_code == 0, result.output
    assert "chosen for " in result.stderr.splitlines()[0]
    return json.loads((folder / "model" / METRICS).read_text("utf-8"))["validation"], result.stderr


def majority(figures: dict) -> float:
    counts = [scores["support"] for scores in figures["classes"]]
    return max(counts) / sum(counts)


def test_a_hundred_texts(tmp_path):
    figures, said = train(invented.reviews(100, seed=4), tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2
    assert "chosen for 100 texts of " in said
    assert "epochs 47, batch-size 8, min-freq 1, validation-share 0.2" in said


def test_three_classes(tmp_path):
    figures, said = train(invented.reviews(120, seed=5, labels=invented.THREE), tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2
    assert "40 or more of each of 3 classes" in said


def test_a_class_of_a_twentieth(tmp_path):
    rows = [row for row in invented.reviews(800, seed=6) if row[1] == "positive"]
    rows += [row for row in invented.reviews(40, seed=7) if row[1] == "negative"]
    figures, said = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures)
    assert figures["macro_f1"] > 0.7
    assert "20 or more of each of 2 classes" in said
    assert "class-weight balanced" in said


def test_a_model_that_learnt_nothing_says_so(tmp_path):
    rows = [row for row in invented.reviews(200, seed=6) if row[1] == "positive"]
    rows += [row for row in invented.reviews(20, seed=7) if row[1] == "negative"]
    _, said = train(rows, tmp_path, "--lr", "1e-9", "--epochs", "1", "--class-weight", "none")
    assert "no better than 'positive' for every text; try" in said


def test_texts_of_one_word_and_one_of_a_book(tmp_path):
    words = {"positive": ("good", "great", "fine"), "negative": ("bad", "poor", "dull")}
    rows = [(words[label][number % 3], label) for number in range(60) for label in words]
    rows = [(f"{text} {number}", label) for number, (text, label) in enumerate(rows)]
    rows.append(("a dull story " * 60_000, "negative"))
    figures, _ = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.2


def imdb(count: int, seed: int) -> dict[str, list[str]]:
    """Draw so many reviews of each class from the train split, as short as half of them are."""
    from sentcli.evaluation.datasets import load_split

    data = load_split(os.environ["SENTCLI_IMDB"], "train", None, None)
    drawn: dict[str, list[str]] = {"negative": [], "positive": []}
    for row in random.Random(seed).sample(range(len(data)), len(data)):
        text, label = data.texts[row], data.labels[row]
        if len(text) < 1000 and len(drawn[label]) < count:
            drawn[label].append(text)
    assert {len(texts) for texts in drawn.values()} == {count}
    return drawn


real = pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb")


@pytest.mark.slow
@real
def test_six_hundred_reviews(tmp_path):
    rows = [(text, label) for label, texts in imdb(300, seed=1).items() for text in texts]
    figures, _ = train(rows, tmp_path)
    assert figures["accuracy"] > majority(figures) + 0.05


@pytest.mark.slow
@real
def test_reviews_of_which_a_quarter_is_negative(tmp_path):
    drawn = imdb(600, seed=2)
    rows = [(text, "positive") for text in drawn["positive"]]
    rows += [(text, "negative") for text in drawn["negative"][:200]]
    balanced, plain = tmp_path / "balanced", tmp_path / "plain"
    for folder in (balanced, plain):
        folder.mkdir()
    figures, _ = train(rows, balanced, "--class-weight", "balanced")
    assert figures["macro_f1"] > 0.5  # 0.43 of a model that knows the larger class alone
    without, _ = train(rows, plain)
    assert figures["classes"][0]["recall"] > without["classes"][0]["recall"] + 0.1


@pytest.mark.slow
@real
def test_reviews_of_which_one_in_thirteen_is_negative(tmp_path):
    drawn = imdb(2400, seed=4)
    rows = [(text, "positive") for text in drawn["positive"]]
    rows += [(text, "negative") for text in drawn["negative"][:200]]
    default, plain = tmp_path / "default", tmp_path / "plain"
    for folder in (default, plain):
        folder.mkdir()
    figures, said = train(rows, default)
    assert "class-weight balanced" in said
    without, said = train(rows, plain, "--class-weight", "none")
    assert "no better than 'positive' for every text" in said
    assert figures["classes"][0]["recall"] > without["classes"][0]["recall"] + 0.1


@pytest.mark.slow
@real
def test_reviews_of_three_classes(tmp_path):
    """The third is made of the same words in the order of the alphabet, so that no word tells it."""
    drawn = imdb(300, seed=3)
    rows = [(text, label) for label, texts in drawn.items() for text in texts[:200]]
    rest = [text for texts in drawn.values() for text in texts[200:]]
    rows += [(" ".join(sorted(text.split())), "sorted") for text in rest]
    figures, _ = train(rows, tmp_path)
    assert Counter(label for _, label in rows).most_common(1)[0][1] == 200
    assert figures["accuracy"] > majority(figures) + 0.1
