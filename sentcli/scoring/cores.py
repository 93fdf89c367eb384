"""The number of processor cores that this process may use."""

import math
import os
from pathlib import Path, PurePosixPath

# Control groups: the file that lists the groups of this process, and the folder with all groups. The quota
# and the period of a group are in one file in version 2 and in two files in version 1.
_OWN_GROUPS, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_QUOTA_FILES = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def usable_cores() -> int:
    """Return the number of cores that the scheduler's affinity and the quotas of control groups allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = filter(None, map(_quota, _group_folders()))
    return max(1, min([cores, *map(math.ceil, quotas)]))


def _group_folders() -> list[Path]:
    """Return the folders of the control groups of this process and of the groups above them."""
    folders = [_GROUPS]
    try:
        lines = _OWN_GROUPS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if not controllers or "cpu" in controllers.split(","):
            group = PurePosixPath(path.lstrip("/"))
            mount = _GROUPS / "cpu" if controllers else _GROUPS
            folders += [mount / path for path in (group, *group.parents)]
    return folders


def _quota(folder: Path) -> float | None:
    """Return how many cores a group may use; None if it has no quota or does not exist."""
    for names in _QUOTA_FILES:
        try:
            quota, period = map(int, " ".join((folder / name).read_text("ascii") for name in names).split())
        except (OSError, ValueError):  # "max" means no quota
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None
