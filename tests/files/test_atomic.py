"""Atomic writes: a file is replaced as a whole, or not at all."""

import errno
import os
import stat

import pytest

from sentcli.errors import OutputError
from sentcli.files import system
from sentcli.files.atomic import AtomicFile, create, resolve, temporary_path
from sentcli.files.sink import Target, write_file


def fail(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_new_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "f.json"
    path.write_bytes(b"old")
    temporary_path(path, "part").write_bytes(b"half, of a killed process")
    write_file(Target(path), b"new")
    assert path.read_bytes() == b"new"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_the_old_file_stays_if_the_new_one_cannot_be_written(tmp_path, monkeypatch, call):
    path = tmp_path / "f.json"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(type(path) if call == "replace" else os, call, fail)
        with pytest.raises(OutputError, match="No space left"):
            write_file(Target(path), b"new")
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_files_and_folders_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    (tmp_path / "file").touch()
    system.sync(tmp_path / "file")
    system.sync(tmp_path)
    assert synced == [(tmp_path / "file").stat().st_ino, tmp_path.stat().st_ino]


def test_a_file_system_that_cannot_fsync_folders_is_no_error_but_a_failed_fsync_is(tmp_path, monkeypatch):
    codes = [errno.EINVAL, errno.EIO]

    def fsync(descriptor):
        code = codes.pop(0)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    system.sync(tmp_path)
    with pytest.raises(OSError, match="Input/output error"):
        system.sync(tmp_path)


def test_a_link_is_followed_to_the_file_that_is_replaced(tmp_path):
    (tmp_path / "out.csv").symlink_to("real.csv")
    (tmp_path / "loop").symlink_to("loop")
    assert resolve(tmp_path / "out.csv") == tmp_path / "real.csv"
    with pytest.raises(OutputError, match="loop: Too many levels of symbolic links"):
        resolve(tmp_path / "loop")


def test_a_link_under_a_temporary_name_is_not_followed(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("keep")
    part = temporary_path(tmp_path / "out", "part")
    part.symlink_to(precious)
    AtomicFile(tmp_path / "out").discard()
    part.symlink_to(precious)
    monkeypatch.setattr(type(part), "unlink", lambda *_, **__: None)  # as if another process put it back
    with pytest.raises(FileExistsError):
        create(part, tmp_path / "out")
    with pytest.raises(OutputError, match="File exists"):
        write_file(Target(tmp_path / "out"), b"")
    assert precious.read_text() == "keep"


@pytest.mark.parametrize("mode", [0o600, 0o440, 0o666])
def test_a_file_keeps_the_mode_of_the_one_it_replaces(tmp_path, mode):
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(mode)
    file = AtomicFile(path)
    file.write(b"new")
    file.publish()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


def test_the_temporary_file_is_never_open_to_more_people_than_the_file(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o600)
    modes = []
    fchmod, create_file = os.fchmod, os.open

    def opened(name, flags, mode=0o777, **options):
        descriptor = create_file(name, flags, mode, **options)
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fchmod", lambda *arguments: modes.append(arguments[1]) or fchmod(*arguments))
    mask = os.umask(0)
    try:
        AtomicFile(path).discard()
    finally:
        os.umask(mask)
    assert modes
    assert {*modes} == {0o600}


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    mask = os.umask(0o027)
    try:
        AtomicFile(tmp_path / "out").publish()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_closed_file_writes_nowhere(tmp_path):
    file = AtomicFile(tmp_path / "out")
    file.close()
    with (tmp_path / "another").open("wb"):  # gets the number of the descriptor
        with pytest.raises(OutputError, match="Bad file descriptor"):
            file.write(b"x")
        assert (tmp_path / "another").read_bytes() == b""


def test_short_writes_lose_nothing(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    file = AtomicFile(tmp_path / "out")
    file.write(b"more than seven bytes")
    file.publish()
    assert (tmp_path / "out").read_bytes() == b"more than seven bytes"


def test_a_file_whose_close_fails_is_not_published(tmp_path, monkeypatch):
    """NFS and mounted buckets report a full quota only then."""
    (tmp_path / "out").write_bytes(b"old")
    file = AtomicFile(tmp_path / "out")
    file.write(b"new")
    monkeypatch.setattr(os, "dup", lambda descriptor: fail())
    with pytest.raises(OutputError, match="out: No space left"):
        file.publish()
    file.discard()
    assert (tmp_path / "out").read_bytes() == b"old"
    assert len([*tmp_path.iterdir()]) == 1
