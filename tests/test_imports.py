"""What a run loads: the base install has no PyTorch, and a line on stdin is not to wait for packages."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import sentcli
from sentcli.model.bundle import Bundle

pytestmark = pytest.mark.packages

ROOT = Path(__file__).parent.parent
TRAINING_ONLY = ("torch", "pandas", "datasets", "matplotlib", "scipy", "safetensors", "sklearn", "jinja2")
HEAVY = (
    *(*TRAINING_ONLY, "pyarrow", "onnx", "onnxruntime", "ray", "tqdm"),
    *("chardet", "python_calamine", "xlsxwriter"),
)
STANDARD = ("importlib.metadata", "socket", "zipfile")  # modules of Python that a line does not need

# Runs the commands and reports, when Python ends, on a line of its own which of the packages are loaded.
PROBE = """
import atexit, json, sys
packages = json.loads(sys.argv.pop(1))
report = lambda: print(json.dumps([name for name in packages if name in sys.modules]), file=sys.stderr)
atexit.register(report)
"""
RUN = "from sentcli.cli import main\nmain(prog_name='sentcli')"


def run(
    code: str, packages: Sequence[str], *arguments: object, stdin: str = "", cwd: Path = ROOT
) -> tuple[str, set[str]]:
    """Run code in a Python of its own.

    :returns: its standard output, and which of the packages it loaded.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", PROBE + code, json.dumps(packages), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


def test_probe_sees_what_is_loaded() -> None:
    assert run("import tqdm.auto", HEAVY)[1] == {"tqdm"}


def test_import_of_the_package() -> None:
    output, loaded = run("import sentcli\nprint(*dir(sentcli))", (*HEAVY, "numpy"))
    assert loaded == set()
    assert output.split() == sorted([*sentcli.__all__, "__version__"])


def test_public_names_are_imported_when_they_are_used() -> None:
    code = "import sentcli\nprint(*(name for name in sentcli.__all__ if getattr(sentcli, name)))"
    output, loaded = run(code, HEAVY)
    assert loaded == set()
    assert output.split() == sentcli.__all__
    for name in ("Path", "Iterable", "TYPE_CHECKING", "annotations", "none"):
        assert not hasattr(sentcli, name)
    names: dict = {}
    exec("from sentcli import *", names)
    assert names.keys() >= {*sentcli.__all__}


COMMANDS = ("train", "evaluate", "export", "score", "explain", "report")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids="-".join)
def test_help(command: list[str]) -> None:
    output, loaded = run(RUN, (*HEAVY, "numpy"), *command, "--help")
    assert loaded == set()
    assert output.startswith(" ".join(["Usage: sentcli", *command]))


def test_version() -> None:
    output, loaded = run(RUN, (*HEAVY, "numpy"), "--version")
    assert loaded == set()
    assert output.startswith("sentcli ")


@pytest.mark.parametrize("shipped", [True, False])
def test_scoring_a_table(trained: Bundle, tmp_path: Path, shipped: bool) -> None:
    """onnx is only for the check of models that did not come with sentcli."""
    (tmp_path / "in.csv").write_text("id,review\n7,a warm and clever film\n8,dull and lifeless\n")
    model = () if shipped else ("--model", trained.path, "--backend", "onnx")
    watched = (*TRAINING_ONLY, "onnx", "onnxruntime", "ray")
    _, loaded = run(RUN, watched, "score", "in.csv", "-o", "out.csv", *model, cwd=tmp_path)
    assert loaded == ({"onnxruntime"} if shipped else {"onnxruntime", "onnx"})
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines] == [
        ["id", "review", "sentiment"],
        ["7", "a warm and clever film", "positive"],
        ["8", "dull and lifeless", "negative"],
    ]


def test_reading_a_labeled_file(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("text,label\na,1\n")
    (tmp_path / "r.jsonl").write_text('{"text": "a", "label": 1}\n')
    code = "from sentcli.config import DataSet; from sentcli.datasets.load import load_split\n" + "".join(
        f"load_split(DataSet('{name}'), 'train')\n" for name in ("r.csv", "r.jsonl")
    )
    assert run(code, TRAINING_ONLY, cwd=tmp_path)[1] == set()


def test_evaluating_a_file(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    (tmp_path / "in.csv").write_text("text,label\na warm film,positive\ndull and lifeless,negative\n")
    watched = ("torch", "datasets", "safetensors", "ray", "onnxruntime")
    output, loaded = run(RUN, watched, "evaluate", "-q", "--dataset", "in.csv", cwd=tmp_path)
    assert output.startswith("imdb-bilstm on in.csv (onnx)\n2 texts\n")
    assert loaded == {"onnxruntime"}


@pytest.mark.parametrize("command", ["score", "explain"])
def test_scoring_a_line(command: str) -> None:
    output, loaded = run(RUN, (*HEAVY, *STANDARD), command, stdin="a warm and clever film\n")
    assert loaded == {"onnxruntime"}
    assert "positive" in output


def test_scoring_from_python() -> None:
    code = (
        "import sentcli\n"
        "with sentcli.load() as scorer:\n"
        "    print(*scorer.score(['a warm and clever film', 'dull and lifeless']).labels)\n"
    )
    output, loaded = run(code, (*TRAINING_ONLY, "pyarrow", "onnx", "onnxruntime"))
    assert output == "positive negative\n"
    assert loaded == {"onnxruntime"}
