"""One run at a time writes a file."""

import fcntl
import os
from pathlib import Path

from sentcli.errors import OutputError
from sentcli.files.storage import LOCK, output_errors, temporary_path


class Lock:
    """A lock on a target; the system holds it until `release`, or the end of the process.

    :param kind: of another run than one that writes `target` alone.
    :param name: what to call the target in messages, where nobody knows it by its own name.
    :param waits: for another run that holds it, which is done soon.
    :raises OutputError: at once, when another run holds it and `waits` is not set.
    """

    def __init__(self, target: Path, kind: str = LOCK, *, name: object = None, waits: bool = False) -> None:
        self._name = name or target
        self._operation = fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB
        self._path = temporary_path(target, kind)
        with output_errors(self._path):
            while not self._acquire():
                pass

    def _acquire(self) -> bool:
        """Lock the file; False when the last holder removed it in the meantime."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, self._operation)
            if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                self._descriptor = descriptor
                return True
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(f"{self._name}: another run of sentcli is writing it") from None
        except FileNotFoundError:
            pass
        os.close(descriptor)
        return False

    def release(self) -> None:
        with output_errors(self._path):
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
