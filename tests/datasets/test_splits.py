"""The split: a share of each class in runs of neighboring rows, and copies of a text on one side."""

from collections import Counter

import numpy as np
import pytest

from sentcli.config import DataSet
from sentcli.datasets import splits
from sentcli.datasets.labels import LabeledTexts
from sentcli.datasets.splits import (
    are_learned,
    digest_texts,
    hash_texts,
    normalize_copy,
    split_data_sets,
    train_validation,
    without_validation,
)
from sentcli.errors import DataError, UsageError


def labeled(**sizes):
    labels = [name for name, size in sizes.items() for _ in range(size)]
    return LabeledTexts([f"text {n}" for n in range(len(labels))], labels)


def assert_apart(train, validation):
    assert not {*map(normalize_copy, train.texts)} & {*map(normalize_copy, validation.texts)}


def test_validation_is_a_stratified_share():
    data = labeled(a=100, b=300)
    train, validation = train_validation(data, 0.1)
    assert Counter(validation.labels) == {"a": 10, "b": 30}
    assert sorted(train.texts + validation.texts) == sorted(data.texts)
    for part in (train, validation):
        assert part.texts == [text for text in data.texts if text in {*part.texts}]
    assert train_validation(data, 0.1) == (train, validation)


@pytest.mark.parametrize(("rows", "share", "most"), [(60, 0.05, 3), (400, 0.1, 5), (25_000, 0.1, 10)])
def test_runs_of_neighboring_rows_are_held_out(rows, share, most, monkeypatch):
    """Texts of one source stand side by side."""
    for seed in range(5):
        monkeypatch.setattr(splits, "_SEED", seed)
        _, validation = train_validation(labeled(a=rows), share)
        held_out = np.array([int(text.removeprefix("text ")) for text in validation.texts])
        assert len(held_out) == round(share * rows)
        assert 1 <= 1 + (np.diff(held_out) > 1).sum() <= most


@pytest.mark.parametrize("is_sorted", [True, False])
def test_the_runs_of_two_classes_are_of_the_same_things(is_sorted):
    """Each of 300 products has ten good and ten bad reviews; single rows would leave each on both sides."""
    rows = [(product, label) for product in range(300) for label in ("good", "bad") * 10]
    if is_sorted:
        rows.sort(key=lambda row: row[1])
    data = LabeledTexts(
        [f"{number} of {product}" for number, (product, _) in enumerate(rows)], [label for _, label in rows]
    )
    train, validation = train_validation(data, 0.1)
    products = [{text.split()[-1] for text in part.texts} for part in (train, validation)]
    assert Counter(validation.labels) == {"good": 300, "bad": 300}
    assert len(products[0] & products[1]) <= 20
    assert len(products[1]) <= 50


@pytest.mark.parametrize("share", [0.001, 0.5, 0.9])
def test_each_class_is_in_both_parts(share):
    train, validation = train_validation(labeled(a=1000, b=2, c=1), share)
    assert {*train.labels} == {"a", "b", "c"}
    assert {*validation.labels} == {"a", "b"}


def test_copies_of_a_text_stay_on_one_side():
    texts = [f"Text {n}" for n in range(50)] + [f" text  {n}\n" for n in range(50)]
    train, validation = train_validation(LabeledTexts(texts, ["a", "b"] * 50), 0.2)
    assert_apart(train, validation)
    assert len(train) + len(validation) == 100
    assert 20 <= len(validation) <= 40


def test_a_text_that_is_repeated_often_is_trained_on():
    often = ["good", "Good "] * 50
    texts = [text for number in range(100) for text in (f"text {number}", often[number])]
    data = LabeledTexts(texts, [label for number in range(100) for label in ("ab"[number % 2],) * 2])
    train, validation = train_validation(data, 0.2)
    assert sum(normalize_copy(text) == "good" for text in train.texts) == 100
    assert len(validation) > 0.05 * len(data)
    assert_apart(train, validation)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("x y z", "1.0 2.5 3.7", "no text is left to validate on.* is label_column right"),
        ("a a a a b b b b", "0 0 0 0 1 1 1 1", "or repeats a few.* validation"),
    ],
)
def test_texts_that_cannot_be_split(texts, labels, message):
    with pytest.raises(DataError, match=message):
        train_validation(LabeledTexts(texts.split(), labels.split()), 0.2)


def test_texts_of_a_validation_file_leave_the_training_part(caplog):
    caplog.set_level("INFO", "sentcli")
    data = LabeledTexts(["One", "two", "three"], ["a", "b", "a"], where="r.csv")
    train = without_validation(data, LabeledTexts([" one", "four"], ["a", "a"]))
    assert train.texts == ["two", "three"]
    assert "r.csv: 1 texts are in the validation split too and were removed" in caplog.text


def test_a_share_of_each_validated_data_set_is_held_out_from_all():
    one, two, three = labeled(a=40, b=40), labeled(a=20, b=20), labeled(a=80, b=80)
    two = LabeledTexts([f"other {text}" for text in two.texts], two.labels)
    sets = [DataSet("one"), DataSet("two"), DataSet("three", validate=False)]
    trains, validation = split_data_sets([one, two, three], sets, ("a", "b"), 0.1)
    assert Counter(text.startswith("other") for text in validation.texts) == {False: 8, True: 4}
    assert [len(train) for train in trains] == [72, 36, 152]  # `three` has all texts of `one`
    for train in trains:
        assert_apart(train, validation)
    assert split_data_sets([one, two], sets[:2], ("a", "b"), 0.1)[1] == validation
    with pytest.raises(UsageError, match="all data sets have validate = false; remove it from one"):
        split_data_sets([three], sets[2:], ("a", "b"), 0.1)


def test_the_split_is_the_same_in_every_version():
    """A training that continues splits its data again, and all models are compared on the same texts."""
    draw = np.random.default_rng(1)
    texts = [f"text {number}" for number in range(2400)]
    texts[::50] = ["seen time and again"] * 48
    labels = ["abc"[draw.choice(3, p=(0.6, 0.3, 0.1))] for _ in texts]
    _, validation = train_validation(LabeledTexts(texts, labels), 0.1)
    assert (
        digest_texts(validation.texts) == "6b0f30a024be1c910bc38eabad37f12765155e39784cbb57b68059ab0e99454f"
    )


def test_a_digest_tells_texts_and_their_order_apart():
    parts = (["a", "b"], ["b", "a"], ["ab"], ["\ud800"], ["\ud801"])
    assert len({*map(digest_texts, parts)}) == len(parts)


def test_learned_texts_are_known_by_their_hashes_in_any_case_with_any_blanks_and_final_marks():
    learned = np.unique(hash_texts(["A  joy ", "a joy", "café", "\ud800", "❤️"]))
    assert (learned.dtype.itemsize, len(learned)) == (6, 4)
    assert are_learned(["a joy\n", "A JOY", "CAFÉ", "\ud800", "❤️"], learned).all()
    assert not are_learned(["ajoy", "", "joy a", "!", "a, joy"], learned).any()
    assert are_learned(["a joy.", "“A joy” !! 😀", "Café…"], learned).all()
    assert are_learned([], learned).tolist() == []
