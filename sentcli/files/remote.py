"""Files behind URLs (s3://, gs://, https://, hf:// ...) through fsspec, which the extra `remote` brings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from sentcli.errors import DataError, MissingExtraError, OutputError, SentcliError, requires


def is_url(name: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]+://", name) is not None


def as_path(name: str) -> str:
    """Give the path of a file:// URL, so that the file is known by one name; any other name as it is."""
    return name.removeprefix("file://")


def open_input(url: str) -> IO[bytes]:
    """Open a remote file for reading.

    :raises DataError: when that fails, and from its `read` when the connection does.
    """
    with _translated(url, DataError):
        filesystem, path = _resolve(url)
        return cast(IO[bytes], _RemoteInput(url, filesystem.open(path, "rb")))


def size_of(url: str) -> int | None:
    """Ask for the size of a remote file; None where the server does not tell.

    :raises DataError: when there is no such file.
    """
    with _translated(url, DataError):
        filesystem, path = _resolve(url)
        size = filesystem.info(path)["size"]
        return None if size is None else int(size)


def exists(url: str) -> bool:
    """Tell whether there is such a file.

    :raises OutputError: when the server cannot be asked.
    """
    with _translated(url, OutputError):
        filesystem, path = _resolve(url)
        return bool(filesystem.exists(path))


def remove(url: str) -> None:
    """Remove a remote file, if there is one.

    :raises OutputError: when that fails.
    """
    with _translated(url, OutputError):
        filesystem, path = _resolve(url)
        if filesystem.exists(path):
            filesystem.rm_file(path)


def expand(pattern: str) -> list[str]:
    """List the remote files that a pattern with `*` means, sorted.

    :raises DataError: when the server cannot be asked.
    """
    with _translated(pattern, DataError):
        filesystem, path = _resolve(pattern)
        return sorted(filesystem.unstrip_protocol(name) for name in filesystem.glob(path))


class _RemoteInput:
    """A remote file whose `read` raises errors of sentcli."""

    def __init__(self, url: str, file: Any) -> None:
        self._url = url
        self._file = file

    def read(self, size: int = -1) -> bytes:
        with _translated(self._url, DataError):
            return self._file.read(size)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class RemoteFile:
    """An output behind a URL: it shows under its name when it is complete, and cannot be resumed.

    :raises OutputError: when it cannot be opened, and from the methods when it cannot be written.
    """

    def __init__(self, url: str) -> None:
        self.name = url
        self.size = 0
        with _translated(url, OutputError):
            self._filesystem, path = _resolve(url, skip_instance_cache=True)  # a transaction of its own
            self._filesystem.start_transaction()
            self._file = self._filesystem.open(path, "wb")

    def write(self, data: bytes) -> None:
        with _translated(self.name, OutputError):
            self._file.write(data)
        self.size += len(data)

    def publish(self) -> None:
        """Send what is left and make the file visible."""
        with _translated(self.name, OutputError):
            self._file.close()
            self._filesystem.end_transaction()

    def discard(self) -> None:
        with _translated(self.name, OutputError):
            self._filesystem.transaction.complete(commit=False)


def _resolve(url: str, **options: Any) -> tuple[Any, str]:
    with requires("remote"):
        import fsspec
    try:
        return fsspec.core.url_to_fs(url, **options)  # type: ignore[no-any-return]
    except ImportError as error:
        raise MissingExtraError(f"{url}: {error}; try: pip install 'sentcli[remote]'") from error


@contextmanager
def _translated(url: str, kind: type[SentcliError]) -> Iterator[None]:
    try:
        yield
    except SentcliError:
        raise
    except Exception as error:  # each of fsspec's backends brings errors of its own
        raise kind(f"{url}: {_reason(error, url)}") from error


def _reason(error: BaseException, url: str) -> str:
    """Say what went wrong: over HTTP fsspec repeats the address, and the error behind its own says why."""
    while str(error) in ("", url) and error.__cause__:
        error = error.__cause__
    status = getattr(error, "status", None)
    return f"status {status}" if status else str(error) or type(error).__name__
