"""The precision of the matrix products in training."""

from contextlib import AbstractContextManager, nullcontext

import torch

from sentcli.config import TrainConfig
from sentcli.errors import UsageError
from sentcli.model.bilstm import has_lstm


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager[object]:
    """Return a context that runs the forward pass in the precision of the settings."""
    return torch.autocast(device.type, torch.bfloat16) if uses_bf16(config, device) else nullcontext()


def uses_bf16(config: TrainConfig, device: torch.device) -> bool:
    """Return whether matrix products run in bfloat16: by setting, or by `auto` if the hardware has it."""
    if config.precision == "auto":
        if device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        # PyTorch (2.13) has no public function for this; without the private one, training is in fp32.
        has_bf16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and bool(has_bf16())
    return config.precision == "bf16"


def check_precision(config: TrainConfig, device: torch.device) -> None:
    """Check that the processor supports the precision.

    :raises UsageError: for bf16 on a processor without instructions for it.
    """
    if config.precision == "bf16" and device.type == "cpu" and not has_lstm(torch.bfloat16):
        raise UsageError("precision bf16: this processor has no instructions for it; try precision = 'auto'")
