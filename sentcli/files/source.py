"""Inputs by name: files, standard input, pipes, URLs; compressed or not."""

import io
import os
import select
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from xxhash import xxh3_64_hexdigest

from sentcli.errors import DataError, OutputError, without_secrets
from sentcli.files import compression, remote, stop, system

STANDARD = "-"
_BLOCK = 1 << 19  # bytes: few calls, and a block stays in the cache until it is hashed


@dataclass(frozen=True)
class InputFile:
    """The facts about an input before it is opened.

    :param size: bytes on disk; None for a pipe or a device.
    :param version: what the server of a URL calls the version of the file; of a file in an archive its
        checksum; None for other inputs.
    :param identity: device and inode; None for a URL.
    """

    name: str
    path: str
    size: int | None = None
    mtime_ns: int | None = None
    version: str | None = None
    identity: tuple[int, int] | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the input is read only once: standard input, a pipe, a device or a URL."""
        return self.path == STANDARD or self.size is None or self.identity is None

    def fingerprint(self) -> dict[str, Any]:
        """Return the facts that show a change of the file, as JSON."""
        facts: dict[str, Any] = {"path": self.name, "size": self.size, "mtime_ns": self.mtime_ns}
        if without_secrets(self.path) != self.path:  # otherwise two queries would be one file
            facts["url"] = xxh3_64_hexdigest(os.fsencode(self.path))
        return facts if self.version is None else {**facts, "version": self.version}


def inspect_input(path: str, name: str | None = None) -> InputFile:
    """Return the facts about an input without reading it."""
    stop.check()  # the inputs may be many
    if not path:
        raise DataError("the name of an input is empty; give a file, or - for standard input")
    name = without_secrets(name or path)
    if remote.is_url(path):
        size, version = remote.inspect(path)
        return InputFile(name, path, size, version=version)
    if compression.is_archive(path):
        compression.list_members(path)  # raises an error: else its files would be the inputs
    if member := compression.split_member(path):
        status = Path(member[0]).stat()
        size, version = compression.inspect_member(*member)
        return InputFile(name, path, size, version=version, identity=(status.st_dev, status.st_ino))
    try:
        status = os.fstat(_standard_input().fileno()) if path == STANDARD else Path(path).stat()
    except io.UnsupportedOperation:  # a replaced sys.stdin, as in tests of commands
        return InputFile(name, path)
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{name} is a folder, empty or found by a glob; name folders or files")
    size, mtime_ns = (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else (None, None)
    return InputFile(name, path, size, mtime_ns, identity=(status.st_dev, status.st_ino))


class Source(AbstractContextManager["Source"]):
    """The decompressed bytes of an input, which is opened once.

    :raises DataError: if the input cannot be opened; also from all methods, if it cannot be read.
    """

    def __init__(self, file: InputFile) -> None:
        stop.check()  # between two of many inputs
        self.name = file.name
        self.size = file.size
        self.is_stream = file.is_stream
        self._file = file
        self._copy: IO[bytes] | None = None
        self.compression = compression.compression_of(file.path)
        # A pipe or a device, whose next bytes may take long to arrive.
        self._is_pipe = file.identity is not None and file.size is None and system.PIPE_ROOM > 0
        self.live = self._is_pipe and not self.compression
        try:
            buffering = _BLOCK if self.compression and not self._is_pipe else 0
            self._raw = _open(file.path, buffering, _unblocked if self._is_pipe else None)
        except OSError as error:
            raise DataError(f"{self.name}: {error.strerror or error}") from None
        self._bytes = _Rewindable(self._raw, self._wait, is_stream=file.is_stream)
        self._rewind()

    def _wait(self) -> None:
        """Wait for the next bytes of a pipe, because a read of it could not be stopped."""
        while self._is_pipe and not self.ready(stop.LOOK_SECONDS):
            stop.check()

    def _rewind(self) -> None:
        self._bytes.rewind()
        self._count = 0  # decompressed bytes read so far
        self._stream = compression.decompressed(self._bytes, self.compression)

    def decompress(self, suffix: str) -> None:
        """Decompress the input from its start, because the bytes that were looked at show a compression."""
        if self.compression:
            raise DataError(f"{self.name}: it is compressed twice; decompress it once")
        self.compression, self.live = suffix, False
        self._rewind()

    def close(self, *_: object) -> None:
        if self._copy not in (None, self._raw):
            self._copy.close()
        if self._file.path != STANDARD:
            self._raw.close()

    __exit__ = close

    @property
    def progress(self) -> int:
        """The number of bytes on disk that were read so far."""
        if self._file.size is None:
            return self._count
        return self._file.size if self._raw.closed else self._raw.tell()

    def read(self, size: int = 0) -> bytes:
        """Return the next block, or the bytes that a pipe has now; empty at the end."""
        try:
            data = self._stream.read(size or _BLOCK)
        except compression.damage() as error:
            raise DataError(f"{self.name}: cannot be read: {error or type(error).__name__}") from None
        self._count += len(data)
        if not data:
            if self.compression and self._file.size == 0:
                raise DataError(f"{self.name}: cannot be read: an empty file is not a valid compressed file")
            self.check_unchanged()
        return data  # type: ignore[no-any-return]

    @contextmanager
    def looking_ahead(self, start: int = 0) -> Iterator[None]:
        """Skip `start` bytes, and return to the start of the input after the block.

        The bytes of a stream are kept in memory until they are read again.
        """
        self._bytes.keeps = self.is_stream
        self.skip(start)
        yield
        self._bytes.keeps = False
        self._rewind()

    def skip(self, size: int) -> None:
        """Read bytes that are known."""
        while size > 0 and (block := self.read(min(size, _BLOCK))):
            size -= len(block)

    def ready(self, seconds: float | None) -> bool:
        """Wait until a live input has bytes or ends; return False if neither happens in time."""
        return self._bytes.is_ready or bool(select.select([self._raw], [], [], seconds)[0])

    def seekable(self) -> IO[bytes]:
        """Return the content as a seekable file; a stream is first copied to a nameless temporary file."""
        if not self._copy:
            is_member = self._file.version is not None and self._file.identity is not None
            is_packed = self.compression or is_member or self._file.size is None
            self._copy = self._raw if not is_packed and self._raw.seekable() else self._copied()
        self._copy.seek(0)
        return self._copy

    def _copied(self) -> IO[bytes]:
        try:
            copy = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
            shutil.copyfileobj(self, copy, _BLOCK)
            copy.flush()
        except OSError as error:
            folder = tempfile.tempdir or "a temporary folder"  # None if no temporary folder is writable
            what = f"cannot copy {self.name} to {folder}: {error.strerror}"
            raise OutputError(f"{what}; set TMPDIR to another folder") from error
        return copy

    def check_unchanged(self) -> None:
        """Refuse a file that changed while it was read."""
        if self._file.mtime_ns is not None:
            now = os.fstat(self._raw.fileno())
            if (now.st_size, now.st_mtime_ns) != (self._file.size, self._file.mtime_ns):
                raise DataError(f"{self.name} changed while it was read; score a copy of it")


class _Rewindable(io.RawIOBase):
    """The bytes of a file, or of a stream that keeps its start in memory.

    Closing it does nothing, because each decompressor closes what it reads.

    :ivar keeps: whether the bytes of a stream that are read now will be read again.
    """

    def __init__(self, raw: IO[bytes], wait: Callable[[], None], *, is_stream: bool) -> None:
        self.keeps = False
        self._raw, self._wait = raw, wait
        self._is_stream = is_stream
        self._kept = io.BytesIO()
        self._is_over = False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing."""

    def rewind(self) -> None:
        self._kept.seek(0)
        if not self._is_stream:
            self._raw.seek(0)

    @property
    def is_ready(self) -> bool:
        """Whether the next read returns at once: bytes that were kept, or the end."""
        return self._is_over or self._kept.tell() < self._kept.getbuffer().nbytes

    def read(self, size: int = -1) -> Any:
        data = self._kept.read(size)
        if not data and not self._is_over:  # A terminal would ask for more after its end.
            if not self.keeps:
                self._kept = io.BytesIO()  # what was kept has been read again
            self._wait()
            data = self._raw.read(size)
            self._is_over = self._is_stream and data == b""
            if self.keeps and data:
                self._kept.write(data)
        return data


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise DataError("standard input is closed; give a file")
    return sys.stdin.buffer


def _unblocked(path: str, flags: int) -> int:
    """Open a pipe without a wait for its writer, which could not be stopped; `Source` waits for its bytes."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def _open(name: str, buffering: int, opener: Callable[[str, int], int] | None) -> IO[bytes]:
    if remote.is_url(name):
        return remote.open_input(name)
    if member := compression.split_member(name):
        return compression.open_member(*member)
    if name != STANDARD:
        return open(name, "rb", buffering, opener=opener)
    try:
        return os.fdopen(_standard_input().fileno(), "rb", buffering, closefd=False)
    except io.UnsupportedOperation:
        return _standard_input()
