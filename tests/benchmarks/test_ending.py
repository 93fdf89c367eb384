"""A benchmark that lacks its data or its model ends in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from ending import run

from sentcli.errors import DataError, UsageError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def raiser(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("stanfordnlp/imdb cannot be read"), 1, "Error: stanfordnlp/imdb cannot be read\n"),
        (UsageError("no such split"), 2, "Error: no such split\n"),
        (FileNotFoundError(2, "No such file or directory", "in.csv"), 1, "Error: in.csv: No such file or di"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_of_sentcli_is_one_line(capsys, error, code, said):
    with pytest.raises(SystemExit) as ended:
        run(raiser(error))
    assert ended.value.code == code
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert told.count("\n") <= 1


def test_another_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(raiser(ZeroDivisionError()))


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
