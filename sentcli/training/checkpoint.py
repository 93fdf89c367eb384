"""The checkpoint of a training: everything that the next step depends on, in one safetensors file."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sentcli.backends import Logits
from sentcli.config import LOG
from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.files.sink import Target, write_file

State = dict[str, Tensor]

_SAVE_SECONDS = 120  # between two checkpoints


@dataclass
class Progress:
    """The progress of a training; sums over the finished batches of the next epoch."""

    epoch: int = 0  # finished epochs
    batch: int = 0  # finished batches of the next epoch
    loss: float = 0.0
    correct: int = 0  # out of `labeled`
    labeled: int = 0  # texts with a label
    texts: int = 0
    words: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    is_finished: bool = False  # there is no next epoch

    def next_epoch(self, loss: float, accuracy: float, rate: float) -> "Progress":
        """Return the progress after the current epoch."""
        record = {
            "epoch": self.epoch + 1,
            "train_loss": self.loss / self.texts,
            "train_accuracy": self.correct / max(self.labeled, 1),
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "lr": rate,
            "seconds": self.seconds,
            "words_per_second": self.words / self.seconds,
        }
        return Progress(self.epoch + 1, history=[*self.history, record])


@dataclass
class Checkpoint:
    """The file with the state of a model, its average, its optimizers and the random numbers."""

    path: Path | None  # None: nothing is saved
    model: nn.Module
    averaged: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    logits: list[Logits] = field(default_factory=list)  # after each epoch
    saved: float = field(default_factory=time.monotonic)

    def save_if_due(self, progress: Progress, best: State) -> None:
        """Save some minutes after the last time, and when a signal asks to stop, which ends the training."""
        stops = stop.requested()  # a signal that comes later waits until the next call, which saves
        if stops or time.monotonic() - self.saved > _SAVE_SECONDS:
            self.save(progress, best)
        if stops:
            stop.check()

    def save(self, progress: Progress, best: State) -> None:
        """Write the file atomically: a crash leaves the old one or the new one."""
        if self.path is None:
            return
        kept = {str(number): torch.from_numpy(logits) for number, logits in enumerate(self.logits)}
        parts = {"best": best, "logits": kept}
        if not progress.is_finished:
            parts |= {"model": self.model.state_dict(), "averaged": self.averaged.state_dict()}
        tensors = {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}
        for number, optimizer in enumerate([] if progress.is_finished else self.optimizers):
            for index, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{index}.{name}": value for name, value in values.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        tensors = {name: value.detach().cpu().clone() for name, value in tensors.items()}
        write_file(Target(self.path), save(tensors, {"progress": json.dumps(vars(progress))}))
        self.saved = time.monotonic()

    def load(self) -> tuple[Progress, State]:
        """Restore model, average, optimizers and random numbers, if there is a file."""
        if self.path is None or not self.path.exists():
            return Progress(), {}
        try:
            with safe_open(self.path, "pt") as file:
                progress = Progress(**json.loads(file.metadata()["progress"]))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            again = option("overwrite")
            raise DataError(f"{self.path}: not a checkpoint: {error}; start over with {again}") from None
        self.model.load_state_dict(_part(tensors, "model."), strict=not progress.is_finished)
        self.averaged.load_state_dict(_part(tensors, "averaged."), strict=not progress.is_finished)
        for number, optimizer in enumerate(self.optimizers):
            state: dict[int, State] = {}
            for name, value in _part(tensors, f"optimizer.{number}.").items():
                index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"])
        kept = _part(tensors, "logits.")
        self.logits[:] = [kept[str(number)].numpy() for number in range(len(kept))]
        LOG.info("continued after epoch %d, batch %d", progress.epoch, progress.batch)
        return progress, _part(tensors, "best.")


def _part(tensors: State, prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
