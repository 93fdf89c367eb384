"""The linear model of n-grams, the baseline of every network."""

from dataclasses import replace

import invented
import numpy as np
import pytest
import torch
from tiny_models import make_model

from sentcli.config import TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.text.tokenizer import PAD, PAD_ID, UNK, Vocab
from sentcli.training import ngrams
from sentcli.training.classifier import predict_logits
from sentcli.training.corpus import Texts, encode_texts
from sentcli.training.ngrams import add_linear, draw_labeled, fit_linear

PAIRS = ("not good", "good not", "not not")
ALTERNATE = [(np.array([1, 3]), np.array([0, 2])), (np.array([0, 2]), np.array([1, 3]))]


def corpus(train, validation, **settings):
    parts = [
        LabeledTexts([text for text, _ in rows], [label for _, label in rows]) for rows in (train, validation)
    ]
    return encode_texts(Texts(*parts, invented.TWO), TextConfig(), TrainConfig(min_freq=1, **settings))


# The n-grams in the logits of a network


def pairs_decide(count):
    """Texts, no two the same, that have the words of both classes."""
    pairs = ("not good", "negative"), ("good not", "positive")
    return [(f"film {pairs[row % 2][0]} number {row}", pairs[row % 2][1]) for row in range(count)]


def ids(data):
    """Each id counts for itself."""
    return np.arange(len(data.vocab))


def add_ngrams(network, data, logits):
    """Fit linear members and add them to a network."""
    return add_linear(network, fit_linear(data, ids(data), {}), data, logits)


def network_of(data, classes=2):
    return make_model(vocab_size=len(data.vocab), num_classes=classes)


@pytest.mark.parametrize("has_folds", [False, True])
def test_a_pair_of_words_gets_its_weights(has_folds, caplog):
    data = corpus(pairs_decide(80), [] if has_folds else pairs_decide(40), folds=3 * has_folds)
    network = network_of(data)
    logits = predict_logits(network, data.validation, torch.device("cpu")).astype(np.float64)
    with caplog.at_level("INFO"):
        mixed, figures = add_ngrams(network, data, logits)
    assert figures["share"] >= 0.5
    assert figures["accuracy_after"] > 0.9 > 0.7 > figures["accuracy_before"]
    assert "linear members have a share of" in caplog.text
    assert (mixed.argmax(axis=1) == data.validation.labels).mean() == figures["accuracy_after"]
    found = predict_logits(network, data.validation, torch.device("cpu"))
    assert has_folds or np.abs(found - mixed).max() < 1e-4  # a fold learned from fewer texts
    assert network.config.ngram_buckets
    again = network_of(data)
    add_ngrams(again, data, logits)
    assert all(torch.equal(*both) for both in zip(network.parameters(), again.parameters(), strict=True))


def test_a_gain_within_the_noise_adds_nothing():
    data = corpus(pairs_decide(60), pairs_decide(30))
    logits = 8.0 * np.eye(2)[data.validation.labels]
    network = network_of(data)
    found, figures = add_ngrams(network, data, logits)
    assert (found is logits, figures, network.ngrams, network.config.ngram_buckets) == (True, {}, None, 0)


def test_a_fold_without_a_class_knows_nothing_about_it():
    rows = [("warm", "positive"), ("dull", "negative")] * 2
    data = replace(corpus(rows, rows), folds=ALTERNATE)
    _, figures = add_ngrams(network_of(data), data, np.full((4, 2), 1e-9))
    assert figures == {}


def test_three_classes_get_their_pairs():
    texts = [(f"film {pair} number {row}", str(row % 3)) for row in range(90) for pair in [PAIRS[row % 3]]]
    parts = [LabeledTexts(*map(list, zip(*rows, strict=True))) for rows in (texts[:60], texts[60:])]
    data = encode_texts(Texts(*parts, ("0", "1", "2")), TextConfig(), TrainConfig(min_freq=1))
    network = network_of(data, 3)
    mixed, figures = add_ngrams(network, data, np.full((30, 3), 1e-9))
    assert figures["accuracy_after"] > 0.9
    found = predict_logits(network, data.validation, torch.device("cpu"))
    plain = network_of(data, 3)
    for parameter in plain.classifier.parameters():
        parameter.data.mul_(1 - figures["share"])
    assert np.abs(found - predict_logits(plain, data.validation, torch.device("cpu")) - mixed).max() < 1e-4


def test_many_tokens_get_many_buckets(monkeypatch):
    monkeypatch.setattr(ngrams, "_MANY_TOKENS", 100)
    data = corpus(pairs_decide(80), pairs_decide(40))
    network = network_of(data)
    add_ngrams(network, data, np.full((40, 2), 1e-9))
    assert network.config.ngram_buckets == 262_139


def test_large_data_sets_are_sampled():
    data = corpus(pairs_decide(80), pairs_decide(2))
    data = replace(data, texts=replace(data.texts, counts=(4, 60, 16)))
    assert np.bincount(data.data_sets[draw_labeled(data, np.arange(80), 25)]).tolist() == [4, 11, 10]
    assert draw_labeled(data, np.arange(20), 25).tolist() == [*range(20)]


def test_the_share_is_that_of_the_mean_data_set():
    """The network is right in a large data set, n-grams in a small one."""
    labels, is_small = np.arange(1100) % 2, np.arange(1100) >= 1000
    sides, zero = 2.0 * labels - 1, np.zeros(1100)
    network = np.stack([zero, np.where(is_small, zero, 4 * sides)], axis=1)
    of_ngrams = np.stack([zero, np.where(is_small, 4, -2) * sides], axis=1)
    weights = np.where(is_small, 5.5, 0.55)
    for importance, is_added in ((np.ones(1100), False), (weights, True)):
        gains, _ = ngrams.gains_of(labels, network, of_ngrams, importance)
        assert bool(ngrams.best_share(gains, is_sure=True)) == is_added


def test_words_that_no_text_has_get_weights_from_their_features():
    rows = [(f"{word} {row}", label) for row in range(20) for word, label in (("warm", "1"), ("dull", "0"))]
    vocab = Vocab([PAD, UNK, "warm", "dull", "warmth", *map(str, range(20))])
    part = LabeledTexts(*map(list, zip(*rows, strict=True)))
    texts = Texts(part, part, ("0", "1"))
    data = encode_texts(texts, TextConfig(), TrainConfig(min_freq=1), vocab)
    vectors = np.zeros((len(vocab), 2))
    vectors[[2, 3, 4]] = (1, 0), (-1, 0), (1, 0)
    features = ngrams.token_features(data, vectors)
    tables = ngrams.learn_tables(data, np.arange(40), 101, ids(data), [*features.values()])
    of_ngrams, of_characters, of_vectors = (table[4, 0] for table in tables)
    assert (of_ngrams, of_characters > 0.1, of_vectors > 0.1) == (0, True, True)
    assert all(np.array_equal(table[:, 1], tables[0][:, 1]) for table in tables)
    assert ngrams.learn_tables(data, np.arange(40), 101, ids(data))[0][4, 1] == 0
    assert not any(table[PAD_ID].any() for table in tables)


def test_figures_of_a_mix_are_no_better_than_chance_on_random_labels():
    random, rows = np.random.default_rng(1), pairs_decide(40)
    data = corpus(rows, rows)
    accuracies = []
    for _ in range(200):
        data.validation.targets[:] = np.eye(2)[random.integers(0, 2, 40)]
        mixed, _, _ = ngrams.mix(data, *random.normal(size=(2, 40, 2)))
        accuracies.append(ngrams.accuracy_of(mixed, data))
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.015)  # 0.53 with shares chosen on the same texts
