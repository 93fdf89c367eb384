"""The comparison of an exported model with PyTorch."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_model, torch_logits

from sentcli.errors import ExportError
from sentcli.export.export import check_parity, parity_batches

FILE = Path("somewhere", "model.onnx")


class Moved:
    """A backend whose first logit is off by a constant."""

    def __init__(self, model, by=0.0):
        self._model, self._by = model, by

    def logits(self, ids, lengths):
        logits = torch_logits(self._model, ids, lengths)
        logits[:, 0] += np.float32(self._by)
        return logits


@pytest.fixture(scope="module")
def doubtful_model():
    """A model with probabilities near 0.5, which move by a quarter of a logit's difference."""
    model = make_model()
    model.classifier.weight.data *= 1e-4
    model.classifier.bias.data[:] = 0
    return model


def test_the_largest_difference_of_a_probability_is_returned(doubtful_model):
    assert check_parity(doubtful_model, Moved(doubtful_model, 2e-4), FILE, 20) == pytest.approx(5e-5, rel=0.1)


def test_a_wrong_neutral_head_is_an_error():
    model = make_model(neutral_head=True)
    assert check_parity(model, Moved(model), FILE, 20) == 0
    other = copy.deepcopy(model)
    other.neutral_head.bias.data[1] += 0.01
    with pytest.raises(ExportError, match="probabilities differ"):
        check_parity(model, Moved(other), FILE, 20)


@pytest.mark.parametrize("by", [5e-4, -5e-4, 1.0, np.nan])
def test_more_than_1e_4_is_an_error(doubtful_model, by):
    with pytest.raises(ExportError, match=r"^model\.onnx: its probabilities differ from PyTorch's by up to"):
        check_parity(doubtful_model, Moved(doubtful_model, by), FILE, 20)


def test_one_wrong_word_is_found():
    model = make_model(vocab_size=3000)
    other = copy.deepcopy(model)
    other.embedding.weight.data[2718] += 0.1
    with pytest.raises(ExportError, match="probabilities differ"):
        check_parity(model, Moved(other), FILE, 40)


class Amplifying(torch.nn.Module):
    """A model whose rounding grows to a hundredth of a logit in texts of more than some tokens."""

    def __init__(self, model, longest):
        super().__init__()
        self.model, self.config, self.longest = model, model.config, longest

    def forward(self, ids, lengths):
        logits = self.model(ids, lengths)
        if logits.dtype == torch.float32:
            logits[lengths > self.longest, 0] += 0.01
        return logits


@pytest.mark.parametrize(
    ("longest", "by", "is_accepted"), [(300, 0, True), (300, 0.01, False), (2, 0, False)]
)
def test_texts_so_long_that_a_model_amplifies_rounding_are_left_out(longest, by, is_accepted):
    model = make_model()
    amplifying, exported = Amplifying(model, longest), Moved(model, by)
    if is_accepted:
        assert check_parity(amplifying, exported, FILE, 400) < 1e-4
    else:
        with pytest.raises(ExportError, match="probabilities differ"):
            check_parity(amplifying, exported, FILE, 400)


def test_texts_have_all_lengths_in_mixed_batches():
    batches = list(parity_batches(60, 400))
    lengths = np.concatenate([lengths for _, lengths in batches])
    assert (lengths.min(), lengths.max()) == (1, 400)
    assert all(len(set(lengths.tolist())) > 5 for _, lengths in batches[:32])
    for ids, lengths in batches:
        assert ids.shape == (len(lengths), lengths.max())
        assert ((ids > 0) == (np.arange(ids.shape[1]) < lengths[:, None])).all()


def test_every_word_is_in_a_short_text():
    seen = {word for ids, _ in parity_batches(3000, 400) if ids.shape[1] <= 64 for word in ids[ids > 0]}
    assert seen == {*range(1, 3000)}


def test_texts_are_never_longer_than_max_tokens_or_1024():
    assert max(ids.shape[1] for ids, _ in parity_batches(3000, 20)) == 20
    assert max(ids.shape[1] for ids, _ in parity_batches(60, 100_000)) == 1024
