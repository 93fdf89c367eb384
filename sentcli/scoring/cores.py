"""The number of processor cores that this process may use."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

# Control groups of version 2: the file that names the group of this process, and the folder with all groups.
_OWN_GROUP, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return the number of cores that the scheduler's affinity and the quotas of control groups allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *_quotas()]))


def _quotas() -> Iterator[int]:
    """Yield how many cores the control group of this process and each group above it may use."""
    try:
        lines = _OWN_GROUP.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    group = PurePosixPath(next((line[4:] for line in lines if line.startswith("0::/")), "."))
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # "max" means no quota
            quota, period = map(int, (_GROUPS / folder / "cpu.max").read_text("ascii").split())
            yield math.ceil(quota / period)
