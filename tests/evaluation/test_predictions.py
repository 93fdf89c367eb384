"""The table of predictions, its file, and the worst predictions."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from sentcli.datasets.labels import LabeledTexts
from sentcli.datasets.splits import hash_texts
from sentcli.errors import OutputError
from sentcli.evaluation import evaluate as measuring
from sentcli.evaluation.evaluate import confident_errors, confused_pairs, prediction_rows, write_predictions
from sentcli.evaluation.metrics import evaluate

NAMES = ("negative", "positive")
TEXTS = ["a\rb", "NA", 'q"x\ny', "", "é" * 300]
LABELS = np.array([0, 1, 0, 1, 2])
PROBABILITIES = np.array([[0.25, 0.75], [0.1, 0.9], [0.2, 0.8], [np.nan, np.nan], [0.01, 0.99]])


def rows_of(rows=(1, 2, 4, 5, 6)):
    examples = LabeledTexts(TEXTS, [""] * 5, rows=rows)
    return prediction_rows(examples, LABELS, PROBABILITIES, NAMES)


def test_a_file_has_a_row_for_each_text(tmp_path):
    path = tmp_path / "p.csv"
    write_predictions(path, rows_of())
    with path.open(newline="") as file:
        head, *found = csv.reader(file)
    assert head == [*("row", "text", "label", "predicted", "probability_negative", "probability_positive")]
    assert [row[0] for row in found] == ["1", "2", "4", "5", "6"]
    assert [row[1] for row in found] == TEXTS
    assert [row[2] for row in found] == ["negative", "positive", "negative", "positive", "neutral"]
    assert [row[3] for row in found] == ["positive", "positive", "positive", "", "positive"]
    assert [row[5] for row in found] == ["0.75", "0.9", "0.8", "", "0.99"]
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]
    with pytest.raises(OutputError, match="No such file"):
        write_predictions(tmp_path / "no" / "p.csv", rows_of())


def test_the_most_confident_errors_are_of_texts_with_a_class():
    errors = confident_errors(rows_of(), NAMES, 5)
    assert json.loads(json.dumps(errors)) == errors  # plain values
    assert [(of["row"], of["probability"]) for of in errors] == [(4, 0.8), (1, 0.75)]
    assert (errors[0]["text"], errors[0]["label"], errors[0]["predicted"]) == (
        'q"x\ny',
        "negative",
        "positive",
    )
    assert confident_errors(rows_of()[3:], NAMES, 5) == []
    examples = LabeledTexts(TEXTS, [""] * 5, rows=range(1, 6))
    names = (*NAMES, "neutral")
    three = prediction_rows(
        examples, LABELS, np.insert(PROBABILITIES, 2, [0, 0, 0, np.nan, 0], axis=1), names
    )
    worst = confident_errors(three, names, 1)[0]  # neutral is a class here
    assert (worst["row"], worst["label"], worst["text"]) == (5, "neutral", "é" * 300)


def test_confused_pairs_are_sorted_and_exclude_right_predictions():
    labels, predicted = np.array([0, 0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 1, 0, 1, 1])
    figures = evaluate(labels, np.eye(3)[predicted], ("a", "b", "c"))
    pairs = [(of["label"], of["predicted"], of["count"]) for of in confused_pairs(figures, 10)]
    assert pairs == [("a", "b", 2), ("c", "b", 2), ("c", "a", 1)]
    assert len(confused_pairs(figures, 2)) == 2


def test_errors_are_in_the_order_of_the_probabilities_of_their_labels():
    names = ("a", "b", "c")
    probabilities = np.array([[0.2, 0.7, 0.1], [0.01, 0.5, 0.49], [0.1, 0.3, 0.6], [0.05, 0.9, 0.05]])
    examples = LabeledTexts(["w", "x", "y", "z"], [""] * 4, rows=range(1, 5))
    rows = prediction_rows(examples, np.array([0, 0, 1, 1]), probabilities, names)
    found = confident_errors(rows, names, 2)
    assert [(of["row"], of["label"], of["predicted"], of["probability"]) for of in found] == [
        (2, "a", "b", 0.5),
        (1, "a", "b", 0.7),
    ]


def test_suspects_are_ranked_by_models_that_have_not_learned_them(tmp_path):
    """The model is sure of what it has learned; those of its cross-validation doubt the second text."""
    texts, names = ["warm and kind", "dull", "new"], ("negative", "positive")
    sure = np.array([[0.01, 0.99], [0.02, 0.98], [0.4, 0.6]])
    rows = prediction_rows(LabeledTexts(texts, [""] * 3, rows=[1, 2, 3]), np.ones(3, int), sure, names)
    unseen = [
        {"row": row, "predicted": name, "probability_negative": low, "probability_positive": 1 - low}
        | {"hash": bytes(key).hex()}
        for row, name, low, key in zip(
            (7, 8), ("positive", "negative"), (0.3, 0.9), hash_texts(["Dull!", "warm  and kind"]), strict=True
        )
    ]
    write_predictions(tmp_path / "validation.csv", unseen)
    content = (tmp_path / "validation.csv").read_bytes()
    bundle = SimpleNamespace(digests={"validation.csv": ""}, read=lambda name: content)
    found = confident_errors(measuring._unseen(bundle, rows), names, 9, errors_only=False)
    shown = [(of["row"], of["predicted"], round(of["label_probability"], 3)) for of in found]
    assert shown == [(1, "negative", 0.1), (3, "positive", 0.6), (2, "positive", 0.7)]
    assert measuring._unseen(SimpleNamespace(digests={}), rows) == rows
