"""Outputs by name: files, standard output, devices and pipes, URLs."""

import io
import os
import re
import select
import shutil
import stat
import sys
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import TextIO

from sentcli.errors import ExistingOutputError, OutputError, RefusedOutputError, option
from sentcli.files import remote, stop, system
from sentcli.files.atomic import AtomicFile, output_errors, resolve, temporary_path, write_all
from sentcli.files.source import STANDARD

_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)", re.ASCII)


class Target:
    """An output by its name, which is parsed once, before anything is written.

    It is a file, a folder, a URL, or a stream: standard output, an open file such as `/dev/fd/3`, a pipe or a
    device.

    :ivar name: the name without `file://`, so that a file has only one.
    :ivar is_file: whether it is a local file, existing or new.
    :ivar is_folder: whether it stands for several outputs: a folder, or a URL that ends in a slash.
    """

    def __init__(self, name: str | Path) -> None:
        self.name = remote.as_path(str(name))
        path = Path(self.name)
        self.is_url = remote.is_url(self.name)
        is_path = not self.is_url and self.name != STANDARD and _descriptor_of(self.name) is None
        with output_errors(self.name):  # An example is a name that is too long.
            self.is_folder = self.name.endswith(system.FOLDER_ENDS) or (is_path and path.is_dir())
            self.is_file = is_path and not self.is_folder and (path.is_file() or not path.exists())

    @property
    def is_standard_output(self) -> bool:
        return self.name == STANDARD or _descriptor_of(self.name) == 1

    @cached_property
    def path(self) -> Path:
        """The file that is written: absolute and without links."""
        return resolve(self.name)

    @property
    def address(self) -> str:
        """What is written, by the one name that two outputs share if they are the same file."""
        return self.path.as_posix() if self.is_file else self.name

    @cached_property
    def rejects(self) -> "Target":
        """The default file for rejected rows, next to the file that is written."""
        is_link = self.is_file and Path(self.name).is_symlink()
        return Target(f"{self.address if is_link else self.name}.rejects.jsonl")

    @property
    def scratch(self) -> Path | None:
        """The name of a folder for temporary files next to the file that is written, if it is one."""
        return temporary_path(self.path, "scratch") if self.is_file else None

    def remove_scratch(self) -> None:
        """Remove this folder, if it exists."""
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def check(self, *, overwrite: bool = True) -> None:
        """Refuse a folder, a file in no folder that exists, and one that exists without `overwrite`."""
        if not overwrite:
            self.refuse_existing()
        if self.is_url or self.name == STANDARD:
            return
        path = Path(self.name)
        if self.is_folder:
            raise RefusedOutputError(f"{path} is a folder; name a file in it")
        with output_errors(self.name):
            folder = (self.path if path.is_symlink() else path).parent  # the name that the user gave
        if not folder.is_dir():
            raise RefusedOutputError(f"{folder}: no such folder")

    def refuse_existing(self) -> None:
        """Refuse to replace a file, local or at a URL."""
        if remote.exists(self.name) if self.is_url else self.is_file and self.path.exists():
            hint = f"give another name, or replace it with {option('overwrite', True)}"
            raise ExistingOutputError(f"{self.name} exists; {hint}")

    def remove(self) -> None:
        """Remove a file, local or at a URL, if it exists; ignore devices and pipes."""
        if self.is_url:
            remote.remove(self.name)
        elif self.is_file:
            with output_errors(self.name):
                self.path.unlink(missing_ok=True)


def _descriptor_of(name: str) -> int | None:
    """Return the descriptor that a name such as `/dev/fd/3` stands for, or None."""
    if name in _STREAMS:
        return _STREAMS.index(name)
    number = _DESCRIPTOR.fullmatch(name)
    return int(number[1]) if number else None


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; a stream that was closed at the start is None."""
    return stream is not None and stream.isatty()


class Stream:
    """Standard output or error, a pipe, or a device: written bytes cannot be taken back.

    :raises OutputError: with the name and the reason; a closed pipe raises BrokenPipeError.
    """

    def __init__(self, name: str | None) -> None:
        self.size = 0
        self._is_standard = name in (None, STANDARD)
        self._name = str(name)
        if name is None or name == STANDARD:
            self._name = "standard error" if name is None else "standard output"
            stream = sys.stderr if name is None else sys.stdout
            if stream is None:
                raise OutputError(f"{self._name} is closed; give a file")
            stream.flush()
            self._stream = stream.buffer
        else:
            number = _descriptor_of(name)
            with output_errors(name):
                # Opening a file by the name of its descriptor would empty it.
                self._stream = open(os.dup(number) if number is not None else name, "wb", 0)  # noqa: PTH123, SIM115
        try:
            self._descriptor: int | None = self._stream.fileno()
        except io.UnsupportedOperation:  # a replaced sys.stdout, as in tests of commands
            self._descriptor = None

    def write(self, data: bytes) -> None:
        with output_errors(self._name):
            if self._descriptor is None:
                self._stream.write(data)
            elif stat.S_ISREG(os.fstat(self._descriptor).st_mode) or not system.PIPE_ROOM:
                write_all(self._descriptor, data)
            else:
                self._write_unblocked(self._descriptor, memoryview(data))
        self.size += len(data)

    def _write_unblocked(self, descriptor: int, data: memoryview) -> None:
        """Write only as much as a pipe has room for, because a blocked write could not be stopped."""
        while data:
            stop.check()
            if select.select([], [descriptor], [], stop.LOOK_SECONDS)[1]:
                with suppress(BlockingIOError):  # another process made a shared pipe non-blocking
                    data = data[os.write(descriptor, data[: system.PIPE_ROOM]) :]

    def publish(self) -> None:
        """Check for errors that appear on close, and close the stream if it was opened here."""
        if self._descriptor is not None:
            with output_errors(self._name):
                os.close(os.dup(self._descriptor))  # as in AtomicFile
        self.discard()

    def discard(self) -> None:
        """Close the stream if it was opened here."""
        if not self._is_standard:
            with suppress(OSError):
                self._stream.close()


Sink = AtomicFile | Stream | remote.RemoteFile


def open_sink(target: Target | None) -> Sink:
    """Open an output; None is standard error."""
    if target is None:
        return Stream(None)
    if target.is_url:
        return remote.RemoteFile(target.name)
    return AtomicFile(target.path) if target.is_file else Stream(target.name)


def write_file(target: Target, data: bytes) -> None:
    """Write a whole output; a file gets its name when it is complete.

    :raises OutputError: with the name and the reason.
    """
    with ExitStack() as stack:
        sink = open_sink(target)
        stack.callback(sink.discard)
        sink.write(data)
        sink.publish()
        stack.pop_all()
