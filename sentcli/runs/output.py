"""Where a job writes: a file that a later run can go on with, or a place where that cannot be."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sentcli.errors import ExistingOutputError, OutputError
from sentcli.files.lock import Lock
from sentcli.files.remote import RemoteFile, exists, is_url, remove
from sentcli.files.storage import Part, Stream, is_special, output_errors, resolve
from sentcli.tables.chunk import Labels, Scores


class Output(ABC):
    """What a job writes to.

    :ivar name: what an error calls it.
    :ivar rejects_path: where rejected rows go; None: to standard error.
    :ivar state: what the journal of an interrupted run says, where this one goes on with it.
    :ivar results: label and score of each of its rows, where the output itself could not be kept.
    """

    name: str = ""
    rejects_path: str | None
    state: Mapping[str, Any] | None = None
    results: Iterator[tuple[str | None, float | None]] = iter(())

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes written so far."""

    @property
    def resumable(self) -> bool:
        """A later run could go on with what is there."""
        return False

    @abstractmethod
    def write(self, data: bytes) -> None: ...

    @abstractmethod
    def write_rejects(self, data: bytes) -> None: ...

    @abstractmethod
    def write_results(self, labels: Labels, scores: Scores) -> None:
        """Keep results where the output itself does not."""

    @abstractmethod
    def commit(self, state: Mapping[str, Any]) -> None:
        """Make all that was written durable, and then the state, where that is of use."""

    @abstractmethod
    def publish(self, state: Mapping[str, Any], note: Callable[[], None]) -> None:
        """Give the files their final names; the state is the last one.

        :param note: called when they have them, and before the run forgets that they are its own.
        """

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing under the final names, and nothing at all if no later run could go on with it."""


class StreamOutput(Output):
    """A place that only takes bytes: standard output, a pipe, a device, a URL. It cannot be resumed.

    :param rejects: name of the rejects file; None: standard error.
    :raises OutputError: when the rejects file exists, or another run writes it.
    """

    def __init__(self, sink: Stream | RemoteFile, rejects: str | None, *, overwrite: bool) -> None:
        self.rejects_path = rejects
        self._sink = sink
        self._rejects: Stream | RemoteFile | Part | None = None
        self._lock: Lock | None = None
        self._overwrite = overwrite
        if rejects and not is_special(rejects):
            if not is_url(rejects):
                self._lock = Lock(resolve(rejects))
            if not overwrite:
                self._refuse_existing(rejects)

    def _refuse_existing(self, rejects: str) -> None:
        try:
            refuse_existing(rejects)
        except OutputError:
            self._unlock()
            raise

    @property
    def size(self) -> int:
        return self._sink.size

    def write(self, data: bytes) -> None:
        self._sink.write(data)

    def write_rejects(self, data: bytes) -> None:
        if self._rejects is None:
            self._rejects = _open_rejects(self.rejects_path)
        self._rejects.write(data)

    def write_results(self, labels: Labels, scores: Scores) -> None:
        pass

    def commit(self, state: Mapping[str, Any]) -> None:
        pass

    def publish(self, state: Mapping[str, Any], note: Callable[[], None]) -> None:
        if self._rejects:
            if self._lock and not self._overwrite:
                refuse_existing(self.rejects_path or "")  # what came meanwhile is not to be lost
            self._rejects.publish()
        elif self._overwrite:
            self._remove_earlier_rejects()
        self._unlock()
        self._sink.publish()
        note()

    def _remove_earlier_rejects(self) -> None:
        """Remove what an earlier run rejected: it would be taken for this one's."""
        if self._lock:
            with output_errors(self.rejects_path):
                resolve(self.rejects_path or "").unlink(missing_ok=True)
        elif self.rejects_path and is_url(self.rejects_path):
            remove(self.rejects_path)

    def abort(self) -> None:
        if self._rejects:
            self._rejects.discard()
        self._unlock()
        self._sink.discard()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None


def _open_rejects(path: str | None) -> Stream | RemoteFile | Part:
    if path is None:
        return Stream.standard_error()
    if is_url(path):
        return RemoteFile(path)
    if is_special(path):
        return Stream.device(Path(path))
    part = Part(resolve(path))
    part.create()
    return part


def default_rejects(output: str) -> str:
    """Name the rejects file of a file when nobody named another."""
    return f"{output}.rejects.jsonl"


def check_name(path: Path, option: str) -> None:
    """Refuse what cannot be the name of a file.

    :param option: the one that gives it.
    :raises OutputError: for a folder, and in one that is not there.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; {option} takes the name of a file")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")


def is_there(path: str) -> bool:
    """Tell whether a file would be replaced.

    :raises OutputError: when a server cannot be asked.
    """
    return exists(path) if is_url(path) else Path(path).exists()


def refuse_existing(path: str, hint: str = "") -> None:
    """Refuse to replace a file, when nobody said that it may be.

    :param hint: what else may be tried.
    :raises ExistingOutputError: naming --overwrite.
    """
    if is_there(path):
        raise ExistingOutputError(f"{path} exists; give another name or --overwrite{hint}")
