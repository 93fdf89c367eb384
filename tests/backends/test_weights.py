"""The weights of a model in PyTorch, from the folded graph."""

import pytest
import tiny_models
import torch

from sentcli.backends.torch import load_model, load_torch
from sentcli.errors import BundleError
from sentcli.export.export import export_bundle
from sentcli.model.bilstm import gates_of, tie_gates
from sentcli.model.bundle import ONNX, load_bundle, write_manifest


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
    model = tiny_models.make_model(**shape)
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
    export_bundle(make_bundle(tiny_models.make_model()), tmp_path / "portable")
    with pytest.raises(BundleError, match=r"model\.onnx: PyTorch needs the folded graph; give the folder"):
        load_model(load_bundle(tmp_path / "portable"))


def test_a_graph_of_another_shape_is_refused(make_bundle, tmp_path):
    model = tiny_models.make_model(num_layers=1)
    export_bundle(make_bundle(model), tmp_path / "model", graph="folded")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 6', '"hidden_size": 7'))
    write_manifest(tmp_path / "model")
    with pytest.raises(BundleError, match=r"model\.onnx: .*size mismatch") as caught:
        load_torch(load_bundle(tmp_path / "model"), "cpu")
    assert "\n" not in str(caught.value)
