"""ONNX files in fp32, of either graph."""

from collections.abc import Callable
from pathlib import Path

import onnx

from sentcli.backends.onnx import OnnxBackend
from sentcli.config import TextConfig
from sentcli.export.folded import folded_graph
from sentcli.export.parity import Parity, write_checked
from sentcli.export.portable import portable_graph
from sentcli.model.bilstm import BiLSTM

_BUILDERS: dict[str, Callable[[BiLSTM], onnx.ModelProto]] = {
    "portable": portable_graph,
    "folded": folded_graph,
}


def write_onnx(model: BiLSTM, path: Path, graph: str, max_tokens: int = TextConfig.max_tokens) -> Parity:
    """Write a model as ONNX, if what onnxruntime makes of it agrees with PyTorch.

    :param model: its embedding rounded by `round_embedding`: the file holds it in fp16.
    :param graph: one of `sentcli.export.GRAPHS`.
    :param max_tokens: length of the longest text that is compared.
    :raises ExportError: when the two differ; no file is written then.
    """
    content = _BUILDERS[graph](model).SerializeToString()
    exported = OnnxBackend(content, path, model.config)
    return write_checked(path, content, model, exported, max_tokens=max_tokens, precision="fp32")
