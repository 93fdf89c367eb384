"""The training loop."""

import hashlib
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from sentcli.batching import length_buckets, pad
from sentcli.config import TrainConfig
from sentcli.errors import InterruptedRunError, TrainingError
from sentcli.model import BiLSTM
from sentcli.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint
from sentcli.training.step import Trainer

logger = logging.getLogger("sentcli")

_POOL = 50  # batches whose reviews are sorted by length together: little padding, still well mixed
_EVALUATION_TOKENS = 32_768  # padded tokens of a validation batch


@dataclass(frozen=True)
class Examples:
    """Encoded texts `ids[i]` (at least one id each) and their classes `labels [n]`."""

    ids: Sequence[Sequence[int]]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


def fit(
    model: BiLSTM,
    train: Examples,
    validation: Examples,
    config: TrainConfig,
    *,
    device: torch.device,
    checkpoint: Path,
    fingerprint: Mapping[str, Any],
    resume: bool = False,
    quiet: bool = False,
) -> list[dict[str, float]]:
    """Train the model and leave in it the averaged weights of the epoch with the lowest validation loss.

    A checkpoint is written after each epoch, and on Ctrl-C or SIGTERM after the batch at hand; with `resume`
    the run goes on from there to the same numbers as one that was never interrupted.

    :param fingerprint: what the numbers depend on besides `config`; checked at `resume`.
    :returns: a record for each epoch: losses, accuracies, learning rate, seconds, words/s.
    :raises InterruptedRunError: after a signal, once the checkpoint is written.
    :raises TrainingError: when the loss is no number any more.
    :raises DataError: when `resume` finds a damaged checkpoint or one of another run.
    """
    torch.manual_seed(config.seed)
    trainer = Trainer(model, config, device)
    steps = config.epochs * math.ceil(len(train) / config.batch_size)
    fingerprint = {**fingerprint, **config.to_json(), "texts": _digest(train, validation)}
    progress, best = Progress(), State()
    if resume and checkpoint.exists():
        progress, best = load_checkpoint(checkpoint, fingerprint, model, trainer.averaged, trainer.optimizer)
        logger.info("going on after epoch %d, batch %d", progress.epoch, progress.batch)

    def save() -> None:
        save_checkpoint(checkpoint, progress, fingerprint, model, trainer.averaged, best, trainer.optimizer)

    with _stop_on_signal() as stop:
        while progress.epoch < config.epochs:
            batches = epoch_batches(train, config, progress.epoch)
            step = progress.epoch * len(batches)
            model.train()
            with _bar(progress, train, config, quiet) as bar:
                for rows in batches[progress.batch :]:
                    rate = learning_rate(step + progress.batch, steps, config)
                    _learn(trainer, collate(train, rows, device), rate, progress, bar)
                    if stop:
                        save()
                        raise InterruptedRunError(
                            f"stopped in epoch {progress.epoch + 1} after batch {progress.batch} of "
                            f"{len(batches)}; the same command with --resume goes on from there",
                            stop[0],
                        )
            loss, accuracy = measure(trainer.averaged.module, validation, device)
            _check_finite(loss, progress)
            if loss < progress.best_loss:
                best = {name: value.clone() for name, value in trainer.averaged.module.state_dict().items()}
            rate = learning_rate(step + len(batches) - 1, steps, config)  # of the last batch
            progress = progress.next_epoch(loss, accuracy, rate)
            save()
            logger.info(_epoch_line(progress.history[-1], config))
    model.load_state_dict(best)
    model.to("cpu").eval()
    return progress.history


def _learn(
    trainer: Trainer,
    batch: tuple[Tensor, Tensor, Tensor],
    rate: float,
    progress: Progress,
    bar: "tqdm[Any]",
) -> None:
    """Make a step and note down how it went."""
    started = time.perf_counter()
    ids, lengths, labels = batch
    words = int(lengths.sum())
    loss, correct = trainer.step(ids, lengths, labels, rate)
    progress.batch += 1
    progress.loss += loss
    progress.correct += correct
    progress.examples += len(labels)
    progress.words += words
    progress.seconds += time.perf_counter() - started
    _check_finite(progress.loss, progress)
    bar.set_postfix_str(_running(progress), refresh=False)
    bar.update(words)


def _check_finite(loss: float, progress: Progress) -> None:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss became {loss} in epoch {progress.epoch + 1}; try a lower --lr")


def _digest(*parts: Examples) -> str:
    """Give a SHA-256 that other texts or classes, or the same in another order, do not have."""
    digest = hashlib.sha256()
    for examples in parts:
        for numbers in [*examples.ids, examples.labels.tolist()]:
            digest.update(len(numbers).to_bytes(8) + np.array(numbers, np.int64).tobytes())
    return digest.hexdigest()


def epoch_batches(train: Examples, config: TrainConfig, epoch: int) -> list[npt.NDArray[np.intp]]:
    """Draw the batches of an epoch: shuffled, and within pools of some batches sorted by length."""
    random = np.random.default_rng((config.seed, epoch))
    lengths = np.fromiter(map(len, train.ids), np.int64, len(train))
    order = random.permutation(len(train))
    batches: list[npt.NDArray[np.intp]] = []
    for start in range(0, len(order), _POOL * config.batch_size):
        pool = order[start : start + _POOL * config.batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + config.batch_size] for at in range(0, len(pool), config.batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def collate(
    examples: Examples, rows: npt.NDArray[np.intp], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Give padded ids `[batch, tokens]`, lengths `[batch]` and labels `[batch]`.

    The lengths stay on the CPU, where packing wants them.
    """
    ids, lengths = pad([examples.ids[row] for row in rows])
    labels = torch.from_numpy(examples.labels[rows])
    return torch.from_numpy(ids).to(device), torch.from_numpy(lengths), labels.to(device)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Rise linearly over the warm-up, then fall along half a cosine to a hundredth of the highest rate."""
    warmup = config.warmup * steps
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


@torch.inference_mode()
def measure(model: torch.nn.Module, examples: Examples, device: torch.device) -> tuple[float, float]:
    """Give mean cross-entropy in nats and accuracy, in fp32."""
    model.eval()
    loss, correct = 0.0, 0
    for rows in length_buckets([len(ids) for ids in examples.ids], _EVALUATION_TOKENS):
        ids, lengths, labels = collate(examples, rows, device)
        logits = model(ids, lengths)
        loss += functional.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(examples), correct / len(examples)


@contextmanager
def _stop_on_signal() -> Iterator[list[int]]:
    """Give a list that gets the first signal to stop; a second one has its usual effect at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and & leave it
            previous[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _bar(
    progress: Progress,
    train: Examples,
    config: TrainConfig,
    quiet: bool,
) -> "tqdm[Any]":
    return tqdm(
        total=sum(map(len, train.ids)),
        initial=progress.words,
        desc=f"epoch {progress.epoch + 1}/{config.epochs}",
        unit="words",
        unit_scale=True,
        leave=False,
        disable=True if quiet else None,
    )


def _running(progress: Progress) -> str:
    loss, accuracy = progress.loss / progress.examples, progress.correct / progress.examples
    return f"loss {loss:.3f}, accuracy {accuracy:.3f}"


def _epoch_line(record: Mapping[str, float], config: TrainConfig) -> str:
    return (
        f"epoch {record['epoch']}/{config.epochs}: "
        f"train loss {record['train_loss']:.4f}, accuracy {record['train_accuracy']:.4f}; "
        f"validation loss {record['validation_loss']:.4f}, accuracy {record['validation_accuracy']:.4f}; "
        f"{record['words_per_second']:,.0f} words/s"
    )
