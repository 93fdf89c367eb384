"""A TorchScript file, which PyTorch loads without sentcli.

PyTorch has marked TorchScript as deprecated, so this is never the only copy of a model.
"""

import copy
import io
import warnings
from pathlib import Path

import torch

from sentcli.backends.torch import TORCHSCRIPT_ENDS, TorchScriptBackend
from sentcli.config import TextConfig
from sentcli.export.parity import Parity, write_checked
from sentcli.model.bilstm import BiLSTM


def write_torchscript(model: BiLSTM, path: Path, max_tokens: int = TextConfig.max_tokens) -> Parity:
    """Write a model as TorchScript, if the file agrees with the model.

    :param max_tokens: length of the longest text that is compared.
    :raises ExportError: when the two differ; no file is written then.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", TORCHSCRIPT_ENDS)  # said in this module's own words
        torch.jit.save(torch.jit.script(copy.deepcopy(model).cpu().eval()), buffer)
    content = buffer.getvalue()
    exported = TorchScriptBackend(content, path, model.config, "cpu", torch.get_num_threads())
    return write_checked(path, content, model, exported, max_tokens=max_tokens, precision="fp32")
