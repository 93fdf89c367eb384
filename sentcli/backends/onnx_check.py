"""An allow-list for ONNX files. An ONNX file is a program, and anybody may have written it.

Only the operators that `sentcli.export` writes are allowed, in the same version, with the weights in the file
itself. A file cannot read other files, define operators, or loop, except with a Scan, which runs once per
token. A malicious file may still waste time and memory.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from sentcli.backends.onnx import EMBEDDING, INPUT_IDS, LENGTHS, LOGITS, NEUTRAL_LOGITS
from sentcli.config import SIDES, ModelConfig
from sentcli.errors import BundleError

OPSET = 18  # the first in which ReduceMax takes its axes as an input, as ReduceSum does

# fmt: off
_OPERATORS = frozenset({
    "Add", "Cast", "Concat", "CumSum", "Div", "Equal", "Gather", "Gemm", "Identity", "LSTM", "LessOrEqual",
    "MatMul", "Max", "Mod", "Mul", "ReduceMax", "ReduceMin", "ReduceSum", "Reshape", "ReverseSequence",
    "Scan", "Sigmoid", "Slice", "Split", "Sqrt", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
})
# fmt: on
_ATTRIBUTE_FIELDS = frozenset({"name", "type", "i", "ints", "s"})  # integers and strings
_TYPES = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64})


def check_model(content: bytes, file: Path, config: ModelConfig) -> onnx.ModelProto:
    """Return the model of an ONNX file, checked before onnxruntime loads it."""
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise BundleError(f"{file}: not an ONNX file; write it again with `sentcli export`") from None
    try:
        _require(not model.functions, "functions are not allowed")
        _require(not model.training_info, "training information is not allowed")
        opsets = [(opset.domain, opset.version) for opset in model.opset_import]
        _require(opsets == [("", OPSET)], f"the opsets {opsets!r:.200} are not allowed, only {OPSET} is")
        for kind, expected in zip(("input", "output"), map(_signatures, interface(config)), strict=True):
            actual = _signatures(getattr(model.graph, kind))
            _require(actual == expected, f"the {kind}s are {actual!r:.200}, not {expected!r:.200}")
        shapes = _check_graph(model.graph)
        shape, claimed = shapes.get(EMBEDDING), (config.vocab_size, config.embedding_dim)
        _require(shape == claimed, f"the shape of the embedding is {shape!r:.200}, not {claimed}")
    except BundleError as error:
        raise BundleError(f"{file}: {error}; write the file again with `sentcli export`") from None
    return model


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BundleError(message)


def interface(config: ModelConfig) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
    """Return the inputs and the outputs of every ONNX model; an axis of variable size has a name instead."""
    declare = helper.make_tensor_value_info
    ids = declare(INPUT_IDS, TensorProto.INT64, ["batch", "tokens"])
    lengths = declare(LENGTHS, TensorProto.INT32, ["batch"])
    outputs = [declare(LOGITS, TensorProto.FLOAT, ["batch", config.num_classes])]
    outputs += [declare(NEUTRAL_LOGITS, TensorProto.FLOAT, ["batch", SIDES])] * config.neutral_head
    return [ids, lengths], outputs


def _signatures(values: Iterable[onnx.ValueInfoProto]) -> list[tuple[str, int, list[int]]]:
    """Return names, element types and shapes, with 0 for an axis of any size."""
    tensors = [(value.name, value.type.tensor_type) for value in values]
    return [(name, kind.elem_type, [axis.dim_value for axis in kind.shape.dim]) for name, kind in tensors]


def _check_graph(graph: onnx.GraphProto, *, in_scan: bool = False) -> dict[str, tuple[int, ...]]:
    """Check a graph and return the shapes of its weights by name."""
    _require(not graph.sparse_initializer, "sparse weights are not allowed")
    _check_nodes(graph.node, in_scan=in_scan)
    shapes = {}
    for constant in graph.initializer:
        name = f"the constant {constant.name!r:.100}"
        is_external = constant.data_location == TensorProto.EXTERNAL or constant.external_data
        _require(not is_external, f"{name} has external data, which is not allowed")
        _require(constant.data_type in _TYPES, f"{name} has the type {constant.data_type}, not allowed")
        try:
            values = numpy_helper.to_array(constant)
        except ValueError:
            raise BundleError(f"the data of {name} does not fit its shape") from None
        _require(bool(np.isfinite(values).all()), f"{name} is not finite")
        shapes[constant.name] = values.shape
    return shapes


def _check_nodes(nodes: Iterable[onnx.NodeProto], *, in_scan: bool) -> None:
    """Check the nodes of a graph and those of the bodies of its Scans."""
    for node in nodes:
        operator = node.op_type
        is_allowed = operator in _OPERATORS and not node.domain and not (in_scan and operator == "Scan")
        name = f"{node.domain}.{operator}".removeprefix(".")
        _require(is_allowed, f"the operator {name!r:.200} is not allowed{' in a Scan' * in_scan}")
        # A Max without an input crashes onnxruntime, and with it the process.
        _require(len(node.input) > 0 and all(node.input), f"the operator {operator} lacks an input")
        for attribute in node.attribute:
            fields = {field.name for field, _ in attribute.ListFields()}
            if operator == "Scan":
                _check_graph(attribute.g, in_scan=True)
                fields.discard("g")
            is_allowed = fields <= _ATTRIBUTE_FIELDS
            _require(is_allowed, f"the attribute {attribute.name!r:.100} of {operator} is not allowed")
