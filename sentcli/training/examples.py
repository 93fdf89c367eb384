"""Encoded texts with their targets, and the batches of training and validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sentcli.datasets.labels import SURE
from sentcli.scoring.batches import pad

Indices = npt.NDArray[np.intp]
TokenIds = npt.NDArray[np.int32]  # the ids of one text
Vary = Callable[[TokenIds], TokenIds]

_POOL = 50  # number of batches sorted by length together: little padding, but still well shuffled


@dataclass(frozen=True)
class Examples:
    """Encoded texts `ids[i]`, at least one id each.

    :param targets: the probability of each class times the weight of the text, float32 `[n, classes]`.
    """

    ids: Sequence[TokenIds]
    targets: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_label(self) -> npt.NDArray[np.bool_]:
        """Whether each text has a label: a class with more than `SURE` of the probability, `[n]`."""
        has_label: npt.NDArray[np.bool_] = self.targets.max(axis=1) > SURE * self.targets.sum(axis=1)
        return has_label

    def take(self, rows: Indices) -> "Examples":
        """Return these texts, in this order."""
        return Examples([self.ids[row] for row in rows.tolist()], self.targets[rows])

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The most probable class of each text, `[n]`."""
        labels: npt.NDArray[np.int64] = np.argmax(self.targets, axis=1)
        return labels

    @property
    def sides(self) -> npt.NDArray[np.int64]:
        """0, 1 or 2 if a text of two classes is negative, neutral or positive, `[n]`."""
        return np.where(self.has_label, 2 * self.labels, 1)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each text, `[n]`."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))


def epoch_batches(examples: Examples, batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """Draw the batches of an epoch: shuffle, then sort by length within pools of `_POOL` batches."""
    random = np.random.default_rng((seed, epoch))
    lengths = examples.lengths
    order = random.permutation(len(examples))
    batches: list[Indices] = []
    for start in range(0, len(order), _POOL * batch_size):
        pool = order[start : start + _POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def collate(
    examples: Examples, rows: Indices, device: torch.device, vary: Vary | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded ids, which `vary` changes first, lengths on the CPU, and targets `[batch, classes]`."""
    texts = [vary(examples.ids[row]) if vary else examples.ids[row] for row in rows]
    ids, lengths = pad(texts)
    targets = torch.from_numpy(examples.targets[rows])
    return torch.from_numpy(ids).to(device), torch.from_numpy(lengths), targets.to(device)
