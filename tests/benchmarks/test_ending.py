"""A benchmark that lacks its data or its model ends in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_each_script_ends_in_run():
    scripts = [path for path in BENCHMARKS.glob("*.py") if "def main(" in path.read_text("utf-8")]
    assert len(scripts) >= 10
    for path in scripts:
        assert path.read_text("utf-8").endswith('if __name__ == "__main__":\n    run(main)\n'), path


def test_a_missing_model_is_one_line(tmp_path):
    pytest.importorskip("sklearn")
    command = [sys.executable, str(BENCHMARKS / "transfer.py"), str(tmp_path / "none")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"Error: {tmp_path / 'none'}: no such model")
    assert ended.stderr.count("\n") == 1
