import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_model, torch_logits

from sentcli.errors import ExportError
from sentcli.export.parity import check_parity, every_word, parity_batches

FILE = Path("somewhere", "model.onnx")


class Moved:
    """A backend whose first logit is off by a constant, and which gives every n-th text the other label.

    :param move_every: only every n-th text is off.
    """

    name = "moved"

    def __init__(self, model, by=0.0, turn_every=0, move_every=1):
        self._model, self._by, self._turn_every = model, by, turn_every
        self._move_every = move_every
        self._rows = 0

    def logits(self, ids, lengths):
        logits = torch_logits(self._model, ids, lengths)
        for row in range(len(logits)):
            self._rows += 1
            if self._rows % self._move_every == 0:
                logits[row, 0] += np.float32(self._by)
            if self._turn_every and self._rows % self._turn_every == 0:
                logits[row] = logits[row, ::-1]
        return logits


class Turned:
    """A backend that does the same with units in another order, and so sums in another order."""

    name = "turned"

    def __init__(self, model):
        self._model = copy.deepcopy(model)
        hidden = model.config.hidden_size
        order = torch.arange(hidden - 1, -1, -1)
        for name, weights in self._model.lstm.named_parameters():
            gates = weights.data.view(4, hidden, -1)[:, order]
            weights.data = (gates[:, :, order] if "weight_hh" in name else gates).reshape(weights.shape)
        pooled = self._model.classifier.weight.data.view(model.config.num_classes, -1, hidden)
        self._model.classifier.weight.data = pooled[:, :, order].flatten(1)

    def logits(self, ids, lengths):
        return torch_logits(self._model, ids, lengths)


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def doubtful_model():
    """A model that finds every text about as probably of one class as of the other."""
    model = make_model()
    model.classifier.weight.data *= 1e-4
    model.classifier.bias.data[:] = 0
    return model


def test_difference_is_reported(model):
    parity = check_parity(model, Moved(model, 5e-6), FILE, max_tokens=20, precision="fp32")
    assert 4e-6 < parity.logits < 6e-6
    assert 0 < parity.probability < 5e-6
    assert parity.changed == 0


@pytest.mark.parametrize("by", [2e-5, -2e-5, 1.0])
def test_fp32_has_to_be_within_1e_5(doubtful_model, by):
    check_parity(
        doubtful_model, Moved(doubtful_model, by / abs(by) * 9e-6), FILE, max_tokens=20, precision="fp32"
    )
    with pytest.raises(ExportError, match=r"^model\.onnx: its logits differ .* more than 1e-05"):
        check_parity(doubtful_model, Moved(doubtful_model, by), FILE, max_tokens=20, precision="fp32")


def test_of_large_weights_fp32_has_to_be_within_a_share(model):
    weights = float(model.classifier.weight.detach().abs().sum(1).max())
    assert weights > 3
    check_parity(model, Moved(model, 4.9e-6 * weights), FILE, max_tokens=20, precision="fp32")
    with pytest.raises(ExportError, match="logits differ"):
        check_parity(model, Moved(model, 6e-6 * weights), FILE, max_tokens=20, precision="fp32")


def test_a_single_text_that_is_off_is_enough(doubtful_model):
    moved = Moved(doubtful_model, 2e-5, move_every=500)  # of 512 texts
    with pytest.raises(ExportError, match="logits differ"):
        check_parity(doubtful_model, moved, FILE, max_tokens=20, precision="fp32")


def test_texts_of_which_roundings_make_much_may_be_off_by_as_much():
    model = make_model()
    for name, weights in model.lstm.named_parameters():
        if "weight_hh" in name:
            weights.data *= 8  # so that small differences grow from word to word
    weights = float(model.classifier.weight.detach().abs().sum(1).max())
    parity = check_parity(model, Turned(model), FILE, max_tokens=400, precision="fp32")
    assert parity.logits > 20 * 5e-6 * weights
    by = 3 * parity.logits
    with pytest.raises(ExportError, match=r"more than .* and than roundings explain"):
        check_parity(model, Moved(model, by), FILE, max_tokens=400, precision="fp32")


def test_functions_of_the_gates_may_be_off_as_those_of_onnxruntime_are(monkeypatch):
    model = make_model()
    for name, weights in model.lstm.named_parameters():
        if "weight_hh" in name:
            weights.data *= 4
    leaning = Moved(copy.deepcopy(model))
    for name, weights in leaning._model.lstm.named_parameters():
        if name.startswith("bias"):
            weights.data += 3e-7  # all of them one way
    parity = check_parity(model, leaning, FILE, max_tokens=400, precision="fp32")
    assert parity.logits > 1e-3
    monkeypatch.setattr("sentcli.export.parity._BIAS", 0.0)
    with pytest.raises(ExportError, match=r"more than .* and than roundings explain"):
        check_parity(model, leaning, FILE, max_tokens=400, precision="fp32")


def test_int8_may_be_further_away(model):
    parity = check_parity(model, Moved(model, 0.02), FILE, max_tokens=20, precision="int8")
    assert 0.001 < parity.probability < 0.01


def test_int8_must_not_move_a_probability_far(model):
    with pytest.raises(ExportError, match=r"int8 moves probabilities by up to 0\.1"):
        check_parity(model, Moved(model, 0.6), FILE, max_tokens=20, precision="int8")


def test_int8_must_not_change_many_labels(doubtful_model):
    every_hundredth = Moved(doubtful_model, turn_every=100)
    parity = check_parity(doubtful_model, every_hundredth, FILE, max_tokens=20, precision="int8")
    assert parity.changed == pytest.approx(0.01, abs=0.001)
    with pytest.raises(ExportError, match=r"changes 2\.5\d% of the labels"):
        check_parity(
            doubtful_model, Moved(doubtful_model, turn_every=39), FILE, max_tokens=20, precision="int8"
        )


def test_the_model_itself_is_left_as_it_was(model):
    model.train()
    check_parity(model, Moved(make_model()), FILE, max_tokens=20, precision="fp32")
    assert model.training
    model.eval()


def test_texts_have_all_lengths_in_mixed_batches():
    batches = list(parity_batches(60, 400))
    lengths = np.concatenate([lengths for _, lengths in batches])
    assert len(lengths) == 512
    assert lengths.min() == 1
    assert lengths.max() == 400
    assert all(len(set(lengths.tolist())) > 5 for _, lengths in batches)
    for ids, lengths in batches:
        assert ids.shape == (len(lengths), lengths.max())
        assert ((ids > 0) == (np.arange(ids.shape[1]) < lengths[:, None])).all()


def test_very_long_texts_come_alone():
    batches = list(parity_batches(60, 5000))
    assert batches[-1][0].shape == (1, 5000)
    assert max(ids.shape[1] for ids, _ in batches[:-1]) <= 1024


def test_frequent_words_come_often_and_rare_ones_sometimes():
    drawn = np.concatenate([ids[ids > 0] for ids, _ in parity_batches(1000, 400)])
    counts = np.bincount(drawn, minlength=1000)
    assert counts[1] == pytest.approx(2 * counts[2], rel=0.1)
    assert counts[1] == pytest.approx(10 * counts[10], rel=0.2)
    assert counts[500:].sum() > 100


def test_every_word_is_in_a_text():
    batches = list(every_word(3000, 400))
    assert sorted(np.concatenate([ids[ids > 0] for ids, _ in batches])) == [*range(1, 3000)]
    assert all(ids.shape[0] <= 16 and ids.shape[1] <= 64 for ids, _ in batches)
    assert max(ids.shape[1] for ids, _ in every_word(3000, 20)) == 20


def test_one_word_that_is_wrong_is_found():
    model = make_model(vocab_size=3000)
    other = copy.deepcopy(model)
    drawn = np.concatenate([ids[ids > 0] for ids, _ in parity_batches(3000, 40)])
    unseen = next(word for word in range(2, 3000) if word not in drawn)
    other.embedding.weight.data[unseen] += 0.01
    with pytest.raises(ExportError, match="its logits differ"):
        check_parity(model, Moved(other), FILE, max_tokens=40, precision="fp32")


@pytest.mark.parametrize("draw", [parity_batches, every_word])
def test_texts_are_always_the_same(draw):
    for (ids, _), (again, _) in zip(draw(60, 30), draw(60, 30), strict=True):
        assert np.array_equal(ids, again)


def test_a_vocabulary_without_words_is_enough():
    assert all(set(np.unique(ids)) <= {0, 1} for ids, _ in parity_batches(2, 10))
