import numpy as np
import pytest
from tiny_models import make_batch, make_model, torch_logits

from sentcli.backends import load_backend
from sentcli.errors import BundleError, ExportError, OutputError, UsageError
from sentcli.export import export as export_module
from sentcli.export.export import export_bundle
from sentcli.model.bundle import load_bundle


@pytest.fixture
def model():
    model = make_model(vocab_size=200, embedding_dim=16, hidden_size=12)
    model.classifier.weight.data /= 8  # probabilities of a size that int8 keeps
    return model


@pytest.fixture
def trained(make_bundle, model):
    return make_bundle(model)


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({}, {"model.onnx"}),
        ({"graph": "folded"}, {"model.onnx"}),
        ({"precision": "int8"}, {"model.int8.onnx"}),
        ({"precision": "int8", "graph": "folded"}, {"model.int8.onnx"}),
        ({"formats": ("torchscript",)}, {"model.torchscript.pt"}),
        ({"formats": ("onnx", "torchscript")}, {"model.onnx", "model.torchscript.pt"}),
        (
            {"formats": ("onnx", "torchscript"), "precision": "int8"},
            {"model.int8.onnx", "model.torchscript.pt"},
        ),
    ],
)
def test_the_result_is_a_bundle_that_runs(tmp_path, trained, model, options, files):
    output = tmp_path / "folder" / "exported"
    report = export_bundle(trained, output, **options)
    exported = load_bundle(output)
    assert exported.config == trained.config
    assert exported.vocab.words == trained.vocab.words
    assert exported.digests.keys() == files | {"config.json", "vocab.txt", "model.safetensors.sha256"}
    assert {file.name for file in report} == files
    ids, lengths = make_batch(9, 30, vocab_size=200)
    wanted = torch_logits(model, ids, lengths)
    for file in report:
        assert file.size == (output / file.name).stat().st_size
        for bundle in (load_bundle(output / file.name), exported):
            found = load_backend(None, bundle).logits(ids, lengths)
            bound = 0.5 if "int8" in file.name or options.get("precision") == "int8" else 1e-5
            assert np.abs(found - wanted).max() < bound


@pytest.mark.parametrize(("graph", "operator"), [("portable", b"LSTM"), ("folded", b"Scan")])
@pytest.mark.parametrize(("precision", "name"), [("fp32", "model.onnx"), ("int8", "model.int8.onnx")])
def test_the_graph_is_the_one_that_was_asked_for(tmp_path, trained, graph, operator, precision, name):
    export_bundle(trained, tmp_path / "exported", graph=graph, precision=precision)
    assert operator in (tmp_path / "exported" / name).read_bytes()


def test_int8_is_for_onnx(tmp_path, trained):
    with pytest.raises(UsageError, match="int8 is for ONNX"):
        export_bundle(trained, tmp_path / "exported", precision="int8", formats=("torchscript",))
    assert not (tmp_path / "exported").exists()


def test_a_folder_that_exists_is_kept_unless_told_otherwise(tmp_path, trained):
    output = tmp_path / "exported"
    export_bundle(trained, output)
    before = (output / "manifest.json").read_bytes()
    with pytest.raises(OutputError, match="--overwrite"):
        export_bundle(trained, output, graph="folded")
    assert (output / "manifest.json").read_bytes() == before
    export_bundle(trained, output, graph="folded", overwrite=True)
    assert (output / "manifest.json").read_bytes() != before
    assert load_bundle(output)


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_model_itself_is_never_replaced(trained, overwrite):
    around = trained.path / ".." / trained.path.name
    with pytest.raises(OutputError, match="is the model itself"):
        export_bundle(trained, around, overwrite=overwrite)
    assert "model.safetensors" in load_bundle(trained.path).digests


def test_links_in_a_circle_are_told(trained, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="its links lead in a circle"):
        export_bundle(trained, tmp_path / "loop")


def test_an_export_that_fails_leaves_nothing_behind(tmp_path, trained, monkeypatch):
    def fail(*arguments):
        raise ExportError("too far apart")

    monkeypatch.setattr(export_module, "write_torchscript", fail)
    before = set(tmp_path.iterdir())
    with pytest.raises(ExportError, match="too far apart"):
        export_bundle(trained, tmp_path / "exported", formats=("onnx", "torchscript"))
    assert set(tmp_path.iterdir()) == before


def test_a_failed_export_keeps_the_folder_that_was_there(tmp_path, trained, monkeypatch):
    export_bundle(trained, tmp_path / "exported")
    for bound in ("_FP32_LOGITS", "_FP32_STATE", "_ROUNDINGS"):
        monkeypatch.setattr(f"sentcli.export.parity.{bound}", -1.0)
    with pytest.raises(ExportError, match=r"model\.onnx: its logits differ"):
        export_bundle(trained, tmp_path / "exported", overwrite=True)
    assert load_bundle(tmp_path / "exported").digests.keys() >= {"model.onnx"}


def test_a_bundle_without_weights_cannot_be_exported(tmp_path, trained):
    export_bundle(trained, tmp_path / "exported")
    with pytest.raises(BundleError, match=r"the bundle has no model\.safetensors"):
        export_bundle(load_bundle(tmp_path / "exported"), tmp_path / "again")
    assert not (tmp_path / "again").exists()
