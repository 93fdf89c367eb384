"""How many points an expensive test tries: all with `SENTCLI_WHOLE=1`, as in .ci/run, else some of them."""

import os
import random
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

_Point = TypeVar("_Point")

WHOLE = os.environ.get("SENTCLI_WHOLE", "0") != "0"

# For a test that has no points to choose from.
whole_only = pytest.mark.skipif(not WHOLE, reason="only with SENTCLI_WHOLE=1, as in .ci/run")


def every(step: int) -> int:
    """Return the step from a point that is tried to the next one: this step, or 1 for all points."""
    return 1 if WHOLE else step


def drawn(points: Sequence[_Point], count: int, name: str) -> Sequence[_Point]:
    """Return all points, or as many as are tried of them, which each commit draws anew.

    :param name: of what the points belong to, which draws its own.
    """
    few = count < len(points) and not WHOLE
    return random.Random(f"{_commit()} {name}").sample(points, count) if few else points


@cache
def _commit() -> str:
    """Return the commit of the checkout; empty if there is none."""
    command = ["git", "-C", Path(__file__).parent, "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
