"""What the tests of the module in JavaScript need; without it, they are skipped with a reason."""

import shutil
from pathlib import Path

import pytest

JS = Path(__file__).parents[2] / "js"


@pytest.fixture(scope="session")
def js():
    """The folder of the module, with Node.js and the packages that it needs."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    if not (JS / "node_modules").is_dir():
        pytest.skip("needs npm --prefix js ci --ignore-scripts")
    return JS
