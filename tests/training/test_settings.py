"""The settings that the data decides: sensible from a handful of texts to millions."""

import logging
from dataclasses import fields

import pytest

from sentcli.config import DataSet, TrainConfig
from sentcli.errors import UsageError
from sentcli.training.corpus import DataSource
from sentcli.training.settings import DataSize, choices, resolve_settings

SOURCE = DataSource((DataSet("reviews.csv"),))


def chosen(texts: int, words: int, classes: int = 2, splittable: int | None = None, **given) -> TrainConfig:
    size = DataSize(texts, words, classes, texts if splittable is None else splittable)
    return resolve_settings(SOURCE, given, size=size).config


def for_texts(texts: int, words_each: int = 234, **given) -> TrainConfig:
    return chosen(texts, texts * words_each, **given)


def steps(texts: int, config: TrainConfig) -> int:
    return config.epochs * -(-int(texts * (1 - config.validation_share)) // config.batch_size)


def test_for_imdb_they_are_the_defaults() -> None:
    assert for_texts(25_000) == for_texts(24_000, 245) == TrainConfig(patience=2, fill_vocab=30_000)


@pytest.mark.parametrize("texts", [2, 10, 100, 1000, 25_000, 10**6, 10**8])
@pytest.mark.parametrize("words", [1, 234, 200_000])
def test_every_size_has_settings(texts, words) -> None:
    config = for_texts(texts, words)
    assert 1 <= config.epochs <= 60
    assert 8 <= config.batch_size <= 64


@pytest.mark.parametrize("texts", [300, 1000, 3000, 5000, 10_000, 25_000])
def test_a_training_has_about_a_thousand_steps(texts) -> None:
    assert 700 < steps(texts, for_texts(texts)) < 1600


def test_few_texts_are_seen_often_and_many_once() -> None:
    few, many = for_texts(100), for_texts(1_000_000)
    assert steps(100, few) > 400
    assert (few.min_freq, few.validation_share) == (1, 0.2)
    assert many.epochs == 1
    assert many.min_freq > 20
    assert many.validation_share == 0.01  # 10,000 texts measure an accuracy well enough
    epochs = [for_texts(texts).epochs for texts in (10, 100, 300, 1000, 25_000, 100_000, 1_000_000)]
    assert epochs == sorted(epochs, reverse=True)


def test_many_classes_are_seen_more_often() -> None:
    epochs = [chosen(10_000, 100_000, classes).epochs for classes in (2, 4, 8, 77)]
    assert epochs == [5, 9, 14, 14]


def test_few_texts_are_cross_validated() -> None:
    assert [for_texts(texts).folds for texts in (9, 10, 999, 1000)] == [0, 3, 3, 0]


def test_texts_with_a_rare_label_are_cross_validated() -> None:
    def folds(texts, rarest, classes=2, **how) -> int:
        return choices(DataSize(texts, 12 * texts, classes, texts, rarest), **how)["folds"]

    assert folds(3000, 54) == folds(3000, 199) == 3
    assert folds(3000, 200) == folds(3000, 0) == folds(30_000, 54) == 0
    assert folds(1100, 120) == folds(3000, 54, 6) == folds(3000, 54, finetunes=True) == 0


def test_training_is_stopped_early_unless_the_epochs_are_given() -> None:
    assert [for_texts(texts).patience for texts in (100, 1000, 25_000)] == [4, 2, 2]
    planned = for_texts(100, epochs=30)
    assert (planned.patience, planned.folds, planned.batch_size) == (0, 0, 8)


def test_a_cross_validation_needs_texts_that_may_all_be_validated_on() -> None:
    assert for_texts(100, splittable=90).folds == 0
    assert for_texts(100, validation_share=0.3).folds == 0
    assert for_texts(100, interpolate=0.5).folds == 0
    assert for_texts(100, splittable=0).validation_share == TrainConfig().validation_share
    assert for_texts(100_000, splittable=1000).validation_share == for_texts(1000).validation_share


def test_given_settings_stay_and_the_choice_is_logged(caplog) -> None:
    caplog.set_level(logging.INFO, "sentcli")
    assert for_texts(100, epochs=2, lr=None).batch_size == 8
    (message,) = caplog.messages
    assert "batch-size 8, min-freq 1" in message
    assert "epochs" not in message
    caplog.clear()
    given = {"epochs": 2, "batch_size": 7, "min_freq": 9, "validation_share": 0.3}
    given |= {"patience": 1, "folds": 3, "adversarial": 0.5, "fill_vocab": 9}
    assert for_texts(100, **given) == TrainConfig(**given)
    assert caplog.messages == []


def test_the_settings_that_data_decide_are_marked_so() -> None:
    marked = {setting.name for setting in fields(TrainConfig) if setting.metadata.get("auto")}
    assert choices(DataSize(100, 100, 2, 100)).keys() == marked


def test_a_vocabulary_without_vectors_is_not_filled() -> None:
    source = DataSource((DataSet("reviews.csv"),), "none")
    assert resolve_settings(source, {}, size=DataSize(1, 9, 2, 1)).config.fill_vocab == 0


def test_names_may_be_spelled_as_in_files_of_settings() -> None:
    assert resolve_settings(SOURCE, {"batch-size": 4}).config.batch_size == 4


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown setting 'hidden'"):
        resolve_settings(SOURCE, {"hidden": 9})
