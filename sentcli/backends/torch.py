"""Models on PyTorch, on CPU or GPU: from weights, or from TorchScript."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import numpy_helper
from torch import nn

from sentcli.backends import Ids, Lengths, Logits, check_logits, first_line
from sentcli.backends.onnx import EMBEDDING, NGRAMS
from sentcli.backends.onnx_check import check_model
from sentcli.config import ModelConfig
from sentcli.errors import BundleError, UsageError, option
from sentcli.model.bilstm import OPEN, BiLSTM, choose_device, is_short_of_memory
from sentcli.model.bundle import ONNX, Bundle
from sentcli.text.tokenizer import UNK_ID

# A GPU runs all rows of a batch at once, so batches that suit a CPU core would leave it idle.
_CUDA_BATCH_FACTOR = 8
# A DeprecationWarning up to PyTorch 2.13; a FutureWarning, which users would see, from 2.15 on.
TORCHSCRIPT_DEPRECATED = r"`torch\.jit\.\w+` is deprecated"
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Array = npt.NDArray[Any]


class TorchBackend:
    """A PyTorch module as a backend.

    :param device: where the module is.
    :param precision: one of `SCORING_PRECISIONS`, for matrix products and states, by autocast. The tests
        allow a probability to change by 0.05 with bf16 and by 0.01 with fp16.
    """

    def __init__(
        self, name: str, module: nn.Module, device: torch.device, file: Path, outputs: int, precision: str
    ) -> None:
        if precision == "fp16" and device.type != "cuda":
            raise UsageError(f"{option('precision', precision)} is for CUDA; try bf16")
        self.name = name if precision == "fp32" else f"{name} {precision}"
        self.runtime = f"torch {torch.__version__} on {device.type}"
        self.batch_factor = _CUDA_BATCH_FACTOR if device.type == "cuda" else 1
        self._module = module
        self._device = device
        self._file = file
        self._outputs = outputs
        self._dtype = _DTYPES.get(precision)
        if self._dtype:  # not every CPU has bf16
            try:
                self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))
            except BundleError as error:
                hint = f"try {option('precision', 'fp32')}"
                raise UsageError(f"{option('precision', precision)}: {error}; {hint}") from None

    def prepare(self) -> None:
        """Do nothing, because the model is already loaded."""

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        autocast = torch.autocast(self._device.type, self._dtype, enabled=self._dtype is not None)
        try:
            with torch.inference_mode(), autocast:
                # The lengths stay on the CPU, where packing reads them.
                logits = self._module(torch.from_numpy(ids).to(self._device), torch.from_numpy(lengths))
                array = (logits.float() if self._dtype else logits).cpu().numpy()
        except (RuntimeError, TypeError, AttributeError, torch.jit.Error) as error:
            # A TorchScript program may also lack `forward`, return something else than a tensor, or raise.
            if is_short_of_memory(error):
                raise MemoryError(first_line(error)) from None
            raise BundleError(f"{self._file}: {first_line(error)}") from None
        return check_logits(array, (len(ids), self._outputs), self._file)


def load_torch(bundle: Bundle, device: str | None = None, precision: str = "fp32") -> TorchBackend:
    """Return the BiLSTM of `sentcli.model.bilstm` with the weights of a model folder."""
    place, outputs = choose_device(device), bundle.config.model.num_outputs
    return TorchBackend("torch", load_model(bundle).to(place), place, bundle.path / ONNX, outputs, precision)


def load_torchscript(
    content: bytes, file: Path, config: ModelConfig, device: str | None = None
) -> TorchBackend:
    """Return the model of a TorchScript file.

    PyTorch loads it without pickle, but it is a program whose operators are not checked. Run only files from
    sources that you trust.
    """
    place = choose_device(device)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TORCHSCRIPT_DEPRECATED)  # `sentcli export --help` says it
            module = torch.jit.load(io.BytesIO(content), place)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{file}: {first_line(error)}") from None
    return TorchBackend("torchscript", module.eval(), place, file, config.num_outputs, "fp32")


def load_model(bundle: Bundle) -> BiLSTM:
    """Return the model of a bundle from its folded graph, ready for inference, with all weights in fp32."""
    file, config = bundle.path / ONNX, bundle.config.model
    graph = check_model(bundle.read(ONNX), file, config).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    with torch.device("meta"):  # allocates nothing, as an untrusted config may claim any size
        model = BiLSTM(config)
    try:
        weights = {
            name: torch.tensor(values).float().contiguous()  # a transposed layout rounds otherwise
            for name, values in _named(constants, model).items()
        }
        model.load_state_dict(weights, assign=True)
    except KeyError:
        hint = "use the folder that `sentcli train` wrote"
        raise BundleError(f"{file}: PyTorch needs the folded graph; {hint}") from None
    except RuntimeError as error:
        raise BundleError(f"{file}: {' '.join(str(error).split()):.300}") from None
    return model.eval()


def _named(constants: dict[str, Array], model: BiLSTM) -> dict[str, Array]:
    """Return the constants of `sentcli.export.folded` under their names in PyTorch."""
    config = model.config
    weights = {"embedding.weight": constants[EMBEDDING]}
    if config.ngram_buckets:
        weights["ngrams.weight"] = constants[NGRAMS]
    for name in ("classifier", *["neutral_head"] * config.neutral_head):
        weights[f"{name}.weight"] = constants[f"{name}_weight"].T
        weights[f"{name}.bias"] = constants[f"{name}_bias"]
    arrays = []
    for layer in range(config.num_layers):
        for name in (f"forward_{layer}", f"backward_{layer}"):
            bias = constants[f"{name}_bias"]  # the sum of PyTorch's two
            inputs, recurrent = constants[f"{name}_input_weight"].T, constants[f"{name}_recurrent"].T
            arrays += [inputs, recurrent, bias, np.zeros_like(bias)]
    names = (name for name, _ in model.lstm.named_parameters(prefix="lstm"))
    gates = (_all_gates(values, config.hidden_size) for values in arrays)
    return weights | dict(zip(names, gates, strict=True))


def _all_gates(values: Array, hidden: int) -> Array:
    """Add the gates that `tie_gates` derives from the forget gate, if the graph left them out."""
    if values.shape[:1] != (2 * hidden,):
        return values
    of_forget, of_cell = np.split(values, 2)
    of_output = np.full_like(of_forget, OPEN if values.ndim == 1 else 0)
    return np.concatenate([-of_forget, of_forget, of_cell, of_output])
