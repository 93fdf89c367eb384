"""Settings that the data decides: sensible from a handful of texts to millions."""

import logging

import pytest

from sentcli.config import TrainConfig
from sentcli.training.defaults import AUTO, DataSize, settle


def settled(texts: int, words_each: int = 234, **explicit) -> TrainConfig:
    auto = [name for name in AUTO if name not in explicit]
    size = DataSize(texts, texts * words_each, classes=2, rarest=texts // 2)
    return settle(TrainConfig(**explicit), auto, size)


def steps(texts: int, config: TrainConfig) -> int:
    return config.epochs * -(-int(texts * (1 - config.validation_share)) // config.batch_size)


def test_for_imdb_they_are_the_usual_ones() -> None:
    assert settled(25_000) == TrainConfig()
    assert settled(24_000, 245) == TrainConfig()


@pytest.mark.parametrize("texts", [2, 10, 100, 1000, 25_000, 10**6, 10**8])
@pytest.mark.parametrize("words", [1, 234, 200_000])
def test_every_size_has_settings(texts, words) -> None:
    config = settled(texts, words)
    assert 1 <= config.epochs <= 60
    assert 8 <= config.batch_size <= 64


def test_few_texts_are_seen_often_in_small_batches() -> None:
    few = settled(100)
    assert steps(100, few) > 400
    assert few.min_freq == 1
    assert few.validation_share == 0.2


def test_many_texts_are_seen_once() -> None:
    many = settled(1_000_000)
    assert many.epochs == 1
    assert many.min_freq > 20
    assert many.validation_share == 0.01  # 10,000 texts measure an accuracy well enough


@pytest.mark.parametrize("texts", [300, 1000, 3000, 5000, 10_000, 25_000])
def test_a_run_has_about_a_thousand_steps(texts) -> None:
    assert 700 < steps(texts, settled(texts)) < 1600


def test_more_texts_never_mean_more_passes() -> None:
    epochs = [settled(texts).epochs for texts in (10, 100, 300, 1000, 25_000, 100_000, 1_000_000)]
    assert epochs == sorted(epochs, reverse=True)


def test_the_rarest_words_are_kept_where_there_are_few() -> None:
    assert settled(25_000, 1).min_freq == 1
    assert settled(100, 200_000).min_freq > 5


@pytest.mark.parametrize(
    ("classes", "rarest", "chosen"),
    [
        (2, 12, "balanced"),
        (2, 13, "none"),
        (5, 4, "balanced"),
        (5, 5, "none"),
        (50, 1, "none"),
        (3, 1, "none"),
    ],
)
def test_a_rare_class_gets_the_same_say_as_the_others(classes, rarest, chosen) -> None:
    size = DataSize(100, 23_400, classes, rarest)
    assert settle(TrainConfig(), AUTO, size).class_weight == chosen
    assert settle(TrainConfig(class_weight="none"), [], size).class_weight == "none"


def test_what_is_given_stays() -> None:
    explicit = {"epochs": 2, "batch_size": 7, "min_freq": 9, "validation_share": 0.3, "class_weight": "none"}
    assert settled(100, **explicit) == TrainConfig(**explicit)
    assert settled(100, epochs=2).batch_size == 8


def test_the_choice_is_told_with_its_reason(caplog) -> None:
    caplog.set_level(logging.INFO, "sentcli")
    settled(100, epochs=2)
    (message,) = caplog.messages
    assert message.startswith("chosen for 100 texts of 23,400 words, 50 or more of each of 2 classes: ")
    assert "batch-size 8, min-freq 1" in message
    assert "epochs" not in message
    caplog.clear()
    settled(100, **{name: getattr(TrainConfig(), name) for name in AUTO})
    assert caplog.messages == []


def test_the_size_is_counted() -> None:
    size = DataSize.of(["a b c", "d", "e f"], ["x", "y", "x"])
    assert size == DataSize(texts=3, words=6, classes=2, rarest=1)
