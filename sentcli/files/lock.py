"""Locks, so that only one run at a time writes a file."""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from sentcli.errors import LockedError
from sentcli.files import system
from sentcli.files.atomic import output_errors, temporary_path

WAIT_SECONDS = 120.0  # longer than the 90 s for which NFSv4 keeps the locks of a dead machine
_PAUSE = 0.1  # seconds between two attempts

_log = logging.getLogger("sentcli")


class Lock:
    """A lock on a target, held until `release` or the end of the process.

    If another run holds the lock, this logs a warning and waits for up to two minutes.

    :raises LockedError: if another run still holds the lock after that time.
    """

    def __init__(self, target: Path, *, check: Callable[[], None] = lambda: None, waits: bool = True) -> None:
        self._path = temporary_path(target, "lock")
        end: float | None = None
        while not self._acquire():
            now = time.monotonic()
            if end is None and waits:
                end = now + WAIT_SECONDS
                _log.warning("%s: another run of sentcli is writing it; waiting up to two minutes", target)
            if end is None or now >= end:
                raise LockedError(
                    f"{target}: another run of sentcli is writing it; try again when it is done"
                )
            check()
            time.sleep(_PAUSE)

    def _acquire(self) -> bool:
        """Try to lock the file; return False if another run holds it or has just removed it."""
        with output_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | system.OWN_FILE, 0o666)
            with suppress(FileNotFoundError):
                if system.lock(descriptor) and os.path.samestat(os.fstat(descriptor), self._path.stat()):
                    self._descriptor = descriptor
                    return True
            os.close(descriptor)
            return False

    def release(self) -> None:
        """Unlock the target."""
        with output_errors(self._path):
            system.remove_locked(self._path, self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
