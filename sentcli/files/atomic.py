"""Atomic writes: a file grows under a temporary name and gets its own name in one step.

Whatever ends a process, a name stands for the old file or for the new one, and for all of it.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sentcli.errors import OutputError


@contextmanager
def output_errors(name: object) -> Iterator[None]:
    """Turn an OSError of the block into an error that names the file; a closed pipe stays what it is.

    :raises OutputError: with the reason that the system gives.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name}: {error.strerror or error}") from error


def resolve(name: str | Path) -> Path:
    """Return the file that a name leads to: to replace a link would cut it off from its file.

    :raises OutputError: if its links lead in a circle.
    """
    path = Path(name)
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OutputError(f"{name}: its links lead in a circle") from None
    return path.resolve()


def temporary_path(target: Path, kind: str) -> Path:
    """Return the name of a file that a run keeps beside the file it writes; a killed run leaves it there."""
    return target.with_name(f".{target.name}.sentcli-{kind}")


def sync(path: Path) -> None:
    """Make a file durable, or the names in a folder where the file system can do that.

    :raises OSError: if the system cannot.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux, where a file system has no fsync of folders
            raise
    finally:
        os.close(descriptor)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which replaces `path` at the end of the block.

    :raises OSError: if it cannot be written; the old file stays, and nothing else is left.
    """
    part = temporary_path(path, "part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def create(path: Path) -> int:
    """Open a new file; remove one that a killed run left under this name, and follow no link.

    :returns: its descriptor.
    :raises OSError: if it cannot be created.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes to a file, however few the system takes at a time.

    :raises OSError: if it takes no more.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def check_kept(descriptor: int) -> None:
    """Raise now what a network file system would report only when the file is closed: a quota, mostly.

    :raises OSError: from the system.
    """
    os.close(os.dup(descriptor))


class AtomicFile:
    """A file that grows under a temporary name beside its target.

    :param target: the final name, absolute and without links.
    :ivar size: bytes so far.
    :raises OutputError: here and from all methods, with the name and the reason.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.size = 0
        self._path = temporary_path(target, "part")
        with output_errors(self._path):
            self._descriptor = create(self._path)

    def write(self, data: bytes) -> None:
        with output_errors(self._path):
            write_all(self._descriptor, data)
        self.size += len(data)

    def sync(self) -> None:
        """Make durable what was written."""
        with output_errors(self._path):
            os.fsync(self._descriptor)

    def publish(self) -> None:
        """Give the file its final name, durably. A private file that it replaces stays private."""
        self.sync()
        with output_errors(self.target):
            check_kept(self._descriptor)
            with suppress(FileNotFoundError):
                os.fchmod(self._descriptor, stat.S_IMODE(self.target.stat().st_mode))
            self._path.replace(self.target)
            sync(self.target.parent)
        self.close()

    def close(self) -> None:
        """Close the file and leave its part where it is."""
        # -1: a thread that still writes must not write into the next file that gets this number.
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):  # `publish` has checked; after a failure its own error is the one to report
            os.close(descriptor)

    def discard(self) -> None:
        """Close the file and remove its part."""
        self.close()
        with output_errors(self._path):
            self._path.unlink(missing_ok=True)
