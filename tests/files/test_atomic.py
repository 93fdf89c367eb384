"""Files that are replaced as a whole, or not at all."""

import errno
import os

import pytest

from sentcli.files.atomic import new_file, part_of


def test_the_new_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "f.json"
    path.write_bytes(b"old")
    with new_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_the_old_file_stays_when_the_new_one_cannot_be_written(tmp_path, monkeypatch, call):
    path = tmp_path / "f.json"
    path.write_bytes(b"old")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write():
        with new_file(path) as file:
            file.write(b"new")
            if call == "write":
                fail()

    with monkeypatch.context() as patch:
        if call == "fsync":
            patch.setattr(os, call, fail)
        elif call != "write":
            patch.setattr(type(path), call, fail)
        with pytest.raises(OSError, match="No space left"):
            write()
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_what_a_killed_process_left_is_replaced(tmp_path):
    path = tmp_path / "f.json"
    part_of(path).write_bytes(b"half")
    with new_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [*tmp_path.iterdir()] == [path]
