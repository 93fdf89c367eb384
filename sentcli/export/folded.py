"""The folded ONNX graph: what scoring runs, nearly twice as fast as the LSTM operator on a CPU.

The products of word vectors and input weights do not depend on the text, so they form a table, a Gemm of
constants that onnxruntime computes once when it loads the model. What is left of the first layer is a Scan
over time in each direction: look up the word's row, add the recurrent product, apply the gates. The last
layer pools as it goes, so no state is ever stored; the backward direction reads its ids turned round within
their length. Upper layers take their input products from one MatMul over all steps in place of the table.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from sentcli.backends.onnx_program import INPUT_IDS, LENGTHS
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
from sentcli.model import BiLSTM

_GATES = "ifog"  # the three sigmoids side by side: one operator for all


def folded_graph(model: BiLSTM) -> onnx.ModelProto:
    """Build the graph from a model's weights."""
    graph = Builder()
    ids = graph.add("Transpose", [INPUT_IDS], "ids", perm=[1, 0])  # [tokens, batch]
    graph.add("Cast", [LENGTHS], "lengths_int64", to=TensorProto.INT64)
    lengths = add_lengths_column(graph)
    # Initial states [batch, hidden] by broadcasting, for the reason given in `add_is_token`.
    zero_row = graph.constant("zero_row", np.zeros((1, model.config.hidden_size)))
    graph.add("Mul", [lengths, zero_row], "zeros")
    embedding = graph.add("Cast", [add_embedding(graph, model)], "embedding_fp32", to=TensorProto.FLOAT)
    masks = _add_masks(graph, model.pooling, ids)

    layers = lstm_weights(model, _GATES)
    states = ""
    for number, directions in enumerate(layers):
        top = number == len(layers) - 1
        results = []
        for name, weights in zip(("forward", "backward"), directions, strict=True):
            layer = _Layer(f"{name}_{number}", weights, model.pooling if top else "", masks if top else {})
            inputs = graph.constant(f"{layer.name}_input_weight", weights.inputs)
            bias = graph.constant(f"{layer.name}_bias", weights.input_bias + weights.recurrent_bias)
            if number == 0:
                table = graph.add(
                    "Gemm", [embedding, inputs, bias], f"{layer.name}_table"
                )  # [words, 4 * hidden]
                steps = ids
            else:
                product = graph.add("MatMul", [states, inputs], f"{layer.name}_product")
                table, steps = "", graph.add("Add", [product, bias], f"{layer.name}_steps")
            if name == "backward":
                steps = _turn(graph, steps)
            results.append(_add_scan(graph, layer, table, steps))
        if not top:
            forward, backward = (result["outputs"] for result in results)
            states = graph.add("Concat", [forward, _turn(graph, backward)], f"states_{number}", axis=2)

    parts = {key: graph.add("Concat", [result[key] for result in results], key, axis=1) for key in results[0]}
    if "sum" in parts:
        parts["sum"] = graph.add("Div", [parts["sum"], lengths], "mean")
    add_classifier(graph, model, graph.add("Concat", list(parts.values()), "pooled", axis=1))
    return graph.model("folded", model.config.num_classes)


@dataclass(frozen=True)
class _Layer:
    """One direction of one layer.

    :param name: what its values begin with.
    :param pooling: how it pools, "" for one whose states the next layer needs.
    :param masks: what pooling needs to know of each step: name in the body to value `[tokens, batch, 1]`.
    """

    name: str
    weights: Weights
    pooling: str
    masks: dict[str, str]


def _turn(graph: Builder, steps: str) -> str:
    """Turn each text round within its length; doing it again restores it."""
    inputs = [steps, "lengths_int64"]
    return graph.add("ReverseSequence", inputs, f"{steps}_turned", time_axis=0, batch_axis=1)


def _add_masks(graph: Builder, pooling: str, ids: str) -> dict[str, str]:
    """Tell tokens and padding apart, in the form that the pooling of `_add_scan` works with."""
    axis = graph.constant("last_axis", [-1], np.int64)
    is_token = graph.add("Unsqueeze", [add_is_token(graph, ids), axis], "is_token_column")
    if pooling == "last":
        return {"is_token": is_token}
    # Arithmetic with 0 and 1 is faster than selecting with Where.
    masks = {"weight": graph.add("Cast", [is_token], "weights", to=TensorProto.FLOAT)}
    if "max" in pooling:
        masks["penalty"] = graph.add("Sub", [masks["weight"], graph.constant("one", 1.0)], "penalties")
    return masks


def _add_scan(graph: Builder, layer: _Layer, table: str, steps: str) -> dict[str, str]:
    """Run one direction of a layer over time.

    :param table: the input products of all words; "" when `steps` holds products in place of ids.
    :returns: what the rest of the graph needs, by name: `last`, or `max` and `sum`, each `[batch, hidden]`,
        or the `outputs` of all steps, `[tokens, batch, hidden]`.
    """
    hidden = layer.weights.recurrent.shape[0]
    body = Builder()
    _add_gates(body, layer.weights, body.add("Gather", [table, "step"], "product") if table else "step")
    initial, final = {"hidden": "zeros", "cell": "zeros"}, ["state", "cell_out"]
    if layer.pooling == "last":
        # The state stands still once the text has ended.
        final[0] = body.add("Where", ["is_token", "state", "hidden"], "hidden_out")
    if "weight" in layer.masks:
        body.add("Mul", ["state", "weight"], "masked")
    if "max" in layer.pooling:
        # A penalty is 0, of padding -1: no state is below that, so padding never beats what was there.
        body.add("Max", ["max", body.add("Add", ["masked", "penalty"], "candidate")], "max_out")
        initial["max"] = graph.add("Sub", ["zeros", "one"], f"{layer.name}_lowest")
        final.append("max_out")
    if "mean" in layer.pooling:
        body.add("Add", ["sum", "masked"], "sum_out")
        initial["sum"] = "zeros"
        final.append("sum_out")
    results = {name: f"{layer.name}_{name}" for name in initial}
    if not layer.pooling:
        final.append(body.add("Identity", ["state"], "output"))  # a result of its own, by ONNX's rules
        results["outputs"] = f"{layer.name}_outputs"

    step = value("step", "batch", dtype=np.int64) if table else value("step", "batch", 4 * hidden)
    is_bool = {"is_token"}
    masks = [value(name, "batch", 1, dtype=bool if name in is_bool else np.float32) for name in layer.masks]
    states = [value(name, "batch", hidden) for name in initial]
    graph.add_multiple(
        "Scan",
        [*initial.values(), steps, *layer.masks.values()],
        list(results.values()),
        body=body.graph("step", [*states, step, *masks], [value(name, "batch", hidden) for name in final]),
        num_scan_inputs=1 + len(masks),
    )
    if not layer.pooling:
        return {"outputs": results["outputs"]}
    if layer.pooling == "last":
        return {"last": results["hidden"]}
    return {name: results[name] for name in ("max", "sum") if name in results}


def _add_gates(body: Builder, weights: Weights, product: str) -> None:
    """Add the LSTM's step, from `hidden` and `cell` to `state`, the next hidden one, and `cell_out`."""
    hidden = weights.recurrent.shape[0]
    recurrent = body.constant("recurrent", weights.recurrent)
    gates = body.add("Gemm", ["hidden", recurrent, product], "gates")  # [batch, 4 * hidden]
    sizes = body.constant("sigmoids_and_cell", [3 * hidden, hidden], np.int64)
    body.add_multiple("Split", [gates, sizes], ["sigmoids", "cell_gate"], axis=1)
    sigmoids = body.add("Sigmoid", ["sigmoids"], "sigmoids_out")
    sizes = body.constant("single_gates", [hidden] * 3, np.int64)
    body.add_multiple("Split", [sigmoids, sizes], ["input_gate", "forget_gate", "output_gate"], axis=1)
    new = body.add("Mul", ["input_gate", body.add("Tanh", ["cell_gate"], "cell_new")], "new")
    kept = body.add("Mul", ["forget_gate", "cell"], "kept")
    body.add("Add", [kept, new], "cell_out")
    body.add("Mul", ["output_gate", body.add("Tanh", ["cell_out"], "cell_tanh")], "state")
