"""The check that an exported model agrees with the one it was made from."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sentcli.backends import Backend, Ids, Lengths, Logits
from sentcli.errors import ExportError
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.batches import pad
from sentcli.scoring.labels import softmax
from sentcli.text.vocabulary import UNK_ID

# Sums in another order, and onnxruntime's sigmoid and tanh: 1e-7 to 1e-6 of a logit on models of 32 to 128
# states trained on IMDb. On tiny data with high rates states were off by up to 1.7e-6, of the 1 that they can
# be, all one way, and a logit by that times the weights of the classifier: 1.9e-5.
_FP32_LOGITS = 1e-5
_FP32_STATE = 5e-6
# A long text of unlike words can make of one rounding a thousand: of a model trained on 240 texts one of the
# texts below was off by 2.6e-4 of a logit, PyTorch itself by 1.2e-3 from double precision. So a text may be
# further off where roundings move it by so much anyway, as the double-precision model tells.
_ROUNDINGS = 10.0  # times what they move it: sums are in another order, sigmoid and tanh other formulas
_TRIALS = 4  # by chance one of them may hardly move a text
# onnxruntime's tanh is off by up to 3.3e-7, its sigmoid by 1.7e-7, PyTorch's by 0.9e-7 at most: at each step
# the same way, as if a bias were another. A sigmoid is that far off where its sum is by four times as much.
_BIAS = 4 * 1.7e-7
# Weights and words in 7 bits, activations in 8: on three trained models and the texts below, which lie nearer
# to the border than real ones, the largest difference was 0.025, and 0.6 % of the labels changed.
_INT8_PROBABILITY = 0.05
_INT8_CHANGED = 0.02

_TEXTS = 512
_ROWS = 16  # texts a batch, of all lengths: what padding would spoil comes to light
_SHORT = 64  # tokens
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
    batches = list(parity_batches(model.config.vocab_size, max_tokens))
    if precision == "fp32":
        batches += every_word(model.config.vocab_size, max_tokens)
    wanted = [_logits(original, *batch) for batch in batches]
    found = [exported.logits(*batch) for batch in batches]
    parity = _compare(np.concatenate(wanted), np.concatenate(found))
    if precision == "fp32":
        weights = float(original.classifier.weight.detach().abs().sum(1).max())
        bound = max(_FP32_LOGITS, _FP32_STATE * weights)
        for batch, ours, theirs in zip(batches, wanted, found, strict=True):
            off = np.abs(ours - theirs).max(axis=1)
            if (off <= bound).all():
                continue
            if not (off <= np.maximum(bound, _ROUNDINGS * _roundings(original, *batch, ours))).all():
                raise ExportError(
                    f"{file.name}: its logits differ from PyTorch's by up to {parity.logits:.2g}, more than "
                    f"{bound:.2g} and than roundings explain; nothing was written"
                )
    if precision == "int8" and (parity.probability > _INT8_PROBABILITY or parity.changed > _INT8_CHANGED):
        raise ExportError(
            f"{file.name}: int8 moves probabilities by up to {parity.probability:.2g} and changes "
            f"{parity.changed:.2%} of the labels, where {_INT8_PROBABILITY:g} and {_INT8_CHANGED:.0%} are "
            "the most; nothing was written; try --precision fp32"
        )
    return parity


def write_checked(
    path: Path, content: bytes, model: BiLSTM, exported: Backend, *, max_tokens: int, precision: str
) -> Parity:
    """Write an exported model, if it agrees with its origin.

    :param content: of the file.
    :param exported: the same, ready to run; for the other parameters and errors see `check_parity`.
    """
    parity = check_parity(model, exported, path, max_tokens=max_tokens, precision=precision)
    path.write_bytes(content)
    return parity


def parity_batches(vocab_size: int, max_tokens: int) -> Iterator[tuple[Ids, Lengths]]:
    """Draw the same synthetic texts each time: of all lengths, from no data set.

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


def every_word(vocab_size: int, max_tokens: int) -> Iterator[tuple[Ids, Lengths]]:
    """Put each word of the vocabulary into one text, in an order that is the same each time.

    Drawn by how words are distributed, four of five words of a vocabulary of 55,000 would not be seen at all.

    :returns: batches of short texts: in a long one a word could be wrong and change next to nothing.
    """
    words = np.random.default_rng(0).permutation(np.arange(UNK_ID, vocab_size))
    short = min(max_tokens, _SHORT)
    texts = [words[start : start + short] for start in range(0, len(words), short)]
    for start in range(0, len(texts), _ROWS):
        yield pad(texts[start : start + _ROWS])


def _logits(model: BiLSTM, ids: Ids, lengths: Lengths) -> Logits:
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids), torch.from_numpy(lengths))
    return logits.numpy()  # type: ignore[no-any-return]


def _roundings(model: BiLSTM, ids: Ids, lengths: Lengths, logits: Logits) -> npt.NDArray[np.float64]:
    """Give how far roundings move a logit of each text, `[texts]`.

    The largest of some differences from double precision: of PyTorch's fp32, and of weights that are changed
    by what rounding them to fp32 could change, and biases by what the gates' functions could.

    :param logits: of the model, in fp32.
    """
    exact_model = copy.deepcopy(model).double()
    exact = _logits(exact_model, ids, lengths)
    moved = [logits - exact]
    generator = torch.Generator().manual_seed(0)
    for _ in range(_TRIALS):
        other = copy.deepcopy(exact_model)
        for name, parameter in other.named_parameters():
            share = 2 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 1
            parameter.data *= 1 + torch.finfo(torch.float32).eps / 2 * share
            if name.startswith("lstm.bias"):
                parameter.data += _BIAS * share
        moved.append(_logits(other, ids, lengths) - exact)
    largest: npt.NDArray[np.float64] = np.abs(moved).max(axis=(0, 2))
    return largest


def _compare(wanted: Logits, found: Logits) -> Parity:
    return Parity(
        float(np.abs(wanted - found).max()),
        float(np.abs(softmax(wanted) - softmax(found)).max()),
        float((wanted.argmax(axis=1) != found.argmax(axis=1)).mean()),
    )
