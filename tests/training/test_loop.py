"""The training loop: it learns, it is deterministic, and it continues where it was stopped."""

import copy
import math
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples
from tiny_models import has_bf16

from sentcli.config import ModelConfig, TrainConfig
from sentcli.errors import TrainingError
from sentcli.model.bilstm import BiLSTM
from sentcli.text.tokenizer import UNK_ID, Vocab, tokenize
from sentcli.training import checkpoint, classifier, loop
from sentcli.training.classifier import loss_and_accuracy, predict_logits
from sentcli.training.corpus import Examples
from sentcli.training.loop import Run, fit, learning_rate

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=3, batch_size=16, lr=0.08, ema_decay=0.9, word_dropout=0.1, precision="fp32")
TIMES = {"seconds", "words_per_second"}


@pytest.fixture(scope="module")
def data() -> tuple[Examples, Examples, int]:
    made = invented.reviews(200, seed=5)
    tokens = [tokenize(text) for text, _ in made]
    vocab = Vocab.of_counts(Counter(chain.from_iterable(tokens)), min_freq=1)
    labels = np.array([invented.TWO.index(label) for _, label in made])
    ids = [vocab.encode(words) for words in tokens]
    train = labeled_examples(ids[:150], labels[:150], 2)
    return train, labeled_examples(ids[150:], labels[150:], 2), len(vocab)


def blur(random: np.random.Generator, ids: np.ndarray) -> np.ndarray:
    """Change a text a little each time that it is learned from."""
    return np.where(random.random(len(ids)) < 0.05, UNK_ID, ids)


def run(
    data, path: Path, config: TrainConfig = CONFIG, validate=None, **options
) -> tuple[BiLSTM, list[dict[str, float]]]:
    train, validation, words = data
    torch.manual_seed(7)
    model = BiLSTM(ModelConfig(words, embedding_dim=8, hidden_size=6, dropout=0.2, embedding_dropout=0.2))

    def measured(model):
        return loss_and_accuracy(predict_logits(model, validation, CPU), validation)

    how = Run(CPU, path, **{"quiet": True, "vary": blur} | options)
    return model, fit(model, train, validate or measured, config, how)


def assert_same(left: tuple[BiLSTM, list], right: tuple[BiLSTM, list]) -> None:
    for name, value in left[0].state_dict().items():
        assert torch.equal(value, right[0].state_dict()[name]), name
    for one, other in zip(left[1], right[1], strict=True):
        keys = one.keys() - TIMES
        assert {key: one[key] for key in keys} == {key: other[key] for key in keys}


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> tuple[BiLSTM, list[dict[str, float]]]:
    return run(data, tmp_path_factory.mktemp("finished") / "checkpoint")


def test_a_file_beside_the_checkpoint_grows_by_the_epoch(data, tmp_path):
    seen = []

    def watch(model):
        path = tmp_path / "history.csv"
        seen.append(len(path.read_text().splitlines()) - 1 if path.exists() else 0)
        return 0.5, 0.5

    _, history = run(data, tmp_path / "checkpoint", validate=watch)
    assert seen == [0, 1, 2]
    assert (tmp_path / "history.csv").read_text().startswith(",".join(history[0]))


def test_it_learns(data, finished):
    model, history = finished
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert history[-1]["validation_accuracy"] > 0.85
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert not model.training
    assert loss_and_accuracy(predict_logits(model, data[1], CPU), data[1])[1] > 0.85


def test_the_weights_are_the_average_of_the_best_epoch(data, tmp_path):
    losses = iter([0.5, 0.2, 0.4])
    seen = []

    def fake(model):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(losses), 0.5

    model, _ = run(data, tmp_path / "checkpoint", validate=fake)
    for name, value in model.state_dict().items():
        assert torch.equal(value, seen[1][name]), name
    assert any(not torch.equal(seen[1][name], seen[2][name]) for name in seen[1])


def test_a_time_limit_ends_an_epoch_and_the_training(data, tmp_path, caplog, monkeypatch):
    with caplog.at_level("INFO"):
        model, history = run(data, tmp_path / "checkpoint", ends=0)
    assert "epoch 1/3: the time limit ends the training; its best state counts" in caplog.text
    assert len(history) == 1
    monkeypatch.setattr(loop.Learner, "step", None)  # the same command does not go on
    assert_same((model, history), run(data, tmp_path / "checkpoint"))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, finished, tmp_path):
    assert_same(finished, run(data, tmp_path / "again"))
    other, _ = run(data, tmp_path / "other", replace(CONFIG, seed=2))
    assert not torch.equal(other.classifier.weight, finished[0].classifier.weight)


def test_each_batch_of_each_epoch_is_varied_by_random_numbers_of_its_own(data, tmp_path):
    drawn = []

    def note(random, ids):
        drawn.append(random.random())
        return ids

    run(data, tmp_path / "checkpoint", vary=note)
    assert len(drawn) == len({*drawn}) == 3 * len(data[0])


def test_a_finished_training_is_not_done_again(data, finished, tmp_path, monkeypatch):
    run(data, tmp_path / "checkpoint")
    monkeypatch.setattr(loop.Learner, "step", None)
    assert_same(finished, run(data, tmp_path / "checkpoint"))


def test_a_loss_that_is_not_finite_ends_the_training(data, tmp_path):
    with pytest.raises(TrainingError, match="try a lower lr"):
        run(data, tmp_path / "checkpoint", validate=lambda *_: (math.nan, 0.5))


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([0.5, 0.4, 0.6, 0.6, 0.3, 0.2], 2, 4),
        ([0.5, 0.4, 0.6, 0.4, 0.3, 0.2], 3, 6),
        ([0.5, 0.6, 0.4, 0.3, 0.2, 0.1], 1, 2),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 0, 6),
    ],
)
def test_it_stops_after_some_epochs_without_a_lower_loss(data, tmp_path, losses, patience, epochs):
    config = replace(CONFIG, epochs=6, patience=patience)
    coming = iter(losses)
    for _ in range(2):  # a finished training is loaded
        _, history = run(data, tmp_path / "checkpoint", config, validate=lambda _: (next(coming), 0.5))
        assert [record["validation_loss"] for record in history] == losses[:epochs]


def test_a_part_of_the_epochs_has_the_learning_rates_of_all(data, tmp_path):
    model, part = run(data, tmp_path / "part", known=[(0.4, 0.5), (0.3, 0.6)])
    weights, rates = [], [record["lr"] for record in part]

    def watch(model):
        weights.append(copy.deepcopy(model.state_dict()))
        return 0.5, 0.5

    _, whole = run(data, tmp_path / "whole", validate=watch)
    assert rates == [record["lr"] for record in whole[:2]]
    assert [(record["validation_loss"], record["validation_accuracy"]) for record in part] == [
        (0.4, 0.5),
        (0.3, 0.6),
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in model.state_dict().items())


def test_a_killed_training_continues_from_its_last_checkpoint(data, finished, tmp_path, monkeypatch):
    """Checkpoints come with time, also within an epoch."""
    path, step, steps = tmp_path / "checkpoint", loop.Learner.step, iter(range(1000))

    def killed(*arguments):
        if next(steps) == 17:
            raise KeyboardInterrupt
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_SAVE_SECONDS", 0)
        patch.setattr(loop.Learner, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(data, path)
        assert path.exists()
    assert_same(finished, run(data, path))


@pytest.mark.skipif(not has_bf16(), reason="no bf16 on this processor")
def test_bf16_trains_too(data, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "uses_bf16", lambda *_: True)
    model, history = run(data, tmp_path / "checkpoint")
    assert history[-1]["validation_accuracy"] > 0.85
    assert model.classifier.weight.dtype == torch.float32


def test_the_learning_rate_rises_and_falls():
    config = TrainConfig(lr=0.1, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] == pytest.approx(0.1 / 11)
    assert rates[10] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert 0.001 <= rates[99] < 0.0012
    assert learning_rate(0, 1, TrainConfig(lr=0.1, warmup=0)) == pytest.approx(0.1)
