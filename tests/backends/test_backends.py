import hashlib
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import make_batch, make_model, torch_logits

from sentcli.backends import check_logits, load_backend
from sentcli.config import BACKENDS
from sentcli.errors import BundleError, UsageError
from sentcli.export.export import export_bundle, write_onnx
from sentcli.model.bundle import load_bundle, write_manifest


@pytest.fixture
def model():
    return make_model()


@pytest.fixture
def trained(make_bundle, model):
    return make_bundle(model)


@pytest.fixture
def exported(tmp_path, trained):
    export_bundle(trained, tmp_path / "exported", formats=("onnx", "torchscript"))
    return load_bundle(tmp_path / "exported")


def test_every_backend_gives_the_same_logits(trained, exported, model):
    ids, lengths = make_batch(9, 20)
    wanted = torch_logits(model, ids, lengths)
    for name in BACKENDS:
        backend = load_backend(name, trained if name == "torch" else exported, device="cpu")
        assert backend.name == name
        assert np.abs(backend.logits(ids, lengths) - wanted).max() < 1e-5


@pytest.mark.parametrize(("file", "name"), [("model.onnx", "onnx"), ("model.torchscript.pt", "torchscript")])
def test_the_named_file_decides_the_backend(exported, file, name):
    bundle = load_bundle(exported.path / file)
    assert load_backend(None, bundle).name == name
    assert load_backend(name, bundle).name == name


def test_the_named_file_is_the_one_that_runs(make_bundle):
    model, other = make_model(), make_model()
    other.classifier.bias.data += 5
    bundle = make_bundle(model)
    write_onnx(other, bundle.path / "other.onnx", "portable")
    digest = hashlib.sha256((bundle.path / "other.onnx").read_bytes()).hexdigest()
    bundle = replace(bundle, digests={**bundle.digests, "other.onnx": digest}, model_file="other.onnx")
    ids, lengths = make_batch(3, 5)
    found = load_backend(None, bundle).logits(ids, lengths)
    assert np.abs(found - torch_logits(other, ids, lengths)).max() < 1e-5


def test_onnx_is_the_first_choice(exported, trained):
    assert load_backend(None, exported).name == "onnx"
    assert load_backend("torch", trained).name == "torch"


def test_a_backend_for_another_file_is_refused(exported):
    with pytest.raises(UsageError, match=r"model\.onnx is for onnx, not for torch"):
        load_backend("torch", load_bundle(exported.path / "model.onnx"))


def test_a_file_that_is_no_model_is_refused(exported):
    with pytest.raises(BundleError, match=r"vocab\.txt: not a model"):
        load_backend(None, load_bundle(exported.path / "vocab.txt"))


def test_a_file_that_the_bundle_lacks_is_named(trained, exported):
    with pytest.raises(BundleError, match=r"has no model\.torchscript\.pt; try: sentcli export .* --format"):
        load_backend("torchscript", trained)
    with pytest.raises(BundleError, match=r"PyTorch needs the folded graph; use the folder that"):
        load_backend("torch", exported)


def test_an_onnx_file_that_did_not_come_with_sentcli_is_checked(exported, monkeypatch):
    hostile = exported.path / "model.onnx"
    hostile.write_bytes(hostile.read_bytes().replace(b"ReduceSum", b"Forbidden", 1))
    write_manifest(exported.path)
    with pytest.raises(BundleError, match=r"model\.onnx: the operator 'Forbidden' is not allowed"):
        load_backend("onnx", load_bundle(exported.path))
    monkeypatch.setattr("sentcli.model.bundle.default_bundle_path", lambda: exported.path)
    with pytest.raises(BundleError, match=r"model\.onnx: onnxruntime: "):  # a shipped one is not
        load_backend("onnx", load_bundle(exported.path))


def test_an_unknown_backend_is_named(exported):
    with pytest.raises(UsageError, match="'tensorflow' is unknown; choose from onnx, torch, torchscript"):
        load_backend("tensorflow", exported)


def test_onnx_has_no_cuda(exported):
    with pytest.raises(UsageError, match="'gpu' is unknown; choose from cpu, cuda"):
        load_backend("onnx", exported, device="gpu")
    with pytest.raises(UsageError, match="backend='torch' device='cuda'"):
        load_backend("onnx", exported, device="cuda")


def test_without_pytorch_the_message_names_the_pip_command(trained, exported):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path; from sentcli.backends import load_backend; "
        "from sentcli.model.bundle import load_bundle; from sentcli.errors import MissingExtraError\n"
        "try: load_backend(sys.argv[2], load_bundle(Path(sys.argv[1])))\n"
        "except MissingExtraError as error: print(error)"
    )
    for name, folder in (("torch", trained.path), ("torchscript", exported.path)):
        command = [sys.executable, "-c", code, str(folder), name]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        assert re.search(r"pip install .*\[train\]", result.stdout)


@pytest.mark.parametrize(
    "logits",
    [None, [[0.0, 0.0]], np.zeros((1, 2)), np.zeros((2, 1), np.float32), np.zeros((1, 3), np.float32)],
)
def test_other_results_are_an_error(tmp_path, logits):
    with pytest.raises(BundleError, match=r"does not return logits \[1, 2\] in fp32"):
        check_logits(logits, (1, 2), tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_an_error(tmp_path, value):
    with pytest.raises(BundleError, match="scores that are not finite"):
        check_logits(np.array([[0, value]], np.float32), (1, 2), tmp_path)
