"""Checkpoints: all of a training comes back, or none of it."""

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sentcli.errors import DataError, OutputError
from sentcli.training.checkpoint import Checkpoint, Progress

HISTORY = [{"epoch": 1, "validation_loss": 0.1 + 0.2}]


class Run:
    """A small training that has made some steps, from its own random numbers."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.model = nn.Linear(3, 2)
        self.averaged = AveragedModel(self.model)
        weights = self.model.weight, self.model.bias
        self.optimizers = [torch.optim.AdamW([each], 0.1, fused=True) for each in weights]
        self.best = {"weight": torch.rand(2, 3), "bias": torch.rand(2)}
        self.progress = Progress(2, 5, 1.25, 30, 40, 999, 0.1 + 0.2, HISTORY, 0.7)
        for _ in range(seed):
            self.step()

    def step(self) -> None:
        self.model.zero_grad()
        self.model(torch.rand(4, 3)).square().sum().backward()
        for optimizer in self.optimizers:
            optimizer.step()
        self.averaged.update_parameters(self.model)

    def save(self, path: Path) -> None:
        Checkpoint(path, self.model, self.averaged, self.optimizers).save(self.progress, self.best)

    def load(self, path: Path) -> None:
        self.progress, self.best = Checkpoint(path, self.model, self.averaged, self.optimizers).load()

    def tensors(self) -> dict[object, torch.Tensor]:
        parts = [self.model.state_dict(), self.averaged.state_dict(), self.best]
        for optimizer in self.optimizers:
            parts += optimizer.state_dict()["state"].values()
        return {(number, name): value for number, part in enumerate(parts) for name, value in part.items()}


def same(left: Run, right: Run) -> bool:
    mine, others = left.tensors(), right.tensors()
    alike = mine.keys() == others.keys() and all(torch.equal(mine[name], others[name]) for name in mine)
    return alike and left.progress == right.progress


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Run, Path]:
    run, path = Run(5), tmp_path / "model.safetensors"
    run.save(path)
    return run, path


def test_all_of_a_training_comes_back(saved: tuple[Run, Path]) -> None:
    run, path = saved
    other = Run(2)
    other.load(path)
    assert same(other, run)
    for continued in (run, other):
        torch.manual_seed(0)
        continued.load(path)  # the random numbers of the next step as well
        continued.step()
    assert same(other, run)
    other.step()
    assert not same(other, run)


def test_a_damaged_file_is_refused_and_nothing_of_it_is_taken(saved: tuple[Run, Path]) -> None:
    path, other = saved[1], Run(2)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"not a checkpoint.*overwrite"):
            other.load(path)
    save_file({"model.weight": torch.zeros(2, 3)}, path)
    for wrong in (path, path.parent):
        with pytest.raises(DataError, match="not a checkpoint"):
            other.load(wrong)
    assert same(other, Run(2))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_the_old_one_stays_when_the_new_one_cannot_be_written(
    saved: tuple[Run, Path], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    run, path = saved
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run.step()
    monkeypatch.setattr(*(os, call) if call == "fsync" else (Path, call), fail)
    with pytest.raises(OutputError, match=r"model\.safetensors.*: No space left"):
        run.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
