"""Describe the machine of a benchmark: figures of different machines cannot be compared."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sentcli.scoring.pool import usable_cores

# Flags of /proc/cpuinfo that matrix products and encoders use, the newest first.
_VECTOR_INSTRUCTIONS = (
    "amx_bf16",
    "amx_int8",
    "avx512_bf16",
    "avx512_vnni",
    "avx512f",
    "avx2",
    "avx",
    "neon",
)
# Variables that numeric libraries read when they are loaded; they would limit every system that is compared.
_SETTINGS = ("OMP_", "MKL_", "OPENBLAS_", "TOKENIZERS_")


def describe(packages: Iterable[str]) -> dict[str, Any]:
    """Return the processor, its instructions, the usable cores, and the versions of these packages."""
    fields = _cpuinfo()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return {
        "processor": _processor(fields),
        "cores": usable_cores(),  # hardware threads, if a core runs several
        "threads_a_core": _threads_a_core(fields),
        "vector_instructions": [name for name in _VECTOR_INSTRUCTIONS if name in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
        "gpu": _gpu(),
        "versions": {"python": platform.python_version(), **versions(packages)},
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def in_a_line(machine: dict[str, Any]) -> str:
    """Return the description as one line."""
    threads = machine.get("threads_a_core")  # descriptions of earlier runs lack it
    is_shared = threads and threads > 1
    cores = f"{machine['cores']} threads, {threads} a core" if is_shared else f"{machine['cores']} cores"
    parts = [machine["processor"], cores]
    parts += machine["vector_instructions"][:2]
    parts += [machine["gpu"]] if machine["gpu"] else []
    parts += [f"{name} {number}" for name, number in machine["versions"].items()]
    parts += [f"busy with other work at the start (load {machine['load']})"] if busy(machine) else []
    return ", ".join(parts)


def busy(machine: dict[str, Any]) -> str | None:
    """Return a warning if other work keeps the machine busy, else None."""
    load = machine.get("load", 0)
    return f"the machine is busy (load {load}): figures will be too low" if load >= 0.5 else None


def all_cores() -> dict[str, str]:
    """Return the environment without variables that keep a library from using all cores."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _processor(fields: dict[str, str]) -> str:
    """Return the name of the processor with its generation, which the names on virtual machines lack."""
    name = fields.get("model name") or platform.processor() or platform.machine()
    family, model = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {family}, model {model})" if family and model else name


def _threads_a_core(fields: dict[str, str]) -> int | None:
    """Return the number of threads per core; None if the system does not report it."""
    siblings, cores = fields.get("siblings"), fields.get("cpu cores")
    return int(siblings) // int(cores) if siblings and cores else None


def _gpu() -> str | None:
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
