"""The runtimes that run a model: onnxruntime, PyTorch and TorchScript, all with the same interface."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sentcli.config import BACKENDS, DEVICES, SCORING_PRECISIONS
from sentcli.errors import BundleError, UsageError, option, requires
from sentcli.model.bundle import ONNX, TORCHSCRIPT, Bundle

Ids = npt.NDArray[np.int64]  # [batch, tokens]
Lengths = npt.NDArray[np.int32]  # [batch]
Logits = npt.NDArray[np.float32]  # [batch, outputs], see `ModelConfig.num_outputs`

# Set before onnxruntime is imported; else it writes to the user's home and sends telemetry to Microsoft.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_FILES = {"onnx": ONNX, "torchscript": TORCHSCRIPT, "torch": ONNX}  # in the order of preference


class Backend(Protocol):
    """A loaded model. Several threads may call it at the same time."""

    name: str  # backends of different names may return different scores
    runtime: str  # the library and its version, with the device if the library supports several
    batch_factor: int  # for the batch limits, which suit one CPU core

    def prepare(self) -> None:
        """Load what the first large batch would otherwise wait for; may raise as `logits`."""

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Return the logits of a batch.

        :param ids: `[batch, tokens]`, at least one row, padded with `<pad>` at the end.
        :param lengths: `[batch]`, the tokens of each row, at least 1.
        :returns: `[batch, outputs]`, all finite.
        :raises BundleError: when the model fails, or returns anything else.
        :raises MemoryError: when there is too little memory.
        """


def load_backend(
    name: str | None, bundle: Bundle, device: str | None = None, precision: str | None = None
) -> Backend:
    """Load the model of a bundle.

    :param name: one of `BACKENDS`; None: the one for `model_file`, else the first whose file exists.
    :param device: one of `DEVICES`; None: CUDA if there is a device; for onnx the CPU.
    :param precision: the precision of matrix products, one of `SCORING_PRECISIONS`; None: fp32.
    """
    _check_choice("device", device, DEVICES)
    _check_choice("precision", precision, SCORING_PRECISIONS)
    name, file = choose(name, bundle)
    torch_only = option("backend", "torch")
    if precision not in (None, "fp32") and name != "torch":
        raise UsageError(f"{option('precision', precision)} is for {torch_only}, not for {name}")
    path = bundle.path / file
    if name == "onnx":
        if device == "cuda":
            raise UsageError(f"onnx runs on the CPU; try {torch_only} {option('device', 'cuda')}")
        from sentcli.backends.onnx import OnnxBackend

        content = bundle.read(file)
        if not bundle.is_shipped:  # no check of the included model: importing onnx takes 0.2 s
            from sentcli.backends.onnx_check import check_model

            check_model(content, path, bundle.config.model)
        return OnnxBackend(content, path, bundle.config.model)
    with requires("train"):
        import torch

        from sentcli.backends.torch import load_torch, load_torchscript
    torch.set_num_threads(1)  # for the whole process; several callers with one thread each are faster
    if name == "torch":
        return load_torch(bundle, device, precision or "fp32")
    return load_torchscript(bundle.read(file), path, bundle.config.model, device)


def choose(name: str | None, bundle: Bundle) -> tuple[str, str]:
    """Return the name of the backend to use, and the name of its file; see `load_backend`."""
    _check_choice("backend", name, BACKENDS)
    if file := bundle.model_file:
        if not file.endswith((".onnx", ".torchscript.pt")):
            raise BundleError(f"{bundle.path / file}: not a model, which ends in .onnx or .torchscript.pt")
        needed = "onnx" if file.endswith(".onnx") else "torchscript"
        if name not in (None, needed):
            raise UsageError(f"{file} is for {needed}, not for {name}; leave out {option('backend')}")
        return needed, file
    candidates = {name: _FILES[name]} if name else _FILES
    for candidate, file in candidates.items():
        if file in bundle.digests:
            return candidate, file
    hint = "use the folder that `sentcli train` wrote"
    if name == "torchscript":
        hint = f"try: sentcli export {shlex.quote(str(bundle.path))} --format torchscript -o OUT"
    missing = " or ".join(dict.fromkeys(candidates.values()))
    raise BundleError(f"{bundle.path}: the bundle has no {missing}; {hint}")


def _check_choice(kind: str, value: str | None, choices: Sequence[str]) -> None:
    if value not in (None, *choices):
        raise UsageError(f"the {kind} {value!r:.100} is unknown; choose from {', '.join(choices)}")


def check_logits(logits: object, shape: tuple[int, int], file: Path) -> Logits:
    """Return the output of a model if it is finite logits of this shape."""
    if not isinstance(logits, np.ndarray) or logits.dtype != np.float32 or logits.shape != shape:
        raise BundleError(f"{file}: the model does not return logits {list(shape)!r:.200} in fp32")
    if not np.isfinite(logits).all():
        raise BundleError(f"{file}: the model returns scores that are not finite; train or export it again")
    return logits


def first_line(error: Exception) -> str:
    """Return the first line of a library's error, without the stack that may follow it."""
    return f"{(str(error) or repr(error)).strip().splitlines()[0]:.200}"
