"""What an ONNX file may contain, and that everything else is refused by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_models import make_model

from sentcli.backends.onnx_check import check_model
from sentcli.config import POOLINGS
from sentcli.errors import BundleError
from sentcli.export.folded import folded_graph
from sentcli.export.portable import portable_graph

FILE = Path("some", "model.onnx")
MODEL = make_model()


def check(model: onnx.ModelProto) -> None:
    check_model(model.SerializeToString(), FILE, MODEL.config)


def test_the_outputs_are_those_of_the_config():
    headed = make_model(neutral_head=True)
    for build in (folded_graph, portable_graph):
        content = build(headed).SerializeToString()
        check_model(content, FILE, headed.config)
        with pytest.raises(BundleError, match=r"the outputs are .*neutral_logits"):
            check_model(content, FILE, MODEL.config)
        with pytest.raises(BundleError, match="the outputs are "):
            check_model(build(MODEL).SerializeToString(), FILE, headed.config)


def scan(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "Scan")


def body(model: onnx.ModelProto) -> onnx.GraphProto:
    return next(attribute.g for attribute in scan(model).attribute if attribute.name == "body")


def constant(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(constant for constant in model.graph.initializer if constant.name == name)


def add(model: onnx.ModelProto, operator: str, *inputs: str, **attributes: object) -> None:
    model.graph.node.append(helper.make_node(operator, inputs or ["lengths"], ["more"], **attributes))


def set_constant(name: str, values: np.ndarray) -> Callable[[onnx.ModelProto], None]:
    return lambda model: constant(model, name).CopyFrom(numpy_helper.from_array(values, name))


def set_last(name: str, value: float) -> Callable[[onnx.ModelProto], None]:
    def change(model):
        values = numpy_helper.to_array(constant(model, name)).copy()
        values.flat[-1] = value
        set_constant(name, values)(model)

    return change


def plain_graph() -> onnx.GraphProto:
    return helper.make_graph([], "body", [], [helper.make_tensor_value_info("a", TensorProto.BOOL, [])])


def loop_in_scan(model):
    body(model).node.append(helper.make_node("Loop", ["hidden", "hidden"], [], body=plain_graph()))


def scan_in_scan(model):
    body(model).node.append(onnx.NodeProto.FromString(scan(model).SerializeToString()))


def node_of_another_domain(model):
    model.graph.node[0].domain = "com.microsoft"


def local_function(model):
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("mine", "Twice", ["x"], ["y"], [], [opset]))


def hidden_graph(model):
    """A graph in an attribute that says to be an integer."""
    attribute = helper.make_attribute("to", 1)
    attribute.g.CopyFrom(plain_graph())
    model.graph.node[0].attribute.append(attribute)


def data_elsewhere(model):
    tensor = constant(model, "classifier_weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def sparse_weights(model):
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))


def giant_shape(model):
    constant(model, "classifier_bias").dims[:] = [2**40]


def nan_in_scan(model):
    body(model).initializer.append(numpy_helper.from_array(np.array([1, np.nan], np.float32), "more"))


def third_input(model):
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch"]))


def second_output(model):
    model.graph.output.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 24]))


def renamed(values: str, name: str) -> Callable[[onnx.ModelProto], None]:
    return lambda model: setattr(getattr(model.graph, values)[0], "name", name)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("shape", [{}, {"num_layers": 3}])
@pytest.mark.parametrize("graph", [portable_graph, folded_graph])
def test_what_sentcli_writes_is_allowed(graph, shape, pooling):
    model = make_model(pooling=pooling, **shape)
    check_model(graph(model).SerializeToString(), FILE, model.config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: add(model, "Loop", body=plain_graph()), "the operator 'Loop' is not allowed"),
        (lambda model: add(model, "If", then_branch=plain_graph()), "the operator 'If' is not allowed"),
        (lambda model: add(model, "ConstantOfShape"), "the operator 'ConstantOfShape' is not allowed"),
        (lambda model: add(model, "RunAnything"), "the operator 'RunAnything' is not allowed"),
        (loop_in_scan, "the operator 'Loop' is not allowed in a Scan"),
        (scan_in_scan, "the operator 'Scan' is not allowed in a Scan"),
        (node_of_another_domain, "the operator 'com.microsoft.Transpose' is not allowed"),
        (local_function, "functions are not allowed"),
        (lambda model: model.training_info.add(), "training information is not allowed"),
        (lambda model: add(model, "Tanh", body=plain_graph()), "the attribute 'body' of Tanh is not allowed"),
        (hidden_graph, "the attribute 'to' of Transpose is not allowed"),
        (lambda model: add(model, "Max", "zeros", ""), "the operator Max lacks an input"),
        (lambda model: setattr(model.opset_import[0], "version", 13), r"the opsets \[\('', 13\)\] are not"),
        (
            lambda model: model.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
            r"the opsets .*'com.microsoft', 1.* are not allowed",
        ),
        (data_elsewhere, "'classifier_weight' has external data"),
        (sparse_weights, "sparse weights are not allowed"),
        (giant_shape, "the data of the constant 'classifier_bias' does not fit its shape"),
        (set_constant("classifier_bias", np.zeros(2)), "'classifier_bias' has the type 11"),
        (set_constant("classifier_bias", np.array(["a", "b"], object)), "'classifier_bias' has the type 8"),
        (set_last("classifier_weight", np.nan), "'classifier_weight' is not finite"),
        (set_last("embedding", np.nan), "'embedding' is not finite"),
        (set_last("embedding", -np.inf), "'embedding' is not finite"),
        (nan_in_scan, "'more' is not finite"),
        (set_constant("embedding", np.zeros((59, 10), np.float16)), r"the embedding is \(59, 10\), not"),
        (lambda model: setattr(constant(model, "embedding"), "name", "words"), "the embedding is None"),
        (renamed("input", "ids"), "the inputs are .*'ids'"),
        (third_input, "the inputs are .*'more'"),
        (lambda model: model.graph.input[1].type.tensor_type.ClearField("elem_type"), "the inputs are"),
        (renamed("output", "probabilities"), "the outputs are .*'probabilities'"),
        (second_output, "the outputs are .*'pooled'"),
        (lambda model: model.ClearField("graph"), r"the inputs are \[\]"),
    ],
)
def test_anything_else_is_refused_by_name(change, message):
    model = folded_graph(MODEL)
    change(model)
    with pytest.raises(BundleError, match=message) as refused:
        check(model)
    assert str(refused.value).startswith(f"{FILE}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"num_classes": 3}, r"the outputs are \[\('logits', 1, \[0, 2\]\)\], not .*3"),
        ({"vocab_size": 10**6}, r"the embedding is \(60, 10\), not \(1000000, 10\)"),
        ({"embedding_dim": 1000}, r"the embedding is \(60, 10\), not \(60, 1000\)"),
    ],
)
def test_a_model_that_does_not_fit_its_config_is_refused(claim, message):
    with pytest.raises(BundleError, match=message):
        check_model(folded_graph(MODEL).SerializeToString(), FILE, replace(MODEL.config, **claim))


@pytest.mark.parametrize("content", [b"", b"\x00", b"not a model", b"\x08\x08" * 3, b"\xff" * 100])
def test_other_bytes_are_refused(content):
    with pytest.raises(BundleError, match=r"model\.onnx: "):
        check_model(content, FILE, MODEL.config)


def test_a_truncated_file_is_refused_wherever_it_ends():
    content = portable_graph(MODEL).SerializeToString()
    for size in range(0, len(content), 97):
        with pytest.raises(BundleError):
            check_model(content[:size], FILE, MODEL.config)
