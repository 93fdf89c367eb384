import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_models import make_model

from sentcli.cli import main
from sentcli.model.bundle import load_bundle


@pytest.fixture
def trained(make_bundle):
    return make_bundle(make_model())


def invoke(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_every_file_gets_a_line_on_stderr_unless_quiet(tmp_path, trained):
    result = invoke(trained.path, "-o", tmp_path / "out", "--format", "all", "--graph", "folded")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [Path(line.split(":")[0]).name for line in lines] == ["model.onnx", "model.torchscript.pt"]
    assert all("MB; its probabilities differ from PyTorch's by at most" in line for line in lines)
    assert load_bundle(tmp_path / "out").digests.keys() >= {"model.onnx", "model.torchscript.pt"}
    refused = invoke(trained.path, "-o", tmp_path / "out")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    result = invoke(trained.path, "-o", tmp_path / "out", "-q", "--overwrite")
    assert (result.exit_code, result.output) == (0, "")


def test_the_folder_is_named_after_model_and_format(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke(trained.path).exit_code == 0
    assert "model.onnx" in load_bundle(tmp_path / "trained-onnx").digests


def test_without_a_model_the_one_in_the_box_is_exported(tmp_path, trained, monkeypatch):
    shutil.copytree(trained.path, tmp_path / "sentcli" / "exports" / "imdb-bilstm")
    monkeypatch.setattr("sentcli.model.bundle.__file__", str(tmp_path / "sentcli" / "model" / "bundle.py"))
    assert invoke("-o", tmp_path / "out").exit_code == 0
    assert load_bundle(tmp_path / "out").config == trained.config


def test_options_that_contradict_each_other_are_a_usage_error(tmp_path, trained):
    result = invoke(trained.path, "-o", tmp_path / "out", "--graph", "folded", "--format", "torchscript")
    assert result.exit_code == 2
    assert "folded is for ONNX" in result.stderr
    assert not (tmp_path / "out").exists()
