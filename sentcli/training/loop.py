"""The training loop."""

import logging
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from sentcli.batching import length_buckets, pad
from sentcli.config import TrainConfig
from sentcli.errors import InterruptedRunError, TrainingError
from sentcli.model import BiLSTM
from sentcli.text import UNK_ID
from sentcli.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint

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
    :returns: a record for each epoch: losses, accuracies, learning rate, words/s.
    :raises InterruptedRunError: after a signal, once the checkpoint is written.
    :raises DataError: when `resume` finds a damaged checkpoint or one of another run.
    """
    torch.manual_seed(config.seed)
    model.to(device)
    averaged = AveragedModel(model, multi_avg_fn=partial(_average, config.average))
    optimizer = _optimizer(model, config, device)
    autocast = torch.autocast(device.type, torch.bfloat16) if uses_bf16(config, device) else nullcontext()
    steps = config.epochs * math.ceil(len(train) / config.batch_size)
    fingerprint = {**fingerprint, **config.to_json(), "examples": [len(train), len(validation)]}
    progress, best = Progress(), State()
    if resume and checkpoint.exists():
        progress, best = load_checkpoint(checkpoint, fingerprint, model, averaged, optimizer)
        logger.info("going on after epoch %d, batch %d", progress.epoch, progress.batch)

    def save() -> None:
        save_checkpoint(checkpoint, progress, fingerprint, model, averaged, best, optimizer)

    with _stop_on_signal() as stop:
        while progress.epoch < config.epochs:
            batches = epoch_batches(train, config, progress.epoch)
            step = progress.epoch * len(batches)
            bar = _bar(progress, train, batches, config, quiet)
            model.train()
            for rows in batches[progress.batch :]:
                started = time.perf_counter()
                rate = learning_rate(step + progress.batch, steps, config)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                ids, lengths, labels = collate(train, rows, device)
                words = int(lengths.sum())
                with autocast:
                    logits = model(drop_words(ids, config.word_dropout), lengths)
                    loss = functional.cross_entropy(
                        logits.float(), labels, label_smoothing=config.label_smoothing
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
                optimizer.step()
                averaged.update_parameters(model)

                progress.batch += 1
                # Without smoothing, to be comparable with the validation loss.
                progress.loss += functional.cross_entropy(
                    logits.detach().float(), labels, reduction="sum"
                ).item()
                progress.correct += int((logits.argmax(1) == labels).sum())
                progress.examples += len(rows)
                progress.words += words
                progress.seconds += time.perf_counter() - started
                bar.set_postfix_str(_running(progress), refresh=False)
                bar.update(words)
                if stop:
                    bar.close()
                    save()
                    raise InterruptedRunError(
                        f"stopped in epoch {progress.epoch + 1} after batch {progress.batch} of "
                        f"{len(batches)}; the same command with --resume goes on from there",
                        stop[0],
                    )
            bar.close()

            validation_loss, validation_accuracy = measure(averaged.module, validation, device)
            if not math.isfinite(validation_loss):
                raise TrainingError(
                    f"the loss became {validation_loss} in epoch {progress.epoch + 1}; try a lower --lr"
                )
            record = {
                "epoch": progress.epoch + 1,
                "train_loss": progress.loss / progress.examples,
                "train_accuracy": progress.correct / progress.examples,
                "validation_loss": validation_loss,
                "validation_accuracy": validation_accuracy,
                "lr": learning_rate(step + len(batches) - 1, steps, config),  # of the last batch
                "seconds": progress.seconds,
                "words_per_second": progress.words / progress.seconds,
            }
            if validation_loss < progress.best_loss:
                best = {name: value.clone() for name, value in averaged.module.state_dict().items()}
            progress = Progress(
                epoch=progress.epoch + 1,
                history=[*progress.history, record],
                best_loss=min(validation_loss, progress.best_loss),
            )
            save()
            logger.info(_epoch_line(record, config))
    model.load_state_dict(best)
    model.to("cpu").eval()
    return progress.history


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


def drop_words(ids: Tensor, share: float) -> Tensor:
    """Turn a share of the words, drawn anew each time, into `<unk>`.

    Padding is turned too, which no state and no gradient sees.
    """
    if share == 0:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < share, UNK_ID)


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


def _average(decay: float, averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
    """Move the average towards the weights; its memory grows from some steps to that of `decay`.

    The growth, (1 + updates) / (10 + updates), is that of TensorFlow's ExponentialMovingAverage: without it,
    the average of a short run would be of the weights that it began with.
    """
    decay = min(decay, (1 + int(updates)) / (10 + int(updates)))
    get_ema_multi_avg_fn(decay)(averaged, current, updates)  # type: ignore[no-untyped-call]


def uses_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Tell whether matrix products run in bfloat16: asked for, or `auto` and the hardware has it."""
    if config.precision == "auto":
        if device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and _cpu_has_bf16()
    return config.precision == "bf16"


def _cpu_has_bf16() -> bool:
    # The public torch.cpu has no such question yet (2.13); a release without the private one trains in fp32.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())


def _optimizer(model: BiLSTM, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), config.lr, fused=True)
    return torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay, fused=True)


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
    batches: Sequence[npt.NDArray[np.intp]],
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
