"""The processor cores that this process may use, and how processes share them."""

import math
import os
from pathlib import Path, PurePosixPath

# A process's threads take turns with its interpreter lock. Of the 122 us that a review of IMDb takes a core
# with the model in the box, 8 are under the lock: eight threads hold it for half of the time. A larger model
# leaves it free for longer: benchmarks/limit.py.
_THREADS = 8
# The process that reads and writes takes some 12 us a review, however many others there are: the limit.
_PROCESSES = 4
# Control groups: those of this process, where they are, and the files with a group's quota and period, of the
# second and the first version.
_OWN_GROUPS, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_QUOTA_FILES = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def usable_cores() -> int:
    """Count the cores that the scheduler's affinity and the control groups' quotas leave to this process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = filter(None, map(_quota, _group_folders()))
    return max(1, min([cores, *map(math.ceil, quotas)]))


def _group_folders() -> list[Path]:
    """Give the folders of the groups that this process is in, and of those that they are in."""
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
            folders += [mount / each for each in (group, *group.parents)]
    return folders


def _quota(folder: Path) -> float | None:
    """Give how many cores a group may use; None: any number, or there is no such group."""
    for names in _QUOTA_FILES:
        try:
            quota, period = map(int, " ".join((folder / name).read_text("ascii") for name in names).split())
        except (OSError, ValueError):  # `max` is no number
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None


def processes_for(threads: int) -> int:
    """Choose how many processes score with so many threads."""
    return min(_PROCESSES, math.ceil(threads / _THREADS))


def shares(threads: int, processes: int) -> list[int]:
    """Give the threads of each process: as equal as can be, and at least one."""
    return [max(1, (threads + number) // processes) for number in range(processes)]
