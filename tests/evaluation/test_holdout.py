"""What is held out: a share of each class, and of one thing all texts or none."""

import logging
import os

import numpy as np
import pytest

from sentcli.errors import DataError, UsageError
from sentcli.evaluation.datasets import load_split
from sentcli.evaluation.holdout import digest_texts, one_spelling, train_validation
from sentcli.evaluation.labels import LabeledTexts


def labeled(**sizes: int) -> LabeledTexts:
    labels = [name for name, size in sizes.items() for _ in range(size)]
    return LabeledTexts([f"text {n}" for n in range(len(labels))], labels)


def test_validation_is_a_stratified_share() -> None:
    data = labeled(a=100, b=300)
    train, validation = train_validation(data, 0.1, seed=1)
    assert (validation.labels.count("a"), validation.labels.count("b")) == (10, 30)
    assert sorted(train.texts + validation.texts) == sorted(data.texts)
    assert validation.texts == [text for text in data.texts if text in set(validation.texts)]
    assert train_validation(data, 0.1, seed=1) == (train, validation)
    assert train_validation(data, 0.1, seed=2)[1] != validation


@pytest.mark.parametrize(("rows", "share", "most"), [(60, 0.05, 3), (400, 0.1, 5), (25_000, 0.1, 10)])
def test_neighbouring_rows_are_held_out_together(rows: int, share: float, most: int) -> None:
    """Or else texts of one source, which stand side by side, would be on both sides."""
    data = labeled(a=rows)
    for seed in range(5):
        _, validation = train_validation(data, share, seed)
        held_out = np.array([int(text.removeprefix("text ")) for text in validation.texts])
        assert len(held_out) == round(share * rows)
        assert 1 <= 1 + (np.diff(held_out) > 1).sum() <= most


@pytest.mark.parametrize("share", [0.001, 0.5, 0.9])
def test_each_class_is_in_both_parts(share: float) -> None:
    train, validation = train_validation(labeled(a=1000, b=2, c=1), share, seed=3)
    assert set(train.labels) == {"a", "b", "c"}
    assert set(validation.labels) == {"a", "b"}


def test_equal_texts_leave_the_training_part(caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"text {n % 50}" for n in range(100)]
    data = LabeledTexts(texts, ["a", "b"] * 50)
    with caplog.at_level(logging.INFO, "sentcli"):
        train, validation = train_validation(data, 0.2, seed=1)
    assert len(validation) == 20
    assert not set(train.texts) & set(validation.texts)
    removed = 100 - len(train) - len(validation)
    assert removed > 0
    assert f"{removed} texts occur in the validation part too" in caplog.text


def test_copies_that_differ_by_blanks_or_case_leave_the_training_part() -> None:
    texts = [f"Text {n}" for n in range(50)] + [f" text  {n}\n" for n in range(50)]
    train, validation = train_validation(LabeledTexts(texts, ["a", "b"] * 50), 0.2, seed=1)
    assert not {*map(one_spelling, train.texts)} & {*map(one_spelling, validation.texts)}
    assert len(train) < 80


def test_of_a_class_of_one_text_in_many_spellings_some_is_held_out_and_some_learnt() -> None:
    """As letter for letter: what its copies are called does not end a training."""
    spelled = ["good", "Good", "GOOD ", " good"] * 30
    texts = [text for number in range(120) for text in (f"text {number}", spelled[number])]
    train, validation = train_validation(LabeledTexts(texts, ["a", "b"] * 120), 0.2, seed=1)
    assert sum(map(spelled.__contains__, train.texts)) == 120
    assert len(validation) > 10


def test_a_text_that_is_repeated_often_is_learnt() -> None:
    """Its copies are everywhere: were those to be learnt left out for those held out, it would be unknown."""
    often = ["good", "bad"] * 50
    texts = [text for number in range(100) for text in (f"text {number}", often[number])]
    data = LabeledTexts(texts, [label for number in range(100) for label in ("ab"[number % 2],) * 2])
    train, validation = train_validation(data, 0.2, seed=1)
    assert (train.texts.count("good"), train.texts.count("bad")) == (50, 50)
    assert len(validation) > 0.05 * len(data)
    assert not set(train.texts) & set(validation.texts)


def test_of_a_class_of_few_texts_the_rarest_is_held_out() -> None:
    texts = [*(["good"] * 40), *(["fine"] * 30), *(["bad"] * 30), *(["poor"] * 40)]
    train, validation = train_validation(LabeledTexts(texts, ["a"] * 70 + ["b"] * 70), 0.1, seed=1)
    assert set(validation.texts) == {"fine", "bad"}
    assert set(train.texts) == {"good", "poor"}


def test_classes_of_one_text_each_cannot_be_split() -> None:
    with pytest.raises(DataError, match="none can be held out; is --label-column right"):
        train_validation(LabeledTexts(["x", "y", "z"], ["1.0", "2.5", "3.7"]), 0.1, seed=1)


def test_a_class_of_equal_texts_cannot_be_split() -> None:
    data = LabeledTexts(["same", "same", "x", "y"], ["a", "a", "b", "b"])
    with pytest.raises(DataError, match="no text of the class 'a' is left to train on"):
        train_validation(data, 0.5, seed=1)


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_validation_share_out_of_range(share: float) -> None:
    with pytest.raises(UsageError, match="--validation-share"):
        train_validation(labeled(a=4, b=4), share, seed=1)


def reviews_of_films(*, shuffled: bool) -> tuple[LabeledTexts, list[int]]:
    """Good reviews of 250 films and bad ones of 300, sorted by class and film; 90 films have both.

    :param shuffled: the bad ones in no order.
    :returns: also the film of each review.
    """
    good = [film for film in range(250) for _ in range(12)]
    bad = [film for film in range(160, 460) for _ in range(10)]
    if shuffled:
        np.random.default_rng(1).shuffle(bad)
    films = [*good, *bad]
    names = [f"hero{film} villain{film} place{film} director{film}" for film in films]
    texts = [f"a film of its kind, number {row}, with {names[row]}" for row in range(len(films))]
    return LabeledTexts(texts, ["good"] * len(good) + ["bad"] * len(bad)), films


def films_on_both_sides(data: LabeledTexts, films: list[int], validation: LabeledTexts) -> float:
    """Give the share of the held out reviews of one class whose film has reviews of the other left."""
    held_out = set(validation.texts)
    left = {
        (film, label)
        for text, film, label in zip(data.texts, films, data.labels, strict=True)
        if text not in held_out
    }
    of = dict(zip(data.texts, films, strict=True))
    other = {"good": "bad", "bad": "good"}
    known = [
        (of[text], other[label]) in left
        for text, label in zip(validation.texts, validation.labels, strict=True)
    ]
    return sum(known) / len(known)


def test_texts_of_other_classes_about_the_same_things_are_held_out_too() -> None:
    data, films = reviews_of_films(shuffled=False)
    shares = []
    for seed in range(10):
        _, validation = train_validation(data, 0.1, seed)
        assert (validation.labels.count("good"), validation.labels.count("bad")) == (300, 300)
        shares.append(films_on_both_sides(data, films, validation))
    assert np.mean(shares) < 0.1  # by class alone 0.24


def test_they_are_held_out_by_class_alone_where_they_stand_in_no_order() -> None:
    data, _ = reviews_of_films(shuffled=True)
    _, validation = train_validation(data, 0.1, 1)
    assert (validation.labels.count("good"), validation.labels.count("bad")) == (300, 300)


def test_the_same_texts_are_held_out_in_every_version() -> None:
    """A model knows those of its training by their digest alone: `evaluate --held-out` chooses them anew."""
    draw = np.random.default_rng(1)
    texts, labels = [], []
    for number in range(2400):  # eight in a row about one thing, of whose six names each has some
        names = draw.permutation(6)[: draw.integers(2, 6)]
        texts.append(f"text {number} of " + " ".join(f"{name}of{number // 8}" for name in names))
        labels.append("abc"[draw.choice(3, p=(0.6, 0.3, 0.1))])
    texts[::50] = ["seen time and again"] * 48
    _, validation = train_validation(LabeledTexts(texts, labels), 0.1)
    assert (
        digest_texts(validation.texts) == "30e6590ec66eb6ba45129ee4b795553fbdd9ef996d96e265ac2ee4bfe066a1d5"
    )


@pytest.mark.slow
@pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb")
def test_imdb() -> None:
    data = load_split(os.environ["SENTCLI_IMDB"], "train", None, None)
    train, validation = train_validation(data, 0.1, seed=1)
    assert validation.labels.count("positive") == validation.labels.count("negative") == 1250
    assert 22_300 < len(train) < 22_500


def test_a_digest_tells_texts_and_their_order_apart():
    assert digest_texts(["a", "b"]) == digest_texts(iter(["a", "b"]))
    assert digest_texts(["a", "b"]) != digest_texts(["b", "a"])
    assert digest_texts(["a", "b"]) != digest_texts(["ab"])
    assert digest_texts(["\ud800"]) != digest_texts(["\ud801"])
