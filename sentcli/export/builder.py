"""Build ONNX graphs from nodes and constants by name, and from the weights in ONNX's layout."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

import sentcli
from sentcli.backends.onnx import EMBEDDING, INPUT_IDS, LENGTHS, LOGITS, NEUTRAL_LOGITS, NGRAM_IDS, NGRAMS
from sentcli.backends.onnx_check import OPSET, interface
from sentcli.config import ModelConfig
from sentcli.model.bilstm import HASH_FACTOR, HASH_TERM, SMALLEST_SQUARE, BiLSTM

# Pinned like OPSET: a runtime refuses a file that is newer than itself, so both follow the oldest supported
# runtime and not the installed onnx package.
IR_VERSION = 8  # from the same release as OPSET: onnx 1.13, onnxruntime 1.14

Array = npt.NDArray[Any]


class Builder:
    """The nodes and constants of one graph. Methods that define a value return its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Store an array in the file."""
        self._constants[name] = numpy_helper.from_array(np.asarray(values, dtype), name)
        return name

    def add(self, operator: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Append a node; its last output is the one that is returned, and names the node."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[-1], **attributes))
        return outputs[-1]

    def graph(
        self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> onnx.GraphProto:
        return helper.make_graph(self.nodes, name, inputs, outputs, list(self._constants.values()))

    def model(self, name: str, config: ModelConfig) -> onnx.ModelProto:
        """Return the graph as a model from `input_ids` and `lengths` to the logits."""
        model = helper.make_model(
            self.graph(name, *interface(config)),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sentcli",
            producer_version=sentcli.__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def lstm_weights(model: BiLSTM, layer: int, gates: str) -> list[list[Array]]:
    """Return the weights of both directions of a layer: of the inputs, of the state, and two biases.

    :param gates: the gates to return, in this order, of i (input), f (forget), g (cell) and o (output).
    """

    def pick(parameter: Tensor) -> Array:
        values = parameter.detach().cpu().float().numpy()
        parts = dict(zip("ifgo", np.split(values, 4), strict=True))  # PyTorch's order
        return np.concatenate([parts[gate] for gate in gates])

    return [[*map(pick, direction)] for direction in model.lstm.all_weights[2 * layer :][:2]]


def add_embedding(graph: Builder, model: BiLSTM) -> str:
    """Store the embedding in fp16, as the bundle does."""
    return graph.constant(EMBEDDING, model.embedding.weight.detach().cpu().numpy(), np.float16)


def add_is_token(graph: Builder, ids: str) -> str:
    """Mark which ids `[tokens, batch]` are tokens and not padding.

    CumSum over ones counts the steps. Range could too, but the check of ONNX files does not allow it, because
    it can make a tensor of any size from a number.
    """
    ones = graph.add("Cast", [graph.add("Equal", [ids, ids], "is_step")], "ones", to=TensorProto.INT32)
    step = graph.add("CumSum", [ones, graph.constant("time_axis", 0, np.int64)], "step")
    return graph.add("LessOrEqual", [step, LENGTHS], "is_token")


def add_lengths_column(graph: Builder) -> str:
    """Convert the lengths to fp32 `[batch, 1]`."""
    lengths = graph.add("Cast", [LENGTHS], "lengths_fp32", to=TensorProto.FLOAT)
    return graph.add("Unsqueeze", [lengths, graph.constant("last_axis", [-1], np.int64)], "lengths_column")


def add_classifier(graph: Builder, model: BiLSTM, pooled: str) -> None:
    """Turn the pooled state `[batch, pooled_size]` into the logits, and add those of n-grams."""
    of_classes = LOGITS if model.ngrams is None else "logits_of_network"
    for name, layer, output in (
        ("classifier", model.classifier, of_classes),
        ("neutral_head", model.neutral_head, NEUTRAL_LOGITS),
    ):
        if layer is not None:
            weight = graph.constant(f"{name}_weight", layer.weight.detach().cpu().numpy().T)
            bias = graph.constant(f"{name}_bias", layer.bias.detach().cpu().numpy())
            graph.add("Gemm", [pooled, weight, bias], output)
    if model.ngrams is not None:
        of_ngrams = _add_ngram_logits(graph, model.ngrams.weight, model.config)
        after_first = graph.constant("after_first", np.eye(model.config.num_classes)[1:])
        graph.add("Gemm", [of_ngrams, after_first, of_classes], LOGITS)


def _add_ngram_logits(graph: Builder, table: Tensor, config: ModelConfig) -> str:
    """Add `BiLSTM._ngram_logits`, from ids of its own, which `keep_words` of the backend can replace."""

    def number(value: int) -> str:
        return graph.constant(f"number_{value}", [value], np.int64)

    ids = graph.add("Transpose", [INPUT_IDS], NGRAM_IDS, perm=[1, 0])
    pairs = graph.add("Slice", [ids, number(0), number(-1)], "first_of_pair")
    second = graph.add("Slice", [ids, number(1), number(np.iinfo(np.int64).max)], "second_of_pair")
    buckets, words = number(config.ngram_buckets), number(config.vocab_size)
    operands = number(HASH_FACTOR), number(HASH_TERM), second, buckets, words
    for operator, by in zip(("Mul", "Add", "Mul", "Mod", "Add"), operands, strict=True):
        pairs = graph.add(operator, [pairs, by], f"pair_{len(graph.nodes)}")
    rows = graph.add("Concat", [ids, pairs], "ngram_rows", axis=0)
    weights = graph.constant(NGRAMS, table.detach().cpu().numpy(), np.float16)
    terms = graph.add("Gather", [weights, rows], "ngrams_of_text")
    terms = graph.add("Cast", [terms], "ngrams_fp32", to=TensorProto.FLOAT)
    sums = graph.add("ReduceSum", [terms, number(0)], "ngram_sums", keepdims=0)
    sizes = graph.constant("ngram_sizes", [config.num_classes - 1, 1], np.int64)
    square = graph.add("Split", [sums, sizes], "ngram_sum", "ngram_square", axis=1)
    square = graph.add("Max", [square, graph.constant("smallest_square", SMALLEST_SQUARE)], "norm_squared")
    return graph.add("Div", ["ngram_sum", graph.add("Sqrt", [square], "ngram_norm")], "logits_of_ngrams")
