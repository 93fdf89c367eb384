"""A soup: the mean of the weights of models that began alike and learnt the same in different orders.

It costs nothing when it scores, and errs less than they do: M. Wortsman et al., "Model soups: averaging
weights of multiple fine-tuned models improves accuracy without increasing inference time", ICML 2022.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sentcli.config import ModelConfig, TrainConfig
from sentcli.model import BiLSTM, couple_gates
from sentcli.training.allocator import keep_freed_memory
from sentcli.training.examples import Examples, Ids
from sentcli.training.loop import fit
from sentcli.training.side_by_side import run_side_by_side
from sentcli.training.step import ClassifierTrainer, measure

_log = logging.getLogger("sentcli")

_CPU = torch.device("cpu")

Weights = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Soup:
    """What went into a model.

    :param members: the records of each model's epochs, as `fit` gives them; at least one.
    :param kept: the number of the one that was kept, from 0; None: the mean of all.
    """

    members: list[list[dict[str, float]]]
    kept: int | None

    @property
    def epochs(self) -> list[dict[str, float]]:
        """Those of the one that was kept, of a mean those of the first."""
        return self.members[self.kept or 0]

    @property
    def losses(self) -> list[float]:
        """The lowest validation loss of each."""
        return [min(record["validation_loss"] for record in epochs) for epochs in self.members]

    @property
    def averaged(self) -> list[float]:
        """The losses of those whose mean was kept; empty when one was kept as it is."""
        return self.losses if len(self.members) > 1 and self.kept is None else []


@dataclass(frozen=True)
class Lessons:
    """What each of the models is fitted with, see `fit`; it can be pickled.

    :param class_weights: see `ClassifierTrainer`.
    """

    train: Examples
    validation: Examples
    device: torch.device
    class_weights: Tensor | None
    fingerprint: Mapping[str, Any]
    vary: Callable[[np.random.Generator, Ids], Ids] | None
    quiet: bool


def fit_soup(
    network: BiLSTM, lessons: Lessons, config: TrainConfig, *, checkpoint: Path, cores: int, name: str
) -> Soup:
    """Fit `config.soup` models that begin as a network, each with a seed of its own; leave their mean in it.

    Where the mean has no lower validation loss than the best of them, that one is left. On a CPU they are
    fitted side by side. Each has a checkpoint of its own, from which it goes on.

    :param cores: of a CPU, for all of them together.
    :param name: see `fit`.
    :raises SentcliError: as `fit`.
    """
    if config.soup == 1:
        return Soup([_fit(network, lessons, config, checkpoint, name)], None)
    numbers = range(1, config.soup + 1)
    names = [f"{name} model {number} of {config.soup}".lstrip() for number in numbers]
    on_cpu = lessons.device.type == "cpu"
    begin = {key: value.numpy() for key, value in network.state_dict().items()}
    members = [
        partial(
            _fit_member,
            network.config,
            begin,
            lessons,
            replace(config, seed=config.seed + number - 1),
            checkpoint.with_stem(f"{checkpoint.stem}-{number}"),
            of_member,
            threads=max(1, cores // config.soup) if on_cpu else cores,
        )
        for number, of_member in zip(numbers, names, strict=True)
    ]
    if on_cpu and cores > 1:
        run_side_by_side(members, at_once=min(cores, config.soup))
    fitted = [member() for member in members]  # those that were side by side are done: a checkpoint says how
    torch.set_num_threads(cores)
    states = [state for state, _ in fitted]
    soup = Soup([epochs for _, epochs in fitted], None)
    best = int(np.argmin(soup.losses))
    network.load_state_dict(_mean(states))
    loss, accuracy = measure(network, lessons.validation, _CPU, lessons.class_weights)
    _log.info(
        "%sthe mean of %d models: validation loss %.4f, accuracy %.4f; the best of them alone: loss %.4f",
        f"{name}: " if name else "",
        config.soup,
        loss,
        accuracy,
        soup.losses[best],
    )
    if loss < soup.losses[best]:
        return soup
    _log.warning("that is no better: %s is kept", names[best])
    network.load_state_dict(_mean([states[best]]))
    return replace(soup, kept=best)


def _fit_member(
    shape: ModelConfig,
    begin: Weights,
    lessons: Lessons,
    config: TrainConfig,
    checkpoint: Path,
    name: str,
    *,
    threads: int,
) -> tuple[Weights, list[dict[str, float]]]:
    """Fit one of them, maybe in a process of its own; give its weights and the records of its epochs."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    network = BiLSTM(shape)
    network.load_state_dict({key: torch.tensor(value) for key, value in begin.items()})
    if config.gates == "coupled":
        couple_gates(network)
    epochs = _fit(network, lessons, config, checkpoint, name)
    return {key: value.numpy() for key, value in network.state_dict().items()}, epochs


def _fit(
    network: BiLSTM, lessons: Lessons, config: TrainConfig, checkpoint: Path, name: str
) -> list[dict[str, float]]:
    return fit(
        ClassifierTrainer(network, config, lessons.device, lessons.class_weights),
        lessons.train,
        lessons.validation,
        config,
        checkpoint=checkpoint,
        fingerprint=lessons.fingerprint,
        quiet=lessons.quiet,
        name=name,
        vary=lessons.vary,
    )


def _mean(states: Sequence[Weights]) -> dict[str, Tensor]:
    """Give the mean of weights; of one model its own."""
    sums = {key: np.sum([state[key] for state in states], axis=0, dtype=np.float64) for key in states[0]}
    return {key: torch.from_numpy((total / len(states)).astype(np.float32)) for key, total in sums.items()}
