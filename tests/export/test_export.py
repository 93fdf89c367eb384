"""Exported folders and files: they run, agree with PyTorch, and replace nothing by accident."""

import itertools
import subprocess
import sys
import warnings

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
from sentcli.export.export import export_bundle, write_onnx, write_torchscript
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
    others = {"config.json", "normalize.py", "vocab.txt"}
    assert exported.digests.keys() == files | others
    assert {file.name for file in report} == files
    if operator:
        assert operator in {node.op_type for node in onnx.load(output / "model.onnx").graph.node}
    ids, lengths = make_batch(9, 30, vocab_size=200)
    wanted = torch_logits(model, ids, lengths)
    for file in report:
        assert file.size == (output / file.name).stat().st_size
        assert 0 < file.difference < 1e-5
        for bundle in (load_bundle(output / file.name), exported):
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
        assert write_torchscript(model, path, max_tokens=20).difference < 1e-5
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
