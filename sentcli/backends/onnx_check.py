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
from onnx import TensorProto, numpy_helper

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


class _RefusedError(Exception):
    """Something in a file that is not allowed."""


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
        _check_interface(model.graph, config)
        shapes = _check_constants(model.graph)
        shape, expected = shapes.get(EMBEDDING), (config.vocab_size, config.embedding_dim)
        _require(shape == expected, f"the shape of the embedding is {shape!r:.200}, not {expected}")
        _check_nodes(model.graph.node)
    except _RefusedError as error:
        raise BundleError(f"{file}: {error}; write the file again with `sentcli export`") from None
    return model


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _RefusedError(message)


def _check_interface(graph: onnx.GraphProto, config: ModelConfig) -> None:
    """Check that the names, types and shapes of the inputs and outputs are those that scoring uses."""
    inputs = [(INPUT_IDS, TensorProto.INT64, [0, 0]), (LENGTHS, TensorProto.INT32, [0])]
    outputs = [(LOGITS, TensorProto.FLOAT, [0, config.num_classes])]
    outputs += [(NEUTRAL_LOGITS, TensorProto.FLOAT, [0, SIDES])] * config.neutral_head
    for kind, values, expected in (("inputs", graph.input, inputs), ("outputs", graph.output, outputs)):
        signatures = [_signature(value) for value in values]
        _require(signatures == expected, f"the {kind} are {signatures!r:.200}, not {expected!r:.200}")


def _signature(value: onnx.ValueInfoProto) -> tuple[str, int, list[int]]:
    """Return name, element type and shape, with 0 for an axis of any size."""
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [axis.dim_value for axis in tensor.shape.dim]


def _check_constants(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Check the weights of a graph and return their shapes by name."""
    _require(not graph.sparse_initializer, "sparse weights are not allowed")
    shapes = {}
    for constant in graph.initializer:
        name = f"the constant {constant.name!r:.100}"
        is_external = constant.data_location == TensorProto.EXTERNAL or constant.external_data
        _require(not is_external, f"{name} has external data, which is not allowed")
        _require(constant.data_type in _TYPES, f"{name} has the type {constant.data_type}, not allowed")
        try:
            values = numpy_helper.to_array(constant)
        except ValueError:
            raise _RefusedError(f"the data of {name} does not fit its shape") from None
        _require(bool(np.isfinite(values).all()), f"{name} is not finite")
        shapes[constant.name] = values.shape
    return shapes


def _check_nodes(nodes: Iterable[onnx.NodeProto], *, in_scan: bool = False) -> None:
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
                _check_constants(attribute.g)
                _check_nodes(attribute.g.node, in_scan=True)
                fields.discard("g")
            is_allowed = fields <= _ATTRIBUTE_FIELDS
            _require(is_allowed, f"the attribute {attribute.name!r:.100} of {operator} is not allowed")
