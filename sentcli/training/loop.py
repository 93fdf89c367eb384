"""The training loop: the epochs and steps of a model that learns to classify."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import entropy
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from sentcli.backends import Logits
from sentcli.config import LOG, TrainConfig
from sentcli.errors import TrainingError, option
from sentcli.model.bilstm import BiLSTM
from sentcli.model.bundle import HISTORY
from sentcli.scoring.scorer import progress_bar
from sentcli.text.tokenizer import UNK_ID
from sentcli.training.checkpoint import Checkpoint
from sentcli.training.classifier import backward
from sentcli.training.corpus import Examples, TokenIds, collate, epoch_batches
from sentcli.training.lazy_adamw import LazyAdamW

Validate = Callable[[nn.Module], tuple[float, float]]

_LEARNED = 0.95  # times the loss by frequencies: a model with a lower loss has learned from the texts
_TRIED = 12  # epochs before a network is left out; most with few texts are best after 7 to 10
_SMALLEST_NORM = 1e-6  # avoids a division by 0, as in torch.nn.utils.clip_grad_norm_


@dataclass(frozen=True)
class Run:
    """What one run of `fit` has of its own."""

    device: torch.device
    checkpoint: Path | None = None
    # Validation loss and accuracy after each epoch, if known; the learning rate follows `config.epochs`.
    known: Sequence[Sequence[float]] = ()
    name: str = ""  # the name of a part of the training, which is logged in less detail
    quiet: bool = False
    vary: Callable[..., TokenIds] | None = None  # returns the ids of a text, by random numbers
    ends: float = math.inf  # when to stop, by `time.monotonic`
    is_hopeless: Callable[..., bool] = lambda *_, **__: False  # to stop, by the logits of an epoch
    logits: list[Logits] = field(default_factory=list)  # after each epoch, for the validation texts


def fit(
    model: BiLSTM, train: Examples, validate: Validate, config: TrainConfig, run: Run
) -> list[dict[str, float]]:
    """Train a model, and leave it with the averaged weights of the epoch with the lowest validation loss.

    Write a checkpoint every few minutes, at the end, and when a signal asks to stop. If one exists, continue
    from it; the weights are then the same as those of an uninterrupted training.

    :param validate: returns loss and accuracy of a model after an epoch.
    :returns: a record for each epoch: losses, accuracies, learning rate, seconds, words/s.
    """
    torch.manual_seed(config.seed)
    learner = Learner(model, config, run.device)
    checkpoint = Checkpoint(run.checkpoint, model, learner.averaged, learner.optimizers, run.logits)
    progress, best = checkpoint.load()
    epochs, patience = (len(run.known), 0) if run.known else (config.epochs, config.patience)
    words = int(train.lengths.sum())
    loss_by_frequencies = float(entropy(train.targets.sum(axis=0)))  # of a model that knows nothing else

    while not progress.is_finished:
        batches = epoch_batches(train, config.batch_size, config.seed, progress.epoch)
        steps, first_step = config.epochs * len(batches), progress.epoch * len(batches)
        title = f"{run.name}epoch {progress.epoch + 1}/{epochs}"
        model.train()
        with progress_bar(
            quiet=run.quiet, desc=title, initial=progress.words, total=words, unit="words", unit_scale=True
        ) as bar:
            for rows in batches[progress.batch :]:
                started = time.perf_counter()
                rate = learning_rate(first_step + progress.batch, steps, config)
                random = np.random.default_rng((config.seed, progress.epoch, progress.batch))
                vary = partial(run.vary, random) if run.vary else None
                ids, lengths, targets = collate(train, rows, run.device, vary)
                loss, correct, labeled = learner.step(ids, lengths, targets, rate)
                progress.batch += 1
                progress.loss += loss
                progress.correct += correct
                progress.labeled += labeled
                progress.texts += len(rows)
                progress.words += int(lengths.sum())
                progress.seconds += time.perf_counter() - started
                _check_finite(loss, progress.epoch)
                bar.set_postfix_str(f"loss {progress.loss / progress.texts:.3f}", refresh=False)
                bar.update(int(lengths.sum()))
                checkpoint.save_if_due(progress, best)
                if time.monotonic() > run.ends:
                    LOG.info("%s: the time limit ends the training; its best state counts", title)
                    break

        learner.lazy.catch_up(torch.arange(len(model.embedding.weight), device=run.device))
        loss, accuracy = run.known[progress.epoch] if run.known else validate(learner.averaged.module)
        _check_finite(loss, progress.epoch)
        if loss < min((record["validation_loss"] for record in progress.history), default=math.inf):
            best = {name: value.clone() for name, value in learner.averaged.module.state_dict().items()}
        last_rate = learning_rate(first_step + len(batches) - 1, steps, config)
        progress = progress.next_epoch(loss, accuracy, last_rate)
        _log_epoch(title, progress.history[-1], run)
        if run.checkpoint and not run.name:  # for programs that watch the training
            pd.DataFrame(progress.history).to_csv(run.checkpoint.with_name(HISTORY), index=False)
        progress.is_finished = (
            progress.epoch == epochs
            or time.monotonic() > run.ends
            or has_stalled(progress.history, patience, loss_by_frequencies)
            or (len(run.logits) >= _TRIED and run.is_hopeless(run.logits[-1]))
        )
        checkpoint.save_if_due(progress, best)

    checkpoint.save(progress, best)
    model.load_state_dict(best)
    model.to("cpu").eval()
    return progress.history


def _log_epoch(title: str, record: Mapping[str, float], run: Run) -> None:
    names = "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"
    values = title, *(record[name] for name in names)
    line = "%s: train loss %.4f, accuracy %.4f; validation loss %.4f, accuracy %.4f; %s words/s"
    LOG.log(logging.DEBUG if run.name else logging.INFO, line, *values, f"{record['words_per_second']:,.0f}")


def has_stalled(history: Sequence[Mapping[str, float]], patience: int, loss_by_frequencies: float) -> bool:
    """Return whether the last `patience` epochs did not lower the validation loss; never for 0.

    A network with a rare class first learns the frequencies of the classes alone, for some epochs.
    """
    losses = [record["validation_loss"] for record in history]
    if not patience or min(losses, default=math.inf) >= _LEARNED * loss_by_frequencies:
        return False
    return len(losses) - losses.index(min(losses)) > patience


class Learner:
    """A model with its optimizers and the moving average (EMA) of its weights."""

    def __init__(self, model: BiLSTM, config: TrainConfig, device: torch.device) -> None:
        self.model = model.to(device)
        self.averaged = AveragedModel(model)
        average: Any = self.averaged.module
        average.lstm.flatten_parameters()  # on a GPU, a copy has its weights in many places
        pairs = zip(model.parameters(), average.parameters(), strict=True)
        self._dense = [(weight, mean) for weight, mean in pairs if weight is not model.embedding.weight]
        adamw: dict[str, Any] = {"lr": config.lr, "betas": (0.9, 0.999), "weight_decay": config.weight_decay}
        self.lazy = LazyAdamW(model.embedding, average.embedding, adamw)
        self._adamw = torch.optim.AdamW([weight for weight, _ in self._dense], **adamw, fused=True)
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (self._adamw, self.lazy)
        self._config = config

    def step(self, ids: Tensor, lengths: Tensor, targets: Tensor, rate: float) -> tuple[float, int, int]:
        """Make one step: gradients, clipping, update of the weights and of their average."""
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        rows = functional.pad(ids.flatten(), (0, 1), value=UNK_ID)  # word dropout reads `<unk>` too
        self.lazy.catch_up(torch.unique(rows))
        # In the backward pass, the hooks of `tie_gates` keep tied gates tied.
        loss, correct, labeled = backward(self.model, ids, lengths, targets, self._config)
        with torch.no_grad():
            gradients = [weight.grad for weight, _ in self._dense if weight.grad is not None]
            gradients.append(self.lazy.gradient())
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            for gradient in gradients:
                gradient.mul_((self._config.clip / (norm + _SMALLEST_NORM)).clamp_max(1.0))
            self._adamw.step()
            kept = _ema_decay(self._config.ema_decay, int(self.averaged.n_averaged))
            self.lazy.step(kept)
            for weight, mean in self._dense:
                mean.lerp_(weight, 1 - kept)
            self.averaged.n_averaged += 1
        return loss.item(), correct, labeled


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine to 1 % of the highest rate."""
    warmup = config.warmup * steps
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def _ema_decay(limit: float, updates: int) -> float:
    """Return the decay of the average, which rises to `limit` as (1 + updates) / (10 + updates).

    As in TensorFlow's ExponentialMovingAverage: with the full decay from the start, the average of a short
    training would be close to its first weights.
    """
    return min(limit, (1 + updates) / (10 + updates)) if updates else 0.0


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss became {loss} in epoch {epoch + 1}; try a lower {option('lr')}")
