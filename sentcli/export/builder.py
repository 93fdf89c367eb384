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


def lstm_weights(model: BiLSTM, layer: int, gates: str) -> list[list[Array]]:
    """Return the weights of both directions of a layer: of the inputs, of the state, and two biases.

    :param gates: the gates to return, in this order, of i (input), f (forget), g (cell) and o (output).
    """

    def pick(parameter: Tensor) -> Array:
        values = parameter.detach().cpu().float().numpy()
        parts = dict(zip("ifgo", np.split(values, 4), strict=True))  # PyTorch's order
        return np.concatenate([parts[gate] for gate in gates])

    return [[*map(pick, direction)] for direction in model.lstm.all_weights[2 * layer :][:2]]


class ModelGraph(Builder):
    """The graph of a network from `input_ids` and `lengths` to the logits, with what all such graphs have."""

    def __init__(self, network: BiLSTM) -> None:
        super().__init__()
        self.network = network

    def model(self, name: str) -> onnx.ModelProto:
        """Return the graph as a model."""
        model = helper.make_model(
            self.graph(name, *interface(self.network.config)),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sentcli",
            producer_version=sentcli.__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def weights(self, name: str, values: Tensor, dtype: npt.DTypeLike = np.float32) -> str:
        """Store weights of the network in the file."""
        return self.constant(name, values.detach().cpu().numpy(), dtype)

    def embedding(self) -> str:
        """Store the word vectors in fp16, as the bundle does."""
        return self.weights(EMBEDDING, self.network.embedding.weight, np.float16)

    def is_token(self, ids: str) -> str:
        """Mark which ids `[tokens, batch]` are tokens and not padding.

        CumSum over ones counts the steps. Range could too, but the check of ONNX files does not allow it,
        because it can make a tensor of any size from a number.
        """
        ones = self.add("Cast", [self.add("Equal", [ids, ids], "is_step")], "ones", to=TensorProto.INT32)
        step = self.add("CumSum", [ones, self.constant("time_axis", 0, np.int64)], "step")
        return self.add("LessOrEqual", [step, LENGTHS], "is_token")

    def lengths_column(self) -> str:
        """Convert the lengths to fp32 `[batch, 1]`."""
        lengths = self.add("Cast", [LENGTHS], "lengths_fp32", to=TensorProto.FLOAT)
        return self.add("Unsqueeze", [lengths, self.constant("last_axis", [-1], np.int64)], "lengths_column")

    def classify(self, pooled: str) -> None:
        """Turn the pooled state `[batch, pooled_size]` into the logits, and add those of n-grams."""
        network = self.network
        of_classes = LOGITS if network.ngrams is None else "logits_of_network"
        heads = {"classifier": (network.classifier, of_classes)}
        if network.neutral_head is not None:
            heads["neutral_head"] = network.neutral_head, NEUTRAL_LOGITS
        for name, (layer, output) in heads.items():
            weight = self.weights(f"{name}_weight", layer.weight.T)
            self.add("Gemm", [pooled, weight, self.weights(f"{name}_bias", layer.bias)], output)
        if network.ngrams is not None:
            after_first = self.constant("after_first", np.eye(network.config.num_classes)[1:])
            of_ngrams = self._ngram_logits(network.ngrams.weight, network.config)
            self.add("Gemm", [of_ngrams, after_first, of_classes], LOGITS)

    def _ngram_logits(self, table: Tensor, config: ModelConfig) -> str:
        """Add `BiLSTM._ngram_logits`, from ids of its own, which `keep_words` of the backend can replace."""

        def number(value: int) -> str:
            return self.constant(f"number_{value}", [value], np.int64)

        ids = self.add("Transpose", [INPUT_IDS], NGRAM_IDS, perm=[1, 0])
        pairs = self.add("Slice", [ids, number(0), number(-1)], "first_of_pair")
        second = self.add("Slice", [ids, number(1), number(np.iinfo(np.int64).max)], "second_of_pair")
        buckets, words = number(config.ngram_buckets), number(config.vocab_size)
        operands = number(HASH_FACTOR), number(HASH_TERM), second, buckets, words
        for operator, by in zip(("Mul", "Add", "Mul", "Mod", "Add"), operands, strict=True):
            pairs = self.add(operator, [pairs, by], f"pair_{len(self.nodes)}")
        rows = self.add("Concat", [ids, pairs], "ngram_rows", axis=0)
        terms = self.add("Gather", [self.weights(NGRAMS, table, np.float16), rows], "ngrams_of_text")
        terms = self.add("Cast", [terms], "ngrams_fp32", to=TensorProto.FLOAT)
        sums = self.add("ReduceSum", [terms, number(0)], "ngram_sums", keepdims=0)
        sizes = self.constant("ngram_sizes", [config.num_classes - 1, 1], np.int64)
        square = self.add("Split", [sums, sizes], "ngram_sum", "ngram_square", axis=1)
        square = self.add("Max", [square, self.constant("smallest_square", SMALLEST_SQUARE)], "norm_squared")
        return self.add("Div", ["ngram_sum", self.add("Sqrt", [square], "ngram_norm")], "logits_of_ngrams")
