"""The precision of a training: what the hardware has, and what is refused."""

import pytest
import torch

from sentcli.config import TrainConfig
from sentcli.errors import UsageError
from sentcli.training import precision
from sentcli.training.precision import check_precision, uses_bf16

CPU = torch.device("cpu")


def test_bf16_is_refused_where_the_processor_lacks_it(monkeypatch):
    for has_it in (True, False):
        monkeypatch.setattr(precision, "has_lstm", lambda dtype, answer=has_it: answer)
        check_precision(TrainConfig(precision="auto"), CPU)
        check_precision(TrainConfig(precision="bf16"), torch.device("cuda"))
    with pytest.raises(UsageError, match="this processor"):
        check_precision(TrainConfig(precision="bf16"), CPU)


def test_auto_takes_bf16_where_the_hardware_has_it(monkeypatch):
    for has_it in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda a=has_it: a, raising=False)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=has_it, **_: answer)
        for device in (CPU, torch.device("cuda")):
            assert uses_bf16(TrainConfig(precision="auto"), device) == has_it
            assert uses_bf16(TrainConfig(precision="bf16"), device)
            assert not uses_bf16(TrainConfig(precision="fp32"), device)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not uses_bf16(TrainConfig(precision="auto"), CPU)
