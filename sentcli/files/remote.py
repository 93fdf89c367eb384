"""Files behind URLs (s3://, gs://, https://, hf://) through fsspec, which the extra `remote` installs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from sentcli.errors import DataError, MissingExtraError, OutputError, SentcliError, requires


def is_url(name: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]+://", name) is not None


def as_path(name: str) -> str:
    """Return the path of a file:// URL, so that a file has one name; any other name unchanged."""
    return name.removeprefix("file://")


def open_input(url: str) -> IO[bytes]:
    """Open a remote file to read.

    :raises DataError: if that fails, and from its `read` if the connection does.
    """
    with _translated(url, DataError) as (files, path):
        return cast(IO[bytes], _RemoteInput(url, files.open(path, "rb")))


def size_of(url: str) -> int | None:
    """Return the size of a remote file; None if the server does not tell.

    :raises DataError: if there is no such file.
    """
    with _translated(url, DataError) as (files, path):
        size = files.info(path)["size"]
        return None if size is None else int(size)


def exists(url: str) -> bool:
    """Return whether there is such a file.

    :raises OutputError: if the server cannot be asked.
    """
    with _translated(url, OutputError) as (files, path):
        return bool(files.exists(path))


def remove(url: str) -> None:
    """Remove a remote file, if there is one.

    :raises OutputError: if that fails.
    """
    with _translated(url, OutputError) as (files, path):
        if files.exists(path):
            files.rm_file(path)


def expand(pattern: str) -> list[str]:
    """List the remote files that match a pattern with `*`, sorted.

    :raises DataError: if the server cannot be asked.
    """
    with _translated(pattern, DataError) as (files, path):
        return sorted(files.unstrip_protocol(name) for name in files.glob(path))


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
    """An output behind a URL; it shows under its name when it is complete.

    :raises OutputError: here and from the methods, if it cannot be written.
    """

    def __init__(self, url: str) -> None:
        self.size = 0
        self._url = url
        # A file system of its own, since a transaction covers all of one.
        with _translated(url, OutputError, skip_instance_cache=True) as (self._files, path):
            self._files.start_transaction()
            self._file = self._files.open(path, "wb")

    def write(self, data: bytes) -> None:
        with _translated(self._url, OutputError):
            self._file.write(data)
        self.size += len(data)

    def publish(self) -> None:
        """Send the rest and make the file visible."""
        with _translated(self._url, OutputError):
            self._file.close()
            self._files.end_transaction()

    def discard(self) -> None:
        with _translated(self._url, OutputError):
            self._files.transaction.complete(commit=False)


@contextmanager
def _translated(url: str, kind: type[SentcliError], **options: Any) -> Iterator[tuple[Any, str]]:
    """Yield the file system and path of a URL, and turn what the block raises into one line.

    :param kind: of the error.
    :param options: of the file system.
    """
    with requires("remote"):
        import fsspec
    try:
        yield fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise MissingExtraError(f"{url}: {error}; try: pip install 'sentcli[remote]'") from error
    except Exception as error:  # each of fsspec's backends has errors of its own
        raise kind(f"{url}: {_reason(error, url)}") from error


def _reason(error: BaseException, url: str) -> str:
    """Return what went wrong: over HTTP fsspec repeats the address, and the cause has the reason."""
    while str(error) in ("", url) and error.__cause__:
        error = error.__cause__
    status = getattr(error, "status", None)
    return f"status {status}" if status else str(error) or type(error).__name__
