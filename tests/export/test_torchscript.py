import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from tiny_models import make_batch, make_model, torch_logits

from sentcli.backends.torch import TorchScriptBackend
from sentcli.config import POOLINGS
from sentcli.errors import ExportError
from sentcli.export.torchscript import write_torchscript

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
def test_logits_are_those_of_pytorch(tmp_path, pooling, layers):
    model = make_model(pooling=pooling, num_layers=layers, num_classes=3)
    path = tmp_path / "model.torchscript.pt"
    parity = write_torchscript(model, path, max_tokens=20)
    assert parity.logits < 1e-5
    ids, lengths = make_batch(7, 25)
    found = TorchScriptBackend(path.read_bytes(), path, model.config).logits(ids, lengths)
    assert np.abs(found - torch_logits(model, ids, lengths)).max() < 1e-5


def test_no_warning_of_any_kind_comes_through(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_torchscript(make_model(), tmp_path / "model.torchscript.pt", max_tokens=20)  # and load it


def test_a_fresh_process_loads_it_without_sentcli(tmp_path):
    model = make_model(num_layers=2)
    write_torchscript(model, tmp_path / "model.torchscript.pt", max_tokens=20)
    ids, lengths = make_batch(5, 12)
    np.savez(tmp_path / "batch.npz", ids=ids, lengths=lengths)
    files = [str(tmp_path / name) for name in ("model.torchscript.pt", "batch.npz", "logits.npy")]
    subprocess.run([sys.executable, "-c", FRESH_PROCESS, *files], check=True, cwd=tmp_path)
    assert np.abs(np.load(tmp_path / "logits.npy") - torch_logits(model, ids, lengths)).max() < 1e-5


def test_a_model_in_training_is_written_as_for_inference(tmp_path):
    model = make_model(dropout=0.5, embedding_dropout=0.5).train()
    path = tmp_path / "model.torchscript.pt"
    write_torchscript(model, path, max_tokens=20)
    assert model.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        loaded = torch.jit.load(path)
    batch = [torch.from_numpy(array) for array in make_batch(5, 12)]
    assert torch.equal(loaded(*batch), loaded(*batch))


def test_a_file_that_disagrees_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        TorchScriptBackend, "logits", lambda self, ids, lengths: np.zeros((len(ids), 2), "f4")
    )
    with pytest.raises(ExportError, match=r"model\.torchscript\.pt: its logits differ"):
        write_torchscript(make_model(), tmp_path / "model.torchscript.pt", max_tokens=20)
    assert list(tmp_path.iterdir()) == []
