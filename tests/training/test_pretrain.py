"""Language modelling: what it guesses, what it may know, and what is left of it."""

import numpy as np
import pytest
import torch

from sentcli.config import ModelConfig, TrainConfig
from sentcli.model.bilstm import BiLSTM
from sentcli.training import pretrain as pretraining
from sentcli.training.examples import Examples
from sentcli.training.pretrain import LanguageModel, LanguageModelling, pretrain

CPU = torch.device("cpu")
WORDS = 12
CONFIG = TrainConfig(pretrain=8, batch_size=8, ema_decay=0.9, precision="fp32")


@pytest.fixture(autouse=True)
def _guess_everything(monkeypatch):
    """Of a vocabulary this small, each word is frequent; and there are not many wrong ones to draw."""
    monkeypatch.setattr(pretraining, "_THRESHOLD", 10.0)
    monkeypatch.setattr(pretraining, "_NEGATIVES", 40)


def counting(count: int) -> Examples:
    """Texts that count upwards from somewhere, so that each word gives away its neighbours."""
    draw = np.random.default_rng(3)
    ids = []
    for _ in range(count):
        start = draw.integers(0, WORDS)
        ids.append((2 + (start + np.arange(draw.integers(3, 12))) % WORDS).astype(np.int32))
    return Examples(ids, np.zeros((count, 0), np.float32))


def make_model(**shape: object) -> BiLSTM:
    torch.manual_seed(5)
    return BiLSTM(ModelConfig(2 + WORDS, embedding_dim=8, hidden_size=16, **shape))


def make_language_model() -> LanguageModel:
    model = LanguageModel(make_model(), np.ones(2 + WORDS, np.int64)).eval()
    with torch.no_grad():
        for parameter in model.projections.parameters():
            parameter.normal_()
        model.output.weight[2:].normal_()
    return model


def run(model: BiLSTM, path, config: TrainConfig = CONFIG) -> list[dict[str, float]]:
    return pretrain(model, counting(300), counting(40), config, CPU, checkpoint=path, quiet=True)


def test_it_learns_neighbours_and_changes_the_embedding_and_the_first_layer_alone(tmp_path):
    before, model = make_model(num_layers=2), make_model(num_layers=2)
    history = run(model, tmp_path / "c")
    assert [record["epoch"] for record in history] == list(range(1, 9))
    assert history[-1]["validation_accuracy"] > 0.9
    assert history[-1]["validation_loss"] < 0.3 * history[0]["train_loss"]
    changed = {
        name
        for name, value in model.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    assert {"embedding.weight", "lstm.weight_hh_l0", "lstm.weight_hh_l0_reverse"} <= changed
    assert not any("l1" in name or "classifier" in name for name in changed)
    assert not model.embedding.weight[0].any()  # <pad>


def test_a_guess_knows_one_side_of_the_word_alone():
    model = make_language_model()
    ids = torch.tensor([[2, 3, 4, 5, 6, 7]])
    lengths = torch.tensor([6])
    embedded = model.encoder.embed(ids)
    forward, backward = model.encoder.first_layer(embedded, lengths)
    ids[0, 3] = 9  # the word in question
    other_forward, other_backward = model.encoder.first_layer(model.encoder.embed(ids), lengths)
    assert torch.equal(forward[:3], other_forward[:3])
    assert torch.equal(backward[4:], other_backward[4:])
    assert not torch.equal(forward[3], other_forward[3])


def test_padding_and_company_change_no_guess(monkeypatch):
    monkeypatch.setattr(
        pretraining.torch, "multinomial", lambda *_, **__: torch.tensor([3, 5, 7])
    )  # the same wrong words for all
    model = make_language_model()
    texts = [[2, 3, 4, 9, 8], [6, 7], [10]]
    alone = [model(torch.tensor([text]), torch.tensor([len(text)])) for text in texts]
    padded = torch.tensor([text + [0] * (5 - len(text)) for text in texts])
    together = model(padded, torch.tensor([5, 2, 1]))
    assert together[0].item() == pytest.approx(sum(loss.item() for loss, _, _ in alone), rel=1e-5)
    assert together[1:] == tuple(sum(of[index] for of in alone) for index in (1, 2))
    assert [of[2] for of in alone] == [8, 2, 0]  # two guesses for each pair of neighbours


def test_the_loss_is_that_of_the_right_word_among_the_wrong_ones(monkeypatch):
    monkeypatch.setattr(pretraining.torch, "multinomial", lambda *_, **__: torch.tensor([4, 3, 6]))
    model = make_language_model()
    ids, lengths = torch.tensor([[2, 3]]), torch.tensor([2])
    forward, backward = model.encoder.first_layer(model.encoder.embed(ids), lengths)
    expected = 0.0
    for projection, state, right in (
        (model.projections[0], forward[0], 3),
        (model.projections[1], backward[1], 2),
    ):
        words = [right, *(word for word in (4, 3, 6) if word != right)]  # the right one is not wrong as well
        logits = model.output.weight[words] @ projection(state[0]) - model.noise[words].log()
        expected -= torch.log_softmax(logits, 0)[0].item()
    loss, _, guesses = model(ids, lengths)
    assert guesses == 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_measuring_makes_the_same_guesses_each_time_and_leaves_those_of_training_alone(monkeypatch):
    monkeypatch.setattr(pretraining, "_THRESHOLD", 0.01)  # some places are guessed, by chance
    model, objective = make_language_model(), LanguageModelling(CONFIG, CPU)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = objective.measure(model, counting(40), CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert objective.measure(model, counting(40), CPU) == first


def test_frequent_words_are_guessed_less_often(monkeypatch):
    monkeypatch.setattr(pretraining, "_THRESHOLD", 0.01)
    guessed, noise = pretraining._distributions(np.array([50, 50, 0, 900, 90, 10]))
    shares = np.array([0.9, 0.09, 0.01])
    assert guessed.tolist() == pytest.approx([0, 0, 0, *np.sqrt(0.01 / shares)], rel=1e-5)
    wanted = shares * np.sqrt(0.01 / shares)
    assert noise.tolist() == pytest.approx([0, 0, 0, *(wanted / wanted.sum())], rel=1e-5)


def test_texts_of_one_word_teach_nothing(tmp_path):
    single = Examples([np.array([2 + number % WORDS], np.int32) for number in range(20)], np.zeros((20, 0)))
    history = pretrain(make_model(), single, single, CONFIG, CPU, checkpoint=tmp_path / "c", quiet=True)
    assert [record["train_loss"] for record in history] == [0] * CONFIG.pretrain
