"""Check that an exported model gives the same probabilities as its PyTorch model."""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sentcli.backends import Backend, Ids, Lengths
from sentcli.errors import ExportError
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.batches import pad
from sentcli.scoring.labels import Floats, softmax
from sentcli.text.tokenizer import UNK_ID

# Both compute in fp32, but sum in different orders. The included model differs by less than 1e-6.
_TOLERANCE = 1e-4  # largest difference of a probability
# An LSTM that learned from short texts can amplify rounding over hundreds of tokens. From the length on at
# which PyTorch in fp32 differs by more than this from fp64, a text shows nothing about the exported model.
_ROUNDING = _TOLERANCE / 10

_TEXTS = 512
_ROWS = 16  # texts of a batch, of mixed lengths, so that an error in masking the padding shows
_LONGEST = 1024  # tokens; longer texts take the same path in the graphs
_SHORT = 64  # tokens; in a longer text a wrong word vector changes the probability too little


def check_parity(model: BiLSTM, exported: Backend, file: Path, max_tokens: int) -> float:
    """Compare an exported model with PyTorch on synthetic texts of 1 to `max_tokens` tokens.

    :returns: the largest difference of a probability. Texts so long that the model amplifies PyTorch's own
        rounding are left out, if they are fewer than half.
    """
    original = copy.deepcopy(model).cpu().eval()
    batches = [*parity_batches(model.config.vocab_size, max_tokens)]
    classes = model.config.num_classes
    pairs = [
        (_softmax(exported.logits(*batch), classes), _probabilities(original, *batch)) for batch in batches
    ]
    probabilities, expected = map(np.concatenate, zip(*pairs, strict=True))
    differences = np.abs(probabilities - expected).max(axis=1)
    if not differences.max() <= _TOLERANCE:  # also when it is NaN
        exact = np.concatenate([_probabilities(original.double(), *batch) for batch in batches])
        is_unstable = np.abs(exact - expected).max(axis=1) > _ROUNDING
        lengths = np.concatenate([lengths for _, lengths in batches])
        is_stable = lengths < lengths[is_unstable].min(initial=np.iinfo(np.int32).max)
        if 2 * is_stable.sum() > len(is_stable):
            differences = differences[is_stable]
    largest = float(differences.max())
    if not largest <= _TOLERANCE:
        raise ExportError(
            f"{file.name}: its probabilities differ from PyTorch's by up to {largest:.2g}, more than "
            f"{_TOLERANCE:g}; it was not written; please report the model's config.json as a bug"
        )
    return largest


def _probabilities(model: BiLSTM, ids: Ids, lengths: Lengths) -> Floats:
    """Return the probabilities of a batch, `[texts, outputs]`, in the precision of the model."""
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()
    return _softmax(logits, model.config.num_classes)


def _softmax(logits: npt.NDArray[np.floating], classes: int) -> Floats:
    """Return the probabilities of the classes, and those of a neutral head."""
    return np.hstack([softmax(part) for part in np.split(logits, [classes], axis=1) if part.size])


def parity_batches(vocab_size: int, max_tokens: int) -> Iterator[tuple[Ids, Lengths]]:
    """Yield fixed synthetic batches: texts of mixed lengths, then short texts with every word."""
    random = np.random.default_rng(0)
    words = random.permutation(np.arange(UNK_ID, vocab_size))
    lengths = np.geomspace(1, min(max_tokens, _LONGEST), 64).round().astype(np.int64)
    texts = [random.choice(words, length) for length in random.permutation(np.resize(lengths, _TEXTS))]
    short = min(max_tokens, _SHORT)
    texts += [words[start : start + short] for start in range(0, len(words), short)]
    for start in range(0, len(texts), _ROWS):
        yield pad(texts[start : start + _ROWS])
