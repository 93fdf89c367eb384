"""Atomic writes by one run at a time: a locked file is written under a temporary name, then renamed.

However a process ends, a name refers to the complete old file or to the complete new one.
"""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from sentcli.config import LOG
from sentcli.errors import LockedError, OutputError, RefusedOutputError
from sentcli.files import stop, system

WAIT_SECONDS = 120.0  # longer than the 90 s for which NFSv4 keeps the locks of a dead machine
_PAUSE = 0.1  # seconds between two attempts
# What concerns one file: its name and its links, its size, or a file in the place of a folder.
_BAD_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.ELOOP)
_REFUSALS = (*_BAD_NAMES, errno.EFBIG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


@contextmanager
def output_errors(name: object) -> Iterator[None]:
    """Turn an OSError of the block, except a BrokenPipeError, into an error that names the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        kind = RefusedOutputError if error.errno in _REFUSALS else OutputError
        raise kind(f"{name}: {error.strerror or error}") from error


def resolve(name: str | Path) -> Path:
    """Return the file that a name refers to, so that a write replaces the target of a link, not the link."""
    path = Path(name)
    with output_errors(name), suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        path.stat()  # raises an error for links in a circle, which `resolve` may take for a file
    return path.resolve()


def temporary_path(target: Path, kind: str) -> Path:
    """Return the name of a hidden file next to the file that a run writes; a killed run leaves it there."""
    return target.with_name(f".{target.name}.sentcli-{kind}")


def create(path: Path, target: Path) -> int:
    """Create a file without following links; first remove one that a killed run left under this name.

    :param target: if it exists, the new file is from the start as private as this one.
    """
    path.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | system.OWN_FILE
    if not target.exists():
        return os.open(path, flags, 0o666)
    descriptor = os.open(path, flags, 0o600)
    system.set_mode(descriptor, stat.S_IMODE(target.stat().st_mode) | 0o600)
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to a file, even if the system writes fewer at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class TemporaryFile:
    """A hidden file next to the file that a run writes; see `temporary_path`.

    :raises OutputError: here and from all methods, with the name and the reason.
    """

    def __init__(self, target: Path, kind: str) -> None:
        self.target = target
        self._path = temporary_path(target, kind)
        self._descriptor = -1

    def close(self) -> None:
        """Close the file, and leave it in place."""
        # Set -1, so that a thread that still writes cannot write to the next file with this descriptor.
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):  # `publish` and `commit` check for errors; a failed run reports its first one
            os.close(descriptor)

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        with output_errors(self._path):
            self._path.unlink(missing_ok=True)


class AtomicFile(TemporaryFile):
    """A file that is written under a temporary name next to its target."""

    def __init__(self, target: Path) -> None:
        super().__init__(target, "part")
        self.size = 0
        with output_errors(self._path):
            self._descriptor = create(self._path, target)

    def write(self, data: bytes) -> None:
        with output_errors(self._path):
            write_all(self._descriptor, data)
        self.size += len(data)

    def sync(self) -> None:
        """Flush the written bytes to disk."""
        with output_errors(self._path):
            os.fsync(self._descriptor)

    def publish(self) -> None:
        """Rename the file to its final name, durably, with the permissions of the file that it replaces."""
        self.sync()
        with output_errors(self.target):
            os.close(os.dup(self._descriptor))  # A network file system reports a full quota only on close.
            with suppress(FileNotFoundError):
                system.set_mode(self._descriptor, stat.S_IMODE(self.target.stat().st_mode))
            self.close()  # Windows renames no open file
            self._path.replace(self.target)
            system.sync(self.target.parent)


class Lock(AbstractContextManager["Lock"]):
    """A lock on a target, held until the end of the block or of the process.

    If another run holds the lock, this logs a warning and waits for up to two minutes.

    :raises LockedError: if another run still holds the lock after that time.
    """

    def __init__(self, target: Path, *, waits: bool = True) -> None:
        self._path = temporary_path(target, "lock")
        waited = 0.0
        while not self._acquire():
            busy = f"{target}: another run of sentcli is writing it"
            if waited >= WAIT_SECONDS * waits:
                raise LockedError(f"{busy}; try again when it is done")
            if not waited:
                LOG.warning("%s; waiting up to two minutes", busy)
            stop.check()
            time.sleep(_PAUSE)
            waited += _PAUSE

    def _acquire(self) -> bool:
        """Try to lock the file; return False if another run holds it or has just removed it."""
        with output_errors(self._path):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | system.OWN_FILE, 0o666)
            with suppress(FileNotFoundError):
                is_locked = system.lock(self._descriptor)
                if is_locked and os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                    return True
            os.close(self._descriptor)
            return False

    def release(self, *_: object) -> None:
        with output_errors(self._path):
            system.remove_locked(self._path, self._descriptor)

    __exit__ = release
