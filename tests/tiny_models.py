"""Models that are small enough for every test, with weights that are far from zero."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from sentcli.backends import Ids, Lengths
from sentcli.config import ModelConfig
from sentcli.model.bilstm import BiLSTM, round_embedding
from sentcli.scoring.batches import pad

VOCAB_SIZE = 60


def has_bf16() -> bool:
    """Return whether this CPU runs an LSTM in bf16."""
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            make_model()(torch.ones(2, 1, dtype=torch.int64), torch.ones(2, dtype=torch.int32))
    except RuntimeError:
        return False
    return True


def make_model(**shape: object) -> BiLSTM:
    """A model of random weights, large enough for its probabilities to be far apart."""
    torch.manual_seed(3)
    settings = {"vocab_size": VOCAB_SIZE, "embedding_dim": 10, "hidden_size": 6} | shape
    model = BiLSTM(ModelConfig(**settings)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 3 if "classifier" in name else 0.6)
        model.embedding.weight[0] = 0
        if model.ngrams is not None:
            model.ngrams.weight[:, -1] **= 2  # of each value
            model.ngrams.weight[[0, model.config.vocab_size]] = 0  # <pad>, and pairs that end with it
    round_embedding(model)
    return model


def make_batch(rows: int, longest: int, seed: int = 0, vocab_size: int = VOCAB_SIZE) -> tuple[Ids, Lengths]:
    """Texts of mixed lengths, one of them as long as can be and one of a single word."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, rows)
    lengths[0], lengths[-1] = longest, 1
    return pad([generator.integers(1, vocab_size, length) for length in lengths])


def torch_logits(model: BiLSTM, ids: Ids, lengths: Lengths) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()
