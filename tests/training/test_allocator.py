"""Memory between the steps of a training."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource
import torch
from sentcli.training.allocator import keep_freed_memory

torch.set_num_threads(1)
assert keep_freed_memory()
for step in range(20):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    states = torch.ones(16, 1 << 20)  # 64 MiB
    del states
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is set is glibc's")
def test_tensors_of_the_next_step_get_the_memory_of_this_one():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000  # page faults; each tensor has 16,384 pages


def test_another_c_library_has_no_such_settings(monkeypatch):
    from sentcli.training import allocator

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
