"""A model on PyTorch, on CPU or GPU: from its weights, or as TorchScript."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch

from sentcli.backends import Logits, check_batch, check_logits, first_line
from sentcli.batching import Ids, Lengths
from sentcli.bundle import WEIGHTS, Bundle
from sentcli.config import ModelConfig
from sentcli.errors import BundleError, UsageError
from sentcli.model import load_model


class _ModuleBackend:
    """What both backends share: a module of PyTorch and the way to call it."""

    name: str

    def __init__(
        self, module: torch.nn.Module, device: torch.device, file: Path, config: ModelConfig
    ) -> None:
        self._module = module
        self._device = device
        self._file = file
        self._classes = config.num_classes

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        if len(ids) == 0:
            return np.empty((0, self._classes), np.float32)
        try:
            with torch.inference_mode():
                # The lengths stay on the CPU, where packing reads them.
                logits = self._module(torch.from_numpy(ids).to(self._device), torch.from_numpy(lengths))
        except RuntimeError as error:
            raise BundleError(f"{self._file}: {first_line(error)}") from None
        array = logits.cpu().numpy() if isinstance(logits, torch.Tensor) else logits
        return check_logits(array, (len(ids), self._classes), self._file)


class TorchBackend(_ModuleBackend):
    """The BiLSTM of `sentcli.model` with the weights of `model.safetensors`.

    :param device: `cpu`, `cuda`, or `auto`: CUDA where there is a device.
    :param threads: threads of PyTorch, which are those of the whole process.
    :raises BundleError: when the weights are not those of the config.
    :raises UsageError: when CUDA is asked for and there is none.
    """

    name = "torch"

    def __init__(self, bundle: Bundle, device: str = "auto", threads: int = 1) -> None:
        torch.set_num_threads(threads)
        place = _device(device)
        super().__init__(load_model(bundle).to(place), place, bundle.path / WEIGHTS, bundle.config.model)


class TorchScriptBackend(_ModuleBackend):
    """A TorchScript file.

    PyTorch reads it without Python's pickle, but it is a program whose operators nobody checks: run only what
    comes from where you trust.

    :param content: the file, whose hash the caller has checked.
    :param file: where it comes from, for messages.
    :param config: the shape that the model must have.
    :param device: `cpu`, `cuda` or `auto`.
    :raises BundleError: when PyTorch cannot load it.
    :raises UsageError: when CUDA is asked for and there is none.
    """

    name = "torchscript"

    def __init__(
        self, content: bytes, file: Path, config: ModelConfig, device: str = "auto", threads: int = 1
    ) -> None:
        torch.set_num_threads(threads)
        place = _device(device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # no news to who has such a file
                module = torch.jit.load(  # type: ignore[no-untyped-call]
                    io.BytesIO(content), map_location=place
                )
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"{file}: {first_line(error)}") from None
        super().__init__(module.eval(), place, file, config)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch finds no CUDA device; try --device cpu")
    return torch.device(name)
