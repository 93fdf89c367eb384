"""Where bytes go: files that grow under a temporary name and get their own in one step, and streams."""

import errno
import hashlib
import io
import os
import re
import select
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from xxhash import xxh3_128

from sentcli.errors import OutputError, ResumeError
from sentcli.files.durable import sync

# Kinds of files that a run keeps beside an output until it is done.
PART, LEDGER, JOURNAL, LOCK = "part", "ledger", "journal", "lock"

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"[ \t\n\\]")  # in that file, as three octal digits each

_BLOCK = 1 << 20
_HANDED_OVER = 4 << 20  # bytes, each of which the disk is told of once
_STREAMS = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)", re.ASCII)


@contextmanager
def output_errors(name: object) -> Iterator[None]:
    """Turn what the system says into an error that names the file; a closed pipe stays what it is.

    :raises OutputError: when the block raises another OSError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name}: {error.strerror or error}") from error


def resolve(name: str | Path) -> Path:
    """Give the file that a name leads to.

    :raises OutputError: when its links lead in a circle.
    """
    path = Path(name)
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutputError(f"{name}: its links lead in a circle") from None
    return path.resolve()


def temporary_path(target: Path, kind: str) -> Path:
    """Name a file of a run, beside the file that the run will write."""
    return target.with_name(f".{target.name}.sentcli-{kind}")


def own_files(name: str) -> list[str]:
    """Name the files that a run keeps beside an output, or a rejects file, until it is done.

    :raises OutputError: when there can be no file of that name.
    """
    with output_errors(name):
        if name == "-" or is_special(name):
            return []
    return [str(temporary_path(resolve(name), kind)) for kind in (PART, LEDGER, JOURNAL, LOCK)]


def is_standard_output(name: str | Path) -> bool:
    """Tell whether a name such as `/dev/stdout` stands for standard output, whatever that leads to."""
    return _descriptor_of(name) == 1


def is_special(name: str) -> bool:
    """Tell whether a name is neither free nor that of a regular file.

    A device, a pipe, a folder; or an open descriptor such as `/dev/stdout`, whatever that leads to.
    """
    return _descriptor_of(name) is not None or (Path(name).exists() and not Path(name).is_file())


def is_standard_stream(path: Path) -> bool:
    """Tell whether standard input or output leads to a file."""
    for stream in (sys.stdin, sys.stdout):
        with suppress(OSError, AttributeError, ValueError):  # closed, or replaced
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return True
    return False


def _descriptor_of(name: str | Path) -> int | None:
    """Give the number of an open file that a name such as `/dev/fd/3` stands for."""
    if str(name) in _STREAMS:
        return _STREAMS.index(str(name))
    number = _DESCRIPTOR.fullmatch(str(name))
    return int(number[1]) if number else None


def refuse_mounted(path: Path) -> None:
    """Refuse a file that is a mount of its own, as one shared with a container: nothing can be renamed to it.

    :param path: absolute, without links.
    :raises OutputError: saying so.
    """
    name = _ESCAPED.sub(lambda found: b"\\%03o" % ord(found[0]), os.fsencode(path))
    with suppress(OSError):  # where nobody tells, the end of the run will
        if any(name in line.split(b" ")[4:5] for line in _MOUNTS.read_bytes().split(b"\n")):
            raise OutputError(f"{path} is mounted as a single file and cannot be replaced; mount its folder")


def create(path: Path) -> int:
    """Open a new file for writing; one of that name, left by a dead run, is removed, and no link followed."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes, however many the system takes at a time."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process made a shared terminal or pipe non-blocking
            select.select([], [descriptor], [])


def _ask_whether_kept(descriptor: int) -> None:
    """Raise now what a file of a network, or of a bucket that is mounted, may say only when it is closed."""
    os.close(os.dup(descriptor))


class Part:
    """A file that grows under a temporary name beside its target.

    A mark tells how much of it there is, and the XXH3 of that: its 128 bits tell of every change that nobody
    made up to deceive, in a tenth of the time of SHA-256.

    :param target: the final name.
    :raises OutputError: from all methods, with the path and what the system says.
    """

    def __init__(self, target: Path, kind: str = PART) -> None:
        self.target = target
        self.path = temporary_path(target, kind)
        self.size = 0
        self._synced = -1  # size when it was last made durable
        self._handed_over = 0  # bytes that the disk was told to begin with
        self.is_open = False
        self._xxh3 = xxh3_128()
        self._descriptor = -1

    def create(self) -> None:
        with output_errors(self.path):
            self._descriptor = create(self.path)
            self.is_open = True
            self._take_mode(also=stat.S_IRUSR | stat.S_IWUSR)  # for a run that goes on

    def _take_mode(self, also: int = 0) -> None:
        with suppress(FileNotFoundError):  # a private file stays one when it is replaced
            os.fchmod(self._descriptor, stat.S_IMODE(self.target.stat().st_mode) | also)

    def reopen(self, mark: Mapping[str, Any]) -> None:
        """Go on behind a mark: what was written after it is cut off.

        :raises ResumeError: when the file is not what was written.
        """
        if not self.path.exists():
            raise ResumeError(f"{self.path} is gone; start over without --resume")
        with output_errors(self.path):
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            self.is_open = True
            while data := os.read(self._descriptor, min(_BLOCK, mark["bytes"] - self.size)):
                self._count(data)
            if self.mark() != mark:
                raise ResumeError(f"{self.path} was changed after the interrupted run; leave out --resume")
            if os.fstat(self._descriptor).st_size > self.size:  # else it would be changed as of today
                os.ftruncate(self._descriptor, self.size)

    def is_published(self, mark: Mapping[str, Any]) -> bool:
        """Tell whether the target is the file up to a mark: a run was interrupted after it had renamed it."""
        with output_errors(self.target):
            if self.path.exists() or not self.target.exists():
                return False
            with self.target.open("rb") as file:
                digest = hashlib.file_digest(file, xxh3_128).hexdigest()
                return mark == {"bytes": file.tell(), "xxh3": digest}

    def write(self, data: bytes) -> None:
        with output_errors(self.path):
            write_all(self._descriptor, data)
        self._count(data)
        self._hand_over()

    def _hand_over(self) -> None:
        """Have the disk begin with what was written, so that there is little left that `sync` waits for."""
        end = self.size - self.size % _HANDED_OVER
        if end > self._handed_over and hasattr(os, "posix_fadvise"):
            start, self._handed_over = self._handed_over, end
            with suppress(OSError):  # it is no more than a hint
                os.posix_fadvise(self._descriptor, start, end - start, os.POSIX_FADV_DONTNEED)

    def _count(self, data: bytes) -> None:
        self._xxh3.update(data)
        self.size += len(data)

    def mark(self) -> dict[str, Any]:
        return {"bytes": self.size, "xxh3": self._xxh3.hexdigest()}

    def sync(self) -> None:
        with output_errors(self.path):
            os.fsync(self._descriptor)
        self._synced = self.size

    def publish(self) -> None:
        """Give the file its final name, durably."""
        if self._synced < self.size:
            self.sync()
        with output_errors(self.target):
            _ask_whether_kept(self._descriptor)
            self._take_mode()
            self.path.replace(self.target)
            sync(self.target.parent)
        self.close()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            # A thread that still writes must not write into what gets this number next.
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):  # `publish` has asked, and when a run failed its error is what is told
                os.close(descriptor)

    def discard(self) -> None:
        self.close()
        with output_errors(self.path):
            self.path.unlink(missing_ok=True)


class Stream:
    """Standard output or error, a named pipe, a device: what was written there stays written.

    :raises OutputError: with the name and what the system says; a closed pipe is a BrokenPipeError.
    """

    def __init__(self, name: str, stream: IO[bytes], *, closes: bool = False) -> None:
        self.size = 0
        self._name = name
        self._stream = stream
        self._closes = closes
        try:
            self._descriptor = stream.fileno()
        except io.UnsupportedOperation:  # a replaced sys.stdout, as in tests of commands
            self._descriptor = -1

    @classmethod
    def standard_output(cls) -> "Stream":
        return cls._standard("standard output", sys.stdout)

    @classmethod
    def standard_error(cls) -> "Stream":
        return cls._standard("standard error", sys.stderr)

    @classmethod
    def _standard(cls, name: str, stream: TextIO | None) -> "Stream":
        if stream is None:
            raise OutputError(f"{name} is closed; give a file")
        stream.flush()
        return cls(name, stream.buffer)

    @classmethod
    def device(cls, path: Path) -> "Stream":
        number = _descriptor_of(path)
        with output_errors(path):
            # Opened by its name, a file would be cut to nothing.
            opened = path.open("wb", 0) if number is None else os.fdopen(os.dup(number), "wb", 0)
            return cls(str(path), opened, closes=True)

    def write(self, data: bytes) -> None:
        with output_errors(self._name):
            if self._descriptor < 0:
                self._stream.write(data)
            else:
                write_all(self._descriptor, data)
        self.size += len(data)

    def publish(self) -> None:
        """Make sure that what was written has arrived, and close what was opened here."""
        with output_errors(self._name):
            if self._descriptor >= 0:
                _ask_whether_kept(self._descriptor)  # nobody would hear it when this process ends
        self.discard()

    def discard(self) -> None:
        """Close what was opened here; what was written cannot be taken back."""
        if self._closes:
            with suppress(OSError):  # as in `Part.close`
                self._stream.close()
