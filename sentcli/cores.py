"""The processor cores that this process may use, and how processes share them."""

import math
import os
from pathlib import Path

# A process's threads take turns with its interpreter lock. Of the 124 us that a review of IMDb takes a core,
# with 32 hidden units and AVX-512, 6 are under the lock: eight threads hold it for two fifths of the time. A
# larger model or a slower core leaves it free for longer: benchmarks/limit.py.
_THREADS = 8
# The process that reads and writes takes 9 us a review, however many others there are: the limit by then.
_PROCESSES = 4
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Count the cores that the scheduler's affinity and the control group's quota leave to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, _CPU_QUOTA.read_text("ascii").split())
        return max(1, min(cores, math.ceil(quota / period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or `max`: no quota
        return cores


def processes_for(threads: int) -> int:
    """Choose how many processes score with so many threads."""
    return min(_PROCESSES, math.ceil(threads / _THREADS))


def shares(threads: int, processes: int) -> list[int]:
    """Give the threads of each process: as equal as can be, and at least one."""
    return [max(1, (threads + number) // processes) for number in range(processes)]
