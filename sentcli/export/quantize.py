"""ONNX files in int8, of either graph.

Portable: half the size, for small devices, but onnxruntime takes activation ranges from the whole
batch, so a score moves by up to some hundredths with its neighbours. Folded: it does not, but only the
recurrent product is in int8, which is faster than fp32 from some 64 hidden units on. Both differ from fp32,
which is why int8 is never the default.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from sentcli.backends.onnx import OnnxBackend
from sentcli.backends.onnx_check import OPSET
from sentcli.config import TextConfig
from sentcli.export.builder import IR_VERSION, PRODUCER
from sentcli.export.folded import folded_graph
from sentcli.export.parity import Parity, write_checked
from sentcli.export.portable import portable_graph
from sentcli.model.bilstm import BiLSTM


def write_int8(
    model: BiLSTM, path: Path, graph: str = "portable", max_tokens: int = TextConfig.max_tokens
) -> Parity:
    """Write a model as int8 ONNX, if it is close enough to PyTorch.

    :param path: ends in .int8.onnx: only such a file may have the operators of int8.
    :param graph: one of `sentcli.export.GRAPHS`; portable has the LSTM and the embedding quantized, folded
        the recurrent product.
    :param max_tokens: length of the longest text that is compared.
    :raises ExportError: when the two differ by more than int8 should; no file is written then.
    """
    quantized = folded_graph(model, "int8") if graph == "folded" else _quantized(model)
    content = quantized.SerializeToString()
    exported = OnnxBackend(content, path, model.config)
    return write_checked(path, content, model, exported, max_tokens=max_tokens, precision="int8")


def _quantized(model: BiLSTM) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        file = Path(folder, "model.onnx")
        quantize_dynamic(
            portable_graph(model, quantizable=True),
            file,
            op_types_to_quantize=["LSTM", "Gather"],
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: sums of products of 8 overflow on x86 processors without VNNI
        )
        graph = onnx.load(file).graph
    # The same form as sentcli's own graphs: constants as raw bytes, versions pinned, no advice inside.
    for constant in graph.initializer:
        constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant), constant.name))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    quantized = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, **PRODUCER)
    onnx.checker.check_model(quantized)
    return quantized


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep off stderr what the quantizer says through the root logger, which it would set up for that."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
