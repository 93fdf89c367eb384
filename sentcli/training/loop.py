"""The training loop: the epochs and steps of a model that learns to classify."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sentcli.config import TrainConfig
from sentcli.errors import TrainingError
from sentcli.evaluation.report import accuracy_of_texts
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring import stop
from sentcli.scoring.predict import progress_bar
from sentcli.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint
from sentcli.training.classifier import Classification
from sentcli.training.examples import Examples, Ids, collate, epoch_batches
from sentcli.training.lazy_adamw import LazyAdamW

_log = logging.getLogger("sentcli")

_SAVE_SECONDS = 120  # between two checkpoints
_STILL_FALLS = 0.02
_LEARNT = 0.95  # times the loss by frequencies: a model with a lower loss has learnt from the texts
_SMALLEST_NORM = 1e-6  # avoids a division by 0, as in torch.nn.utils.clip_grad_norm_


def fit(
    model: BiLSTM,
    objective: Classification,
    train: Examples,
    validate: Callable[[nn.Module, int], tuple[float, float]],
    config: TrainConfig,
    device: torch.device,
    *,
    texts: int,
    checkpoint: Path | None = None,
    last_epoch: int | None = None,
    quiet: bool = False,
    name: str = "",
    vary: Callable[[np.random.Generator, Ids], Ids] | None = None,
) -> list[dict[str, float]]:
    """Train a model, and leave it with the averaged weights of the epoch with the lowest validation loss.

    Write a checkpoint every few minutes, at the end, and when a signal asks to stop. If one exists, continue
    from it; the weights are then the same as those of an uninterrupted training.

    :param validate: returns loss and accuracy of a model after an epoch, numbered from 0.
    :param config: `epochs`, `patience`, `batch_size`, `seed`, the settings of optimizer and learning rate.
    :param texts: the number of texts of this accuracy, for the log.
    :param checkpoint: its file; None: write none.
    :param last_epoch: the number of epochs, if it is known; the learning rate follows `epochs`.
    :param name: of a part of the training, which is logged in less detail.
    :param vary: a function that changes the ids of a text each time it is used; None for no change.
    :returns: a record for each epoch: losses, accuracies, learning rate, seconds, words/s.
    :raises StopRequested: after a signal, once the checkpoint is written.
    :raises TrainingError: when the loss is no longer finite.
    :raises DataError: when the checkpoint is damaged.
    """
    torch.manual_seed(config.seed)
    learner = Learner(model, config, device)
    state = (model, learner.averaged)
    progress, best = Progress(), State()
    if checkpoint and checkpoint.exists():
        progress, best = load_checkpoint(checkpoint, *state, learner.optimizers)
        _log.info("continued after epoch %d, batch %d", progress.epoch, progress.batch)

    saved = time.monotonic()

    def save(*, now: bool = False) -> None:
        """Save now, on a signal, which then ends the training, or some minutes after the last time."""
        nonlocal saved
        ends = stop.requested()
        if checkpoint and (now or ends or time.monotonic() - saved > _SAVE_SECONDS):
            save_checkpoint(checkpoint, progress, *state, best, learner.optimizers)
            saved = time.monotonic()
        if ends:
            stop.check()

    epochs, patience = (last_epoch, 0) if last_epoch else (config.epochs, config.patience)
    loss_by_frequencies = _loss_by_frequencies(train)
    while progress.epoch < epochs and not has_stalled(progress.history, patience, loss_by_frequencies):
        batches = epoch_batches(train, config.batch_size, config.seed, progress.epoch)
        steps = config.epochs * len(batches)
        title = f"{name}epoch {progress.epoch + 1}/{epochs}"
        words: Any = {"unit": "words", "unit_scale": True, "total": int(train.lengths.sum())}
        model.train()
        with progress_bar(quiet=quiet, desc=title, initial=progress.words, **words) as bar:
            for rows in batches[progress.batch :]:
                started = time.perf_counter()
                rate = learning_rate(progress.epoch * len(batches) + progress.batch, steps, config)
                random = np.random.default_rng((config.seed, progress.epoch, progress.batch))
                batch = collate(train, rows, device, partial(vary, random) if vary else None)
                loss, correct, labelled = learner.step(objective, *batch, rate)
                progress.batch += 1
                progress.loss += loss
                progress.correct += correct
                progress.labelled += labelled
                progress.texts += len(rows)
                progress.words += int(batch[1].sum())
                progress.seconds += time.perf_counter() - started
                _check_finite(progress.loss, progress.epoch)
                bar.set_postfix_str(f"loss {progress.loss / progress.texts:.3f}", refresh=False)
                bar.update(int(batch[1].sum()))
                save()
        learner.lazy.settle()
        loss, accuracy = validate(learner.averaged.module, progress.epoch)
        _check_finite(loss, progress.epoch)
        if loss < progress.best_loss:
            best = {each: value.clone() for each, value in learner.averaged.module.state_dict().items()}
        rate = learning_rate((progress.epoch + 1) * len(batches) - 1, steps, config)  # of the last batch
        progress = progress.next_epoch(loss, accuracy, rate)
        _log.log(
            logging.DEBUG if name else logging.INFO,
            "%s: train loss %.4f, accuracy %.4f; validation loss %.4f, accuracy %s; %s words/s",
            title,
            *(progress.history[-1][f"train_{figure}"] for figure in ("loss", "accuracy")),
            *(loss, accuracy_of_texts(accuracy, texts)),
            f"{progress.history[-1]['words_per_second']:,.0f}",
        )
        save()
    save(now=True)
    learner.lazy.release()
    model.load_state_dict(best)
    model.to("cpu").eval()
    return progress.history


def _loss_by_frequencies(examples: Examples) -> float:
    """Return the mean loss of a model that knows only the frequencies of the classes."""
    shares = examples.targets.sum(axis=0) / examples.targets.sum()
    return float(-sum(share * math.log(share) for share in shares.tolist() if share))


def has_stalled(history: Sequence[Mapping[str, float]], patience: int, loss_by_frequencies: float) -> bool:
    """Return whether the last `patience` epochs did not lower the validation loss; never for 0.

    A network with a rare class first learns the frequencies of the classes alone, for some epochs.
    """
    losses = [record["validation_loss"] for record in history]
    if not patience or min(losses, default=math.inf) >= _LEARNT * loss_by_frequencies:
        return False
    return len(losses) - losses.index(min(losses)) > patience


def has_more_to_learn(history: Sequence[Mapping[str, float]], epochs: int) -> bool:
    """Return whether the last epoch of all lowered the validation loss by more than `_STILL_FALLS`."""
    losses = [record["validation_loss"] for record in history]
    return len(losses) == epochs > 1 and losses[-1] < (1 - _STILL_FALLS) * min(losses[:-1])


class Learner:
    """A model with its optimizers and the moving average (EMA) of its weights.

    Embeddings get sparse gradients and a separate optimizer, which updates the rows that a batch reads.
    """

    def __init__(self, model: BiLSTM, config: TrainConfig, device: torch.device) -> None:
        self.model = model.to(device)
        self.averaged = AveragedModel(model)
        pairs = list(zip(model.modules(), self.averaged.module.modules(), strict=True))
        embeddings = {
            each: average
            for each, average in pairs
            if isinstance(each, nn.Embedding) and isinstance(average, nn.Embedding)
        }
        sparse = {id(each.weight) for each in embeddings}
        self._dense = [
            (each, average)
            for each, average in zip(model.parameters(), self.averaged.module.parameters(), strict=True)
            if id(each) not in sparse
        ]
        decay = config.weight_decay if config.optimizer == "adamw" else 0.0
        self.lazy = LazyAdamW(embeddings, config.lr, decay)
        self._adamw = torch.optim.AdamW(
            [each for each, _ in self._dense], config.lr, weight_decay=decay, fused=True
        )
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (self._adamw, self.lazy)
        self._config = config

    def step(
        self, objective: Classification, ids: Tensor, lengths: Tensor, targets: Tensor, rate: float
    ) -> tuple[float, int, int]:
        """Make one step: gradients, clipping, update of the weights and of their average.

        :returns: as `Classification.backward`, of the model before the step.
        """
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        # Two hooks act here. The hook of LazyAdamW brings rows up to date before the embedding reads them.
        # In the backward pass, the hooks of `tie_gates` keep tied gates tied.
        loss, correct, labelled = objective.backward(self.model, ids, lengths, targets)
        with torch.no_grad():
            gradients = [each.grad for each, _ in self._dense if each.grad is not None]
            gradients += self.lazy.gradients()
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            for gradient in gradients:
                gradient.mul_((self._config.clip / (norm + _SMALLEST_NORM)).clamp_max(1.0))
            self._adamw.step()
            kept = _ema_decay(self._config.ema_decay, int(self.averaged.n_averaged))
            self.lazy.step(kept)
            for each, average in self._dense:
                average.lerp_(each, 1 - kept)
            self.averaged.n_averaged += 1
        return loss.item(), correct, labelled


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine to 1 % of the highest rate."""
    warmup = config.warmup * steps
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    share = (step - warmup) / max(1.0, steps - warmup)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


def _ema_decay(most: float, updates: int) -> float:
    """Return the decay of the average, which rises to `most` as (1 + updates) / (10 + updates).

    As in TensorFlow's ExponentialMovingAverage: with the full decay from the start, the average of a short
    training would be close to its first weights.
    """
    return min(most, (1 + updates) / (10 + updates)) if updates else 0.0


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(f"the loss became {loss} in epoch {epoch + 1}; try a lower --lr")
