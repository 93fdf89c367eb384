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
from sentcli.files.sink import Target, open_sink


def send(name, data=b"x\n"):
    sink = open_sink(name and Target(name))
    sink.write(data)
    sink.publish()
    assert sink.size == len(data)


def test_a_name_is_that_of_a_file_a_folder_a_stream_or_a_url(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "null").symlink_to("/dev/null")
    files = ["new", "1", str(tmp_path / "file"), "file:///new", str(tmp_path / "none" / "new")]
    folders = [str(tmp_path), "new/", f"file://{tmp_path}"]
    streams = ["-", "/dev/stdout", "/dev/fd/11", "/dev/null", str(tmp_path / "pipe"), str(tmp_path / "null")]
    urls = ["s3://b/o", "s3://b/o/"]
    names = [*files, *folders, *streams, *urls]
    assert [name for name in names if Target(name).is_file] == files
    assert [name for name in names if Target(name).is_folder] == [*folders, "s3://b/o/"]
    assert [name for name in names if Target(name).is_url] == urls
    streams = ("-", "/dev/stdout", "/dev/fd/1", "/dev/stderr", "/dev/fd/11", "1")
    assert [Target(name).is_standard_output for name in streams] == [True, True, True, False, False, False]


def test_a_file_has_one_address_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("real")
    names = ("real", "./real", "link", f"file://{tmp_path}/real", f"{tmp_path}/link")
    assert {Target(name).address for name in names} == {str(tmp_path / "real")}
    assert Target("link").rejects.name == f"{tmp_path}/real.rejects.jsonl"
    assert Target("./real").rejects.name == "./real.rejects.jsonl"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputError, match="circle: Too many levels of symbolic links"):
        Target("circle").check()


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
        open_sink(name and Target(name))


def test_a_named_pipe_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    Target(tmp_path / "pipe").refuse_existing()
    send(str(tmp_path / "pipe"))
    reader.join()
    Target(tmp_path / "pipe").remove()
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

    def read():
        with os.fdopen(read_end, "rb") as source:
            got.append(source.read())

    reader = threading.Thread(target=read)
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
        Target(tmp_path / "out").refuse_existing()
    for _ in range(2):
        Target(tmp_path / "out").remove()
    Target(tmp_path / "out").refuse_existing()


@pytest.mark.parametrize("looks_writable", [False, True])
def test_the_caller_can_end_a_write_to_a_full_pipe(monkeypatch, looks_writable):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 40:
            raise KeyboardInterrupt

    monkeypatch.setattr("sentcli.files.stop.check", check)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # as another process may leave a pipe that it shares
    if looks_writable:
        monkeypatch.setattr("select.select", lambda *_: ([], [writing], []))
    else:
        monkeypatch.setattr("sentcli.files.stop.LOOK_SECONDS", 0.001)
    stream = open_sink(Target(f"/dev/fd/{writing}"))
    with pytest.raises(KeyboardInterrupt):
        stream.write(b"x" * (1 << 20))
    assert os.read(reading, 1 << 20).strip(b"x") == b""
    stream.discard()
    os.close(reading)
    os.close(writing)
