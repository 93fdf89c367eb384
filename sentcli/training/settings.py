"""How to train: what the caller decides, all but the data and the place of the result."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import torch

from sentcli.bundle import Bundle
from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.cores import usable_cores
from sentcli.training.defaults import DataSize, settle

NO_VECTORS = "none"


@dataclass(frozen=True)
class Settings:
    """How to train, all but the data and the place of the result.

    :param model: the shape; vocabulary and classes are filled in from the data.
    :param auto: fields of `config`, out of `defaults.AUTO`, that the data decides whatever they are.
    :param device: `cpu` or `cuda`; None takes CUDA where there is a device.
    :param threads: threads of PyTorch; None takes every core that this process may use.
    :param base: the model to go on from, in place of word vectors; see `sentcli.training.base`.
    :param licence, command: of the model and the command line that makes it, for the card.
    :param recipe: writes the settings as TOML, given those that the data decided; None leaves the file out.
    """

    text: TextConfig
    model: ModelConfig
    config: TrainConfig
    auto: Collection[str] = ()
    device: str | None = None
    threads: int | None = None
    quiet: bool = False
    base: Bundle | None = None
    licence: str | None = None
    command: str = "sentcli train"
    recipe: Callable[[TrainConfig], str] | None = None

    def settled(self, size: DataSize) -> "Settings":
        """Give the same settings with those filled in that depend on the data."""
        return replace(self, config=settle(self.config, self.auto, size), auto=())

    @property
    def cores(self) -> int:
        # PyTorch's own number minds OMP_NUM_THREADS, but not that this process may not use all cores.
        return self.threads or min(torch.get_num_threads(), usable_cores())
