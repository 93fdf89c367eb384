"""How to train: what the caller decides, all but the data and the place of the result."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch

from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.errors import UsageError
from sentcli.scoring.cores import usable_cores
from sentcli.training.defaults import OF_LABELS, DataSize, settle
from sentcli.training.finetune import Base

NO_VECTORS = "none"

_AnyConfig = TypeVar("_AnyConfig", TextConfig, ModelConfig, TrainConfig)


@dataclass(frozen=True)
class Settings:
    """How to train, all but the data and the place of the result.

    :param model: the shape; vocabulary and classes are filled in from the data.
    :param auto: fields of `config`, out of `defaults.AUTO`, that the data decides whatever they are.
    :param device: `cpu` or `cuda`; None takes CUDA where there is a device.
    :param threads: threads of PyTorch; None takes every core that this process may use.
    :param base: the model to go on from, in place of word vectors; see `sentcli.training.finetune`.
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
    base: Base | None = None
    licence: str | None = None
    command: str = "sentcli train"
    recipe: Callable[[TrainConfig], str] | None = None

    def going_on_from(self, base: Base, given: Mapping[str, tuple[str, Any]]) -> "Settings":
        """Give the settings of a training that goes on from a model, which decides some of them.

        :param given: of the fields of `text`, `model` and `config` those that the user gave, each with its
            option and its value.
        :raises UsageError: for something given that is not so in the model.
        """
        for name, (option, value) in given.items():
            if name in base.decided and value != base.decided[name]:
                raise UsageError(
                    f"{option} {value}: the model of --from, {base.path}, decides that: "
                    f"{base.decided[name]}; leave it out"
                )

        def with_decided(old: _AnyConfig) -> _AnyConfig:
            mine = {field.name for field in fields(old)} & base.decided.keys()
            return replace(old, **{name: base.decided[name] for name in mine})

        return replace(
            self,
            base=base,
            text=with_decided(self.text),
            model=with_decided(self.model),
            config=with_decided(self.config),
            auto=[name for name in self.auto if name not in base.decided],
        )

    def settled(self, size: DataSize) -> "Settings":
        """Give the same settings with those filled in that depend on the data."""
        return replace(self, config=settle(self.config, self.auto, size), auto=())

    def settled_by_labels(self, size: DataSize) -> "Settings":
        """Choose what depends on the labels, of which texts without one and sentences say nothing."""
        now = [name for name in self.auto if name in OF_LABELS]
        later = [name for name in self.auto if name not in OF_LABELS]
        return replace(replace(self, auto=now).settled(size), auto=later)

    @property
    def cores(self) -> int:
        # PyTorch's own number minds OMP_NUM_THREADS, but not that this process may not use all cores.
        return self.threads or min(torch.get_num_threads(), usable_cores())
