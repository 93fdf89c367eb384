"""How many points an expensive test tries: all with `SENTCLI_WHOLE=1`, as in .ci/run, else some of them."""

import os

import pytest

WHOLE = os.environ.get("SENTCLI_WHOLE", "0") != "0"

# For a test that has no points to choose from.
whole_only = pytest.mark.skipif(not WHOLE, reason="only with SENTCLI_WHOLE=1, as in .ci/run")


def every(step: int) -> int:
    """Return the step from a point that is tried to the next one: this step, or 1 for all points."""
    return 1 if WHOLE else step
