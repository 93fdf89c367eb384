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

    A step changes the moments of the rows that were read. Their weights follow in `catch_up`, which has to
    come before rows are read, in a step or elsewhere. Over k steps, of which only the first has a gradient,
    the moments shrink by `beta^(k - 1)`, the weight shrinks by `exp(-decay * k * rate)`, and it moves by the
    sum of a geometric series. All assume the learning rate of the first step; the sum also assumes the bias
    corrections of the last one or, if earlier, of the tenth. The average treats the steps as one move in the
    first of them.

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
            "rate": each_row.clone(),  # that of the row's last step with a gradient; 0: no batch has read it
        }

    def gradient(self) -> Any:
        """Return the gradient of the rows that were read, `[rows, width]`."""
        self._weight.grad = self._weight.grad.coalesce()
        return self._weight.grad.values()

    @torch.no_grad()
    def step(self, kept: float) -> None:  # type: ignore[override]
        """Update the moments of the rows that were read, by the result of `gradient`.

        :param kept: the decay of the average.
        """
        state, group = self.state[self._weight], self.param_groups[0]
        rows, gradient = self._weight.grad.indices()[0], self._weight.grad.values()
        beta1, beta2 = group["betas"]
        momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
        state["exp_avg"].index_copy_(0, rows, momentum.lerp_(gradient, 1 - beta1))
        squares.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        state["exp_avg_sq"].index_copy_(0, rows, squares)
        state["last"].index_fill_(0, rows, float(state["step"]))
        state["rate"].index_fill_(0, rows, group["lr"])
        state["kept"].fill_(kept)
        state["step"] += 1

    @torch.no_grad()
    def catch_up(self, rows: Tensor) -> None:
        """Move rows as all steps since their last one do, the first of which has the gradient.

        This is algorithm 1 of D. Kingma and J. Ba, "Adam", ICLR 2015.
        """
        state, group, step = self.state[self._weight], self.param_groups[0], self.state[self._weight]["step"]
        beta1, beta2 = group["betas"]
        last, rate = (state[name].index_select(0, rows) for name in ("last", "rate"))
        rows = rows[(rate > 0) & (last < step)]
        last, rate = (state[name].index_select(0, rows)[:, None] for name in ("last", "rate"))
        missed = step - last
        counted = last + missed.clamp(max=_MOMENTUM_STEPS)
        shrinks = beta1 / beta2**0.5  # size of each step relative to the one before
        momentum, squares = (state[name].index_select(0, rows) for name in ("exp_avg", "exp_avg_sq"))
        root = squares.div(1 - beta2**counted).sqrt_().add_(_EPSILON)
        rate_of_all = rate / (1 - beta1**counted) * (1 - shrinks**missed) / (1 - shrinks)
        moved = self._weight.index_select(0, rows).mul_(torch.exp(-group["weight_decay"] * rate * missed))
        moved -= momentum.div(root).mul_(rate_of_all)
        averaged = self._average.index_select(0, rows).lerp_(moved, 1 - state["kept"] ** missed)
        self._weight.index_copy_(0, rows, moved)
        self._average.index_copy_(0, rows, averaged)
        state["exp_avg"].index_copy_(0, rows, momentum.mul_(beta1 ** (missed - 1)))
        state["exp_avg_sq"].index_copy_(0, rows, squares.mul_(beta2 ** (missed - 1)))
        state["last"].index_fill_(0, rows, float(step))
