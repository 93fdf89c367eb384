"""AdamW over the rows that are read, against torch.optim.AdamW over all."""

import copy

import pytest
import torch
from torch import nn

from sentcli.training.lazy_adamw import LazyAdamW

ROWS, WIDTH, RATE, DECAY = 200, 6, 0.01, 0.01
SETTINGS = {"lr": RATE, "betas": (0.9, 0.999), "weight_decay": DECAY}


class Dense:
    """What is to come out: an embedding under AdamW, and its average."""

    def __init__(self, embedding: nn.Embedding) -> None:
        self.embedding, self.average = copy.deepcopy(embedding), embedding.weight.detach().clone()
        self._optimizer = torch.optim.AdamW(self.embedding.parameters(), RATE, weight_decay=DECAY)

    def step(self, ids: torch.Tensor, goals: torch.Tensor, rate: float, kept: float) -> None:
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        loss(self.embedding, ids, goals).backward()
        self._optimizer.step()
        self.average.lerp_(self.embedding.weight.detach(), 1 - kept)


def loss(embedding: nn.Embedding, ids: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    return (embedding(ids) - goals[ids]).square().mean()


def step(
    optimizer: LazyAdamW,
    embedding: nn.Embedding,
    ids: torch.Tensor,
    goals: torch.Tensor,
    rate: float,
    kept: float,
) -> None:
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    optimizer.catch_up(ids.unique())
    loss(embedding, ids, goals).backward()
    optimizer.gradient()
    optimizer.step(kept)


@pytest.fixture
def embedding() -> nn.Embedding:
    torch.manual_seed(1)
    return nn.Embedding(ROWS, WIDTH)


@pytest.fixture
def goals() -> torch.Tensor:
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(2))


def of_rows(embedding: nn.Embedding) -> tuple[LazyAdamW, nn.Embedding]:
    average = copy.deepcopy(embedding)
    return LazyAdamW(embedding, average, SETTINGS), average


@pytest.mark.parametrize("later", [1, 2, 9, 300])
def test_what_momentum_and_decay_do_to_a_row_is_made_up_for(embedding, goals, later):
    dense = Dense(embedding)
    optimizer, average = of_rows(embedding)
    start = embedding.weight.detach().clone()
    for number in range(200 + later):
        ids = torch.tensor([0, 1, 2]) if number < 200 else torch.tensor([3])
        dense.step(ids, goals, RATE, 0.99)
        step(optimizer, embedding, ids, goals, RATE, 0.99)
    stale = embedding.weight[0].detach().clone()
    optimizer.catch_up(torch.arange(ROWS))
    wanted = dense.embedding.weight[:3] - start[:3]
    torch.testing.assert_close(embedding.weight[:3] - start[:3], wanted, rtol=0.01, atol=5e-4)
    torch.testing.assert_close(average.weight[:3].detach(), dense.average[:3], rtol=0.01, atol=0.015)
    assert not torch.equal(stale, embedding.weight[0])
    for weight in (embedding.weight, average.weight):
        assert torch.equal(weight[4:], start[4:])  # no batch has read them


def test_words_of_all_frequencies_come_near_to_where_adamw_takes_them(embedding, goals):
    dense = Dense(embedding)
    optimizer, average = of_rows(embedding)
    start = embedding.weight.detach().clone()
    frequencies = 1 / torch.arange(1, ROWS + 1)
    steps = 1000
    for number in range(steps):
        rate = RATE * min(1, (number + 1) / 50) * (1 - number / steps)
        kept = min(0.99, (1 + number) / (10 + number)) if number else 0.0
        ids = torch.multinomial(frequencies, 8, replacement=True)
        dense.step(ids, goals, rate, kept)
        step(optimizer, embedding, ids, goals, rate, kept)
    optimizer.catch_up(torch.arange(ROWS))
    moved = (dense.embedding.weight - start).abs().mean()
    assert (embedding.weight - dense.embedding.weight).abs().mean() < 0.02 * moved
    assert (average.weight - dense.average).abs().mean() < 0.02 * moved
