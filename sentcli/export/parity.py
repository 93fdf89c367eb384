"""The check that an exported model agrees with the one it was made from."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sentcli.backends import Backend, Logits
from sentcli.batching import Ids, Lengths, pad
from sentcli.errors import ExportError
from sentcli.evaluation import softmax
from sentcli.model import BiLSTM
from sentcli.text import UNK_ID

# Sums in another order, and onnxruntime's sigmoid and tanh: 1e-7 to 1e-6 of a logit on models of 32 to 128
# states trained on IMDb. On tiny data with high rates states were off by up to 1.7e-6, of the 1 that they can
# be, all one way, and a logit by that times the weights of the classifier: 1.9e-5.
_FP32_LOGITS = 1e-5
_FP32_STATE = 5e-6
# A long text of unlike words can make of one rounding a thousand, in PyTorch too: of a model trained on 240
# texts one of the texts below was off by 2.6e-4 of a logit, PyTorch itself by 1.2e-3 from double precision.
# So one text in a hundred may be further off, by less than what could matter to a label.
_FP32_SHARE = 0.01
_FP32_PROBABILITY = 1e-3
# Weights and words in 7 bits, activations in 8: on three trained models and the texts below, which lie nearer
# to the border than real ones, the largest difference was 0.025, and 0.6 % of the labels changed.
_INT8_PROBABILITY = 0.05
_INT8_CHANGED = 0.02

_TEXTS = 512
_ROWS = 16  # texts a batch, of all lengths: what padding would spoil comes to light
_LONG = 1024  # tokens; longer texts come alone, so that memory does not grow with 16 of them


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its origin.

    :param logits: largest difference of a logit.
    :param probability: largest difference of a probability.
    :param changed: share of texts that get another label.
    """

    logits: float
    probability: float
    changed: float


def check_parity(model: BiLSTM, exported: Backend, file: Path, *, max_tokens: int, precision: str) -> Parity:
    """Compare an exported model with its origin on texts of 1 to `max_tokens` tokens.

    :param file: what an error calls the exported model.
    :param precision: `fp32` or `int8`, which settles how close is close enough.
    :raises ExportError: when they differ by more.
    """
    original = copy.deepcopy(model).cpu().eval()
    wanted, found = [], []
    for ids, lengths in parity_batches(model.config.vocab_size, max_tokens):
        wanted.append(_logits(original, ids, lengths))
        found.append(exported.logits(ids, lengths))
    logits, answers = np.concatenate(wanted), np.concatenate(found)
    parity = _compare(logits, answers)
    weights = float(original.classifier.weight.detach().abs().sum(1).max())
    bound = max(_FP32_LOGITS, _FP32_STATE * weights)
    share = float((np.abs(logits - answers).max(axis=1) > bound).mean())
    if precision == "fp32" and (share > _FP32_SHARE or parity.probability > _FP32_PROBABILITY):
        raise ExportError(
            f"{file.name}: its logits differ from PyTorch's by up to {parity.logits:.2g}, and for "
            f"{share:.1%} of the texts by more than {bound:.2g}; nothing was written"
        )
    if precision == "int8" and (parity.probability > _INT8_PROBABILITY or parity.changed > _INT8_CHANGED):
        raise ExportError(
            f"{file.name}: int8 moves probabilities by up to {parity.probability:.2g} and changes "
            f"{parity.changed:.2%} of the labels, more than {_INT8_PROBABILITY:g} and {_INT8_CHANGED:.0%}; "
            "nothing was written; try --precision fp32"
        )
    return parity


def parity_batches(vocab_size: int, max_tokens: int) -> Iterator[tuple[Ids, Lengths]]:
    """Draw the same synthetic texts each time: of all lengths, with nearly all words, from no data set.

    :returns: batches of mixed lengths, from 1 to `max_tokens`; word n of the vocabulary is drawn 1/n times as
        often as the first, which is about how words are distributed (Zipf's law).
    """
    generator = np.random.default_rng(0)
    words = np.arange(UNK_ID, vocab_size)
    frequencies = 1 / np.arange(1, len(words) + 1)
    frequencies /= frequencies.sum()
    lengths = np.geomspace(1, max_tokens, 64).round().astype(np.int64)
    mixed = generator.permutation(np.resize(lengths[lengths <= _LONG], _TEXTS))
    batches = [mixed[start : start + _ROWS] for start in range(0, _TEXTS, _ROWS)]
    if max_tokens > _LONG:
        batches.append(lengths[-1:])
    for batch in batches:
        yield pad([generator.choice(words, length, p=frequencies) for length in batch])


def _logits(model: BiLSTM, ids: Ids, lengths: Lengths) -> Logits:
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids), torch.from_numpy(lengths))
    return logits.numpy()  # type: ignore[no-any-return]


def _compare(wanted: Logits, found: Logits) -> Parity:
    probabilities = softmax(wanted.astype(np.float64)), softmax(found.astype(np.float64))
    return Parity(
        float(np.abs(wanted - found).max()),
        float(np.abs(probabilities[0] - probabilities[1]).max()),
        float((wanted.argmax(axis=1) != found.argmax(axis=1)).mean()),
    )
