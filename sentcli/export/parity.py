"""Check that an exported model gives the same probabilities as its PyTorch model."""

import copy
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sentcli.backends import Backend, Ids, Lengths
from sentcli.errors import ExportError
from sentcli.model.bilstm import BiLSTM
from sentcli.scoring.batches import pad
from sentcli.scoring.labels import softmax
from sentcli.scoring.predict import progress_bar
from sentcli.text.vocabulary import UNK_ID

_log = logging.getLogger("sentcli")

# Both compute in fp32, but sum in different orders. The included model differs by less than 1e-6.
_TOLERANCE = 1e-4  # of a probability

_TEXTS = 512
_ROWS = 16  # texts of a batch, of mixed lengths, so that an error in masking the padding shows
_LONGEST = 1024  # tokens; longer texts take the same path in the graphs
_SHORT = 64  # tokens; in a longer text a wrong word vector changes the probability too little


def check_parity(model: BiLSTM, exported: Backend, file: Path, max_tokens: int) -> float:
    """Compare an exported model with PyTorch on synthetic texts of 1 to `max_tokens` tokens.

    :param file: the name of the exported model in an error.
    :returns: the largest difference of a probability.
    :raises ExportError: when it is more than 1e-4.
    """
    original = copy.deepcopy(model).cpu().eval()
    differences = []
    batches = [*parity_batches(model.config.vocab_size, max_tokens)]
    is_quiet = not _log.isEnabledFor(logging.INFO)
    for ids, lengths in progress_bar(batches, quiet=is_quiet, desc=f"checking {file.name}", unit="batches"):
        with torch.inference_mode():
            wanted = original(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()
        found = exported.logits(ids, lengths)
        differences.append(np.abs(softmax(wanted) - softmax(found)).max())
    largest = float(np.max(differences))
    if not largest <= _TOLERANCE:  # also when it is NaN
        raise ExportError(
            f"{file.name}: its probabilities differ from PyTorch's by up to {largest:.2g}, more than "
            f"{_TOLERANCE:g}; it was not written; please report the model's config.json as a bug"
        )
    return largest


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
