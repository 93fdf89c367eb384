"""The folded ONNX graph: what scoring runs, 3.7 to 6.2 times as fast as LSTM operators (limit.py).

The products of word vectors and input weights do not depend on the text, so they form a table, a Gemm of
constants that onnxruntime computes once when it loads the model. What is left of the first layer is a Scan
over time in each direction: look up the word's row, add the recurrent product, apply the gates. The last
layer pools as it goes, so no state is ever stored; the backward direction reads its ids turned round within
their length. Upper layers take their input products from one MatMul over all steps in place of the table.

Where the gates are coupled, no input gate is computed: a quarter less to look up and to multiply, 1.2 to
1.3 times as fast (limit.py). Where the forget gate is the only one, it is half, and 1.3 to 1.4 times as fast
as coupled ones.

Padding begins after the shortest text of a batch, so the last layer is two Scans: one up to there without
masks, one for the rest. Batches are of nearly one length, so almost all steps are in the first.

In int8 the recurrent product is one of integers. A state of an LSTM lies between -1 and 1, so its scale is
fixed, and no score depends on the texts beside it. On one core with VNNI, over batches as the pipeline makes
them of IMDb, that is 0.95 to 1.1 times as fast as fp32 at 32 hidden units, and 1.1 to 1.4 times at 64, by the
processor (limit.py). A scale for each column is slower, states with a sign are twice as slow as fp32, and
onnxruntime's QGemm, 4 to 15 % faster at 64, is no operator of ONNX.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from sentcli.backends.onnx_check import INPUT_IDS, LENGTHS
from sentcli.export.builder import (
    Builder,
    Weights,
    add_classifier,
    add_embedding,
    add_is_token,
    add_lengths_column,
    lstm_weights,
    value,
)
from sentcli.model.bilstm import BiLSTM, gates_of

_GATES = {"separate": "ifgo", "coupled": "fgo", "forget": "fg"}  # those to compute
# 7 bits: x86 processors without VNNI add products of 8 and 8 bits in pairs, in 16 bits, and would clip them.
_LARGEST_WEIGHT = 63


def folded_graph(model: BiLSTM, precision: str = "fp32") -> onnx.ModelProto:
    """Build the graph from a model's weights.

    :param precision: of `sentcli.export.PRECISIONS`; that of the recurrent product.
    """
    graph = Builder()
    if precision == "int8":
        graph.constant("state_scale", 1 / 127)
        graph.constant("state_zero", 128, np.uint8)
    ids = _add_ids(graph)  # [steps, batch]
    lengths = add_lengths_column(graph)
    # Initial states [batch, hidden] by broadcasting, for the reason given in `add_is_token`.
    zero_row = graph.constant("zero_row", np.zeros((1, model.config.hidden_size)))
    graph.add("Mul", [lengths, zero_row], "zeros")
    gates = _GATES[gates_of(model)]
    graph.constant("gate_sizes", [model.config.hidden_size] * len(gates), np.int64)
    embedding = graph.add("Cast", [add_embedding(graph, model)], "embedding_fp32", to=TensorProto.FLOAT)
    masks = _add_masks(graph, model.pooling, ids)

    layers = lstm_weights(model, gates)
    states = ""
    for number, directions in enumerate(layers):
        top = number == len(layers) - 1
        results = []
        for name, weights in zip(("forward", "backward"), directions, strict=True):
            layer = _Layer(f"{name}_{number}", weights, gates, model.pooling if top else "", precision)
            inputs = graph.constant(f"{layer.name}_input_weight", weights.inputs)
            bias = graph.constant(f"{layer.name}_bias", weights.input_bias + weights.recurrent_bias)
            _add_recurrent(graph, layer)
            if number == 0:
                table = graph.add(
                    "Gemm", [embedding, inputs, bias], f"{layer.name}_table"
                )  # [words, gates * hidden]
                steps = ids
            else:
                product = graph.add("MatMul", [states, inputs], f"{layer.name}_product")
                table, steps = "", graph.add("Add", [product, bias], f"{layer.name}_steps")
            if name == "backward":
                steps = _turn(graph, steps)
            results.append(_add_direction(graph, layer, table, steps, masks))
        if not top:
            forward, backward = (result["output"] for result in results)
            states = graph.add("Concat", [forward, _turn(graph, backward)], f"states_{number}", axis=2)

    names = {"last": ["hidden"], "max+mean": ["max", "sum"], "max": ["max"], "mean": ["sum"]}[model.pooling]
    parts = [graph.add("Concat", [result[name] for result in results], name, axis=1) for name in names]
    if "sum" in parts:
        parts[-1] = graph.add("Div", ["sum", lengths], "mean")
    add_classifier(graph, model, graph.add("Concat", parts, "pooled", axis=1))
    return graph.model("folded", model.config.num_classes)


@dataclass(frozen=True)
class _Layer:
    """One direction of one layer.

    :param name: what its values begin with.
    :param gates: those that its weights have, in their order.
    :param pooling: how it pools, "" for one whose states the next layer needs.
    :param precision: that of its recurrent product.
    """

    name: str
    weights: Weights
    gates: str
    pooling: str
    precision: str


def _add_ids(graph: Builder) -> str:
    """Turn the ids to `[steps, batch]`, with a step of padding more: no Scan may be over nothing."""
    tokens = graph.add("Transpose", [INPUT_IDS], "token_ids", perm=[1, 0])
    graph.add("Cast", [LENGTHS], "lengths_int64", to=TensorProto.INT64)
    graph.add("ReduceMin", ["lengths_int64"], "shortest", keepdims=1)
    for name, number in (("first", 0), ("second", 1), ("end", np.iinfo(np.int64).max)):
        graph.constant(name, [number], np.int64)
    more = graph.add("Slice", [tokens, "first", "second"], "more_ids")
    return graph.add("Concat", [tokens, more], "ids", axis=0)


def _turn(graph: Builder, steps: str) -> str:
    """Turn each text round within its length; doing it again restores it."""
    inputs = [steps, "lengths_int64"]
    return graph.add("ReverseSequence", inputs, f"{steps}_turned", time_axis=0, batch_axis=1)


def _add_masks(graph: Builder, pooling: str, ids: str) -> dict[str, str]:
    """Tell tokens and padding apart behind the shortest text, in the form that pooling works with.

    :returns: name in the body to value `[steps, batch, 1]`.
    """
    axis = graph.constant("last_axis", [-1], np.int64)
    behind = graph.add("Slice", [add_is_token(graph, ids), "shortest", "end"], "is_token_behind")
    is_token = graph.add("Unsqueeze", [behind, axis], "is_token_column")
    if pooling == "last":
        return {"is_token": is_token}
    # Arithmetic with 0 and 1 is faster than selecting with Where.
    masks = {"weight": graph.add("Cast", [is_token], "weights", to=TensorProto.FLOAT)}
    if "max" in pooling:
        one = graph.constant("one", 1.0)
        graph.add("Sub", ["zeros", one], "lowest")
        masks["penalty"] = graph.add("Sub", [masks["weight"], one], "penalties")
    return masks


def _add_recurrent(graph: Builder, layer: _Layer) -> None:
    """Store the recurrent weights; in int8 with the scale of what their product with a state gives."""
    weights = layer.weights.recurrent
    if layer.precision == "int8":
        largest = float(np.abs(weights).max()) or 1.0
        graph.constant(f"{layer.name}_scale", largest / _LARGEST_WEIGHT / 127)
        weights = np.rint(weights / largest * _LARGEST_WEIGHT)
    graph.constant(f"{layer.name}_recurrent", weights, np.int8 if layer.precision == "int8" else np.float32)


def _add_direction(
    graph: Builder, layer: _Layer, table: str, steps: str, masks: dict[str, str]
) -> dict[str, str]:
    """Run one direction of a layer over time.

    :param table: the input products of all words; "" when `steps` holds products in place of ids.
    :returns: by name the final `hidden`, `max` and `sum`, each `[batch, hidden]`, as far as the pooling has
        them; without pooling the `output` of all steps, `[steps, batch, hidden]`.
    """
    states = {"hidden": "zeros", "cell": "zeros"}
    if not layer.pooling:
        return _add_scan(graph, layer, table, steps, states, {}, layer.name)
    if "max" in layer.pooling:
        states["max"] = "lowest"
    if "mean" in layer.pooling:
        states["sum"] = "zeros"
    for part, start, end in (("full", "first", "shortest"), ("rest", "shortest", "end")):
        name = f"{layer.name}_{part}"
        some = graph.add("Slice", [steps, start, end], f"{name}_steps")
        states = _add_scan(graph, layer, table, some, states, masks if part == "rest" else {}, name)
    return states


def _add_scan(
    graph: Builder,
    layer: _Layer,
    table: str,
    steps: str,
    states: dict[str, str],
    masks: dict[str, str],
    name: str,
) -> dict[str, str]:
    """Run some steps.

    :param states: name in the body to initial value.
    :param masks: what tells tokens and padding apart; empty where there is no padding.
    :returns: the final states by the same names, and without pooling the `output` of all steps.
    """
    hidden, of_gates = layer.weights.recurrent.shape
    body = Builder()
    product = body.add("Gather", [table, "step"], "product") if table else "step"
    _add_gates(body, layer.gates, _add_sums(body, layer, product))
    final = {"hidden": "state", "cell": "cell_out"}
    pooled = masked = "state"
    if "is_token" in masks:
        # The state stands still once the text has ended.
        final["hidden"] = body.add("Where", ["is_token", "state", "hidden"], "hidden_out")
    if "weight" in masks:
        pooled = masked = body.add("Mul", ["state", "weight"], "masked")
    if "penalty" in masks:
        # A penalty is 0, of padding -1: no state is below that, so padding never beats what was there.
        pooled = body.add("Add", [masked, "penalty"], "candidate")
    if "max" in states:
        final["max"] = body.add("Max", ["max", pooled], "max_out")
    if "sum" in states:
        final["sum"] = body.add("Add", ["sum", masked], "sum_out")
    if not layer.pooling:
        final["output"] = body.add("Identity", ["state"], "output")  # a result of its own, by ONNX's rules

    step = value("step", "batch", dtype=np.int64) if table else value("step", "batch", of_gates)
    columns = [value(mask, "batch", 1, dtype=bool if mask == "is_token" else np.float32) for mask in masks]
    inputs = [*(value(state, "batch", hidden) for state in states), step, *columns]
    outputs = [value(result, "batch", hidden) for result in final.values()]
    results = {result: f"{name}_{result}" for result in final}
    graph.add_multiple(
        "Scan",
        [*states.values(), steps, *masks.values()],
        list(results.values()),
        body=body.graph("step", inputs, outputs),
        num_scan_inputs=1 + len(masks),
    )
    return results


def _add_sums(body: Builder, layer: _Layer, product: str) -> str:
    """Add the recurrent product of `hidden` to the input product, both `[batch, gates * hidden]`."""
    recurrent = f"{layer.name}_recurrent"
    if layer.precision == "fp32":
        return body.add("Gemm", ["hidden", recurrent, product], "gates")
    states = body.add("QuantizeLinear", ["hidden", "state_scale", "state_zero"], "states")
    integers = body.add("MatMulInteger", [states, recurrent, "state_zero"], "integers")
    sums = body.add("DequantizeLinear", [integers, f"{layer.name}_scale"], "recurrent_product")
    return body.add("Add", [sums, product], "gates")


def _add_gates(body: Builder, gates: str, sums: str) -> None:
    """Add the LSTM's step, from the sums and `cell` to `state`, the next hidden one, and `cell_out`."""
    # Sigmoid of several gates at once would be an operator less, but have them copied once more.
    body.add_multiple("Split", [sums, "gate_sizes"], [f"{gate}_sum" for gate in gates], axis=1)
    for gate in gates:
        body.add("Tanh" if gate == "g" else "Sigmoid", [f"{gate}_sum"], gate)
    if "i" in gates:
        kept = body.add("Mul", ["f", "cell"], "kept")
        body.add("Add", [kept, body.add("Mul", ["i", "g"], "new")], "cell_out")
    else:  # f * cell + (1 - f) * g
        kept = body.add("Mul", ["f", body.add("Sub", ["cell", "g"], "excess")], "kept")
        body.add("Add", ["g", kept], "cell_out")
    if "o" in gates:
        body.add("Mul", ["o", body.add("Tanh", ["cell_out"], "cell_tanh")], "state")
    else:
        body.add("Tanh", ["cell_out"], "state")
