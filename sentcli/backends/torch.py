"""Models on PyTorch, on CPU or GPU: from weights, or from TorchScript."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch

from sentcli.backends import Ids, Lengths, Logits, check_logits, first_line
from sentcli.backends.weights import load_model
from sentcli.config import SCORING_PRECISIONS, ModelConfig
from sentcli.errors import BundleError, UsageError, option
from sentcli.model.bilstm import choose_device, is_short_of_memory
from sentcli.model.bundle import ONNX, Bundle

# A GPU runs all rows of a batch at once, so batches that suit a CPU core would leave it idle.
_CUDA_BATCH_FACTOR = 8
# A DeprecationWarning up to PyTorch 2.13; a FutureWarning, which users would see, from 2.15 on.
TORCHSCRIPT_DEPRECATED = r"`torch\.jit\.\w+` is deprecated"
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class _ModuleBackend:
    """A PyTorch module as a backend."""

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
        self._outputs = config.num_outputs
        self._dtype = dtype
        self.runtime = f"torch {torch.__version__} on {device.type}"
        self.batch_factor = _CUDA_BATCH_FACTOR if device.type == "cuda" else 1

    def prepare(self) -> None:
        """Do nothing, because the model is already loaded."""

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        if len(ids) == 0:
            return np.empty((0, self._outputs), np.float32)
        autocast = torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not None)
        try:
            with torch.inference_mode(), autocast:
                # The lengths stay on the CPU, where packing reads them.
                logits = self._module(torch.from_numpy(ids).to(self._device), torch.from_numpy(lengths))
                logits = logits.float() if self._dtype else logits
                array = logits.cpu().numpy()
        except (RuntimeError, TypeError, AttributeError, torch.jit.Error) as error:
            # A TorchScript program may also lack `forward`, return something else than a tensor, or raise.
            if is_short_of_memory(error):
                raise MemoryError(first_line(error)) from None
            hint = f"; try {option('precision', 'fp32')}" if self._dtype else ""  # not every CPU has bf16
            raise BundleError(f"{self._file}: {first_line(error)}{hint}") from None
        return check_logits(array, (len(ids), self._outputs), self._file)


class TorchBackend(_ModuleBackend):
    """The BiLSTM of `sentcli.model.bilstm` with the weights of a model folder.

    :param precision: one of `SCORING_PRECISIONS`, for matrix products and states, by autocast. The tests
        allow a probability to change by 0.05 with bf16 and by 0.01 with fp16.
    """

    def __init__(self, bundle: Bundle, device: str | None = None, precision: str = "fp32") -> None:
        place = choose_device(device)
        if precision not in SCORING_PRECISIONS:
            choices = ", ".join(SCORING_PRECISIONS)
            raise UsageError(f"the precision {precision!r:.100} is unknown; choose from {choices}")
        if precision == "fp16" and place.type != "cuda":
            raise UsageError(f"{option('precision', precision)} is for CUDA; try bf16")
        self.name = "torch" if precision == "fp32" else f"torch {precision}"
        model, dtype = load_model(bundle).to(place), _DTYPES.get(precision)
        super().__init__(model, place, bundle.path / ONNX, bundle.config.model, dtype)


class TorchScriptBackend(_ModuleBackend):
    """A TorchScript file.

    PyTorch loads it without pickle, but it is a program whose operators are not checked. Run only files from
    sources that you trust.
    """

    name = "torchscript"

    def __init__(self, content: bytes, file: Path, config: ModelConfig, device: str | None = None) -> None:
        place = choose_device(device)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", TORCHSCRIPT_DEPRECATED)  # `sentcli export --help` says it
                module = torch.jit.load(  # type: ignore[no-untyped-call]
                    io.BytesIO(content), map_location=place
                )
        except (RuntimeError, ValueError) as error:
            raise BundleError(f"{file}: {first_line(error)}") from None
        super().__init__(module.eval(), place, file, config)
