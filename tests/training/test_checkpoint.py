"""Checkpoints: all of a run comes back, or none of it."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sentcli.errors import DataError, OutputError
from sentcli.training import checkpoint
from sentcli.training.checkpoint import Progress, load_checkpoint, save_checkpoint

FINGERPRINT = {"seed": 3, "lr": 0.1, "glove": "none", "texts": "5f"}
HISTORY = [{"epoch": 1, "validation_loss": 0.1 + 0.2}]


class Run:
    """A small run that has made some steps, of its own random numbers."""

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

    def save(self, path: Path, **fingerprint: object) -> None:
        state = (self.model, self.averaged, self.best, self.optimizers)
        save_checkpoint(path, self.progress, FINGERPRINT | fingerprint, *state)

    def load(self, path: Path) -> None:
        state = (self.model, self.averaged, self.optimizers)
        self.progress, self.best = load_checkpoint(path, FINGERPRINT, *state)

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
    run, path = Run(5), tmp_path / "deep" / ".model.checkpoint"
    run.save(path)
    return run, path


def test_all_of_a_run_comes_back(saved: tuple[Run, Path]) -> None:
    run, path = saved
    other = Run(2)
    assert not same(other, run)
    other.load(path)
    assert same(other, run)
    for going_on in (run, other):
        torch.manual_seed(0)
        going_on.load(path)  # the random numbers of the next step as well
        going_on.step()
    assert same(other, run)
    other.step()
    assert not same(other, run)


def test_a_run_that_has_not_begun_comes_back(tmp_path: Path) -> None:
    run, other = Run(0), Run(2)
    run.progress, run.best = Progress(), {}
    run.save(tmp_path / "c")
    other.load(tmp_path / "c")
    assert (other.progress, other.best) == (Progress(), {})
    assert other.progress.best_loss == float("inf")
    assert all(optimizer.state_dict()["state"] == {} for optimizer in other.optimizers)


def test_the_file_holds_numbers_and_json_alone(saved: tuple[Run, Path]) -> None:
    content = saved[1].read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    metadata = header.pop("__metadata__")
    assert json.loads(metadata["fingerprint"]).items() > FINGERPRINT.items()
    assert metadata.keys() == {"fingerprint", "progress", "sha256"}
    assert 8 + size + max(tensor["data_offsets"][1] for tensor in header.values()) == len(content)
    assert b"pickle" not in content
    assert list(saved[1].parent.iterdir()) == [saved[1]]


def test_every_damage_is_found(saved: tuple[Run, Path]) -> None:
    path = saved[1]
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    other = Run(2)
    damaged = [content[:length] for length in range(0, len(content), 97)]
    for place in [*range(header), *range(header, len(content), 53)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 7
        damaged.append(bytes(flipped))
    for wrong in damaged:
        path.write_bytes(wrong)
        with pytest.raises(DataError, match="delete it to start again") as caught:
            other.load(path)
        assert str(path) in str(caught.value)
    assert same(other, Run(2))  # nothing was taken


def test_a_file_without_what_a_checkpoint_says_is_none(tmp_path: Path) -> None:
    save_file({"model.weight": torch.zeros(2, 3)}, tmp_path / "c")
    with pytest.raises(DataError, match="delete it to start again"):
        Run(2).load(tmp_path / "c")
    with pytest.raises(DataError, match="not a checkpoint"):
        Run(2).load(tmp_path)
    with pytest.raises(DataError, match="not a checkpoint"):
        Run(2).load(tmp_path / "none")


def test_another_run_is_refused_and_nothing_of_it_taken(saved: tuple[Run, Path]) -> None:
    run, path = saved
    other = Run(2)
    run.save(path, seed=4, glove="x" * 500, decay=0.5)
    with pytest.raises(DataError) as caught:
        other.load(path)
    assert "decay was 0.5, is None; glove was 'xxx" in str(caught.value)
    again = "repeat its command, or delete this folder to start again"
    assert str(caught.value).endswith(f"; seed was 4, is 3; {again}")
    assert len(str(caught.value)) < 400 + len(str(path))
    assert same(other, Run(2))


def test_one_of_an_earlier_version_is_refused(saved: tuple[Run, Path], monkeypatch) -> None:
    run, path = saved
    monkeypatch.setattr(checkpoint, "_FORMAT", 1)
    run.save(path)
    monkeypatch.undo()
    with pytest.raises(DataError, match="another one: format was 1, is 2"):
        Run(2).load(path)


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
    with pytest.raises(OutputError, match="checkpoint cannot be written: No space left"):
        run.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_next_epoch_begins_with_a_record_of_the_last() -> None:
    progress = Progress(2, 5, loss=20.0, correct=30, predictions=40, words=999, seconds=3.0, history=HISTORY)
    progress = progress.next_epoch(0.6, 0.8, 0.001)
    record = {
        "epoch": 3,
        "train_loss": 0.5,
        "train_accuracy": 0.75,
        "validation_loss": 0.6,
        "validation_accuracy": 0.8,
        "lr": 0.001,
        "seconds": 3.0,
        "words_per_second": 333.0,
    }
    assert progress == Progress(epoch=3, history=[*HISTORY, record], best_loss=0.6)
    worse = Progress(3, 1, 1.0, 1, 1, 1, 1.0, best_loss=0.6).next_epoch(0.9, 0.5, 0.001)
    assert worse.best_loss == 0.6
