import logging

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tiny_models import make_batch, make_model, torch_logits

from sentcli.backends.onnx import OnnxBackend
from sentcli.errors import BundleError, ExportError
from sentcli.export import GRAPHS
from sentcli.export.graph import write_onnx
from sentcli.export.quantize import write_int8
from sentcli.scoring.labels import softmax

DIRECTIONS = ("forward_0", "backward_0", "forward_1", "backward_1")


def gentle_model(**shape):
    """A model whose weights are those of trained ones in size."""
    model = make_model(vocab_size=500, embedding_dim=24, hidden_size=16, **shape)
    model.classifier.weight.data /= 6
    return model


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("layers", [1, 2])
def test_probabilities_are_close_to_those_of_pytorch(tmp_path, layers, graph):
    model = gentle_model(num_layers=layers)
    parity = write_int8(model, tmp_path / "model.int8.onnx", graph, max_tokens=40)
    assert 1e-4 < parity.probability < 0.05
    content = (tmp_path / "model.int8.onnx").read_bytes()
    ids, lengths = make_batch(16, 40, vocab_size=500)
    found = OnnxBackend(content, tmp_path / "model.int8.onnx", model.config).logits(ids, lengths)
    wanted = torch_logits(model, ids, lengths)
    assert np.abs(softmax(found.astype(float)) - softmax(wanted.astype(float))).max() < 0.05


def test_lstm_and_embedding_are_in_int8(tmp_path):
    model = gentle_model(num_layers=2)
    write_int8(model, tmp_path / "model.int8.onnx")
    write_onnx(model, tmp_path / "model.onnx", "portable")
    quantized = onnx.load(tmp_path / "model.int8.onnx")
    assert [node.op_type for node in quantized.graph.node].count("DynamicQuantizeLSTM") == 2
    sizes = {
        constant.name: constant.data_type
        for constant in quantized.graph.initializer
        if np.prod(constant.dims) > 500
    }
    assert set(sizes.values()) <= {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    weights = [
        numpy_helper.to_array(c) for c in quantized.graph.initializer if c.data_type == onnx.TensorProto.INT8
    ]
    assert max(np.abs(values.astype(int)).max() for values in weights) == 64  # 7 bits: sums cannot overflow
    assert (tmp_path / "model.int8.onnx").stat().st_size < (tmp_path / "model.onnx").stat().st_size / 1.9


def test_folded_the_recurrent_product_is_in_int8_by_operators_of_onnx(tmp_path):
    write_int8(gentle_model(num_layers=2), tmp_path / "model.int8.onnx", "folded")
    quantized = onnx.load(tmp_path / "model.int8.onnx")
    assert [opset.domain for opset in quantized.opset_import] == [""]
    bodies = [node.attribute[0].g for node in quantized.graph.node if node.op_type == "Scan"]
    assert all([node.op_type for node in body.node].count("MatMulInteger") == 1 for body in bodies)
    assert not any(node.op_type in ("Gemm", "MatMul") for body in bodies for node in body.node)
    weights = {c.name: numpy_helper.to_array(c) for c in quantized.graph.initializer}
    largest = {np.abs(weights[f"{name}_recurrent"].astype(int)).max() for name in DIRECTIONS}
    assert largest == {63}  # 7 bits: two products of them and a state, at most 255, cannot overflow 16 bits


def test_folded_a_direction_without_recurrent_weights_can_be_quantized(tmp_path):
    model = gentle_model()
    model.lstm.weight_hh_l0.data[:] = 0
    parity = write_int8(model, tmp_path / "model.int8.onnx", "folded", max_tokens=40)
    assert parity.probability < 0.05


def test_versions_are_pinned(tmp_path):
    write_int8(gentle_model(), tmp_path / "model.int8.onnx")
    model = onnx.load(tmp_path / "model.int8.onnx")
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 18, "com.microsoft": 1}
    assert model.ir_version == 8
    assert model.producer_name == "sentcli"


@pytest.mark.parametrize("graph", GRAPHS)
def test_operators_of_int8_are_for_int8_files_alone(tmp_path, graph):
    model = gentle_model()
    write_int8(model, tmp_path / "model.int8.onnx", graph)
    content = (tmp_path / "model.int8.onnx").read_bytes()
    with pytest.raises(BundleError, match=r"model\.onnx: the operator '.*' is not allowed"):
        OnnxBackend(content, tmp_path / "model.onnx", model.config)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_model_that_int8_spoils_is_not_written(tmp_path, graph):
    model = gentle_model()
    model.classifier.weight.data *= 300
    with pytest.raises(ExportError, match=r"model\.int8\.onnx: int8 moves .*; try --precision fp32$"):
        write_int8(model, tmp_path / "model.int8.onnx", graph)
    assert list(tmp_path.iterdir()) == []


def test_the_quantizer_is_quiet_and_leaves_logging_alone(tmp_path, capfd):
    handlers = logging.getLogger().handlers[:]
    write_int8(gentle_model(), tmp_path / "model.int8.onnx")
    assert logging.getLogger().handlers == handlers
    assert capfd.readouterr() == ("", "")
