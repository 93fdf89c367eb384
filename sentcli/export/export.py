"""Write a trained model as ONNX and TorchScript, checked against PyTorch."""

import copy
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sentcli.backends import Backend
from sentcli.backends.onnx import OnnxBackend
from sentcli.backends.onnx_check import check_model
from sentcli.backends.torch import TORCHSCRIPT_DEPRECATED, TorchScriptBackend
from sentcli.backends.weights import load_model
from sentcli.config import TextConfig
from sentcli.errors import OutputError, UsageError, option
from sentcli.export.folded import folded_graph
from sentcli.export.parity import check_parity
from sentcli.export.portable import portable_graph
from sentcli.files.atomic import resolve
from sentcli.model.bilstm import BiLSTM
from sentcli.model.bundle import ONNX, TORCHSCRIPT, VOCAB, Bundle, new_bundle, write_config
from sentcli.scoring.pool import usable_cores

_BUILDERS = {"portable": portable_graph, "folded": folded_graph}


@dataclass(frozen=True)
class ExportedFile:
    """A model file that was written."""

    name: str
    size: int  # in bytes
    difference: float  # the largest from PyTorch's probabilities, on synthetic texts


def export_bundle(
    bundle: Bundle,
    output: Path,
    *,
    formats: Sequence[str] = ("onnx",),
    graph: str = "portable",
    overwrite: bool = False,
) -> list[ExportedFile]:
    """Write a model folder with the model in other formats, for `sentcli score --model`.

    :raises ExportError: when an exported file disagrees with PyTorch; nothing is written then.
    """
    if graph != "portable" and "onnx" not in formats:
        raise UsageError(f"{option('graph', graph)} is for ONNX; try {option('format', 'onnx')}")
    if resolve(output) == bundle.path.resolve():
        raise OutputError(f"{output} is the model itself; name another folder with -o")
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    model, max_tokens = load_model(bundle), bundle.config.text.max_tokens
    files = []
    with new_bundle(output, overwrite=overwrite) as folder:
        write_config(folder, bundle.config)
        (folder / VOCAB).write_bytes(bundle.read(VOCAB))
        if "onnx" in formats:
            files.append(write_onnx(model, folder / ONNX, graph, max_tokens))
        if "torchscript" in formats:
            files.append(write_torchscript(model, folder / TORCHSCRIPT, max_tokens))
    return files


def write_onnx(
    model: BiLSTM, path: Path, graph: str, max_tokens: int = TextConfig.max_tokens
) -> ExportedFile:
    """Write a model as ONNX.

    :param model: its embedding rounded by `round_embedding`, because the file holds it in fp16.
    :param max_tokens: length of the longest text that is compared.
    """
    content = _BUILDERS[graph](model).SerializeToString()
    check_model(content, path, model.config)
    return _write(content, path, OnnxBackend(content, path, model.config), model, max_tokens)


def write_torchscript(model: BiLSTM, path: Path, max_tokens: int = TextConfig.max_tokens) -> ExportedFile:
    """Write a model as TorchScript, which PyTorch loads without sentcli; see `write_onnx`.

    PyTorch has deprecated TorchScript, so it should never be the only copy of a model.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", TORCHSCRIPT_DEPRECATED)  # `sentcli export --help` says so
        torch.jit.save(torch.jit.script(copy.deepcopy(model).cpu().eval()), buffer)
    content = buffer.getvalue()
    return _write(content, path, TorchScriptBackend(content, path, model.config, "cpu"), model, max_tokens)


def _write(content: bytes, path: Path, exported: Backend, model: BiLSTM, max_tokens: int) -> ExportedFile:
    difference = check_parity(model, exported, path, max_tokens)
    path.write_bytes(content)
    return ExportedFile(path.name, len(content), difference)
