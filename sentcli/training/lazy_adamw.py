"""AdamW for embeddings that touches only the rows that a batch reads.

AdamW updates all rows of an embedding in each step: momentum and weight decay move even the many rows without
a gradient. Here a row gets all updates that it missed at once, when it is read again. A row that no batch has
read keeps its weights; AdamW would let them decay.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_BETAS = (0.9, 0.999)  # like the next, a default of torch.optim.AdamW
_EPSILON = 1e-8
_MOMENTUM_STEPS = 10  # how long a momentum lasts: 1 / (1 - beta)


class LazyAdamW(torch.optim.Optimizer):
    """AdamW that updates only the rows that are read, with a moving average of the weights.

    A hook of the embedding updates rows before they are read. Call `settle` to update all rows before the
    weights or their average are used elsewhere. Over k steps without a gradient, the moments shrink by
    `beta^k`, the weight shrinks by `exp(-decay * sum of the rates)`, and it moves by the sum of a geometric
    series. The sum assumes the learning rate of the row's last step, and the bias corrections of the current
    step or, if earlier, of ten steps after the row's last one. The average treats the k steps as one move in
    the first of them.

    :param averages: embeddings, each with its average; they get sparse gradients until `release`.
    :param weight_decay: decoupled from the gradient; 0 is Adam.
    """

    def __init__(self, averages: Mapping[nn.Embedding, nn.Embedding], lr: float, weight_decay: float) -> None:
        super().__init__([each.weight for each in averages], {"lr": lr, "weight_decay": weight_decay})
        self._averages = {each.weight: average.weight for each, average in averages.items()}
        self._embeddings = [*averages]
        for weight in self._averages:
            each_row = torch.zeros(len(weight), device=weight.device)
            self.state[weight] = {
                "step": torch.zeros(()),
                "rates": torch.zeros(()),  # sum over all steps
                "kept": torch.zeros(()),  # decay of the average in the last step
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
                "last": each_row.clone(),  # the last step applied to the row
                "decayed": each_row.clone(),  # sum of the rates up to that step
                "rate": each_row.clone(),  # that of the row's last step with a gradient
            }
        for each in self._embeddings:
            each.sparse = True
        self._hooks = [each.register_forward_pre_hook(self._read) for each in self._embeddings]

    def release(self) -> None:
        """Update all rows, and return the embeddings to dense gradients."""
        self.settle()
        for hook in self._hooks:
            hook.remove()
        for each in self._embeddings:
            each.sparse = False

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the rows that were read, `[rows, width]` for each embedding."""
        for weight in self._averages:
            if weight.grad is not None:
                weight.grad = weight.grad.coalesce()
        return [weight.grad.values() for weight in self._averages if weight.grad is not None]

    @torch.no_grad()
    def step(self, kept: float) -> None:  # type: ignore[override]
        """Update the rows that were read, by the gradients that `gradients` returned.

        :param kept: decay of the average in this step.
        """
        for weight, average in self._averages.items():
            state, group = self.state[weight], self.param_groups[0]
            state["step"] += 1
            state["rates"] += group["lr"]
            state["kept"].fill_(kept)
            if weight.grad is None:
                continue
            rows, gradient = weight.grad.indices()[0], weight.grad.values()
            momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
            momentum.lerp_(gradient, 1 - _BETAS[0])
            squares.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            moved = weight.index_select(0, rows).mul_(1 - group["lr"] * group["weight_decay"])
            moved -= _move(momentum, squares, state["step"], group["lr"])
            averaged = average.index_select(0, rows).lerp_(moved, 1 - kept)
            state["rate"].index_fill_(0, rows, group["lr"])
            self._write(weight, rows, moved, averaged, momentum, squares)

    def settle(self) -> None:
        """Update all rows to the current step."""
        for weight in self._averages:
            self._catch_up(weight, torch.arange(len(weight), device=weight.device))

    def _read(self, embedding: nn.Module, inputs: tuple[Tensor]) -> None:
        weight: Any = embedding.weight
        is_read = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
        is_read[inputs[0].flatten()] = True
        self._catch_up(weight, is_read.nonzero().flatten())

    @torch.no_grad()
    def _catch_up(self, weight: Tensor, rows: Tensor) -> None:
        """Apply the steps that rows have missed since their last one, in which they had no gradient."""
        state = self.state[weight]
        last = state["last"].index_select(0, rows)
        rows = rows[(last > 0) & (last < float(state["step"]))]
        if not len(rows):
            return
        last, rate, decayed = (
            state[name].index_select(0, rows)[:, None] for name in ("last", "rate", "decayed")
        )
        missed = float(state["step"]) - last
        decay = self.param_groups[0]["weight_decay"] * (float(state["rates"]) - decayed)
        shrinks = _BETAS[0] / _BETAS[1] ** 0.5  # size of each step relative to the one before
        momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
        moved = weight.index_select(0, rows).mul_(torch.exp(-decay))
        moved -= _move(momentum, squares, last + missed.clamp(max=_MOMENTUM_STEPS), rate).mul_(
            shrinks * (1 - shrinks**missed) / (1 - shrinks)
        )
        averaged = moved.lerp(self._averages[weight].index_select(0, rows), float(state["kept"]) ** missed)
        momentum.mul_(_BETAS[0] ** missed)
        squares.mul_(_BETAS[1] ** missed)
        self._write(weight, rows, moved, averaged, momentum, squares)

    def _write(
        self, weight: Tensor, rows: Tensor, moved: Tensor, averaged: Tensor, momentum: Tensor, squares: Tensor
    ) -> None:
        """Write rows, and record that they are up to date."""
        state = self.state[weight]
        weight.index_copy_(0, rows, moved)
        self._averages[weight].index_copy_(0, rows, averaged)
        state["exp_avg"].index_copy_(0, rows, momentum)
        state["exp_avg_sq"].index_copy_(0, rows, squares)
        state["last"].index_fill_(0, rows, float(state["step"]))
        state["decayed"].index_fill_(0, rows, float(state["rates"]))


def _move(momentum: Tensor, squares: Tensor, step: Tensor, rate: Tensor | float) -> Tensor:
    """Return how far a step moves rows: algorithm 1 of D. Kingma and J. Ba, "Adam", ICLR 2015."""
    root = squares.div(1 - _BETAS[1] ** step).sqrt_().add_(_EPSILON)
    return momentum.div(root).mul_(rate / (1 - _BETAS[0] ** step))
