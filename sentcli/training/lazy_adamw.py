"""AdamW for an embedding that touches only the rows that a batch reads.

AdamW updates all rows of an embedding in each step: momentum and weight decay move even the many rows without
a gradient. Here a row gets all updates that it missed at once, before it is read again. A row that no batch
has read keeps its weights; AdamW would let them decay.

With 50,000 rows of 100 numbers and one thread, a step on 64 texts of 5 to 20 words takes 19 ms instead of 35,
and one on 8 such texts 8 ms instead of 25. On 64 reviews of IMDb, both take 166 ms.
"""

from typing import Any

import torch
from torch import Tensor, nn

_EPSILON = 1e-8  # the default of torch.optim.AdamW
_MOMENTUM_STEPS = 10  # how long a momentum lasts: 1 / (1 - beta)


class LazyAdamW(torch.optim.Optimizer):
    """AdamW that updates only the rows that are read, with a moving average of the weights.

    Call `catch_up` before rows are read, in a step or elsewhere. Over k steps without a gradient, the moments
    shrink by `beta^k`, the weight shrinks by `exp(-decay * k * rate)`, and it moves by the sum of a geometric
    series. Both assume the learning rate of the row's last step, and the sum the bias corrections of the
    current step or, if earlier, of ten steps after the row's last one. The average treats the k steps as one
    move in the first of them.

    :param embedding: gets sparse gradients.
    """

    def __init__(self, embedding: nn.Embedding, average: nn.Embedding, settings: dict[str, Any]) -> None:
        super().__init__([embedding.weight], settings)  # `lr`, `betas`, `weight_decay`
        embedding.sparse = True
        self._weight: Any = embedding.weight  # its gradient is not None once it was read
        self._average = average.weight
        each_row = torch.zeros(len(self._weight), device=self._weight.device)
        self.state[self._weight] = {
            "step": torch.zeros(()),
            "kept": torch.zeros(()),  # decay of the average in the last step
            "exp_avg": torch.zeros_like(self._weight),
            "exp_avg_sq": torch.zeros_like(self._weight),
            "last": each_row.clone(),  # the last step applied to the row
            "rate": each_row.clone(),  # that of the row's last step with a gradient
        }

    def gradient(self) -> Any:
        """Return the gradient of the rows that were read, `[rows, width]`."""
        self._weight.grad = self._weight.grad.coalesce()
        return self._weight.grad.values()

    @torch.no_grad()
    def step(self, kept: float) -> None:  # type: ignore[override]
        """Update the rows that were read, by the result of `gradient`; the average decays by `kept`."""
        state, group = self.state[self._weight], self.param_groups[0]
        (beta1, beta2), rate = group["betas"], group["lr"]
        state["step"] += 1
        state["kept"].fill_(kept)
        rows, gradient = self._weight.grad.indices()[0], self._weight.grad.values()
        momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
        momentum.lerp_(gradient, 1 - beta1)
        squares.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        moved = self._weight.index_select(0, rows).mul_(1 - rate * group["weight_decay"])
        moved -= self._move(momentum, squares, state["step"], rate)
        state["rate"].index_fill_(0, rows, rate)
        self._write(rows, moved, 1 - kept, momentum, squares)

    @torch.no_grad()
    def catch_up(self, rows: Tensor) -> None:
        """Apply the steps that rows have missed since their last one, in which they had no gradient."""
        state, group = self.state[self._weight], self.param_groups[0]
        beta1, beta2 = group["betas"]
        last = state["last"].index_select(0, rows)
        rows = rows[(last > 0) & (last < float(state["step"]))]
        last, rate = (state[name].index_select(0, rows)[:, None] for name in ("last", "rate"))
        missed = float(state["step"]) - last
        shrinks = beta1 / beta2**0.5  # size of each step relative to the one before
        momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
        moved = self._weight.index_select(0, rows).mul_(torch.exp(-group["weight_decay"] * rate * missed))
        moved -= self._move(momentum, squares, last + missed.clamp(max=_MOMENTUM_STEPS), rate).mul_(
            shrinks * (1 - shrinks**missed) / (1 - shrinks)
        )
        share = 1 - float(state["kept"]) ** missed
        self._write(rows, moved, share, momentum.mul_(beta1**missed), squares.mul_(beta2**missed))

    def _move(self, momentum: Tensor, squares: Tensor, step: Tensor, rate: Any) -> Tensor:
        """Return how far a step moves rows: algorithm 1 of D. Kingma and J. Ba, "Adam", ICLR 2015."""
        beta1, beta2 = self.param_groups[0]["betas"]
        root = squares.div(1 - beta2**step).sqrt_().add_(_EPSILON)
        return momentum.div(root).mul_(rate / (1 - beta1**step))

    def _write(self, rows: Tensor, moved: Tensor, share: Any, momentum: Tensor, squares: Tensor) -> None:
        """Write rows, of which the average takes a share; they are now up to date."""
        state = self.state[self._weight]
        self._weight.index_copy_(0, rows, moved)
        self._average.index_copy_(0, rows, self._average.index_select(0, rows).lerp_(moved, share))
        state["exp_avg"].index_copy_(0, rows, momentum)
        state["exp_avg_sq"].index_copy_(0, rows, squares)
        state["last"].index_fill_(0, rows, float(state["step"]))
