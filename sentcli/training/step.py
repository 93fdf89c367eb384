"""One step of training: loss, gradient, update of the weights and of their average."""

from abc import ABC, abstractmethod
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from sentcli.config import TrainConfig
from sentcli.errors import UsageError
from sentcli.model.bilstm import BiLSTM, has_lstm
from sentcli.text.vocabulary import UNK_ID
from sentcli.training.examples import Examples, evaluation_batches
from sentcli.training.lazy_adamw import RowAdamW

_SMALLEST_NORM = 1e-6  # of gradients, as in torch.nn.utils.clip_grad_norm_


class Trainer(ABC):
    """All that a step changes: a model, the moving average of its weights, and the optimizer."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.model = model.to(device)
        self.averaged = AveragedModel(model)
        embeddings = {
            each: average
            for each, average in zip(model.modules(), self.averaged.module.modules(), strict=True)
            if isinstance(each, nn.Embedding) and isinstance(average, nn.Embedding)
        }
        of_rows = {id(each.weight) for each in embeddings}
        self._dense = [
            (each, average)
            for each, average in zip(model.parameters(), self.averaged.module.parameters(), strict=True)
            if id(each) not in of_rows
        ]
        decay = config.weight_decay if config.optimizer == "adamw" else 0.0
        self._rows = RowAdamW(embeddings, config.lr, decay)
        self._others = torch.optim.AdamW(
            [each for each, _ in self._dense], config.lr, weight_decay=decay, fused=True
        )
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (self._others, self._rows)
        self.device = device
        self._config = config
        bf16 = uses_bf16(config, device)
        self._autocast = torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()

    @abstractmethod
    def step(self, ids: Tensor, lengths: Tensor, targets: Tensor, rate: float) -> tuple[float, int, int]:
        """Learn from one batch.

        :param ids: `[batch, tokens]`, with `lengths [batch]` (on the CPU) and `targets [batch, classes]`.
        :param rate: learning rate.
        :returns: of the model as it was before, the sum of the losses in nats, and of how many predictions
            how many were right: `(loss, right, predictions)`.
        """

    def measure(self, examples: Examples) -> tuple[float, float]:
        """Give mean loss in nats and accuracy of the averaged weights, in fp32."""
        self._rows.settle()
        return self._measure(examples)

    def release(self) -> None:
        """Leave the model as a module that others may use."""
        self._rows.release()

    @abstractmethod
    def _measure(self, examples: Examples) -> tuple[float, float]: ...

    def _begin(self, rate: float) -> None:
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _update(self) -> None:
        gradients = [each.grad for each, _ in self._dense if each.grad is not None]
        gradients += self._rows.gradients()
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        for gradient in gradients:
            gradient.mul_((self._config.clip / (norm + _SMALLEST_NORM)).clamp_max(1.0))
        self._others.step()
        kept = _kept(self._config.average, int(self.averaged.n_averaged))
        self._rows.step(kept)
        for each, average in self._dense:
            average.lerp_(each, 1 - kept)
        self.averaged.n_averaged += 1


class ClassifierTrainer(Trainer):
    """Teaches a BiLSTM the classes of texts.

    :param class_weights: of `balanced_weights`, to learn each class alike, however rare; None: as they come.
    """

    model: BiLSTM

    def __init__(
        self,
        model: BiLSTM,
        config: TrainConfig,
        device: torch.device,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__(model, config, device)
        self._class_weights = None if class_weights is None else class_weights.to(device)
        # Class priors, from inverting `balanced_weights`.
        self._priors = (
            None if class_weights is None else (1 / (len(class_weights) * class_weights)).to(device)
        )

    def step(self, ids: Tensor, lengths: Tensor, targets: Tensor, rate: float) -> tuple[float, int, int]:
        """Learn from one batch; see `Trainer`. The loss is the cross-entropy."""
        self._begin(rate)
        with self._autocast:
            embedded = self.model.embed(drop_words(ids, self._config.word_dropout))
            embedded.retain_grad()
            logits = self.model.classify(embedded, lengths).float()
            loss = self._loss(logits, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._config.adversarial and embedded.grad is not None:
            self._add_adversarial_gradient(ids, lengths, targets, embedded.grad)
        self._update()
        # Without smoothing, to be comparable with the validation loss.
        cross_entropy = functional.cross_entropy(logits.detach(), targets, reduction="sum").item()
        return cross_entropy, _right(logits, targets), len(targets)

    def _measure(self, examples: Examples) -> tuple[float, float]:
        """Give mean cross-entropy and accuracy of the averaged weights; see `Trainer`.

        The loss is weighed by class: the best epoch for all classes alike is not that for the largest.
        """
        return measure(self.averaged.module, examples, self.device, self._class_weights)

    def _add_adversarial_gradient(
        self, ids: Tensor, lengths: Tensor, targets: Tensor, gradient: Tensor
    ) -> None:
        """Add the gradient of the same texts, their vectors moved to where the loss rises fastest.

        Adversarial training on embeddings (Miyato, Dai and Goodfellow, 2017, section 3): a model that must
        hold there too leans less on single rare words, such as the names of a film's actors.

        :param gradient: of the loss by the vectors, `[tokens, batch, embedding_dim]`.
        """
        norm = gradient.float().norm(dim=(0, 2), keepdim=True).clamp_min(1e-12)  # one a text
        with self._autocast:
            moved = self.model.embed(ids) + self._config.adversarial * gradient / norm
            loss = self._loss(self.model.classify(moved, lengths).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Give the mean cross-entropy; with class weights, of logits to which the log priors were added.

        So the model itself learns what speaks for a class whatever its prior. Weighing the texts in place of
        that comes to nothing once all texts of training are right, as they soon are where one class is rare
        (A. Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021, equation 10).
        """
        smoothing = self._config.label_smoothing
        if self._priors is None:
            return functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        # Towards the priors: by its prior alone a frequent class would be as sure as uniform smoothing asks.
        smooth = torch.lerp(targets, self._priors, smoothing)
        return functional.cross_entropy(logits + self._priors.log(), smooth)


def balanced_weights(targets: npt.NDArray[np.float32]) -> Tensor:
    """Give each class the same say in the loss: n / (classes * count), float32 `[classes]`.

    The formula of scikit-learn's `class_weight="balanced"`, after G. King and L. Zeng, "Logistic Regression
    in Rare Events Data", 2001. The weights of all n texts have the mean 1.

    :param targets: the probability of each class, `[n, classes]`; a count is their sum.
    """
    counts = targets.sum(axis=0, dtype=np.float64)
    return torch.from_numpy((len(targets) / (len(counts) * np.maximum(counts, 1))).astype(np.float32))


@torch.inference_mode()
def measure(
    model: nn.Module, examples: Examples, device: torch.device, class_weights: Tensor | None = None
) -> tuple[float, float]:
    """Give mean cross-entropy in nats, weighed by class, and accuracy of a classifier, in fp32."""
    model.eval()
    loss, right = 0.0, 0
    for _, (ids, lengths, targets) in evaluation_batches(examples, device):
        logits = model(ids, lengths)
        losses = functional.cross_entropy(logits, targets, reduction="none")
        loss += (losses if class_weights is None else losses * (targets @ class_weights)).sum().item()
        right += _right(logits, targets)
    return loss / len(examples), right / len(examples)


def _right(logits: Tensor, targets: Tensor) -> int:
    return int((logits.argmax(1) == targets.argmax(1)).sum())


def drop_words(ids: Tensor, share: float) -> Tensor:
    """Turn a share of the words, drawn anew each time, into `<unk>`.

    Padding is turned too, which no state and no gradient sees.
    """
    if share == 0:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < share, UNK_ID)


def uses_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Tell whether matrix products run in bfloat16: asked for, or `auto` and the hardware has it."""
    if config.precision == "auto":
        if device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and _cpu_has_bf16()
    return config.precision == "bf16"


def check_precision(config: TrainConfig, device: torch.device) -> None:
    """Refuse bf16 where it is asked for and the processor cannot.

    :raises UsageError: then.
    """
    if config.precision == "bf16" and device.type == "cpu" and not has_lstm(torch.bfloat16):
        raise UsageError("--precision bf16: this processor has no instructions for it; leave it to auto")


def _cpu_has_bf16() -> bool:
    # The public torch.cpu has no such question yet (2.13); a release without the private one trains in fp32.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())


def _kept(most: float, updates: int) -> float:
    """Give the share of the average that it keeps: little at first, then all but `1 - most`.

    It rises as (1 + updates) / (10 + updates), as in TensorFlow's ExponentialMovingAverage: otherwise the
    average of a short run would be little but the weights that it began with.
    """
    return min(most, (1 + updates) / (10 + updates)) if updates else 0.0
