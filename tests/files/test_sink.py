"""Outputs that are not regular files: streams, pipes, devices."""

import errno
import io
import os
import select
import stat
import sys
import threading
from pathlib import Path

import pytest

from sentcli.errors import ExistingOutputError, OutputError
from sentcli.files.sink import (
    is_file,
    is_special,
    is_standard_output,
    open_sink,
    refuse_existing,
    remove,
)


def send(name, data=b"x\n"):
    sink = open_sink(name)
    sink.write(data)
    sink.publish()
    assert sink.size == len(data)


def test_names_of_files_special_files_and_standard_output_are_told_apart(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert [is_file(name) for name in ("new", "-", "s3://b/o", "/dev/stdout", str(tmp_path / "file"))] == [
        *(True, False, False, False, True)
    ]
    names = ("/dev/null", "/dev/fd/11", "1", "new", str(tmp_path), str(tmp_path / "pipe"))
    assert [is_special(name) for name in names] == [True, True, False, False, True, True]
    names = ("-", "/dev/stdout", "/dev/fd/1", "/dev/stderr", "/dev/fd/11", "1")
    assert [is_standard_output(name) for name in names] == [True, True, True, False, False, False]


def test_standard_output_and_error(capfdbinary):
    send("-")
    send("/dev/stdout")
    send(None, b"y\n")
    assert capfdbinary.readouterr() == (b"x\nx\n", b"y\n")


def test_standard_output_without_a_descriptor(monkeypatch):
    fake = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", fake)
    send("-")
    assert fake.buffer.getvalue() == b"x\n"


@pytest.mark.parametrize(("name", "stream"), [("-", "stdout"), (None, "stderr")])
def test_standard_streams_that_are_closed(monkeypatch, name, stream):
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(OutputError, match=r"standard (output|error) is closed; give a file"):
        open_sink(name)


def test_a_named_pipe_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    refuse_existing(str(tmp_path / "pipe"))
    send(str(tmp_path / "pipe"))
    reader.join()
    remove(str(tmp_path / "pipe"))
    assert got == [b"x\n"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_a_descriptor_of_a_file_is_written_where_it_stands(tmp_path):
    with (tmp_path / "all").open("wb", buffering=0) as file:
        file.write(b"before\n")
        send(f"/dev/fd/{file.fileno()}")
        file.write(b"after\n")
    assert (tmp_path / "all").read_bytes() == b"before\nx\nafter\n"


def test_a_closed_pipe_raises_what_python_raises(monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(BrokenPipeError):
            send("-")


@pytest.mark.parametrize("name", ["-", "/dev/fd/{}"])
def test_a_quota_reported_by_close_is_an_error_of_the_output(tmp_path, monkeypatch, name):
    close = os.close
    with (tmp_path / "out.csv").open("w") as file:

        def closing(descriptor):
            is_output = os.path.samestat(os.fstat(descriptor), os.fstat(file.fileno()))
            close(descriptor)
            if is_output:
                raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(os, "close", closing)
        with pytest.raises(OutputError, match=r"(standard output|/dev/fd/\d+): Disk quota exceeded"):
            send(name.format(file.fileno()))


def test_a_full_pipe_that_does_not_block(monkeypatch):
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    got = []
    reader = threading.Thread(target=lambda: got.append(os.fdopen(read_end, "rb").read()))
    wait = select.select

    def read_from_now_on(*arguments):
        if reader.ident is None:
            reader.start()
        return wait(*arguments)

    monkeypatch.setattr(select, "select", read_from_now_on)
    data = b"x\n" * 100_000
    with os.fdopen(write_end, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        send("-", data)
    reader.join()
    assert got == [data]


def test_an_existing_file_is_refused_until_it_is_removed(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExistingOutputError, match="out exists; give another name, or replace"):
        refuse_existing(str(tmp_path / "out"))
    for _ in range(2):
        remove(str(tmp_path / "out"))
    refuse_existing(str(tmp_path / "out"))


@pytest.mark.parametrize("looks_writable", [False, True])
def test_the_caller_can_end_a_write_to_a_full_pipe(monkeypatch, looks_writable):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 40:
            raise KeyboardInterrupt

    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # as another process may leave a pipe that it shares
    if looks_writable:
        monkeypatch.setattr("select.select", lambda *_: ([], [writing], []))
    else:
        monkeypatch.setattr("sentcli.files.sink._LOOK_SECONDS", 0.001)
    stream = open_sink(f"/dev/fd/{writing}", check)
    with pytest.raises(KeyboardInterrupt):
        stream.write(b"x" * (1 << 20))
    assert os.read(reading, 1 << 20).strip(b"x") == b""
    stream.discard()
    os.close(reading)
    os.close(writing)
