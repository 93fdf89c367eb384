"""What an ONNX file may contain, checked before onnxruntime gets it: an ONNX file is a program.

Allowed are the operators that the graphs of `sentcli.export` are made of, in the version that it writes. No
loop is among them but Scan, which runs once for each token, and none that makes a tensor of any size out of a
number (Expand, Range, ConstantOfShape, Tile). No node makes or multiplies more than the largest of the graphs
that sentcli writes for the same config, see `onnx_sizes`; a file may only have up to a thousand such nodes.
Weights lie in the file itself, each as large as its shape says, and finite; they are no fewer than the config
claims. Every message of the file consists of the fields in `onnx_schema` and of no others, which leaves out
external data, functions, training graphs, sparse tensors, and whatever later versions of ONNX bring.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sentcli.backends.onnx_schema import (
    ATTRIBUTE,
    CONSTANT,
    DATA,
    DIMENSION,
    DIMS,
    GRAPH,
    MODEL,
    NODE,
    OPSET_ID,
    SHAPE,
    TENSOR_TYPE,
    TYPE,
    VALUE,
)
from sentcli.backends.onnx_sizes import (
    MAX_RANK,
    TEXTS,
    TOKENS,
    Axis,
    Limits,
    Node,
    RefusedError,
    Value,
    output_axes,
    require,
    steps_of_scan,
)
from sentcli.backends.protobuf import Message, WireError, encode, fields, rewrite
from sentcli.config import ModelConfig
from sentcli.errors import BundleError

INPUT_IDS, LENGTHS, LOGITS, EMBEDDING = "input_ids", "lengths", "logits", "embedding"
OPSET = 18  # the first in which ReduceMax takes its axes as an input, as ReduceSum does
_OPSETS = {"": OPSET, "com.microsoft": 1}

_FLOAT, _INT32, _INT64 = 1, 6, 7
_DTYPES: Mapping[int, npt.DTypeLike] = {
    _FLOAT: np.float32,
    2: np.uint8,
    3: np.int8,
    _INT32: np.int32,
    _INT64: np.int64,
    10: np.float16,
}
_MAX_NODES = 1000  # the largest graph that a config allows, 16 folded layers, has fewer

# fmt: off
_OPERATORS = frozenset({
    "Add", "Cast", "Concat", "CumSum", "Div", "Equal", "Gather", "Gemm", "Identity", "LSTM", "LessOrEqual",
    "MatMul", "Max", "Mul", "ReduceMax", "ReduceMin", "ReduceSum", "Reshape", "ReverseSequence", "Scan",
    "Sigmoid", "Slice", "Split", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
})
# fmt: on
_INT8_OPERATORS = frozenset(
    {"DequantizeLinear", "MatMulInteger", "QuantizeLinear", "com.microsoft.DynamicQuantizeLSTM"}
)
_ENDS = ("inputs", "outputs")
_SCAN_ATTRIBUTES = frozenset({"body", "num_scan_inputs"})  # axes and directions: the default, 0 and forward


@dataclass(frozen=True)
class Program:
    """An ONNX file that may be run.

    :param graph: the name of its graph, from the file.
    :param has_embedding: whether `keep_words` finds an embedding in it.
    """

    content: bytes
    graph: str
    has_embedding: bool

    def keep_words(self, words: npt.NDArray[np.int64]) -> bytes:
        """Give the model with only these rows of its embedding, in this order."""
        cut_constant = partial(_keep_rows, rows=words)
        cut_graph = partial(rewrite, number=5, change=cut_constant)
        return rewrite(memoryview(self.content), 7, cut_graph)


def check_program(content: bytes, file: Path, config: ModelConfig) -> Program:
    """Look at an ONNX file.

    :param file: where it comes from; one that ends in .int8.onnx may have the operators of int8.
    :raises BundleError: naming what is not allowed, or not of this model.
    """
    operators = _OPERATORS | _INT8_OPERATORS if file.name.endswith(".int8.onnx") else _OPERATORS
    try:
        model = Message(memoryview(content), MODEL)
        for opset in model.messages("opsets", OPSET_ID):
            domain, version = opset.text("domain"), opset.integer("version")
            require(_OPSETS.get(domain) == version, f"the opset {domain!r:.200} {version} is not allowed")
        graph = model.message("graph", GRAPH)
        _check_interface(graph, config)
        _check_values(graph)
        constants = _check_constants(graph)
        shape = constants[EMBEDDING].dims if EMBEDDING in constants else None
        require(
            shape in (None, [config.vocab_size, config.embedding_dim]), f"an embedding of the shape {shape}"
        )
        held = sum(math.prod(constant.dims) for constant in constants.values())
        fewest = _fewest_weights(config)
        require(held >= fewest, f"it has {held:,} weights, and {fewest:,} is the least by its config")
        values = {"": Value(()), INPUT_IDS: Value((TEXTS, TOKENS)), LENGTHS: Value((TEXTS,))}
        _define(values, ((name, constant.value) for name, constant in constants.items()))
        _check_nodes(graph, operators, values, Limits(config))
        name = graph.text("name")
    except WireError as error:
        raise BundleError(f"{file}: not an ONNX model that sentcli wrote: {error}") from None
    except RefusedError as error:
        raise BundleError(f"{file}: {error}; only models that sentcli wrote can be run") from None
    return Program(content, name, shape is not None)


def _fewest_weights(config: ModelConfig) -> int:
    """Give how many weights the smallest graph for a config has.

    The limits of sizes follow from the config, which comes with the file: it has to hold what that claims.
    """
    # A forget gate and new values, both ways: the least that a step computes.
    of_layer = 4 * config.hidden_size * (config.embedding_dim + config.hidden_size)
    return config.vocab_size * config.embedding_dim + of_layer + config.pooled_size * config.num_classes


def _check_interface(graph: Message, config: ModelConfig) -> None:
    """Compare names, types and shapes of inputs and outputs with those that scoring uses."""
    wanted_inputs = [(INPUT_IDS, _INT64, [None, None]), (LENGTHS, _INT32, [None])]
    wanted_outputs = [(LOGITS, _FLOAT, [None, config.num_classes])]
    for name, wanted in (("inputs", wanted_inputs), ("outputs", wanted_outputs)):
        found = [_signature(value) for value in graph.messages(name, VALUE)]
        require(found == wanted, f"{name} are {found!r:.200}, not {wanted!r:.200}")


def _signature(value: Message) -> tuple[str, int, list[int | None]]:
    """Give name, element type and shape, None for an axis of any size."""
    tensor = value.message("type", TYPE).message("tensor", TENSOR_TYPE)
    dims = tensor.message("shape", SHAPE).messages("dims", DIMENSION)
    return value.text("name"), tensor.integer("dtype"), [dim.integer("size") or None for dim in dims]


def _check_values(graph: Message) -> None:
    """Refuse unknown fields in what a graph says of its values."""
    for name in ("inputs", "outputs", "values"):
        for value in graph.messages(name, VALUE):
            _signature(value)


def _check_nodes(graph: Message, operators: Set[str], values: dict[str, Value], limits: Limits) -> int:
    """Check the nodes of a graph and of the bodies of its Scans.

    :param operators: those allowed.
    :param values: what the nodes can refer to, completed on the way.
    :returns: how many nodes there are.
    """
    count = 0
    for content in graph.all_bytes("nodes"):  # one by one: as objects they are a hundred times as large
        message = Message(content, NODE)
        operator = f"{message.text('domain')}.{message.text('operator')}".removeprefix(".")
        require(operator in operators, f"the operator {operator!r:.200} is not allowed")
        attributes = message.messages("attributes", ATTRIBUTE)
        by_name = {attribute.text("name"): attribute for attribute in attributes}
        require(len(attributes) == len(by_name), f"{operator} has the attributes of one name twice")
        names = message.texts("outputs")
        # At a Max with an input that is left out, onnxruntime ends the process.
        is_whole = "" not in message.texts("inputs") or operator == "com.microsoft.DynamicQuantizeLSTM"
        require(is_whole, f"{operator} leaves out an input")
        count += 1
        if operator == "Scan":
            node = Node(operator, _look_up(values, message.texts("inputs")), len(names), by_name)
            inner_count, outputs = _check_scan(node, operators - {"Scan"}, values, limits)
            count += inner_count
        else:
            has_graph = any("graph" in attribute for attribute in attributes)
            require(not has_graph, f"{operator} has a graph in it")
            node = Node(operator, _look_up(values, message.texts("inputs")), len(names), by_name)
            outputs = [Value(axes, is_float=_is_float(node)) for axes in output_axes(node)]
            # As in C, one of the lowest integer by -1 ends the process.
            require(operator != "Div" or any(value.is_float for value in node.inputs), "Div of integers")
        require(count <= _MAX_NODES, f"more than {_MAX_NODES} nodes")
        limits.check(node, [output.axes for output in outputs])
        _define(values, zip(names, outputs, strict=True))
    return count


def _is_float(node: Node) -> bool:
    """Tell whether what a node gives is surely in fp32, as that of the lengths is, which are divided by."""
    if node.operator == "Cast":
        return node.integer("to") == _FLOAT
    return node.operator == "Unsqueeze" and node.inputs[0].is_float


def _check_scan(
    node: Node, operators: Set[str], values: Mapping[str, Value], limits: Limits
) -> tuple[int, list[Value]]:
    """Check a Scan that runs over the time axis of what follows from the ids.

    :param values: what its body can refer to.
    :returns: how many nodes its body has, and the results.
    """
    attributes = node.attributes.keys()
    require(attributes == _SCAN_ATTRIBUTES, f"Scan has the attributes {sorted(attributes)!r:.200}")
    number = node.integer("num_scan_inputs")
    require(0 < number <= len(node.inputs), "Scan runs over something else than the ids")
    states, scanned = node.inputs[:-number], node.inputs[-number:]
    steps = steps_of_scan(scanned)
    body = node.attributes["body"].message("graph", GRAPH)
    _check_values(body)
    given = [*(state.axes for state in states), *(value.axes[1:] for value in scanned)]
    inputs, outputs = ([value.text("name") for value in body.messages(name, VALUE)] for name in _ENDS)
    fits = len(set(inputs)) == len(inputs) == len(given) and len(states) <= len(outputs) == node.outputs
    require(fits, "Scan has other inputs or outputs than its body")
    inner = {**values, **dict(zip(inputs, map(Value, given), strict=True))}  # inputs hide what is outside
    _define(inner, ((name, constant.value) for name, constant in _check_constants(body).items()))
    count = _check_nodes(body, operators, inner, replace(limits, in_scan=True))
    results = _look_up(inner, outputs)
    for state, result in zip(states, results, strict=False):
        require(result.within(state), "Scan has a state that grows")
    per_step = [Value((steps, *result.axes)) for result in results[len(states) :]]
    return count, [*(Value(state.axes) for state in states), *per_step]


def _look_up(values: Mapping[str, Value], names: Sequence[str]) -> list[Value]:
    for name in names:
        require(name in values, f"the value {name!r:.200} comes from nowhere")
    return [values[name] for name in names]


def _define(values: dict[str, Value], new: Iterable[tuple[str, Value]]) -> None:
    """Add values by name. A name has one meaning: which of two onnxruntime takes is its own matter."""
    for name, value in new:
        require(name == "" or name not in values, f"the value {name!r:.200} comes twice")
        if name:
            values[name] = value


@dataclass(frozen=True)
class _Constant:
    dims: list[int]
    value: Value


def _check_constants(graph: Message) -> dict[str, _Constant]:
    """Check the weights of a graph and give them by name."""
    constants: dict[str, _Constant] = {}
    for constant in graph.messages("constants", CONSTANT):
        name, dims, data = constant.text("name"), constant.integers("dims"), constant.content("data")
        what = f"the constant {name!r:.200}"
        require(name not in constants, f"{what} comes twice")
        require(len(dims) <= MAX_RANK and all(dim > 0 for dim in dims), f"{what} has the shape {dims!r:.200}")
        number = constant.integer("dtype")
        require(number in _DTYPES, f"{what} has the type {number}")
        dtype = np.dtype(_DTYPES[number])
        size = math.prod(dims) * dtype.itemsize
        require(size == len(data), f"{what} has {len(data)} bytes, not the {size} of its shape")
        array = np.frombuffer(data, dtype)
        require(_is_finite(array), f"{what} is not finite")
        numbers = tuple(array.tolist()) if number == _INT64 and array.size <= MAX_RANK else None
        constants[name] = _Constant(dims, Value(tuple(map(Axis, dims)), numbers))
    return constants


def _is_finite(values: npt.NDArray[np.generic]) -> bool:
    if values.dtype == np.float16:
        # isfinite is slow in half precision. Read as integers, infinity and what is no number are above all
        # others: 0x7C00 and more among the signed, and with a minus 0xFC00 and more among the unsigned.
        return bool(values.view(np.int16).max() < 0x7C00 and values.view(np.uint16).max() < 0xFC00)
    return bool(np.isfinite(values).all())


def _keep_rows(constant: memoryview, rows: npt.NDArray[np.int64]) -> bytes:
    """Cut a constant to some of its rows, if it is the embedding."""
    message = Message(constant, CONSTANT)
    if message.text("name") != EMBEDDING:
        return bytes(constant)
    dims = message.integers("dims")
    data = np.frombuffer(message.content("data"), np.uint8).reshape(dims[0], -1)[rows]
    kept = [bytes(field.raw) for field in fields(constant) if field.number not in (DIMS, DATA)]
    kept += [encode(DIMS, dim) for dim in (len(rows), *dims[1:])]
    return b"".join(kept) + encode(DATA, data.tobytes())
