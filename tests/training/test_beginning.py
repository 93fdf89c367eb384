"""What a network is before it learns the classes: its language model, trained ahead and gone on with."""

import os
import signal

import invented
import pytest
import torch
from safetensors.torch import load_file

from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.errors import InterruptedRunError
from sentcli.training.corpus import DataSource, read_labeled, read_texts
from sentcli.training.init_model import set_up, train_language_model
from sentcli.training.pretraining import LanguageModelTrainer
from sentcli.training.settings import NO_VECTORS, Settings

SETTINGS = Settings(
    text=TextConfig(max_tokens=40),
    model=ModelConfig(vocab_size=2, embedding_dim=6, hidden_size=4),
    config=TrainConfig(pretrain=2, batch_size=16, min_freq=1, precision="fp32"),
    device="cpu",
    threads=1,
    quiet=True,
)


def test_a_language_model_that_was_stopped_goes_on_and_stands_there_when_it_is_done(tmp_path, monkeypatch):
    file = invented.write_csv(tmp_path / "few.csv", invented.reviews(60, seed=11))
    source = DataSource(str(file), None, None, NO_VECTORS, None)
    texts = read_texts(source, read_labeled(source), SETTINGS.config.validation_share)
    whole, path = tmp_path / "whole.safetensors", tmp_path / "model.safetensors"
    train_language_model(texts, source, SETTINGS, whole)
    step, steps = LanguageModelTrainer.step, []

    def stopped(*arguments):
        steps.append(None)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    monkeypatch.setattr(LanguageModelTrainer, "step", stopped)
    with pytest.raises(InterruptedRunError):
        train_language_model(texts, source, SETTINGS, path)
    assert not path.exists()
    train_language_model(texts, source, SETTINGS, path)
    assert len(steps) == 2 * 4  # none of them twice
    assert sorted(each.name for each in tmp_path.glob("*.safetensors")) == [path.name, whole.name]
    once, again = load_file(whole), load_file(path)
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_short_memory_is_told_as_such_and_nothing_else_is():
    with pytest.raises(MemoryError), set_up(SETTINGS):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="else"), set_up(SETTINGS):
        raise RuntimeError("something else")
