"""The portable ONNX graph: one LSTM operator per layer, which every ONNX runtime supports."""

import numpy as np
import onnx
from onnx import TensorProto

from sentcli.backends.onnx import INPUT_IDS, LENGTHS
from sentcli.export.builder import ModelGraph, lstm_weights
from sentcli.model.bilstm import BiLSTM

_GATES = "iofg"  # ONNX's order; it calls the cell gate c


def portable_graph(model: BiLSTM) -> onnx.ModelProto:
    """Build the graph from a model's weights."""
    hidden = model.config.hidden_size
    graph = ModelGraph(model)
    ids = graph.add("Transpose", [INPUT_IDS], "ids", perm=[1, 0])  # [tokens, batch]
    words = graph.add("Gather", [graph.embedding(), ids], "words")
    states = graph.add("Cast", [words], "words_fp32", to=TensorProto.FLOAT)  # [tokens, batch, embedding_dim]
    outputs = last = ""
    for layer in range(model.config.num_layers):
        if layer > 0:
            side_by_side = graph.add("Transpose", [outputs], f"side_by_side_{layer}", perm=[0, 2, 1, 3])
            joined = graph.constant("joined_shape", [0, 0, 2 * hidden], np.int64)
            states = graph.add("Reshape", [side_by_side, joined], f"states_{layer}")
        of_inputs, recurrent, *biases = zip(*lstm_weights(model, layer, _GATES), strict=True)
        graph.constant(f"W_{layer}", of_inputs)
        graph.constant(f"R_{layer}", recurrent)
        graph.constant(f"B_{layer}", np.hstack(biases))
        inputs = [states, f"W_{layer}", f"R_{layer}", f"B_{layer}", LENGTHS]
        outputs, last = f"outputs_{layer}", f"last_{layer}"  # [tokens, 2, batch, hidden], [2, batch, hidden]
        graph.add("LSTM", inputs, outputs, last, hidden_size=hidden, direction="bidirectional")
    graph.classify(_pool(graph, ids, outputs, last))
    return graph.model("portable")


def _pool(graph: ModelGraph, ids: str, outputs: str, last: str) -> str:
    """Pool the last layer's outputs to `[batch, pooled_size]`."""
    parts = [last]  # each [2, batch, hidden]
    if graph.network.pooling == "max+mean":
        axes = graph.constant("direction_and_state_axes", [1, 3], np.int64)
        is_token = graph.add("Unsqueeze", [graph.is_token(ids), axes], "is_token_column")
        time = graph.constant("time_axes", [0], np.int64)
        # No state is below -1, so padding is never the maximum.
        masked = graph.add("Where", [is_token, outputs, graph.constant("lowest", -1.0)], "states_or_lowest")
        largest = graph.add("ReduceMax", [masked, time], "max", keepdims=0)
        masked = graph.add("Where", [is_token, outputs, graph.constant("zero", 0.0)], "states_or_zero")
        total = graph.add("ReduceSum", [masked, time], "sum", keepdims=0)
        parts = [largest, graph.add("Div", [total, graph.lengths_column()], "mean")]
    stacked = graph.add("Concat", parts, "parts", axis=0)
    by_row = graph.add("Transpose", [stacked], "parts_by_row", perm=[1, 0, 2])
    shape = graph.constant("pooled_shape", [0, graph.network.config.pooled_size], np.int64)
    return graph.add("Reshape", [by_row, shape], "pooled")
