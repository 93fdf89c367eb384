"""The training loop: it learns, it repeats itself, and it goes on where it was stopped."""

import io
import logging
import math
import os
import re
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples
from safetensors import safe_open
from tqdm import tqdm

from sentcli.config import ModelConfig, TrainConfig
from sentcli.errors import STOP_SIGNALS, DataError, InterruptedRunError, TrainingError
from sentcli.model.bilstm import BiLSTM, has_lstm
from sentcli.text.tokenizer import tokenize
from sentcli.text.vocabulary import UNK_ID, Vocab
from sentcli.training import loop
from sentcli.training.examples import Examples, epoch_batches
from sentcli.training.loop import fit, learning_rate
from sentcli.training.step import ClassifierTrainer, drop_words, measure

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=3, batch_size=16, lr=0.08, average=0.9, word_dropout=0.1, precision="fp32")
TIMES = {"seconds", "words_per_second"}


@pytest.fixture(scope="module")
def data() -> tuple[Examples, Examples, int]:
    made = invented.reviews(200, seed=5)
    tokens = [tokenize(text) for text, _ in made]
    vocab = Vocab.build(tokens, min_freq=1)
    labels = np.array([invented.TWO.index(label) for _, label in made])
    ids = [vocab.encode(words) for words in tokens]
    train = labeled_examples(ids[:150], labels[:150], 2)
    return train, labeled_examples(ids[150:], labels[150:], 2), len(vocab)


def blur(random: np.random.Generator, ids: np.ndarray) -> np.ndarray:
    """Read a text a little otherwise each time that it is learnt from."""
    return np.where(random.random(len(ids)) < 0.05, UNK_ID, ids)


def run(data, path: Path, config: TrainConfig = CONFIG, **options) -> tuple[BiLSTM, list[dict[str, float]]]:
    train, validation, words = data
    torch.manual_seed(7)
    model = BiLSTM(ModelConfig(words, embedding_dim=8, hidden_size=6, dropout=0.2, embedding_dropout=0.2))
    options = {"fingerprint": {"data": "invented"}, "quiet": True, "vary": blur} | options
    history = fit(
        ClassifierTrainer(model, config, CPU), train, validation, config, checkpoint=path, **options
    )
    return model, history


def assert_same(left: tuple[BiLSTM, list], right: tuple[BiLSTM, list]) -> None:
    for name, value in left[0].state_dict().items():
        assert torch.equal(value, right[0].state_dict()[name]), name
    for one, other in zip(left[1], right[1], strict=True):
        assert {key: one[key] for key in one.keys() - TIMES} == {
            key: other[key] for key in other.keys() - TIMES
        }


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


def test_the_best_epoch_is_what_is_left(data, tmp_path, monkeypatch):
    losses = iter([0.5, 0.2, 0.4])
    seen = []

    def fake(trainer, examples):
        weights = trainer.averaged.module.state_dict()
        seen.append({name: value.clone() for name, value in weights.items()})
        return next(losses), 0.5

    monkeypatch.setattr(ClassifierTrainer, "measure", fake)
    model, _ = run(data, tmp_path / "checkpoint")
    for name, value in model.state_dict().items():
        assert torch.equal(value, seen[1][name]), name
    assert any(not torch.equal(seen[1][name], seen[2][name]) for name in seen[1])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, finished, tmp_path):
    assert_same(finished, run(data, tmp_path / "again"))
    other, _ = run(data, tmp_path / "other", replace(CONFIG, seed=2))
    assert not torch.equal(other.classifier.weight, finished[0].classifier.weight)


@pytest.mark.parametrize("batch", [1, 4, 10, 15, 29])  # of 10 an epoch: within epochs and at their ends
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(
    data, finished, tmp_path, monkeypatch, batch, number
):
    path = tmp_path / "checkpoint"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        calls = iter(range(1, 1000))
        collate = loop.collate

        def stopping(examples, rows, device, vary):
            if len(rows) <= CONFIG.batch_size and examples is data[0] and next(calls) == batch:
                os.kill(os.getpid(), number)
            return collate(examples, rows, device, vary)

        patch.setattr(loop, "collate", stopping)
        with pytest.raises(InterruptedRunError, match="--resume") as caught:
            run(data, path)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    assert_same(finished, run(data, path))


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_signal_while_an_epoch_is_validated_stops_behind_it(data, finished, tmp_path, monkeypatch, epoch):
    """Behind the last one too: what comes next may take hours."""
    path = tmp_path / "checkpoint"
    with monkeypatch.context() as patch:
        calls = iter(range(1, 1000))
        measure = ClassifierTrainer.measure

        def stopping(trainer, examples):
            if next(calls) == epoch:
                os.kill(os.getpid(), signal.SIGTERM)
            return measure(trainer, examples)

        patch.setattr(ClassifierTrainer, "measure", stopping)
        with pytest.raises(InterruptedRunError, match=f"after epoch {epoch} of 3; .* --resume"):
            run(data, path)
    assert_same(finished, run(data, path))


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_that_comes_while_it_is_being_looked_for_is_noted(monkeypatch, number):
    install = signal.signal

    def install_and_send(of, handler):
        before = install(of, handler)
        if of == number and handler is not before_all:
            signal.raise_signal(number)
        return before

    before_all = signal.getsignal(number)
    monkeypatch.setattr(signal, "signal", install_and_send)
    with loop._stop_on_signal() as received:
        assert received == [number]
    assert signal.getsignal(number) is before_all


def test_a_second_signal_stops_at_once(data, tmp_path, monkeypatch):
    def stopping(examples, rows, device, vary):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "collate", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "checkpoint")


def test_a_signal_that_is_ignored_stays_so(data, finished, tmp_path, monkeypatch):
    """Under nohup a closed terminal does not stop a run."""
    collate = loop.collate

    def hanging_up(*arguments):
        os.kill(os.getpid(), signal.SIGHUP)
        return collate(*arguments)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(loop, "collate", hanging_up)
        assert_same(finished, run(data, tmp_path / "checkpoint"))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_each_batch_of_each_epoch_is_varied_at_random_by_itself(data, tmp_path, monkeypatch):
    drawn, collate = [], loop.collate

    def noting(examples, rows, device, vary):
        drawn.append([])
        return collate(examples, rows, device, vary)

    def note(random, ids):
        drawn[-1].append(random.random())
        return ids

    monkeypatch.setattr(loop, "collate", noting)
    run(data, tmp_path / "checkpoint", vary=note)
    assert len(drawn) == 3 * 10
    assert len({number for numbers in drawn for number in numbers}) == 3 * len(data[0])


def test_resume_after_the_last_epoch_changes_nothing(data, finished, tmp_path, caplog):
    run(data, tmp_path / "checkpoint")
    with caplog.at_level(logging.INFO, "sentcli"):
        assert_same(finished, run(data, tmp_path / "checkpoint"))
    assert caplog.messages == ["trained already"]


@pytest.mark.parametrize(
    ("config", "options", "named"),
    [
        (replace(CONFIG, seed=9), {}, "seed was 1, is 9"),
        (replace(CONFIG, lr=0.5), {}, "lr was 0.08, is 0.5"),
        (CONFIG, {"fingerprint": {"data": "others"}}, "data was 'invented', is 'others'"),
    ],
)
def test_resume_refuses_another_run_and_names_what_changed(data, tmp_path, config, options, named):
    run(data, tmp_path / "checkpoint")
    with pytest.raises(DataError, match=named):
        run(data, tmp_path / "checkpoint", config, **options)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x00" * 100])
def test_a_damaged_checkpoint_is_a_clear_error(data, tmp_path, content):
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(DataError, match="not a checkpoint"):
        run(data, tmp_path / "checkpoint")


def test_the_checkpoint_is_safetensors(data, tmp_path):
    run(data, tmp_path / "checkpoint")
    with safe_open(tmp_path / "checkpoint", "pt") as file:
        names = set(file.keys())
    assert {"model.classifier.weight", "averaged.module.classifier.weight", "random.cpu"} <= names
    assert any(name.startswith("optimizer.") for name in names)


def test_numbers_that_make_no_sense_end_the_run(data, tmp_path, monkeypatch):
    monkeypatch.setattr(ClassifierTrainer, "measure", lambda *_: (math.nan, 0.5))
    with pytest.raises(TrainingError, match="--lr"):
        run(data, tmp_path / "checkpoint")


@pytest.mark.skipif(not has_lstm(torch.bfloat16), reason="no bf16 on this processor")
def test_bf16_trains_too(data, tmp_path):
    model, history = run(data, tmp_path / "checkpoint", replace(CONFIG, precision="bf16"))
    assert history[-1]["validation_accuracy"] > 0.85
    assert model.classifier.weight.dtype == torch.float32


def test_the_bar_shows_loss_accuracy_and_words_a_second(data, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("sentcli.scoring.progress.tqdm", partial(tqdm, mininterval=0))
    run(data, tmp_path / "checkpoint", quiet=False)
    shown = sys.stderr.getvalue()
    for epoch in (1, 2, 3):
        assert re.search(rf"epoch {epoch}/3: .*words/s, loss \d\.\d{{3}}, accuracy [01]\.\d{{3}}\]", shown)
    run(data, tmp_path / "other", quiet=True)
    assert sys.stderr.getvalue() == shown


def test_epoch_batches_are_a_permutation_with_little_padding():
    lengths = np.random.default_rng(0).integers(1, 400, 5000)
    examples = labeled_examples([[2] * length for length in lengths], np.zeros(5000, np.int64), 2)
    batches = epoch_batches(examples, 64, 1, 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(5000))
    assert max(map(len, batches)) == 64
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.1 * lengths.sum()
    again = epoch_batches(examples, 64, 1, 0)
    assert all(np.array_equal(left, right) for left, right in zip(batches, again, strict=True))
    assert not np.array_equal(np.concatenate(batches), np.concatenate(epoch_batches(examples, 64, 1, 1)))
    # Not from short to long: the order of the batches is shuffled as well.
    means = np.array([lengths[rows].mean() for rows in batches])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_drop_words_turns_a_share_into_unknown_ones():
    ids = torch.full((200, 100), 7)
    dropped = drop_words(ids, 0.3)
    assert set(dropped.unique().tolist()) == {UNK_ID, 7}
    assert abs(float((dropped == UNK_ID).float().mean()) - 0.3) < 0.02
    assert torch.equal(drop_words(ids, 0.0), ids)


def test_the_rate_rises_and_falls():
    config = TrainConfig(lr=0.1, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[0] == pytest.approx(0.1 / 11)
    assert rates[10] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert 0.001 <= rates[99] < 0.0012
    assert learning_rate(0, 1, TrainConfig(lr=0.1, warmup=0)) == pytest.approx(0.1)


def test_measure_is_the_mean_cross_entropy(data):
    model = BiLSTM(ModelConfig(data[2], embedding_dim=8, hidden_size=6))
    examples = data[1]
    loss, accuracy = measure(model, examples, CPU)
    losses, correct = [], 0
    with torch.inference_mode():
        for ids, label in zip(examples.ids, examples.labels.tolist(), strict=True):
            logits = model(torch.from_numpy(ids[None]).long(), torch.tensor([len(ids)]))[0]
            losses.append(-torch.log_softmax(logits, 0)[label].item())
            correct += int(logits.argmax()) == label
    assert loss == pytest.approx(np.mean(losses), abs=1e-6)
    assert accuracy == correct / len(examples)


def test_a_weighed_loss_counts_each_text_by_its_class(data):
    model = BiLSTM(ModelConfig(data[2], embedding_dim=8, hidden_size=6))
    parts = [np.flatnonzero(data[1].labels == label) for label in (0, 1)]
    of = [Examples([data[1].ids[row] for row in rows], data[1].targets[rows]) for rows in parts]
    losses = [measure(model, part, CPU)[0] * len(part) for part in of]
    loss, accuracy = measure(model, data[1], CPU, torch.tensor([0.5, 3.0]))
    assert loss == pytest.approx((0.5 * losses[0] + 3 * losses[1]) / len(data[1]), rel=1e-5)
    assert accuracy == measure(model, data[1], CPU)[1]


def test_drop_words_leaves_the_ids_that_it_was_given_alone():
    ids = torch.full((20, 10), 7)
    drop_words(ids, 0.9)
    assert ids.eq(7).all()
