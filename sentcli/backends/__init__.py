"""What runs a model: onnxruntime, PyTorch or TorchScript, each behind the same call."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sentcli.config import BACKENDS, DEVICES
from sentcli.errors import BundleError, UsageError, requires
from sentcli.model.bundle import INT8_ONNX, ONNX, TORCHSCRIPT, WEIGHTS, Bundle

Ids = npt.NDArray[np.int64]  # [batch, tokens]
Lengths = npt.NDArray[np.int32]  # [batch]
Logits = npt.NDArray[np.float32]  # [batch, classes]

# Read when onnxruntime is imported; without it, it leaves files in the user's home and reports to its makers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_FILES = {"onnx": (ONNX, INT8_ONNX), "torch": (WEIGHTS,), "torchscript": (TORCHSCRIPT,)}  # the best first


class Backend(Protocol):
    """A model that is ready to run. Several threads may call it at the same time.

    :ivar name: tells apart what gives different scores.
    :ivar runtime: the library that computes, its version, and the device where that may not be the CPU.
    :ivar batch_factor: factor on the limits of a batch that suit one CPU core.
    """

    name: str
    runtime: str
    batch_factor: int

    def prepare(self) -> None:
        """Do what the first large batch would wait for; called again it does nothing.

        :raises BundleError: when the model cannot be run.
        :raises MemoryError: when memory is short, as `logits`.
        """
        ...

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch.

        :param ids: `[batch, tokens]`, padded with `<pad>` at the end; no row at all is fine.
        :param lengths: tokens of each row, at least 1.
        :returns: `[batch, classes]`, all finite.
        :raises BundleError: when the model fails, or gives anything else.
        :raises MemoryError: when memory is short.
        """
        ...


def load_backend(
    name: str | None,
    bundle: Bundle,
    device: str | None = None,
    precision: str | None = None,
) -> Backend:
    """Make a bundle ready to run.

    :param name: one of `BACKENDS`; None takes the one that the bundle's `model_file` is for, or else the
        first that the bundle has a file for.
    :param device: one of `DEVICES`; None takes CUDA where there is a device, for onnx the CPU.
    :param precision: one of `SCORING_PRECISIONS`, of the matrix products; None is fp32, or what the file has.
    :raises UsageError: when name, device, precision and file do not go together.
    :raises BundleError: when the bundle lacks the file, or the file cannot be run.
    :raises MissingExtraError: when PyTorch is needed and not installed.
    """
    name, file = choose(name, bundle)
    if device not in (None, *DEVICES):
        raise UsageError(f"the device {device!r:.100} is unknown; choose from {', '.join(DEVICES)}")
    if precision not in (None, "fp32") and name != "torch":
        raise UsageError(f"--precision {precision:.20} is for --backend torch, not for {name}")
    if name == "onnx":
        if device == "cuda":
            raise UsageError("onnx runs on the CPU; try --backend torch --device cuda")
        from sentcli.backends.onnx import OnnxBackend

        return OnnxBackend(bundle.read(file), bundle.path / file, bundle.config.model)
    with requires("train"):
        from sentcli.backends import torch
    if name == "torch":
        return torch.TorchBackend(bundle, device, precision=precision or "fp32")
    content, path = bundle.read(file), bundle.path / file
    return torch.TorchScriptBackend(content, path, bundle.config.model, device)


def choose(name: str | None, bundle: Bundle) -> tuple[str, str]:
    """Settle which backend runs which file; for the parameters and errors see `load_backend`.

    :returns: the name of the backend and that of the file.
    """
    if name is not None and name not in BACKENDS:
        raise UsageError(f"the backend {name!r:.100} is unknown; choose from {', '.join(BACKENDS)}")
    candidates = [(key, file) for key, files in _FILES.items() for file in files]
    if bundle.model_file is not None:
        owner = _owner(bundle.path / bundle.model_file)
        if name not in (None, owner):
            raise UsageError(
                f"{bundle.model_file} is a file for {owner}, not for {name}; leave out --backend"
            )
        return owner, bundle.model_file
    for key, file in candidates:
        if name in (None, key) and file in bundle.digests:
            return key, file
    wanted = [file for key, file in candidates if name in (None, key)]
    hint = "give the folder that `sentcli train` wrote" if name == "torch" else "try sentcli export"
    raise BundleError(f"{bundle.path}: the bundle has no {' or '.join(wanted)}; {hint}")


def _owner(path: Path) -> str:
    """Tell which backend a file is for by its suffix."""
    for key, suffix in (("onnx", ".onnx"), ("torchscript", ".torchscript.pt"), ("torch", ".safetensors")):
        if path.name.endswith(suffix):
            return key
    raise BundleError(f"{path}: not a model; a model ends in .onnx, .torchscript.pt or .safetensors")


def check_batch(ids: Ids, lengths: Lengths) -> None:
    """Refuse what a model would answer with a number that means nothing.

    :raises ValueError: when a length is below 1 or beyond the tokens.
    """
    if len(ids) and not 1 <= lengths.min() <= lengths.max() <= ids.shape[1]:
        raise ValueError(
            f"lengths from {lengths.min()} to {lengths.max()} in a batch of {ids.shape[1]} tokens"
        )


def check_logits(logits: object, shape: tuple[int, int], file: Path) -> Logits:
    """Give logits that a model answered with, if they are logits.

    :raises BundleError: when they have another type or shape, or are not finite.
    """
    if not isinstance(logits, np.ndarray) or logits.dtype != np.float32 or logits.shape != shape:
        raise BundleError(f"{file}: the model does not give logits {list(shape)!r:.200} in fp32")
    if not np.isfinite(logits).all():
        raise BundleError(f"{file}: the model gives scores that are not numbers; train or export it anew")
    return logits


def first_line(error: Exception) -> str:
    """Give what a library says of an error, without the stack that it may add."""
    return f"{(str(error) or repr(error)).strip().splitlines()[0]:.200}"
