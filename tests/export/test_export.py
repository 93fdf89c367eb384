"""Exported folders and files: they run, agree with PyTorch, and replace nothing by accident."""

import copy
import itertools
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_models import make_batch, make_model, torch_logits

from sentcli.backends import load_backend
from sentcli.backends.torch import load_torchscript
from sentcli.config import POOLINGS
from sentcli.errors import ExportError, OutputError
from sentcli.export import GRAPHS
from sentcli.export.export import check_parity, export_bundle, parity_batches, write_onnx, write_torchscript
from sentcli.model.bundle import load_bundle


@pytest.fixture
def model():
    return make_model(vocab_size=200, embedding_dim=16, hidden_size=12)


@pytest.fixture
def trained(make_bundle, model):
    return make_bundle(model)


@pytest.mark.parametrize(
    ("options", "files", "operator"),
    [
        ({}, {"model.onnx"}, "LSTM"),
        ({"graph": "folded"}, {"model.onnx"}, "Scan"),
        ({"formats": ("torchscript",)}, {"model.torchscript.pt"}, None),
        ({"formats": ("onnx", "torchscript")}, {"model.onnx", "model.torchscript.pt"}, "LSTM"),
    ],
)
def test_the_result_is_a_bundle_that_runs(tmp_path, trained, model, options, files, operator):
    output = tmp_path / "folder" / "exported"
    report = export_bundle(trained, output, **options)
    exported = load_bundle(output)
    assert exported.config == trained.config
    assert exported.vocab.words == trained.vocab.words
    others = {"config.json", "normalize.json", "normalize.py", "vocab.txt"}
    assert exported.digests.keys() == files | others
    assert report.keys() == files
    if operator:
        assert operator in {node.op_type for node in onnx.load(output / "model.onnx").graph.node}
    ids, lengths = make_batch(9, 30, vocab_size=200)
    wanted = torch_logits(model, ids, lengths)
    for name, difference in report.items():
        assert 0 < difference < 1e-5
        for bundle in (load_bundle(output / name), exported):
            found = load_backend(None, bundle).logits(ids, lengths)
            assert np.abs(found - wanted).max() < 1e-5


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_model_itself_is_never_replaced(trained, overwrite):
    around = trained.path / ".." / trained.path.name
    with pytest.raises(OutputError, match="is the model itself"):
        export_bundle(trained, around, overwrite=overwrite)
    assert "model.onnx" in load_bundle(trained.path).digests


def test_an_export_that_fails_keeps_the_old_folder(tmp_path, trained, monkeypatch):
    export_bundle(trained, tmp_path / "exported")
    for name in ("_TOLERANCE", "_ROUNDING"):
        monkeypatch.setattr(f"sentcli.export.export.{name}", -1.0)
    with pytest.raises(ExportError, match=r"model\.onnx: its probabilities differ"):
        export_bundle(trained, tmp_path / "exported", overwrite=True)
    assert load_bundle(tmp_path / "exported").digests.keys() >= {"model.onnx"}


@pytest.mark.parametrize("graph", GRAPHS)
def test_an_embedding_that_half_precision_cannot_hold_is_not_written(graph, tmp_path):
    model = make_model()
    with torch.no_grad():
        model.embedding.weight.add_(1e-4)
    with pytest.raises(ExportError, match=r"model\.onnx: its probabilities differ from PyTorch's by up to"):
        write_onnx(model, tmp_path / "model.onnx", graph)
    assert list(tmp_path.iterdir()) == []


# TorchScript


FRESH_PROCESS = """
import sys, warnings
sys.modules["sentcli"] = None  # no import of it can succeed
warnings.simplefilter("ignore")
import numpy, torch
model = torch.jit.load(sys.argv[1])
batch = numpy.load(sys.argv[2])
logits = model(torch.from_numpy(batch["ids"]), torch.from_numpy(batch["lengths"]))
numpy.save(sys.argv[3], logits.detach().numpy())
"""


@pytest.mark.parametrize(("pooling", "layers"), list(itertools.product(POOLINGS, (1, 2))))
def test_logits_of_torchscript_are_those_of_pytorch(tmp_path, pooling, layers):
    model = make_model(pooling=pooling, num_layers=layers, num_classes=3, ngram_buckets=31 * (layers - 1))
    path = tmp_path / "model.torchscript.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_torchscript(model, path, max_tokens=20) < 1e-5
    ids, lengths = make_batch(7, 25)
    found = load_torchscript(path.read_bytes(), path, model.config).logits(ids, lengths)
    assert np.abs(found - torch_logits(model, ids, lengths)).max() < 1e-5


def test_a_fresh_process_loads_torchscript_without_sentcli(tmp_path):
    model = make_model(num_layers=2)
    write_torchscript(model, tmp_path / "model.torchscript.pt", max_tokens=20)
    ids, lengths = make_batch(5, 12)
    np.savez(tmp_path / "batch.npz", ids=ids, lengths=lengths)
    files = [str(tmp_path / name) for name in ("model.torchscript.pt", "batch.npz", "logits.npy")]
    subprocess.run([sys.executable, "-c", FRESH_PROCESS, *files], check=True, cwd=tmp_path)
    assert np.abs(np.load(tmp_path / "logits.npy") - torch_logits(model, ids, lengths)).max() < 1e-5


def test_torchscript_of_a_model_in_training_is_for_inference(tmp_path):
    model = make_model(dropout=0.5, embedding_dropout=0.5).train()
    path = tmp_path / "model.torchscript.pt"
    write_torchscript(model, path, max_tokens=20)
    assert model.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        loaded = torch.jit.load(path)
    batch = [torch.from_numpy(array) for array in make_batch(5, 12)]
    assert torch.equal(loaded(*batch), loaded(*batch))


# Parity

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
