"""The files of a pattern: as in a shell, each once, and links in circles end."""

import glob
import os
import socket
from pathlib import Path

import pytest

from sentcli.errors import StopRequested
from sentcli.files import stop
from sentcli.files.walk import not_inputs, walk

FILES = [
    "a.csv",
    "b.txt",
    ".c.csv",
    "-",
    "[d].csv",
    "s/a.csv",
    "s/t/a.csv",
    "s/.u/a.csv",
    "s/t/x.csv/y",
    "v w/é.csv",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\nx\n")
    return tmp_path


@pytest.mark.parametrize("base", ["", "s/", "./", "none/", "a.csv/"])
@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "**", "**/*", "*.csv", "**/*.csv", "*/*.csv", "*/t/*", "**/t/**", "**/**/a.csv", "?.csv"),
        *("[ab]*", ".*", "**/.*", "*/.u/*", "*/../*.csv", "[!a]*", "[[]d].csv", "x*y", "*/**/*", "-"),
    ],
)
def test_it_finds_what_a_shell_finds(folder, base, pattern):
    expected = {*glob.glob(f"{base}{pattern}", recursive=True)}  # noqa: PTH207  # the oracle
    if "**" in pattern:
        expected = {name for name in expected if not name.endswith("/") and not Path(name).is_dir()}
    assert walk(base, pattern) == (sorted(expected), [])
    assert walk(f"{folder}/{base}", pattern)[0] == sorted(f"{folder}/{name}" for name in expected)


def test_links_to_folders_are_named_and_files_come_once(folder):
    for name in ("loop", "s/up", "s/t/again"):
        (folder / name).symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "latest.csv").symlink_to("s/t/a.csv")
    (folder / "s/hard.csv").hardlink_to("a.csv")
    found, links = walk("", "**")
    assert links == ["loop", "s/t/again", "s/up"]
    names = {"s/hard.csv": "the same file as a.csv", "latest.csv": "the same file as s/t/a.csv"}
    assert not_inputs(found) == names
    assert walk("", "loop/*.csv")[0] == walk("loop/", "*.csv")[0]
    assert "loop/s/a.csv" in walk("", "*/s/*")[0]  # links that a pattern names, as in a shell
    assert not_inputs(["loop/a.csv", "none"]) == {}


def test_what_is_no_file_is_named(folder):
    os.mkfifo("s/pipe.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s/socket")
        left_out = not_inputs(["a.csv", "s/pipe.csv", "s/socket", "s", "/dev/null"])
    assert left_out == dict.fromkeys(("s/pipe.csv", "s/socket", "/dev/null"), "a pipe, a socket or a device")


def test_a_signal_ends_a_walk(folder, monkeypatch):
    monkeypatch.setattr(stop, "_requests", [(15, 0.0)])
    with pytest.raises(StopRequested):
        walk("", "**")
