"""A model on PyTorch, on CPU or GPU: from its weights, or as TorchScript."""

import io
import threading
import warnings
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sentcli.backends import Ids, Lengths, Logits, check_batch, check_logits, first_line
from sentcli.config import SCORING_PRECISIONS, ModelConfig
from sentcli.errors import BundleError, UsageError
from sentcli.model.bilstm import choose_device, has_lstm, is_short_of_memory, load_model
from sentcli.model.bundle import WEIGHTS, Bundle

# A GPU works on all rows of a batch at once, and steps of few rows leave it idle between two of them.
_CUDA_BATCH_FACTOR = 8
# What PyTorch says of it: a DeprecationWarning up to 2.13, in 2.15 a FutureWarning, which users would see.
TORCHSCRIPT_ENDS = r"`torch\.jit\.\w+` is deprecated"
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class _ModuleBackend:
    """What both backends share: a module of PyTorch and the way to call it.

    On CUDA each thread has a stream of its own and memory that is pinned, so that the copies of one batch run
    beside the products of another.
    """

    name: str

    def __init__(
        self,
        module: torch.nn.Module,
        device: torch.device,
        file: Path,
        config: ModelConfig,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._module = module
        self._device = device
        self._file = file
        self._classes = config.num_classes
        self._dtype = dtype
        self._threads = threading.local()
        self.runtime = f"torch {torch.__version__} on {device.type}"
        self.batch_factor = _CUDA_BATCH_FACTOR if device.type == "cuda" else 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # other streams do not wait for the weights

    def prepare(self) -> None:
        """Do nothing: the weights are there from the start; see `Backend`."""

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        if len(ids) == 0:
            return np.empty((0, self._classes), np.float32)
        try:
            with torch.inference_mode(), ExitStack() as stack:
                stack.enter_context(self._stream())
                if self._dtype:
                    stack.enter_context(torch.autocast(self._device.type, self._dtype))
                # The lengths stay on the CPU, where packing reads them.
                logits = self._module(self._send(ids), self._pinned(torch.from_numpy(lengths)))
                array = self._receive(logits) if isinstance(logits, torch.Tensor) else logits
        except (RuntimeError, TypeError, AttributeError, torch.jit.Error) as error:
            # Also of no forward, of a sparse result, of a program that raises.
            if is_short_of_memory(error):
                raise MemoryError(first_line(error)) from None
            raise BundleError(f"{self._file}: {first_line(error)}") from None
        return check_logits(array, (len(ids), self._classes), self._file)

    def _stream(self) -> AbstractContextManager[object]:
        """Give the stream of this thread."""
        if self._device.type != "cuda":
            return nullcontext()
        if not hasattr(self._threads, "stream"):
            self._threads.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(self._threads.stream)

    def _pinned(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.pin_memory() if self._device.type == "cuda" else tensor

    def _send(self, ids: Ids) -> torch.Tensor:
        return self._pinned(torch.from_numpy(ids)).to(self._device, non_blocking=True)

    def _receive(self, logits: torch.Tensor) -> npt.NDArray[Any]:
        if self._dtype:
            logits = logits.float()
        if logits.device.type != "cuda":
            return logits.numpy()
        received = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
        received.copy_(logits, non_blocking=True)
        torch.cuda.current_stream(self._device).synchronize()  # of this thread; others go on
        return received.numpy()


class TorchBackend(_ModuleBackend):
    """The BiLSTM of `sentcli.model.bilstm` with the weights of `model.safetensors`.

    :param device: see `choose_device`.
    :param precision: one of `SCORING_PRECISIONS`, of matrix products and states, by autocast. The tests allow
        a probability to move by 0.05 with bf16, by 0.01 with fp16.
    :raises BundleError: when the weights are not those of the config.
    :raises UsageError: when CUDA is asked for and there is none, or for a precision that the device lacks.
    """

    def __init__(self, bundle: Bundle, device: str | None = None, precision: str = "fp32") -> None:
        torch.set_num_threads(1)  # of the whole process, which has several callers
        place = choose_device(device)
        if precision not in SCORING_PRECISIONS:
            raise UsageError(
                f"the precision {precision!r:.100} is unknown; choose from {', '.join(SCORING_PRECISIONS)}"
            )
        if precision == "fp16" and place.type != "cuda":
            raise UsageError("--precision fp16 is for CUDA; try bf16")
        self.name = "torch" if precision == "fp32" else f"torch {precision}"
        dtype = _DTYPES.get(precision)
        if dtype and place.type == "cpu" and not has_lstm(dtype):
            raise UsageError(
                f"--precision {precision}: this processor has no instructions for it; leave it out"
            )
        model = load_model(bundle).to(place)
        super().__init__(model, place, bundle.path / WEIGHTS, bundle.config.model, dtype)


class TorchScriptBackend(_ModuleBackend):
    """A TorchScript file.

    PyTorch reads it without Python's pickle, but it is a program whose operators nobody checks: run only what
    comes from where you trust.

    :param content: the file, whose hash the caller has checked.
    :param file: where it comes from, for messages.
    :param config: the shape that the model must have.
    :param device: see `choose_device`.
    :param threads: threads of PyTorch, which are those of the whole process.
    :raises BundleError: when PyTorch cannot load it.
    :raises UsageError: when CUDA is asked for and there is none.
    """

    name = "torchscript"

    def __init__(
        self, content: bytes, file: Path, config: ModelConfig, device: str | None = None, threads: int = 1
    ) -> None:
        torch.set_num_threads(threads)
        place = choose_device(device)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", TORCHSCRIPT_ENDS)  # whoever has such a file knows
                module = torch.jit.load(  # type: ignore[no-untyped-call]
                    io.BytesIO(content), map_location=place
                )
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"{file}: {first_line(error)}") from None
        super().__init__(module.eval(), place, file, config)
