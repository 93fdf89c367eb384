"""What replaces the names that Windows lacks, tried here by taking them away."""

import importlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sentcli.errors import LockedError
from sentcli.files import system
from sentcli.files.atomic import AtomicFile, Lock
from sentcli.files.sink import Stream, Target
from sentcli.files.source import Source, inspect_input

REVIEWS = Path(__file__).parents[1] / "data" / "reviews.csv"
MISSING = ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "fchmod")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A fake msvcrt; where its `is_locked` is true, another process has locked the file."""
    fake = ModuleType("msvcrt")
    fake.LK_NBLCK, fake.is_locked = 2, False

    def locking(descriptor: int, mode: int, size: int) -> None:
        assert (mode, size) == (fake.LK_NBLCK, 1)
        if fake.is_locked:
            raise PermissionError(13, "Permission denied")

    fake.locking = locking
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fcntl", None)
        patch.setitem(sys.modules, "msvcrt", fake)
        for name in MISSING:
            patch.delattr(os, name)
        patch.delattr(select, "PIPE_BUF")
        importlib.reload(system)
        yield fake
    importlib.reload(system)


def test_of_two_runs_one_has_the_lock(windows: ModuleType, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with Lock(target):
        pass
    assert list(tmp_path.iterdir()) == []
    windows.is_locked = True
    with pytest.raises(LockedError, match="another run"):
        Lock(target, waits=False)


@pytest.mark.linux
def test_no_open_file_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def closed(path: Path, target: Path) -> None:
        opened = [*Path("/proc/self/fd").iterdir()]
        assert path not in [link.readlink() for link in opened if link.is_symlink()]
        replace(path, target)

    monkeypatch.setattr(Path, "replace", closed)
    file = AtomicFile(tmp_path / "out.csv")
    file.write(b"x\n")
    file.publish()
    file.discard()  # as after an error: nothing is left to remove
    assert (tmp_path / "out.csv").read_bytes() == b"x\n"


def test_files_have_their_bytes_without_permissions_and_folders_on_disk(
    windows: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    file = AtomicFile(tmp_path / "out.csv")
    file.write(b"new")
    file.publish()
    system.sync(tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == b"new"


def test_pipes_are_read_and_written_without_waiting_for_them(windows: ModuleType) -> None:
    reading, writing = os.pipe()
    stream = Stream(f"/dev/fd/{writing}")
    stream.write(b"a\n" * 9)
    stream.publish()
    os.close(writing)
    with Source(inspect_input(f"/dev/fd/{reading}")) as source:
        assert not source.live
        assert source.read() == b"a\n" * 9
    os.close(reading)


@pytest.mark.usefixtures("windows")
def test_both_separators_mark_a_folder() -> None:
    assert Target("scored\\").is_folder
    assert Target("scored/").is_folder


# What Windows' Python lacks is deleted before sentcli is imported.
PRELUDE = f"""
import os, select, signal, sys, types
sys.modules["fcntl"], sys.modules["msvcrt"] = None, types.ModuleType("msvcrt")
sys.modules["msvcrt"].LK_NBLCK, sys.modules["msvcrt"].locking = 2, lambda *_: None
for name in {MISSING!r}:
    delattr(os, name)
del select.PIPE_BUF, signal.SIGHUP
from sentcli.__main__ import main
main()
"""


def run(*line: object, **options: object) -> bytes:
    command = [sys.executable, "-c", PRELUDE, *map(str, line)]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, **options).stdout


def test_files_folders_and_pipes_are_scored(tmp_path: Path) -> None:
    run("score", REVIEWS, "-o", tmp_path / "one.csv")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "reviews.csv").write_bytes(REVIEWS.read_bytes())
    run("score", tmp_path / "in", "-o", f"{tmp_path}/out/")
    content = (tmp_path / "one.csv").read_bytes()
    assert content.count(b"positive") > 0
    assert (tmp_path / "out" / "reviews.csv").read_bytes() == content
    assert run("score", "--input-format", "csv", input=REVIEWS.read_bytes()) == content
