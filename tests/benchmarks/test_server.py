"""The measurement of the web service of docs/recipes.md."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_requests_are_counted() -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    command = [sys.executable, ROOT / "benchmarks" / "server.py", "--clients", "2", "--requests", "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sizes = re.findall(r"^(\d+) texts a request: [\d,]+ requests/s;", done.stdout, re.MULTILINE)
    assert sizes == ["1", "100"]
