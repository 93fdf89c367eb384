"""The training loop: it learns, it is deterministic, and it continues where it was stopped."""

import math
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples

from sentcli.config import ModelConfig, TrainConfig
from sentcli.errors import StopRequested, TrainingError
from sentcli.model.bilstm import BiLSTM, has_lstm
from sentcli.scoring import stop
from sentcli.text.tokenizer import tokenize
from sentcli.text.vocabulary import UNK_ID, Vocab
from sentcli.training import loop
from sentcli.training.classifier import Classification, measure
from sentcli.training.examples import Examples
from sentcli.training.loop import fit, learning_rate

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


@pytest.fixture
def signals() -> Iterator[None]:
    """Handle signals as the command line does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    stop.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def blur(random: np.random.Generator, ids: np.ndarray) -> np.ndarray:
    """Change a text a little each time that it is learnt from."""
    return np.where(random.random(len(ids)) < 0.05, UNK_ID, ids)


def run(data, path: Path, config: TrainConfig = CONFIG, **options) -> tuple[BiLSTM, list[dict[str, float]]]:
    train, validation, words = data
    torch.manual_seed(7)
    model = BiLSTM(ModelConfig(words, embedding_dim=8, hidden_size=6, dropout=0.2, embedding_dropout=0.2))
    options = {"quiet": True, "vary": blur} | options
    objective = Classification(config, CPU, None)
    return model, fit(model, objective, train, validation, config, CPU, checkpoint=path, **options)


def assert_same(left: tuple[BiLSTM, list], right: tuple[BiLSTM, list]) -> None:
    for name, value in left[0].state_dict().items():
        assert torch.equal(value, right[0].state_dict()[name]), name
    for one, other in zip(left[1], right[1], strict=True):
        keys = one.keys() - TIMES
        assert {key: one[key] for key in keys} == {key: other[key] for key in keys}


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> tuple[BiLSTM, list[dict[str, float]]]:
    return run(data, tmp_path_factory.mktemp("finished") / "checkpoint")


def test_it_learns(data, finished):
    model, history = finished
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert history[-1]["validation_accuracy"] > 0.85
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert not model.training
    assert measure(model, data[1], CPU)[1] > 0.85


def test_the_weights_are_the_average_of_the_best_epoch(data, tmp_path, monkeypatch):
    losses = iter([0.5, 0.2, 0.4])
    seen = []

    def fake(objective, model, examples, device):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(losses), 0.5

    monkeypatch.setattr(Classification, "measure", fake)
    model, _ = run(data, tmp_path / "checkpoint")
    for name, value in model.state_dict().items():
        assert torch.equal(value, seen[1][name]), name
    assert any(not torch.equal(seen[1][name], seen[2][name]) for name in seen[1])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, finished, tmp_path):
    assert_same(finished, run(data, tmp_path / "again"))
    other, _ = run(data, tmp_path / "other", replace(CONFIG, seed=2))
    assert not torch.equal(other.classifier.weight, finished[0].classifier.weight)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    # An epoch has 10 batches and one validation: stop within epochs and at their ends.
    [*((loop, "collate", batch) for batch in (1, 10, 15, 30)), (Classification, "measure", 3)],
)
@pytest.mark.usefixtures("signals")
def test_a_stopped_training_continues_to_the_same_numbers(
    data, finished, tmp_path, monkeypatch, owner, name, call
):
    path, function, calls = tmp_path / "checkpoint", getattr(owner, name), iter(range(1, 1000))

    def stopping(*arguments):
        if next(calls) == call:
            signal.raise_signal(signal.SIGTERM)
        return function(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stopping)
        with pytest.raises(StopRequested) as caught:
            run(data, path)
    assert caught.value.number == signal.SIGTERM
    assert next(calls) == call + 1  # it stopped at once
    stop.install()  # the next process
    assert_same(finished, run(data, path))


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


def test_a_loss_that_is_not_finite_ends_the_training(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Classification, "measure", lambda *_: (math.nan, 0.5))
    with pytest.raises(TrainingError, match="--lr"):
        run(data, tmp_path / "checkpoint")


@pytest.mark.skipif(not has_lstm(torch.bfloat16), reason="no bf16 on this processor")
def test_bf16_trains_too(data, tmp_path):
    model, history = run(data, tmp_path / "checkpoint", replace(CONFIG, precision="bf16"))
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
