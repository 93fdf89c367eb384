"""The state of a training run on the disk, all that the next step depends on, as one safetensors file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sentcli.errors import DataError, OutputError
from sentcli.files.atomic import new_file

State = dict[str, Tensor]

_FORMAT = 2  # of the file; the first had one optimizer for all weights


@dataclass
class Progress:
    """Where a run stands.

    :param epoch: epochs that are complete.
    :param batch: batches of the next epoch that are done.
    :param loss, correct, predictions, words, seconds: sums over these batches.
    :param history: one record for each complete epoch.
    :param best_loss: lowest validation loss so far.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    correct: int = 0
    predictions: int = 0
    words: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = float("inf")

    def next_epoch(self, loss: float, accuracy: float, rate: float) -> "Progress":
        """Complete the epoch at hand.

        :param loss, accuracy: on the validation part.
        :param rate: learning rate of the last batch.
        """
        record = {
            "epoch": self.epoch + 1,
            "train_loss": self.loss / max(self.predictions, 1),
            "train_accuracy": self.correct / max(self.predictions, 1),
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "lr": rate,
            "seconds": self.seconds,
            "words_per_second": self.words / self.seconds,
        }
        return Progress(self.epoch + 1, history=[*self.history, record], best_loss=min(loss, self.best_loss))


def save_checkpoint(
    path: Path,
    progress: Progress,
    fingerprint: Mapping[str, Any],
    model: nn.Module,
    averaged: nn.Module,
    best: State,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Replace the checkpoint in one step, so that a crash leaves the old or the new one.

    :param fingerprint: what the run's numbers depend on; a run with another one cannot go on from here.
    :raises OutputError: when it cannot be written; the old one is still there.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"averaged.{name}": value for name, value in averaged.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": value for name, value in values.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    tensors = {name: value.detach().cpu().clone() for name, value in tensors.items()}
    fingerprint = {**fingerprint, "format": _FORMAT}
    metadata = {"progress": json.dumps(vars(progress)), "fingerprint": json.dumps(fingerprint)}
    content = save(tensors, {**metadata, "sha256": _digest(tensors, metadata)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as file:
            file.write(content)
    except OSError as error:
        with suppress(OSError):
            path.parent.rmdir()  # if there is nothing else in it
        raise OutputError(f"{path}: the checkpoint cannot be written: {error.strerror}") from error


def load_checkpoint(
    path: Path,
    fingerprint: Mapping[str, Any],
    model: nn.Module,
    averaged: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
) -> tuple[Progress, State]:
    """Put model, average, optimizer and random states back to what they were.

    :returns: where the run stands, and the best weights so far.
    :raises DataError: when the file is damaged, or of a run with other settings, data or vectors.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not a checkpoint: {error}; delete it to start again") from None
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        raise DataError(f"{path}: the checkpoint is damaged; delete it to start again")
    check_same_run(path, json.loads(metadata["fingerprint"]), {**fingerprint, "format": _FORMAT})
    model.load_state_dict(_part(tensors, "model."))
    averaged.load_state_dict(_part(tensors, "averaged."))
    for number, optimizer in enumerate(optimizers):
        state: dict[int, State] = {}
        for name, value in _part(tensors, f"optimizer.{number}.").items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return Progress(**json.loads(metadata["progress"])), _part(tensors, "best.")


def check_same_run(path: Path, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with a run that another command began.

    :param path: where it was saved.
    :param saved, wanted: what the numbers of either run depend on.
    :raises DataError: naming what differs.
    """
    changed = [
        f"{name} was {saved.get(name)!r:.60}, is {wanted.get(name)!r:.60}"
        for name in sorted(saved.keys() | wanted.keys())
        if saved.get(name) != wanted.get(name)
    ]
    if changed:
        what_now = "repeat its command, or delete this folder to start again"
        raise DataError(f"{path}: the interrupted run was another one: {'; '.join(changed[:4])}; {what_now}")


def _digest(tensors: State, metadata: Mapping[str, str]) -> str:
    """Give a SHA-256 of all that a checkpoint says; safetensors has no checksum of its own."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _part(tensors: State, prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
