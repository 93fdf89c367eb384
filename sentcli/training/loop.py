"""The training loop."""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sentcli.config import TrainConfig
from sentcli.errors import STOP_SIGNALS, InterruptedRunError, TrainingError
from sentcli.scoring.progress import progress_bar
from sentcli.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint
from sentcli.training.examples import Examples, Ids, collate, epoch_batches
from sentcli.training.step import Trainer

if TYPE_CHECKING:
    from tqdm import tqdm

_log = logging.getLogger("sentcli")


def fit(
    trainer: Trainer,
    train: Examples,
    validation: Examples,
    config: TrainConfig,
    *,
    checkpoint: Path,
    fingerprint: Mapping[str, Any],
    quiet: bool = False,
    name: str = "",
    vary: Callable[[np.random.Generator, Ids], Ids] | None = None,
) -> list[dict[str, float]]:
    """Train a model and leave in it the averaged weights of the epoch with the lowest validation loss.

    A checkpoint is written after each epoch, and on Ctrl-C or SIGTERM after the batch or the validation at
    hand; if there is one, the run goes on from there to the same numbers as one that was never interrupted.

    :param config: `epochs`, `batch_size`, the learning rate and its schedule, `seed`.
    :param fingerprint: what the numbers depend on besides `config`; checked when a run goes on.
    :param name: of what is trained, to tell it from other runs in bar and log; "" for the only one.
    :param vary: changes the ids of a text each time that it is learnt from; None leaves them.
    :returns: a record for each epoch: losses, accuracies, learning rate, seconds, words/s.
    :raises InterruptedRunError: after a signal, once the checkpoint is written.
    :raises TrainingError: when the loss is no number any more.
    :raises DataError: when the checkpoint is damaged or that of another run.
    """
    torch.manual_seed(config.seed)
    model = trainer.model
    steps = config.epochs * math.ceil(len(train) / config.batch_size)
    fingerprint = {**fingerprint, **config.to_json(), "texts": f"{train.digest()} {validation.digest()}"}
    progress, best = Progress(), State()
    if checkpoint.exists():
        progress, best = load_checkpoint(checkpoint, fingerprint, model, trainer.averaged, trainer.optimizers)
        _log.info("%s", _found_line(progress, config, name))

    def save() -> None:
        save_checkpoint(checkpoint, progress, fingerprint, model, trainer.averaged, best, trainer.optimizers)

    def stopped(where: str) -> InterruptedRunError:
        return InterruptedRunError(
            f"stopped {where}; the same command with --resume goes on from there", stop[0]
        )

    with _stop_on_signal() as stop:
        while progress.epoch < config.epochs:
            batches = epoch_batches(train, config.batch_size, config.seed, progress.epoch)
            step = progress.epoch * len(batches)
            model.train()
            with _bar(progress, train, config, name, quiet) as bar:
                for rows in batches[progress.batch :]:
                    rate = learning_rate(step + progress.batch, steps, config)
                    random = np.random.default_rng((config.seed, progress.epoch, progress.batch))
                    varied = partial(vary, random) if vary else None
                    _learn(trainer, collate(train, rows, trainer.device, varied), rate, progress, bar)
                    if stop:
                        save()
                        raise stopped(
                            f"in epoch {progress.epoch + 1} after batch {progress.batch} of {len(batches)}"
                        )
            loss, accuracy = trainer.measure(validation)
            _check_finite(loss, progress)
            if loss < progress.best_loss:
                best = {name: value.clone() for name, value in trainer.averaged.module.state_dict().items()}
            rate = learning_rate(step + len(batches) - 1, steps, config)  # of the last batch
            progress = progress.next_epoch(loss, accuracy, rate)
            save()
            _log.info("%s", _epoch_line(progress.history[-1], config, name))
            if stop:  # while it was validated
                raise stopped(f"after epoch {progress.epoch} of {config.epochs}")
    trainer.release()
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
    ids, lengths, targets = batch
    words = int(lengths.sum())
    loss, correct, predictions = trainer.step(ids, lengths, targets, rate)
    progress.batch += 1
    progress.loss += loss
    progress.correct += correct
    progress.predictions += predictions
    progress.words += words
    progress.seconds += time.perf_counter() - started
    _check_finite(progress.loss, progress)
    bar.set_postfix_str(_running(progress), refresh=False)
    bar.update(words)


def _check_finite(loss: float, progress: Progress) -> None:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss became {loss} in epoch {progress.epoch + 1}; try a lower --lr")


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Rise linearly over the warm-up, then fall along half a cosine to a hundredth of the highest rate."""
    warmup = config.warmup * steps
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


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
    for number in STOP_SIGNALS:
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN:  # as nohup and & leave it
            previous[number] = handler  # first: `note` looks it up
            signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _bar(
    progress: Progress,
    train: Examples,
    config: TrainConfig,
    name: str,
    quiet: bool,
) -> "tqdm[Any]":
    return progress_bar(
        quiet=quiet,
        total=int(train.lengths.sum()),
        initial=progress.words,
        desc=f"{name} epoch {progress.epoch + 1}/{config.epochs}".lstrip(),
        unit="words",
        unit_scale=True,
    )


def _running(progress: Progress) -> str:
    predictions = max(progress.predictions, 1)  # a language model may have had nothing to guess so far
    loss, accuracy = progress.loss / predictions, progress.correct / predictions
    return f"loss {loss:.3f}, accuracy {accuracy:.3f}"


def _found_line(progress: Progress, config: TrainConfig, name: str) -> str:
    """Say how far an earlier run came, or another model that begins with the same one."""
    prefix = f"{name}: " if name else ""
    if progress.epoch == config.epochs:
        return f"{prefix}trained already"
    return f"{prefix}going on after epoch {progress.epoch}, batch {progress.batch}"


def _epoch_line(record: Mapping[str, float], config: TrainConfig, name: str) -> str:
    return (
        f"{name} epoch {record['epoch']}/{config.epochs}: ".lstrip()
        + f"train loss {record['train_loss']:.4f}, accuracy {record['train_accuracy']:.4f}; "
        f"validation loss {record['validation_loss']:.4f}, accuracy {record['validation_accuracy']:.4f}; "
        f"{record['words_per_second']:,.0f} words/s"
    )
