"""What POSIX systems have and Windows lacks, with what replaces it. sentcli has not been tried on Windows."""

import errno
import os
import select
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:
    import msvcrt

    IS_POSIX = False
else:
    IS_POSIX = True

# Flags for a file of our own: no links. With O_BINARY, Windows does not write \n as \r\n.
OWN_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
FOLDER_ENDS = ("/",) if IS_POSIX else ("/", "\\")  # how a user marks the name of a folder
PIPE_ROOM = getattr(select, "PIPE_BUF", 0)  # bytes that a ready pipe takes at once; 0: pipes are never ready


def lock(descriptor: int) -> bool:
    """Lock a file until it is closed; return False if another process has locked it."""
    try:
        if IS_POSIX:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError):
        return False
    return True


def remove_locked(path: Path, descriptor: int) -> None:
    """Remove a locked file and close it. Windows removes no open file, so not that of another process."""
    if IS_POSIX:
        path.unlink(missing_ok=True)
        os.close(descriptor)
    else:
        os.close(descriptor)
        with suppress(PermissionError):
            path.unlink(missing_ok=True)


def set_mode(descriptor: int, mode: int) -> None:
    """Set the permissions of a file; Windows lacks fchmod before Python 3.13."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def sync(path: Path) -> None:
    """Flush a file to disk, or the names in a folder if the system can do that."""
    if not IS_POSIX and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if IS_POSIX else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux: the file system cannot fsync a folder
            raise
    finally:
        os.close(descriptor)
