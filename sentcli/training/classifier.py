"""The objective of a classifier: the cross-entropy of the classes, with adversarial training."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sentcli.config import TrainConfig
from sentcli.datasets.labels import SURE
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.batches import length_buckets
from sentcli.text.tokenizer import UNK_ID
from sentcli.training.corpus import Examples, collate

# Words of a text whose change has its full size. It shrinks with the root of their number, so that each word
# of a short text changes as much as one of a long text; else a model hedges on sentences.
_ADVERSARIAL_WORDS = 200
_VALIDATION_TOKENS = 32_768  # padded tokens of a validation batch


def backward(
    model: BiLSTM, ids: Tensor, lengths: Tensor, targets: Tensor, config: TrainConfig
) -> tuple[Tensor, int, int]:
    """Add the gradients of one batch.

    :param ids: `[batch, tokens]`, with `lengths [batch]` (on the CPU) and `targets [batch, classes]`.
    :returns: the sum of the losses in nats, correct predictions, texts with a label.
    """
    autocast = torch.autocast(ids.device.type, torch.bfloat16, enabled=uses_bf16(config, ids.device))
    # In the loss of a batch, the sum of its targets is the weight of a text.
    smoothing, weights = config.label_smoothing, targets.sum(dim=1, keepdim=True)
    smooth = (1 - smoothing) * targets + smoothing / targets.shape[1] * weights
    with autocast:
        embedded = model.embed(drop_words(ids, config.word_dropout))
        embedded.retain_grad()
        logits = model.classify(embedded, lengths).float()
        loss = functional.cross_entropy(logits, smooth)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.adversarial and embedded.grad is not None:
        # Adversarial training on embeddings (T. Miyato, A. Dai and I. Goodfellow, 2017, section 3): a second
        # pass, with the vectors moved in the direction in which the loss grows most. A model that is still
        # right relies less on single rare words, such as the names of a film's actors.
        norm = embedded.grad.float().norm(dim=(0, 2), keepdim=True).clamp_min(1e-12)  # one per text
        with autocast:
            size = config.adversarial * (lengths / _ADVERSARIAL_WORDS).clamp(max=1).sqrt()
            moved = model.embed(ids) + size.to(norm.device)[:, None] * embedded.grad / norm
            loss = functional.cross_entropy(model.classify(moved, lengths).float(), smooth)
        loss.backward()  # type: ignore[no-untyped-call]
    # Reported without smoothing, so that it is comparable with the validation loss.
    plain = targets / weights
    reported = functional.cross_entropy(logits.detach(), plain, reduction="sum")
    return reported, *_correct(logits, targets)


def uses_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Return whether matrix products run in bfloat16: by `auto` if the hardware has it."""
    if config.precision == "fp32":
        return False
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # PyTorch (2.13) has no public function for this; without the private one, training is in fp32.
    has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and bool(has_bf16())


@torch.inference_mode()
def predict_logits(model: nn.Module, examples: Examples, device: torch.device) -> npt.NDArray[np.float32]:
    """Return what a model returns for texts, `[examples, outputs]`, in fp32."""
    model.eval()
    batches = length_buckets(examples.lengths.tolist(), _VALIDATION_TOKENS)
    logits = [model(*collate(examples, rows, device)[:2]).cpu().numpy() for rows in batches]
    return np.asarray(np.concatenate(logits)[np.argsort(np.concatenate(batches))], np.float32)


def loss_and_accuracy(logits: npt.NDArray[np.float32], examples: Examples) -> tuple[float, float]:
    """Return the mean cross-entropy in nats, and the accuracy.

    :param examples: texts, whose weights do not count; those without a label, see `Examples.has_label`,
        count in the loss alone.
    """
    given, targets = torch.from_numpy(logits), torch.from_numpy(examples.targets)
    targets = targets / targets.sum(1, keepdim=True)
    correct, labeled = _correct(given, targets)
    return functional.cross_entropy(given, targets).item(), correct / labeled


def _correct(logits: Tensor, targets: Tensor) -> tuple[int, int]:
    """Return the number of correct predictions, and of texts with a label; see `Examples.has_label`."""
    has_label = targets.amax(1) > SURE * targets.sum(1)
    return int((has_label & (logits.argmax(1) == targets.argmax(1))).sum()), int(has_label.sum())


def drop_words(ids: Tensor, share: float) -> Tensor:
    """Return the ids with a random share set to `<unk>`, padding too: no state or gradient depends on it."""
    if share == 0:
        return ids
    return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < share, UNK_ID)
