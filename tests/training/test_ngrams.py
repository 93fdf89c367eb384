"""The linear model of n-grams, the baseline of every network."""

import invented
import numpy as np
import pytest

from sentcli.config import TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.training import ngrams
from sentcli.training.corpus import Texts, encode_texts
from sentcli.training.cross_validation import assign_folds
from sentcli.training.ngrams import baseline_probabilities, classify_by_ngrams


def corpus(train, validation, **settings):
    parts = [
        LabeledTexts([text for text, _ in rows], [label for _, label in rows]) for rows in (train, validation)
    ]
    return encode_texts(Texts(*parts, invented.TWO), TextConfig(), TrainConfig(min_freq=1, **settings))


def test_ngrams_learn_from_labels():
    texts = ["it was not good", "it was not bad", "it was bad", "it was good"] * 20
    probabilities = classify_by_ngrams(texts, np.array([0, 1, 0, 1] * 20), [*texts[:4], "unknown", ""], 3)
    assert probabilities.argmax(axis=1)[:4].tolist() == [0, 1, 0, 1]
    assert probabilities[4:, :2] == pytest.approx(np.full((2, 2), 0.5), abs=0.1)
    assert not probabilities[:, 2].any()  # a class without a text


def test_the_baseline_is_measured_on_the_validation_texts(monkeypatch):
    monkeypatch.setattr(ngrams, "_MOST_TEXTS", 80)
    data = corpus(
        [*invented.reviews(100, seed=1), (" ", "positive")], [("", "negative"), *invented.reviews(40, seed=2)]
    )
    found = baseline_probabilities(data, None)
    assert found.shape == (40, 2)
    assert (found.argmax(axis=1) == data.validation.labels).mean() > 0.9


def test_in_a_cross_validation_it_does_not_see_the_texts_of_the_fold():
    data = corpus(invented.reviews(60, seed=1), [], folds=3)
    found = baseline_probabilities(data, assign_folds(data.train, 3))
    assert (found.argmax(axis=1) == data.train.labels).mean() > 0.8
    rows = [("warm", "positive"), ("dull", "negative"), ("clever", "positive"), ("loud", "negative")]
    unseen = baseline_probabilities(corpus(rows, [], folds=2), np.array([0, 1, 0, 1]))
    assert unseen.argmax(axis=1).tolist() == [0, 1, 0, 1]  # each fold learned the other class alone
