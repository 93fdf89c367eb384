"""The mean of several models: of the weights that each would have alone, side by side or in turn."""

import logging
from dataclasses import replace

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples

from sentcli.config import ModelConfig, TrainConfig
from sentcli.errors import DataError, UsageError
from sentcli.model import BiLSTM, couple_gates, has_coupled_gates
from sentcli.text import Vocab, tokenize
from sentcli.training import soup as souping
from sentcli.training.loop import fit
from sentcli.training.soup import Lessons, Soup, fit_soup
from sentcli.training.step import ClassifierTrainer, measure

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=2, batch_size=16, lr=0.05, average=0.9, precision="fp32", gates="coupled")
TIMES = {"seconds", "words_per_second"}


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    made = invented.reviews(140, seed=6)
    tokens = [tokenize(text) for text, _ in made]
    vocab = Vocab.build(tokens, min_freq=1)
    labels = np.array([invented.TWO.index(label) for _, label in made])
    ids = [vocab.encode(words) for words in tokens]
    parts = (labeled_examples(ids[:100], labels[:100], 2), labeled_examples(ids[100:], labels[100:], 2))
    return Lessons(*parts, CPU, None, {"words": len(vocab)}, None, quiet=True)


def begun(lessons: Lessons) -> BiLSTM:
    torch.manual_seed(7)
    network = BiLSTM(ModelConfig(lessons.fingerprint["words"], embedding_dim=8, hidden_size=6))
    couple_gates(network)
    return network


def make(lessons, path, config=CONFIG, cores=1) -> tuple[BiLSTM, Soup]:
    network = begun(lessons)
    return network, fit_soup(
        network, lessons, config, checkpoint=path / "c.safetensors", cores=cores, name="it"
    )


def alone(lessons, path, seed) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    network, config = begun(lessons), replace(CONFIG, seed=seed)
    epochs = fit(
        ClassifierTrainer(network, config, CPU),
        lessons.train,
        lessons.validation,
        config,
        checkpoint=path / f"{seed}.safetensors",
        fingerprint={},
        quiet=True,
    )
    return network.state_dict(), epochs


@pytest.fixture(scope="module")
def members(lessons, tmp_path_factory):
    return [alone(lessons, tmp_path_factory.mktemp("alone"), seed) for seed in (1, 2)]


def timeless(records):
    return [{key: value for key, value in record.items() if key not in TIMES} for record in records]


def assert_mean(network, members):
    for name, value in network.state_dict().items():
        mean = sum(state[name].double() for state, _ in members) / len(members)
        assert torch.equal(value, mean.float()), name


def test_a_soup_of_one_is_that_model(lessons, members, tmp_path):
    network, soup = make(lessons, tmp_path)
    assert_mean(network, members[:1])
    assert timeless(soup.epochs) == timeless(members[0][1])
    assert (len(soup.members), soup.kept, soup.averaged) == (1, None, [])


@pytest.mark.parametrize("cores", [1, 2])
def test_a_soup_of_two_is_the_mean_of_what_each_would_be_alone(lessons, members, tmp_path, cores, caplog):
    with caplog.at_level(logging.INFO, "sentcli"):
        network, soup = make(lessons, tmp_path, replace(CONFIG, soup=2), cores)
    assert_mean(network, members)
    assert has_coupled_gates(network)
    assert [timeless(epochs) for epochs in soup.members] == [timeless(epochs) for _, epochs in members]
    loss, accuracy = measure(network, lessons.validation, CPU)
    losses = [min(record["validation_loss"] for record in epochs) for _, epochs in members]
    assert loss < min(losses)
    assert f"it: the mean of 2 models: validation loss {loss:.4f}, accuracy {accuracy:.4f}" in caplog.text
    assert soup.kept is None
    assert soup.epochs is soup.members[0]
    assert soup.averaged == losses


def test_where_the_mean_is_no_better_the_best_is_kept(lessons, members, tmp_path, monkeypatch, caplog):
    losses = [min(record["validation_loss"] for record in epochs) for _, epochs in members]
    monkeypatch.setattr(souping, "measure", lambda *_: (min(losses), 1.0))
    network, soup = make(lessons, tmp_path, replace(CONFIG, soup=2))
    best = losses.index(min(losses))
    assert_mean(network, members[best : best + 1])
    assert soup.kept == best
    assert soup.epochs is soup.members[best]
    assert soup.averaged == []
    assert f"it model {best + 1} of 2 is kept" in caplog.text


def test_a_soup_goes_on_where_it_was_stopped(lessons, members, tmp_path, monkeypatch):
    two = replace(CONFIG, soup=2)
    fitted = []

    def fails_for_the_second(trainer, train, validation, config, **options):
        if fitted:
            raise KeyboardInterrupt
        fitted.append(config.seed)
        return fit(trainer, train, validation, config, **options)

    monkeypatch.setattr(souping, "fit", fails_for_the_second)
    with pytest.raises(KeyboardInterrupt):
        make(lessons, tmp_path, two)
    monkeypatch.undo()
    written = (tmp_path / "c-1.safetensors").stat().st_mtime_ns
    network, _ = make(lessons, tmp_path, two)
    assert_mean(network, members)
    assert (tmp_path / "c-1.safetensors").stat().st_mtime_ns == written
    with pytest.raises(DataError, match="soup"):
        make(lessons, tmp_path, replace(CONFIG, soup=3))


def test_a_soup_of_nothing_is_refused():
    with pytest.raises(UsageError, match=r"soup \(--soup\) is 0"):
        TrainConfig(soup=0)
