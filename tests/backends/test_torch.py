from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from tiny_models import has_bf16, make_batch, make_model, torch_logits

from sentcli.backends import load_backend
from sentcli.backends.torch import load_model, load_torch, load_torchscript
from sentcli.errors import BundleError, UsageError
from sentcli.export.export import export_bundle
from sentcli.model.bilstm import gates_of, tie_gates
from sentcli.model.bundle import ONNX, load_bundle, write_manifest
from sentcli.scoring.labels import softmax

FILE = Path("some", "model.torchscript.pt")
with_bf16 = pytest.mark.skipif(not has_bf16(), reason="no bf16 on this processor")
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 0.01), ("bf16", 0.05)])
def test_threads_share_a_gpu(make_bundle, precision, tolerance):
    model = make_model()
    backend = load_torch(make_bundle(model), "cuda", precision=precision)
    batches = [make_batch(9, 30, seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: backend.logits(*batch), batches))
    for logits, batch in zip(found, batches, strict=True):
        moved = np.abs(softmax(logits) - softmax(torch_logits(model, *batch)))
        assert moved.max() < tolerance
    assert backend.batch_factor > 1


def test_a_precision_that_the_processor_lacks(make_bundle, monkeypatch):
    def fail(*_):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr("sentcli.model.bilstm.BiLSTM.forward", fail)
    with pytest.raises(UsageError, match="primitive descriptor; try precision='fp32'"):
        load_torch(make_bundle(make_model()), "cpu", precision="bf16")


@with_bf16
def test_bf16_is_near_fp32(make_bundle):
    model = make_model()
    backend = load_torch(make_bundle(model), "cpu", precision="bf16")
    ids, lengths = make_batch(40, 30)
    logits, wanted = backend.logits(ids, lengths), torch_logits(model, ids, lengths)
    assert logits.dtype == np.float32
    assert 0 < np.abs(softmax(logits) - softmax(wanted)).max() < 0.05
    assert (backend.name, load_torch(make_bundle(model, "other"), "cpu").name) == ("torch bf16", "torch")


@pytest.mark.parametrize(("precision", "message"), [("fp16", "for CUDA"), ("fp64", "unknown")])
def test_an_unknown_precision_is_refused(make_bundle, precision, message):
    with pytest.raises(UsageError, match=message):
        load_backend("torch", make_bundle(make_model()), "cpu", precision)


@without_cuda
def test_cuda_without_a_device(make_bundle):
    with pytest.raises(UsageError, match="device='cpu'"):
        load_torch(make_bundle(make_model()), "cuda")


def test_logits_that_are_not_finite_are_no_scores(make_bundle):
    model = make_model()
    model.classifier.weight.data[:] = 3e38  # the sum is beyond what fp32 holds
    backend = load_torch(make_bundle(model), "cpu")
    with pytest.raises(BundleError, match=r"model\.onnx: .*not finite"):
        backend.logits(*make_batch(2, 3))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
        ),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_too_little_memory_is_not_an_error_of_the_model(make_bundle, monkeypatch, error):
    def fail(*_):
        raise error

    backend = load_torch(make_bundle(make_model()))
    monkeypatch.setattr(backend, "_module", fail)
    with pytest.raises(MemoryError, match="allocate"):
        backend.logits(*make_batch(9, 30))


@pytest.mark.parametrize("content", [b"", b"not TorchScript", b"PK\x03\x04" + b"\x00" * 50])
def test_other_bytes_are_refused(content):
    with pytest.raises(BundleError, match=r"^some/model\.torchscript\.pt: .+") as refused:
        load_torchscript(content, FILE, make_model().config)
    assert "\n" not in str(refused.value)


class Echo(torch.nn.Module):
    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return ids


class Sparse(torch.nn.Module):
    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return torch.zeros(ids.shape[0], 2).to_sparse()


class Raises(torch.nn.Module):
    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if ids.shape[0] >= 0:
            raise ValueError("no")
        return ids


class NoForward(torch.nn.Module):
    @torch.jit.export
    def other(self, ids: torch.Tensor) -> torch.Tensor:
        return ids


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("module", [Echo(), Sparse(), Raises(), NoForward()])
def test_another_program_is_an_error(tmp_path, module):
    torch.jit.save(torch.jit.script(module), tmp_path / "other.pt")
    backend = load_torchscript((tmp_path / "other.pt").read_bytes(), FILE, make_model().config)
    with pytest.raises(BundleError, match=r"^some/model\.torchscript\.pt: .+") as refused:
        backend.logits(*make_batch(3, 3))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("gates", ["separate", "forget"])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"num_layers": 2, "pooling": "last", "num_classes": 3},
        {"neutral_head": True},
        {"ngram_buckets": 31},
    ],
)
def test_the_folded_graph_has_all_numbers(make_bundle, tmp_path, shape: dict, gates: str):
    model = make_model(**shape)
    tie_gates(model, gates)
    export_bundle(make_bundle(model), tmp_path / "one", graph="folded")
    bundle = load_bundle(tmp_path / "one")
    loaded = load_model(bundle)
    assert not loaded.training
    assert gates_of(loaded) == gates
    found = loaded.state_dict()
    for name, value in model.state_dict().items():
        if "bias_ih" in name:
            both = name.replace("bias_ih", "bias_hh")
            sums = [weights[name] + weights[both] for weights in (found, model.state_dict())]
            assert torch.equal(*(total.sigmoid() for total in sums)), name  # an open gate has 100 or 200
        elif "bias_hh" not in name:
            assert torch.equal(found[name], value), name
    export_bundle(bundle, tmp_path / "two", graph="folded")
    assert load_bundle(tmp_path / "two").read(ONNX) == bundle.read(ONNX)


def test_a_graph_that_is_not_folded_has_a_hint(make_bundle, tmp_path):
    export_bundle(make_bundle(make_model()), tmp_path / "portable")
    with pytest.raises(BundleError, match=r"model\.onnx: PyTorch needs the folded graph; use the folder"):
        load_model(load_bundle(tmp_path / "portable"))


def test_a_graph_of_another_shape_is_refused(make_bundle, tmp_path):
    model = make_model(num_layers=1)
    export_bundle(make_bundle(model), tmp_path / "model", graph="folded")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 6', '"hidden_size": 7'))
    write_manifest(tmp_path / "model")
    with pytest.raises(BundleError, match=r"model\.onnx: .*size mismatch") as caught:
        load_torch(load_bundle(tmp_path / "model"), "cpu")
    assert "\n" not in str(caught.value)
