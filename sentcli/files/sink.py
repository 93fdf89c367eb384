"""Outputs by name: files, standard output, devices and pipes, URLs."""

import io
import os
import re
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from sentcli.errors import ExistingOutputError, OutputError
from sentcli.files import remote
from sentcli.files.atomic import AtomicFile, check_kept, output_errors, resolve, write_all
from sentcli.files.source import STANDARD

_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_LOOK_SECONDS = 0.1
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)", re.ASCII)


def is_special(name: str) -> bool:
    """Return whether a name stands for a device, a pipe, a folder, or an open file as `/dev/stdout` does."""
    return _descriptor_of(name) is not None or (Path(name).exists() and not Path(name).is_file())


def is_file(name: str) -> bool:
    """Return whether a name is that of a local file, existing or new."""
    return name != STANDARD and not remote.is_url(name) and not is_special(name)


def is_standard_output(name: str) -> bool:
    return name == STANDARD or _descriptor_of(name) == 1


def refuse_existing(name: str) -> None:
    """Refuse to replace a file, local or at a URL.

    :raises ExistingOutputError: if the file exists.
    :raises OutputError: if a server does not answer.
    """
    if remote.exists(name) if remote.is_url(name) else is_file(name) and Path(name).exists():
        raise ExistingOutputError(f"{name} exists; give another name, or replace it with --overwrite")


def remove(name: str) -> None:
    """Remove a file, local or at a URL, if it exists; ignore devices and pipes.

    :raises OutputError: if that fails.
    """
    if remote.is_url(name):
        remote.remove(name)
    elif is_file(name):
        with output_errors(name):
            resolve(name).unlink(missing_ok=True)


def _descriptor_of(name: str) -> int | None:
    """Return the descriptor that a name such as `/dev/fd/3` stands for, or None."""
    if name in _STREAMS:
        return _STREAMS.index(name)
    number = _DESCRIPTOR.fullmatch(name)
    return int(number[1]) if number else None


class Stream:
    """Standard output or error, a pipe, or a device: written bytes cannot be taken back.

    :param name: `-`, a path, or None for standard error.
    :param check: called several times a second while a pipe or terminal is full; it may raise.
    :raises OutputError: with the name and the reason; a closed pipe raises BrokenPipeError.
    """

    def __init__(self, name: str | None, check: Callable[[], None] = lambda: None) -> None:
        self.size = 0
        self._check = check
        self._is_standard = name in (None, STANDARD)
        self._name = str(name)
        if name is None or name == STANDARD:
            self._name = "standard error" if name is None else "standard output"
            self._stream = _standard(self._name)
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
            elif stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                write_all(self._descriptor, data)
            else:
                self._write_unblocked(self._descriptor, memoryview(data))
        self.size += len(data)

    def _write_unblocked(self, descriptor: int, data: memoryview) -> None:
        """Write only as much as a pipe has room for, because a blocked write could not be stopped."""
        while data:
            self._check()
            if select.select([], [descriptor], [], _LOOK_SECONDS)[1]:
                with suppress(BlockingIOError):  # another process made a shared pipe non-blocking
                    data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]

    def publish(self) -> None:
        """Check for errors that appear on close, and close the stream if it was opened here."""
        if self._descriptor is not None:
            with output_errors(self._name):
                check_kept(self._descriptor)
        self.discard()

    def discard(self) -> None:
        """Close the stream if it was opened here."""
        if not self._is_standard:
            with suppress(OSError):
                self._stream.close()


def _standard(name: str) -> IO[bytes]:
    stream = sys.stderr if name == "standard error" else sys.stdout
    if stream is None:
        raise OutputError(f"{name} is closed; give a file")
    stream.flush()
    return stream.buffer


Sink = AtomicFile | Stream | remote.RemoteFile


def open_sink(name: str | None, check: Callable[[], None] = lambda: None) -> Sink:
    """Open an output by its name; None is standard error.

    :param check: see `Stream`.
    :raises OutputError: if it cannot be written.
    """
    if name is not None and remote.is_url(name):
        return remote.RemoteFile(name)
    return AtomicFile(resolve(name)) if name is not None and is_file(name) else Stream(name, check)
